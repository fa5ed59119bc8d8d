"""Novelty with an embedder's distance beside that of 4-grams: a variant, in a column of its own.

``novelty_embedded = max(0, distance - allowance)`` with ``distance = [1 - J] + [1 - cos]``: the Jaccard distance of
``novelty`` plus one less the cosine of two vectors, as CreativeBench's paper adds the two (spec: variant A), but of the
slices that the tests need, to the nearest program of the bank, and less the 95th percentile of what rewrites that keep
behaviour reach by this same distance. In [0, 3]; comparable with numbers of the same embedder only, and with no other
novelty.

The vector of a program is the mean of the vectors of its statements, each one line with the names left out that the
program chose: renaming and the order of statements do not show, as they do not in the 4-grams.
"""

from __future__ import annotations

import ast
import copy
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...suite.errors import StoreError, UsageError
from .apart import Column, Value, Written
from .banks import build_bank, load_bank
from .novelty import Bank, bag_distance, grams, novelty
from .problem import Problem, load_problems
from .rewrites import rewritten
from .slices import Search, driven
from .trees import stores
from .trial import trial

if TYPE_CHECKING:
    import numpy as np

    from ...suite.agents.similarity import Embedder

__all__ = ["Embedded", "EmbeddedBank", "embedded_column", "lines", "make_embedded_bank"]

_PERCENTILE = 95.0
_BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")


