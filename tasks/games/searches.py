"""Searches as an experiment: several seeds, with selection and blind, in a folder that can be gone on with."""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from ...environments.openspiel.games import find_game
from ...suite.errors import StoreError, UsageError
from ...suite.journal import JournalFile, read_journal
from ...suite.records import storable
from .candidate import Candidate, Genome, Judge, ProgramJudge, Proposal, judge_rule
from .evolve import Attempt, Mutator, search
from .expression_edits import ExpressionEdits
from .program_edits import ProgramEdits
from .programs import PROGRAMS, Kind
from .regret import RULES
from .written import ModelEdits

if TYPE_CHECKING:
    from ...suite.backends.base import Backend

__all__ = ["ARMS", "JOURNAL", "KINDS_OF_SEARCH", "SearchPlan", "Searches", "read_searches", "run_searches"]

JOURNAL = "journal.jsonl"
_FORM = "finchmark-games/1"
_LOOP = 1  # raised when the same settings and seed would no longer give the same search

KindOfSearch = Literal["rule", "regret", "meta"]
KINDS_OF_SEARCH: tuple[KindOfSearch, ...] = ("rule", "regret", "meta")

ARMS = ("select", "blind")
"""Selection by fitness; and all niches alike, which is what selection must beat."""


@dataclass(frozen=True)
class SearchPlan:
    """What is searched for, and how.

    Args:
        kind: ``rule``: three formulas (:class:`.regret.Rule`); ``regret`` and ``meta``: programs
            (:class:`.programs.Program`).
        games: What candidates are run on.
        held_out: What the best of each search, and the known algorithms, are run on afterwards.
        seeds: How many searches an arm; search k of an arm and of another are a pair.
        budget: Evaluations of a search.
        blind: Whether the blind arm runs beside.
        islands: See :func:`.evolve.search`.
        temperature: Likewise, of the arm that selects.
        migrate: Likewise.
        start: Name of the known algorithm that searches start from; empty: the plainest.

    Raises:
        UsageError: A number is out of its range, a search would see a held-out game, or there is no such kind, game or
            algorithm.
    """

    kind: KindOfSearch = "regret"
    games: tuple[str, ...] = ("kuhn",)
    held_out: tuple[str, ...] = ("goofspiel3", "goofspiel4up", "darkhex2")
    seeds: int = 12
    budget: int = 60
    blind: bool = False
    islands: int = 3
    temperature: float = 0.1
    migrate: int = 10
    start: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS_OF_SEARCH:
            raise UsageError(f"There is no kind {self.kind!r}; there are {', '.join(KINDS_OF_SEARCH)}.")
        if not self.games or not self.held_out:
            raise UsageError("A search needs a game, and a held-out game to say what it is worth.")
        for name in self.games:
            if find_game(name).held_out:
                raise UsageError(f"{name} is held out from searches. A search may see kuhn, leduc, goofspiel4, liars3.")
        for name in self.held_out:
            find_game(name)
        if both := sorted({*self.games} & {*self.held_out}):
            raise UsageError(f"{both[0]} cannot be searched on and held out.")
        for name in ("seeds", "budget", "islands", "migrate"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} is {getattr(self, name)}: at least 1.")
        if not self.temperature > 0:
            raise UsageError(f"temperature is {self.temperature}: above 0.")
        if self.start and self.start not in self.known():
            raise UsageError(f"There is no algorithm {self.start!r}; there are {', '.join(self.known())}.")

    @property
    def arms(self) -> tuple[str, ...]:
        """The arms."""
        return ARMS if self.blind else ARMS[:1]

    def known(self) -> Mapping[str, Genome]:
        """The known algorithms of the kind, by name; the first is the plainest."""
        return RULES if self.kind == "rule" else PROGRAMS[cast("Kind", self.kind)]

    def starts_from(self) -> Genome:
        """What every search starts from."""
        known = self.known()
        return known[self.start or next(iter(known))]


