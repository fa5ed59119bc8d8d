"""What learning costs: the size of the state, the tokens of learning and of acting, and what a gain cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .records import Sample, Update
from .stats.curves import Curve, score_curve
from .stats.intervals import Interval, t_interval
from .stats.learning_arms import price
from .store import LEARNING_SEAT
from .stream_contrasts import EVOLVING, FROZEN, stream_sums

if TYPE_CHECKING:
    import pandas as pd

    from .learning import TaskLearning

__all__ = ["ArmCost", "LearningCost", "LearningTokens", "learning_cost"]

Array = NDArray[np.float64]


class LearningTokens:
    """Gathers what agents asked their models while they learnt, sample by sample.

    Tokens are those read and those written.
    """

    def __init__(self) -> None:
        self._spent: dict[tuple[str, str, str, int], int] = {}

    def add(self, sample: Sample) -> None:
        """Take in a sample with its turns."""
        if not sample.stream or sample.checkpoint:
            return
        calls = [call for turn in sample.turns if turn.seat == LEARNING_SEAT for call in turn.calls]
        tokens = sum(call.usage.prompt_tokens + call.usage.completion_tokens for call in calls)
        if tokens:
            key = sample.task, sample.arm, sample.stream, sample.position
            self._spent[key] = self._spent.get(key, 0) + tokens

    def of(self, task: str, arm: str, stream: str, position: int) -> int:
        """What one episode's learning took."""
        return self._spent.get((task, arm, stream, position), 0)


@dataclass(frozen=True, slots=True, eq=False)
class ArmCost:
    """What one arm spent. Intervals are over streams that were lived to their end (Student's t).

    Attributes:
        arm: The arm.
        streams: How many such streams.
        acting: Tokens an episode of playing, read and written.
        learning: Tokens an episode of learning from it.
        updates: Changes of the state a stream.
        size: Bytes of the state at the end; a state that was never changed counts as 0.
        sizes: Bytes of the state by episodes lived; None where no state ever changed.
    """

    arm: str
    streams: int
    acting: Interval
    learning: Interval
    updates: Interval
    size: Interval
    sizes: Curve | None


@dataclass(frozen=True, slots=True, eq=False)
class LearningCost:
    """What learning cost in one task.

    Attributes:
        task: Name of the task.
        version: Its version.
        arms: By arm.
        extra_acting: Tokens an episode that the evolving arm's playing took more than the frozen arm's: what it costs
            to carry the state in prompts. None without both arms.
        per_hundredth: Tokens that a stream spent more than a frozen one, learning included, for each .01 of gain at
            the last checkpoint (of an open metric in its unit, else of its range); Fieller's interval, NaN where the
            gain is not told from 0. None where nothing is to be divided.
    """

    task: str
    version: int
    arms: tuple[ArmCost, ...]
    extra_acting: Interval | None
    per_hundredth: Interval | None

    @property
    def words(self) -> tuple[str, ...]:
        """What can be said of it, a sentence each."""
        said = list[str]()
        asked = any(arm.acting.estimate > 0 or arm.learning.estimate > 0 for arm in self.arms)
        for arm in self.arms:
            if arm.sizes is not None:
                told = (
                    f"{arm.arm}: the state holds {arm.size.estimate:,.0f} bytes at the end {_bounds(arm.size)} after "
                    f"{arm.updates.estimate:,.1f} updates a stream"
                )
                if asked:
                    told += (
                        f"; an episode takes {arm.acting.estimate:,.0f} tokens to play {_bounds(arm.acting)} and "
                        f"{arm.learning.estimate:,.0f} to learn from {_bounds(arm.learning)}"
                    )
                said.append(f"{told}.")
        if asked and self.extra_acting is not None and self.extra_acting.units:
            more = self.extra_acting
            said.append(
                f"Playing takes an evolving agent {more.estimate:,.0f} tokens an episode more than a frozen one "
                f"{_bounds(more)}."
            )
        if self.per_hundredth is not None:
            cost = self.per_hundredth
            said.append(
                f"A gain of .01 cost {cost.estimate:,.0f} tokens {_bounds(cost)} (Fieller)."
                if np.isfinite(cost.low)
                else "What a gain cost cannot be said: the gain is not told from 0."
            )
        return tuple(said)


