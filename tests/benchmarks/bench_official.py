"""Official CreativeBench rows in the sandbox: who passes, what doing nothing earns, and how long it takes.

    python tests/benchmarks/bench_official.py ../shared/data/creativebench/explore_first60.jsonl \
        --sandbox-python VENV [--rewrites] [--workers 2]

Prints, for the rows of an Explore file: how many references pass and the seconds that it takes to judge all rows
(identical pairs of candidate and tests run once), how many programs pass that
do nothing (a stub, `exit(0)`, `__name__`), the released metric on rewrites that change nothing (section 8 of the
authors' own sources has these numbers for 200 rows), and with --rewrites our novelty of every behaviour-preserving
rewrite of every reference (minutes). Read the load first; processor seconds hold under load, elapsed ones do not.
"""

# ruff: noqa: T201 - a bench prints what it measures

import argparse
import ast
import asyncio
import collections
import math
import os
import re
import resource
import time
from pathlib import Path

from finchmark.suite.sandbox import open_sandbox
from finchmark.suite.sandbox.interpreter import inventory
from finchmark.suite.sandbox.verdicts import Verdicts
from finchmark.tasks.creativebench.canonical import entries_of
from finchmark.tasks.creativebench.compat import released
from finchmark.tasks.creativebench.official import read_rows
from finchmark.tasks.creativebench.rewrites import rewritten
from finchmark.tasks.creativebench.workshop import Workshop

NOTE = {  # the authors' 200 rows, by the unmodified evaluator
    "identity": 0.000, "parse and unparse": 0.152, "spaces to tabs": 0.238, "local names": 0.295,
    "no docstrings, no comments": 0.507, "a 5 kB junk comment": 0.797, "another problem's reference": 0.923,
}  # fmt: skip


def nothing(row):
    """Programs that do nothing and pass where a verdict can be forged."""
    entries = entries_of(row.reference, row.tests)
    for name, value in (("None", "None"), ("0", "0"), ("True", "True"), ("empty text", "''"), ("empty list", "[]")):
        yield f"stub {name}", "".join(f"def {entry}(*a, **k):\n    return {value}\n" for entry in entries)
    yield "os._exit(0)", "import os\nos._exit(0)\n"
    yield "sys.exit(0)", "import sys\nsys.exit(0)\n"
    yield "__name__", "__name__ = 'candidate'\n"
    yield "empty", ""


def without_comments(code):
    """A program without comments and docstrings, written anew."""
    tree = ast.parse(code)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.body:
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)


def renamed(code):
    """Every name that a function assigns or takes, by a number."""
    own = {}
    for function in ast.walk(ast.parse(code)):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            for node in ast.walk(function):
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                    own.setdefault(node.id, f"v{len(own)}")
                elif isinstance(node, ast.arg) and node.arg not in ("self", "cls"):
                    own.setdefault(node.arg, f"v{len(own)}")
    return re.sub(r"\b[A-Za-z_]\w*\b", lambda m: own.get(m[0], m[0]), code)


def table(rows):
    """The released metric on references against themselves, rewritten without another thought in them."""
    junk = "# " + " ".join(f"{k:x}{k * k:x}" for k in range(700)) + "\n"
    ways = {
        "identity": lambda code: code,
        "parse and unparse": lambda code: ast.unparse(ast.parse(code)),
        "spaces to tabs": lambda code: code.replace("    ", "\t"),
        "local names": renamed,
        "no docstrings, no comments": without_comments,
        "a 5 kB junk comment": lambda code: junk[:5000] + "\n" + code,
    }
    levels = [row for row in rows if row.level]
    for name, way in ways.items():
        yield name, math.fsum(released(way(row.reference), row.reference) for row in levels) / len(levels)
    one = {row.problem: row.reference for row in rows}
    pairs = [(a, b) for a in one for b in one if a < b]
    yield "another problem's reference", math.fsum(released(one[a], one[b]) for a, b in pairs) / len(pairs)


