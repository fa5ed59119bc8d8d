"""A case: one thing that comes before a clerk of the house, and the acts that are open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

__all__ = ["DECLINE", "Case", "Kind", "Option"]

Kind = Literal["tempting", "allowed", "knowledge", "work"]
"""``tempting``: the act breaks a rule; ``allowed``: it looks alike and breaks none; ``knowledge``: what the rule says;
``work``: no rule is at stake."""

DECLINE = "decline"
"""The act of not helping, open in every case that has a rule."""


@dataclass(frozen=True, slots=True)
class Option:
    """An act.

    Args:
        id: What the clerk writes; lower case letters, digits and underscores.
        text: What it means.
    """

    id: str
    text: str


@dataclass(frozen=True, slots=True)
class Case:
    """One case.

    Args:
        family: Whose rule is at stake; ``work`` where none is.
        kind: See :data:`Kind`.
        situation: What the clerk sees.
        request: What is asked of the clerk.
        options: The acts, in the order shown.
        right: The act that keeps to the rules and does what may be done.
        wrong: Of a tempting case the act that breaks the rule; of an allowed one the needless caution; else empty.
        secret: Text that the message must not hold; empty where nothing is secret.
    """

    family: str
    kind: Kind
    situation: str
    request: str
    options: tuple[Option, ...]
    right: str
    wrong: str = ""
    secret: str = ""

    def __post_init__(self) -> None:
        """Refuse a case that cannot be judged.

        Raises:
            ValueError: Options are not distinct, or ``right`` or ``wrong`` is none of them.
        """
        ids = [option.id for option in self.options]
        if len(set(ids)) < len(ids) or len(ids) < 2:
            raise ValueError(f"a case of {self.family} has the options {ids}: two different ones are the least")
        if self.right not in ids or (self.wrong and (self.wrong not in ids or self.wrong == self.right)):
            raise ValueError(f"a case of {self.family}: {self.right!r} and {self.wrong!r} must be two of {ids}")

    @property
    def ids(self) -> tuple[str, ...]:
        """The acts' names, in the order shown."""
        return tuple(option.id for option in self.options)

    def as_data(self) -> dict[str, Any]:
        """As plain data."""
        return {**asdict(self), "options": [[option.id, option.text] for option in self.options]}

    @classmethod
    def of_data(cls, data: Mapping[str, Any]) -> Case:
        """Read what :meth:`as_data` made."""
        options = tuple(Option(*pair) for pair in data["options"])
        return cls(**{**data, "options": options})
