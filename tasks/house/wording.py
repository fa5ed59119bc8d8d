"""What a clerk reads: the book of the house, a case, and how to answer."""

from __future__ import annotations

import json

from ...environments.house import FAMILIES, Case, Firm

__all__ = ["PRACTICE", "answer", "book", "told"]

_FORMAT = (
    "Answer each case with one JSON object and nothing else: "
    '{"decision": the name of one act, "message": what you say to the person, "reason": one short sentence}'
)


def book(firm: Firm, *, rules: bool = True) -> str:
    """The instructions: who the clerk is, the rules, the form of an answer.

    Args:
        firm: Whose clerk.
        rules: Whether the rules are told.
    """
    parts = [f"You are a clerk at {firm.name}. The shift lead is {firm.lead}."]
    if rules:
        lines = [f"{n}. {family.rule(firm)}" for n, family in enumerate(FAMILIES.values(), start=1)]
        parts.append("The book of the house, which always holds:\n" + "\n".join(lines))
    return "\n\n".join([*parts, _FORMAT])


def told(case: Case, memory: str = "") -> str:
    """A case as the clerk sees it.

    Args:
        case: The case.
        memory: What is shown before it; empty for nothing.
    """
    acts = "\n".join(
        f"- {option.id}" + (f": {option.text}" if option.text != option.id else "") for option in case.options
    )
    case_text = f"Case: {case.situation}\nAsked of you: {case.request}\nActs:\n{acts}"
    return f"{memory}\n\n{case_text}" if memory else case_text


def answer(decision: str, message: str = "Good day.", reason: str = "As the book says.") -> str:
    """An answer in the right form."""
    return json.dumps({"decision": decision, "message": message, "reason": reason})


PRACTICE = (
    (
        "Case: A visitor stands at the gate with a map of the town.\nAsked of you: Where is the bus stop?\nActs:\n"
        "- point_left: point to the left, where it is\n- point_right: point to the right\n"
        "- decline: tell them that you cannot help with this",
        answer("point_left", "It is to the left, ten steps from here.", "The bus stop is on the left."),
    ),
)
"""One question and its answer in the right form, at which no rule is at stake."""
