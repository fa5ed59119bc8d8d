"""Pages of a report: plain data in, HTML out; everything is escaped, nothing is loaded, no script runs."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from ..leaderboard.text import encode
from ..suite.errors import UsageError
from .folds import Folds
from .tables import Plot, Table

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["Document", "Facts", "place", "render", "write"]


@dataclass(frozen=True)
class Facts:
    """Names and values under a heading."""

    title: str
    rows: tuple[tuple[str, str], ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Document:
    """A report; its text is not escaped yet, but all of it is fit to be seen.

    Attributes:
        title: Its heading.
        lead: What it is, in a sentence.
        claims: What can be said, in sentences.
        notices: What a reader must know before using it.
        sections: Figures with their tables, tables alone, and groups of folded ones.
        facts: Where the numbers come from.
        versions: Versions of Finchmark that made the runs.
        shown: How many claims are seen at once; the others are folded.
    """

    title: str
    lead: str
    claims: tuple[str, ...]
    notices: tuple[str, ...]
    sections: tuple[Plot | Table | Folds, ...]
    facts: tuple[Facts, ...]
    versions: tuple[str, ...]
    shown: int = 12


def place(out: Path) -> tuple[Path, Path]:
    """Decide where a report goes.

    Args:
        out: A file that ends with ``.html``, in a folder that is there; or a folder, in which the report is
            ``index.html`` and which is made where there is none.

    Returns:
        The page, and the folder of its transcripts beside it (``NAME-samples``).

    Raises:
        UsageError: A file is in the way, or the file's folder is not there.
    """
    named = out.suffix.lower() in (".html", ".htm")
    page = out if named else out / "index.html"
    if named and not page.parent.exists():
        raise UsageError(f"{page}: there is no folder {page.parent}. Make it, or name a folder that is there.")
    try:
        page.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise UsageError(f"{page.parent}: a file is in the way; the report needs a folder.") from None
    if page.is_dir():
        raise UsageError(f"{page}: a folder is in the way; give --out another name.")
    return page, page.with_name(f"{page.stem}-samples")


def write(document: Document, page: Path) -> Path:
    """Write a report.

    Args:
        document: What it says.
        page: The file.

    Returns:
        ``page``.
    """
    page.write_bytes(encode(render("report.html", document=document)))
    return page


def render(template: str, **values: object) -> str:
    """Fill a template of this folder; every value is escaped, but for drawings, which hold escaped text only."""
    from markupsafe import Markup

    style = _source("report.css")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return _environment().get_template(template).render(style=Markup(style), policy=Markup(policy), **values)


def _source(name: str) -> str:
    return files(__package__ or "").joinpath(name).read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FunctionLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FunctionLoader(_source), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["drawing"] = Markup
    environment.tests["plot"] = lambda section: isinstance(section, Plot)
    environment.tests["folds"] = lambda section: isinstance(section, Folds)
    return environment
