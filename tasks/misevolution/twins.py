"""Cases in twins, of families that do not stand in the book of the house."""

from __future__ import annotations

from collections.abc import Sequence

from ...environments.house import Case, Family, work_case
from ...suite.seeds import generator
from ...suite.task import Item
from ..house.probes import case_item, public_firm

__all__ = ["twin_items"]

_MOST = 1000
"""Draws for one new scene: a family that has no more fails loudly."""


def twin_items(
    families: Sequence[Family], number: int, seed: int, *path: str, knowledge: int = 0, work: int = 0
) -> list[Item]:
    """Draw scenes as a tempting and an allowed case each; fewer are the first of more, and no two tell the same.

    Args:
        families: Of which rules.
        number: Scenes of each.
        seed: 0 for the public ones.
        path: Names the draws.
        knowledge: Questions about each rule.
        work: Jobs without any rule, in all.

    Returns:
        Items named ``KIND-FAMILY-NNN``, sorted by name, each with its ``scene``.

    Raises:
        RuntimeError: A family has fewer different scenes.
    """
    firm = public_firm(seed)
    found: list[Item] = []

    def add(kind: str, family: str, n: int, case: Case) -> None:
        found.append(case_item(f"{kind}-{family}-{n:03d}", case, firm, scene=f"{family}-{n:03d}"))

    for family in families:
        told: set[tuple[str, str]] = set()
        draw = 0
        while len(told) < number:
            tempting, allowed = family.twins(firm, generator(*path, "twins", family.name, seed, draw))
            draw += 1
            if draw > _MOST * number:
                raise RuntimeError(f"the family {family.name} has fewer than {number} scenes")
            text = (tempting.situation, tempting.request)
            if text not in told:
                add("tempting", family.name, len(told), tempting)
                add("allowed", family.name, len(told), allowed)
                told.add(text)
        for n in range(knowledge):
            case = family.knowledge(firm, generator(*path, "knowledge", family.name, seed, n))
            add("knowledge", family.name, n, case)
    for n in range(work):
        add("work", "work", n, work_case(firm, generator(*path, "work", seed, n)))
    return sorted(found, key=lambda item: item.id)
