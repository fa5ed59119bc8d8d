"""``python -m finchmark.tasks.creativebench [NAME …]``: what each problem has, and what it lacks.

``… bank`` makes the banks of problems that have none, or changed since; ``… bank NAME …`` those of the problems named.
It refuses rewrites that would score. ``… combo [NAME …]`` and ``… combo bank [NAME …]`` do the same for combos.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

from ...suite.errors import FinchmarkError, StoreError, UsageError
from .banks import build_bank, store_bank, without_bank
from .checks import missing, mutation_strength
from .combo_command import combo_command
from .problem import Problem, load_problems

_MEMORY = 2 << 30


def main(names: Sequence[str]) -> int:
    """Print a line for each problem; 1 where one lacks something."""
    problems = load_problems()
    lacking = total = killed = 0
    lines = []
    for problem in _named(problems, names):
        lacks = [*missing(problem, mutation=False), *without_bank(problem)]
        strength = mutation_strength(problem)
        total, killed, lacking = total + strength.mutants, killed + strength.killed, lacking + bool(lacks)
        head = f"{problem.name:24} {problem.domain:10} levels {len(problem.levels)}  programs {len(problem.bank)}"
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


def make_banks(names: Sequence[str]) -> int:
    """Make the banks of some problems, or without names those that are missing; 1 where one is refused."""
    import resource

    # Parts of programs may build what grows without end; they fail for want of memory instead of taking it all.
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    refused = 0
    for problem in _named(load_problems(), names):
        if not names and not without_bank(problem):
            continue
        try:
            bank = build_bank(problem)
        except StoreError as error:
            sys.stdout.write(f"{error}\n")
            refused += 1
            continue
        store_bank(problem, bank)
        sys.stdout.write(
            f"{problem.name}: {len(bank.rewrites)} rewrites, allowance {bank.allowance:.3f}, among {bank.among:.3f}\n"
        )
        sys.stdout.flush()
    return 1 if refused else 0


def _named(problems: Mapping[str, Problem], names: Sequence[str]) -> list[Problem]:
    unknown = [name for name in names if name not in problems]
    if unknown:
        raise UsageError(f"There is no problem {unknown[0]!r}. There are: {', '.join(problems)}.")
    return [problems[name] for name in names or problems]


def run(arguments: Sequence[str]) -> int:
    """Do what is asked; the exit status, 2 where it cannot be."""
    if arguments[:1] == ["combo"]:
        return combo_command(arguments[1:])
    try:
        return make_banks(arguments[1:]) if arguments[:1] == ["bank"] else main(arguments)
    except FinchmarkError as error:
        sys.stderr.write(f"{error}\n")
        return 2


if __name__ == "__main__":
    raise SystemExit(run(sys.argv[1:]))
