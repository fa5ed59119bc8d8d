"""The task of factor effects: one core played in variants that differ along one axis. ``worlds/factors``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import ClassVar

from ...environments.worlds.level import Level as WorldLevel
from ...suite.backends.scripted import Policy
from ...suite.records import Level, Metric, Outcome
from ...suite.task import Arm, Episode, EpisodeResult, Estimate, Item, Task, Tier
from .names import BASE, CHANGES, FACTOR_TASK, core_of
from .play import play
from .players import Rehearsed
from .prompt import PROMPTS
from .task import CLUSTERS, estimate
from .variants import Ends, Variants, cores, variants

__all__ = ["WorldFactors"]

_SIZES = {"smoke": (1, 24), "lite": (5, 256), "full": (10, 1024)}
_VERSION = 1
_TURNS = max(own.horizon for own in variants().values())


class WorldFactors(Task):
    """What it costs an agent that less is seen, that only winning pays, that words mislead or say nothing.

    Each core is played on the same levels, with the same luck, horizon and dynamics, in arms that change one thing of
    the ``base``, where all is seen, the words are right and all that is earned counts: ``partial`` observation,
    ``binary`` reward, ``inverse`` words, ``abstract`` words. An effect is the difference of an arm to the base, paired
    by level; the population of a claim is the cores (``finchmark results`` and the report show effects for each core
    and over all of them).

    **Score**: (reward - random) / (optimum - random), means over the core's ten test levels. The optimum is that with
    full information in every arm: neither it nor chance depends on what is seen or which words are used, so that arms
    of one reward share their scale. Of ``binary`` the scale is its own, and a difference compares shares of the way
    from chance to the optimum: two rewards have no other common unit.

    It shows effects on these cores with these parts; a core where an arm does not exist has no score there, and is no
    part of that effect. It cannot show interactions: one thing is changed at a time.
    """

    name: ClassVar[str] = FACTOR_TASK
    version: ClassVar[int] = _VERSION + PROMPTS - 1
    summary: ClassVar[str] = "What partial views, binary rewards, misleading and empty words cost, in pairs of worlds."
    tiers: ClassVar[Mapping[str, Tier]] = MappingProxyType(
        {
            name: Tier(
                name,
                levels * len(cores()),
                max(v.horizon for v in variants().values()),
                tokens,
                f"{levels} levels a core",
            )
            for name, (levels, tokens) in _SIZES.items()
        }
    )
    arms: ClassVar[tuple[Arm, ...]] = (
        Arm(BASE, "all is seen, the words are right, all that is earned counts"),
        *(Arm(name, change.words) for name, change in CHANGES.items()),
    )
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric(
            name="score",
            summary="(reward - random) / (optimum - random); reference: the optimum with full information, in all arms",
            low=None,
            high=None,
            chance=0.0,
            ceiling=1.0,
            failure=0.0,
            clusters=("sample", "item", "core"),
            primary=True,
        ),
        Metric(name="reward", summary="what an episode earns", low=None, high=None, clusters=CLUSTERS),
        Metric(name="steps", summary="steps until the episode ended", direction="none", high=None, unit="steps"),
        Metric(
            name="unusable_rate",
            summary="share of actions that the world could not use",
            direction="lower",
            chance=0.0,
            ceiling=0.0,
        ),
    )
    references: ClassVar[tuple[str, ...]] = ("random", "greedy", "lookahead", "oracle")

    def items(self, tier: Tier, seed: int) -> Sequence[Item]:
        """The first test levels of every core."""
        found = variants()
        count = max(1, tier.items // len(found))
        made = []
        for core in sorted(found):
            own = found[core]
            base = own.world(BASE)
            assert base is not None
            for index, level in enumerate(base.levels("test", count, seed)):
                # The parts and the ends of the scales decide the scores, so they are part of what defines the item.
                data = {
                    "level": level.data(),
                    "horizon": own.horizon,
                    "parts": {arm: list(parts) for arm, parts in own.parts.items()},
                    "ends": {reward: list(ends) for reward, ends in own.ends.items()},
                }
                made.append(Item(f"{core}-{index:03d}", data))
        return made

    def levels(self, items: Sequence[Item], arm: Arm, tier: Tier, samples: int) -> dict[str, Level]:
        """Chance and full-information optimum on these very levels, over the cores that have the arm."""
        known: list[Ends] = []
        for item in items:
            own = variants()[core_of(item.id)]
            if arm.name not in own.parts:
                continue
            reward = own.parts[arm.name][0]
            level = own.levels[reward].get(item.data["level"]["hash"])
            if level is None:
                return {"score": Level(chance=0.0, ceiling=1.0)}
            ends = own.ends[reward]
            known.append(Ends(_normalise(ends, level.random), _normalise(ends, level.optimum)))
        if not known:
            return {}
        chance, ceiling = (sum(ends) / len(known) for ends in zip(*known, strict=True))
        return {"score": Level(chance=chance, ceiling=ceiling, exact=True)}

    async def episode(self, ctx: Episode) -> EpisodeResult:
        """Act in the arm's variant; where the core has none, nothing is asked and nothing scored."""
        own = variants()[core_of(ctx.item.id)]
        world = own.world(ctx.arm.name)
        if world is None:
            return EpisodeResult(dict.fromkeys(metric.name for metric in self.metrics), reason="no_such_variant")
        played = await play(ctx, world, WorldLevel.from_data(ctx.item.data["level"]))
        moment, ends = played.moment, own.ends[world.reward.name]
        reward = moment.total
        if played.outcome is not Outcome.OK:
            # As one that did nothing, or as chance if that is less; a loss stays one.
            reward = min(0.0, ends.random, moment.total)
        return EpisodeResult(
            {
                "score": _normalise(ends, reward),
                "reward": reward,
                "steps": float(moment.time),
                "unusable_rate": played.unusable / moment.time if moment.time else None,
            },
            played.outcome,
            played.reason,
        )

    def reference(self, name: str, item: Item, arm: Arm) -> Policy:
        """``random``, ``greedy``, ``lookahead`` or ``oracle``; see :func:`.players.references`. They know the state."""
        own = variants()[core_of(item.id)]
        return Rehearsed(_any(own, arm), WorldLevel.from_data(item.data["level"]), name)

    def estimate(self, item: Item, arm: Arm, tier: Tier) -> Estimate:
        """Bound what a sample asks of a backend."""
        own = variants()[core_of(item.id)]
        if arm.name not in own.parts:
            return Estimate(0, 0, 0)
        return estimate(_any(own, arm), WorldLevel.from_data(item.data["level"]), tier)


def _any(own: Variants, arm: Arm):
    world = own.world(arm.name) or own.world(BASE)
    assert world is not None
    return world


def _normalise(ends: Ends, reward: float) -> float:
    return (reward - ends.random) / (ends.optimum - ends.random)
