"""Letters for groups that cannot be told apart: two things differ if and only if they share no letter."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["compact_letters"]


def compact_letters(different: ArrayLike, order: Sequence[int] | None = None) -> tuple[str, ...]:
    """Give letters to n things so that a pair shares a letter exactly if it is not different.

    The insert-and-absorb algorithm with sweeping of Piepho (2004), "An algorithm for a letter-based representation of
    all-pairwise comparisons", J. Comput. Graph. Stat. 13, 456-466.

    Args:
        different: Whether a pair differs, shape (n, n), symmetric; the diagonal is not read.
        order: The things from best to worst: the first gets ``a``. None: as given.

    Returns:
        Letters by thing, sorted, such as ``("a", "ab", "b")``; after ``z`` come ``aa``, ``ab`` … with a dot after every
        letter that has two signs.

    Raises:
        ValueError: The matrix is not square or not symmetric, or the order is none.
    """
    d = np.asarray(different, dtype=bool)
    n = d.shape[0] if d.ndim == 2 else -1
    if d.shape != (n, n) or (d != d.T)[~np.eye(max(n, 0), dtype=bool)].any():
        raise ValueError(f"different must be a symmetric matrix of true and false, not of shape {d.shape}")
    places = list(range(n)) if order is None else [int(i) for i in order]
    if sorted(places) != list(range(n)):
        raise ValueError(f"order must hold every number from 0 to {n - 1} once, not {places}")
    groups: list[frozenset[int]] = [frozenset(range(n))] if n else []
    for a in range(n):
        for b in range(a + 1, n):
            i, j = places[a], places[b]
            if not d[i, j]:
                continue
            split: list[frozenset[int]] = []
            for group in groups:
                split += [group - {i}, group - {j}] if i in group and j in group else [group]
            groups = _absorbed(split)
    rank = {thing: place for place, thing in enumerate(places)}
    groups = _swept(sorted(groups, key=lambda g: sorted(rank[i] for i in g)), d)
    groups = sorted(groups, key=lambda g: sorted(rank[i] for i in g))
    return tuple("".join(_letter(k) for k, group in enumerate(groups) if i in group) for i in range(n))


def _absorbed(groups: list[frozenset[int]]) -> list[frozenset[int]]:
    """Drop groups that lie within another."""
    kept: list[frozenset[int]] = []
    for group in sorted(set(groups), key=lambda g: (-len(g), sorted(g))):
        if not any(group <= other for other in kept):
            kept.append(group)
    return kept


def _swept(groups: list[frozenset[int]], d: np.ndarray) -> list[frozenset[int]]:
    """Take a letter from a thing where every pair that it joins is joined by another letter too."""
    for k in range(len(groups)):
        for i in sorted(groups[k]):
            others = [g for m, g in enumerate(groups) if m != k and i in g]
            joined = frozenset().union(*others)
            if others and groups[k] <= joined:
                groups[k] = groups[k] - {i}
    return _absorbed([g for g in groups if g])


def _letter(k: int) -> str:
    if k < 26:
        return chr(ord("a") + k)
    return f"{chr(ord('a') + k // 26 - 1)}{chr(ord('a') + k % 26)}." if k < 26 * 27 else f"{k}."
