"""What the part on safety costs: a smoke run of all of it, the experiment on policy information, memory by rounds.

    python tests/benchmarks/bench_safety.py [smoke] [information] [memory]

``smoke``: ``finchmark run safety --tier smoke`` with a scripted backend, in a process of its own; bound: 60 s on two
cores. ``information``: 128 societies of scripted agents, closed and open, three conducts; bound: 300 s. ``memory``: by
how much the peak of a process grows that plays ``society/forum`` over 20, 60 and 200 rounds, by what it does: the forum
alone; the forum and the harness with a transcript of every call, one society and 32 at once; one agent without a
memory over 1,000 turns of 2 kB; the reading of rounds and the export of what was stored. Where transcripts are written
there are two lines, with turns in a file as a run has them and with all turns in memory, and what the first costs of
the second's seconds of CPU (the least of three runs each, in turns). The machine's load at the beginning stands in each
line: wall-clock figures at a load above the number of cores say little, seconds of CPU some more.
"""

# ruff: noqa: T201 - a bench prints what it measures

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = (20, 60, 200)

CHILD = r"""
import asyncio, functools, resource, sys, time
from dataclasses import replace
from types import MappingProxyType
from finchmark.tasks.society import world

what, rounds, at_once, kept, folder = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], sys.argv[5]
size = replace(world.SIZES["lite"], societies=at_once, rounds=rounds, every=max(1, rounds // 4))
world.SIZES = MappingProxyType({**world.SIZES, "lite": size})
import finchmark
from finchmark.suite import player
from finchmark.suite.agents.base import Observation
from finchmark.suite.backends.scripted import ScriptedBackend
from finchmark.suite.registry import TASKS, Entry
from finchmark.suite.safety import run_safety
from finchmark.suite.store import StoredRun
from finchmark.tasks.society.forum import Forum, env_of

if kept == "memory":
    player.Transcript = functools.partial(player.Transcript, most_turns=10**9, most_text=10**12)

class Yielding(ScriptedBackend):
    "Lets the other episodes go on before each answer, as a model does."
    async def generate(self, request):
        await asyncio.sleep(0)
        return await super().generate(request)

class Long(finchmark.Task):
    name, summary = "bench/long", "Many turns."
    tiers = MappingProxyType({"lite": finchmark.Tier("lite", at_once, rounds, 32)})
    def items(self, tier, seed):
        return [finchmark.Item(f"i{n:02d}", {"n": n}) for n in range(at_once)]
    async def episode(self, ctx):
        for number in range(rounds):
            said = f"{number} " + ctx.rng.bytes(1000).hex()
            ctx.judge((await ctx.act(Observation(said, "The same instructions."))).text)
        return finchmark.EpisodeResult({"success": 1.0})

TASKS.add(Entry("bench/long", "bench:Long", "Many turns.", ("lite",)), Long)

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

def alone():
    item = Forum().items(Forum.tiers["lite"], 0)[0]
    env = env_of(world.World(item), Forum.arm("open"))
    env.reset(seed=1)
    number = 0
    while not env.forum.over:
        number += 1
        speaks = env.infos[env.agent_selection]["phase"] == "speak"
        text = f"This is what I have to say in turn {number}, and it is a sentence of some length, as people say them."
        env.step('{"act": "post", "text": "%s"}' % text if speaks else '{"act": "pass"}')
    return len(env.forum.messages)

def whole():
    return played("society/forum", Yielding("forgetful"), arms=["open"])

def long():
    return played("bench/long", Yielding("nonsense"), agent="stateless")

def played(task, backend, **more):
    asked = {"tier": "lite", "samples": 1, "out": folder, "concurrency": at_once, **more}
    return int(finchmark.evaluate(task, backend, **asked).frame()["turns"].sum())

def export():
    run = StoredRun(folder)
    run.export(run.path.with_suffix(".jsonl"), "jsonl")
    return int(run.frame()["turns"].sum())

def read():
    (found,) = run_safety(StoredRun(folder)).by_round
    return len(found.rounds.points)

import pandas, scipy.stats  # what reading needs is loaded before the first look
before, began = peak(), time.process_time()
done = {"alone": alone, "whole": whole, "long": long, "read": read, "export": export}[what]()
print(peak() - before, time.process_time() - began, done)
"""


def load():
    return f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"


def timed(words, *command, bound):
    busy, began, spent = load(), time.perf_counter(), cpu()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    took = time.perf_counter() - began
    print(f"{words:38} {took:6.1f} s, {cpu() - spent:6.1f} s of CPU (bound {bound} s, {busy})", flush=True)


def cpu():
    times = os.times()
    return times.children_user + times.children_system


def smoke():
    with tempfile.TemporaryDirectory() as folder:
        asked = ("run", "safety", "--backend", "scripted:oracle", "--tier", "smoke", "--out", f"{folder}/r")
        timed("finchmark run safety, smoke, scripted", Path(sys.executable).with_name("finchmark"), *asked, bound=60)


def information():
    timed("policy information, 3 x 128 societies", sys.executable, "-m", "finchmark.tasks.society", bound=300)


def memory():
    with tempfile.TemporaryDirectory() as made:
        _memory(Path(made))


def _memory(made):
    for rounds in ROUNDS:
        _told("forum alone", "messages", *_child("alone", rounds, 1, "file", made / "alone"), rounds)
    for what, words, lengths in (("whole", "forum, harness, transcript", ROUNDS), ("long", "one agent", (100, 1000))):
        for at_once in (1, 32):
            for rounds in lengths:
                _beside(what, words, rounds, at_once, made)
    for what, words, counted in (("read", "rounds read", "rounds measured"), ("export", "export as jsonl", "turns")):
        for rounds in ROUNDS:
            _told(words, counted, *_child(what, rounds, 1, "file", made / f"whole-{rounds}-1-file-0"), rounds)


def _beside(what, words, rounds, at_once, made):
    runs = 3 if at_once == 1 else 1
    found = {"file": [], "memory": []}
    busy = load()
    for number in range(runs):
        for kept, each in found.items():
            each.append(_child(what, rounds, at_once, kept, made / f"{what}-{rounds}-{at_once}-{kept}-{number}")[1])
    spent = {kept: min(figures[1] for figures in each) for kept, each in found.items()}
    for kept, each in found.items():
        grown, _, done = max(each)
        _told(f"{words}, {at_once} at once, {kept}", "turns", busy, (grown, spent[kept], done), rounds)
    print(f"{'':48}the file costs {spent['file'] / spent['memory']:.3f} of the CPU that memory does", flush=True)


def _child(what, rounds, at_once, kept, folder):
    busy = load()
    command = (sys.executable, "-c", CHILD, what, str(rounds), str(at_once), kept, str(folder))
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1]
    return busy, tuple(map(float, said.split()))


def _told(words, counted, busy, figures, rounds):
    grown, spent, done = figures
    print(
        f"{words:42} {rounds:5} rounds {grown:8.1f} MiB more {spent:8.2f} s of CPU {done:7.0f} {counted} ({busy})",
        flush=True,
    )


PARTS = {"smoke": smoke, "information": information, "memory": memory}

if __name__ == "__main__":
    for name in sys.argv[1:] or PARTS:
        PARTS[name]()
