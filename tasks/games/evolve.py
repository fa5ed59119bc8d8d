"""A search for update rules: islands, an archive by behaviour on each, Boltzmann selection, any mutator.

Candidates are formulas, not Python: they are worked out by :mod:`.formula`, so nothing has to be run in a sandbox.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ...environments.openspiel.sequences import sequence_form
from ...suite.agents.expressions import ExpressionError
from ...suite.seeds import generator
from .regret import CHECKPOINTS, RULES, Rule, minimise

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Candidate", "ExpressionEdits", "Mutator", "Search", "assess", "evolve"]

_LEAST = 1e-6
_WORST = 2.0


class Mutator(Protocol):
    """Makes a new rule of an old one."""

    def propose(self, parent: Rule, rng: np.random.Generator) -> Rule:
        """A variant of a rule; it may be worse, or the same.

        Raises:
            ExpressionError: What was made is no rule; the attempt is counted.
        """
        ...


@dataclass(frozen=True, slots=True)
class Candidate:
    """A rule and what it came to.

    Attributes:
        rule: The rule.
        fitness: Mean over games and checkpoints of log10 (exploitability / that of uniform play); less is better. A
            rule that breaks down counts as 2 from there on.
        behaviour: What it is like, whatever its rank: its niche in an archive. How much lower log10 of the
            exploitability is at the last checkpoint than at the middle one, in halves; and the length of its formulas,
            in steps of 20 characters.
    """

    rule: Rule
    fitness: float
    behaviour: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Search:
    """What a search found.

    Attributes:
        best: The best candidate.
        curve: Best fitness after each evaluation, the seed rule's first.
        unusable: Attempts that gave no rule; each took one evaluation of the budget.
        niches: Filled niches over all islands.
    """

    best: Candidate
    curve: tuple[float, ...]
    unusable: int
    niches: int


def assess(rule: Rule, games: Sequence[str], checkpoints: Sequence[int] = CHECKPOINTS) -> Candidate:
    """Run a rule on games.

    Args:
        rule: The rule.
        games: Names of games; a claim about rules that were searched for is made on others than the search saw.
        checkpoints: See :func:`.regret.minimise`.
    """
    rows = []
    for name in games:
        form = sequence_form(name)
        start = float(form.exploitability(form.uniform()))
        curve = minimise(form, rule, checkpoints)
        with np.errstate(divide="ignore"):
            logs = np.log10(np.maximum(curve / start, _LEAST))
        rows.append(np.where(np.isfinite(curve), logs, _WORST))
    table: NDArray[np.float64] = np.array(rows)
    late = float((table[:, -1] - table[:, len(checkpoints) // 2]).mean())
    length = len(rule.regret) + len(rule.weight) + len(rule.average)
    return Candidate(rule, float(table.mean()), (math.floor(2 * late), length // 20))


class ExpressionEdits:
    """A mutator without a model: one or more random edits of one formula.

    A number is changed, an operation exchanged, a part replaced by a small new one, wrapped in one, or cut down to one
    of its own parts.
    """

    def propose(self, parent: Rule, rng: np.random.Generator) -> Rule:
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


@dataclass(slots=True)
class _Island:
    archive: dict[tuple[int, int], Candidate] = field(default_factory=dict)

    def take(self, candidate: Candidate) -> None:
        old = self.archive.get(candidate.behaviour)
        if old is None or candidate.fitness < old.fitness:
            self.archive[candidate.behaviour] = candidate

    def choose(self, temperature: float, rng: np.random.Generator) -> Candidate:
        """Draw with chances exp(-fitness / temperature); all alike at an infinite temperature."""
        row = sorted(self.archive.values(), key=lambda one: (one.fitness, one.behaviour))
        fitness = np.array([one.fitness for one in row])
        weights = np.exp(-(fitness - fitness.min()) / temperature)
        return row[int(rng.choice(len(row), p=weights / weights.sum()))]


def evolve(
    games: Sequence[str],
    *,
    seed: int,
    budget: int,
    mutator: Mutator | None = None,
    islands: int = 3,
    temperature: float = 0.1,
    migrate: int = 30,
    start: Rule | None = None,
    judge: Callable[[Rule, Sequence[str]], Candidate] = assess,
) -> Search:
    """Search for a rule of low exploitability.

    Searches with equal seeds and other arguments are pairs: what they start from is the same, and so are their random
    numbers as far as they do alike.

    Args:
        games: What candidates are run on.
        seed: Of the search.
        budget: Evaluations, the start's included; an attempt that gave no rule is one.
        mutator: By default :class:`ExpressionEdits`.
        islands: How many archives; they take turns.
        temperature: Of the selection; infinite: all niches alike.
        migrate: After so many evaluations each island's best also goes to the next.
        start: The rule to start from, by default plain CFR.
        judge: Runs a candidate.

    Raises:
        ValueError: A number is out of its range.
    """
    if budget < 1 or islands < 1 or migrate < 1 or not temperature > 0:
        raise ValueError(
            f"budget, islands and migrate are at least 1 and temperature is above 0, not {budget}, {islands}, "
            f"{migrate} and {temperature}"
        )
    rng = generator("evolve", seed)
    edits: Mutator = ExpressionEdits() if mutator is None else mutator
    best = judge(RULES["cfr"] if start is None else start, games)
    grounds = [_Island() for _ in range(islands)]
    for ground in grounds:
        ground.take(best)
    curve, unusable = [best.fitness], 0
    known: dict[Rule, Candidate] = {best.rule: best}
    for step in range(1, budget):
        ground = grounds[step % islands]
        try:
            rule = edits.propose(ground.choose(temperature, rng).rule, rng)
            if rule not in known:
                known[rule] = judge(rule, games)
            ground.take(known[rule])
            best = min(best, known[rule], key=lambda one: one.fitness)
        except ExpressionError:
            unusable += 1
        if step % migrate == 0:
            champions = [min(one.archive.values(), key=lambda c: (c.fitness, c.behaviour)) for one in grounds]
            for number, champion in enumerate(champions):
                grounds[(number + 1) % islands].take(champion)
        curve.append(best.fitness)
    return Search(best, tuple(curve), unusable, sum(len(one.archive) for one in grounds))
