"""The arms of wrapped tasks: their names and the temperatures that they stand for."""

from __future__ import annotations

__all__ = ["FAMILY", "GREEDY", "TEMPERATURES", "arm_at", "temperature_of"]

FAMILY = "stochastic"
"""What stands before the slash in the names of wrapped tasks."""

GREEDY = "greedy"
"""The arm of the most likely reply, asked for once."""

TEMPERATURES = (0.3, 0.7, 1.0)
"""Of the arms that sample."""


def arm_at(temperature: float) -> str:
    """The name of the arm that samples at a temperature."""
    return f"t{temperature:.1f}"


def temperature_of(arm: str) -> float:
    """The temperature that an arm's name stands for; 0 of the greedy one."""
    return 0.0 if arm == GREEDY else float(arm.removeprefix("t"))
