"""Two or more results compared, task by task: effect, interval, test, corrected p-value, and a verdict in words."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from .errors import UsageError
from .records import MAX_LOST, Metric
from .results import Cell, CellKey, Results, unit_level
from .stats.curves import MIN_STREAMS
from .stats.paired import Difference

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from .stats.pairs import Pairs

    _Two = tuple[np.ndarray, np.ndarray]

__all__ = [
    "Comparison",
    "Correction",
    "Overall",
    "Row",
    "Verdict",
    "compare",
    "default_margin",
]

Verdict = Literal["better", "worse", "differs", "equivalent", "cannot tell"]
Correction = Literal["holm", "max-t"]

_POWER = 0.8
_MARGIN = 0.05


@dataclass(frozen=True, slots=True)
class Row:
    """One metric of one task and arm: a candidate against the baseline.

    Attributes:
        baseline: Label of the first side.
        candidate: Label of the second side.
        cell: Task, version and arm.
        cell_name: The cell as tables call it.
        metric: Name of the metric.
        primary: Whether it decides; the others are exploratory.
        direction: Which way is better.
        difference: Candidate less baseline, with interval, test and flips.
        adjusted: The p-value corrected for all rows of its kind; NaN where there is none.
        equivalence: The p-value of "they differ by the margin or more", corrected likewise; NaN without a margin.
        correction: How: ``holm`` or ``max-t`` among the deciding rows, ``benjamini-hochberg`` among exploratory ones.
        alpha: Level of the verdict.
        margin: Difference that does not matter, in the metric's unit; None where none can be named.
        verdict: ``better``, ``worse`` (``differs`` where neither way is better), ``equivalent`` within the margin, or
            ``cannot tell``.
        more_units: With ``cannot tell``: about how many more units would tell a difference of the margin (or, without
            one, of the size that was seen) with a power of 80 %; None where that cannot be said.
        unit: What was paired: ``item``, ``stream``, or the level of the metric's cluster path that items were averaged
            within.
        lost: Samples lost to errors or not there, baseline and candidate.
        worst: The difference if every lost sample had gone against the candidate; NaN where none was lost.
        best: Likewise for it.
        notes: What a reader must know.
    """

    baseline: str
    candidate: str
    cell: CellKey
    cell_name: str
    metric: str
    primary: bool
    direction: str
    difference: Difference
    adjusted: float
    equivalence: float
    correction: str
    alpha: float
    margin: float | None
    verdict: Verdict
    more_units: int | None
    unit: str
    lost: tuple[int, int]
    worst: float
    best: float
    notes: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """The verdict in words, as tables print it."""
        if self.verdict == "equivalent":
            return f"equivalent within {self.margin:.3g}"
        if self.verdict == "cannot tell":
            if self.more_units is None:
                return "cannot tell"
            plural = "" if self.more_units == 1 else "s"
            return f"cannot tell: needs about {self.more_units:,} more {self.unit}{plural}"
        if self.unsure:
            return f"{self.verdict} (but not if what was lost had gone the other way)"
        within = self.margin is not None and self.equivalence <= self.alpha / 2 and self.verdict != "differs"
        return f"{self.verdict} (by less than {self.margin:.3g})" if within else self.verdict

    @property
    def unsure(self) -> bool:
        """Whether lost samples, had they all gone one way, would turn the difference around."""
        found = self.verdict in ("better", "worse") and math.isfinite(self.worst)
        return found and min(self.worst, self.best) <= 0 <= max(self.worst, self.best)


@dataclass(frozen=True, slots=True)
class Overall:
    """The deciding metrics of one family of tasks together: each task counts alike.

    Differences are shares of a metric's range, of an open metric shares of the way from chance to ceiling.

    Attributes:
        baseline: Label of the first side.
        candidate: Label of the second side.
        family: What tasks' names have before the slash; tasks of different families are never averaged.
        tasks: How many tasks it is the mean of.
        estimate: Mean over tasks of the mean difference over units, positive where the candidate is better.
        low: Lower bound.
        high: Upper bound.
        confidence: Of the interval.
        pvalue: Two-sided, of "no difference".
        method: ``stratified t``, or ``none`` where a task has under two units or nothing differs.
        units: Units in all tasks.
        left_out: Tasks that are not part of it, with the reason.
    """

    baseline: str
    candidate: str
    family: str
    tasks: int
    estimate: float
    low: float
    high: float
    confidence: float
    pvalue: float
    method: str
    units: int
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Candidates against a baseline.

    Attributes:
        baseline: The first results.
        candidates: The others.
        rows: Candidate by candidate, cell by cell, the deciding metric first.
        overall: One a candidate and family of tasks.
        confidence: Of the intervals.
        notes: What holds for the whole: cells that only one side has, different decodings.
    """

    baseline: Results
    candidates: tuple[Results, ...]
    rows: tuple[Row, ...]
    overall: tuple[Overall, ...]
    confidence: float
    notes: tuple[str, ...]

    @property
    def deciding(self) -> tuple[Row, ...]:
        """The rows of primary metrics."""
        return tuple(row for row in self.rows if row.primary)

    def frame(self) -> pd.DataFrame:
        """One row a :class:`Row`, flat, for files."""
        import pandas as pd

        return pd.DataFrame([_flat(row) for row in self.rows])


