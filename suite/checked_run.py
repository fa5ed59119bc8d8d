"""``finchmark.run``: a run with assertions that hold statistically, for tests and scripts.

>>> result = finchmark.run("odyssey/lights", "scripted:oracle", tier="gate", samples=1)
>>> result.assert_at_least("success", 0.9, confidence=0.95)
>>> result.assert_no_regression("baselines/lights.json")
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import FinchmarkError, UsageError
from .run_home import HOME

if TYPE_CHECKING:
    from .backends.base import Backend
    from .claims import Claim, Side
    from .engine import Watcher
    from .evaluation import Prepared
    from .gate import GateReport
    from .policy import Policy
    from .results import Cell, Results
    from .store import StoredRun

__all__ = ["CheckedRun", "CouldNotRun", "gate_words", "play", "run"]


class CouldNotRun(FinchmarkError):
    """A run is no ground for a verdict: too many samples were lost, or items are missing. Nothing was decided."""

    exit_code = 4


@dataclass(frozen=True, eq=False)
class CheckedRun:
    """A finished run and what may be asserted of it.

    Attributes:
        run: The run on disk: ``.frame()``, ``.samples()``, ``.manifest``.
        found: Whether it was not played now but found in a test session's cache.
    """

    run: StoredRun
    found: bool = False

    @cached_property
    def results(self) -> Results:
        """The run as a comparison sees it."""
        from .results import from_run

        return from_run(self.run)

    def claims(
        self,
        metric: str,
        side: Side,
        level: float,
        *,
        confidence: float = 0.95,
        arm: str | None = None,
        task: str | None = None,
    ) -> tuple[Claim, ...]:
        """Judge a claim in every task and arm that is meant, without raising for what the data say.

        Args:
            metric: Name of the metric.
            side: ``at least`` or ``at most``.
            level: The level, in the metric's unit.
            confidence: Of each one-sided bound, in (0.5, 1).
            arm: Only this arm; None: all that were played, each for itself, never pooled.
            task: Only this task; None: all.

        Raises:
            CouldNotRun: Over 2 % of the samples were lost: they are not lost at random.
            UsageError: A name or number does not fit.
        """
        from .claims import judge

        cells = self._cells(arm, task)
        for cell in cells:
            self._check_lost(cell)
        judged = tuple(judge(cell, metric, side, level, confidence=confidence) for cell in cells)
        home = HOME.get()
        if home is not None:
            for claim in judged:
                home.notice_claim(claim)
        return judged

    def assert_at_least(
        self,
        metric: str,
        level: float,
        confidence: float = 0.95,
        *,
        arm: str | None = None,
        task: str | None = None,
    ) -> tuple[Claim, ...]:
        """Assert that a metric's mean over new items is at least ``level``: its lower bound must be.

        With several tasks or arms all must reach it, which needs no correction.

        Args:
            metric: Name of the metric.
            level: The level, in the metric's unit.
            confidence: Of the one-sided bound, in (0.5, 1).
            arm: Only this arm; None: all.
            task: Only this task; None: all.

        Returns:
            The claims, one a task and arm.

        Raises:
            AssertionError: It is shown to be below, or the data cannot tell; the message says which, and how many more
                items would.
            CouldNotRun: Over 2 % of the samples were lost.
            UsageError: A name or number does not fit.
        """
        __tracebackhide__ = True
        return _hold(self.claims(metric, "at least", level, confidence=confidence, arm=arm, task=task))

    def assert_at_most(
        self,
        metric: str,
        level: float,
        confidence: float = 0.95,
        *,
        arm: str | None = None,
        task: str | None = None,
    ) -> tuple[Claim, ...]:
        """Assert that a metric's mean over new items is at most ``level``: its upper bound must be.

        Args, returns and errors as for :meth:`assert_at_least`.
        """
        __tracebackhide__ = True
        return _hold(self.claims(metric, "at most", level, confidence=confidence, arm=arm, task=task))

    def gate(
        self, baseline: str | os.PathLike[str], policy: Policy | str | os.PathLike[str] | None = None
    ) -> GateReport:
        """Decide by a gate, as ``finchmark gate`` does, without raising for what the data say.

        Args:
            baseline: The file that ``finchmark baseline`` made.
            policy: A policy, its TOML file, or None for the default policy.

        Raises:
            UsageError: A file is missing or does not fit.
        """
        from .baseline import read_baseline
        from .gate import decide_gate
        from .policy import Policy, read_policy

        path = Path(baseline)
        if not path.exists():
            raise UsageError(
                f"{path}: there is no baseline. If this run is to be held on to, "
                f"`finchmark baseline {self.run.path} > {path}` makes one; commit it."
            )
        if policy is None:
            policy = Policy()
        elif not isinstance(policy, Policy):
            policy = read_policy(Path(policy))
        report = decide_gate(read_baseline(path), self.results, policy)
        home = HOME.get()
        if home is not None:
            home.notice_gate(report, path)
        return report

    def assert_no_regression(
        self, baseline: str | os.PathLike[str], policy: Policy | str | os.PathLike[str] | None = None
    ) -> GateReport:
        """Assert that the run may take a baseline's place.

        Args:
            baseline: The file that ``finchmark baseline`` made.
            policy: A policy, its TOML file, or None for the default policy.

        Returns:
            The gate's report.

        Raises:
            AssertionError: A regression, or inconclusive where the policy stops that; with the gate's text.
            CouldNotRun: The gate could not decide: items are missing, or samples lost.
            UsageError: A file is missing or does not fit; for a missing baseline with the command that makes one.
        """
        __tracebackhide__ = True
        report = self.gate(baseline, policy)
        if report.failed:
            text = gate_words(report)
            raise CouldNotRun(text) if report.verdict == "could not run" else AssertionError(text)
        return report

    def _cells(self, arm: str | None, task: str | None) -> list[Cell]:
        cells = [c for c in self.results.cells if arm in (None, c.arm) and task in (None, c.task)]
        if not cells:
            played = ", ".join(dict.fromkeys(c.name for c in self.results.cells)) or "nothing"
            wanted = " and ".join(f"{k} {v!r}" for k, v in (("task", task), ("arm", arm)) if v is not None)
            raise UsageError(f"{self.run.path}: the run has no {wanted or 'task'}; it played {played}.")
        return cells

    def _check_lost(self, cell: Cell) -> None:
        from .records import MAX_LOST

        if cell.expected and cell.errors / cell.expected > MAX_LOST:
            raise CouldNotRun(
                f"{cell.name}: {cell.errors} of {cell.expected} samples were lost to errors, over "
                f"{100 * MAX_LOST:g} %; what is lost is not lost at random, so nothing is decided. "
                f"`finchmark show {self.run.path} --sample error` shows one; the same call plays them again."
            )


def gate_words(report: GateReport) -> str:
    """What a gate could find, and what it found, as text."""
    from ..reports.gate import forecast_text, gate_text

    return "\n".join(part for part in (forecast_text(report.forecasts), gate_text(report)) if part)


def _hold(judged: tuple[Claim, ...]) -> tuple[Claim, ...]:
    __tracebackhide__ = True  # pytest then shows the caller's line, not this one
    failed = [claim.words for claim in judged if claim.verdict != "shown"]
    if failed:
        raise AssertionError("\n".join(failed))
    return judged


def run(
    tasks: str | Sequence[str],
    backend: str | Backend,
    *,
    out: str | Path | None = None,
    concurrency: int | None = None,
    retries: int = 0,
    watcher: Watcher | None = None,
    **options: Any,
) -> CheckedRun:
    """Evaluate one model on some tasks, and return the run with its assertions.

    Args:
        tasks: Task names or selectors.
        backend: ``"hf:smollm2"``, ``"scripted:random"`` …, or a :class:`Backend`.
        out: The run folder. By default one below ``runs/`` named after the specification; under pytest one of the
            session's cache, where an equal run of before is found again (``--finchmark-fresh`` plays it anew).
        concurrency: Episodes open at once; None: what the backend makes good use of.
        retries: How often an errored sample is tried again within this call.
        watcher: Is told what happens.
        **options: As for :func:`finchmark.evaluate`: ``arms``, ``tier``, ``samples``, ``limit``, ``seed`` …

    Raises:
        UsageError: A name or value does not fit.
    """
    from .evaluation import prepare

    return play(
        prepare(tasks, backend, **options),
        out=out,
        include=options.get("include", ()),
        concurrency=concurrency,
        retries=retries,
        watcher=watcher,
    )


def play(
    prepared: Prepared,
    *,
    out: str | Path | None = None,
    include: Sequence[str | Path] = (),
    concurrency: int | None = None,
    retries: int = 0,
    watcher: Watcher | None = None,
) -> CheckedRun:
    """Play a prepared run where the session wants it.

    Args:
        prepared: The run.
        out: As for :func:`run`.
        include: Files that were included for it.
        concurrency: As for :func:`run`.
        retries: Likewise.
        watcher: Likewise.
    """
    from .evaluation import run_prepared

    home, folder = HOME.get(), None if out is None else Path(out)
    if home is None:
        stored = run_prepared(prepared, folder, concurrency=concurrency, retries=retries, watcher=watcher)
        return CheckedRun(stored)
    stored, found = home.play(
        prepared, folder, include=include, concurrency=concurrency, retries=retries, watcher=watcher
    )
    home.notice_run(stored, found)
    return CheckedRun(stored, found)
