"""What people may say about Ray: where it is, how many workers there are, and what each of them gets."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import UsageError

__all__ = ["EXECUTORS", "RayOptions"]

EXECUTORS = ("local", "ray")
"""Names of executors."""


@dataclass(frozen=True, slots=True)
class RayOptions:
    """How a run is placed on a Ray cluster. None of it decides a number.

    Args:
        address: ``HOST:PORT``, ``ray://HOST:PORT``, ``auto`` (a cluster that this machine belongs to), ``local`` (a Ray
            of our own on this machine, for the time of the run). None: the variable ``RAY_ADDRESS``, else ``local``.
        workers: How many there are; None: as many as fit on the cluster.
        cpus: Cores that each gets.
        gpus: GPUs that each gets, may be a part of one; None: one for ``hf`` where the cluster has any, else none.

    Raises:
        UsageError: A number is out of range.
    """

    address: str | None = None
    workers: int | None = None
    cpus: float = 1.0
    gpus: float | None = None

    def __post_init__(self) -> None:
        if self.workers is not None and self.workers < 1:
            raise UsageError(f"ray-workers must be at least 1, not {self.workers}.")
        if self.cpus < 0 or (self.gpus or 0) < 0:
            raise UsageError(f"ray-cpus and ray-gpus must be at least 0, not {self.cpus} and {self.gpus}.")
        if not self.cpus and not self.gpus:
            raise UsageError("--ray-cpus 0 leaves a worker nothing to run on; give it --ray-gpus, or cores.")
