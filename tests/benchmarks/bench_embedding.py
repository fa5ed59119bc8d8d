"""What rewrites that keep behaviour reach by the embedded distance, and how far programs of the banks are apart.

    python tests/benchmarks/bench_embedding.py [PROBLEM …] [--problems 6]

Needs the extra ``embed``. For each problem: the allowance, the most that a rewrite scores above it (validity asks for
.05 at most), and the mean distance of two of the bank's own programs, by 4-grams and by the embedder.
"""

# ruff: noqa: T201 - a bench prints what it measures

import argparse
from itertools import combinations

import numpy as np

from finchmark.suite.agents.minilm import embed, identity
from finchmark.tasks.creativebench.banks import load_bank, variant_passes
from finchmark.tasks.creativebench.embedding import EmbeddedBank, make_embedded_bank
from finchmark.tasks.creativebench.novelty import Bank
from finchmark.tasks.creativebench.problem import load_problems


def main(given):
    """Print the figures."""
    print(identity()["package"])
    problems = load_problems()
    worst = 0.0
    for name in given.problem or list(problems)[:: max(1, len(problems) // given.problems)]:
        problem = problems[name]
        bank = load_bank(problem)
        made = make_embedded_bank(problem.bank, bank, embed, variant_passes(problem))
        above = max(made.reached) - made.allowance
        worst = max(worst, above)
        pairs = []
        for a, b in combinations(bank.slices, 2):
            pairs.append(EmbeddedBank(Bank(bank.entries, (a,), (a,), 0.0), embed, ()).novelty(b))
        grams, apart = (np.mean([getattr(p, part) for p in pairs] or [0.0]) for part in ("grams", "embedding"))
        print(
            f"{name:24s} {len(made.reached):4d} rewrites, allowance {made.allowance:.3f}, most above it {above:.3f}; "
            f"programs of the bank apart by {grams:.3f} + {apart:.3f}",
            flush=True,
        )
    print(f"the largest score of a rewrite: {worst:.3f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("problem", nargs="*")
    parser.add_argument("--problems", type=int, default=6)
    main(parser.parse_args())
