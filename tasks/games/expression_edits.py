"""A mutator without a model for rules: random edits of formulas."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ...suite.agents.expressions import ExpressionError
from ...suite.errors import UsageError
from .candidate import Candidate, Proposal
from .regret import Rule

if TYPE_CHECKING:
    import numpy as np

__all__ = ["ExpressionEdits"]


class ExpressionEdits:
    """A mutator without a model: one or more random edits of one formula.

    A number is changed, an operation exchanged, a part replaced by a small new one, wrapped in one, or cut down to one
    of its own parts.
    """

    name = "expression-edits"

    def identity(self) -> dict[str, Any]:
        """Its name."""
        return {"name": self.name}

    async def propose(self, parent: Candidate, rng: np.random.Generator) -> Proposal:
        """An edited rule, or why there is none."""
        if not isinstance(parent.genome, Rule):
            raise UsageError(f"{self.name} edits rules of three formulas; this candidate is a program.")
        try:
            return Proposal(self.edit(parent.genome, rng))
        except ExpressionError as error:
            return Proposal(None, str(error))

    def edit(self, parent: Rule, rng: np.random.Generator) -> Rule:
        """Edit one of the three formulas.

        Raises:
            ExpressionError: The result is too long or no formula.
        """
        part = ("regret", "weight", "average")[int(rng.integers(3))]
        names = ("t",) if part == "average" else ("R", "r", "t")
        tree = ast.parse(getattr(parent, part), mode="eval")
        for _ in range(1 + int(rng.integers(2))):
            nodes = [node for node in ast.walk(tree) if isinstance(node, ast.expr) and not _called(node, tree)]
            target = nodes[int(rng.integers(len(nodes)))]
            tree = ast.fix_missing_locations(_Exchange(target, _edited(target, names, rng)).visit(tree))
        return replace(parent, **{part: ast.unparse(tree)})


def _called(node: ast.expr, tree: ast.AST) -> bool:
    """Whether it is the name of a function, which stays."""
    return any(isinstance(other, ast.Call) and other.func is node for other in ast.walk(tree))


class _Exchange(ast.NodeTransformer):
    def __init__(self, old: ast.expr, new: ast.expr) -> None:
        self.old, self.new = old, new

    def visit(self, node: ast.AST) -> ast.AST:
        return self.new if node is self.old else super().visit(node)


def _edited(node: ast.expr, names: Sequence[str], rng: np.random.Generator) -> ast.expr:
    here = ast.unparse(node)
    leaf = names[int(rng.integers(len(names)))] if rng.random() < 0.7 else f"{rng.choice((0.5, 1, 1.5, 2, 3)):g}"
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)) and rng.random() < 0.7:
        return ast.Constant(round(float(node.value) * float(rng.choice((0.5, 0.8, 1.25, 2.0))), 3))
    inside = [child for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr)]
    made = (
        leaf,
        f"({here}) {rng.choice(('+', '-', '*', '/'))} ({leaf})",
        f"max({here}, 0)",
        f"({here}) * t / (t + 1)",
        f"({here}) * t",
        f"({here}) ** {rng.choice((0.5, 1.5, 2)):g}",
        f"(({here}) if ({leaf}) > 0 else ({here}) * 0.5)",
        ast.unparse(inside[-1]) if inside and not isinstance(node, ast.Call) else leaf,
    )
    return ast.parse(made[int(rng.integers(len(made)))], mode="eval").body