def learning_cost(
    learning: TaskLearning, frame: pd.DataFrame, updates: Iterable[Update], spent: LearningTokens
) -> LearningCost:
    """Add up what learning cost.

    Args:
        learning: What the task's streams say.
        frame: The samples of the task (:meth:`.store.StoredRun.frame`).
        updates: The changes of agents' states (:meth:`.store.StoredRun.updates`); those of other tasks do no harm.
        spent: What was asked while learning.
    """
    scores, task = learning.scores, learning.task
    episodes = scores.sheet.episodes
    by_stream: dict[tuple[str, str], list[Update]] = {}
    for update in updates:
        if update.task == task:
            by_stream.setdefault((update.arm, update.stream), []).append(update)
    acting: dict[str, Array] = {}
    taught: dict[str, Array] = {}
    arms = list[ArmCost]()
    for arm in scores.arms:
        acting[arm], taught[arm] = _tokens(task, arm, scores.streams, episodes, frame, spent)
        own = [by_stream.get((arm, stream), []) for stream in scores.streams]
        arms.append(_arm(arm, acting[arm], taught[arm], own, learning.confidence))
    extra = cost = None
    if {EVOLVING, FROZEN} <= set(scores.arms):
        confidence = learning.confidence
        more = (acting[EVOLVING] - acting[FROZEN]).mean(axis=1)
        extra = t_interval(more[np.isfinite(more)], confidence=confidence)
        cost = _price(learning, (acting[EVOLVING] - acting[FROZEN] + taught[EVOLVING]).sum(axis=1))
    return LearningCost(task, learning.version, tuple(arms), extra, cost)


def _tokens(
    task: str, arm: str, streams: Sequence[str], episodes: int, frame: pd.DataFrame, spent: LearningTokens
) -> tuple[Array, Array]:
    """Tokens of acting and of learning, shape (streams, episodes); NaN where an episode is not there."""
    acting, taught = (np.full((len(streams), episodes), np.nan) for _ in range(2))
    row: Mapping[str, int] = {stream: i for i, stream in enumerate(streams) if stream}
    lived = frame[(frame["arm"] == arm) & (frame["checkpoint"] == 0) & (frame["outcome"] != "error")]
    every = (lived["prompt_tokens"] + lived["completion_tokens"]).tolist()
    for stream, position, tokens in zip(lived["stream"].tolist(), lived["position"].tolist(), every, strict=True):
        learnt = spent.of(task, arm, stream, position)
        acting[row[stream], position], taught[row[stream], position] = tokens - learnt, learnt
    return acting, taught


def _arm(arm: str, acting: Array, taught: Array, updates: Sequence[Sequence[Update]], confidence: float) -> ArmCost:
    whole = np.asarray(np.isfinite(acting).all(axis=1))
    own = [each for each, there in zip(updates, whole, strict=True) if there]
    sizes = np.array([_sizes(each, acting.shape[1]) for each in own]).reshape(len(own), acting.shape[1] + 1)
    counts = np.array([len(each) for each in own], dtype=np.float64)

    def over_streams(values: Array) -> Interval:
        return t_interval(values, low=0.0, confidence=confidence)

    changed = bool(counts.any())
    return ArmCost(
        arm=arm,
        streams=len(own),
        acting=over_streams(acting[whole].mean(axis=1)),
        learning=over_streams(taught[whole].mean(axis=1)),
        updates=over_streams(counts),
        size=over_streams(sizes[:, -1]),
        sizes=score_curve(sizes, low=0.0, high=None, confidence=confidence) if changed else None,
    )


def _sizes(updates: Sequence[Update], episodes: int) -> Array:
    """Bytes of the state after 0, 1, … episodes."""
    sizes = np.zeros(episodes + 1)
    for update in sorted(updates, key=lambda update: update.position):
        sizes[update.position + 1 :] = update.size
    return sizes


def _price(learning: TaskLearning, spent: Array) -> Interval | None:
    gain, scores, metric = learning.primary, learning.scores, learning.metric
    if gain is None or metric.direction == "none":
        return None
    last = np.zeros(len(scores.points(gain.probes)))
    last[-1] = -1.0 if metric.direction == "lower" else 1.0
    first, second = stream_sums((scores.block(EVOLVING, gain.probes), scores.block(FROZEN, gain.probes)), last)
    gained = (first - second) / (0.01 * (metric.span or 1.0))
    known = np.isfinite(spent) & np.isfinite(gained)
    if not known.any() or not spent[known].any():
        return None
    return price(spent[known], gained[known], confidence=learning.confidence)


def _bounds(r: Interval) -> str:
    if not (np.isfinite(r.low) and np.isfinite(r.high)):
        return "(all streams alike)" if r.units > 1 else "(one stream)"
    return f"[{r.low:,.0f}, {r.high:,.0f}]"
