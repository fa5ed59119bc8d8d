"""``python -m finchmark.tasks.creativebench [NAME …]``: what each problem has, and what it lacks."""

from __future__ import annotations

import sys

from .checks import missing, mutation_strength
from .problem import load_problems


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


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