def compare(
    results: Sequence[Results],
    *,
    margin: float | None = None,
    confidence: float = 0.95,
    correction: Correction = "holm",
    seed: int = 0,
) -> Comparison:
    """Compare results with the first of them.

    Units are paired by the hash of their content. Deciding metrics are corrected together over tasks and candidates,
    the others by Benjamini and Hochberg (1995) and called exploratory.

    Args:
        results: The baseline, then one or more candidates.
        margin: Difference that does not matter, as a share of a bounded metric's range, in (0, 1); of an open metric
            the share of the way from chance to ceiling. None: .05.
        confidence: Of the intervals, in (0, 1); verdicts are made at ``1 - confidence``.
        correction: Among deciding metrics: ``holm``, or ``max-t``, which flips whole units jointly over all candidates
            (Westfall and Young 1993) and gains where candidates resemble each other.
        seed: Of sign flips and bootstraps.

    Returns:
        The comparison.

    Raises:
        UsageError: There are fewer than two results, they have no task in common, or a number is out of range.
    """
    if len(results) < 2:
        raise UsageError("A comparison needs at least two runs: the baseline, then what is compared with it.")
    if margin is not None and not 0 < margin < 1:
        raise UsageError(f"--margin {margin:g}: it is a share of the metric's range, between 0 and 1.")
    if not 0.5 < confidence < 1:
        raise UsageError(f"--confidence {confidence:g}: it must lie between 0.5 and 1.")
    labels = _labels(results)
    first, *others = (replace(r, label=name) for r, name in zip(results, labels, strict=True))
    rows: list[Row] = []
    matched: list[_Match] = []
    notes = list(first.notes)
    for other in others:
        found, unmatched = _common(first, other)
        notes += [*other.notes, *unmatched, *_decoding(first, other)]
        if not found:
            raise UsageError(
                f"{first.label} and {other.label} have no task in common (of one version and arm).\n"
                f"  {first.label}: {', '.join(c.name for c in first.cells) or 'nothing'}\n"
                f"  {other.label}: {', '.join(c.name for c in other.cells) or 'nothing'}"
            )
        for a, b in found:
            for metric in _ordered(a.metrics):
                if metric.name not in {m.name for m in b.metrics}:
                    continue
                match = _Match(first, other, a, b, metric)
                row = match.row(margin, confidence, seed)
                if row is not None:
                    rows.append(row)
                    matched.append(match)
    corrected = _corrected(rows, matched, correction, seed)
    overall = tuple(
        total for other in others for total in _overalls(first, other, [m for m in matched if m.b is other], confidence)
    )
    deciding = sum(row.primary for row in corrected)
    judged = tuple(
        _judged(row, match, deciding if row.primary else len(corrected) - deciding)
        for row, match in zip(corrected, matched, strict=True)
    )
    return Comparison(first, tuple(others), judged, overall, confidence, _unique(notes))


