"""What one execution may use at most."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields

__all__ = ["Limits"]


@dataclass(frozen=True, slots=True)
class Limits:
    """What one execution may use at most. Every process that the candidate starts counts towards it.

    Args:
        cpu_s: Processor time of the candidate's process tree, in seconds.
        wall_s: Elapsed time of the whole execution, tests included, in seconds; less what the machine kept it waiting
            for a processor, so that a busy machine makes an execution last, at most 10 times as long, and decides
            nothing.
        memory_mb: Memory of the tree, in MiB; also the address space of each single process beyond what the warm
            parent holds already.
        processes: Processes and threads of the tree.
        files: Open files of one process.
        file_mb: Size of one written file, in MiB.
        output_kb: Kept bytes of standard output, and of standard error, in KiB each. Writing more ends the execution.
        value_kb: Size of a value sent back by `Sandbox.run`, in KiB.

    Raises:
        ValueError: A limit is not above 0.
    """

    cpu_s: float = 10.0
    wall_s: float = 20.0
    memory_mb: int = 2048
    processes: int = 32
    files: int = 64
    file_mb: int = 32
    output_kb: int = 256
    value_kb: int = 1024

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not value > 0:
                raise ValueError(f"the limit {field.name} must be above 0, got {value!r}")

    def as_message(self) -> dict[str, float]:
        """These limits as plain data, for the process inside the boundary."""
        return asdict(self)
