"""Pages as HTML: every value is made visible and escaped on its way in, whatever the template says."""

from __future__ import annotations

import base64
import hashlib
from functools import cached_property
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from .text import visible

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["Renderer"]


class Renderer:
    """Turns plain data into pages that share one style sheet and one script.

    Both stand in every page, for a page that is opened from disk may load nothing else under a strict policy; the
    policy knows them by their hashes and allows nothing besides.

    Args:
        site_title: The site's name.
        confidence: Coverage of the intervals, in (0, 1).
    """

    def __init__(self, site_title: str, confidence: float) -> None:
        self._site_title, self._confidence = site_title, confidence

    def page(self, template: str, page: Any) -> str:
        """Render one page.

        Args:
            template: File name of the template.
            page: What it shows, unescaped.
        """
        return self._environment.get_template(template).render(page=page)

    @cached_property
    def _environment(self) -> Environment:
        from jinja2 import Environment, FunctionLoader, StrictUndefined
        from markupsafe import Markup

        # Only our own style sheet and script, which no run can reach, are put in as they are.
        environment = Environment(
            loader=FunctionLoader(_source),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            finalize=lambda value: visible(value) if type(value) is str else value,
        )
        style, script = _source("page.css"), _source("page.js")
        environment.globals.update(
            site_title=self._site_title,
            confidence=f"{100 * self._confidence:g}",
            alpha=f"{1 - self._confidence:.3g}",
            style=Markup(style),
            script=Markup(script),
            style_hash=_csp_hash(style),
            script_hash=_csp_hash(script),
        )
        return environment


def _source(name: str) -> str:
    return files(__package__ or "").joinpath(name).read_text(encoding="utf-8")


def _csp_hash(text: str) -> str:
    """The source expression by which a content security policy knows an inline element."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
