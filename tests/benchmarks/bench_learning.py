"""What the reading of streams claims, simulated: ``python tests/benchmarks/bench_learning.py``.

Prints coverage of the intervals of gain, slope and area for learners of known rate; how often agents that learn
nothing, wander without drift (AR(1)), keep what they learnt, or collapse now and then are said to gain, lose or forget;
what gain is found with which number of streams; and how long a run of many streams takes to read. Goals: coverage at
least .935, false claims at most .055 (marked where they are missed).
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

from finchmark.suite.learning import task_learning
from finchmark.suite.records import Metric, ProbeSheet, StreamSheet, TaskSheet
from finchmark.suite.seeds import generator
from finchmark.suite.stats.learning_arms import measure_weights, paired_contrasts

HELPER = Path(__file__).parents[1] / "suite" / "simulated_learners.py"
_spec = importlib.util.spec_from_file_location("finchmark_simulated_learners", HELPER)
assert _spec is not None
assert _spec.loader is not None
sim = importlib.util.module_from_spec(_spec)
sys.modules[_spec.name] = sim
_spec.loader.exec_module(sim)


def say(line: str = "") -> None:
    """Print a line."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def draw(name: str, setting, first, second, **options):
    """Scores of two arms."""
    found = sim.arms(generator("bench learning", name), setting, {"first": first, "second": second}, **options)
    return found["first"], found["second"]


def mark(value: float, goal: float, *, least: bool) -> str:
    """A figure, marked where it misses its goal."""
    return f"{value:6.4f}{'!' if (value < goal if least else value > goal) else ' '}"


def coverage(runs: int) -> None:
    """Intervals of gain, slope and area for learners of known rate."""
    say("Coverage of 95 % intervals (goal .935), learners of known rate; 5 checkpoints over 20 episodes")
    say(f"{'streams':>7} {'items':>5} {'level':>5} {'rate':>6} {'rate sd':>7}   end     slope   area")
    for streams in (6, 8, 12, 24):
        for items in (4, 8, 32):
            for level, rate, spread in ((0.3, 0.02, 0.0), (0.3, 0.01, 0.005), (0.1, 0.005, 0.0), (0.5, 0.0, 0.01)):
                setting = sim.Setting(runs=runs, streams=streams, items=items)
                still, learner = sim.Learner(level=level), sim.Learner(level=level, rate=rate, rate_sd=spread)
                # Effects of streams and items stay small, so that no chance is cut at 0, where the truth would bend.
                a, b = draw(f"{streams} {items} {level} {rate}", setting, learner, still, item_sd=0.02)
                at = np.asarray(setting.at)
                weights, got = measure_weights(at), sim.contrasts(a, b)
                found = [sim.holds(got[name], learner.gain(at) @ weights[name]) for name in ("end", "slope", "area")]
                shown = " ".join(mark(x, 0.935, least=True) for x in found)
                say(f"{streams:>7} {items:>5} {level:>5.2f} {rate:>6.3f} {spread:>7.3f}  {shown}")


