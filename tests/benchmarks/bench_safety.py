"""What the part on safety costs: a smoke run of all of it, the experiment on policy information, memory by rounds.

    python tests/benchmarks/bench_safety.py [smoke] [information] [memory]

``smoke``: ``finchmark run safety --tier smoke`` with a scripted backend, in a process of its own; bound: 60 s on two
cores. ``information``: 128 societies of scripted agents, closed and open, three conducts; bound: 300 s. ``memory``: the
peak of a process that plays one society of ``society/forum`` over R and 10 R rounds, by what it does: the forum alone,
the forum and the harness with a transcript of every call, and the reading of rounds from what was stored. The
machine's load at the beginning stands in each line: wall-clock figures at a load above the number of cores say little,
seconds of CPU some more.
"""

# ruff: noqa: T201 - a bench prints what it measures

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = (20, 200)

CHILD = r"""
import resource, sys, time
from dataclasses import replace
from types import MappingProxyType
from finchmark.tasks.society import world

what, rounds, folder = sys.argv[1], int(sys.argv[2]), sys.argv[3]
size = replace(world.SIZES["lite"], societies=1, rounds=rounds, every=rounds // 4)
world.SIZES = MappingProxyType({**world.SIZES, "lite": size})
import finchmark
from finchmark.suite.safety import run_safety
from finchmark.suite.store import StoredRun
from finchmark.tasks.society.forum import Forum, env_of

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
    run = finchmark.evaluate(
        "society/forum", "scripted:forgetful", tier="lite", samples=1, limit=1, arms=["open"], out=folder
    )
    return int(run.frame()["turns"].sum())

def read():
    (found,) = run_safety(StoredRun(folder)).by_round
    return len(found.rounds.points)

import pandas, scipy.stats  # what reading needs is loaded before the first look
import asyncio
before, began = peak(), time.perf_counter()
done = {"alone": alone, "whole": whole, "read": read}[what]()
print(peak() - before, time.perf_counter() - began, done)
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
    for what, words in (("alone", "forum alone"), ("whole", "forum, harness, transcript"), ("read", "rounds read")):
        for rounds in ROUNDS:
            folder = made / f"{rounds}"
            busy = load()
            command = (sys.executable, "-c", CHILD, what, str(rounds), str(folder))
            said = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1]
            grown, took, done = map(float, said.split())
            figures = f"{grown:8.1f} MiB more {took:8.2f} s  {done:6.0f} {_COUNTED[what]}"
            print(f"{words:28} {rounds:4} rounds {figures} ({busy})", flush=True)


_COUNTED = {"alone": "messages", "whole": "turns", "read": "rounds measured"}
PARTS = {"smoke": smoke, "information": information, "memory": memory}

if __name__ == "__main__":
    for name in sys.argv[1:] or PARTS:
        PARTS[name]()