@dataclass(frozen=True)
class Searches:
    """What a folder holds, whether it is complete or not.

    Attributes:
        plan: The plan.
        mutator: What tells the mutator, as plain data.
        attempts: By arm and seed, in order of their numbers.
        held_out: The best of each finished search on the held-out games, by arm and seed.
        known: The known algorithms by name: on the games of the search, and on the held-out ones.
    """

    plan: SearchPlan
    mutator: Mapping[str, Any]
    attempts: Mapping[tuple[str, int], Sequence[Attempt]] = field(default_factory=dict)
    held_out: Mapping[tuple[str, int], Candidate] = field(default_factory=dict)
    known: Mapping[str, tuple[Candidate, Candidate]] = field(default_factory=dict)

    def curve(self, arm: str, seed: int) -> list[float]:
        """Best fitness after each evaluation so far."""
        best, found = math.inf, []
        for attempt in self.attempts.get((arm, seed), ()):
            best = min(best, math.inf if attempt.candidate is None else attempt.candidate.fitness)
            found.append(best)
        return found

    def best(self, arm: str, seed: int) -> Candidate | None:
        """The best candidate so far; of equals the first."""
        found = [a.candidate for a in self.attempts.get((arm, seed), ()) if a.candidate is not None]
        return min(found, key=lambda one: one.fitness, default=None)


class _Records:
    """The journal, by kind and place."""

    def __init__(self, file: JournalFile) -> None:
        self.file = file
        self.found = {(record["kind"], *record["place"]): record for record in file.records}

    def add(self, kind: str, place: Sequence[str | int], **fields: Any) -> dict[str, Any]:
        record = self.file.write({"kind": kind, "place": list(place), **fields})
        self.found[kind, *place] = record
        return record


class _SearchLog:
    """The journal of one search."""

    def __init__(self, records: _Records, arm: str, seed: int, watch: Callable[[str, int, Attempt], None]) -> None:
        self.records, self.arm, self.seed, self.watch = records, arm, seed, watch

    def find(self, number: int) -> Attempt | None:
        record = self.records.found.get(("attempt", self.arm, self.seed, number))
        return None if record is None else _attempt(record)

    def add(self, attempt: Attempt) -> Attempt:
        proposal = attempt.proposal
        record = self.records.add(
            "attempt",
            (self.arm, self.seed, attempt.number),
            candidate=None if attempt.candidate is None else attempt.candidate.data(),
            fault=storable(proposal.fault),
            reply=storable(proposal.reply),
            prompt_tokens=proposal.prompt_tokens,
            completion_tokens=proposal.completion_tokens,
            cost=proposal.cost,
        )
        done = _attempt(record)
        self.watch(self.arm, self.seed, done)
        return done


def _attempt(record: Mapping[str, Any]) -> Attempt:
    candidate = None if record["candidate"] is None else Candidate.from_data(record["candidate"])
    proposal = Proposal(
        None if candidate is None else candidate.genome,
        record["fault"],
        record["reply"],
        record["prompt_tokens"],
        record["completion_tokens"],
        record["cost"],
    )
    return Attempt(record["place"][2], candidate, proposal)