def alarms(runs: int) -> None:
    """How often something is claimed of agents of whom nothing can be."""
    say()
    say("False claims (goal .055): the deciding gain; any exploratory contrast of the same probes after correction")
    say(f"{'agent':<44} {'streams':>7} {'items':>5}  gain    other")
    still = sim.Learner(level=0.5)
    agents = {
        "learns nothing, level .05": (sim.Learner(level=0.05), sim.Learner(level=0.05)),
        "learns nothing, level .2": (sim.Learner(level=0.2), sim.Learner(level=0.2)),
        "learns nothing, level .5": (still, still),
        "wanders, AR(1) .5": (sim.Learner(level=0.5, state_sd=0.15, phi=0.5), still),
        "wanders, AR(1) .8": (sim.Learner(level=0.5, state_sd=0.15, phi=0.8), still),
        "wanders, AR(1) .95": (sim.Learner(level=0.5, state_sd=0.15, phi=0.95), still),
        "gains in some streams, loses in others": (sim.Learner(level=0.5, rate_sd=0.01), still),
    }
    at = tuple(np.arange(0.0, 21.0, 2.0))
    for name, (first, second) in agents.items():
        for streams, items in ((6, 8), (8, 8), (12, 1), (12, 8), (12, 32), (24, 8)):
            setting = sim.Setting(runs=runs, streams=streams, items=items, at=at)
            a, b = draw(f"alarm {name} {streams} {items}", setting, first, second)
            got = sim.contrasts(a, b, np.asarray(at))
            others = np.stack([c.p_value for measure, c in got.items() if measure != "end"], axis=-1)
            rates = (got["end"].p_value <= 0.05).mean(), sim.claimed(others).any(axis=1).mean()
            shown = " ".join(mark(rate, 0.055, least=False) for rate in rates)
            say(f"{name:<44} {streams:>7} {items:>5}  {shown}")


def forgetting(runs: int) -> None:
    """How often forgetting is found where it is and where it is not."""
    say()
    say("Forgetting since checkpoint 3 of 5 (loss .3, or none: goal .055)")
    say(f"{'streams':>7} {'items':>5}  found   cover   false")
    for streams in (6, 8, 12, 24):
        for items in (8, 32):
            setting = sim.Setting(runs=runs, streams=streams, items=items)
            still = sim.Learner()
            forgets, keeps = sim.Learner(rate=0.04, peak=10, decay=0.03), sim.Learner(rate=0.04, peak=10)
            lost = sim.forgetting(*draw(f"forgets {streams} {items}", setting, forgets, still), learnt=2)
            kept = sim.forgetting(*draw(f"keeps {streams} {items}", setting, keeps, still), learnt=2)
            found, false = ((c.p_value <= 0.05).mean() for c in (lost, kept))
            cover = mark(sim.holds(lost, 0.3), 0.935, least=True)
            say(f"{streams:>7} {items:>5}  {found:6.4f}  {cover} {mark(false, 0.055, least=False)}")


def collapses(runs: int) -> None:
    """What the test does not cover: differences that are far from symmetric about their mean."""
    say()
    say("Agents that gain .03 in most streams and collapse by .5 in a few, nothing on average: how often called better")
    for share in (0.01, 0.03, 0.06, 0.1):
        rng = generator("bench learning", "collapse", str(share))
        down = rng.random((runs, 12)) < share
        up = 0.5 * share / (1 - share)
        d = np.where(down, -0.5, up) + rng.normal(0, 0.02, down.shape)
        got = paired_contrasts(d, reach=1.0)
        better = ((got.p_value <= 0.05) & (got.estimate > 0)).mean()
        covers = sim.holds(got, 0.0)
        say(f"  collapse in {share:4.2f} of streams, others gain {up:.3f}: better {better:.3f}, cover {covers:.3f}")


def power(runs: int) -> None:
    """How large a gain is found."""
    say()
    say("Share of runs in which a gain at the end is found (chance .3 at first; 1 sample a probe)")
    gains = (0.05, 0.1, 0.15, 0.2, 0.3)
    say(f"{'streams':>7} {'items':>5} " + " ".join(f"{g:>6.2f}" for g in gains))
    for streams in (6, 8, 12, 24):
        for items in (4, 8, 32):
            setting = sim.Setting(runs=runs, streams=streams, items=items)
            shown = []
            for gain in gains:
                a, b = draw(f"power {streams} {items} {gain}", setting, sim.Learner(rate=gain / 20), sim.Learner())
                shown.append((sim.contrasts(a, b)["end"].p_value <= 0.05).mean())
            say(f"{streams:>7} {items:>5} " + " ".join(f"{x:6.3f}" for x in shown))


