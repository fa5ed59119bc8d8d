"""Says what is missing from a combo: that both parents are in it, that joining them takes an idea, and strong tests."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Mapping

from .checks import Run, failing_programs, living_mutants, weak_tests
from .combo import Combo
from .combo_probe import decides, gluings, without_helper
from .trial import FUEL, trial

__all__ = ["MOST_USES", "crowded", "missing_of_combo"]

MOST_USES = 6
"""How many combos a base problem may be a parent of: one that is in many would make them hang together."""


def missing_of_combo(combo: Combo, *, mutation: bool = True, run: Run = trial) -> list[str]:
    """What keeps a combo from being used, in sentences; empty where nothing does.

    Args:
        combo: The combo.
        mutation: Whether to run the mutants too, which is most of the work.
        run: What runs its programs. The default runs them in this process, unprotected: programs that a model wrote
            need another.
    """
    found = [*_form(combo)]
    if not found:
        found += [*weak_tests(combo, run), *failing_programs(combo, run), *_parents(combo, run)]
    if not found:
        found += [*_joined(combo, run)]
    if mutation and not found:
        found += living_mutants(combo, run)
    return found


def _form(combo: Combo) -> Iterator[str]:
    one, two = combo.parents
    if one.name == two.name:
        yield f"both parents are {one.name}"
    if len(combo.entries) != 1:
        yield f"the tests call one function that the solution defines, not {', '.join(combo.entries) or 'none'}"
        return
    if f"`{combo.entry}" not in combo.statement:
        yield f"the statement does not name `{combo.entry}`"
    if combo.entry in {*one.entries, *two.entries}:
        yield f"`{combo.entry}` is a parent's name"
    if not combo.others:
        yield "there is no other program: a second one, written another way, shows that the tests ask what is stated"
    defined = {n.name for n in ast.parse(combo.solution).body if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    for parent in combo.parents:
        lost = [name for name in parent.entries if name not in defined]
        if lost:
            yield f"the solution has no function {', '.join(lost)} of its parent {parent.name}"


def _parents(combo: Combo, run: Run) -> Iterator[str]:
    """Whether both parents are in the solution, by test and not by name, and whether it needs them."""
    for parent in combo.parents:
        ran = run(combo.solution, parent.tests, FUEL)
        if not ran.passed:
            yield f"what the solution calls {parent.entries[0]} fails the tests of {parent.name} ({ran.reason})"
        spare = sum(run(code, combo.tests, FUEL).passed for code in without_helper(combo, parent))
        if spare:
            yield f"the solution passes with {spare} stubs in the place of {parent.name}: it does not need it"


def _joined(combo: Combo, run: Run) -> Iterator[str]:
    for how, code in gluings(combo):
        if run(code, combo.tests, FUEL).passed:
            yield f"the parents merely glued together pass the tests: {how}"
    if not decides(combo, run):
        yield "no parent's results decide what the other works on: with other results it gets the same arguments"


def crowded(combos: Mapping[str, Combo]) -> list[str]:
    """What is wrong with the combos as a whole: pairs that are there twice, base problems that are in too many."""
    pairs: dict[tuple[str, ...], list[str]] = {}
    for combo in combos.values():
        pairs.setdefault(combo.pair, []).append(combo.name)
    found = [f"{' and '.join(names)} have the same parents" for names in pairs.values() if len(names) > 1]
    uses = Counter(parent for combo in combos.values() for parent in combo.pair)
    return found + [f"{name} is a parent of {n}, above {MOST_USES}" for name, n in uses.items() if n > MOST_USES]
