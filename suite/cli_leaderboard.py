"""``finchmark leaderboard``: build, verify, accept, withdraw, check."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from .cli_options import Include, Runs, SandboxPython, Secret
from .cli_output import put

__all__ = [
    "board",
    "leaderboard_accept",
    "leaderboard_build",
    "leaderboard_check",
    "leaderboard_verify",
    "leaderboard_withdraw",
]

board = typer.Typer(help="Build leaderboards from runs.", rich_markup_mode=None, no_args_is_help=True)


@board.command("build")
def leaderboard_build(
    runs: Runs,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the site.")] = Path("site"),
    board_file: Annotated[
        Path | None, typer.Option("--board", help="A board's file, for badges, attempts and withdrawals.")
    ] = None,
    title: Annotated[str | None, typer.Option(help="The site's title.")] = None,
) -> None:
    """Write leaderboard.csv, standings.csv and the site from runs."""
    from ..leaderboard import build
    from .store import StoredRun

    options: dict[str, Any] = {} if title is None else {"title": title}
    if board_file is not None:
        from ..leaderboard import board_badges

        options["badges"] = board_badges(board_file)
    page = build([StoredRun(path) for path in runs], out, **options)
    put(f"{page}\n{out / 'leaderboard.csv'}\n{out / 'standings.csv'}")


@board.command("verify")
def leaderboard_verify(
    submission: Annotated[Path, typer.Argument(help="A stranger's run folder.")],
    include: Include = None,
    items_secret: Secret = None,
    data: Annotated[Path | None, typer.Option(help="The files, for a run on items from files.")] = None,
    sandbox_python: SandboxPython = None,
) -> None:
    """Check a run before it is accepted: every reply is replayed, every score recomputed. Exit 0 in order, 1 not."""
    from ..leaderboard.findings import verification_text
    from ..leaderboard.verify import verify

    found = verify(
        submission, include=include or (), items_secret=items_secret, data=data, sandbox_python=sandbox_python
    )
    put(verification_text(found))
    raise typer.Exit(0 if found.ok else 1)


BoardFile = Annotated[Path, typer.Option("--board", help="The board's file.")]


@board.command("accept")
def leaderboard_accept(
    submission: Annotated[Path, typer.Argument(help="A run folder, beside the board's file or below it.")],
    board_file: BoardFile = Path("board.json"),
    rerun: Annotated[Path | None, typer.Option(help="A run of ours, of the same specification.")] = None,
    note: Annotated[str, typer.Option(help="What a reader should know.")] = "",
    include: Include = None,
    items_secret: Secret = None,
    data: Annotated[Path | None, typer.Option(help="The files, for a run on items from files.")] = None,
    sandbox_python: SandboxPython = None,
) -> None:
    """Verify a run and enter it in a board's file."""
    from ..leaderboard.acceptance import accept

    entry = accept(
        board_file,
        submission,
        rerun=rerun,
        note=note,
        include=include or (),
        items_secret=items_secret,
        data=data,
        sandbox_python=sandbox_python,
    )
    put(f"{entry.folder}: {entry.badge}, in {board_file}")


@board.command("withdraw")
def leaderboard_withdraw(
    folder: Annotated[str, typer.Argument(help="The entry, as the board's file names it.")],
    reason: Annotated[str, typer.Option(help="Why.")],
    board_file: BoardFile = Path("board.json"),
) -> None:
    """Mark an entry as withdrawn; it stays listed."""
    from ..leaderboard.acceptance import withdraw

    entry = withdraw(board_file, folder, reason)
    put(f"{entry.folder}: withdrawn, in {board_file}")


@board.command("check")
def leaderboard_check(board_file: Annotated[Path, typer.Argument(help="The board's file.")]) -> None:
    """Hold the folders of a board against its file. Exit 0 in order, 1 not."""
    from ..leaderboard.acceptance import check_board

    faults = check_board(board_file)
    for fault in faults:
        put(fault)
    put(f"{board_file}: {len(faults) or 'no'} fault{'' if len(faults) == 1 else 's'}")
    raise typer.Exit(1 if faults else 0)
