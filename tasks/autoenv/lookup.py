"""The family ``autoenv``: its one task exists only with a checkout, so lists and conformance checks leave it out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...suite.errors import UnknownName

if TYPE_CHECKING:
    from ...suite.task import Task

__all__ = ["NAME", "expand", "make_task"]

NAME = "autoenv/levels"


def expand(selector: str) -> list[str]:
    """The task that a selector of the family stands for.

    Raises:
        UnknownName: None.
    """
    if selector not in ("autoenv", "autoenv/*", NAME):
        raise UnknownName("task", selector, [NAME])
    return [NAME]


def make_task(name: str) -> type[Task]:
    """The task's class.

    Raises:
        UnknownName: There is no such task.
    """
    from .task import AutoenvLevels

    if name != NAME:
        raise UnknownName("task", name, [NAME])
    return AutoenvLevels