def whole_runs(count: int) -> None:
    """Runs read as users read them: an agent that wanders, three arms, four sets of probes."""
    rng = generator("bench learning", "whole runs")
    probes = tuple(
        ProbeSheet(name=name, kind=kind, items=tuple(f"{name}{i}" for i in range(4)), learnt=learnt)
        for name, kind, learnt in (
            ("first", "levels", 10),
            ("levels", "levels", None),
            ("worlds", "worlds", None),
            ("inverse", "inverse", None),
        )
    )
    arms = ("evolving", "frozen", "shuffled")
    task = sheet(probes, arms, 12)
    claims = others = sentences = 0
    for _ in range(count):
        rows = []
        for arm in arms:
            for stream in range(12):
                state = rng.normal(0, 0.15)
                for checkpoint in range(5):
                    moves = 0.0 if arm == "frozen" else state
                    for each in probes:
                        for item in each.items:
                            rows.append((arm, stream, checkpoint + 1, 5 * checkpoint, item, rng.random() < 0.5 + moves))
                    state = 0.8 * state + rng.normal(0, 0.15 * 0.6)
                for position in range(20):
                    rows.append((arm, stream, 0, position, "e", rng.random() < 0.5))
        found = task_learning(table(rows), task, arms)
        said = [c for c in found.contrasts if c.verdict in ("better", "worse")]
        claims += any(c.primary for c in said)
        others += any(not c.primary for c in said)
        sentences += bool(said)
    say()
    say(
        f"{count} whole runs of an agent that wanders (AR(1) .8), 3 arms, 4 sets of probes, "
        f"{len(found.contrasts)} contrasts"
    )
    say(
        f"  claimed: {claims / count:.3f}; something exploratory: {others / count:.3f}; either: {sentences / count:.3f}"
    )


def sheet(probes, arms, streams: int) -> TaskSheet:
    """What a manifest would say."""
    return TaskSheet(
        name="family/task",
        version=1,
        summary="A task.",
        metrics=(Metric(name="score", summary="how well", kind="binary", primary=True),),
        arms=dict.fromkeys(arms, "an arm"),
        levels={},
        streams=StreamSheet(streams=streams, episodes=20, checkpoints=(0, 5, 10, 15, 20), probes=probes),
    )


def table(rows) -> pd.DataFrame:
    """Samples as a store gives them."""
    frame = pd.DataFrame(rows, columns=["arm", "stream", "checkpoint", "position", "item", "score"])
    frame["stream"] = [f"s{i:03d}" for i in frame["stream"]]
    return frame.assign(score=frame["score"].astype(float), outcome="ok")


def speed() -> None:
    """How long a large run takes to read."""
    say()
    arms, streams = ("evolving", "frozen", "shuffled"), 1000
    probes = (ProbeSheet(name="levels", kind="levels", items=tuple(f"l{i}" for i in range(8))),)
    rng = generator("bench learning", "speed")
    lived = [(arm, s, 0, p, "e") for arm in arms for s in range(streams) for p in range(20)]
    asked = [
        (arm, s, k + 1, 5 * k, f"l{i}") for arm in arms for s in range(streams) for k in range(5) for i in range(8)
    ]
    frame = table(
        [(*row, value) for row, value in zip([*lived, *asked], rng.random(len(lived) + len(asked)), strict=True)]
    )
    task = sheet(probes, arms, streams)
    start = time.perf_counter()
    task_learning(frame, task, arms)
    say(f"{streams:,} streams in 3 arms, {len(frame):,} samples: read in {time.perf_counter() - start:.2f} s")


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--simulations", type=int, default=20_000)
    parser.add_argument("--whole-runs", type=int, default=500)
    given = parser.parse_args()
    runs = given.simulations
    say(f"{runs:,} simulations a case; standard error at .05 or .95: {np.sqrt(0.95 * 0.05 / runs):.4f}")
    for part in (coverage, alarms, forgetting, collapses, power):
        part(runs)
    whole_runs(given.whole_runs)
    speed()


if __name__ == "__main__":
    main()