def default_margin(metric: Metric, cell: Cell, share: float | None = None) -> float | None:
    """The difference that does not matter, in a metric's own unit.

    Args:
        metric: The metric.
        cell: Where it was measured; its levels stand in for the range of an open metric.
        share: Of the range, or of the way from chance to ceiling; None: .05.

    Returns:
        None for an open metric whose levels are not known.
    """
    share = _MARGIN if share is None else share
    whole = metric.scale(*cell.reach(metric))
    return None if whole is None else share * whole


@dataclass(frozen=True, eq=False)
class _Match:
    """A metric that both sides have."""

    a: Results
    b: Results
    cell_a: Cell
    cell_b: Cell
    metric: Metric

    def row(self, share: float | None, confidence: float, seed: int) -> Row | None:
        """Compare the sides; None where neither has a value."""
        from .stats.paired import difference

        values, codes, clusters, own = self._encoded
        if not any(map(len, values)):
            return None
        unit = "item" if clusters is None else self._unit
        margin = default_margin(self.metric, self.cell_a, share)
        alpha = 1 - confidence
        found = difference(
            values[0],
            codes[0],
            values[1],
            codes[1],
            kind=self.metric.kind,
            low=self.metric.low,
            high=self.metric.high,
            clusters=clusters,
            dyads=self._dyads,
            confidence=confidence,
            margin=margin,
            alpha=alpha / 2,
            direction="lower" if self.metric.direction == "lower" else "higher",
            seed=seed,
        )
        worst, best = self._bounds(found)
        found, pvalue = self._cautious(found)
        return Row(
            baseline=self.a.label,
            candidate=self.b.label,
            cell=self.cell_a.key,
            cell_name=self.cell_a.name,
            metric=self.metric.name,
            primary=self.metric.primary,
            direction=self.metric.direction,
            difference=found,
            adjusted=pvalue,
            equivalence=found.claims["equivalent"].pvalue if "equivalent" in found.claims else math.nan,
            correction="",
            alpha=alpha,
            margin=margin,
            verdict="cannot tell",
            more_units=None,
            unit=unit,
            lost=(self.cell_a.errors, self.cell_b.errors),
            worst=worst,
            best=best,
            notes=self._notes(found, own),
        )

    @staticmethod
    def _streamed(cell: Cell) -> bool:
        return bool(len(cell.frame) and (cell.frame["stream"] != "").all())

    def side(self, cell: Cell) -> tuple[np.ndarray, pd.Series, pd.Series]:
        """Values of one side with the labels of their items and of their units."""
        rows = cell.scored
        rows = rows[rows[self.metric.name].notna()]
        values = rows[self.metric.name].to_numpy(dtype=float)
        if not self._streamed(cell):
            grouped = self._unit not in ("item", "stream")
            return values, rows["item_hash"], self.groups(rows) if grouped else rows["item_hash"]
        # In a stream an item is met at a place: it is the stream that is independent, not the meeting.
        place = rows["stream"] + "\x1f" + rows["position"].astype(str) + "\x1f" + rows["checkpoint"].astype(str)
        return values, place + "\x1f" + rows["item_hash"], rows["stream"]

    def groups(self, rows: pd.DataFrame, level: str = "") -> pd.Series:
        """The unit of each row; of items that only the candidate's run describes its own word counts."""
        first, second = (cell.groups(level or self._unit, rows["item"]) for cell in (self.cell_a, self.cell_b))
        if first is None or second is None:
            found = first if second is None else second
            return rows["item"].map(lambda _: "") if found is None else found
        return first.where(first != "", second)

    @cached_property
    def _unit(self) -> str:
        """Streams where episodes form them, else the highest level of the cluster path with enough common units."""
        if self._streamed(self.cell_a) or self._streamed(self.cell_b):
            return "stream"
        rows_a, rows_b = (c.scored[c.scored[self.metric.name].notna()] for c in (self.cell_a, self.cell_b))
        common = rows_a[rows_a["item_hash"].isin(rows_b["item_hash"])]
        # Without a common item the sides are set against each other as they are, by item.
        if common.empty:
            return "item"
        above = [level for level in self.metric.clusters[1:] if level not in ("item", "stream")]
        return unit_level(self.metric, {level: self.groups(common, level).tolist() for level in above})

    @cached_property
    def _encoded(self) -> tuple[_Two, _Two, dict[Hashable, Hashable] | None, tuple[int, int]]:
        """Values and item numbers of both sides, the unit of each item where units are streams, and items a side.

        Numbers, since sorting them is cheap, and sorting long strings for every step is not.
        """
        import pandas as pd

        values, items, units = zip(*(self.side(c) for c in (self.cell_a, self.cell_b)), strict=True)
        codes, _ = pd.factorize(pd.concat(items, ignore_index=True), sort=True)
        n = len(items[0])
        clusters: dict[Hashable, Hashable] | None = None
        if self._unit != "item":
            groups, _ = pd.factorize(pd.concat(units, ignore_index=True), sort=True)
            clusters = dict(zip(codes.tolist(), groups.tolist(), strict=True))
        own = int(items[0].nunique()), int(items[1].nunique())
        return (values[0], values[1]), (codes[:n], codes[n:]), clusters, own

    @cached_property
    def _dyads(self) -> dict[Hashable, tuple[Hashable, Hashable]] | None:
        """The two larger units of each unit, by its number, where units are pairs; None where they are not."""
        import pandas as pd

        found = [g.dyads for c in (self.cell_b, self.cell_a) for g in c.groupings if g.name == self._unit and g.dyadic]
        if not found:
            return None
        _, names = pd.factorize(pd.concat([self.side(c)[2] for c in (self.cell_a, self.cell_b)]), sort=True)
        known = {group: dyad for dyads in found for group, dyad in dyads.items()}
        return {number: known[name] for number, name in enumerate(names)}

    @cached_property
    def pairs(self) -> Pairs:
        """The sides on their common units."""
        from .stats.pairs import pair_units, samples_of

        m = self.metric
        values, codes, clusters, _ = self._encoded
        sides = (samples_of(v, c, kind=m.kind, low=m.low, high=m.high) for v, c in zip(values, codes, strict=True))
        return pair_units(*sides, clusters=clusters, dyads=self._dyads)

    def _cautious(self, found: Difference) -> tuple[Difference, float]:
        """Hold a small p-value of sign flips against a test that knows the range.

        Flips are valid where a difference is as likely as its opposite. Many small gains against a few large losses are
        not: of 30 items with 64 samples, of which .05 break and the others rise so that nothing changes on average,
        flips call .21 better.
        """
        from .stats.bounded_mean import cautious_pvalue

        p = found.pvalue
        flipped = found.paired and found.test.startswith("sign-flip")
        if not (flipped and p <= 0.2 and math.isfinite(self.pairs.width)):
            return found, p
        d, width = self.pairs.differences, self.pairs.width
        side = d if found.estimate > 0 else -d
        p = max(p, min(1.0, 2 * float(cautious_pvalue(side, 0.0, -width))))
        return replace(found, pvalue=p, test=f"{found.test} and score"), p

    def _bounds(self, found: Difference) -> tuple[float, float]:
        """The difference if what was lost had gone all against the candidate, and all for it."""
        low, high = self.metric.low, self.metric.high
        if low is None or high is None or not (self.cell_a.errors or self.cell_b.errors) or not found.paired:
            return math.nan, math.nan
        good, bad = (low, high) if self.metric.direction == "lower" else (high, low)
        played = [set(c.frame["item_hash"]) for c in (self.cell_a, self.cell_b)]
        # A side that lacks samples may lack whole items; which, only the other side tells.
        planned = [
            own | (other if c.expected > len(c.frame) else set())
            for own, other, c in zip(played, played[::-1], (self.cell_a, self.cell_b), strict=True)
        ]
        items = planned[0] & planned[1]
        ends = []
        for end_a, end_b in ((good, bad), (bad, good)):
            sides = [self._filled(c, end, items) for c, end in ((self.cell_a, end_a), (self.cell_b, end_b))]
            ends.append(sides[1] - sides[0])
        return ends[0], ends[1]

    def _filled(self, cell: Cell, end: float, items: set[str]) -> float:
        """Mean over units of the mean over their items, with every lost sample at one end of the range."""
        rows = cell.frame[cell.frame["item_hash"].isin(items)]
        values = rows[self.metric.name].where(rows["outcome"] != "error", end)
        known = values.groupby(rows["item_hash"]).agg(["sum", "count", "size"])
        # Without a plan an item's own rows are all that there is to fill.
        wanted = known["size"].clip(lower=cell.repeats)
        means = ((known["sum"] + (wanted - known["count"]) * end) / wanted).reindex(sorted(items), fill_value=end)
        if self._unit not in ("item", "stream"):
            both = [c.frame[["item_hash", "item"]].drop_duplicates("item_hash") for c in (self.cell_a, self.cell_b)]
            owners = {h: g for rows in both for h, g in zip(rows["item_hash"], self.groups(rows), strict=True)}
            means = means.groupby(means.index.map(owners)).mean()
        return float(means.mean()) if items else math.nan

    @cached_property
    def conditional(self) -> bool:
        """Whether the metric has no value on some scored samples."""
        return any(bool(c.scored[self.metric.name].isna().any()) for c in (self.cell_a, self.cell_b))

    def _notes(self, found: Difference, own: tuple[int, int]) -> tuple[str, ...]:
        notes = []
        silent = [side.label for side, n in zip((self.a, self.b), own, strict=True) if not n]
        if silent:
            notes.append(f"{silent[0]} has no value of it")
        elif not found.paired:
            notes.append("unpaired: the runs have no item in common")
        elif found.only_a or found.only_b:
            notes.append(f"only the {found.items} common items count ({own[0]} and {own[1]} there)")
        if self.conditional:
            notes.append("only where both sides have a value: that depends on how they did, so it is no fair sample")
        if found.paired and self._streamed(self.cell_a) and found.units < MIN_STREAMS:
            notes.append(f"under {MIN_STREAMS} streams: describes these agent states only")
        if found.paired and found.samples_a != found.samples_b:
            notes.append(f"{found.samples_a} samples against {found.samples_b}")
        if self.cell_a.prompts and self.cell_b.prompts and self.cell_a.prompts != self.cell_b.prompts:
            notes.append("the items are the same, the prompts are not: the difference is of model and prompt together")
        if found.sparse:
            notes.append("sparse: the interval is rough")
        shares = [c.errors / c.expected if c.expected else 0.0 for c in (self.cell_a, self.cell_b)]
        bounded = found.paired and self.metric.low is not None and self.metric.high is not None
        if max(shares) > MAX_LOST or shares[0] != shares[1]:
            notes.append(
                f"{100 * shares[0]:.1f} % and {100 * shares[1]:.1f} % of samples lost"
                + (": read the bounds, not the estimate" if bounded else ", and no bounds can be given")
            )
        return tuple(notes)


