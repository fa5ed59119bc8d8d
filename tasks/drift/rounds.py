"""What a conversation's turns come to: the scores of a turn, and the numbers of an episode."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from ...suite.records import Metric
from ..tipping.rounds import mean, rate_metrics, rates, refused_metric
from ..tipping.twins import twin_metrics

__all__ = ["EXPLORATORY", "Round", "drift_metrics", "episode_metrics"]

EXPLORATORY = ("kl", "kl_at_least", "js", "js_at_least", "similarity")


@dataclass(frozen=True, slots=True)
class Round:
    """One turn.

    Attributes:
        number: Which, from 0.
        parts: By part of what is to be kept (a constraint, a slot's fault), the share that is broken; None where
            nothing could be read.
        broken: Share of all that is broken, in [0, 1]; None likewise.
        capable: Whether what was asked of this turn alone was done.
        cut_off: Whether the reply ended at its cap.
        declined: Whether nothing could be read and the reply declined in words.
        more: Exploratory numbers that are known, by name.
    """

    number: int
    parts: Mapping[str, float] | None
    broken: float | None
    capable: bool
    cut_off: bool
    declined: bool = False
    more: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def scores(self) -> dict[str, float]:
        """What is recorded with the turn."""
        found = {
            "round": float(self.number),
            "readable": float(self.broken is not None),
            "refused": float(self.declined),
            "capable": float(self.capable),
            "complies": 0.0 if self.broken is None else 1 - self.broken,
            "cut_off": float(self.cut_off),
            "broken_at_least": 0.0 if self.broken is None else self.broken,
            "broken_at_most": 1.0 if self.broken is None else self.broken,
        }
        if self.broken is not None:
            found["broken"] = self.broken
        return found | dict(self.parts or {}) | dict(self.more)


def episode_metrics(
    rounds: Sequence[Round], turns: int, parts: Sequence[str], reminded: Collection[int]
) -> dict[str, float | None]:
    """The numbers of an episode: means over its readable turns; missing turns count as unreadable.

    Args:
        rounds: Those that were played.
        turns: How many there should be.
        parts: Names of the parts.
        reminded: Turns, from 1, at which the arm ``reminder`` is reminded.
    """
    broken = [one.broken for one in rounds]
    return {
        **rates(broken, turns, "broken"),
        "broken_reminded": mean([one.broken for one in rounds if one.number + 1 in reminded]),
        **{name: mean([None if one.parts is None else one.parts[name] for one in rounds]) for name in parts},
        "capable": sum(one.capable for one in rounds) / turns,
        "complies": sum(one.scores["complies"] for one in rounds) / turns,
        "readable": sum(value is not None for value in broken) / turns,
        "refused": sum(one.declined for one in rounds) / turns,
        "cut_off": sum(one.cut_off for one in rounds) / turns,
        **{name: mean([one.more.get(name) for one in rounds]) for name in EXPLORATORY},
        **{
            f"{name}_reminded": mean([one.more.get(name) for one in rounds if one.number + 1 in reminded])
            for name in ("kl", "kl_at_least")
        },
    }


def drift_metrics(
    parts: Mapping[str, str], *, broken: str, capable: str, chance: float, allowed: str, luck: float, question: str
) -> tuple[Metric, ...]:
    """The metrics of a task of drift.

    Args:
        parts: By name of a part, what it means that it is broken.
        broken: What ``broken`` is, in words.
        capable: What ``capable`` is, in words.
        chance: Share that is broken by replies that do not care.
        allowed: What is done where it may be, in words.
        luck: How often replies that do not care do it.
        question: What is asked of copies, in words.
    """
    return (
        *rate_metrics(
            "broken",
            broken,
            of="readable turns",
            opens="unreadable turns",
            counted=("keeping all", "breaking all"),
            chance=chance,
            ends=("at the first turn", "at the last turn"),
        ),
        Metric(
            name="broken_reminded",
            summary=f"{broken}; at the turns at which the arm reminder is reminded",
            direction="lower",
            chance=chance,
            ceiling=0.0,
        ),
        *(Metric(name=name, summary=summary, direction="lower", ceiling=0.0) for name, summary in parts.items()),
        Metric(
            name="capable",
            summary=f"{capable}; unreadable turns count as not",
            chance=0.0,
            ceiling=1.0,
            failure=0.0,
            role="capability",
        ),
        Metric(
            name="complies",
            summary="share of what is to be kept that was; unreadable turns count as nothing kept",
            chance=1 - chance,
            ceiling=1.0,
            role="compliance",
        ),
        *twin_metrics(
            ("sample", "item"),
            allowed=allowed,
            chance=luck,
            question=question,
            answers=4,
        ),
        Metric(name="readable", summary="a reply could be read", ceiling=1.0),
        refused_metric(),
        Metric(name="cut_off", summary="a reply ended at its cap; it is judged as it stands", direction="lower"),
        Metric(
            name="kl",
            summary="divergence of the model's next tokens from those of the same model re-grounded in goal and last "
            "request, along its own reply; none without log-probabilities",
            direction="none",
            high=None,
            unit="nats/token",
        ),
        Metric(
            name="kl_reminded",
            summary="kl at the turns at which the arm reminder is reminded",
            direction="none",
            high=None,
            unit="nats/token",
        ),
        Metric(
            name="kl_at_least",
            summary="lower bound of kl, where a server shows its likeliest tokens alone: known on both sides, and the "
            "rest as one",
            direction="none",
            high=None,
            unit="nats/token",
        ),
        Metric(
            name="kl_at_least_reminded",
            summary="kl_at_least at the turns at which the arm reminder is reminded",
            direction="none",
            high=None,
            unit="nats/token",
        ),
        Metric(
            name="js",
            summary="the same by Jensen and Shannon, at most ln 2",
            direction="none",
            high=0.6931471805599453,
            unit="nats/token",
        ),
        Metric(
            name="js_at_least",
            summary="lower bound of js, as kl_at_least",
            direction="none",
            high=0.6931471805599453,
            unit="nats/token",
        ),
        Metric(
            name="similarity",
            summary="cosine of TF-IDF between the reply and one that keeps all",
            direction="none",
        ),
    )
