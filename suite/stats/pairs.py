"""Pairs: what two sides scored on the units that both were measured on."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .intervals import finite, within

__all__ = ["Flips", "Kind", "Pairs", "Samples", "pair_units", "samples_of"]

Kind = Literal["binary", "graded"]


@dataclass(frozen=True, slots=True)
class Flips:
    """How often the sides agree and differ, in items; the four add up to the common items.

    With one sample an item and side these are counts. With several they are expected counts over all pairs of one
    sample from either side: an item with success rates ``a`` and ``b`` adds ``(1 - a) b`` to ``gained`` and
    ``a (1 - b)`` to ``lost``. So samples of one and the same model also flip, as two runs of it would.

    Attributes:
        gained: Only the second side succeeds.
        lost: Only the first side succeeds.
        both: Both succeed.
        neither: Both fail.
    """

    gained: float
    lost: float
    both: float
    neither: float


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """One side's samples, checked.

    Attributes:
        values: One number a sample, finite and in range.
        items: The item of each sample, of the same shape.
        kind: ``binary`` or ``graded``.
        low: Lower end of the metric's range, -inf where it is open.
        high: Upper end of the metric's range, inf where it is open.
    """

    values: NDArray[np.float64]
    items: NDArray[np.generic]
    kind: Kind
    low: float
    high: float

    @property
    def width(self) -> float:
        """Width of the metric's range: no difference is larger."""
        return self.high - self.low


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Unit means of two sides on their common units; differences are second less first.

    Attributes:
        units: Labels of the units, sorted.
        a: First side's unit means, shape (units,).
        b: Second side's unit means, likewise.
        gained: What each unit gains, as a share of the range, shape (units,); see
            :func:`.tango.clustered_tango_bounds`. NaN where the range is open.
        lost: What each unit loses, likewise.
        flips: The flips table of a binary metric, None for a graded one.
        kind: ``binary`` or ``graded``.
        width: Width of the metric's range, inf where it is open.
        single: Whether every unit is one item with one sample a side.
        items: Common items.
        samples_a: The first side's samples on them.
        samples_b: The second side's samples on them.
        only_a: Items that only the first side was measured on; they are left out.
        only_b: Items that only the second side was measured on.
        dyads: Where every unit belongs to two larger ones (a problem to its two parents), both of them by unit; units
            that share one are not independent. None: units are independent.
    """

    units: tuple[Hashable, ...]
    a: NDArray[np.float64]
    b: NDArray[np.float64]
    gained: NDArray[np.float64]
    lost: NDArray[np.float64]
    flips: Flips | None
    kind: Kind
    width: float
    single: bool
    items: int
    samples_a: int
    samples_b: int
    only_a: int
    only_b: int
    dyads: tuple[tuple[Hashable, Hashable], ...] | None = None

    @property
    def differences(self) -> NDArray[np.float64]:
        """Second side less first, by unit, without the noise of rounding, which would break ties."""
        scale = max(float(np.abs(self.a).max(initial=0.0)), float(np.abs(self.b).max(initial=0.0))) or 1.0
        return np.round((self.b - self.a) / scale, 13) * scale + 0.0


def samples_of(
    values: ArrayLike, items: ArrayLike, *, kind: Kind = "binary", low: float | None = 0.0, high: float | None = 1.0
) -> Samples:
    """Check one side's samples.

    Args:
        values: One number a sample, shape (samples,), finite; 0 or 1 where ``kind`` is ``binary``.
        items: The item of each sample, shape (samples,); equal labels are the same item.
        kind: ``binary`` or ``graded``.
        low: Lower end of a graded metric's range, None where it is open.
        high: Upper end of a graded metric's range, None where it is open.

    Raises:
        ValueError: A value is not finite, not 0 or 1, or out of range; the shapes differ; ``kind`` is unknown.
    """
    if kind not in ("binary", "graded"):
        raise ValueError(f"kind must be 'binary' or 'graded', not {kind!r}")
    x, labels = finite(values, "values"), np.asarray(items)
    if labels.shape != x.shape:
        raise ValueError(f"items must name the item of each value: shape {x.shape}, not {labels.shape}")
    if kind == "binary":
        low, high = 0.0, 1.0
        odd = x[(x != 0) & (x != 1)]
        if odd.size:
            raise ValueError(f"values of a binary metric must be 0 or 1, not {odd[0]:g}")
    within(x, low, high)
    floor, top = (-np.inf if low is None else float(low)), (np.inf if high is None else float(high))
    if not floor < top:
        raise ValueError(f"low must lie below high, not {floor:g} and {top:g}")
    return Samples(x, labels, kind, floor, top)


def pair_units(
    a: Samples,
    b: Samples,
    *,
    clusters: Mapping[Hashable, Hashable] | None = None,
    dyads: Mapping[Hashable, tuple[Hashable, Hashable]] | None = None,
) -> Pairs:
    """Pair two sides by item, and average item differences within units.

    Items count alike within a unit whatever their numbers of samples, and units count alike.

    Args:
        a: The first side (baseline).
        b: The second side (candidate), of the same metric.
        clusters: The unit of each item, where units are larger than items (worlds, cores, parents); None: each item is
            a unit.
        dyads: The two larger units that each unit belongs to, where units are dyads.

    Returns:
        The common units; none where the sides share no item.

    Raises:
        ValueError: The sides' metrics differ, or ``clusters`` lacks a common item, or ``dyads`` a common unit.
    """
    if (a.kind, a.low, a.high) != (b.kind, b.low, b.high):
        raise ValueError(
            "both sides must be of one metric, not "
            f"{a.kind} in [{a.low:g}, {a.high:g}] and {b.kind} in [{b.low:g}, {b.high:g}]"
        )
    labels_a, mean_a, count_a = _item_means(a)
    labels_b, mean_b, count_b = _item_means(b)
    common, in_a, in_b = np.intersect1d(labels_a, labels_b, assume_unique=True, return_indices=True)
    p, q = mean_a[in_a], mean_b[in_b]
    if a.kind == "binary":
        gained, lost = (1 - p) * q, p * (1 - q)
        flips = Flips(float(gained.sum()), float(lost.sum()), float((p * q).sum()), float(((1 - p) * (1 - q)).sum()))
    elif np.isfinite(a.width):
        gained, lost = np.maximum(q - p, 0.0) / a.width, np.maximum(p - q, 0.0) / a.width
        flips = None
    else:
        gained, lost, flips = np.full(p.shape, np.nan), np.full(p.shape, np.nan), None
    names = common.tolist()
    units: tuple[Hashable, ...] = tuple(names)
    if clusters is not None:
        missing = [name for name in names if name not in clusters]
        if missing:
            raise ValueError(f"clusters must name the unit of every common item; {missing[0]!r} has none")
        owners = [clusters[name] for name in names]
        # dict.fromkeys, not numpy: labels of units may be of any kind; the order is that of their items.
        place = {unit: i for i, unit in enumerate(dict.fromkeys(owners))}
        units = tuple(place)
        index = np.array([place[owner] for owner in owners], dtype=np.intp)
        members = np.bincount(index, minlength=len(place))
        p, q, gained, lost = (np.bincount(index, x, len(place)) / members for x in (p, q, gained, lost))
    lacking = [unit for unit in units if unit not in dyads] if dyads is not None else []
    if lacking:
        raise ValueError(f"dyads must name the two larger units of every common unit; {lacking[0]!r} has none")
    samples_a, samples_b = int(count_a[in_a].sum()), int(count_b[in_b].sum())
    return Pairs(
        units=units,
        a=p,
        b=q,
        gained=gained,
        lost=lost,
        flips=flips,
        kind=a.kind,
        width=a.width,
        single=len(units) == len(names) == samples_a == samples_b,
        items=len(names),
        samples_a=samples_a,
        samples_b=samples_b,
        only_a=labels_a.size - len(names),
        only_b=labels_b.size - len(names),
        dyads=None if dyads is None else tuple(dyads[unit] for unit in units),
    )


def _item_means(side: Samples) -> tuple[NDArray[np.generic], NDArray[np.float64], NDArray[np.intp]]:
    """Labels of the items, sorted, with their means and numbers of samples."""
    import pandas as pd

    # Hashing and sorting what is distinct is many times faster than sorting every label, as np.unique does.
    index, labels = pd.factorize(side.items, sort=True)
    counts = np.bincount(index, minlength=len(labels))
    means = np.bincount(index, weights=side.values, minlength=len(labels)) / counts
    # A mean of equal floats may leave the range by one rounding.
    return np.asarray(labels), np.clip(means, side.low, side.high), counts
