"""What a Ray cluster costs and gives: the overhead of a sample beside one process, and how waiting for a server scales.

    python tests/benchmarks/bench_ray.py            # starts a Ray of its own on this machine; needs the extra ray
    python tests/benchmarks/bench_ray.py --dispatch # only the driver's queue, for many workers; needs no Ray
    python tests/benchmarks/bench_ray.py --store    # only what the driver's store costs, by samples; needs no Ray
    python tests/benchmarks/bench_ray.py --node     # three nodes on this machine, one of which is lost in the middle

Overhead: samples of one question to a backend that answers at once; from the first sample to the last, without the
start of workers. The driver's CPU seconds are what a large cluster is bounded by: there is one driver. Scaling: a
backend that takes 0.25 s to answer eight requests at once, as a server would, on 1, 2 and 4 workers.
"""

# ruff: noqa: T201 - a bench prints what it measures

import argparse
import asyncio
import contextlib
import os
import pickle
import resource
import sqlite3
import statistics
import tempfile
import threading
import time
from pathlib import Path
from types import MappingProxyType

from finchmark import Backend, Completion, EpisodeResult, Item, Metric, Task, Tier, evaluate
from finchmark.suite.backends.base import Capabilities
from finchmark.suite.executors.cluster import need_ray
from finchmark.suite.executors.dispatch import Dispatch, Job, Seat
from finchmark.suite.executors.options import RayOptions
from finchmark.suite.executors.ticket import Ticket
from finchmark.suite.player import Played
from finchmark.suite.records import Key
from finchmark.suite.store import RunWriter, StoredRun

ITEMS = 1000


class One(Task):
    """One question."""

    name = "bench/one"
    summary = "One question."
    tiers = MappingProxyType({"smoke": Tier("smoke", items=ITEMS, max_turns=1, max_tokens=64)})
    metrics = (Metric(name="success", summary="1", kind="binary", failure=0.0, primary=True),)

    def items(self, tier, seed):
        return [Item(f"{n:05d}", {"number": n}) for n in range(tier.items)]

    async def episode(self, ctx):
        await ctx.ask(f"{ctx.item.id}: a question of about the length that a question has, and a little more.")
        return EpisodeResult({"success": 1.0})


class Server(Backend):
    """Answers after a while."""

    name = "bench-server"
    placement = frozenset({"delay", "at_once"})

    def __init__(self, model="m", *, delay: float = 0.0, at_once: int = 64):
        self.model, self.delay = model, delay
        self.capabilities = Capabilities(scheduling="concurrent", concurrency=at_once, deterministic=True)

    def identity(self):
        return {"name": self.model}

    async def generate(self, request):
        if self.delay:
            await asyncio.sleep(self.delay)
        return Completion("an answer of a few words, as they are", "stop", 30, 8)


class Clock:
    """Times from the first sample that is handed out to the last that is stored, on the wall and on this CPU."""

    def started(self, plans, expected, done, broker):
        self.begun, self.cpu_begun = time.perf_counter(), time.process_time()

    def finished(self, sample):
        self.sample = sample

    def stopped(self):
        self.wall, self.cpu = time.perf_counter() - self.begun, time.process_time() - self.cpu_begun


def play(ray, *, limit, samples, **server):
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        run = evaluate(
            "bench/one",
            "bench-server:m",
            include=[Path(__file__)],
            limit=limit,
            samples=samples,
            model_args=server,
            out=f"{folder}/r",
            ray=ray,
            watcher=clock,
        )
        whole = time.perf_counter() - began
        assert run.counts()["ok"] == limit * samples
        size = (run.path / "samples.sqlite").stat().st_size / (limit * samples)
    return clock, whole, size


def overhead(rounds):
    count = ITEMS * 4
    places = {"local": None, "ray, 1 worker": RayOptions(workers=1), "ray, 2 workers": RayOptions(workers=2)}
    for name, ray in places.items():
        walls, cpus, starts = [], [], []
        for _ in range(rounds):
            clock, whole, size = play(ray, limit=ITEMS, samples=4)
            walls.append(clock.wall / count * 1e3)
            cpus.append(clock.cpu / count * 1e3)
            starts.append(whole - clock.wall)
        print(
            f"{name:15} {statistics.median(walls):.2f} ms a sample (of {rounds}: {min(walls):.2f} to "
            f"{max(walls):.2f}), "
            f"driver's CPU {statistics.median(cpus):.2f} ms, beside it {statistics.median(starts):.1f} s, "
            f"{size:.0f} bytes stored a sample"
        )
    print(f"a result of this task travels as {len(pickle.dumps(Played(clock.sample)))} bytes")


def scaling():
    base = 0.0
    for workers in (1, 2, 4):
        clock, whole, _ = play(RayOptions(workers=workers), limit=320, samples=1, delay=0.25, at_once=8)
        base = base or clock.wall
        print(
            f"{workers} workers: {clock.wall:.2f} s for 320 answers ({320 / clock.wall:.0f} a second, "
            f"{base / clock.wall:.2f} times one worker; the least is {320 / 8 / workers * 0.25:.2f} s), "
            f"with the start of workers {whole:.1f} s"
        )


