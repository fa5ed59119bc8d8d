"""How far a program is from a public bank of solutions, in what the tests need of it.

``novelty = max(0, distance - allowance)``. The *distance* is that to the nearest program of the bank: the share of
4-grams of canonical tokens (``canonical.tokens``) that are not common, as bags (Jaccard 1912; for bags the sum of the
smaller counts over that of the larger). Only the slice that the tests need counts (``slices``). The *allowance* is the
95th percentile of the distances that the shipped behaviour-preserving rewrites of the bank's own programs reach, so
that what is left is more than a rewrite earns.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import combinations

from .canonical import canonical, tokens
from .rewrites import rewritten
from .slices import Search, Slice, needed

__all__ = [
    "Bank",
    "Novelty",
    "bag_distance",
    "grams",
    "known_form",
    "make_bank",
    "nearest",
    "novelty",
    "pair_distances",
]

_GRAM = 4
_PERCENTILE = 95.0

Grams = Counter[tuple[str, ...]]


def grams(code: str) -> Grams:
    """The bag of 4-grams of a program's canonical tokens.

    None goes over the end of a statement, so that their order does not show; a shorter statement is one gram.
    """
    found: Grams = Counter()
    for statement in tokens(code):
        last = max(1, len(statement) - _GRAM + 1)
        found.update(statement[k : k + _GRAM] for k in range(last))
    return found


def bag_distance(one: Grams, two: Grams) -> float:
    """Jaccard distance of two bags, in [0, 1]; 0 where both are empty."""
    union = (one | two).total()
    return 1.0 - (one & two).total() / union if union else 0.0


@dataclass(frozen=True)
class Bank:
    """The public programs of one problem, as what its tests need of them.

    Args:
        entries: Names that the tests use.
        slices: The programs' slices.
        forms: Their canonical forms before slicing: a program with the same bag as one of them is at distance 0.
        allowance: 95th percentile of the distances of their rewrites.
        among: 95th percentile of the distances of two rewrites of one program, itself counted as one: what is taken
            off the distance of two programs of a model.
        rewrites: Every rewrite's distance, by ``number of the program: kind of rewrite``.
    """

    entries: tuple[str, ...]
    slices: tuple[str, ...]
    forms: tuple[str, ...]
    allowance: float
    among: float = 0.0
    rewrites: Mapping[str, float] = field(default_factory=dict)

    @cached_property
    def bags(self) -> tuple[Grams, ...]:
        """The bags of the slices."""
        return tuple(grams(code) for code in self.slices)

    @cached_property
    def known(self) -> tuple[Grams, ...]:
        """The bags of the canonical forms."""
        return tuple(grams(code) for code in self.forms)


@dataclass(frozen=True, slots=True)
class Novelty:
    """A program's novelty.

    Args:
        novelty: ``max(0, distance - allowance)``, in [0, 1].
        distance: To the nearest program of the bank, in [0, 1].
        nearest: Which one that is, from 0.
        allowance: What was taken off.
        form: How the slice was found: ``same`` (its canonical form is in the bank), or as ``slices.Slice`` says.
        part: The slice, which for ``same`` is that of the bank; empty where there is none.
    """

    novelty: float
    distance: float
    nearest: int
    allowance: float
    form: str
    part: str


def known_form(code: str, entries: Collection[str], forms: Sequence[Grams]) -> int | None:
    """The number of the form that a program has too, before any slicing; None where it has none of them."""
    try:
        own = grams(canonical(code, entries))
    except RecursionError:
        return None
    return next((k for k, form in enumerate(forms) if form == own), None)


def nearest(bank: Bank, part: Slice) -> Novelty:
    """The novelty of what the tests need of a program; 0 where that could not be found."""
    if part.form in ("none", "unfinished"):
        return Novelty(0.0, 0.0, 0, bank.allowance, part.form, "")
    own = grams(part.code)
    distances = [bag_distance(own, other) for other in bank.bags]
    best = min(range(len(distances)), key=distances.__getitem__)
    distance = distances[best]
    return Novelty(max(0.0, distance - bank.allowance), distance, best, bank.allowance, part.form, part.code)


def novelty(code: str, bank: Bank) -> Search[Novelty]:
    """The novelty of a program that passes the tests; to be run by ``slices.driven``.

    Args:
        code: The program.
        bank: The problem's bank.
    """
    same = known_form(code, bank.entries, bank.known)
    if same is not None:
        return Novelty(0.0, 0.0, same, bank.allowance, "same", bank.slices[same])
    part = yield from needed(code, bank.entries)
    return nearest(bank, part)


def make_bank(programs: Sequence[str], entries: Sequence[str]) -> Search[Bank]:
    """Make the bank of a problem: slice its programs, and measure what rewrites of them reach.

    Args:
        programs: Programs that pass the tests.
        entries: Names that the tests use.
    """
    slices: list[str] = []
    for code in programs:
        slices.append((yield from needed(code, entries)).code)
    forms = tuple(canonical(code, entries) for code in programs)
    bare = Bank(tuple(entries), tuple(slices), forms, 0.0)
    reached: dict[str, float] = {}
    pairs: list[float] = []
    for k, code in enumerate(programs):
        parts = [slices[k]]
        for name, text in rewritten(code, entries).items():
            made = yield from novelty(text, bare)
            reached[f"{k}: {name}"] = made.distance
            parts += [made.part] * bool(made.part)
        pairs += pair_distances(parts)
    return replace(bare, allowance=_percentile(reached.values()), among=_percentile(pairs), rewrites=reached)


def pair_distances(parts: Sequence[str]) -> list[float]:
    """The distances of all pairs of slices, each in [0, 1]; none where there are fewer than two."""
    # Most rewrites have one and the same slice: each text is read once, and each pair of texts compared once.
    bags = {text: grams(text) for text in set(parts)}
    known = {(a, b): bag_distance(bags[a], bags[b]) for a, b in combinations(sorted(bags), 2)}
    return [0.0 if a == b else known[min(a, b), max(a, b)] for a, b in combinations(parts, 2)]


def _percentile(distances: Collection[float]) -> float:
    import numpy as np

    return float(np.percentile(list(distances), _PERCENTILE)) if distances else 0.0
