"""What a test session keeps for its runs: where they are, and what is told of them at the end."""

from __future__ import annotations

import json
import math
import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .claims import Claim
    from .engine import Watcher
    from .evaluation import Prepared
    from .gate import GateReport
    from .run_cache import RunCache
    from .store import StoredRun

__all__ = ["ItemHome", "forget", "table_lines"]

_CACHE = pytest.StashKey["RunCache"]()
_TEMPORARY = pytest.StashKey[Path]()
_SESSION = pytest.StashKey[str]()
_WAIT = 0.5


class ItemHome:
    """The home of one test's runs. Implements :class:`.run_home.RunHome`.

    Verdicts become user properties of the test: xdist carries them over and JUnit XML holds them.
    """

    def __init__(self, item: pytest.Item) -> None:
        self._item = item

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
        """Play a run in the session's cache, or in the folder that the test names, once nobody else is at it."""
        if out is None:
            return run_cache(self._item.config).play(
                prepared, include=include, concurrency=concurrency, retries=retries, watcher=watcher
            )
        from .errors import RunLocked
        from .evaluation import run_prepared

        while True:
            try:
                return run_prepared(prepared, out, concurrency=concurrency, retries=retries, watcher=watcher), False
            except RunLocked:
                # Another worker of xdist. Its lock is free when it ends, however it ends.
                time.sleep(_WAIT)

    def notice_run(self, run: StoredRun, found: bool) -> None:
        """Note what was played, and how its samples ended."""
        manifest = run.manifest
        names = "+".join(choice.name for choice in manifest.spec.tasks)
        self._note(
            f"run {names} {manifest.spec_hash[:8]}",
            kind="run",
            model=manifest.label,
            tier=manifest.spec.tier,
            folder=str(run.path),
            spec=manifest.spec_hash,
            created=manifest.created,
            found=found,
            **run.counts(),
        )

    def notice_claim(self, claim: Claim) -> None:
        """Note a claim."""
        self._note(
            claim.name,
            kind="claim",
            check=claim.name,
            verdict=claim.verdict,
            estimate=_finite(claim.estimate),
            low=_finite(claim.low),
            high=_finite(claim.high),
            confidence=claim.confidence,
            method=claim.method,
            unit=claim.unit,
            units=claim.units,
            samples=claim.samples,
            invalid=claim.invalid,
            refused=claim.refused,
            lost=claim.lost,
            more=claim.more,
        )

    def notice_gate(self, report: GateReport, baseline: Path) -> None:
        """Note a gate: a line a check."""
        from .gate import verdict_words

        chances = {f.check: f.passes for f in report.forecasts}
        for look in report.looks:
            d = look.decision
            self._note(
                f"gate {baseline.name} {look.check.name}",
                kind="gate",
                check=f"{look.check.name} against {baseline.name}",
                verdict=d.verdict + (" (worse within the margin)" if d.worse_within_margin else ""),
                estimate=_finite(d.difference),
                low=_finite(d.low),
                high=_finite(d.high),
                margin=look.check.margin,
                confidence=1 - report.alpha,
                method=d.method,
                unit="item",
                units=d.units,
                passes_unchanged=_finite(chances.get(look.check.name, math.nan)),
            )
        if not report.looks:
            self._note(
                f"gate {baseline.name}",
                kind="gate",
                check=f"gate against {baseline.name}",
                verdict=report.verdict,
                words=verdict_words(report),
                faults=list(report.faults),
            )

    def _note(self, name: str, **data: Any) -> None:
        text = json.dumps(data, ensure_ascii=False, allow_nan=False)
        properties = self._item.user_properties
        key = f"finchmark {name}"
        properties[:] = [entry for entry in properties if entry[0] != key]
        properties.append((key, text))


def run_cache(config: pytest.Config) -> RunCache:
    """The session's cache of runs: below pytest's own cache, or where that is switched off, a temporary folder."""
    if _CACHE not in config.stash:
        from .run_cache import RunCache

        cache = getattr(config, "cache", None)
        if cache is not None:
            folder = Path(cache.mkdir("finchmark"))
        else:
            folder = config.stash[_TEMPORARY] = Path(tempfile.mkdtemp(prefix="finchmark-"))
        config.stash[_CACHE] = RunCache(folder, _session(config), fresh=bool(config.getoption("--finchmark-fresh")))
    return config.stash[_CACHE]


def _session(config: pytest.Config) -> str:
    """Names the session; the same in all of xdist's workers."""
    if _SESSION not in config.stash:
        shared = getattr(config, "workerinput", {}).get("testrunuid")
        config.stash[_SESSION] = str(shared or f"{os.getpid()}-{uuid.uuid4().hex}")
    return config.stash[_SESSION]


def forget(config: pytest.Config) -> None:
    """Delete runs that were kept in a temporary folder."""
    folder = config.stash.get(_TEMPORARY, None)
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)


def table_lines(rows: Sequence[tuple[str, dict[str, Any]]]) -> Iterator[str]:
    """The table at the end of a session: a line a check, and one a run.

    Args:
        rows: Test and noted data.
    """
    judged = [(node, row) for node, row in rows if row["kind"] != "run"]
    cells = [("test", "check", "verdict", "estimate [one-sided bounds]", "units")]
    for node, row in judged:
        units = "" if row.get("units") is None else f"{row['units']} {row['unit']}{'' if row['units'] == 1 else 's'}"
        more = f", needs about {row['more']:,} more" if row.get("more") else ""
        cells.append((node, row["check"], row["verdict"] + more, _interval(row), units))
    if judged:
        widths = [max(len(line[i]) for line in cells) for i in range(len(cells[0]))]
        for line in cells:
            yield "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
    runs: dict[str, dict[str, Any]] = {}
    for _, row in rows:
        if row["kind"] == "run":
            # A run that one test played and the next found was played in this session.
            runs[row["folder"]] = {**row, "found": row["found"] and runs.get(row["folder"], row)["found"]}
    for row in runs.values():
        counts = ", ".join(f"{row[name]} {name}" for name in ("ok", "invalid", "refused", "error") if row.get(name))
        source = f"FOUND, played {row['created']}; --finchmark-fresh plays it again" if row["found"] else "played now"
        yield f"{row['model']}, {row['tier']}: {counts or 'no samples'}; {source}: {row['folder']}"


def _interval(row: dict[str, Any]) -> str:
    if row.get("estimate") is None:
        return ""
    low, high = ("" if row[k] is None else f"{row[k]:.3g}" for k in ("low", "high"))
    return f"{row['estimate']:.3g} [{low}, {high}]"


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