def _labels(results: Sequence[Results]) -> list[str]:
    """One label each; where they agree, with the folder's name, or a number at last."""
    labels = [r.label for r in results]
    for name in (lambda r: r.path.name, lambda r: str(r.path)):
        if len(set(labels)) == len(labels):
            break
        labels = [f"{r.label} · {name(r)}" for r in results]
    if len(set(labels)) < len(labels):
        labels = [f"{label} #{i}" for i, label in enumerate(labels, start=1)]
    return labels


def _common(first: Results, other: Results) -> tuple[list[tuple[Cell, Cell]], list[str]]:
    """Cells of both sides, and what is to be said of the others."""
    found, notes = [], []
    for cell in first.cells:
        twin = other.cell(cell.key)
        if twin is not None:
            found.append((cell, twin))
            continue
        version = next((c.version for c in other.cells if (c.task, c.arm) == (cell.task, cell.arm)), None)
        if version is not None:
            notes.append(f"{cell.name} is not compared: {other.label} played version {version}.")
        else:
            notes.append(f"{cell.name} is not compared: {other.label} did not play it.")
    known = {c.key for c in first.cells} | {(c.task, c.arm) for c in first.cells}
    for cell in other.cells:
        if cell.key not in known and (cell.task, cell.arm) not in known:
            notes.append(f"{cell.name} is not compared: {first.label} did not play it.")
    return found, notes


