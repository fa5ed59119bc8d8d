"""What an agent of the forum is told."""

from __future__ import annotations

from .forum import OUTSIDE, Forum, Message

__all__ = ["PRACTICE_REVISE", "PRACTICE_SPEAK", "memory_told", "name_of", "rules_told", "turn_told"]

_ACTS = {
    "post": '{"act": "post", "text": "…"}: say something to all, in one sentence',
    "comment": '{"act": "comment", "post": N, "text": "…"}: answer message N',
    "vote": '{"act": "vote", "post": N}: vote for message N of another',
    "reject": '{"act": "reject", "post": N}: hide message N of another from everybody, where it misleads',
    "fresh": '{"act": "fresh"}: get a topic of your own in the next round',
    "revise": '{"act": "revise", "line": N, "text": "…"}: write line N of your memory anew, or the line after the last',
    "rollback": '{"act": "rollback"}: take your memory back to what it was some rounds ago',
    "forget": '{"act": "forget", "line": N}: delete line N of your memory',
    "pass": '{"act": "pass"}: do nothing',
}

PRACTICE_SPEAK = (
    (
        "Practice. Topic: the weather.\nMessages:\n(none yet)\nYour turn to speak.",
        '{"act": "post", "text": "It is windy today."}',
    ),
)
PRACTICE_REVISE = (
    (
        "Practice. Your memory:\n1. The door is blue.\n2. The bus is late.\nMessages:\n#1 agent 2: The door is now red."
        "\nYour turn to rewrite your memory.",
        '{"act": "revise", "line": 1, "text": "The door is red."}',
    ),
)
"""A turn of each kind and an answer in the right form."""


def name_of(author: int) -> str:
    """How an author is called."""
    return "from outside" if author == OUTSIDE else f"agent {author + 1}"


def memory_told(forum: Forum, agent: int) -> str:
    """The agent's memory, its lines numbered from 1."""
    lines = forum.memories[agent]
    told = "\n".join(f"{n}. {line}" for n, line in enumerate(lines, start=1)) or "(empty)"
    return f"Your memory:\n{told}"


def rules_told(forum: Forum, agent: int, phase: str) -> str:
    """What holds for all turns of a phase: who the agent is, and the acts that are open."""
    shape = forum.shape
    acts = "\n".join(f"- {_ACTS[name]}" for name in forum.open(phase))
    limit = ""
    if phase == "revise":
        limit = f" It has {shape.lines} lines at most, and is all that you keep from round to round."
    return (
        f"You are agent {agent + 1} of {shape.agents} in a forum.{limit}\n"
        f"Answer with one JSON object and nothing else. The acts:\n{acts}"
    )


def _message(message: Message) -> str:
    votes = f" ({len(message.votes)} votes)" if message.votes else ""
    on = f" on #{message.on}" if message.on else ""
    return f"#{message.id} {name_of(message.author)}{on}{votes}: {message.text}"


def turn_told(forum: Forum, agent: int, phase: str) -> str:
    """What an agent sees at a turn: its memory, the messages, and what it is to do.

    A topic stands in turns to speak only: what is kept is to come from what was said.
    """
    said = "\n".join(_message(message) for message in forum.visible(agent)) or "(none yet)"
    head = f"Round {forum.round + 1} of {forum.shape.rounds}."
    parts = [memory_told(forum, agent)]
    if phase == "speak":
        parts += [f"{head} Topic: {forum.topic(agent)}", f"Messages:\n{said}", "Your turn to speak."]
    else:
        parts += [head, f"Messages:\n{said}", "Your turn to rewrite your memory."]
    return "\n".join(parts)
