"""``python -m finchmark.tasks.creativebench [NAME …]``: what each problem has, and what it lacks.

``… bank`` makes the banks of problems that have none, or changed since; it refuses rewrites that would score.
"""

from __future__ import annotations

import sys

from ...suite.errors import StoreError
from .checks import missing, mutation_strength
from .problem import load_problems

_MEMORY = 2 << 30


def main(names: list[str]) -> int:
    """Print a line for each problem; 1 where one lacks something."""
    problems = load_problems()
    lacking = total = killed = 0
    lines = []
    for name in names or problems:
        problem = problems[name]
        lacks = missing(problem, mutation=False)
        strength = mutation_strength(problem)
        total, killed, lacking = total + strength.mutants, killed + strength.killed, lacking + bool(lacks)
        head = f"{name:24} {problem.domain:10} levels {len(problem.levels)}  programs {len(problem.bank)}"
        lines.append(f"{head}  mutants killed {strength.killed}/{strength.mutants} ({strength.score:.2f})")
        lines.extend(f"    lacks: {text}" for text in lacks)
        if names or strength.score < 0.9:
            lines.extend(f"    alive: {text}" for text in strength.alive)
    levels = sum(len(problem.levels) for problem in problems.values())
    domains = len({problem.domain for problem in problems.values()})
    lines.append(
        f"{len(problems)} problems, {domains} domains, {levels} constraint levels; "
        f"mutants killed {killed}/{total} ({killed / max(1, total):.3f})"
    )
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if lacking else 0


def make_banks() -> int:
    """Make the banks that are missing, and write them with those that are there."""
    import resource

    from .banks import build_bank, load_bank, stamp, store_banks

    # Parts of programs may build what grows without end; they fail for want of memory instead of taking it all.
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    banks, refused, missing_banks = {}, 0, []
    for problem in load_problems().values():
        try:
            banks[problem.name] = (stamp(problem), load_bank(problem))
        except StoreError:
            missing_banks.append(problem)
    for problem in missing_banks:
        try:
            bank = build_bank(problem)
        except StoreError as error:
            sys.stdout.write(f"{error}\n")
            refused += 1
            continue
        banks[problem.name] = (stamp(problem), bank)
        sys.stdout.write(f"{problem.name}: {len(bank.rewrites)} rewrites, allowance {bank.allowance:.3f}\n")
        sys.stdout.flush()
        store_banks(banks)
    return 1 if refused else 0


if __name__ == "__main__":
    raise SystemExit(make_banks() if sys.argv[1:] == ["bank"] else main(sys.argv[1:]))