async def run_searches(
    plan: SearchPlan,
    out: Path,
    *,
    backend: Backend | None = None,
    temperature: float = 0.8,
    max_tokens: int = 1_500,
    sandbox: Literal["auto", "bubblewrap", "process"] = "auto",
    watch: Callable[[str, int, Attempt], None] = lambda arm, seed, attempt: None,
) -> Searches:
    """Run searches. The same plan and folder again goes on where it was stopped, or killed.

    Args:
        plan: What.
        out: The folder; ``journal.jsonl`` holds every attempt with what was proposed and what it came to.
        backend: The mutator; it is started and closed here. None: edits without a model.
        temperature: Of its replies.
        max_tokens: Cap on one.
        sandbox: Where programs run; ``process`` is no boundary.
        watch: Gets arm, seed and attempt, of each that is new.

    Returns:
        All searches, as :func:`read_searches` reads them.

    Raises:
        SpecMismatch: The folder holds searches of other settings.
        RunLocked: Another process works on it.
        SandboxUnavailable: Programs cannot be run here.
        BackendError: The model failed: what was finished is kept, and the same command goes on.
    """
    from contextlib import AsyncExitStack

    from ...suite.broker import Broker
    from ...suite.sandbox import open_sandbox

    async with AsyncExitStack() as stack:
        if backend is not None:
            await asyncio.to_thread(backend.locate)
            mutator: Mutator = ModelEdits(Broker(backend), temperature=temperature, max_tokens=max_tokens)
        else:
            mutator = ExpressionEdits() if plan.kind == "rule" else ProgramEdits()
        judge: Judge = judge_rule
        if plan.kind != "rule":
            box = await stack.enter_async_context(open_sandbox(sandbox, workers=os.cpu_count() or 1))
            judge = ProgramJudge(box)
        settings = {"loop": _LOOP, **asdict(plan), "mutator": mutator.identity()}
        file = JournalFile(out / JOURNAL, settings, form=_FORM, what="searches")
        stack.callback(file.close)
        records = _Records(file)
        if backend is not None:
            stack.push_async_callback(backend.aclose)
            await backend.start()
        await _known(plan, judge, records)
        places = [(arm, seed) for seed in range(1, plan.seeds + 1) for arm in plan.arms]
        results = await asyncio.gather(
            *(_search(plan, arm, seed, judge, mutator, records, watch) for arm, seed in places), return_exceptions=True
        )
        for result in results:
            if isinstance(result, BaseException):
                raise result
    return read_searches(out)


async def _known(plan: SearchPlan, judge: Judge, records: _Records) -> None:
    for name, genome in plan.known().items():
        if ("known", name) not in records.found:
            pair = [await judge(genome, games) for games in (plan.games, plan.held_out)]
            records.add("known", (name,), seen=pair[0].data(), held_out=pair[1].data())


async def _search(
    plan: SearchPlan,
    arm: str,
    seed: int,
    judge: Judge,
    mutator: Mutator,
    records: _Records,
    watch: Callable[[str, int, Attempt], None],
) -> None:
    found = await search(
        plan.games,
        judge=judge,
        mutator=mutator,
        start=plan.starts_from(),
        seed=seed,
        budget=plan.budget,
        islands=plan.islands,
        temperature=math.inf if arm == "blind" else plan.temperature,
        migrate=plan.migrate,
        log=_SearchLog(records, arm, seed, watch),
    )
    if ("held_out", arm, seed) not in records.found:
        records.add("held_out", (arm, seed), candidate=(await judge(found.best.genome, plan.held_out)).data())


def read_searches(out: Path) -> Searches:
    """Read a folder, finished or not.

    Raises:
        StoreError: It holds no searches, or is damaged.
    """
    settings, records = read_journal(out / JOURNAL, _FORM)
    if not settings:
        raise StoreError(f"{out} holds no searches yet.")
    chosen = {one.name: settings[one.name] for one in fields(SearchPlan)}
    given: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in chosen.items()}
    plan = SearchPlan(**given)
    attempts: dict[tuple[str, int], dict[int, Attempt]] = {}
    held_out, known = {}, {}
    for record in records:
        place = record["place"]
        if record["kind"] == "attempt":
            attempts.setdefault((place[0], place[1]), {})[place[2]] = _attempt(record)
        elif record["kind"] == "held_out":
            held_out[place[0], place[1]] = Candidate.from_data(record["candidate"])
        elif record["kind"] == "known":
            known[place[0]] = (Candidate.from_data(record["seen"]), Candidate.from_data(record["held_out"]))
    ordered = {place: [found[n] for n in sorted(found)] for place, found in attempts.items()}
    return Searches(plan, settings["mutator"], ordered, held_out, known)
