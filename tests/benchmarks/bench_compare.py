"""Time to compare two runs of 100,000 samples: ``python tests/benchmarks/bench_compare.py [--samples 100000]``.

Makes two stored runs (1,000 items x 100 samples, 5 metrics, no turns), then reads and compares them. Prints seconds of
each part beside a fixed calibration loop in pure Python, since the machine is shared. Goal: under 5 s.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import sys
import tempfile
import time
from pathlib import Path

import finchmark
from finchmark.suite.comparison import compare
from finchmark.suite.results import read_results
from finchmark.suite.seeds import generator


def calibration() -> float:
    """Seconds of ten million additions."""
    start = time.perf_counter()
    total = 0
    for i in range(10_000_000):
        total += i
    return time.perf_counter() - start


def grow(run: Path, items: int, samples: int, shift: float) -> None:
    """Fill a run's store with made-up samples of many items; its manifest follows."""
    manifest = json.loads((run / "manifest.json").read_text())
    spec = manifest["spec"]
    spec["samples"] = samples
    spec["tasks"][0]["items"] = items
    (run / "manifest.json").write_text(json.dumps(manifest))
    with sqlite3.connect(run / "samples.sqlite") as db:
        names = [row[1] for row in db.execute("PRAGMA table_info(samples)")]
        first = dict(zip(names, db.execute("SELECT * FROM samples LIMIT 1").fetchone(), strict=True))
        db.execute("DELETE FROM samples")
        db.execute("DELETE FROM turns")
        rng = generator("bench compare", str(shift))
        rates = generator("bench compare rates").beta(1, 1, items)
        rows = []
        for i in range(items):
            hits = rng.random(samples) < min(max(rates[i] + shift, 0), 1)
            for k in range(samples):
                row = {**first, "item": f"i{i:05d}", "item_hash": f"{i:016x}", "sample": k}
                row["id"] = i * samples + k
                metrics = {**json.loads(first["metrics"]), "success": float(hits[k])}
                rows.append(tuple({**row, "metrics": json.dumps(metrics)}[name] for name in names))
        marks = ",".join("?" * len(names))
        db.executemany(f"INSERT INTO samples VALUES ({marks})", rows)


def say(line: str) -> None:
    """Print a line."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=100_000)
    total = parser.parse_args().samples
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / name for name in ("a", "b")]
        for path, shift in zip(paths, (0.0, 0.02), strict=True):
            finchmark.evaluate(
                "odyssey/lights", "scripted:random", arms=["inductive"], tier="smoke", samples=1, limit=1, out=path
            )
            grow(path, total // 100, 100, shift)
        say(f"calibration loop: {calibration():.2f} s")
        start = time.perf_counter()
        results = [read_results(path) for path in paths]
        read = time.perf_counter() - start
        start = time.perf_counter()
        found = compare(results)
        say(f"two runs of {total:,} samples: read {read:.2f} s, compared {time.perf_counter() - start:.2f} s")
        row = found.deciding[0]
        say(f"{row.metric}: {row.difference.estimate:+.4f} over {row.difference.units} items: {row.words}")


if __name__ == "__main__":
    main()
