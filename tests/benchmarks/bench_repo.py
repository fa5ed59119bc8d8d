"""How fast the repo world is, on one core, what its worlds are like, and how often random commands succeed.

Run: ``python tests/benchmarks/bench_repo.py`` (about a minute; ``--worlds 30`` for a quick look), and
``python tests/benchmarks/bench_repo.py --chance`` for the chance levels of the task's public items (a few minutes).

Machines differ, so a fixed loop of plain Python is timed in the same run, and every rate also stands as its ratio to
that loop's rate: compare ratios, not rates, between machines. Each figure is the median of several rounds.
"""

# ruff: noqa: T201  # a bench prints its figures

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence

import gymnasium
from scipy.stats import binomtest

import finchmark.environments.odyssey  # noqa: F401  # registers the id
from finchmark.environments.odyssey.repo import RepoEnv
from finchmark.environments.odyssey.repo_commands import Command, read
from finchmark.environments.odyssey.repo_describe import describe_rules
from finchmark.environments.odyssey.repo_machine import Machine
from finchmark.environments.odyssey.repo_rules import RepoRules
from finchmark.environments.odyssey.repo_solver import commands, count, plan, solve
from finchmark.environments.odyssey.repo_worlds import REPO_PRESETS, generate
from finchmark.suite.seeds import generator
from finchmark.tasks.odyssey.repo import Repo

STEPS = 20_000
ROUNDS = 5
MOST_SOLUTIONS = 100_000


def calibrate() -> int:
    """The fixed loop: whole-number arithmetic and a small dictionary, no library."""
    seen: dict[int, int] = {}
    value = 1
    for _ in range(STEPS):
        value = (value * 1_103_515_245 + 12_345) & 0x7FFFFFFF
        seen[value & 255] = seen.get(value & 255, 0) + 1
    return STEPS


def play(env: gymnasium.Env[str, str], actions: Sequence[str]) -> Callable[[], int]:
    """Step through the actions, starting anew at each end."""

    def run() -> int:
        env.reset()
        for action in actions:
            _, _, terminated, truncated, _ = env.step(action)
            if terminated or truncated:
                env.reset()
        return len(actions)

    return run


def rate(work: Callable[[], int]) -> float:
    """Units of work a second, the median of several rounds."""
    work()
    rates = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        units = work()
        rates.append(units / (time.perf_counter() - begin))
    return statistics.median(rates)


def speed() -> None:
    """Print steps a second, with text made and read at every step."""
    base = rate(calibrate)
    print(f"calibration loop: {base:,.0f} rounds a second")
    world = generate("lite", 0)
    config = world.config
    listed = commands(config)
    rng = generator("bench", "repo")
    drawn = [listed[i] for i in rng.integers(len(listed), size=STEPS)]
    solving = list(world.plan) * (STEPS // len(world.plan))
    cases: dict[str, Callable[[], int]] = {
        "steps, random commands": play(RepoEnv(config), drawn),
        "steps, random commands, reference rules": play(RepoEnv(config, reference_rules=True), drawn),
        "steps, random commands, through gymnasium.make": play(
            gymnasium.make("finchmark/Repo-v1", config=config), drawn
        ),
        "steps, the plan again and again": play(RepoEnv(config), solving),
        "unusable actions": play(RepoEnv(config), ["I would install the first package"] * STEPS),
        "RepoRules.from_config": lambda: len([RepoRules.from_config(config) for _ in range(20)]),
        "solve": lambda: len([solve(config) for _ in range(20)]),
        "describe_rules": lambda: len([describe_rules(config) for _ in range(20)]),
    }
    for name, work in cases.items():
        value = rate(work)
        print(
            f"{name}: {value:,.0f} a second ({1e6 / value:,.1f} microseconds each; {value / base:.5f} of calibration)"
        )


def worlds(many: int) -> None:
    """Print what the worlds of seeds 0 to ``many - 1`` are like."""
    print(
        f"\nworlds of seeds 0 to {many - 1}: packages; plan mean (range); installations that work, median (range); "
        "ms to generate"
    )
    for name in REPO_PRESETS:
        seconds, packages, lengths, working = [], [], [], []
        for seed in range(many if name != "challenge" else min(many, 30)):
            begin = time.perf_counter()
            world = generate(name, seed)
            seconds.append(time.perf_counter() - begin)
            packages.append(len(world.config["packages"]))
            lengths.append(len(world.plan))
            working.append(count(world.config, MOST_SOLUTIONS))
        print(
            f"{name}: {min(packages)} to {max(packages)}; "
            f"{statistics.mean(lengths):.2f} ({min(lengths)} to {max(lengths)}); "
            f"{statistics.median(working):.0f} ({min(working)} to {max(working)}"
            f"{' or more' if max(working) == MOST_SOLUTIONS else ''}); "
            f"{statistics.mean(seconds) * 1e3:.2f} ms, {max(seconds) * 1e3:.1f} ms"
        )


def chance(plays: dict[str, int]) -> None:
    """Print how often uniform draws of commands succeed on the task's public items, with the 99.9 % interval."""
    task = Repo()
    print(
        "\nrandom commands on the public items: successes, rate, 99.9 % interval (Clopper-Pearson), shortest plan found"
    )
    for name, tier in task.tiers.items():
        wins = total = 0
        for item in task.items(tier, 0):
            rules = RepoRules.from_config(item.data["config"])
            read_all = [read(text, rules.packages, rules.runnable) for text in commands(rules)]
            listed = [command for command in read_all if isinstance(command, Command)]
            rng = generator("chance", "repo", item.hash)
            drawn = rng.integers(len(listed), size=(plays[name], tier.max_turns)).tolist()
            for row in drawn:
                machine = Machine(rules)
                for i in row:
                    machine.execute(listed[i])
                    if machine.solved:
                        wins += 1
                        break
            total += plays[name]
        interval = binomtest(wins, total).proportion_ci(0.999)
        lengths = [len(plan(item.data["config"]) or ()) for item in task.items(tier, 0)[:30]]
        print(
            f"{name}: {wins} of {total:,}, {wins / total:.2g}, {interval.low:.2g} to {interval.high:.2g}, "
            f"plans of {min(lengths)} to {max(lengths)}",
            flush=True,
        )


def main() -> None:
    """Read the arguments and print everything."""
    parser = argparse.ArgumentParser(description="Speed, worlds and chance levels of finchmark/Repo-v1.")
    parser.add_argument("--worlds", type=int, default=300, help="worlds a difficulty (default 300)")
    parser.add_argument("--chance", action="store_true", help="measure the chance levels instead")
    arguments = parser.parse_args()
    if arguments.chance:
        chance({"smoke": 400_000, "gate": 2_000, "lite": 1_000, "challenge": 300})
        return
    speed()
    worlds(arguments.worlds)


if __name__ == "__main__":
    main()
