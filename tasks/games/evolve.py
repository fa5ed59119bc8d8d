"""A search for algorithms: islands, an archive by behaviour on each, Boltzmann selection, any mutator.

Every attempt has random numbers of its own, keyed by its number. So a search that was killed goes on as it would have
gone on, and searches of one seed are pairs.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from ...suite.seeds import generator
from .candidate import Candidate, Genome, Judge, Proposal

__all__ = ["Attempt", "Log", "Mutator", "Search", "evolve", "search"]


class Mutator(Protocol):
    """Makes a new rule or program of an old one."""

    def identity(self) -> dict[str, Any]:
        """What tells it from others, as plain data."""
        ...

    async def propose(self, parent: Candidate, rng: np.random.Generator) -> Proposal:
        """A variant; it may be worse, or the same, or none: that costs its evaluation all the same."""
        ...


@dataclass(frozen=True, slots=True)
class Attempt:
    """One evaluation of the budget.

    Attributes:
        number: From 0, the start.
        candidate: What it came to; None where the mutator gave nothing that could be judged.
        proposal: What the mutator gave.
    """

    number: int
    candidate: Candidate | None
    proposal: Proposal


class Log(Protocol):
    """What has been done already, and what is."""

    def find(self, number: int) -> Attempt | None:
        """An attempt of an earlier call; None if it was not finished."""
        ...

    def add(self, attempt: Attempt) -> Attempt:
        """Write an attempt down before going on. Returns what a later call will find."""
        ...


class _NoLog:
    def find(self, number: int) -> Attempt | None:
        return None

    def add(self, attempt: Attempt) -> Attempt:
        return attempt


@dataclass(frozen=True, slots=True)
class Search:
    """What a search found.

    Attributes:
        best: The best candidate.
        curve: Best fitness after each evaluation, the start's first.
        unusable: Attempts that gave nothing to judge; each took one evaluation of the budget.
        niches: Filled niches over all islands.
    """

    best: Candidate
    curve: tuple[float, ...]
    unusable: int
    niches: int


@dataclass(slots=True)
class _Island:
    archive: dict[tuple[int, int], Candidate] = field(default_factory=dict)

    def take(self, candidate: Candidate) -> None:
        old = self.archive.get(candidate.behaviour)
        if old is None or candidate.fitness < old.fitness:
            self.archive[candidate.behaviour] = candidate

    def choose(self, temperature: float, rng: np.random.Generator) -> Candidate:
        """Draw with chances exp(-fitness / temperature); all alike at an infinite temperature."""
        row = sorted(self.archive.values(), key=_order)
        fitness = np.array([one.fitness for one in row])
        weights = np.exp(-(fitness - fitness.min()) / temperature)
        return row[int(rng.choice(len(row), p=weights / weights.sum()))]

    def champion(self) -> Candidate:
        return min(self.archive.values(), key=_order)


def _order(candidate: Candidate) -> tuple[float, tuple[int, int]]:
    return candidate.fitness, candidate.behaviour


async def search(
    games: Sequence[str],
    *,
    judge: Judge,
    mutator: Mutator,
    start: Genome,
    seed: int,
    budget: int,
    islands: int = 3,
    temperature: float = 0.1,
    migrate: int = 10,
    log: Log | None = None,
) -> Search:
    """Search for a rule or program of low exploitability.

    Islands work side by side, each from its own archive as the round found it; what they did is taken in their order.

    Args:
        games: What candidates are run on.
        judge: Runs a candidate.
        mutator: Makes variants.
        start: What every island starts from.
        seed: Of the search.
        budget: Evaluations, the start's included; an attempt that gave nothing to judge is one.
        islands: How many archives.
        temperature: Of the selection; infinite: all niches alike.
        migrate: After so many rounds each island's best also goes to the next.
        log: What was done already is taken from here, and what is done is written to it.

    Raises:
        ValueError: A number is out of its range.
    """
    if budget < 1 or islands < 1 or migrate < 1 or not temperature > 0:
        raise ValueError(
            f"budget, islands and migrate are at least 1 and temperature is above 0, not {budget}, {islands}, "
            f"{migrate} and {temperature}"
        )
    kept = _NoLog() if log is None else log
    known: dict[Genome, Candidate] = {}

    async def attempt(number: int, parent: Candidate, rng: np.random.Generator) -> Attempt:
        done = kept.find(number)
        if done is not None:
            return done
        proposal = await mutator.propose(parent, rng)
        if proposal.genome is None:
            return Attempt(number, None, proposal)
        found = known.get(proposal.genome) or await judge(proposal.genome, games)
        return Attempt(number, found, proposal)

    first = kept.find(0) or kept.add(Attempt(0, await judge(start, games), Proposal(start)))
    if first.candidate is None:
        raise ValueError("the start was never judged")
    best = first.candidate
    known[best.genome] = best
    grounds = [_Island() for _ in range(islands)]
    for ground in grounds:
        ground.take(best)
    curve, unusable = [best.fitness], 0
    for place, begin in enumerate(range(1, budget, islands), 1):
        batch = []
        for number, ground in zip(range(begin, min(begin + islands, budget)), grounds, strict=False):
            rng = generator("evolve", seed, number)
            batch.append(attempt(number, ground.choose(temperature, rng), rng))
        # What was finished before a fault is written down all the same.
        for done, ground in zip(await asyncio.gather(*batch, return_exceptions=True), grounds, strict=False):
            if isinstance(done, BaseException):
                raise done
            taken = kept.find(done.number) or kept.add(done)
            if taken.candidate is None:
                unusable += 1
            else:
                known[taken.candidate.genome] = taken.candidate
                ground.take(taken.candidate)
                best = min(best, taken.candidate, key=lambda one: one.fitness)
            curve.append(best.fitness)
        if place % migrate == 0:
            champions = [ground.champion() for ground in grounds]
            for number, champion in enumerate(champions):
                grounds[(number + 1) % islands].take(champion)
    return Search(best, tuple(curve), unusable, sum(len(one.archive) for one in grounds))


def evolve(
    games: Sequence[str], *, judge: Judge, mutator: Mutator, start: Genome, seed: int, budget: int, **more: Any
) -> Search:
    """:func:`search` for callers without an event loop."""
    return asyncio.run(search(games, judge=judge, mutator=mutator, start=start, seed=seed, budget=budget, **more))


BLIND = math.inf
"""The temperature at which selection is no selection: what a search must beat."""
