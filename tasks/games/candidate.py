"""Candidates of a search: a rule or a program, and what it came to."""

from __future__ import annotations

import ast
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np

from ...environments.openspiel.sequences import sequence_form
from ...suite.errors import StoreError
from .programs import Program
from .regret import CHECKPOINTS, Rule, minimise
from .trial import checkpoints_of, try_program

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from ...suite.sandbox import Sandbox

__all__ = ["Candidate", "Genome", "Judge", "ProgramJudge", "Proposal", "assess", "judge_rule", "read_genome", "scored"]

Genome: TypeAlias = Rule | Program

_LEAST = 1e-6
_WORST = 2.0
_WIDEST = 12


@dataclass(frozen=True, slots=True)
class Candidate:
    """A rule or a program, and what it came to.

    Attributes:
        genome: The rule or program.
        fitness: The area under the log curve: mean over games and checkpoints of log10 (exploitability / that of
            uniform play), at least -6 each; less is better. Where it has broken down it counts as 2.
        final: The same at the last checkpoint alone: what is left after a fixed number of iterations.
        behaviour: What it is like, whatever its rank: its niche in an archive. How much lower log10 of the
            exploitability is at the last checkpoint than at the middle one, in halves; and its length: characters of
            formulas in steps of 20, nodes of a program's syntax tree in steps of 20, 12 steps at most.
        games: ``final`` by game.
        fault: Why it failed as a whole; empty if it did not.
    """

    genome: Genome
    fitness: float
    final: float
    behaviour: tuple[int, int]
    games: tuple[tuple[str, float], ...] = ()
    fault: str = ""

    def data(self) -> dict[str, Any]:
        """Plain data that :meth:`from_data` reads."""
        return {**asdict(self), "genome": asdict(self.genome)}

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> Candidate:
        """A candidate from what :meth:`data` gave.

        Raises:
            StoreError: It is none.
        """
        try:
            return cls(
                read_genome(data["genome"]),
                data["fitness"],
                data["final"],
                (data["behaviour"][0], data["behaviour"][1]),
                tuple((name, value) for name, value in data["games"]),
                data["fault"],
            )
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise StoreError(f"A record holds no candidate: {error!r}.") from None


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a mutator made.

    Attributes:
        genome: A new rule or program; None where there is none.
        fault: Why not.
        reply: What a model said; empty of one that asks none.
        prompt_tokens: Read by the model.
        completion_tokens: Written.
        cost: US dollars.
    """

    genome: Genome | None
    fault: str = ""
    reply: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0


class Judge(Protocol):
    """Says what a rule or program comes to."""

    async def __call__(self, genome: Genome, games: Sequence[str]) -> Candidate:
        """Run it on games."""
        ...


def read_genome(data: dict[str, Any]) -> Genome:
    """A rule or program from its fields as plain data.

    Raises:
        ExpressionError: A formula is none.
        UnusableProgram: A source is no program.
        TypeError: The fields are others.
    """
    return Program(**data) if "source" in data else Rule(**data)


def scored(genome: Genome, games: Sequence[str], curves: ArrayLike, fault: str = "") -> Candidate:
    """Score curves.

    Args:
        genome: What made them.
        games: Names of the games.
        curves: Exploitability, shape (games, checkpoints); infinite where it had broken down.
        fault: Why it failed as a whole.
    """
    found = np.asarray(curves, dtype=np.float64)
    starts = np.array([_uniform(name) for name in games])
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log10(np.maximum(found / starts[:, None], _LEAST))
    table = np.where(np.isfinite(found), logs, _WORST)
    late = float((table[:, -1] - table[:, table.shape[1] // 2]).mean())
    if isinstance(genome, Rule):
        length = len(genome.regret) + len(genome.weight) + len(genome.average)
    else:
        length = sum(1 for _ in ast.walk(ast.parse(genome.source)))
    ends = tuple((name, float(value)) for name, value in zip(games, table[:, -1], strict=True))
    behaviour = (math.floor(2 * late), min(length // 20, _WIDEST))
    return Candidate(genome, float(table.mean()), float(table[:, -1].mean()), behaviour, ends, fault)


def _uniform(name: str) -> float:
    form = sequence_form(name)
    return float(form.exploitability(form.uniform()))


def assess(rule: Rule, games: Sequence[str], checkpoints: Sequence[int] = CHECKPOINTS) -> Candidate:
    """Run a rule on games.

    Args:
        rule: The rule.
        games: Names of games; a claim about rules that were searched for is made on others than the search saw.
        checkpoints: See :func:`.regret.minimise`.
    """
    return scored(rule, games, [minimise(sequence_form(name), rule, checkpoints) for name in games])


async def judge_rule(genome: Genome, games: Sequence[str]) -> Candidate:
    """The judge of rules: nothing of them is run as Python, so they run in this process.

    Raises:
        TypeError: It is a program, which is never run in this process.
    """
    if not isinstance(genome, Rule):
        raise TypeError("a program is judged in the sandbox only: use ProgramJudge")
    return assess(genome, games)


class ProgramJudge:
    """The judge of programs: in the sandbox.

    Args:
        sandbox: Where they run.
        checkpoints: After how many iterations exploitability is measured; by default those of their kind.
    """

    def __init__(self, sandbox: Sandbox, checkpoints: Sequence[int] | None = None) -> None:
        self.sandbox, self.checkpoints = sandbox, checkpoints

    async def __call__(self, genome: Genome, games: Sequence[str]) -> Candidate:
        """Run a program on games, one trial for all of them.

        Raises:
            SandboxFailure: The sandbox itself failed.
            TypeError: It is a rule.
        """
        if not isinstance(genome, Program):
            raise TypeError("a rule is no program: use judge_rule")
        points = checkpoints_of(genome.kind) if self.checkpoints is None else self.checkpoints
        found = await try_program(self.sandbox, genome, games, points)
        return scored(genome, games, found.curves, found.fault)
