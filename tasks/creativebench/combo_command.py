"""``python -m finchmark.tasks.creativebench combo [NAME …]``: what each combo has, and what it lacks.

``… combo bank [NAME …]`` makes the banks of combos that have none or changed since, or of those named.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

from ...suite.errors import FinchmarkError, StoreError, UnknownName
from .banks import build_bank, load_bank, store_bank
from .checks import MUTATION_FLOOR, mutation_strength
from .combo import Combo, load_combos
from .combo_banks import COMBO_BANKS
from .combo_checks import crowded, missing_of_combo
from .combo_probe import decides

__all__ = ["combo_command", "make_combo_banks", "print_combos"]

_MEMORY = 2 << 30


def combo_command(arguments: Sequence[str]) -> int:
    """Do what is asked; the exit status: 1 where something is lacking, 2 where it cannot be done."""
    try:
        return make_combo_banks(arguments[1:]) if arguments[:1] == ["bank"] else print_combos(arguments)
    except FinchmarkError as error:
        sys.stderr.write(f"{error}\n")
        return 2


def print_combos(names: Sequence[str] = (), combos: Mapping[str, Combo] | None = None) -> int:
    """Print a line for each combo, and what it lacks; 1 where one lacks something.

    Args:
        names: Which; all where there is none.
        combos: The combos by name; None: those that are shipped.

    Raises:
        UnknownName: There is no such combo.
    """
    combos = load_combos() if combos is None else combos
    total = killed = lacking = 0
    for combo in _named(combos, names):
        lacks = missing_of_combo(combo, mutation=False)
        strength = mutation_strength(combo)
        if strength.score < MUTATION_FLOOR:
            lacks.append(f"tests tell {strength.killed} of {strength.mutants} mutants, under {MUTATION_FLOOR:.0%}")
        total, killed, lacking = total + strength.mutants, killed + strength.killed, lacking + bool(lacks)
        ways = "" if lacks else ", ".join(f"{a} decides for {b}" for a, b in decides(combo))
        _say(
            f"{combo.name:22} {' + '.join(p.name for p in combo.parents):36} programs {len(combo.bank)}  "
            f"mutants killed {strength.killed}/{strength.mutants} ({strength.score:.2f})  {ways}"
        )
        for text in lacks:
            _say(f"    lacks: {text}")
        if names or strength.score < MUTATION_FLOOR:
            for text in strength.alive:
                _say(f"    alive: {text}")
    crowd = crowded(combos)
    for text in crowd:
        _say(f"lacks: {text}")
    used = {parent for combo in combos.values() for parent in combo.pair}
    _say(
        f"{len(combos)} combos of {len(used)} base problems; mutants killed {killed}/{total} "
        f"({killed / max(1, total):.3f})"
    )
    return 1 if lacking or crowd else 0


def make_combo_banks(names: Sequence[str] = (), combos: Mapping[str, Combo] | None = None) -> int:
    """Make the banks of some combos, or without names those that are missing; 1 where one is refused.

    Raises:
        UnknownName: There is no such combo.
    """
    import resource

    # Parts of programs may build what grows without end; they fail for want of memory instead of taking it all.
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    combos = load_combos() if combos is None else combos
    refused = 0
    for combo in _named(combos, names):
        if not names and _stored(combo):
            continue
        try:
            bank = build_bank(combo)
        except StoreError as error:
            _say(str(error))
            refused += 1
            continue
        store_bank(combo, bank, COMBO_BANKS)
        _say(f"{combo.name}: {len(bank.rewrites)} rewrites, allowance {bank.allowance:.3f}")
    return 1 if refused else 0


def _stored(combo: Combo) -> bool:
    try:
        load_bank(combo, COMBO_BANKS)
    except StoreError:
        return False
    return True


def _named(combos: Mapping[str, Combo], names: Sequence[str]) -> list[Combo]:
    for name in names:
        if name not in combos:
            raise UnknownName("combo", name, list(combos))
    return [combos[name] for name in names or combos]


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
