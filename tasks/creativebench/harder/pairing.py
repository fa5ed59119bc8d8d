"""Which base problems are joined: pairs of different domains, every pair of domains as often as another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from ....suite.seeds import generator
from ..combo_checks import MOST_USES
from ..problem import Problem

__all__ = ["drawn_pairs"]


def drawn_pairs(
    bases: Mapping[str, Problem], taken: Iterable[tuple[str, ...]], count: int, seed: int
) -> list[tuple[str, str]]:
    """Draw pairs of base problems.

    A pair of domains is drawn first, uniformly, so that large domains do not crowd the others out; then a pair of their
    problems. No pair is drawn that is taken or was drawn before, and no problem becomes a parent of more combos than
    :data:`.combo_checks.MOST_USES`, those that are there included.

    Args:
        bases: The base problems.
        taken: Pairs of names that combos have already.
        count: How many pairs.
        seed: Decides the draw.

    Returns:
        At most ``count`` pairs; fewer where there are no more.
    """
    used = {tuple(sorted(pair)) for pair in taken}
    uses = Counter(name for pair in used for name in pair)
    free: dict[tuple[str, str], list[tuple[str, str]]] = {}
    names = sorted(bases)
    for i, one in enumerate(names):
        for two in names[i + 1 :]:
            domains = tuple(sorted((bases[one].domain, bases[two].domain)))
            if domains[0] != domains[1] and (one, two) not in used:
                free.setdefault((domains[0], domains[1]), []).append((one, two))
    rng = generator("harder-pairs", seed)
    drawn: list[tuple[str, str]] = []
    while free and len(drawn) < count:
        domains = sorted(free)[int(rng.integers(len(free)))]
        open_ = [pair for pair in free[domains] if max(uses[pair[0]], uses[pair[1]]) < MOST_USES]
        if not open_:
            del free[domains]
            continue
        pair = open_[int(rng.integers(len(open_)))]
        free[domains] = [other for other in open_ if other != pair]
        uses.update(pair)
        # Which of the two stands first is drawn too: it is the one that a model reads first.
        drawn.append(pair if rng.integers(2) else (pair[1], pair[0]))
    return drawn
