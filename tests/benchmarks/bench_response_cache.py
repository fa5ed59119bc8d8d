"""What a response cache costs: a request through it, against the same request past it, to a backend that costs nothing.

    OMP_NUM_THREADS=1 python tests/benchmarks/bench_response_cache.py

Prompts are those of an episode of 12 turns, 200 to 5,000 characters with the token ids of the replies. Printed are
microseconds a request, medians of five rounds, and their ratio to one statement of SQLite that stores a row of the same
size and commits it.
"""

# ruff: noqa: T201 - a bench prints what it measures

import asyncio
import contextlib
import sqlite3
import statistics
import tempfile
import time
from pathlib import Path

from finchmark.suite.backends.base import Backend, Capabilities, Completion, GenerateRequest, Message
from finchmark.suite.backends.cached import CachedBackend
from finchmark.suite.backends.response_cache import ResponseCache

EPISODES, TURNS, ROUNDS = 100, 12, 5


class Free(Backend):
    """Answers at once."""

    name = "free"
    capabilities = Capabilities(scheduling="own", concurrency=64)

    def identity(self):
        return {"name": "free", "sha256": "0"}

    async def generate(self, request):
        return Completion("<action>3</action> " + "x" * 100, "stop", 100, 20, token_ids=tuple(range(20)))


def requests():
    made = []
    for episode in range(EPISODES):
        messages = [Message("user", f"You stand before seven lamps, {episode}. " * 4)]
        for turn in range(TURNS):
            made.append(GenerateRequest(tuple(messages), f"task/arm/{episode}/0/player", turn, 64, 0.7))
            messages += [Message("assistant", "x" * 120, tuple(range(20))), Message("user", "The lamp is on. " * 20)]
    return made


def timed(backend, asked):
    async def main():
        await backend.start()
        try:
            began = time.perf_counter()
            for request in asked:
                await backend.generate(request)
            return 1e6 * (time.perf_counter() - began) / len(asked)
        finally:
            await backend.aclose()

    return asyncio.run(main())


def statement(place, count):
    with contextlib.closing(sqlite3.connect(place, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute("CREATE TABLE rows (key BLOB PRIMARY KEY, data BLOB)")
        began = time.perf_counter()
        for number in range(count):
            db.execute("INSERT INTO rows VALUES (?, ?)", (number.to_bytes(32, "little"), b"x" * 400))
        return 1e6 * (time.perf_counter() - began) / count


def main():
    asked, rows = requests(), []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder) / "c.sqlite"
            past = timed(Free(), asked)
            miss, hit = (timed(CachedBackend(Free(), ResponseCache(place)), asked) for _ in range(2))
            rows.append((past, miss - past, hit - past, statement(Path(folder) / "s.sqlite", len(asked))))
    past, miss, hit, row = (statistics.median(column) for column in zip(*rows, strict=True))
    print(f"past the cache      {past:7.1f} us")
    print(f"kept    (a miss)    {miss:7.1f} us more, {miss / row:.1f} times a committed row ({row:.1f} us)")
    print(f"replayed (a hit)    {hit:7.1f} us more, {hit / row:.1f} times a committed row")


if __name__ == "__main__":
    main()
