"""The site: static pages that open from disk, ask nothing of any network, and read without scripts."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..suite.errors import UsageError
from .entries import Badges, Run
from .export import write_csv
from .lineup import Lineup, lineup
from .model_page import model_page
from .overview import overview
from .pair_page import pair_page
from .ranks_table import ranks_table
from .render import Renderer
from .standings import tabulate
from .task_page import task_page
from .text import encode

__all__ = ["build", "pages"]

_OURS = re.compile(r"(task|model|pair)-[a-z0-9-]*[0-9a-f]{16}\.html")
_MARK = b'<meta name="generator" content="Finchmark">'


def build(
    runs: Iterable[Run],
    out: str | os.PathLike[str],
    *,
    title: str = "Finchmark leaderboard",
    confidence: float = 0.95,
    badges: Badges | None = None,
) -> Path:
    """Write the tables and the site of some runs.

    ``leaderboard.csv`` has a row for every model, task, arm and metric, ``standings.csv`` one for every model and
    column with its ranks; ``index.html`` is the overview, with a page for every task, model and pair beside it. Pages
    of an earlier build that are no longer part of the site are removed; other files in the folder are left alone.

    Args:
        runs: Stored runs, in any order: the same runs give the same bytes.
        out: The folder; it is made where there is none.
        title: The site's name.
        confidence: Coverage of the intervals, and of the ranks of one column together, in (0, 1).
        badges: By run folder, how each entry came about; an entry without one is shown as self-reported.

    Returns:
        The path of ``index.html``.

    Raises:
        UsageError: There is no run, or ``out`` is not a folder.
        StoreError: A run holds values that its manifest rules out.
    """
    if not 0 < confidence < 1:
        raise UsageError(f"confidence must lie between 0 and 1, not {confidence!r}.")
    folder = Path(out)
    made = lineup(runs, badges, confidence)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise UsageError(f"{folder}: a file is in the way; the leaderboard needs a folder.") from None
    write_csv(tabulate(made.standings), folder / "leaderboard.csv")
    write_csv(ranks_table(made), folder / "standings.csv")
    written = set()
    for name, html in pages(made, title):
        (folder / name).write_bytes(encode(html))
        written.add(name)
    _remove_stale(folder, written)
    return folder / "index.html"


def pages(made: Lineup, title: str = "Finchmark leaderboard") -> Iterator[tuple[str, str]]:
    """Render all pages of a board.

    Args:
        made: The board.
        title: The site's name.

    Yields:
        File name and HTML; the overview comes last, when all that it links to is there.
    """
    renderer = Renderer(title, made.confidence)
    for sheet in made.sheets:
        yield made.file_of(sheet), renderer.page("task.html", task_page(made, sheet))
    for entry in made.entries:
        yield made.files["model", entry.name], renderer.page("model.html", model_page(made, entry))
    for pair in made.pairs:
        yield made.files["pair", *pair], renderer.page("pair.html", pair_page(made, *pair))
    yield "index.html", renderer.page("overview.html", overview(made))


def _remove_stale(folder: Path, written: set[str]) -> None:
    """Remove pages of ours that nothing links to any more: they would show numbers that the board took back."""
    for file in folder.iterdir():
        if file.name in written or not _OURS.fullmatch(file.name) or file.is_symlink() or not file.is_file():
            continue
        with file.open("rb") as handle:
            ours = _MARK in handle.read(2000)
        if ours:
            file.unlink()
