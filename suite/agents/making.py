"""From an agent's name to fresh agents."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..errors import UsageError
from ..registry import AGENTS
from .base import Agent

__all__ = ["agent_factory"]


def agent_factory(name: str, args: Mapping[str, Any]) -> Callable[[], Agent]:
    """Make what makes an agent; one is made at once, so that what is wrong is known before anything is spent.

    Args:
        name: As in the catalogue.
        args: Its arguments.

    Raises:
        UnknownName: There is no such agent.
        UsageError: It refuses an argument.
    """
    cls = AGENTS.load(name)

    def make() -> Agent:
        try:
            return cls(**args)
        except TypeError as error:
            raise UsageError(f"The agent {name!r} cannot be made: {error}.") from error

    make()
    return make
