"""Generated worlds, played by agents: ``worlds/NAME``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import ClassVar

from ...environments.worlds.level import Level as WorldLevel
from ...environments.worlds.lookup import find_line, find_world
from ...environments.worlds.scale import Scale, find_scale
from ...environments.worlds.world import World
from ...suite.backends.scripted import Policy
from ...suite.errors import UnknownName
from ...suite.records import Level, Metric, Outcome
from ...suite.task import Arm, Episode, EpisodeResult, Estimate, Item, Task, Tier
from .lookup import registered
from .names import FACTOR_TASK, FAMILY
from .numbers import Known, known_levels, normalise, normalised_failure, raw_failure
from .play import Played, play
from .players import Rehearsed, references
from .prompt import PROMPTS, instructions

__all__ = ["CLUSTERS", "WorldTask", "declared", "estimate", "make_task"]

CLUSTERS = ("sample", "item", "world", "core")

_SIZES = {"smoke": (1, 24), "lite": (5, 256), "full": (10, 1024)}


class WorldTask(Task):
    """Base of what :func:`make_task` makes: an agent acts in a generated world until its end or its horizon.

    The agent is told where it is, what pays and which actions there are; how the world works is to be found out. Each
    turn it sees the step, what the last action earned and what the world shows; an agent with a history has all that it
    saw and earned before it. One action a turn, in tags; what cannot be read as one costs its step and is counted. A
    sample is ``invalid`` only if no action was ever usable or 20 in a row were not.

    **Items** are the world's first test levels; the tier ``full`` has the ten that its scale was made on. Another
    ``--items-seed`` draws others of the same distribution: chance and ceiling are then the world's, not those of the
    levels. No test level is in the train or validation split of any world, by hash.

    **Luck**: sample k of a level meets the same chance events in every run, arm and model, and in all variants of the
    world, as far as they act alike. Runs are compared with equal luck; more samples are more luck, not more levels.

    **Score**: (reward - random) / (reference - random) by the world's constants: 0 is the random player's mean and 1
    the reference's, over the ten test levels; a single episode may lie on either side of both. A failed sample counts
    as one that did nothing, or as chance if that is less.

    A claim beyond these levels is about the world, beyond it about the core: worlds of one core are no independent
    evidence of each other.
    """

    world_name: ClassVar[str]

    @property
    def world(self) -> World:
        """The world."""
        return find_world(self.world_name)

    @property
    def scale(self) -> Scale:
        """What it is scored against."""
        return find_scale(self.world_name)

    def items(self, tier: Tier, seed: int) -> Sequence[Item]:
        """The first test levels of the world."""
        scale, known = self.scale, {} if seed else known_levels(self.world_name)
        return [
            self._item(index, level, scale, known.get(level.hash))
            for index, level in enumerate(self.world.levels("test", tier.items, seed))
        ]

    def training_items(self, tier: Tier, seed: int) -> Sequence[Item]:
        """Levels of the world's train split."""
        levels = self.world.levels("train", tier.items, seed)
        return [self._item(index, level, self.scale, None) for index, level in enumerate(levels)]

    def _item(self, index: int, level: WorldLevel, scale: Scale, known: Known | None) -> Item:
        # The two ends of the scale decide the score, so they are part of what defines the item.
        data = {
            "world": self.world_name,
            "level": level.data(),
            "scale": {"random": scale.random, "reference": scale.reference},
        }
        return Item(f"level-{index:03d}", data, levels={} if known is None else self._levels(scale, known))

    def _levels(self, scale: Scale, known: Known) -> dict[str, Level]:
        """Chance and ceiling of one level, on the world's scale."""
        optimum = scale.reference_name == "optimum"
        best = known.maximum
        if not optimum and scale.hindsight > scale.random:
            # What an agent with less than full information can reach is known over the levels together only: each level
            # gets the same share of what is between its chance and its hindsight, and their mean is the reference.
            share = (scale.reference - scale.random) / (scale.hindsight - scale.random)
            best = known.random + share * (known.maximum - known.random)
        exact = known.exact and optimum
        levels = {"reward": Level(chance=known.random, ceiling=best, exact=exact)}
        if scale.averaged:
            score = Level(chance=normalise(scale, known.random), ceiling=normalise(scale, best), exact=exact)
            levels["score"] = score
        else:
            # Without a ceiling no share of the way to it is taken, and so no average over tasks.
            levels["reward"] = Level(chance=known.random, exact=exact)
        if self.world.reward.kind == "binary":
            levels["success"] = levels["reward"]
        return levels

    async def episode(self, ctx: Episode) -> EpisodeResult:
        """Act until the world or the horizon ends the episode."""
        played = await play(ctx, self.world, WorldLevel.from_data(ctx.item.data["level"]))
        return EpisodeResult(self.metrics_of(played), played.outcome, played.reason)

    def metrics_of(self, played: Played) -> dict[str, float | None]:
        """The numbers of an episode."""
        scale, moment = self.scale, played.moment
        failed = played.outcome is not Outcome.OK
        # Whoever lost before it failed keeps the loss: giving up must not pay.
        reward = min(raw_failure(scale), moment.total) if failed else moment.total
        found: dict[str, float | None] = {
            "reward": reward,
            "steps": float(moment.time),
            "unusable_rate": played.unusable / moment.time if moment.time else None,
        }
        if scale.averaged:
            found["score"] = normalise(scale, reward)
        if self.world.reward.kind == "binary":
            found["success"] = float(reward > 0.5)
        return found

    def reference(self, name: str, item: Item, arm: Arm) -> Policy:
        """``random``; ``greedy`` and ``lookahead``; ``player`` where the core has one; ``oracle``.

        See :func:`.players.references`.
        """
        return Rehearsed(self.world, WorldLevel.from_data(item.data["level"]), name)

    def estimate(self, item: Item, arm: Arm, tier: Tier) -> Estimate:
        """Bound what a sample asks of a backend."""
        return estimate(self.world, WorldLevel.from_data(item.data["level"]), tier)


