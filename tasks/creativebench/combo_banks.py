"""What a combo's novelty is the distance from: its own shipped programs, its parents', and these side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from .banks import load_bank
from .combo import Combo
from .novelty import Bank

__all__ = ["COMBO_BANKS", "load_combo_bank", "with_parents"]

COMBO_BANKS = Path(__file__).parent / "combo_banks"
"""The banks of the combos' own programs; what the parents add stands in the parents' banks."""


def with_parents(own: Bank, parents: Sequence[Bank]) -> Bank:
    """A combo's bank: its own, and what gluing the parents' public programs together would give.

    Every parent's slices are in it alone, and every pair of one slice from either parent as one program, whose bag
    of 4-grams is the sum of both: who takes two known programs and adds a line is near to that. The allowance is that
    of the combo's own programs: with more programs in the bank no rewrite is farther from it.

    Args:
        own: The bank of the combo's shipped programs.
        parents: The two parents' banks.
    """
    one, two = parents
    glued = [f"{a}\n{b}" for a in one.slices for b in two.slices]
    return replace(own, slices=(*own.slices, *one.slices, *two.slices, *glued))


def load_combo_bank(combo: Combo, folder: Path = COMBO_BANKS) -> Bank:
    """The bank of a combo, from its own stored one and those of its parents.

    Raises:
        StoreError: One of the three is not stored, or was made from other programs or tests.
    """
    return with_parents(load_bank(combo, folder), [load_bank(parent) for parent in combo.parents])
