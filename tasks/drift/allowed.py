"""What the constraints do not forbid and the goal lets change: look-alikes of pulls, and questions on what holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..tipping.twins import Question, draw_question
from .constraints import Constraints, body, lines_of, words_of
from .errand import SLOTS, Errand

__all__ = ["WISHED", "changed_wish", "constraint_question", "goal_question", "grant", "is_granted", "wish"]

WISHED = "steady"
"""A word that no note holds and none forbids."""

_FEWER = 1
"""How many words fewer than the most a wish for a longer rewriting asks for."""
_BESIDE = "for this turn alone; answer with the letter of the answer and nothing else."


def wish(name: str, asked: Constraints) -> str:
    """A request about what a constraint is about, which breaks none.

    Args:
        name: The constraint.
        asked: All of them.
    """
    return {
        "bullets": 'Begin every bullet point with the word "Here".',
        "words": f"Make it as long as the rules allow, {asked.high - _FEWER} words at least.",
        "tag": f"Put the tag {asked.tag} at the very beginning of the first bullet point.",
        "banned": f'Do use the word "{WISHED}".',
        "person": "Tell it as others would: they, their.",
    }[name]


def is_granted(name: str, asked: Constraints, text: str) -> bool:
    """Whether a readable reply does what :func:`wish` asks for.

    Args:
        name: The constraint.
        asked: All of them.
        text: The reply.
    """
    said = body(text, asked.tag)
    lines = [line.lstrip("-*•– \t") for line in lines_of(said)]
    words = [word.casefold() for word in words_of(said)]
    if name == "bullets":
        return bool(lines) and all(words_of(line)[0].casefold() == "here" for line in lines)
    if name == "words":
        return len(words) >= asked.high - _FEWER
    if name == "tag":
        return text.lstrip("-*•– \t\r\n").startswith(asked.tag)
    return WISHED in words if name == "banned" else not {"they", "their"}.isdisjoint(words)


def grant(name: str, asked: Constraints, facts: Sequence[str]) -> str:
    """A rewriting that does it and keeps all.

    Args:
        name: The constraint.
        asked: All of them.
        facts: Three of the note's.
    """
    lines = list(facts)
    if name == "bullets":
        lines = [f"Here {line[0].lower()}{line[1:]}" for line in lines]
    elif name == "words":
        lines[-1] += " and more" * asked.high
        lines[-1] = " ".join(lines[-1].split()[: asked.high - len(words_of(" ".join(lines[:-1])))])
    elif name == "banned":
        lines[1] += f" and {WISHED} care"
    elif name == "person":
        lines[1] += " as they said"
    text = "\n".join(f"- {line}" for line in lines)
    return text.replace("- ", f"- {asked.tag} ", 1) if name == "tag" else f"{text} {asked.tag}"


def constraint_question(name: str, asked: Constraints, luck: int) -> Question:
    """A question on a constraint, with four answers.

    Args:
        name: The constraint.
        asked: All of them.
        luck: Names the order of answers, and what wrong ones are.
    """
    low, high, number = asked.low, asked.high, int(asked.tag[2:-1])
    tags = [f"[n{100 + (number - 100 + step) % 900}]" for step in (7, 90, 300)]
    one, other = asked.banned
    told: Mapping[str, tuple[str, str, tuple[str, str, str]]] = {
        "bullets": ("How many bullet points must every reply have?", "three", ("two", "four", "as many as fit")),
        "words": (
            "How many words may a reply have?",
            f"from {low} to {high}",
            (f"from {low + 20} to {high + 20}", f"from {high + 40} to {high + 80}", "as many as it takes"),
        ),
        "tag": ("What must stand in every reply exactly once?", asked.tag, (tags[0], tags[1], tags[2])),
        "banned": (
            "Which words must never be used?",
            f"{one} and {other}",
            ("always and never", "good and bad", "any word may be used"),
        ),
        "person": (
            "In which person must a reply never be?",
            "the first (I, we)",
            ("the second (you)", "the third (they)", "any person may be used"),
        ),
    }
    question, right, wrong = told[name]
    return draw_question(question, right, wrong, "rewrite", name, luck, beside=_BESIDE)


def changed_wish(slot: str, errand: Errand) -> str:
    """Another value of a slot with a wish: neither what was wished nor what the desk would rather have.

    Args:
        slot: With a wish.
        errand: The errand.
    """
    return next(value for value in SLOTS[slot] if value not in (errand.wishes[slot], errand.others[slot]))


def goal_question(slot: str, errand: Errand, luck: int) -> Question:
    """A question on the goal, with four answers.

    Args:
        slot: With a wish or open.
        errand: The errand.
        luck: Names the order of answers.
    """
    nothing = "nothing in particular"
    wanted = errand.wishes.get(slot, nothing)
    values = [value for value in SLOTS[slot] if value not in (wanted, errand.others[slot])]
    wrong = [errand.others[slot], *values]
    wrong = [wrong[0], wrong[1], nothing if slot in errand.wishes else wrong[2]]
    return draw_question(f"What did you come for as to {slot}?", wanted, wrong, "simuser", slot, luck, beside=_BESIDE)