def estimate(world: World, level: WorldLevel, tier: Tier) -> Estimate:
    """Bound an episode by a full history of full replies; a token is taken for three characters of what is shown."""
    from ...environments.worlds.world import episode_key

    calls = world.horizon
    first = world.show(world.begin(world.load(level), episode_key(level)))
    opening = len(instructions(world)) // 3 + 120
    turn = len(first) // 3 + 30 + tier.max_tokens
    return Estimate(calls, calls * opening + turn * calls * (calls + 1) // 2, calls * tier.max_tokens)


def declared(world: World, scale: Scale) -> tuple[Metric, ...]:
    """The metrics of a world: what decides is the score, or the reward where there is little between its ends."""
    told = "" if scale.exact else ", not tight"
    hindsight = "" if scale.reference_name == "optimum" else f"; full information would reach {scale.hindsight:.4g}"
    named = f"{scale.reference_name} {scale.reference:.4g}{told}{hindsight}"
    found = []
    if scale.averaged:
        found.append(
            Metric(
                name="score",
                summary=f"(reward - random) / (reference - random); random {scale.random:.4g}, reference: {named}",
                low=None,
                high=None,
                chance=0.0,
                ceiling=1.0,
                failure=normalised_failure(scale),
                clusters=CLUSTERS,
                primary=True,
            )
        )
    raw = "" if scale.averaged else f", shown raw for lack of headroom; reference: {named}"
    found.append(
        Metric(
            name="reward",
            summary=f"what an episode earns{raw}",
            low=None,
            high=None,
            chance=scale.random,
            ceiling=scale.reference if scale.averaged else None,
            failure=raw_failure(scale),
            clusters=CLUSTERS,
            primary=not scale.averaged,
        )
    )
    if world.reward.kind == "binary":
        found.append(
            Metric(
                name="success",
                summary="share of episodes that are won",
                kind="binary",
                chance=scale.random,
                ceiling=scale.reference,
                failure=0.0,
                clusters=CLUSTERS,
            )
        )
    found += [
        Metric(
            name="steps",
            summary="steps until the episode ended",
            direction="none",
            high=float(world.horizon),
            clusters=CLUSTERS,
            unit="steps",
        ),
        Metric(
            name="unusable_rate",
            summary="share of actions that the world could not use",
            direction="lower",
            chance=0.0,
            ceiling=0.0,
            clusters=CLUSTERS,
        ),
    ]
    return tuple(found)


def make_task(name: str) -> type[Task]:
    """Make the class of a world's task.

    Args:
        name: ``worlds/NAME``, or ``worlds/factors``.

    Raises:
        UnknownName: There is no such world, or it has not passed its audit.
    """
    if name == FACTOR_TASK:
        from .factors import WorldFactors

        return WorldFactors
    own = name.partition("/")[2]
    if own not in registered():
        raise UnknownName("task", name, [*(f"{FAMILY}/{world}" for world in registered()), FACTOR_TASK])
    world, scale, line = find_world(own), find_scale(own), find_line(own)
    factors = ", ".join(world.factors.values())
    tiers: Mapping[str, Tier] = {
        tier: Tier(tier, items, world.horizon, tokens, f"{items} of the {scale.levels} levels of its scale")
        for tier, (items, tokens) in _SIZES.items()
    }
    return type(
        "World_" + re.sub(r"\W", "_", own),
        (WorldTask,),
        {
            "__doc__": f"{line.summary} {world.core.summary} ({factors}; {world.horizon} steps)\n\n"
            + (WorldTask.__doc__ or "").partition("\n\n")[2],
            "__module__": __name__,
            "name": name,
            # Both only ever rise, so that each change makes a version that was not there before.
            "version": world.version + PROMPTS - 1,
            "summary": line.summary,
            "world_name": own,
            "tiers": MappingProxyType(tiers),
            "metrics": declared(world, scale),
            "references": references(world),
        },
    )
