"""``finchmark judge``: a judge model's word on replies of a run, held against the rules."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .cli_options import Include
from .cli_output import put, say, width, write

__all__ = ["judge"]


def judge(
    run: Annotated[Path, typer.Argument(help="A run folder with tasks of safety.")],
    backend: Annotated[
        str | None,
        typer.Option("--backend", "-b", help="The judge: NAME:MODEL. [ask none, show what was said]"),
    ] = None,
    judge_args: Annotated[list[str] | None, typer.Option("--judge-args", help="key=value,… for the judge.")] = None,
    limit: Annotated[
        int | None, typer.Option(help="Replies to judge at most, earlier calls included; drawn by lot. [all]")
    ] = None,
    seed: Annotated[int, typer.Option(help="For judges that draw, and for the fences around texts.")] = 0,
    max_tokens: Annotated[int, typer.Option(help="Cap on one answer.")] = 64,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write all figures as JSON.")] = None,
    include: Include = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Ask a judge model about replies that rules have judged, and show how it agrees with them. Rules decide.

    Its words stand beside the run, in RUN.judges; the run and its scores do not change. The same command goes on where
    it stopped.
    """
    import json

    from ..reports.judged import judged_text
    from .evaluation import make_backend, parse_pairs
    from .judged import as_data, judged_of
    from .judging import judge_run
    from .registry import include_file
    from .store import StoredRun

    stored = StoredRun(run)
    progress = None
    if backend is not None:
        for file in include or ():
            include_file(file)
        choice, model = make_backend(backend, parse_pairs(judge_args or (), "--judge-args"))
        progress = judge_run(
            stored,
            model,
            choice,
            limit=limit,
            seed=seed,
            max_tokens=max_tokens,
            watch=None if quiet else lambda done, of: say(f"{done} of {of} asked"),
        )
    found = judged_of(stored)
    # Of several judges all are in the file; shown is the one that was asked.
    shown = [one for one in found if progress is None or one.path == progress.path.name]
    put("\n".join(judged_text(shown, width=width())) if shown else f"{run}: no judge was asked yet.")
    if json_file is not None:
        write(json_file, json.dumps(as_data(found), indent=1, allow_nan=False) + "\n")
    if progress is None:
        return
    say(f"{progress.judged} of {progress.of} replies are judged: {progress.path}")
    if progress.errors:
        gave_up = "; the last all failed, so it was asked no more" if progress.stopped else ""
        say(f"The judge's backend failed at {progress.errors} of {progress.asked}{gave_up}. The same command goes on.")
        raise typer.Exit(4)
