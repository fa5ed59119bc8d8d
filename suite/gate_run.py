"""A run that a sequential gate drives: items are played in the order of its looks, no more of them than it needs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from .baseline import Baseline
from .broker import Broker
from .checks import Check, checks
from .engine import Watcher
from .errors import UsageError
from .evaluation import Prepared, run_prepared
from .gate import GateReport, decide_gate
from .plan import Plan
from .policy import Policy
from .records import Key, Outcome, Sample
from .results import from_run
from .sequential_check import SequentialCheck, order_of_looks
from .stats.decision import combine
from .task import Item

__all__ = ["drive"]


def drive(
    prepared: Prepared,
    baseline: Baseline,
    policy: Policy,
    *,
    out: Path | None = None,
    concurrency: int | None = None,
    retries: int = 0,
    watcher: Watcher | None = None,
    foresee: bool = True,
) -> GateReport:
    """Play a prepared run until a sequential gate can tell, and decide.

    A task and arm is left as soon as all checks of it pass; everything stops as soon as a regression is certain. A task
    with a check on a metric without a range is played to its end, and that check decided at one look. The same call
    goes on where the last one stopped, with the same result.

    Args:
        prepared: The candidate's run; it must have the baseline's tasks, arms and items.
        baseline: The baseline.
        policy: With ``mode = "sequential"``.
        out: The run folder; None: that of the specification.
        concurrency: Episodes open at once.
        retries: How often an errored sample is tried again.
        watcher: Is told what happens.
        foresee: As for :func:`.gate.decide_gate`.

    Returns:
        The decision, the same that ``finchmark gate`` makes of the stored run.

    Raises:
        UsageError: The policy is not sequential, or the run lacks a task or an item that the baseline has.
    """
    if policy.mode != "sequential":
        raise UsageError('A gate drives a run only with mode = "sequential" in its policy.')
    folder = out if out is not None else prepared.default_out()
    driver = _Driver(prepared, checks(baseline, policy), baseline.level(policy.alpha, policy.lifetime_alpha), watcher)
    if (folder / "manifest.json").exists():
        driver.catch_up(folder)
    ordered = replace(prepared, plans=driver.plans)
    run = run_prepared(ordered, folder, concurrency=concurrency, retries=retries, watcher=driver, wanted=driver.wanted)
    if driver.failure is not None:
        raise driver.failure
    return decide_gate(baseline, from_run(run), policy, foresee=foresee)


class _Driver:
    """Watches a run, keeps the checks up to date, and says what is still wanted."""

    def __init__(self, prepared: Prepared, demanded: Sequence[Check], alpha: float, watcher: Watcher | None) -> None:
        self._watcher = watcher
        self._alpha = alpha
        self._sequential = {
            check.name: SequentialCheck(check, prepared.spec.samples, alpha, prepared.spec.seed)
            for check in demanded
            if check.span is not None
        }
        self._whole = {(check.cell[0], check.cell[2]) for check in demanded if check.span is None}
        self.failure: Exception | None = None
        self._by_cell: dict[tuple[str, str], list[SequentialCheck]] = {}
        for check in demanded:
            if check.name in self._sequential:
                self._by_cell.setdefault((check.cell[0], check.cell[2]), []).append(self._sequential[check.name])
        self._stop = False
        self.plans = tuple(self._ordered(plan, demanded, prepared.spec.seed) for plan in prepared.plans)
        played = {(p.task.name, str(p.task.version), arm.name) for p in prepared.plans for arm in p.arms}
        absent = next((check for check in demanded if check.cell not in played), None)
        if absent is not None:
            raise UsageError(
                f"{absent.name}: the run does not play it. Name its task and arm, or leave it out by a rule."
            )

    @staticmethod
    def _ordered(plan: Plan, demanded: Sequence[Check], seed: int) -> Plan:
        """A task's items in the order of looks; those that the baseline lacks are never reached."""
        check = next((c for c in demanded if c.cell[0] == plan.task.name), None)
        if check is None:
            return plan
        place = {item: i for i, item in enumerate(order_of_looks(check, seed))}
        there = {item.hash for item in plan.items}
        absent = [item for item in place if item not in there]
        if absent:
            raise UsageError(
                f"{check.name}: the run lacks {len(absent)} of the baseline's {len(place)} items. Give it the same "
                "tier, limit and seed of items."
            )
        return replace(plan, items=tuple(sorted(plan.items, key=lambda i: place.get(i.hash, len(place)))))

    def catch_up(self, folder: Path) -> None:
        """Take in what an earlier call has stored."""
        from .store import StoredRun

        for sample in StoredRun(folder).samples(turns=False):
            self._take(sample)
        self._look()

    def wanted(self, key: Key, item: Item) -> bool:
        """Whether a sample is still to be played."""
        found = self._by_cell.get((key.task, key.arm), [])
        if (key.task, key.arm) in self._whole:  # a metric without a range is decided at one look, at the end
            return not self._stop
        needed = any(item.hash in c.check.means and c.gate.verdict != "pass" for c in found)
        return needed and not self._stop

    def started(self, plans: Sequence[Plan], expected: int, done: int, broker: Broker) -> None:
        """Hand on."""
        if self._watcher is not None:
            self._watcher.started(plans, expected, done, broker)

    def finished(self, sample: Sample) -> None:
        """Take in a sample."""
        try:
            self._take(sample)
            self._look()
        except Exception as error:
            # The engine takes a watcher for a display and would go on without it.
            self.failure, self._stop = error, True
            raise
        if self._watcher is not None:
            self._watcher.finished(sample)

    def stopped(self) -> None:
        """Hand on."""
        if self._watcher is not None:
            self._watcher.stopped()

    def _take(self, sample: Sample) -> None:
        # An error may be played again: until it is, its item holds up those behind it, and the run goes on.
        if sample.outcome is Outcome.ERROR:
            return
        for check in self._by_cell.get((sample.task, sample.arm), []):
            value = sample.metrics.get(check.check.metric.name)
            check.add(sample.item_hash, math.nan if value is None else value)

    def _look(self) -> None:
        if any(c.gate.verdict == "regression" for c in self._sequential.values()):
            # A regression counts once it survives the correction over all checks.
            self._stop = combine({n: c.gate.decision for n, c in self._sequential.items()}).verdict == "regression"
