"""What all Odyssey worlds share as tasks: the arms, the episode, the metrics."""

from __future__ import annotations

import abc
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

import gymnasium

from ...suite.agents.base import Observation
from ...suite.agents.percept import Percept
from ...suite.model import ModelStopped
from ...suite.records import Metric, Outcome
from ...suite.task import Arm, Episode, EpisodeResult, Estimate, Item, Task, Tier
from ..actions import ACTION_STOP, NO_TAG, UNUSABLE_IN_A_ROW, find_action
from .checkout import read_configs
from .prediction import CONTROL, PREDICTION_METRICS, Majority, Question, Step, examine

if TYPE_CHECKING:
    import numpy as np

__all__ = ["ARMS", "OdysseyTask"]

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

    A world that declares :data:`.PREDICTION_METRICS` also says what :meth:`questions` to ask after the episode. They
    cost no turn, and nothing that happens there changes what the episode is worth.
    """

    arms: ClassVar[tuple[Arm, ...]] = ARMS
    seats: ClassVar[tuple[str, ...]] = ("player", CONTROL)
    question_counts: ClassVar[Mapping[str, int]] = MappingProxyType(
        {"smoke": 4, "gate": 8, "lite": 16, "challenge": 16}
    )
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

    def reader(self, instructions: str) -> Callable[[str], Percept] | None:
        """How an observation is read for learners without language; made once an episode. Default: it is not.

        The reader gets what the agent gets and nothing else, so no percept can say more than the texts.

        Args:
            instructions: What the agent was told once.

        Returns:
            Takes the text of an observation, without the turn's number.
        """
        return None

    @abc.abstractmethod
    def state_key(self, info: Mapping[str, Any]) -> Hashable:
        """The part of the true state that a loop returns to."""

    def questions(self, item: Item, rng: np.random.Generator, steps: Sequence[Step], count: int) -> list[Question]:
        """Questions on what actions would do that the episode has not taken in that state. Default: none.

        Args:
            item: The item.
            rng: The episode's; it is the same in all arms and for all models.
            steps: The usable actions of the episode, in order.
            count: How many are wanted, an even number. Fewer where there are no more, half of them true.
        """
        return []

    def shown(self, item: Item, steps: Sequence[Step]) -> list[tuple[str, bool]]:
        """What the episode has shown in the terms of the questions: the action, and the answer it would have had."""
        return []

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
        """Act until the goal, the end or the cap, then answer the questions.

        A sample is ``invalid`` only if no action was ever usable or 20 in a row were not; single unusable actions
        cost their turn and are counted.
        """
        env = self.make_env(ctx.item, ctx.tier)
        instructions = self.instructions(ctx.item, ctx.arm, ctx.tier)
        practice = self.practice(ctx.item)
        read = self.reader(instructions)
        text, info = env.reset(seed=0)
        tally, seen, steps = _Tally(), set[tuple[Hashable, str]](), list[Step]()
        solved = False
        stopped: ModelStopped | None = None
        for turn in range(ctx.tier.max_turns):
            shown = f"Turn {turn + 1} of {ctx.tier.max_turns}.\n{text}"
            try:
                percept = None if read is None else read(text)
                reply = await ctx.act(Observation(shown, instructions, practice, stop=(ACTION_STOP,), percept=percept))
            except ModelStopped as stop:
                stopped = stop
                break
            action, tagged = find_action(reply.text)
            before, state = self.state_key(info), info["state"]
            text, reward, terminated, truncated, info = env.step(action)
            usable = bool(info["usable"])
            if not usable and not tagged:
                # What the world says of the whole reply would only lead a small model to repeat it.
                said = f"{NO_TAG} Nothing changed, but the turn counts."
                text = text.replace(info["feedback"], said, 1) if info["feedback"] else f"{said}\n{text}"
            tally.turns += 1
            tally.streak = 0 if usable else tally.streak + 1
            if usable:
                tally.usable += 1
                tally.loops += (before, action) in seen
                seen.add((before, action))
                steps.append(Step(state, action, info["state"]))
            solved = terminated and float(reward) >= 1.0
            ended = terminated or truncated or tally.hopeless or turn + 1 == ctx.tier.max_turns
            ctx.judge(action, usable=usable, after=text if ended else "")
            if ended:
                break
        env.close()
        declared = {metric.name for metric in self.metrics}
        rates = {name: rate for name, rate in tally.rates().items() if name in declared}
        unasked = dict.fromkeys(metric.name for metric in PREDICTION_METRICS if metric.name in declared)
        metrics = {**self.score(solved=solved, turns=tally.turns, info=info, item=ctx.item), **rates, **unasked}
        if stopped is not None:
            return EpisodeResult({**metrics, **self._failed()}, stopped.outcome, stopped.reason)
        result = EpisodeResult(metrics)
        if tally.hopeless or tally.usable == 0:
            reason = "unusable_in_a_row" if tally.hopeless else "never_usable"
            result = EpisodeResult({**metrics, **self._failed()}, Outcome.INVALID, reason)
        if not unasked or ctx.brief:
            return result
        ctx.settle(result)
        predicted = await examine(
            ctx,
            self.questions(ctx.item, ctx.rng, steps, self.question_count(ctx.tier)),
            Majority(self.shown(ctx.item, steps)),
            opening=Observation("", instructions, practice),
            last=text,
        )
        return replace(result, metrics={**result.metrics, **predicted})

    def question_count(self, tier: Tier) -> int:
        """How many questions follow an episode: 0 in a world without the metrics, 8 in a tier of unknown name."""
        asked = {metric.name for metric in PREDICTION_METRICS} <= {metric.name for metric in self.metrics}
        return self.question_counts.get(tier.name, 8) if asked else 0

    def estimate(self, item: Item, arm: Arm, tier: Tier) -> Estimate:
        """Bound what a sample asks of a backend."""
        return self.bound(tier, opening=400, turn=tier.max_tokens + 60)

    def bound(self, tier: Tier, *, opening: int, turn: int) -> Estimate:
        """Bound what a sample asks: its turns, and each question twice, after a full history and after none.

        Args:
            tier: The tier.
            opening: The most tokens of instructions and practice.
            turn: The most tokens of an observation and its reply; a question is taken to be no longer.
        """
        calls, asked = tier.max_turns, self.question_count(tier)
        acting = calls * opening + turn * calls * (calls + 1) // 2
        asking = asked * (2 * opening + turn * (calls + 2))
        return Estimate(calls + 2 * asked, acting + asking, (calls + 2 * asked) * tier.max_tokens)

    def _failed(self) -> dict[str, float | None]:
        """What a failure is scored as, for the metrics that say so; the others keep what was measured."""
        return {metric.name: metric.failure for metric in self.metrics if metric.failure is not None}
