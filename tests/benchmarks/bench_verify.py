"""How long the check of a submission takes, and how much memory: `python tests/benchmarks/bench_verify.py`.

Plays runs of a scripted policy on the gate tiers (with what the tiers cost to generate) and verifies each in a process
of its own. Prints samples and turns a second of CPU time, and the most memory that the check held.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

RUNS = {"odyssey/lights": 16, "odyssey/trade": 8, "odyssey/repo": 8, "odyssey/energy": 8}

CHECK = """
import json, resource, sys, time
from finchmark.leaderboard.verify import verify
before = time.process_time()
found = verify(sys.argv[1])
seconds = time.process_time() - before
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps([found.fully_replayed, found.samples, found.checked[-1], seconds, memory]))
"""


def main() -> None:
    """Print one line a run."""
    from finchmark.suite.evaluation import evaluate

    with tempfile.TemporaryDirectory() as folder:
        for task, samples in RUNS.items():
            run = Path(folder) / task.replace("/", "-")
            evaluate(task, "scripted:random", tier="gate", limit=20, samples=samples, out=run)
            size = (run / "samples.sqlite").stat().st_size / 2**20
            done = subprocess.run([sys.executable, "-c", CHECK, str(run)], capture_output=True, text=True, check=True)
            replayed, count, told, seconds, memory = json.loads(done.stdout)
            turns = int(told.split(" samples, ")[1].split(" turns")[0])
            print(  # noqa: T201 - a bench prints its figures
                f"{task}: {count} samples, {turns} turns, {size:.1f} MiB, replayed {replayed}: {seconds:.2f} s CPU, "
                f"{count / seconds:.0f} samples/s, {turns / seconds:.0f} turns/s, {memory:.0f} MiB at most"
            )


if __name__ == "__main__":
    main()
