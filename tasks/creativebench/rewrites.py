"""Rewrites that change a program's looks and not what it does: what novelty must not reward.

Each takes a program and gives another one that behaves the same for whoever uses its entries, or nothing where it
does not apply. They are meant as an honest sample of what costs no idea: noise, names, order, spelling, shape.
"""

from __future__ import annotations

from collections.abc import Collection

from .rewrites_expressions import EXPRESSIONS
from .rewrites_functions import SHAPES
from .rewrites_loops import LOOPS
from .rewrites_noise import NAMES, NOISE
from .rewrites_statements import STATEMENTS
from .rewriting import Rewrite

__all__ = ["REWRITES", "Rewrite", "rewritten"]

REWRITES: tuple[Rewrite, ...] = (*NOISE, *NAMES, *STATEMENTS, *EXPRESSIONS, *LOOPS, *SHAPES)


def rewritten(code: str, entries: Collection[str]) -> dict[str, str]:
    """All rewrites that apply to a program, by name."""
    made = {rewrite.name: rewrite(code, entries) for rewrite in REWRITES}
    return {name: text for name, text in made.items() if text is not None}