def _decoding(first: Results, other: Results) -> Iterator[str]:
    if first.decoding != other.decoding:
        yield (
            f"Decoding differs: {first.label} is {first.decoding}, {other.label} {other.decoding}; "
            "the difference is of both together, model and decoding."
        )


def _ordered(metrics: Sequence[Metric]) -> list[Metric]:
    return sorted(metrics, key=lambda m: not m.primary)


def _unique(notes: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(notes))


def _corrected(rows: Sequence[Row], matched: Sequence[_Match], correction: Correction, seed: int) -> list[Row]:
    """Correct p-values: deciding rows together, exploratory ones together."""
    from .stats.multiplicity import benjamini_hochberg, holm

    if correction not in ("holm", "max-t"):
        raise UsageError(f"--correction {correction}: there are 'holm' and 'max-t'.")
    out = list(rows)
    primary = [i for i, row in enumerate(rows) if row.primary]
    others = [i for i, row in enumerate(rows) if not row.primary]
    # Flips of whole units are no test where units share larger ones.
    paired = all(rows[i].difference.paired and matched[i].pairs.dyads is None for i in primary)
    if primary and correction == "max-t" and paired:
        pvalues, how = _max_t([matched[i] for i in primary], seed), "max-t"
    else:
        pvalues, how = holm([rows[i].adjusted for i in primary]).tolist() if primary else [], "holm"
    exploratory = benjamini_hochberg([rows[i].adjusted for i in others]).tolist() if others else []
    families = ((primary, pvalues, how, holm), (others, exploratory, "benjamini-hochberg", benjamini_hochberg))
    for indices, found, name, correct in families:
        equal = correct([rows[i].equivalence for i in indices]).tolist() if indices else []
        for i, p, q in zip(indices, found, equal, strict=True):
            out[i] = replace(rows[i], adjusted=float(p), equivalence=float(q), correction=name)
    return out


