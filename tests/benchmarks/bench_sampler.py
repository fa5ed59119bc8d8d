"""How many drawn specifications are worlds, and what the others fail at.

python tests/benchmarks/bench_sampler.py [--count 40] [--seed 0]
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter

from finchmark.environments.worlds.generation.sampler import sample
from finchmark.suite.stats.intervals import clopper_pearson, wilson


def main() -> None:
    """Print the yields."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    begun, passed, failed, headroom = time.process_time(), 0, Counter[str](), []
    for found in sample(given.seed, given.count):
        if found.passed and found.report is not None and found.report.scale is not None:
            passed += 1
            headroom.append(found.report.scale.headroom)
        else:
            failed[found.problem.partition(":")[0]] += 1
    seconds = time.process_time() - begun
    w, c = wilson(passed, given.count), clopper_pearson(passed, given.count)
    sys.stdout.write(
        f"{passed} of {given.count} draws are worlds: {w.estimate:.1%} (Wilson {w.low:.1%} - {w.high:.1%}, exact "
        f"{c.low:.1%} - {c.high:.1%}); {seconds / given.count:.1f} CPU seconds a draw\n"
        f"headroom of at least .25: {sum(h >= 0.25 for h in headroom)} of {passed}\n"
    )
    for check, count in failed.most_common():
        sys.stdout.write(f"failed at {check}: {count}\n")


if __name__ == "__main__":
    main()