async def dispatch(seats, places=128, count=50_000):
    """CPU of the driver's queue alone, where all seats are full and each result lets one sample in."""
    queue, loop = Dispatch(), asyncio.get_running_loop()
    made = [Seat(n) for n in range(seats)]
    for seat in made:
        queue.open(seat, places)

    def job(number):
        return Job(Ticket(number, Key("t", "a", str(number // 4), number % 4), 0, 1), None, loop.create_future())

    began = time.process_time()
    for number in range(seats * places):
        queue.add(job(number))
    filled = (time.process_time() - began) / (seats * places)
    began = time.process_time()
    for number in range(count):
        seat = made[number * 7919 % seats]
        queue.finished(seat, next(iter(seat.aboard)))
        queue.take(seat)
        queue.add(job(seats * places + number))
    return filled * 1e6, (time.process_time() - began) / count * 1e6


class Remover(Clock):
    """Takes a node away once a quarter of the samples is there."""

    def __init__(self, remove, after):
        self._remove, self._left = remove, after

    def finished(self, sample):
        super().finished(sample)
        self._left -= 1
        if not self._left:
            threading.Thread(target=self._remove).start()

    def started(self, plans, expected, done, broker):
        super().started(plans, expected, done, broker)
        self.crew = broker.backend


def lose_a_node():
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    nodes = [cluster.add_node(num_cpus=1, object_store_memory=80 * 2**20) for _ in range(2)]
    exports = []
    with tempfile.TemporaryDirectory() as folder:
        for name, ray in (("local", None), ("ray", RayOptions(address=cluster.address))):
            remover = Remover(lambda: cluster.remove_node(nodes[0], allow_graceful=False), 80) if ray else Clock()
            file = Path(folder, f"{name}.jsonl")
            server = {"delay": 0.25, "at_once": 8}
            options = {"include": [Path(__file__)], "limit": 320, "samples": 1, "model_args": server}
            run = evaluate("bench/one", "bench-server:m", out=f"{folder}/{name}", ray=ray, watcher=remover, **options)
            run.export(file, "jsonl")
            exports.append(file.read_bytes())
        print(remover.crew.describe()["counts"], remover.crew.notice())
    print("the same bytes" if exports[0] == exports[1] else "OTHER BYTES")
    cluster.shutdown()


def store(rows=300_000):
    """What the driver pays for a record of many turns, and for a store that holds many: resuming, and a table."""
    with tempfile.TemporaryDirectory() as folder:
        run = evaluate("odyssey/lights", "scripted:random", tier="gate", limit=40, samples=3, out=f"{folder}/r")
        samples = list(run.samples())
        sent = [pickle.dumps(Played(sample)) for sample in samples]
        print(
            f"a record of {statistics.mean(len(s.turns) for s in samples):.0f} turns: "
            f"{statistics.mean(map(len, sent)) / 1e3:.0f} kB on the wire, "
            f"{(run.path / 'samples.sqlite').stat().st_size / len(samples) / 1e3:.0f} kB stored"
        )
        begun = time.process_time()
        for one in sent:
            pickle.loads(one)
        print(f"reading it: {(time.process_time() - begun) / len(sent) * 1e3:.2f} ms of CPU")
        with RunWriter(Path(folder, "w"), run.manifest) as writer:
            begun = time.process_time()
            for k in range(10):
                for sample in samples:
                    writer.append(sample.model_copy(update={"sample": sample.sample + 10 * k}))
            print(f"storing it: {(time.process_time() - begun) / len(samples) / 10 * 1e3:.2f} ms of CPU")
        with contextlib.closing(sqlite3.connect(Path(folder, "w", "samples.sqlite"))) as db:
            names = [row[1] for row in db.execute("PRAGMA table_info(samples)") if row[1] != "id"]
            for k in range(1, rows // (10 * len(samples))):
                moved = ",".join(f"sample+{1000 * k}" if name == "sample" else name for name in names)
                db.execute(f"INSERT INTO samples ({','.join(names)}) SELECT {moved} FROM samples WHERE sample<1000")
            db.commit()
            count = db.execute("SELECT COUNT(*) FROM samples").fetchone()[0]
        with RunWriter(Path(folder, "w"), run.manifest) as writer:
            begun = time.process_time()
            writer.finished()
            print(f"resuming, of {count:,} samples: {(time.process_time() - begun) / count * 1e6:.0f} us a sample")
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        begun = time.process_time()
        StoredRun(Path(folder, "w")).frame()
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / count
        spent = (time.process_time() - begun) / count * 1e6
        print(f"a table: {spent:.0f} us and {grown / 1e3:.1f} kB at its peak a sample")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--dispatch", action="store_true")
    parser.add_argument("--store", action="store_true")
    parser.add_argument("--node", action="store_true")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    if given.store:
        store()
        return
    for seats in (10, 100, 1000):
        filled, steady = asyncio.run(dispatch(seats, count=2000 if given.dispatch else 1000))
        print(f"dispatch, {seats} workers of 128 places: {filled:.1f} microseconds a sample to fill, {steady:.1f} then")
    if given.dispatch:
        return
    ray = need_ray()
    if given.node:
        lose_a_node()
        return

    ray.init(
        address="local",
        num_cpus=4,
        object_store_memory=100 * 2**20,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="ERROR",
    )
    overhead(given.rounds)
    scaling()
    print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