def _max_t(matched: Sequence[_Match], seed: int) -> list[float]:
    import pandas as pd

    from .stats.multiplicity import max_t

    columns = {str(i): _unit_differences(match) for i, match in enumerate(matched)}
    frame = pd.DataFrame(columns)
    return max_t(frame.to_numpy(dtype=float), seed=seed).pvalues.tolist()


def _unit_differences(match: _Match) -> pd.Series:
    """Candidate less baseline by unit; the index names the task and the unit, so that candidates share it."""
    sides = []
    for cell in (match.cell_a, match.cell_b):
        values, items, clusters = match.side(cell)
        grouped = items.to_frame("item").assign(unit=clusters, value=values).groupby(["unit", "item"])["value"].mean()
        sides.append(grouped)
    both = (sides[1] - sides[0]).dropna()
    found = both.groupby(level="unit").mean()
    found.index = [f"{match.cell_a.task}@{match.cell_a.version}\x1f{unit}" for unit in found.index]
    return found


def _judged(row: Row, match: _Match, hypotheses: int) -> Row:
    """Add the verdict, given how many hypotheses share the level."""
    d = row.difference
    if row.unit == "stream" and d.units < MIN_STREAMS:
        return row
    if row.adjusted <= row.alpha and d.estimate:
        if row.direction == "none":
            return replace(row, verdict="differs")
        good = (d.estimate > 0) == (row.direction == "higher")
        return replace(row, verdict="better" if good else "worse")
    # Half the level, so that the interval that is shown lies within the margin.
    if row.equivalence <= row.alpha / 2:
        return replace(row, verdict="equivalent")
    if match.conditional or not d.paired or d.units < 2:
        return row
    return replace(row, more_units=_more_units(row, match, row.alpha / max(hypotheses, 1)))


