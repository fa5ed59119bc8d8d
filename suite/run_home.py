"""Where checked runs live while something hosts them: a test session gives them a folder and hears their verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from .claims import Claim
    from .engine import Watcher
    from .evaluation import Prepared
    from .gate import GateReport
    from .store import StoredRun

__all__ = ["HOME", "RunHome"]


class RunHome(Protocol):
    """What hosts runs. The pytest plug-in sets one for the time of every test."""

    def play(
        self,
        prepared: Prepared,
        out: Path | None,
        *,
        include: Sequence[str | Path],
        concurrency: int | None,
        retries: int,
        watcher: Watcher | None,
    ) -> tuple[StoredRun, bool]:
        """Play a run, or find it played.

        Returns:
            The run, and whether it was found.
        """
        ...

    def notice_run(self, run: StoredRun, found: bool) -> None:
        """Hear of a run."""
        ...

    def notice_claim(self, claim: Claim) -> None:
        """Hear of a claim that was judged."""
        ...

    def notice_gate(self, report: GateReport, baseline: Path) -> None:
        """Hear of a gate that was decided."""
        ...


HOME: ContextVar[RunHome | None] = ContextVar("finchmark_home", default=None)
"""The host, None without one."""
