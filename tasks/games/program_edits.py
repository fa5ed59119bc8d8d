"""A mutator without a model for programs: random edits of the syntax tree of a function's body."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ...suite.errors import UsageError
from .candidate import Candidate, Proposal
from .programs import FUNCTIONS, Kind, Program, UnusableProgram

if TYPE_CHECKING:
    import numpy as np

__all__ = ["ProgramEdits"]

_OPERATORS = (ast.Add, ast.Sub, ast.Mult, ast.Div)
_WRAPPED: dict[Kind, tuple[str, ...]] = {
    "regret": (
        "np.maximum({e}, 0.0)",
        "{e} * t / (t + 1)",
        "{e} * 0.5",
        "{e} + regret",
        "{e} + {x}",
        "{e} * t",
        "np.where({e} > 0, {e}, {e} * 0.5)",
        "np.where(regret > 0, {e}, {e} * 0.5)",
        "{e} - {e}.max(axis=1, keepdims=True)",
    ),
    "meta": (
        "np.maximum({e}, 0.0)",
        "{e} * 0.5",
        "{e} + {x}",
        "{e} ** 2",
        "np.exp({e})",
        "np.exp(t * {e})",
        "np.maximum({e} - {e}.mean(), 0.0)",
    ),
}
_RETURNED: dict[Kind, tuple[str, ...]] = {
    "regret": ("t", "t ** 2", "1.0", "t ** 1.5", "float(t > 3)", "t ** 3"),
    "meta": (
        "np.ones(payoffs.shape[{p}])",
        "np.arange(1.0, payoffs.shape[{p}] + 1)",
        "np.arange(1.0, payoffs.shape[{p}] + 1) ** 2",
        "np.exp({s}payoffs.mean(axis={q}))",
        "np.maximum({s}payoffs.mean(axis={q}) - ({s}payoffs.mean()), 0.0) + 0.01",
        "np.exp(t * {s}payoffs.mean(axis={q}))",
    ),
}
_KEPT = (
    "{n} = memory['{n}'] = 0.9 * memory.get('{n}', 0.0) + 0.1 * {x}",
    "{n} = memory.get('{n}', 0.0) * 1.0\nmemory['{n}'] = {x}",
    "{n} = {x} * 1.0",
)


class ProgramEdits:
    """One or two random edits of a program.

    A number is changed; an operation or a name exchanged; a part wrapped in a small expression or cut down to one of
    its own; what is returned replaced; a line added that keeps something from one call to the next; or a line dropped.
    What comes of it is a program that parses: whether it does anything is for the judge to say.
    """

    name = "program-edits"

    def identity(self) -> dict[str, Any]:
        """Its name."""
        return {"name": self.name}

    async def propose(self, parent: Candidate, rng: np.random.Generator) -> Proposal:
        """An edited program, or why there is none."""
        if not isinstance(parent.genome, Program):
            raise UsageError(f"{self.name} edits programs; this candidate is a rule of three formulas.")
        try:
            return Proposal(self.edit(parent.genome, rng))
        except UnusableProgram as error:
            return Proposal(None, str(error))

    def edit(self, parent: Program, rng: np.random.Generator) -> Program:
        """Edit a program.

        Raises:
            UnusableProgram: The result is too long, or no program.
        """
        try:
            tree = ast.parse(parent.source)
            self._edit(tree, parent.kind, rng)
            return Program(parent.kind, ast.unparse(ast.fix_missing_locations(tree)) + "\n")
        except (ValueError, RecursionError) as error:
            raise UnusableProgram(f"The edit is no program: {error}") from None

    def _edit(self, tree: ast.Module, kind: Kind, rng: np.random.Generator) -> None:
        name, _ = FUNCTIONS[kind]
        # A program has its function: it would be none otherwise.
        function = next(node for node in reversed(tree.body) if isinstance(node, ast.FunctionDef) and node.name == name)
        for _ in range(1 + int(rng.integers(2))):
            how = rng.random()
            if how < 0.12:
                _add_line(function, kind, rng)
            elif how < 0.22:
                _drop_line(function, rng)
            elif how < 0.42:
                _change_return(function, kind, rng)
            else:
                _change_part(function, kind, rng)


def _one(choices: Sequence[Any], rng: np.random.Generator) -> Any:
    return choices[int(rng.integers(len(choices)))]


def _arrays(function: ast.FunctionDef, kind: Kind) -> list[str]:
    """Names that are likely to hold numbers or arrays."""
    made = {
        node.id
        for node in ast.walk(function)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and not node.id.startswith("_")
    }
    return sorted({*made, *(("regret", "policy", "t") if kind == "regret" else ("payoffs", "t"))})


def _blocks(function: ast.FunctionDef) -> list[list[ast.stmt]]:
    blocks = [function.body]
    blocks += [node.body for node in ast.walk(function) if isinstance(node, (ast.For, ast.While, ast.If))]
    return blocks


def _add_line(function: ast.FunctionDef, kind: Kind, rng: np.random.Generator) -> None:
    names = _arrays(function, kind)
    new = next(f"kept{i}" for i in range(1000) if f"kept{i}" not in names)
    lines = ast.parse(_one(_KEPT, rng).format(n=new, x=_one(names, rng))).body
    block = _one(_blocks(function), rng)
    place = int(rng.integers(len(block)))  # before some line, so that the last one still returns
    block[place:place] = lines


def _drop_line(function: ast.FunctionDef, rng: np.random.Generator) -> None:
    block = _one(_blocks(function), rng)
    places = [i for i, line in enumerate(block) if not isinstance(line, ast.Return)]
    if len(block) > 1 and places:
        del block[_one(places, rng)]


def _change_return(function: ast.FunctionDef, kind: Kind, rng: np.random.Generator) -> None:
    pairs = [
        node.value
        for node in ast.walk(function)
        if isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple) and len(node.value.elts) == 2
    ]
    if not pairs:
        return
    pair = _one(pairs, rng)
    text = _one(_RETURNED[kind], rng)
    if kind == "regret":
        pair.elts[1] = _expression(text)
    else:
        # Player 0 wants much, player 1 little; rows are player 0's.
        for place, sign in ((0, ""), (1, "-")):
            pair.elts[place] = _expression(text.format(p=place, q=1 - place, s=sign))


def _change_part(function: ast.FunctionDef, kind: Kind, rng: np.random.Generator) -> None:
    names = _arrays(function, kind)
    parts = [node for line in function.body for node in ast.walk(line) if _is_part(node)]
    called = {id(node.func) for node in ast.walk(function) if isinstance(node, ast.Call)}
    parts = [node for node in parts if id(node) not in called]
    if not parts:
        return
    old = _one(parts, rng)
    _Exchange(old, _edited(old, kind, names, rng)).visit(function)


def _is_part(node: ast.AST) -> bool:
    if isinstance(node, ast.Name):
        return isinstance(node.ctx, ast.Load) and node.id not in ("np", "memory")
    if isinstance(node, ast.Constant):
        return isinstance(node.value, (int, float)) and not isinstance(node.value, bool)
    return isinstance(node, (ast.BinOp, ast.Call))


def _edited(node: ast.expr, kind: Kind, names: Sequence[str], rng: np.random.Generator) -> ast.expr:
    here, how = ast.unparse(node), rng.random()
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)) and how < 0.7:
        return _expression(repr(round(float(node.value) * float(_one((0.5, 0.8, 1.25, 2.0), rng)), 4)))
    if isinstance(node, ast.BinOp) and how < 0.3:
        return ast.BinOp(node.left, _one(_OPERATORS, rng)(), node.right)
    if isinstance(node, ast.BinOp) and how < 0.5:
        return _one((node.left, node.right), rng)
    if isinstance(node, ast.Name) and how < 0.4:
        return _expression(_one(names, rng))
    return _expression(_one(_WRAPPED[kind], rng).format(e=f"({here})", x=_one(names, rng)))


def _expression(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


class _Exchange(ast.NodeTransformer):
    def __init__(self, old: ast.expr, new: ast.expr) -> None:
        self.old, self.new = old, new

    def visit(self, node: ast.AST) -> ast.AST:
        return self.new if node is self.old else super().visit(node)
