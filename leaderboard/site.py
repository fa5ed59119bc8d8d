"""The page: one HTML file that opens from disk, asks nothing of any network, and reads without scripts."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path

from ..suite.errors import UsageError
from .entries import Run, entries
from .export import write_csv
from .standings import rows, tabulate
from .text import encode, visible
from .view import page

__all__ = ["build"]


def build(
    runs: Iterable[Run],
    out: str | os.PathLike[str],
    *,
    title: str = "Finchmark leaderboard",
    confidence: float = 0.95,
) -> Path:
    """Write ``leaderboard.csv`` and ``index.html`` for some runs.

    Args:
        runs: Stored runs, in any order: the same runs give the same bytes.
        out: The folder; it is made where there is none, and its other files are left alone.
        title: The page's heading.
        confidence: Coverage of the intervals, in (0, 1).

    Returns:
        The path of ``index.html``.

    Raises:
        UsageError: There is no run, or ``out`` is not a folder.
        StoreError: A run holds values that its manifest rules out.
    """
    if not 0 < confidence < 1:
        raise UsageError(f"confidence must lie between 0 and 1, not {confidence!r}.")
    folder = Path(out)
    listed = entries(runs)
    made = [row for entry in listed for row in rows(entry, confidence=confidence)]
    html = _render(title=visible(title), page=page(listed, made, confidence))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise UsageError(f"{folder}: a file is in the way; the leaderboard needs a folder.") from None
    write_csv(tabulate(made), folder / "leaderboard.csv")
    index = folder / "index.html"
    index.write_bytes(encode(html))
    return index


def _render(**values: object) -> str:
    from jinja2 import Environment, FunctionLoader, StrictUndefined
    from markupsafe import Markup

    here = files(__package__ or "")

    def source(name: str) -> str:
        return here.joinpath(name).read_text(encoding="utf-8")

    # Every value is escaped; only our own style sheet and script, which no run can reach, are put in as they are.
    environment = Environment(
        loader=FunctionLoader(source), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    style, script = source("page.css"), source("page.js")
    return environment.get_template("page.html").render(
        style=Markup(style),
        script=Markup(script),
        style_hash=_csp_hash(style),
        script_hash=_csp_hash(script),
        **values,
    )


def _csp_hash(text: str) -> str:
    """The source expression by which a content security policy knows an inline element."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