def lines(code: str) -> list[str]:
    """The statements of a program, a line each and without those inside, with the names left out that it chose."""
    tree = ast.parse(code)
    imported = {
        alias.asname or alias.name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    nameless = _Nameless(set(stores(tree)) - imported)
    return [line for statement in tree.body for line in _lines(statement, nameless)]


def _lines(statement: Any, nameless: _Nameless) -> Iterator[str]:
    inner = [part for field in _BLOCKS for part in getattr(statement, field, None) or ()]
    if isinstance(statement, ast.stmt) and not isinstance(statement, ast.Import | ast.ImportFrom | ast.Pass):
        bare = copy.copy(statement)
        for field in _BLOCKS:
            if hasattr(bare, field):
                setattr(bare, field, [ast.Pass()] if field == "body" else [])
        yield ast.unparse(nameless.visit(copy.deepcopy(bare))).partition("\n    pass")[0].strip()
    elif isinstance(statement, ast.ExceptHandler):
        yield f"except {'' if statement.type is None else ast.unparse(statement.type)}".strip()
    for part in inner:
        yield from _lines(part, nameless)


class _Nameless(ast.NodeTransformer):
    def __init__(self, own: set[str]) -> None:
        self.own = own

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Name("v" if node.id in self.own else node.id, node.ctx)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        return ast.arg("v")

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.name = "f"
        return self.generic_visit(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        node.name = "C"
        return self.generic_visit(node)


class _Vectors:
    """Vectors of programs; each line is embedded once."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._known: dict[str, np.ndarray] = {}

    def __call__(self, code: str) -> np.ndarray:
        import numpy as np

        counts = Counter(lines(code))
        new = [line for line in counts if line not in self._known]
        if new:
            rows = np.asarray(self._embedder(new), dtype=float)
            self._known.update(zip(new, rows, strict=True))
        # In one order, so that no sum hangs on the order of the statements.
        total = sum((counts[line] * self._known[line] for line in sorted(counts)), np.zeros(()))
        size = np.linalg.norm(total)
        return total / size if size else total


@dataclass(frozen=True, slots=True)
class Embedded:
    """A program's novelty by both distances.

    Args:
        novelty: ``max(0, distance - allowance)``, in [0, 3].
        distance: To the nearest program of the bank by the sum of both distances, in [0, 3].
        grams: Its part of 4-grams, in [0, 1].
        embedding: Its part of the embedder, in [0, 2].
        nearest: Which program that is, from 0.
    """

    novelty: float
    distance: float
    grams: float
    embedding: float
    nearest: int


class EmbeddedBank:
    """A problem's bank by both distances.

    Args:
        bank: The bank.
        embedder: Makes the vectors.
        parts: Slices of rewrites of the bank's programs, whose distances make the allowance.
    """

    def __init__(self, bank: Bank, embedder: Embedder, parts: Sequence[str]) -> None:
        import numpy as np

        self.bank = bank
        self._vectors = _Vectors(embedder)
        self.reached = tuple(self._nearest(part)[0] for part in parts)
        """What the rewrites reach, in their order."""
        self.allowance = float(np.percentile(self.reached, _PERCENTILE)) if parts else 0.0

    def _nearest(self, part: str) -> tuple[float, float, float, int]:
        if not part:
            return 0.0, 0.0, 0.0, 0
        own, bag = self._vectors(part), grams(part)
        found = []
        for number, (other, slice_) in enumerate(zip(self.bank.bags, self.bank.slices, strict=True)):
            by_grams = bag_distance(bag, other)
            # Equal bags are one program; what an embedder's rounding makes of it is nothing.
            apart = 0.0 if by_grams == 0 else max(0.0, 1.0 - float(own @ self._vectors(slice_)))
            found.append((by_grams + apart, by_grams, apart, number))
        return min(found)

    def novelty(self, part: str) -> Embedded:
        """The novelty of a slice; of none (empty) it is 0."""
        distance, by_grams, apart, number = self._nearest(part)
        return Embedded(max(0.0, distance - self.allowance), distance, by_grams, apart, number)


def make_embedded_bank(
    programs: Sequence[str], bank: Bank, embedder: Embedder, passes: Callable[[str], bool]
) -> EmbeddedBank:
    """Make the bank of a problem by both distances: rewrites of its programs are sliced, and embedded.

    Args:
        programs: The programs of the bank.
        bank: The bank.
        embedder: Makes the vectors.
        passes: Whether a program passes the problem's tests.
    """
    return EmbeddedBank(bank, embedder, driven(_rewritten_parts(programs, bank), passes))


def _rewritten_parts(programs: Sequence[str], bank: Bank) -> Search[list[str]]:
    parts: list[str] = []
    for code in programs:
        for text in rewritten(code, bank.entries).values():
            parts.append((yield from novelty(text, bank)).part)
    return parts


def embedded_column(programs: Iterable[Written], embedder: Embedder, made_by: Mapping[str, Any]) -> Column:
    """The embedded novelty of a stored run's programs with quality; nothing of them is run again.

    Args:
        programs: The programs, on problems of our own.
        embedder: Makes the vectors.
        made_by: What is recorded of the embedder.

    Raises:
        UsageError: A program is of an official row, whose bank is not shipped.
    """
    banks: dict[str, EmbeddedBank] = {}
    values = []
    for one in programs:
        if one.part is None:
            continue
        problem = load_problems().get(one.problem)
        if problem is None:
            raise UsageError(f"{one.item}: embedded novelty is there for shipped problems only, not for --data.")
        if problem.name not in banks:
            banks[problem.name] = _problem_bank(problem, embedder)
        found = banks[problem.name].novelty(one.part)
        detail = {"grams": found.grams, "embedding": found.embedding, "allowance": banks[problem.name].allowance}
        values.append(Value(one.item, one.sample, one.problem, one.level, found.novelty, detail))
    return Column("novelty_embedded", "graded", 3.0, tuple(values), dict(made_by))


def _problem_bank(problem: Problem, embedder: Embedder) -> EmbeddedBank:
    try:
        bank = load_bank(problem)
    except StoreError:  # a problem that was just added
        bank = build_bank(problem)
    return make_embedded_bank(problem.bank, bank, embedder, _passes(problem))


def _passes(problem: Problem) -> Callable[[str], bool]:
    """Whether a rewrite of a shipped program passes its problem's tests, run in this process."""
    fuel = 500 + 4 * max(trial(code, problem.tests).steps for code in problem.bank)
    known: dict[str, bool] = {}

    def passes(code: str) -> bool:
        if code not in known:
            known[code] = trial(code, problem.tests, fuel).passed
        return known[code]

    return passes
