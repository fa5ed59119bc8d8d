"""Levels sought for regret against random levels of the same family, measured anew.

    python tests/benchmarks/bench_regret.py [--worlds relay-stream kiln-order] [--seeds 10] [--budget 80]

For each seed one search (protagonist: greedy), the best of as many random levels (no edits), and as many random levels
as are kept. All are then measured on episodes
that the search never saw, with the search's protagonist and with two that it never saw; the antagonist is the optimum.
Shown are means over seeds with 95 % t intervals, and the paired difference; the unit is the seed. ``search's own`` is
what the search itself believed: the winner's curse is the difference to the next column.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

import numpy as np

from finchmark.environments.worlds.generation.regret import (
    looking_ahead,
    measure,
    optimal,
    random_levels,
    search,
    slipping,
)
from finchmark.environments.worlds.level import Level
from finchmark.environments.worlds.lookup import find_world
from finchmark.suite.stats.intervals import t_interval

SOUGHT_WITH = slipping(looking_ahead(1), 0.1)
PLAYERS = {
    "greedy, slips 10 % (sought with)": SOUGHT_WITH,
    "looks 2 ahead, slips 10 %": slipping(looking_ahead(2), 0.1),
    "looks 3 ahead, slips 20 %": slipping(looking_ahead(3), 0.2),
}


def shown(values: list[float]) -> str:
    """A mean over seeds with its interval."""
    found = t_interval(values)
    return f"{found.estimate:6.3f} [{found.low:6.3f}, {found.high:6.3f}]"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--worlds", nargs="+", default=["relay-stream", "kiln-order"])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--budget", type=int, default=80)
    parser.add_argument("--keep", type=int, default=10)
    parser.add_argument("--episodes", type=int, default=8)
    given = parser.parse_args()
    for name in given.worlds:
        world, begun = find_world(name), time.process_time()
        best: dict[str, Any] = {}

        def antagonist(world: Any, level: Level, best: dict[str, Any] = best) -> Any:
            # The optimum of a level is computed once; it holds no luck.
            if level.hash not in best:
                best[level.hash] = optimal(world, level)
            return best[level.hash]

        own: list[float] = []
        rows: dict[str, list[list[float]]] = {player: [[], [], [], []] for player in PLAYERS}
        for seed in range(given.seeds):
            found = search(world, SOUGHT_WITH, seed=seed, keep=given.keep, budget=given.budget, antagonist=antagonist)
            own.append(float(np.mean([f.regret for f in found])))
            # As many measurements, and no edits: what choosing alone gives.
            chosen = search(
                world, SOUGHT_WITH, seed=seed, keep=given.keep, budget=given.budget, explore=1.0, antagonist=antagonist
            )
            groups = ([f.level for f in found], [f.level for f in chosen], random_levels(world, given.keep, seed))
            for player, act in PLAYERS.items():
                again = [
                    [measure(world, level, act, antagonist=antagonist, episodes=given.episodes) for level in group]
                    for group in groups
                ]
                for column, group in zip(rows[player], again, strict=False):
                    column.append(float(np.mean([f.regret for f in group])))
                rows[player][3].append(float(np.mean([f.antagonist for f in again[0]])))
            best.clear()
        sys.stdout.write(
            f"\n{name}: {given.seeds} seeds, {given.budget} levels a search, {given.keep} kept, {given.episodes} fresh "
            f"episodes a level; {time.process_time() - begun:.0f} CPU seconds\n"
            f"search's own                       {shown(own)}\n"
            f"{'protagonist':<34} {'sought':<25} {'chosen, no edits':<25} {'random levels':<25} "
            f"{'sought - random':<25} {'sought - chosen':<25} optimum on the sought\n"
        )
        for player, (sought, chosen, chance, optimum) in rows.items():
            cells = [shown(values) for values in (sought, chosen, chance)]
            cells += [shown([a - b for a, b in zip(sought, other, strict=True)]) for other in (chance, chosen)]
            sys.stdout.write(f"{player:<34} {' '.join(f'{c:<25}' for c in cells)} {np.mean(optimum):.3f}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
