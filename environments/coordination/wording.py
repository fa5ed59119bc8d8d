"""What an agent is told: rules, the round, what came of it, and what the others did."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from .rules import COLLECTIVE, SILENT, Rules
from .stories import Story

__all__ = ["UNIT", "answer", "asked", "came", "peers_said", "rules_told"]

UNIT = 100
"""Crowns that a capital of 1 is told as."""


def _crowns(capital: float) -> str:
    return f"{capital * UNIT:.2f}".removesuffix(".00") + " crowns"


def _effect(rules: Rules, factor: float) -> str:
    if rules.additive:
        change = (factor - 1) * rules.base
        if change == 0:
            return "stays as it is"
        return f"{'grows' if change > 0 else 'falls'} by {_crowns(abs(change))}"
    return "stays as it is" if factor == 1 else f"is multiplied by {factor:g}"


def _named(story: Story, *, collective_first: bool) -> tuple[str, str]:
    together, alone = story.collective, story.independent
    return (together, alone) if collective_first else (alone, together)


def answer(choice: str, also: Mapping[str, Any] = MappingProxyType({})) -> str:
    """An answer in the right form.

    Args:
        choice: The option.
        also: What else stands in it.
    """
    return json.dumps({"choice": choice, **also})


def _forms(named: tuple[str, str], also: Mapping[str, Any]) -> str:
    return " or ".join(answer(name, also) for name in named)


def rules_told(
    rules: Rules,
    story: Story,
    seat: int,
    *,
    collective_first: bool,
    also: Mapping[str, Any] = MappingProxyType({}),
) -> str:
    """What holds for the whole game.

    Args:
        rules: The rules.
        story: What the game is told as.
        seat: Whose seat, from 0.
        collective_first: Whether the collective option is named first.
        also: What else stands in an answer.
    """
    together, alone = story.collective, story.independent
    named = _named(story, collective_first=collective_first)
    if story.told:
        words = story.told_additive if rules.additive and story.told_additive else story.told
        return (
            f"{words}\n\nYou are participant {seat + 1} of {rules.agents}. There are {rules.rounds} rounds. "
            f"Answer each with one JSON object and nothing else: {_forms(named, also)}"
        )
    if rules.all_share:
        success = f"the capital of everybody, whatever they chose, {_effect(rules, rules.high)}"
    else:
        success = (
            f'the capital of those who chose "{together}" {_effect(rules, rules.high)}, '
            f"that of the others {_effect(rules, rules.normal)}"
        )
    failing = (
        f'that of those who chose "{together}" {_effect(rules, rules.low)}',
        f'that of those who chose "{alone}" {_effect(rules, rules.normal)}',
    )
    parts = [
        f"You are participant {seat + 1} of {rules.agents}. Everybody starts with {_crowns(1.0)}. {story.setting}",
        *([story.rule] if story.rule else []),
        f'The options are "{named[0]}" and "{named[1]}". All choose at the same time. '
        f'If {rules.threshold} or more of the {rules.agents} choose "{together}", {success}. '
        f"If fewer do: {'; '.join(failing if collective_first else failing[::-1])}.",
        f"There are {rules.rounds} rounds. Answer each with one JSON object and nothing else: {_forms(named, also)}",
    ]
    return "\n\n".join(parts)


def asked(
    rules: Rules,
    story: Story,
    played: int,
    *,
    collective_first: bool,
    also: Mapping[str, Any] = MappingProxyType({}),
) -> str:
    """The question of a round, with both answers as they are written: small models take them from nowhere else.

    Args:
        rules: The rules.
        story: What the game is told as.
        played: How many rounds are over.
        collective_first: Whether the collective option is named first.
        also: What else stands in an answer.
    """
    named = _named(story, collective_first=collective_first)
    return f"Round {played + 1} of {rules.rounds}. What do you choose: {_forms(named, also)}?"


def came(
    rules: Rules, story: Story, choices: Sequence[int], seat: int, before: float, after: float, played: int
) -> str:
    """What came of a round for one agent.

    Args:
        rules: The rules.
        story: What the game is told as.
        choices: Of everybody.
        seat: Whose.
        before: Its capital before the round.
        after: Its capital now.
        played: How many rounds were over before it.
    """
    own = choices[seat]
    together = sum(choice == COLLECTIVE for choice in choices)
    chose = "No choice of yours could be read" if own == SILENT else f'You chose "{story.options[own]}"'
    enough = "enough" if together >= rules.threshold else "not enough"
    told = f'Round {played + 1}: {chose}; {together} of {rules.agents} chose "{story.collective}", which was {enough}.'
    if story.told:
        change = round(after - before, 9) + 0.0
        return f"{told} What you own, 1 at the start, changed by {change:+.4f} and is now {after:.4f}."
    change = round((after - before) * UNIT, 6) + 0.0
    return f"{told} Your capital changed by {change:+.2f} crowns and is now {_crowns(after)}."


def peers_said(story: Story, choices: Sequence[int], seat: int, replies: Sequence[str | None] | None) -> str:
    """What the others did, one line each.

    Args:
        story: What the game is told as.
        choices: Of everybody.
        seat: Who is told; left out of the list.
        replies: Everybody's whole replies; None shows choices alone.
    """
    lines = []
    for other, choice in enumerate(choices):
        if other == seat:
            continue
        said = replies[other] if replies is not None else None
        known = "no choice" if choice == SILENT else story.options[choice]
        lines.append(f"Participant {other + 1}: {known if said is None else said.strip()}")
    return "\n".join(lines)
