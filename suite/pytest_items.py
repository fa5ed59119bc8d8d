"""Evaluation files as pytest sees them, and what the fixture gives."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from .checked_run import CheckedRun, CouldNotRun, gate_words, play, run
from .claims import check_claim
from .errors import FinchmarkError, UsageError
from .eval_file import EvalTask, read_eval_file

if TYPE_CHECKING:
    from .backends.base import Backend
    from .claims import Side
    from .gate import GateReport
    from .policy import Policy
    from .runfile import RunOptions

__all__ = ["EvalFile", "EvalItem", "RunFixture"]


class EvalFile(pytest.File):
    """A file ``eval_*.yaml``."""

    def collect(self) -> Iterator[EvalItem]:
        """One item a task.

        Raises:
            CollectError: The file does not say what it must.
        """
        try:
            tasks = read_eval_file(self.path)
        except UsageError as error:
            raise self.CollectError(str(error)) from None
        for task in tasks:
            yield EvalItem.from_parent(self, name=task.name, task=task)


class EvalItem(pytest.Item):
    """A task of an evaluation file.

    It is played in the set-up, so that a backend that fails is an error and no failed test; what the data say is the
    test itself.
    """

    def __init__(self, *, task: EvalTask, **rest: Any) -> None:
        super().__init__(**rest)
        self.task = task
        self._failed: list[str] = []

    def setup(self) -> None:
        """Play, and judge.

        Raises:
            Failed: The run could not be played, or is no ground for a verdict.
        """
        wrong = None
        try:
            self._play()
        except FinchmarkError as error:
            wrong = str(error)
        if wrong is not None:
            # Of a set-up that raises pytest shows our own lines; nobody needs them who reads the message.
            pytest.fail(wrong, pytrace=False)

    def _play(self) -> None:
        task, option = self.task, self.config.getoption
        chosen = task.run_options(backend=option("--finchmark-backend"), samples=option("--finchmark-samples"))
        policy = task.read_policy()
        if task.baseline is not None:
            if not task.baseline.exists():
                raise UsageError(_no_baseline(task, chosen))
            self._forecast(task.baseline, policy, chosen.options.get("samples", 4))
        prepared = chosen.prepare()
        sides: tuple[tuple[Side, Mapping[str, float]], ...] = (("at least", task.at_least), ("at most", task.at_most))
        demands: list[tuple[Side, str, float]] = []
        for side, levels in sides:
            for metric, level in levels.items():
                demands.append((side, metric, level))
        for plan in prepared.plans:
            for side, metric, level in demands:
                check_claim(plan.task.name, plan.task.metrics, metric, side, level, task.confidence)
        result = play(
            prepared,
            include=chosen.options.get("include", ()),
            concurrency=chosen.concurrency,
            retries=chosen.retries,
        )
        for side, metric, level in demands:
            judged = result.claims(metric, side, level, confidence=task.confidence)
            self._failed += [claim.words for claim in judged if claim.verdict != "shown"]
        if task.baseline is not None:
            self._judge(result.gate(task.baseline, policy))

    def _forecast(self, file: Path, policy: Policy, samples: int) -> None:
        """Keep what the gate could find, reckoned before anything is spent; shown if the test fails."""
        from ..reports.gate import forecast_text
        from .baseline import read_baseline
        from .checks import checks
        from .forecast import forecast

        baseline = read_baseline(file)
        alpha = baseline.level(policy.alpha, policy.lifetime_alpha)
        found = [forecast(c, len(c.means), samples, policy, alpha) for c in checks(baseline, policy)]
        self.add_report_section("setup", "finchmark: before anything was played", forecast_text(found))

    def _judge(self, report: GateReport) -> None:
        if report.verdict == "could not run":
            raise CouldNotRun(gate_words(report))
        if report.failed:
            self._failed.append(gate_words(report))

    def runtest(self) -> None:
        """Fail with what was not shown."""
        if self._failed:
            raise AssertionError("\n".join(self._failed))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Say what was not shown, without the lines of our code."""
        if isinstance(excinfo.value, AssertionError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[os.PathLike[str] | str, int | None, str]:
        """Where the task stands."""
        return self.path, self.task.line - 1, self.name


class RunFixture:
    """The fixture ``finchmark_run``.

    Args:
        node: The test.
    """

    def __init__(self, node: pytest.Item) -> None:
        self._node = node

    def __call__(
        self, tasks: str | Sequence[str] | None = None, backend: str | Backend | None = None, **options: Any
    ) -> CheckedRun:
        """Play a run, or find it played.

        Args:
            tasks: As for :func:`finchmark.run`; None: the marker's.
            backend: Likewise.
            **options: Likewise; over the marker's.

        Raises:
            UsageError: Task or backend are named nowhere, or something does not fit.
        """
        given: dict[str, Any] = {}
        for marker in reversed(list(self._node.iter_markers("finchmark"))):
            given.update(marker.kwargs)
            if len(marker.args) > 2:
                raise UsageError(f"{self._node.nodeid}: the marker finchmark takes tasks and backend, then names.")
            given.update(zip(("tasks", "backend"), marker.args, strict=False))
        own = {"tasks": tasks, "backend": backend, **options}
        given.update({k: v for k, v in own.items() if v is not None})
        for name in ("backend", "samples"):
            chosen = self._node.config.getoption(f"--finchmark-{name}")
            if chosen is not None:
                given[name] = chosen
        for name, hint in (("tasks", ""), ("backend", ", or by --finchmark-backend")):
            if name not in given:
                raise UsageError(
                    f"{self._node.nodeid}: {name} must be named, in the call or by @pytest.mark.finchmark{hint}."
                )
        return run(given.pop("tasks"), given.pop("backend"), **given)


def _no_baseline(task: EvalTask, chosen: RunOptions) -> str:
    """Say how a baseline is made that fits the task."""
    words = ["finchmark", "run", task.name, "--backend", chosen.backend]
    for name, value in chosen.options.items():
        flag = f"--{name.replace('_', '-')}"
        if name == "arms":
            words += [part for arm in value for part in ("--arm", arm)]
        elif name == "include":
            words += [part for file in value for part in (flag, str(file))]
        elif name in ("model_args", "agent_args"):
            words += [part for k, v in value.items() for part in (flag, f"{k}={v}")]
        elif name == "keep_thinking":
            words += [flag if value else "--drop-thinking"]
        else:
            words += [flag, str(value)]
    folder = "runs/baseline"
    return (
        f"{task.baseline}: there is no baseline. Make one of the model that is in use today, and commit it:\n"
        f"  {shlex.join([*words, '--out', folder])}\n"
        f"  finchmark baseline {folder} > {shlex.quote(str(task.baseline))}"
    )
