"""The rules of one lights world: for every bulb the condition under which its switch works."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...suite.errors import UsageError
from .logic import Expression, ExpressionError, in_words, parse, to_text
from .quotes import quote

__all__ = ["MAX_BULBS", "LightsRules", "describe_rules"]

MAX_BULBS = 64

_GRAMMAR = "A rule is True, False, a bulb such as B0, `not RULE`, `(RULE and RULE)` or `(RULE or RULE)`."


def _need(holds: bool, message: str) -> None:
    if not holds:
        raise UsageError(f"Lights config: {message}")


@dataclass(frozen=True, slots=True)
class LightsRules:
    """A validated config. A state is a bit mask: bit k is 1 while bulb k is on.

    Args:
        conditions: For bulb 0, 1, …, the expression that must hold for its switch to work, in either direction.
    """

    conditions: tuple[Expression, ...]

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> LightsRules:
        """Read a config.

        Args:
            config: ``{"level": n, "custom_logic": {"B0": rule, …, "B<n-1>": rule}}``; the order of the bulbs and
                further keys (``idx``) do not matter. The grammar of a rule is that of :mod:`.logic`. A rule may name
                its own bulb, and rules may depend on each other in circles; such a world may have no solution.

        Returns:
            The rules.

        Raises:
            UsageError: The config is malformed; the message names the bulb, the rule and what would be right.
        """
        _need(isinstance(config, Mapping), f"a mapping is needed, not {type(config).__name__}.")
        for key in ("level", "custom_logic"):
            _need(key in config, f"{key!r} is missing; it has the keys 'level' and 'custom_logic'.")
        level, logic = config["level"], config["custom_logic"]
        _need(
            isinstance(level, int) and not isinstance(level, bool) and 1 <= level <= MAX_BULBS,
            f"'level' is the number of bulbs, a whole number from 1 to {MAX_BULBS}, not {quote(repr(level))}.",
        )
        _need(
            isinstance(logic, Mapping),
            f"'custom_logic' maps bulbs to rules, as in {{'B0': 'True'}}; it is {type(logic).__name__}.",
        )
        names = [f"B{index}" for index in range(level)]
        for name in names:
            _need(
                name in logic, f"'custom_logic' has no rule for {name}; with level {level} it needs B0 to B{level - 1}."
            )
        for name in logic:
            _need(
                name in names,
                f"'custom_logic' has a rule for {quote(str(name))}, but with level {level} the bulbs are "
                f"B0 to B{level - 1}. Remove it or raise 'level'.",
            )
        return cls(tuple(_condition(name, logic[name], level) for name in names))

    @property
    def level(self) -> int:
        """The number of bulbs."""
        return len(self.conditions)

    @property
    def goal(self) -> int:
        """The state in which every bulb is on."""
        return (1 << len(self.conditions)) - 1

    def to_config(self) -> dict[str, Any]:
        """Write the rules as a config, bulbs in the order of their numbers."""
        return {
            "level": self.level,
            "custom_logic": {f"B{index}": to_text(condition) for index, condition in enumerate(self.conditions)},
        }

    def press(self, bulb: int, mask: int) -> int:
        """Press a bulb's switch.

        Args:
            bulb: The bulb's number, from 0 to ``level - 1``.
            mask: The state before.

        Returns:
            The state after; equal to ``mask`` if the bulb's condition does not hold in it.
        """
        return mask ^ (1 << bulb) if self.conditions[bulb].holds(mask) else mask


def _condition(name: str, rule: Any, level: int) -> Expression:
    _need(isinstance(rule, str), f"the rule of {name} is text, as in 'not B0', not {quote(repr(rule))}. {_GRAMMAR}")
    try:
        condition = parse(rule)
    except ExpressionError as error:
        raise UsageError(
            f"Lights config: the rule of {name}, {quote(rule, 80)}, cannot be read: {error}. {_GRAMMAR}"
        ) from error
    unknown = sorted(index for index in condition.bulbs() if index >= level)
    _need(
        not unknown,
        f"the rule of {name}, {quote(rule, 80)}, names B{unknown[0] if unknown else ''}, but with level {level} "
        f"the bulbs are B0 to B{level - 1}. Name one of these or raise 'level'.",
    )
    return condition


def describe_rules(config: Mapping[str, Any]) -> str:
    """Say in plain English when each switch works.

    Args:
        config: As for :meth:`LightsRules.from_config`.

    Returns:
        One line a bulb in the order of the bulbs' numbers, which says nothing about the order of a solution.

    Raises:
        UsageError: The config is malformed.
    """
    lines = []
    for index, condition in enumerate(LightsRules.from_config(config).conditions):
        words = in_words(condition)
        if words is None:
            lines.append(f"The switch of B{index} never works.")
        elif words == "always":
            lines.append(f"The switch of B{index} always works.")
        else:
            lines.append(f"The switch of B{index} works only while {words}.")
    return "\n".join(lines)