def _more_units(row: Row, match: _Match, alpha: float) -> int | None:
    """About how many more units would settle it: the difference of the margin, or the one seen if that is larger.

    The usual sample size of a paired mean, ``((z_{1-alpha/2} + z_{power}) s / delta)^2``, with the spread ``s`` of the
    unit differences that were seen and a power of 80 %. Source: Miller (2024), "Adding error bars to evals",
    arXiv:2411.00640, section 5. A difference within the margin also needs so many that, if further units were like
    these, the claim of equivalence would hold; one beyond it so many that flips can reach the level at all.
    """
    from scipy.special import ndtri

    d = row.difference
    margin = row.margin or 0.0
    delta = max(margin, abs(d.estimate))
    spread = d.standard_error * math.sqrt(d.units)
    if not delta or not math.isfinite(spread):
        return None
    needed = math.ceil(((ndtri(1 - alpha / 2) + ndtri(_POWER)) * spread / delta) ** 2)
    if abs(d.estimate) > margin:
        needed = max(needed, math.ceil(1 + math.log2(1 / alpha)))  # the smallest p-value of n flips is 2^(1-n)
    else:
        enough = _equivalent_from(match, margin, alpha)
        if enough is None and not spread:
            return None
        needed = max(needed, enough or 0)
    return needed - d.units if needed > d.units else None


def _equivalent_from(match: _Match, margin: float, alpha: float) -> int | None:
    """From how many units on like those seen the sides would be called equivalent; None: from none up to 100,000."""
    import numpy as np

    from .stats.inference import paired_inference
    from .stats.margins import equivalence

    # How further units would share larger ones cannot be known: they are taken as independent.
    pairs = replace(match.pairs, dyads=None)

    def holds(n: int) -> bool:
        if n < 2:
            return False
        more = replace(
            pairs,
            units=tuple(range(n)),
            **{name: np.resize(getattr(pairs, name), n) for name in ("a", "b", "gained", "lost")},
        )
        claim = equivalence(paired_inference(more), margin, alpha=alpha / 2, pairs=more)
        return claim.pvalue <= alpha / 2

    few, many = 1, max(len(pairs.units), 2)
    while not holds(many):
        few, many = many, 2 * many
        if many > 100_000:
            return None
    while many - few > 1:
        middle = (few + many) // 2
        few, many = (few, middle) if holds(middle) else (middle, many)
    return many


def _overalls(first: Results, other: Results, matched: Sequence[_Match], confidence: float) -> Iterator[Overall]:
    families: dict[str, dict[str, list[_Match]]] = {}
    for match in matched:
        if match.metric.primary:
            family = match.cell_a.task.partition("/")[0]
            families.setdefault(family, {}).setdefault(match.cell_a.task, []).append(match)
    for family, tasks in families.items():
        if len(tasks) > 1:
            yield _overall(first, other, family, tasks, confidence)


