"""The openai backend beside a bare aiohttp loop against the same server, which runs in a process of its own.

    python tests/benchmarks/bench_openai.py            # speed, about 2 minutes
    python tests/benchmarks/bench_openai.py --memory   # 100,000 requests and the memory of this process

Bounds: at least 0.9 of the bare loop at 256 concurrent and 20 ms of latency, at least 0.95 of the ideal (256 requests a
second) at 1 s of latency, memory flat over 100,000 requests. The bare loop posts the same body and reads the reply's
text; rounds alternate and the median ratio of neighbouring rounds counts, because a busy machine slows both.
"""

# ruff: noqa: T201 - a bench prints what it measures

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import aiohttp

from finchmark.suite.backends.base import GenerateRequest, Message
from finchmark.suite.backends.openai import OpenAIBackend
from finchmark.suite.broker import Broker

SERVER = Path(__file__).parents[1] / "suite" / "backends" / "faulty_server.py"
PROMPT = "Which of the seven lamps is lit? " * 20
CONCURRENT = 256


@contextmanager
def server(latency):
    """A server in a process of its own; gives its address."""
    process = subprocess.Popen(
        [sys.executable, str(SERVER), "--latency", str(latency)], stdout=subprocess.PIPE, text=True
    )
    try:
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait()


def requests(count):
    """Requests that differ by their seed."""
    return (GenerateRequest((Message("user", PROMPT),), f"s{n}", n, 64, stop=("</action>",)) for n in range(count))


async def through(ask, count):
    """Requests a second with 256 workers."""
    waiting = requests(count)

    async def work():
        for request in waiting:
            await ask(request)

    begun = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(CONCURRENT)))
    return count / (time.perf_counter() - begun)


async def bare(url, count):
    """What one would write without us."""
    connector = aiohttp.TCPConnector(limit=CONCURRENT)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=600)) as session:

        async def ask(request):
            body = {
                "model": "toy",
                "messages": [{"role": "user", "content": PROMPT}],
                "max_tokens": 64,
                "temperature": 1.0,
                "top_p": 1.0,
                "seed": request.seed,
                "stop": ["</action>"],
            }
            async with session.post(f"{url}/chat/completions", json=body) as answer:
                answer.raise_for_status()
                return (await answer.json())["choices"][0]["message"]["content"]

        await through(ask, CONCURRENT)
        return await through(ask, count)


async def ours(url, count, *, broker=False):
    """The backend, alone or behind the broker."""
    backend = OpenAIBackend("toy", base_url=url, concurrency=CONCURRENT)
    await backend.start()
    try:
        ask = Broker(backend).generate if broker else backend.generate
        await through(ask, CONCURRENT)
        rate = await through(ask, count)
        assert backend.counts["retries"] == 0, backend.counts
        return rate
    finally:
        await backend.aclose()


def speed(rounds, count):
    """Both bounds."""
    with server(0.02) as url:
        pairs = [
            (asyncio.run(bare(url, count)), asyncio.run(ours(url, count)), asyncio.run(ours(url, count, broker=True)))
            for _ in range(rounds)
        ]
    print(f"20 ms, {CONCURRENT} concurrent, {count} requests a round, {rounds} rounds; load {os.getloadavg()[0]:.1f}")
    names = ("bare aiohttp loop", "openai backend", "behind the broker")
    for k, name in enumerate(names):
        ratio = statistics.median(p[k] / p[0] for p in pairs)
        rate = statistics.median(p[k] for p in pairs)
        each = " ".join(f"{p[k] / p[0]:.2f}" for p in pairs)
        print(f"  {name:18} {rate:7.0f} requests/s   {ratio:.2f} of the bare loop ({each})")
    print("  bound              0.90")
    with server(1.0) as url:
        for name, run in (("bare aiohttp loop", bare), ("openai backend", ours)):
            rate = asyncio.run(run(url, 12 * CONCURRENT))
            print(
                f"1 s, {CONCURRENT} concurrent: {name:18} {rate:.0f} requests/s, {rate / CONCURRENT:.3f} of the ideal"
            )
    print("  bound              0.95")


def resident():
    """Memory of this process in MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


async def _memory(url, total, every):
    backend = OpenAIBackend("toy", base_url=url, concurrency=CONCURRENT)
    await backend.start()
    seen = []
    try:
        for done in range(0, total, every):
            rate = await through(backend.generate, every)
            seen.append(resident())
            print(f"  {done + every:7} requests  {seen[-1]:7.1f} MiB  {rate:6.0f} requests/s", flush=True)
    finally:
        await backend.aclose()
    return seen


def memory(total):
    """Resident memory after each tenth of the requests."""
    with server(0.0) as url:
        seen = asyncio.run(_memory(url, total, total // 10))
    print(json.dumps({"after_the_first_tenth": seen[0], "after_all": seen[-1], "growth_MiB": seen[-1] - seen[0]}))


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--memory", action="store_true")
    arguments.add_argument("--rounds", type=int, default=7)
    arguments.add_argument("--requests", type=int, default=3000)
    arguments.add_argument("--total", type=int, default=100_000)
    given = arguments.parse_args()
    if given.memory:
        memory(given.total)
    else:
        speed(given.rounds, given.requests)
