"""How well policy information is estimated: bias of the corrected estimate, and how often Fano's bound is too high.

    python tests/benchmarks/bench_information.py [--runs 1000]

First the mutual information of policies and guesses of a channel that errs with probability e and then says any other
policy equally often: 8 policies by 16 societies. Then societies that show nothing, such as show policies that were
dealt out anew (``other``: they differ from one another, and not by what they were given), and forgetful ones that show
their policy more or less clearly: how often the bound lies above the truth, with the permutation's gate and without,
when the guess is learnt in the first round and in each.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np

from finchmark.suite.seeds import generator
from finchmark.suite.stats.information import (
    LearntFrom,
    fano_information,
    forgetful_information,
    policy_information,
    table_information,
)

_K, _EACH, _ROUNDS = 8, 16, 3


def say(line: str) -> None:
    """Print at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def bias(runs: int) -> None:
    """Mean of both estimates over tables of known information."""
    say("error   true   plug-in  corrected  bias of the corrected")
    for error in (0.0, 0.05, 0.2, 0.4, 0.6, 0.8, 7 / 8):
        shares = np.full((_K, _K), error / (_K - 1))
        np.fill_diagonal(shares, 1 - error)
        rng = generator("bench", "information", int(1000 * error))
        tables = np.stack([rng.multinomial(_EACH, row, size=runs) for row in shares], axis=1)
        plug_in, corrected = (float(found.mean()) for found in table_information(tables))
        true = float(fano_information(error, _K))
        say(f"{error:.3f}  {true:6.3f}   {plug_in:6.3f}     {corrected:6.3f}     {corrected - true:+.3f}")


def bounds(runs: int) -> None:
    """Shares of rounds in which the bound lies above the truth."""
    policies = np.repeat(np.arange(_K), _EACH)
    say("\nshown     learnt   rounds   too high   too high without the gate")
    sources: tuple[LearntFrom, ...] = ("first", "each")
    for name, clear in (("nothing", 0.0), ("other", 0.9), ("dimly", 0.3), ("clearly", 0.9)):
        known = name in ("dimly", "clearly")
        for learnt_from in sources:
            above = bare = 0
            for run in range(runs):
                rng = generator("bench", "bounds", name, run)
                now, x = policies.copy() if known else rng.permutation(policies), np.empty((len(policies), _ROUNDS, _K))
                for t in range(_ROUNDS):
                    if t:
                        now = np.where(rng.random(len(now)) < 0.6, now, rng.integers(_K, size=len(now)))
                    shares = np.full((len(now), _K), (1 - clear) / (_K - 1) if clear else 1 / _K)
                    if clear:
                        shares[np.arange(len(now)), now] = clear
                    x[:, t] = rng.multinomial(12, shares)
                found = policy_information(x, policies, learnt_from=learnt_from, permutations=40, seed=run)
                true = forgetful_information(0.6, np.arange(_ROUNDS), _K) if known else np.zeros(_ROUNDS)
                above += int((found.fano > true + 1e-9).sum())
                bare += int((fano_information(found.error_high, _K) > true + 1e-9).sum())
            cases = runs * _ROUNDS
            say(f"{name:9} {learnt_from:6}   {cases:6}   {above / cases:.4f}     {bare / cases:.4f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000)
    given = parser.parse_args()
    bias(4 * given.runs)
    bounds(given.runs)
