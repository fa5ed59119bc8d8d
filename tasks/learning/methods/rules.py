"""Rules in plain sentences: what the offline optimiser writes, the offline executor follows, and a model can read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Rules"]

_OPENING = re.compile(r"^Begin with: (.+)\.$")
_PREFER = re.compile(r"^Prefer (.+), about ([0-9]+(?:\.[0-9]+)?) times as often as others\.$")
_AVOID = re.compile(r"^Avoid (.+)\.$")
_WHEN = re.compile(r'^When you read "(.+)", do (.+)\.$')


@dataclass(frozen=True)
class Rules:
    """Advice that can be followed without understanding language.

    Actions are written as the world writes them.

    Attributes:
        opening: The first actions of an episode.
        when: Pairs of a piece of one line of what is shown, and the action to take where it stands there.
        weights: How often an action is drawn, in comparison with one that is not named (1); 0: never.
    """

    opening: tuple[str, ...] = ()
    when: tuple[tuple[str, str], ...] = ()
    weights: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def read(cls, text: str) -> Rules:
        """Read the lines that are rules; all others are left to those who understand them."""
        opening: tuple[str, ...] = ()
        when: list[tuple[str, str]] = []
        weights: dict[str, float] = {}
        for line in text.splitlines():
            line = line.strip()
            if found := _OPENING.match(line):
                opening = tuple(part.strip() for part in found[1].split(";"))
            elif found := _PREFER.match(line):
                weights[found[1]] = float(found[2])
            elif found := _AVOID.match(line):
                weights[found[1]] = 0.0
            elif found := _WHEN.match(line):
                when.append((found[1], found[2]))
        return cls(opening, tuple(when), weights)

    def text(self) -> str:
        """The rules as sentences, one a line; :meth:`read` gives them back."""
        lines = [f"Begin with: {'; '.join(self.opening)}."] if self.opening else []
        lines += [f'When you read "{shown}", do {action}.' for shown, action in self.when]
        ranked = sorted(self.weights.items(), key=lambda pair: (-pair[1], pair[0]))
        lines += [
            f"Prefer {action}, about {weight:.2f} times as often as others." if weight else f"Avoid {action}."
            for action, weight in ranked
        ]
        return "\n".join(lines)
