"""Runs as a table sees them: in a fixed order, each under a name of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ..suite.errors import UsageError
from ..suite.records import Manifest

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Entry", "Run", "entries"]


class Run(Protocol):
    """What is read of a stored run; :class:`finchmark.suite.store.StoredRun` is one."""

    @property
    def path(self) -> Path:
        """The run folder."""
        ...

    @property
    def manifest(self) -> Manifest:
        """What was run where."""
        ...

    def frame(self) -> pd.DataFrame:
        """One row a sample."""
        ...


@dataclass(frozen=True, eq=False)
class Entry:
    """A run under its name in the table.

    Attributes:
        name: The run's label; where runs share one, with what tells them apart.
        run: The run.
        reference: Whether a scripted policy played (random, heuristic, oracle), not a model.
    """

    name: str
    run: Run
    reference: bool

    @cached_property
    def samples(self) -> pd.DataFrame:
        """The run's samples, read once."""
        return self.run.frame()

    @property
    def decoding(self) -> str:
        """How tokens were drawn: ``greedy``, ``sampled T=0.7``, or ``scripted`` where no token was."""
        if self.reference:
            return "scripted"
        sampling = self.run.manifest.spec.sampling
        if sampling.temperature == 0:
            return "greedy"
        nucleus = "" if sampling.top_p == 1 else f" top-p={sampling.top_p:g}"
        return f"sampled T={sampling.temperature:g}{nucleus}"


def entries(runs: Iterable[Run]) -> list[Entry]:
    """Order runs and give each a name that no other has.

    A label that several runs share gets the start of the specification's hash appended; runs of one specification
    get their folder's name, and at the very last a number. A folder given twice counts once.

    Args:
        runs: Stored runs, in any order.

    Returns:
        One entry a run; the same runs give the same entries whatever their order.

    Raises:
        UsageError: There is no run.
    """
    unique = {run.path.resolve(): run for run in runs}
    if not unique:
        raise UsageError("A leaderboard needs at least one run. `finchmark run` makes one.")
    ordered = sorted(
        unique.values(),
        key=lambda run: (run.manifest.label, run.manifest.spec_hash, run.path.name, str(run.path.resolve())),
    )
    additions: tuple[Callable[[Run], str], ...] = (lambda r: r.manifest.spec_hash[:8], lambda r: r.path.name)
    names = [run.manifest.label or "(no label)" for run in ordered]
    for addition in additions:
        shared = Counter(names)
        names = [
            f"{name} · {addition(run)}" if shared[name] > 1 else name for name, run in zip(names, ordered, strict=True)
        ]
    taken: set[str] = set()
    result = []
    for name, run in zip(names, ordered, strict=True):
        distinct, number = name, 2
        while distinct in taken or (distinct != name and distinct in names):
            distinct, number = f"{name} #{number}", number + 1
        taken.add(distinct)
        result.append(Entry(distinct, run, run.manifest.spec.backend.name == "scripted"))
    return result