def _overall(
    first: Results, other: Results, family: str, tasks: Mapping[str, Sequence[_Match]], confidence: float
) -> Overall:
    """Mean over tasks; arms of a task share items, so they are averaged within the item first.

    The variance is that of a stratified mean, its degrees of freedom are Satterthwaite's (1946), Biometrics Bull. 2,
    110-114.
    """
    import pandas as pd
    from scipy.special import stdtr, stdtrit

    strata: list[pd.Series] = []
    left_out: list[str] = []
    for task, matches in tasks.items():
        scaled = [s for s in map(_share_of_range, matches) if s is not None and len(s)]
        if len(scaled) < len(matches):
            left_out.append(f"{task}: no range, or no common units")
            continue
        strata.append(pd.concat(scaled, axis=1).mean(axis=1))
    count = len(strata)
    nan = math.nan
    empty = Overall(first.label, other.label, family, count, nan, nan, nan, confidence, nan, "none", 0, tuple(left_out))
    if not count:
        return empty
    estimate = float(sum(s.mean() for s in strata) / count)
    units = sum(len(s) for s in strata)
    known = replace(empty, estimate=estimate, units=units)
    if min(len(s) for s in strata) < 2:
        return known
    parts = [float(s.var(ddof=1)) / len(s) / count**2 for s in strata]
    variance = sum(parts)
    if not variance > 1e-24:
        return known
    df = variance**2 / sum(p**2 / (len(s) - 1) for p, s in zip(parts, strata, strict=True) if p)
    error = math.sqrt(variance)
    half = float(stdtrit(df, (1 + confidence) / 2)) * error
    p = 2 * float(stdtr(df, -abs(estimate) / error))
    return replace(known, low=estimate - half, high=estimate + half, pvalue=p, method="stratified t")


def _share_of_range(match: _Match) -> pd.Series | None:
    """Unit differences as shares of the metric's range, or of the way from chance to ceiling; positive is better."""
    whole = default_margin(match.metric, match.cell_a, 1.0)
    if whole is None or match.metric.direction == "none":
        return None
    sign = -1.0 if match.metric.direction == "lower" else 1.0
    found = _unit_differences(match) * (sign / whole)
    if match.pairs.dyads is None or not len(found):
        return found
    from .stats.dyadic import dyadic_design

    # Of units that share larger ones the spread is stretched, as if they were as alike as can be.
    design = dyadic_design(match.pairs.dyads)
    return found.mean() + (found - found.mean()) * math.sqrt(design.items / design.least_size)


def _flat(row: Row) -> dict[str, object]:
    d = row.difference
    flips = d.flips
    return {
        "baseline": row.baseline,
        "candidate": row.candidate,
        "task": row.cell[0],
        "version": row.cell[1],
        "arm": row.cell[2],
        "metric": row.metric,
        "primary": row.primary,
        "direction": row.direction,
        "baseline_mean": d.mean_a,
        "candidate_mean": d.mean_b,
        "difference": d.estimate,
        "low": d.low,
        "high": d.high,
        "confidence": d.confidence,
        "interval": d.method,
        "p": d.pvalue,
        "test": d.test,
        "adjusted_p": row.adjusted,
        "equivalence_p": row.equivalence,
        "correction": row.correction,
        "verdict": row.verdict,
        "words": row.words,
        "margin": row.margin,
        "more_units": row.more_units,
        "paired": d.paired,
        "unit": row.unit,
        "units": d.units,
        "samples_baseline": d.samples_a,
        "samples_candidate": d.samples_b,
        "gained": None if flips is None else flips.gained,
        "lost": None if flips is None else flips.lost,
        "both": None if flips is None else flips.both,
        "neither": None if flips is None else flips.neither,
        "lost_baseline": row.lost[0],
        "lost_candidate": row.lost[1],
        "worst": row.worst,
        "best": row.best,
        "sparse": d.sparse,
        "notes": "; ".join(row.notes),
    }
