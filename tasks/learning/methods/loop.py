"""The loop of the formulation for one world, run and method; what is finished is in the journal before it counts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from ....environments.worlds.level import Split
from ....suite.backends.base import Message
from ....suite.broker import Broker
from ....suite.errors import UsageError
from ....suite.model import Model, ModelStopped, TokenMeter
from ....suite.records import Limits, Sampling, Thinking
from ....suite.seeds import derive, generator
from .arena import Arena, episode_seed
from .candidate import Candidate, Component
from .cost import Cost, Measure, total
from .evaluation import Evaluation, Trajectory
from .journal import Journal
from .method import Method
from .optimiser import Case, Edit, Optimiser
from .plan import Plan
from .recording import cost_of, kept
from .selection import SELECTIONS, Rated

__all__ = ["LOOP", "Loop"]

LOOP = 2
"""Raise it with any change to the loop that changes a number."""


@dataclass
class _Member:
    """A candidate of a pool, and what is known of it."""

    candidate: Candidate
    training: Evaluation

    def rated(self, measure: Measure) -> Rated:
        episodes = len(self.training.trajectories)
        return Rated(self.candidate.id, self.training.score, self.training.cost.by(measure) / episodes)


@dataclass
class _Pool:
    """What one method knows in one world and run."""

    members: dict[str, _Member] = field(default_factory=dict)
    refused: list[dict[str, Any]] = field(default_factory=list)
    optimised: Cost = field(default_factory=Cost)
    done: int = 0
    stopped: str = ""

    @property
    def spent(self) -> Cost:
        """On learning: edits and training episodes, as if no other method had shared them."""
        return self.optimised + total(member.training.cost for member in self.members.values())


class Loop:
    """Select, optimise, evaluate; what the journal says already is not played or asked again.

    Args:
        plan: What.
        arenas: Where candidates play, by world.
        optimiser: Edits.
        ask: Carries the optimiser's calls; None for one that works offline.
        journal: Open.
        measure: What an episode's cost is compared in.
        concurrency: Episodes open at once.
    """

    def __init__(
        self,
        plan: Plan,
        arenas: Mapping[str, Arena],
        optimiser: Optimiser,
        ask: Broker | None,
        journal: Journal,
        measure: Measure,
        concurrency: int,
    ) -> None:
        self.plan, self.arenas, self.optimiser, self.broker = plan, arenas, optimiser, ask
        self.journal = journal
        self.measure: Measure = measure
        self.slots = asyncio.Semaphore(max(1, concurrency))
        self._shared: dict[tuple[Any, ...], asyncio.Task[Any]] = {}
        self._homes: dict[tuple[str, str], Split] = {}

    def _once(self, key: tuple[Any, ...], work: Callable[[], Any]) -> asyncio.Task[Any]:
        """Work that several methods need is done once; each waits for it."""
        task = self._shared.get(key)
        if task is None:
            task = self._shared[key] = asyncio.ensure_future(work())
        return task

    # Evaluate

    def levels(self, world: str, split: Split, run: int, iteration: int) -> Sequence[str]:
        """The levels of one evaluation. Those of training are fresh every iteration and run, the others the same.

        Raises:
            UsageError: A level was used in another split before.
        """
        plan, arena = self.plan, self.arenas[world]
        if split == "train":
            found = arena.levels(split, plan.train, derive("methods", "train", plan.seed, run, iteration))
        else:
            found = arena.levels(split, plan.validation if split == "validation" else plan.test, plan.levels_seed)
        for level in found:
            home = self._homes.setdefault((world, level), split)
            if home != split:
                raise UsageError(
                    f"The level {level} of {world} is both a {home} and a {split} level: mend its generator."
                )
        return found

    async def evaluate(
        self, world: str, candidate: Candidate, split: Split, run: int, iteration: int = 0
    ) -> Evaluation:
        """Let a candidate play."""
        each = 1 if split == "train" else self.plan.samples
        places: list[tuple[str, str, Split, str, int]] = [
            (world, candidate.id, split, level, run * each + repeat)
            for level in self.levels(world, split, run, iteration)
            for repeat in range(each)
        ]
        played = await asyncio.gather(
            *(self._once(place, lambda p=place: self._episode(candidate, *p)) for place in places)
        )
        return Evaluation(split, tuple(played))

    async def _episode(
        self, candidate: Candidate, world: str, id: str, split: Split, level: str, sample: int
    ) -> Trajectory:
        place = (world, id, split, level, sample)
        record = self.journal.find("episode", *place)
        if record is None:
            async with self.slots:
                played = await self.arenas[world].play(
                    candidate, level, sample, seed=episode_seed(self.plan.seed, world, level, sample)
                )
                # Policies answer without ever waiting: the others get their turn here.
                await asyncio.sleep(0)
            # Nobody reads the turns of validation and test: an optimiser must not, and people find the calls.
            trajectory = played.trajectory if split == "train" else replace(played.trajectory, moves=(), after="")
            record = self.journal.add("episode", *place, trajectory=trajectory.data(), calls=played.calls)
        return Trajectory.from_data(record["trajectory"])

    # Optimise

    async def edit(self, world: str, run: int, method: Method, iteration: int, member: _Member) -> tuple[Edit, Cost]:
        """Ask for an edit of a candidate. Methods that differ in selection only share it where they come to it."""
        parent = member.candidate
        # One candidate may be made in several iterations, and is known by other episodes then.
        place = (world, run, method.signal, method.component, iteration, parent.id, parent.iteration)
        return await self._once(place, lambda: self._edit(place, member.training, parent))

    async def _edit(self, place: tuple[Any, ...], training: Evaluation, parent: Candidate) -> tuple[Edit, Cost]:
        record = self.journal.find("edit", *place)
        if record is None:
            world, _, signal, component, iteration, *_ = place
            path = ("methods", "edit", self.plan.seed, *place)
            model = self._model(place, derive(*path))
            case = Case(
                world=world,
                told=self.arenas[world].told(),
                signal=signal,
                component=component,
                current=parent.value(component),
                evaluation=training,
                iteration=iteration,
                most_characters=self.plan.most_characters,
            )

            async def ask(messages: Sequence[Message]) -> Any:
                if model is None:
                    raise UsageError(f"The optimiser {self.optimiser.name} asks a model, but brings none.")
                return await model.generate(messages)

            try:
                edit = await self.optimiser.propose(case, ask, generator(*path))
            except ModelStopped as stopped:
                edit = Edit(None, f"the optimiser's model stopped: {stopped.reason}")
            edit = await self._taken(world, component, edit, training)
            calls = kept(model.drain()[0]) if model is not None else []
            record = self.journal.add("edit", *place, edit=asdict(edit), calls=calls)
        return Edit(**record["edit"]), cost_of(record["calls"])

    async def _taken(self, world: str, component: Component, edit: Edit, training: Evaluation) -> Edit:
        """The edit, without its text if that is code which cannot play."""
        if component != "agent" or not edit.text or len(edit.text) > self.plan.most_characters:
            return edit
        async with self.slots:
            why = await self.arenas[world].refusal(edit.text, training)
        if not why:
            return edit
        # What was refused stays in the journal, for people.
        analysis = f"{edit.analysis}\n\nRefused code:\n{edit.text}".lstrip()
        return Edit(None, f"the code was refused: {why}", analysis)

    def _model(self, place: tuple[Any, ...], seed: int) -> Model | None:
        if self.broker is None:
            return None
        return Model(
            self.broker,
            session="methods/optimiser/" + "/".join(map(str, place)),
            seed=seed,
            seat="optimiser",
            sampling=Sampling(temperature=self.plan.optimiser_temperature),
            thinking=Thinking(),
            max_tokens=self.plan.optimiser_tokens,
            meter=TokenMeter(Limits()),
        )

    # The loop

    async def pool(self, world: str, run: int, method: Method) -> _Pool:
        """``P = {c0}``, and for each iteration: select parents, edit each, evaluate the children, join them."""
        plan, pool = self.plan, _Pool()
        first = Candidate({"prompt": plan.start})
        pool.members[first.id] = _Member(first, await self.evaluate(world, first, "train", run))
        select = SELECTIONS[method.selection]
        for iteration in range(1, plan.iterations + 1):
            rated = [member.rated(self.measure) for member in pool.members.values()]
            for parent in select(rated, plan.parents):
                pool.stopped = plan.budget.used_up(pool.spent)
                if pool.stopped:
                    return pool
                await self._child(pool, world, run, method, iteration, pool.members[parent])
            pool.done = iteration
        return pool

    async def _child(self, pool: _Pool, world: str, run: int, method: Method, iteration: int, parent: _Member) -> None:
        edit, cost = await self.edit(world, run, method, iteration, parent)
        pool.optimised += cost
        why = ""
        if edit.text is None:
            why = edit.change
        elif len(edit.text) > self.plan.most_characters:
            why = f"the edit has {len(edit.text)} characters: at most {self.plan.most_characters}"
        else:
            child = parent.candidate.edited(method.component, edit.text, iteration=iteration, change=edit.change)
            if child.id in pool.members:
                why = f"the same as {child.id}, which is there already"
            else:
                pool.members[child.id] = _Member(child, await self.evaluate(world, child, "train", run, iteration))
        if why:
            pool.refused.append({"iteration": iteration, "parent": parent.candidate.id, "why": why})

    async def cell(self, world: str, run: int, method: Method) -> dict[str, Any]:
        """Learn, choose on validation, report on test."""
        pool = await self.pool(world, run, method)
        members = list(pool.members.values())
        found = await asyncio.gather(*(self.evaluate(world, m.candidate, "validation", run) for m in members))
        # Of equals the oldest: without a sign of gain nothing is changed.
        top = max(range(len(members)), key=lambda n: (found[n].score, -n))
        test = await self.evaluate(world, members[top].candidate, "test", run)
        return {
            "world": world,
            "run": run,
            "method": method.name,
            "candidates": [
                {
                    **member.candidate.data(),
                    "train": _summary(member.training),
                    "cost": member.rated(self.measure).cost,
                    "validation": _summary(validation),
                }
                for member, validation in zip(members, found, strict=True)
            ],
            "refused": pool.refused,
            "iterations": pool.done,
            "stopped": pool.stopped,
            "chosen": members[top].candidate.id,
            "validation": _summary(found[top]),
            "test": _summary(test),
            "costs": {
                "optimise": pool.optimised.data(),
                "train": total(member.training.cost for member in members).data(),
                "validation": total(evaluation.cost for evaluation in found).data(),
                "test": test.cost.data(),
            },
        }

    async def start(self, world: str, run: int) -> dict[str, Any]:
        """What learning starts from, on the same levels and luck."""
        first = Candidate({"prompt": self.plan.start})
        validation = await self.evaluate(world, first, "validation", run)
        test = await self.evaluate(world, first, "test", run)
        return {
            "world": world,
            "run": run,
            "id": first.id,
            "validation": _summary(validation),
            "test": _summary(test),
        }

    def all_costs(self) -> Cost:
        """What all of it cost together, shared work counted once."""
        spent: list[Cost] = []
        for key in sorted(self._shared, key=repr):
            done = self._shared[key].result()
            spent.append(done.cost if isinstance(done, Trajectory) else done[1])
        return total(spent)


def _summary(evaluation: Evaluation) -> dict[str, Any]:
    return {"score": evaluation.score, "levels": evaluation.by_level, "failures": evaluation.failures}
