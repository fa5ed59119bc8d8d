"""What all Odyssey worlds share as tasks: the arms, the episode, the metrics."""

from __future__ import annotations

import abc
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import gymnasium

from ...suite.agents.base import Observation
from ...suite.model import ModelStopped
from ...suite.records import Metric, Outcome
from ...suite.task import Arm, Episode, EpisodeResult, Item, Task, Tier
from .actions import ACTION_STOP, find_action
from .checkout import read_configs

__all__ = ["ARMS", "UNUSABLE_IN_A_ROW", "OdysseyTask"]

UNUSABLE_IN_A_ROW = 20
_NO_TAG = "Your reply had no <action>…</action> in it. Nothing changed, but the turn counts."

ARMS = (
    Arm("inductive", "the rules are hidden and must be found by acting", {"rules": False}),
    Arm("with-rules", "the rules are given in full", {"rules": True}),
)


@dataclass
class _Tally:
    """Counts what the turns of one episode were."""

    turns: int = 0
    usable: int = 0
    loops: int = 0
    streak: int = 0

    @property
    def hopeless(self) -> bool:
        return self.streak >= UNUSABLE_IN_A_ROW

    def rates(self) -> dict[str, float | None]:
        return {
            "unusable_rate": (self.turns - self.usable) / self.turns if self.turns else None,
            "loop_ratio": self.loops / self.usable if self.usable else None,
        }


class OdysseyTask(Task):
    """Base of the Odyssey tasks: an agent acts in a text world until its goal, its end, or the tier's cap on turns.

    A subclass names its world and says how an item becomes an environment, what the agent is told, and which numbers
    the world adds. The environment takes the action's text and answers with text; it states in ``info`` whether the
    action was ``usable``, and the true ``state``.
    """

    arms: ClassVar[tuple[Arm, ...]] = ARMS
    references: ClassVar[tuple[str, ...]] = ("random", "heuristic", "oracle")
    shared_metrics: ClassVar[tuple[Metric, ...]] = (
        Metric(
            name="unusable_rate",
            summary="share of turns whose action the world could not use",
            direction="lower",
            chance=0.0,
            ceiling=0.0,
        ),
        Metric(
            name="loop_ratio",
            summary="share of usable actions that repeat an action in a state where it was taken before",
            direction="lower",
        ),
    )

    reference_files: ClassVar[str] = ""

    def read_items(self, path: Path, tier: Tier) -> Sequence[Item]:
        """The items of OdysseyArena's own release, from a user's checkout, under our rules and prompts."""
        configs = read_configs(path, self.reference_files)
        return [self.foreign_item(f"data-{index:03d}", config, tier) for index, config in enumerate(configs)]

    def foreign_item(self, name: str, config: dict[str, Any], tier: Tier) -> Item:
        """Make an item of a configuration that is not ours: solvable or not, with no level known."""
        return Item(name, {"config": config, "max_turns": tier.max_turns})

    @abc.abstractmethod
    def make_env(self, item: Item, tier: Tier) -> gymnasium.Env[str, str]:
        """Make the item's world."""

    @abc.abstractmethod
    def instructions(self, item: Item, arm: Arm, tier: Tier) -> str:
        """What the agent is told once: goal, what it sees, how to act, and the rules in the arm that gives them."""

    def practice(self, item: Item) -> tuple[tuple[str, str], ...]:
        """Questions and answers that show the format of an action and nothing of the world. Default: none."""
        return ()

    @abc.abstractmethod
    def state_key(self, info: Mapping[str, Any]) -> Hashable:
        """The part of the true state that a loop returns to."""

    @abc.abstractmethod
    def score(self, *, solved: bool, turns: int, info: Mapping[str, Any], item: Item) -> dict[str, float | None]:
        """The world's own metrics.

        Args:
            solved: Whether the world said so.
            turns: Turns used.
            info: The last ``info`` of the world.
            item: The item.
        """

    async def episode(self, ctx: Episode) -> EpisodeResult:
        """Act until the goal, the end or the cap.

        A sample is ``invalid`` only if no action was ever usable or 20 in a row were not; single unusable actions
        cost their turn and are counted.
        """
        env = self.make_env(ctx.item, ctx.tier)
        instructions = self.instructions(ctx.item, ctx.arm, ctx.tier)
        practice = self.practice(ctx.item)
        text, info = env.reset(seed=0)
        tally, seen = _Tally(), set[tuple[Hashable, str]]()
        solved = False
        stopped: ModelStopped | None = None
        for turn in range(ctx.tier.max_turns):
            shown = f"Turn {turn + 1} of {ctx.tier.max_turns}.\n{text}"
            try:
                reply = await ctx.act(Observation(shown, instructions, practice, stop=(ACTION_STOP,)))
            except ModelStopped as stop:
                stopped = stop
                break
            action, tagged = find_action(reply.text)
            before = self.state_key(info)
            text, reward, terminated, truncated, info = env.step(action)
            usable = bool(info["usable"])
            if not usable and not tagged:
                # What the world says of the whole reply would only lead a small model to repeat it.
                text = text.replace(info["feedback"], _NO_TAG, 1) if info["feedback"] else f"{_NO_TAG}\n{text}"
            tally.turns += 1
            tally.streak = 0 if usable else tally.streak + 1
            if usable:
                tally.usable += 1
                tally.loops += (before, action) in seen
                seen.add((before, action))
            solved = terminated and float(reward) >= 1.0
            ended = terminated or truncated or tally.hopeless or turn + 1 == ctx.tier.max_turns
            ctx.judge(action, usable=usable, after=text if ended else "")
            if ended:
                break
        env.close()
        declared = {metric.name for metric in self.metrics}
        rates = {name: rate for name, rate in tally.rates().items() if name in declared}
        metrics = {**self.score(solved=solved, turns=tally.turns, info=info, item=ctx.item), **rates}
        if stopped is not None:
            return EpisodeResult({**metrics, **self._failed()}, stopped.outcome, stopped.reason)
        if tally.hopeless or tally.usable == 0:
            reason = "unusable_in_a_row" if tally.hopeless else "never_usable"
            return EpisodeResult({**metrics, **self._failed()}, Outcome.INVALID, reason)
        return EpisodeResult(metrics)

    def _failed(self) -> dict[str, float | None]:
        """What a failure is scored as, for the metrics that say so; the others keep what was measured."""
        return {metric.name: metric.failure for metric in self.metrics if metric.failure is not None}
