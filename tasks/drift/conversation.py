"""A scripted conversation of which every turn is judged: what the arms add to it, and how it is played."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ...environments.house import declines
from ...suite.agents.base import Observation
from ...suite.model import ModelStopped
from ...suite.records import ArmContrast
from ...suite.task import Arm, Episode, EpisodeResult, Estimate, Tier
from ..tipping.rounds import unread_result
from ..tipping.twins import Question, Twins, twin_prompts
from .nearness import nearness
from .rounds import Round, episode_metrics
from .texts import remark

__all__ = ["CONTRASTS", "RECURRENCE", "Judged", "Partner", "asides", "conversation_estimate", "converse", "drift_arms"]

CONTRASTS = (
    ArmContrast(name="pull", arm="placebo", against="null"),
    ArmContrast(name="lasting effect of reminders", arm="reminder", against="placebo", restores="pull"),
)
"""What is held against each other by the change from the first turn to the last."""

RECURRENCE = ("kl", "kl_at_least", "broken")


@dataclass(frozen=True, slots=True)
class Judged:
    """What rules see in a readable reply.

    Attributes:
        parts: By part of what is to be kept, the share that is broken.
        broken: Share of all that is broken.
        capable: Whether what was asked of this turn alone was done.
        wrong: What exactly is broken: constraints, or slots.
    """

    parts: Mapping[str, float]
    broken: float
    capable: bool
    wrong: Collection[str]


@dataclass(frozen=True, slots=True)
class Partner:
    """The scripted side of a conversation.

    Attributes:
        told: What holds for the whole of it: the goal, the form of a reply.
        texts: What is said at each turn.
        practice: Questions and answers that show the form of a reply.
        start: A question and an answer that is put into the agent's mouth before the first turn.
        judge: Judges the reply to a turn; None where nothing in it can be read, as where it declines in words.
        ideal: A reply to a turn that keeps all.
        allowed: What is said at a turn to a copy where something may be done that looks like a pull.
        grants: Whether the reply does that, which one that declines does not; None where nothing in it can be read.
        question: A question on what is to be kept.
        about: What it asks about: one of those that :class:`Judged` names as wrong.
    """

    told: str
    texts: Sequence[str]
    practice: tuple[tuple[str, str], ...]
    start: tuple[tuple[str, str], ...]
    judge: Callable[[int, str], Judged | None]
    ideal: Callable[[int], str]
    allowed: Callable[[int], str]
    grants: Callable[[str], bool | None]
    question: Question
    about: str


def drift_arms(kept: str, reminded: Sequence[int], requests: str = "requests") -> tuple[Arm, ...]:
    """The arms of a task of drift.

    Args:
        kept: What is told again by a reminder.
        reminded: At which turns, from 1.
        requests: What pulls.
    """
    at = " and ".join(map(str, reminded))
    return (
        Arm("null", f"neutral remarks of the same length, no conflicting {requests}", {"pull": "none"}),
        Arm("plain", f"conflicting {requests} that grow", {}),
        Arm("reminder", f"as plain; {kept} told again at turns {at}", {"at": "reminder"}),
        Arm("placebo", f"as plain; neutral words of the same number at turns {at}", {"at": "placebo"}),
        Arm("shuffled", f"as plain, with the {requests} in another order", {"pull": "shuffled"}),
        Arm(
            "started-high",
            "as plain, after a reply that breaks all; for the fit from turn to turn alone",
            {"start": "high"},
        ),
        Arm(
            "started-low",
            "as plain, after a reply that keeps all; for the fit from turn to turn alone",
            {"start": "low"},
        ),
    )


def conversation_estimate(tier: Tier, told: int, *, null: bool) -> Estimate:
    """A call a turn, with the whole history, and those of copies.

    Args:
        tier: Its turns, and tokens of a reply.
        told: Tokens of what is told at the beginning.
        null: Whether this is the arm that does not evolve.
    """
    turns = tier.max_turns
    turn = tier.max_tokens + 190
    beside = twin_prompts(tier, turns, null=null, opening=told + turn, turn=turn)
    calls = turns + len(beside)
    return Estimate(calls, turns * told + turn * turns * (turns + 1) // 2 + sum(beside), calls * tier.max_tokens)


def asides(
    arm: Arm, pulls: Sequence[str], reminder: str, reminded: Collection[int], rng: np.random.Generator
) -> list[list[str]]:
    """What each turn says before its own request: a reminder or its placebo, and a pull or neutral words.

    Args:
        arm: One of :func:`drift_arms`.
        pulls: What pulls at the second turn and at those after it.
        reminder: What is told again.
        reminded: At which turns, from 1.
        rng: Draws neutral words and another order, the same in every arm.
    """
    order = list(range(len(pulls)))
    while order == sorted(order) and len(pulls) > 1:
        order = [int(i) for i in rng.permutation(len(pulls))]
    found = []
    for number in range(len(pulls) + 1):
        parts = []
        neutral = remark(len(reminder.split()), rng)
        if number + 1 in reminded and "at" in arm.options:
            parts.append(reminder if arm.options["at"] == "reminder" else neutral)
        if number:
            said = pulls[order[number - 1] if arm.options.get("pull") == "shuffled" else number - 1]
            aside = remark(len(pulls[number - 1].split()), rng)
            parts.append(aside if arm.options.get("pull") == "none" else said)
        found.append(parts)
    return found


async def converse(ctx: Episode, partner: Partner, parts: Sequence[str], reminded: Collection[int]) -> EpisodeResult:
    """Play a conversation turn by turn, and judge every reply.

    Args:
        ctx: The episode.
        partner: Says what it says, whatever the agent answers.
        parts: Names of the parts of what is to be kept.
        reminded: As for :func:`asides`.
    """
    rounds: list[Round] = []
    stop: ModelStopped | None = None
    twins = Twins(ctx, len(partner.texts), null=ctx.arm.name == "null")
    for number, text in enumerate(partner.texts):
        try:
            shown = (*partner.practice, *partner.start)
            await twins.lift(number, Observation(partner.allowed(number), partner.told, shown), partner.grants)
            action = await ctx.act(Observation(text, partner.told, shown))
            judged = partner.judge(number, action.text)
            more = {}
            if judged is not None:
                grounded = Observation(text, partner.told, partner.practice)
                more = await nearness(ctx, action.text, grounded, partner.ideal(number))
        except ModelStopped as stopped:
            stop = stopped
            break
        one = Round(
            number=number,
            parts=None if judged is None else judged.parts,
            broken=None if judged is None else judged.broken,
            capable=judged is not None and judged.capable,
            cut_off=action.cut_off,
            declined=judged is None and declines(action.text),
            more=more,
        )
        rounds.append(one)
        ctx.judge(action.text if judged else None, usable=judged is not None, scores=one.scores)
        try:
            asked = Observation(partner.question.text, partner.told, shown)
            broken = judged is not None and partner.about in judged.wrong
            await twins.ask(number, asked, partner.question.is_right, broken=broken)
        except ModelStopped as stopped:
            stop = stopped
            break
    metrics = episode_metrics(rounds, len(partner.texts), parts, reminded) | twins.metrics
    if stop is not None:
        return EpisodeResult(metrics, stop.outcome, stop.reason)
    if all(one.broken is None for one in rounds):
        return unread_result(metrics, [one.declined for one in rounds], "unreadable")
    return EpisodeResult(metrics)
