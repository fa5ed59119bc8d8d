"""Candidates: values of an agent's components, where they come from, and what was changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any, Literal

from ....suite.canonical import content_hash
from ....suite.errors import StoreError

__all__ = ["COMPONENTS", "Candidate", "Component", "lineage"]

Component = Literal["prompt", "agent"]

COMPONENTS: Mapping[Component, str] = MappingProxyType(
    {
        "prompt": "advice that stands after the world's instructions; the agent's code stays as it is",
        "agent": "the agent's code, run in the sandbox; empty: the agent that the experiment names",
    }
)
"""What of an agent can be changed, with one line each."""


@dataclass(frozen=True)
class Candidate:
    """One setting of an agent's components.

    Equal contents are one candidate, whoever wrote them: an edit that changes nothing makes no new one, and so cannot
    be lucky a second time.

    Attributes:
        values: The text of each component; a component that is not there is empty.
        parent: The id of the candidate that it was made of; None for the first.
        iteration: When; 0 for the first.
        change: What was changed, in the optimiser's words.
    """

    values: Mapping[Component, str] = field(default_factory=dict)
    parent: str | None = None
    iteration: int = 0
    change: str = ""

    @cached_property
    def id(self) -> str:
        """Hash of the contents that are not empty, 16 hexadecimal digits."""
        return content_hash({name: text for name, text in self.values.items() if text}, digits=16)

    def value(self, component: Component) -> str:
        """The text of a component."""
        return self.values.get(component, "")

    def edited(self, component: Component, text: str, *, iteration: int, change: str) -> Candidate:
        """A child with another text of one component."""
        return Candidate({**self.values, component: text}, self.id, iteration, change)

    def data(self) -> dict[str, Any]:
        """The candidate as plain data."""
        return {
            "id": self.id,
            "parent": self.parent,
            "iteration": self.iteration,
            "change": self.change,
            "values": dict(self.values),
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Candidate:
        """Make a candidate of :meth:`data`.

        Raises:
            StoreError: Its contents are not those that its id names.
        """
        made = cls(dict(data["values"]), data["parent"], data["iteration"], data["change"])
        if made.id != data["id"]:
            raise StoreError(f"The candidate {data['id']} has the contents of {made.id}: its file was changed.")
        return made


def lineage(pool: Iterable[Candidate], id: str) -> tuple[Candidate, ...]:
    """The ancestors of a candidate and itself, the first one first.

    Args:
        pool: Candidates of one method.
        id: One of theirs.

    Raises:
        StoreError: A candidate of the line is not in the pool.
    """
    known = {candidate.id: candidate for candidate in pool}
    line: list[Candidate] = []
    at: str | None = id
    while at is not None:
        if at not in known:
            raise StoreError(f"The candidate {at} is not in the pool of {len(known)}: its lineage is broken.")
        line.append(known[at])
        at = known[at].parent
    return tuple(reversed(line))
