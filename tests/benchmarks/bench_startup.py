"""How long the command line takes to answer, as ratios to a bare interpreter, measured side by side.

    python tests/benchmarks/bench_startup.py

Bounds: ``--help`` under 8 and ``list`` under 13 times a bare interpreter.
"""

# ruff: noqa: T201 - a bench prints what it measures

import statistics
import subprocess
import sys
import time

MAIN = "from finchmark.suite.cli import main; main()"
COMMANDS = {
    "bare interpreter": ["-c", "pass"],
    "import finchmark": ["-c", "import finchmark"],
    "finchmark --help": ["-c", MAIN, "--help"],
    "finchmark list": ["-c", MAIN, "list"],
}
BOUNDS = {"finchmark --help": 8, "finchmark list": 13}


def seconds(arguments):
    began = time.perf_counter()
    subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


def main(rounds=15):
    times = {name: [] for name in COMMANDS}
    for _ in range(rounds):
        for name, arguments in COMMANDS.items():
            times[name].append(seconds(arguments))
    bare = times["bare interpreter"]
    for name, each in times.items():
        ratio = statistics.median(a / b for a, b in zip(each, bare, strict=True))
        bound = f"  (bound {BOUNDS[name]})" if name in BOUNDS else ""
        print(f"{name:18} median {statistics.median(each):.3f} s, {ratio:5.1f} x bare{bound}")


if __name__ == "__main__":
    main()
