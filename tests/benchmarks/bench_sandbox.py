"""How many executions the sandbox makes a second.

    python tests/benchmarks/bench_sandbox.py [--kind bubblewrap] [--seconds 5] [--workers 2]

Small candidates: a program alone (one cell), a test of one (two cells, one for the candidate and one for the tests),
and the same where the control runs too (four cells). Read the load first: the figures are for quiet processors.
"""

# ruff: noqa: T201 - a bench prints what it measures

import argparse
import asyncio
import os
import resource
import subprocess
import sys
import time

from finchmark.suite.sandbox.sandbox import Sandbox

PROGRAM = "def f(x):\n    return 2 * x\n"
TESTS = "def test():\n    assert f(4) == 8\n    assert f(0) == 0\n"
CLASS = (
    "class Box:\n    def __init__(s, x): s.x = x\n    def __eq__(s, o): return s.x == o\ndef f(x): return Box(2 * x)\n"
)
ARRAYS = "import numpy as np\ndef f(x):\n    return int(np.add(x, x))\n"


async def rate(sandbox, seconds, call):
    """Calls a second, from as many callers as there are workers."""
    await asyncio.gather(*(call() for _ in range(sandbox.workers)))
    end, made = time.monotonic() + seconds, 0

    async def caller():
        nonlocal made
        while time.monotonic() < end:
            result = await call()
            assert getattr(result, "passed", None) or getattr(result, "ok", None), result
            made += 1

    started = time.monotonic()
    await asyncio.gather(*(caller() for _ in range(sandbox.workers)))
    return made / (time.monotonic() - started)


async def main(arguments):
    """Print the rates."""
    cores = len(os.sched_getaffinity(0))
    print(f"load {os.getloadavg()[0]:.1f} on {cores} processors, {arguments.workers} workers, {arguments.kind}")
    async with Sandbox(arguments.kind, workers=arguments.workers, packages=("numpy",)) as sandbox:
        for name, executions, call in (
            ("a program alone", 1, lambda: sandbox.run(PROGRAM, call="f", args=(4,))),
            ("a test", 1, lambda: sandbox.judge(PROGRAM, TESTS)),
            ("a test and its control", 2, lambda: sandbox.judge(CLASS, TESTS)),
            ("a test with numpy", 1, lambda: sandbox.judge(ARRAYS, TESTS)),
        ):
            made = await rate(sandbox, arguments.seconds, call)
            print(f"{name:24s} {made:7.1f} a second, {made * executions:7.1f} executions a second", flush=True)
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(f"the host itself used {used.ru_utime + used.ru_stime:.1f} s")
    started = time.monotonic()
    for _ in range(10):
        subprocess.run([sys.executable, "-I", "-c", PROGRAM], check=True)
    print(f"for scale: a fresh interpreter {10 / (time.monotonic() - started):.1f} a second, one at a time")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--kind", default="bubblewrap", choices=("bubblewrap", "process"))
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    asyncio.run(main(parser.parse_args()))
