"""What people who watch a run on many workers see in the place of one backend."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..backends.wrapped import WrappedBackend
from ..errors import BackendError
from ..session import backend_counts

if TYPE_CHECKING:
    from ..backends.base import Backend, Completion, GenerateRequest
    from .station import Station

__all__ = ["CrewBackend"]


class CrewBackend(WrappedBackend):
    """The backends of all workers as one, to look at; it answers nothing itself.

    Args:
        inner: The backend as it was named here; never started.
    """

    def __init__(self, inner: Backend) -> None:
        super().__init__(inner)
        self.stations: Sequence[Station] = ()
        self.environments: Counter[str] = Counter()
        """How many workers ran on each environment, which is JSON."""
        self.lost = self.again = self.given_up = 0
        self.ray = ""
        self._past: Counter[str] = Counter()

    def describe(self) -> dict[str, Any]:
        """Where workers were, how many were lost, and what all backends counted."""
        counts = Counter(self._past)
        for station in self.stations:
            counts.update(_flat(station.counts))
        counts.update({"workers_lost": self.lost, "samples_again": self.again, "samples_given_up": self.given_up})
        return {
            "executor": f"ray {self.ray}".strip(),
            "workers": len(self.stations),
            "environments": [{"workers": n, **json.loads(text)} for text, n in sorted(self.environments.items())],
            "counts": dict(sorted(counts.items())),
        }

    def keep(self, station: Station) -> None:
        """Keep what a worker counted that is no more."""
        self._past.update(_flat(station.counts))
        station.counts = {}

    async def generate(self, request: GenerateRequest) -> Completion:
        """Refuse.

        Raises:
            BackendError: Always: workers ask backends of their own.
        """
        raise BackendError("the backends of a Ray run are asked by its workers only")

    def notice(self) -> str:
        """How many workers are there, where it is not all, and what the first of them has to say."""
        there = sum(station.seat.open for station in self.stations)
        said = [f"{there} of {len(self.stations)} workers"] if there < len(self.stations) else []
        said += [station.notice for station in self.stations if station.notice][:1]
        return "; ".join(said)

    def stats(self) -> dict[str, float]:
        """Means of shares, sums of all else."""
        found: dict[str, list[float]] = {}
        for station in self.stations:
            for name, value in station.stats.items():
                found.setdefault(name, []).append(value)
        shares = ("batch_fill",)
        return {
            "in_flight": float(sum(len(station.seat.aboard) for station in self.stations)),
            **{name: sum(values) / (len(values) if name in shares else 1) for name, values in found.items()},
        }


def _flat(counts: dict[str, Any]) -> dict[str, float]:
    return backend_counts({"counts": counts})
