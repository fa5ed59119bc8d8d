"""What people see while a run goes on: a live display on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TextIO

from .broker import Broker
from .engine import Watcher
from .plan import Plan
from .records import Metric, Outcome, Sample

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["LiveProgress", "PlainProgress", "make_watcher"]


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds + 0.5), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class _Tally:
    """Counts what has been stored in this call, by task and arm."""

    def __init__(self) -> None:
        self.plans: Sequence[Plan] = ()
        self.expected = self.before = self.done = 0
        self.errors = self.invalid = self.samples = 0
        self.broker: Broker | None = None
        self.begun = time.monotonic()
        self.primary: dict[str, Metric] = {}
        self.values: dict[tuple[str, str], list[tuple[str, float]]] = defaultdict(list)

    def start(self, plans: Sequence[Plan], expected: int, done: int, broker: Broker) -> None:
        self.plans, self.expected, self.before, self.broker = plans, expected, done, broker
        self.primary = {p.task.name: next(m for m in p.task.metrics if m.primary) for p in plans}
        fixed = sum(plan.expected(0) for plan in plans)
        each = sum(plan.expected(1) for plan in plans) - fixed
        self.samples = (expected - fixed) // max(1, each)
        self.begun = time.monotonic()

    def add(self, sample: Sample) -> None:
        if sample.outcome is Outcome.ERROR:
            self.errors += 1
            return
        self.done += 1
        self.invalid += sample.outcome is Outcome.INVALID
        value = sample.metrics.get(self.primary[sample.task].name)
        if value is not None:
            self.values[sample.task, sample.arm].append((sample.item, value))

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.begun

    def notice(self) -> str:
        """What the backend has to say at the moment: that it waits for a server, what was spent."""
        spent = self.broker.stats().get("cost", 0.0) if self.broker else 0.0
        said = self.broker.backend.notice() if self.broker else ""
        return "; ".join(part for part in (said, f"${spent:.4f} spent" if spent else "") if part)

    def eta(self) -> str:
        left = self.expected - self.before - self.done
        return _clock(self.seconds / self.done * left) if self.done and left else ("0:00" if not left else "?")

    def mean(self, key: tuple[str, str]) -> tuple[int, float, float, float]:
        """Samples, mean over items, and the interval so far (of this call's samples only)."""
        from .stats import mean_interval

        # A copy: the display's thread reads while the run's adds.
        metric, rows = self.primary[key[0]], list(self.values[key])
        interval = mean_interval(
            [v for _, v in rows], [i for i, _ in rows], kind=metric.kind, low=metric.low, high=metric.high
        )
        return len(rows), interval.estimate, interval.low, interval.high


class PlainProgress(Watcher):
    """Prints a line now and then: for logs, pipes and CI.

    Args:
        out: Where to.
        every: Seconds between lines.
    """

    def __init__(self, out: TextIO | None = None, every: float = 10.0) -> None:
        self._out, self._every = out or sys.stderr, every
        self._tally, self._last = _Tally(), 0.0

    def _line(self) -> None:
        t = self._tally
        rate = t.broker.stats()["tokens_per_second"] if t.broker else 0.0
        speed = f", {rate:.0f} tokens/s" if rate else ""
        errors = f", {t.errors} errors" if t.errors else ""
        notice = t.notice()
        print(
            f"{t.before + t.done}/{t.expected} samples{errors}, {_clock(t.seconds)} elapsed, {t.eta()} left{speed}"
            + (f"; {notice}" if notice else ""),
            file=self._out,
            flush=True,
        )

    def started(self, plans: Sequence[Plan], expected: int, done: int, broker: Broker) -> None:
        """Say how much there is to do."""
        self._tally = _Tally()  # one display may see several runs, one after another
        self._tally.start(plans, expected, done, broker)
        self._last = time.monotonic()
        if done:
            print(f"{done} of {expected} samples are there already; going on.", file=self._out)

    def finished(self, sample: Sample) -> None:
        """Print a line if the last one is old enough."""
        self._tally.add(sample)
        if time.monotonic() - self._last >= self._every:
            self._last = time.monotonic()
            self._line()

    def stopped(self) -> None:
        """Print the last line."""
        self._line()


class LiveProgress(Watcher):
    """A live table on a terminal: samples done, the mean of each task and arm so far, speed, batch fill, time left."""

    def __init__(self) -> None:
        self._tally = _Tally()
        self._live: Any = None
        self._cells: dict[tuple[str, str], tuple[int, str]] = {}

    def _render(self) -> RenderableType:
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        t = self._tally
        table = Table(box=None, pad_edge=False, header_style="dim")
        for name, side in (("task", "left"), ("arm", "left"), ("samples", "right"), ("so far", "left")):
            table.add_column(name, justify=side)  # pyright: ignore[reportArgumentType] - a literal, through a tuple
        for plan in t.plans:
            for arm in plan.arms:
                key = (plan.task.name, arm.name)
                total = plan.expected(t.samples) // len(plan.arms)
                table.add_row(key[0], key[1], f"{len(t.values[key])}/{total}", self._cell(key))
        stats = t.broker.stats() if t.broker else {}
        parts = [f"{t.before + t.done}/{t.expected} samples", f"{_clock(t.seconds)} elapsed", f"{t.eta()} left"]
        if stats.get("tokens_per_second"):
            parts.append(f"{stats['tokens_per_second']:.0f} tokens/s")
        if "batch_fill" in stats:
            parts.append(f"batch {100 * stats['batch_fill']:.0f} % full")
        if t.invalid:
            parts.append(f"{t.invalid} invalid")
        if t.errors:
            parts.append(f"{t.errors} errors")
        notice = t.notice()
        if notice:
            parts.append(notice)
        bar = ProgressBar(total=max(1, t.expected), completed=t.before + t.done, width=32)
        foot = Table.grid(padding=(0, 1))
        foot.add_row(bar, Text(" · ".join(parts), style="dim"))
        return Group(table, foot)

    def _cell(self, key: tuple[str, str]) -> str:
        count = len(self._tally.values[key])
        if not count:
            return "…"
        known = self._cells.get(key)
        if known is None or known[0] != count:
            _, mean, low, high = self._tally.mean(key)
            name = self._tally.primary[key[0]].name
            known = self._cells[key] = (count, f"{name} {mean:.3f} [{low:.3f}, {high:.3f}]")
        return known[1]

    def started(self, plans: Sequence[Plan], expected: int, done: int, broker: Broker) -> None:
        """Open the display."""
        from rich.console import Console
        from rich.live import Live

        self._tally, self._cells = _Tally(), {}
        self._tally.start(plans, expected, done, broker)
        self._live = Live(
            get_renderable=self._render, console=Console(stderr=True), refresh_per_second=4, redirect_stdout=False
        )
        self._live.start()

    def finished(self, sample: Sample) -> None:
        """Count a sample; the display shows it at its next refresh."""
        self._tally.add(sample)

    def stopped(self) -> None:
        """Leave the last state on the screen."""
        if self._live is not None:
            self._live.stop()


def make_watcher(quiet: bool) -> Watcher | None:
    """The display that fits: none if ``quiet``, live on a terminal, plain lines elsewhere."""
    if quiet:
        return None
    return LiveProgress() if sys.stderr.isatty() else PlainProgress()