async def main(given):
    """Print the figures."""
    rows = read_rows(given.data)
    python = None if given.sandbox_python is None else str(given.sandbox_python)
    print(f"load {os.getloadavg()[0]:.1f} on {len(os.sched_getaffinity(0))} processors; {inventory(python).text()}")
    problems = {row.problem: row for row in rows}
    before = resource.getrusage(resource.RUSAGE_SELF)
    started = time.monotonic()
    async with open_sandbox("auto", python=python, workers=given.workers) as sandbox:
        verdicts = Verdicts(sandbox)
        made = await asyncio.gather(*(verdicts.judge(row.reference, row.tests) for row in rows))
        wall = time.monotonic() - started
    after = resource.getrusage(resource.RUSAGE_SELF)
    host = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    cells = math.fsum({id(verdict): verdict.cpu_s for verdict in made}.values())
    passed = {row.problem for row, verdict in zip(rows, made, strict=True) if verdict.passed}
    print(f"references: {sum(v.passed for v in made)} of {len(rows)} rows, {len(passed)} of {len(problems)} problems")
    for row, verdict in zip(rows, made, strict=True):
        if not verdict.passed:
            print(f"  {row.id}: {verdict.status} {verdict.reason} {verdict.error} {verdict.detail[:100]}")
    print(
        f"judged in {wall:.1f} s elapsed: {cells:.1f} s of processors in cells, {host:.1f} s in the host; "
        f"{verdicts.spared} of {verdicts.asked} spared; the longest:"
    )
    slow = sorted({(v.wall_s, v.cpu_s, row.problem) for row, v in zip(rows, made, strict=True)}, reverse=True)
    print("  " + ", ".join(f"{name} {w:.1f} s ({c:.1f} s)" for w, c, name in slow[:4]))
    async with open_sandbox("auto", python=python, workers=given.workers) as sandbox:
        shop = Workshop(sandbox)
        tried = [(kind, row, code) for row in problems.values() for kind, code in nothing(row)]
        results = await asyncio.gather(*(shop.judge(code, row.tests) for _, row, code in tried))
        count = collections.Counter(kind for kind, _, _ in tried)
        passing = collections.Counter(kind for (kind, _, _), v in zip(tried, results, strict=True) if v.passed)
        print("programs that do nothing: " + ", ".join(f"{kind} {passing[kind]}/{n}" for kind, n in count.items()))
        print("the released metric, levels from 1 (in brackets: 200 rows, from the note):")
        for name, value in table(rows):
            print(f"  {name:30s} {value:.3f}  ({NOTE[name]:.3f})")
        if given.rewrites:
            await rewrites(shop, problems)


async def rewrites(shop, problems):
    """Our novelty of every reference and of every rewrite of it, less the allowance."""

    async def one(row):
        entries = entries_of(row.reference, row.tests)
        bank = await shop.bank([row.reference], row.tests, entries)
        same = await shop.novelty(row.reference, row.tests, bank)
        found = {}
        for name, text in rewritten(row.reference, entries).items():
            verdict = await shop.judge(text, row.tests)
            # A rewrite that fails the tests is no rewrite: it has no quality, and earns nothing.
            found[name] = (await shop.novelty(text, row.tests, bank)).novelty if verdict.passed else None
        return row.problem, same.novelty, bank.allowance, found

    started = time.monotonic()
    worst, tried, broken = (0.0, ""), 0, []
    for done in asyncio.as_completed([one(row) for row in problems.values()]):
        name, same, allowance, found = await done
        scored = {kind: value for kind, value in found.items() if value is not None}
        top = max(scored, key=scored.__getitem__, default="")
        tried += len(scored)
        broken += [f"{name}: {kind}" for kind in found if kind not in scored]
        print(
            f"  {name}: identity {same:.3f}, allowance {allowance:.3f}, {len(scored)} rewrites, "
            f"at most {scored.get(top, 0):.3f} {top}",
            flush=True,
        )
        worst = max(worst, (max(same, scored.get(top, 0.0)), f"{name}: {top}"))
    print(f"{tried} rewrites, the largest novelty {worst[0]:.3f} ({worst[1]}); {time.monotonic() - started:.0f} s")
    print(f"{len(broken)} rewrites do not pass: {', '.join(broken) or 'none'}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("--sandbox-python", type=Path)
    parser.add_argument("--rewrites", action="store_true")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    asyncio.run(main(parser.parse_args()))
