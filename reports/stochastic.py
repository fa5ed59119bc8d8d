"""Temperatures, samples and wordings: what one greedy reply hides, the tail, and what wordings decide."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from textwrap import fill

from ..leaderboard.text import visible
from ..suite.stats.intervals import Interval
from ..suite.stats.no_events import rule_of_three
from ..suite.stochastic import TO_SEE, SampledArm, Stochastic, run_stochastic
from ..suite.store import StoredRun
from ..tasks.stochastic.arms import GREEDY
from .arm_effects import gate_note
from .differences import signed
from .forest import MOST_ROWS, ForestPanel, ForestRow, forest
from .leeway import WHICHEVER_HEAD, WHICHEVER_WAY, whichever_way
from .table_text import table_text
from .tables import Plot, Table, interval, number, table

__all__ = ["sampled_sections", "stochastic_claims", "stochastic_sections", "stochastic_text"]


def stochastic_claims(found: Sequence[Stochastic]) -> tuple[str, ...]:
    """What can be said, in sentences fit to be seen."""
    return tuple(visible(text, 2000) for one in found for text in one.words)


def stochastic_sections(found: Sequence[Stochastic]) -> list[Plot | Table]:
    """The sections of a report: for every wrapped task its rates, what greedy hides, worst of k, wordings."""
    return [section for i, one in enumerate(found) for section in sampled_sections(one, f"stochastic-{i}")]


def sampled_sections(one: Stochastic, name: str) -> list[Plot | Table]:
    """The sections of one wrapped task, with its anchor."""
    return [_plot(one, name), *_tables(one)]


def stochastic_text(run: StoredRun, *, width: int | None = None) -> list[str]:
    """The same for a terminal.

    Args:
        run: The run.
        width: Columns of sentences; None: 120. Tables are as wide as they need.
    """
    lines = list[str]()
    for one in run_stochastic(run):
        lines += ["", visible(f"Temperatures and wordings: {one.task}@{one.version}")]
        lines += [fill(visible(text, 2000), width or 120) for text in one.words]
        for made in (_rate_table(one), *_tables(one)):
            lines += table_text(made, width=width)
        lines += [fill(note, width or 120) for note in _notes(one)]
    return lines


def _tables(one: Stochastic) -> list[Table]:
    if not one.arms:
        return []
    return [_hidden_table(one), _worst_table(one), _tail_table(one), _wording_table(one), _see_table(one)]


def _told(found: Interval | None) -> str:
    if found is None:
        return "–"
    return f"{number(found.estimate)} {interval(found.low, found.high)}{_star(found.sparse)}"


def _difference(found: Interval | None) -> str:
    if found is None:
        return "–"
    return f"{signed(found.estimate)} {interval(found.low, found.high)}{_star(found.sparse)}"


def _plot(one: Stochastic, name: str) -> Plot:
    panels: dict[str, list[ForestRow]] = {}
    for rate in one.rates:
        found, metric = rate.interval, rate.metric
        if not found.units or not (metric.primary or metric.role):
            continue
        better = {"lower": "lower is better", "higher": "higher is better"}.get(metric.direction, "")
        title = f"{metric.name}" + (f", {better}" if better else "")
        row = ForestRow(
            rate.arm,
            found.estimate,
            found.low,
            found.high,
            f"{_told(found)}, n {found.units}",
            metric.chance,
            metric.ceiling,
            found.sparse,
        )
        panels.setdefault(title, []).append(row)
    drawn = [ForestPanel(title, tuple(rows), 0.0, 1.0) for title, rows in panels.items()]
    return Plot(
        name,
        f"Temperatures and wordings: {visible(one.task)}@{one.version}",
        f"One greedy reply is one point of what a model may say. A failure here is {visible(one.failure)}. Greedy "
        "and sampled stand beside each other and are never pooled, and neither are capability and safety. All "
        "intervals are over the items of the task inside, n of them: their wordings and samples are within.",
        forest(
            drawn,
            name=f"{name}-figure",
            title=f"Rates of {one.task} by temperature",
            description="Means by arm, with intervals over items; a panel a metric.",
        )
        if drawn
        else "",
        _rate_table(one),
        (
            *_notes(one),
            *([f"The figure shows the first {MOST_ROWS} rows."] if sum(map(len, panels.values())) > MOST_ROWS else []),
        ),
    )


def _notes(one: Stochastic) -> tuple[str, ...]:
    notes = [] if one.gate is None else [gate_note(one.gate)]
    notes += [f"{note[0].upper()}{note[1:]}." for note in one.notes]
    notes += [
        "An arm is a temperature, whatever the run's own; an agent that names temperatures of its own keeps them. "
        "Differences are exploratory and not corrected for the number of arms and metrics; of safety the section on "
        "arms decides. * sparse: under 30 items or 5 expected events; the interval is rough."
    ]
    return tuple(visible(note, 2000) for note in notes)


def _rate_table(one: Stochastic) -> Table:
    rows = [
        (
            rate.metric.name,
            rate.arm,
            number(rate.interval.estimate),
            interval(rate.interval.low, rate.interval.high) + ("*" if rate.interval.sparse else ""),
            rate.interval.method,
            f"{rate.interval.units:,}",
            f"{rate.interval.samples:,}",
        )
        for rate in one.rates
        if rate.interval.units
    ]
    return table(
        f"Rates by temperature: {one.task}",
        ("metric", "arm", "mean>", "95 % interval>", "method", "items>", "replies>"),
        rows,
        [
            "Each in its metric's own direction. Replies in which nothing could be judged are left out of a rate "
            "without bounds; NAME_at_least and NAME_at_most count them one way and the other."
        ]
        if any(rate.metric.name.endswith("_at_most") for rate in one.rates)
        else (),
    )


def _hidden_table(one: Stochastic) -> Table:
    rows = []
    for arm in one.arms:
        found = arm.concealed
        rows.append(
            (
                arm.arm,
                _difference(arm.gap),
                whichever_way(arm.gap_leeway),
                arm.unmeasured if found is None else f"{sum(found.concealed)} of {found.safe_shown}",
                "–" if found is None else _told(found.share),
                "–" if found is None else number(found.raw_share),
                "–" if found is None else number(found.seen),
                "–" if found is None else number(found.provable),
                "–" if arm.gain is None else f"{_difference(arm.gain[1])} at {arm.gain[0]}",
                _bound(arm),
            )
        )
    threshold = next((arm.concealed.threshold for arm in one.arms if arm.concealed is not None), 0.05)
    return table(
        f"What greedy replies hide: {one.task}",
        (
            "arm",
            "sampled − greedy>",
            WHICHEVER_HEAD,
            "concealed",
            "of all items>",
            "with noise>",
            "unseen under>",
            "provable from>",
            "best of k − greedy>",
            "no failure seen",
        ),
        rows,
        [
            "Sampled − greedy: rate of failure, paired by item. Concealed: items that failed in "
            f"no greedy reply and whose samples, over all wordings, prove a risk above {threshold:g} (exact "
            "one-sided test, corrected by Benjamini and Hochberg; of the items that count at most 5 % are expected "
            "to be noise). With noise: the share whose plain rate exceeds it. Unseen under: a risk below it could "
            "have shown no failure at all with probability .05 or more in the samples of an item; provable from: "
            "the risk that would have been counted with probability .95. Under 64 samples an item nothing is told.",
            "Best of k − greedy: share of items that the best of k samples solves less the share that the greedy "
            "reply solves: what exploring gains, of capability alone.",
            *(f"{visible(arm.arm)}: {arm.unmeasured}." for arm in one.arms if arm.concealed and arm.unmeasured),
        ],
    )


def _bound(arm: SampledArm) -> str:
    if arm.unseen is None:
        return "–"
    each = rule_of_three(max(arm.pooled, 1), arm.unseen.confidence).exact
    return f"under {number(arm.unseen.exact)} of items show one; an item's own risk is under {number(each)}"


def _worst_table(one: Stochastic) -> Table:
    heads = (
        "arm",
        "k>",
        "at least one fails>",
        WHICHEVER_HEAD,
        "all are safe>",
        "beta-binomial>",
        "logit-normal>",
        "left out>",
        "from",
    )
    return table(
        f"Worst of k samples: {one.task}",
        heads,
        [row for arm in one.arms for row in _worst_rows(arm)],
        [
            "At least one of k samples in one wording fails, averaged over items: 1 − C(n − c, k) / C(n, k), "
            "unbiased for k up to the n samples drawn; all are safe: one less that. Left out: wordings with fewer "
            "than k scored samples.",
            WHICHEVER_WAY,
            "Extrapolated: beyond the samples drawn, and never beyond four times them, of each item's first wording "
            "alone. What few samples show says little of rare failures: two families with different tails are "
            "fitted, and the interval spans both; it knows no third.",
        ],
    )


def _worst_rows(arm: SampledArm) -> Iterator[tuple[str, ...]]:
    for worst in arm.worst:
        safe, low, high = worst.all_safe
        yield (
            arm.arm,
            f"{worst.k:,}",
            _told(worst.failing),
            whichever_way(arm.worst_leeway.get(worst.k)),
            f"{number(safe)} {interval(low, high)}",
            "–",
            "–",
            f"{worst.left_out:,}",
            "samples",
        )
    for far in arm.further:
        by = {fit.family: fit for fit in far.families}
        yield (
            arm.arm,
            f"{far.k:,}",
            f"{number(far.estimate)} {interval(far.low, far.high)}",
            "–",
            f"{number(1 - far.estimate)} {interval(1 - far.high, 1 - far.low)}",
            number(by["beta-binomial"].estimate),
            number(by["logit-normal"].estimate),
            "–",
            "extrapolated",
        )


def _tail_table(one: Stochastic) -> Table:
    rows = []
    for arm in one.arms:
        tail = arm.tail
        shares = ("–",) * 3 if arm.spread is None else tuple(number(share) for share in arm.spread.shares)
        bounds = "–" if tail is None else f"{number(tail.estimate)} {interval(tail.low, tail.high)}{_star(tail.sparse)}"
        rest = ("–",) * 3 if tail is None else tuple(map(number, (tail.null, tail.plug_in, tail.mean)))
        rows.append((arm.arm, bounds, *rest, "–" if tail is None else f"{tail.items:,}", *shares))
    return table(
        f"Worst items, and what the spread is made of: {one.task}",
        (
            "arm",
            "worst tenth of items>",
            "if all alike>",
            "plug-in>",
            "all items>",
            "items>",
            "spread by item>",
            "by wording>",
            "by sample>",
        ),
        rows,
        [
            "Worst tenth (CVaR): chosen by one half of an item's samples and valued by the other, so that luck does "
            "not count. Plug-in: chosen and valued by the same samples; if all alike: what that would be by noise "
            "alone. Spread: shares of the variance between items, between wordings of an item and between samples "
            "of a wording (nested analysis of variance; negative estimates are 0)."
        ],
    )


def _wording_table(one: Stochastic) -> Table:
    rows = []
    if one.greedy is not None:
        rows.append((GREEDY, _told(one.greedy.differ), "–", "–", _told(one.greedy.all_agree), "–", "–", "–"))
    for arm in one.arms:
        flips, worst = arm.flips, arm.worst_wording
        parts = ("–",) * 3 if flips is None else (_told(flips.between), _told(flips.within), _difference(flips.excess))
        rest = ("–",) * 3 if worst is None else (_told(worst.rate), number(worst.null), number(worst.mean))
        rows.append((arm.arm, *parts, "–", *rest))
    return table(
        f"Wordings: {one.task}",
        (
            "arm",
            "flip between wordings>",
            "within one>",
            "wordings add>",
            "all agree>",
            "worst wording>",
            "if all alike>",
            "mean wording>",
        ),
        rows,
        [
            "Flip: two replies to one item come out differently, in two wordings and in one; what wordings add is "
            "the difference by item, which cannot be below 0 but for noise (* sparse: under 30 items or 10 expected "
            "flips). All agree: items whose greedy replies come out alike in all wordings. Worst "
            "wording: chosen by one half of its samples and valued by the other; if all alike: what choosing and "
            "valuing by the same samples would show by noise alone."
        ],
    )


def _star(sparse: bool) -> str:
    return "*" if sparse else ""


def _see_table(one: Stochastic) -> Table:
    drawn = {arm.arm: arm.pooled for arm in one.arms}
    rows: Iterable[tuple[str, ...]] = (
        (f"1 in {m:,}", f"{n:,}", *("yes" if pooled >= n else "no" for pooled in drawn.values())) for m, n in TO_SEE
    )
    return table(
        f"Samples to see a rare failure: {one.task}",
        ("a failure in", "samples of an item>", *(f"enough in {arm} ({pooled:,})" for arm, pooled in drawn.items())),
        rows,
        ["Samples that show such a failure at least once with probability .95; beside it whether an item had them."],
    )
