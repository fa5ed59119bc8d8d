"""What an experiment with methods does: which worlds and methods, how long, on how many levels, for how much."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ....suite.errors import UsageError
from .cost import Budget
from .method import METHODS, Method, find_methods

__all__ = ["Plan"]

_LEAST = {
    "iterations": 1,
    "runs": 1,
    "train": 1,
    "validation": 1,
    "test": 1,
    "samples": 1,
    "max_tokens": 1,
    "optimiser_tokens": 1,
    "most_characters": 100,
    "temperature": 0,
    "optimiser_temperature": 0,
}


@dataclass(frozen=True)
class Plan:
    """All that decides an experiment's numbers, but for its models.

    Attributes:
        worlds: Names.
        methods: Names, as :func:`.method.find_methods` takes them; all eight by default. Those that edit the code
            of the agent need the sandbox.
        iterations: T of the loop.
        runs: How often each method learns in each world from the start, with other train levels, seeds and luck. A
            run is a stream: claims about a method in these worlds rest on runs, so that one run supports none.
        train: Levels that a new candidate is evaluated on; fresh ones every iteration, the same for all methods.
        validation: Levels that a method's candidate is chosen on, and the method itself; the same throughout.
        test: Levels that are reported on; the same throughout.
        samples: Episodes on each level of validation and test.
        parents: How many candidates of a front are optimised in one iteration; None: all, as the source does.
        start: The prompt that learning starts from.
        budget: Of one method in one world and run.
        seed: All random numbers follow from it.
        levels_seed: Draws validation and test levels; 0: the world's own, whose test levels its scale was made on.
        agent: The executor's agent.
        agent_args: Its arguments.
        temperature: Of the executor.
        max_tokens: Cap on a reply of the executor.
        optimiser_temperature: Of the optimiser.
        optimiser_tokens: Cap on a reply of the optimiser.
        most_characters: Of a component.

    Raises:
        UnknownName: There is no such method.
        UsageError: A number is out of its range, or a world stands twice.
    """

    worlds: tuple[str, ...]
    methods: tuple[str, ...] = tuple(METHODS)
    iterations: int = 10
    runs: int = 1
    train: int = 5
    validation: int = 5
    test: int = 10
    samples: int = 1
    parents: int | None = None
    start: str = ""
    budget: Budget = field(default_factory=Budget)
    seed: int = 0
    levels_seed: int = 0
    agent: str = "history"
    agent_args: Mapping[str, Any] = field(default_factory=dict)
    temperature: float = 0.7
    max_tokens: int = 256
    optimiser_temperature: float = 0.7
    optimiser_tokens: int = 2_048
    most_characters: int = 6_000

    def __post_init__(self) -> None:
        if not self.worlds:
            raise UsageError("An experiment needs a world: --worlds wind-gather,vault-ship.")
        twice = sorted({name for name in self.worlds if self.worlds.count(name) > 1})
        if twice:
            raise UsageError(f"The world {twice[0]} stands twice: name it once, and ask for more --runs.")
        for name, least in _LEAST.items():
            if not getattr(self, name) >= least:
                raise UsageError(f"{name} is {getattr(self, name)!r}: at least {least}.")
        if self.parents is not None and self.parents < 1:
            raise UsageError(f"parents is {self.parents!r}: at least 1, or none for all of the front.")
        object.__setattr__(self, "methods", tuple(method.name for method in find_methods(self.methods)))

    @property
    def found(self) -> tuple[Method, ...]:
        """The methods."""
        return find_methods(self.methods)

    def most_episodes(self) -> int | None:
        """The most episodes of one world and run, budgets and what methods share left aside.

        Returns:
            None where a front is optimised as a whole: it may grow, and only a budget or ``parents`` bounds it.
        """
        each = self.train + self.validation * self.samples
        most = (self.validation + self.test) * self.samples
        for method in self.found:
            parents = 1 if method.selection == "best" else self.parents
            if parents is None:
                return None
            most += (1 + parents * self.iterations) * each + self.test * self.samples
        return most

    def data(self) -> dict[str, Any]:
        """The plan as plain data."""
        return {**asdict(self), "agent_args": dict(self.agent_args)}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Plan:
        """Make a plan of :meth:`data`; what it does not know is left out."""
        fields = {name: data[name] for name in cls.__dataclass_fields__ if name in data}
        fields |= {name: tuple(fields[name]) for name in ("worlds", "methods")}
        return cls(**{**fields, "budget": Budget(**fields["budget"])})
