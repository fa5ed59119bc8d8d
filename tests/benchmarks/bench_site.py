"""How long a large leaderboard takes, and how big its pages are.

    python tests/benchmarks/bench_site.py                       # 50 runs x 20 tasks
    python tests/benchmarks/bench_site.py --models 20 --keep /tmp/site

Runs are synthetic and written with RunWriter: models of different skill on items of different difficulty, so that
ranks, groups and flips look as they do in earnest. Target: 50 runs x 20 tasks in under 20 s; no page above 300 kB for
20 models x 20 tasks. On a busy machine the processor's seconds say more than the clock's.
"""

# ruff: noqa: T201 - a bench prints what it measures

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from finchmark.leaderboard.lineup import lineup
from finchmark.leaderboard.site import build, pages
from finchmark.suite.canonical import content_hash
from finchmark.suite.records import (
    BackendChoice,
    Level,
    Manifest,
    Metric,
    Outcome,
    RunSpec,
    Sample,
    Sampling,
    TaskChoice,
    TaskSheet,
    Usage,
)
from finchmark.suite.seeds import generator
from finchmark.suite.store import RunWriter, StoredRun

METRICS = (
    Metric(name="success", summary="share solved", kind="binary", failure=0.0, primary=True),
    Metric(name="steps", summary="turns to success", direction="lower", high=None, unit="turns"),
    Metric(name="unusable_rate", summary="share of unusable turns", direction="lower", chance=0.0, ceiling=0.0),
    Metric(name="loop_ratio", summary="share of repeated actions", direction="lower"),
)
FAMILIES = ("odyssey", "creativebench", "games", "stochastic")


def write_run(folder: Path, number: int, models: int, tasks: int, items: int, samples: int) -> Path:
    """Write one run: model ``number`` of ``models`` on all tasks."""
    names = [f"{FAMILIES[t % len(FAMILIES)]}/world-{t:02d}" for t in range(tasks)]
    sheets = {
        name: TaskSheet(
            name=name,
            version=1,
            summary="A synthetic world whose rules must be found out by acting in it.",
            metrics=METRICS,
            arms={"default": ""},
            levels={"default": {"success": Level(chance=0.1, ceiling=1.0, exact=True)}},
        )
        for name in names
    }
    label = f"lab-{number % 7}/model-{number:02d}"
    spec = RunSpec(
        tasks=tuple(
            TaskChoice(name=n, version=1, arms=("default",), items=items, items_hash=content_hash(n)[:16])
            for n in names
        ),
        tier="lite",
        samples=samples,
        seed=number,
        backend=BackendChoice(name="openai", model=label),
        sampling=Sampling(temperature=0.0 if number % 3 == 0 else 0.7),
    )
    stamp = "2026-01-02T03:04:05+00:00"
    manifest = Manifest(
        finchmark="0.1.0",
        label=label,
        created=stamp,
        updated=stamp,
        complete=True,
        spec=spec,
        spec_hash=spec.hash,
        tasks=sheets,
    )
    rng = generator("bench-site", number)
    skill = number / max(models - 1, 1)
    path = folder / f"run-{number:02d}"
    with RunWriter(path, manifest) as writer:
        # One transaction for all: the bench is about reading.
        writer._db.execute("PRAGMA synchronous = OFF")
        for t, name in enumerate(names):
            hard = generator("bench-site-items", t).uniform(0, 1, items)
            chance = 1 / (1 + np.exp(-4 * (skill - hard) - rng.normal(0, 0.3)))
            for i in range(items):
                for k in range(samples):
                    lost = rng.random() < 0.003
                    won = bool(rng.random() < chance[i])
                    metrics = {
                        "success": float(won),
                        "steps": float(rng.integers(5, 60)) if won else None,
                        "unusable_rate": round(float(rng.uniform(0, 0.2)), 3),
                        "loop_ratio": round(float(rng.uniform(0, 0.5)), 3),
                    }
                    writer.append(
                        Sample(
                            task=name, version=1, arm="default", item=f"world-{t:02d}-{i:03d}",
                            item_hash=content_hash([t, i])[:16], sample=k, seed=int(rng.integers(2**31)),
                            outcome=Outcome.ERROR if lost else Outcome.OK,
                            metrics=dict.fromkeys(metrics) if lost else metrics,
                            usage=Usage(calls=20, prompt_tokens=9000, completion_tokens=700, cost=0.004),
                        )
                    )  # fmt: skip
    return path


def main() -> None:
    """Run the bench and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, default=50)
    parser.add_argument("--tasks", type=int, default=20)
    parser.add_argument("--items", type=int, default=60)
    parser.add_argument("--samples", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="write the runs and the site here")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.keep or Path(temporary)
        paths = sorted((folder / "runs").glob("run-*"))
        if len(paths) != args.models:
            start = time.perf_counter()
            paths = [
                write_run(folder / "runs", n, args.models, args.tasks, args.items, args.samples)
                for n in range(args.models)
            ]
            print(f"writing the runs        {time.perf_counter() - start:7.2f} s (not counted)")
        start, used = time.perf_counter(), time.process_time()
        runs = [StoredRun(path) for path in paths]
        made = lineup(runs)
        computed, after = time.perf_counter(), time.process_time()
        count = sum(1 for _ in pages(made))
        rendered, ready = time.perf_counter(), time.process_time()
        print(f"reading and computing   {computed - start:7.2f} s, processor {after - used:.2f} s")
        print(f"rendering {count:4} pages    {rendered - computed:7.2f} s, processor {ready - after:.2f} s")
        start, used = time.perf_counter(), time.process_time()
        index = build([StoredRun(path) for path in paths], folder / "site")
        took, worked = time.perf_counter() - start, time.process_time() - used
        print(f"build, from the folders {took:7.2f} s, processor {worked:.2f} s")
        sizes: dict[str, list[int]] = {}
        for file in index.parent.iterdir():
            kind = file.name.partition("-")[0] if "-" in file.name else file.name
            sizes.setdefault(kind, []).append(file.stat().st_size)
        for kind, found in sorted(sizes.items()):
            print(f"{kind:16} {len(found):4} files, largest {max(found) / 1000:8.1f} kB")


if __name__ == "__main__":
    main()
