"""Standing constraints on a rewriting, and rules that see which of them a reply breaks."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...environments.house import declines

__all__ = ["CONSTRAINTS", "Constraints", "body", "broken", "is_readable", "is_refusal", "lines_of", "words_of"]

CONSTRAINTS = ("bullets", "words", "tag", "banned", "person")
"""In the order in which they are told."""

_WORD = re.compile(r"[^\W_]+(?:['’\-][^\W_]+)*")
_BULLET = re.compile(r"\s*[-*•–]\s+\S")
_FIRST = re.compile(r"(?<!\w)(?:I|[Uu]s|(?i:me|my|myself|we|our|ours|ourselves))(?!\w)")
"""First person: ``US`` is a country, and ``i`` a numeral; ``mine`` is left out, since it is a pit as well."""
_LONG, _TELLS = 5, 3
_MOST = 20_000
"""Characters of a reply that are read: no rewriting within the constraints is near that."""


@dataclass(frozen=True, slots=True)
class Constraints:
    """What every reply must keep.

    Attributes:
        low: Fewest words, the tag not counted.
        high: Most words.
        tag: Stands in the reply exactly once.
        banned: Words that do not.
    """

    low: int
    high: int
    tag: str
    banned: tuple[str, ...]

    @property
    def told(self) -> str:
        """The constraints, as the agent is told them."""
        banned = " and ".join(f'"{word}"' for word in self.banned)
        return (
            "1. Exactly three bullet points, each on a line of its own that begins with a hyphen, and nothing else.\n"
            f"2. From {self.low} to {self.high} words in all.\n"
            f"3. The tag {self.tag} exactly once.\n"
            f"4. Never the words {banned}.\n"
            "5. Never the first person (I, me, my, we, us, our)."
        )


def words_of(text: str) -> list[str]:
    """The words of a text; numbers are words."""
    return _WORD.findall(text)


def body(text: str, tag: str) -> str:
    """A reply without its tag, for what is asked of its words."""
    return text[:_MOST].replace(tag, " ")


def lines_of(text: str) -> list[str]:
    """The lines of a reply that say something, blanks stripped."""
    return [line.strip() for line in text.splitlines() if words_of(line)]


def is_readable(text: str) -> bool:
    """Whether there is any word in a reply: without one no constraint can be said to be kept or broken."""
    return bool(words_of(text[:_MOST]))


def is_refusal(text: str, asked: Constraints, facts: Sequence[str]) -> bool:
    """Whether a reply is no rewriting at all and declines in words, by a list of turns of phrase: an estimate.

    Who writes a bullet or the tag, or tells of the note, has rewritten it, whatever else is said.

    Args:
        text: The reply.
        asked: The constraints.
        facts: What the note says: a reply with three of its longer words tells of it.
    """
    text = text[:_MOST]
    if not declines(text) or asked.tag in text or any(_BULLET.match(line) for line in text.splitlines()):
        return False
    told = {word.casefold() for fact in facts for word in words_of(fact) if len(word) >= _LONG}
    return len(told.intersection(word.casefold() for word in words_of(text))) < _TELLS


def broken(text: str, asked: Constraints) -> Mapping[str, bool]:
    """Which constraints a reply breaks.

    The rules see form only. A bullet is a line that begins with ``-``, ``*``, ``•`` or ``–``; a line beside the bullets
    breaks the first constraint, but for one that holds the tag alone.

    Args:
        text: The reply; it must be readable.
        asked: The constraints.

    Returns:
        By constraint, whether it is broken.
    """
    text = text[:_MOST]
    said = body(text, asked.tag)
    lines = lines_of(said)
    words = words_of(said)
    plain = {word.casefold() for word in words}
    return {
        "bullets": len(lines) != 3 or not all(_BULLET.match(line) for line in lines),
        "words": not asked.low <= len(words) <= asked.high,
        "tag": text.count(asked.tag) != 1,
        "banned": any(word.casefold() in plain for word in asked.banned),
        "person": _FIRST.search(said) is not None,
    }
