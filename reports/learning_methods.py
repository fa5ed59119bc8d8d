"""An experiment with learning methods as text: scores by world, gains, upper bounds, curves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..leaderboard.text import visible
from .tables import number
from .terminal import draw, text_table

if TYPE_CHECKING:
    from ..suite.stats.intervals import Interval
    from ..tasks.learning.methods.cost import Cost
    from ..tasks.learning.methods.result import MethodsResult
    from ..tasks.learning.methods.summary import Summary

__all__ = ["lineage_text", "methods_text"]


def methods_text(result: MethodsResult, *, alpha: float = 0.05, width: int | None = None) -> str:
    """Everything that an experiment shows.

    Args:
        result: The experiment's.
        alpha: Level of all claims of a gain together.
        width: The terminal's width; None: as wide as needed.
    """
    from ..tasks.learning.methods.summary import summarise

    found = summarise(result, alpha=alpha)
    parts = [_worlds(result, width)]
    if found.whom is None:
        parts.append("No world here has the headroom to be averaged: nothing is claimed over them.")
    else:
        parts += [_gains(result, found, alpha, width), _bounds(found), _space(found, width)]
        parts += [_growth(found, width)] if found.growth else []
        parts += [_chosen(found, width)] if found.chosen else []
    parts += [_refusals(result), _stops(result), _published(result, width)]
    return "\n\n".join(part for part in parts if part)


def _interval(interval: Interval) -> str:
    return f"[{number(interval.low)}, {number(interval.high)}]{'*' if interval.sparse else ''}"


def _money(cost: Cost) -> str:
    return f"{cost.usd:,.4f}" if cost.usd else "–"


def _worlds(result: MethodsResult, width: int | None) -> str:
    from statistics import fmean

    from ..tasks.learning.methods.claims import gain_interval
    from ..tasks.learning.methods.cost import Cost, total

    table = text_table(
        "world", "method", "validation>", "test>", "95 % over levels", "failed>", "candidates>", "no edit>", "calls>",
        "tokens>", "USD>",
    )  # fmt: skip
    runs = range(result.settings["runs"])
    for world in result.worlds:
        name = world["name"]
        shown = name if world["averaged"] else f"{name} (raw)"
        starts = [result.start(name, run) for run in runs]
        rows = [("(start)", starts, [])]
        rows += [(m, cells := [result.cell(name, m, run) for run in runs], cells) for m in result.methods]
        for method, scored, cells in rows:
            # Levels are the same in all runs: a level's score is its mean over them.
            by_level = [
                fmean(one["test"]["levels"][level] for one in scored) for level in scored[0]["test"]["levels"]
            ]  # fmt: skip
            cost = total(Cost.from_data(part) for cell in cells for part in cell["costs"].values())
            table.add_row(
                shown,
                method,
                number(fmean(one["validation"]["score"] for one in scored)),
                number(fmean(by_level)),
                _interval(gain_interval(by_level)),
                str(sum(one["test"]["failures"] for one in scored)),
                str(sum(len(cell["candidates"]) for cell in cells)) if cells else "",
                str(sum(len(cell["refused"]) for cell in cells)) if cells else "",
                f"{cost.calls:,}" if cells else "",
                f"{cost.tokens:,}" if cells else "",
                _money(cost) if cells else "",
            )
            shown = ""
    plural = "s" if len(runs) > 1 else ""
    return (
        f"{draw(table, width)}\n"
        f"Scores: 0 is chance, 1 the world's reference ((raw): rewards of a world with too little between them). "
        f"{len(runs)} run{plural} a method and world. Intervals here are about new levels for these candidates only; "
        "validation scores are of what was chosen by them, so they are inflated, and no result."
    )


def _gains(result: MethodsResult, found: Summary, alpha: float, width: int | None) -> str:
    assert found.whom is not None
    table = text_table(
        "method", "gain on test>", "95 % interval", "p>", "p, Holm>", "claim", "calls>", "tokens>", "USD>"
    )
    for gain in found.gains:
        own = result.cost(gain.name) if gain.name in result.methods else None
        table.add_row(
            gain.name,
            number(gain.interval.estimate),
            _interval(gain.interval),
            number(gain.pvalue),
            number(gain.adjusted),
            "none" if not gain.claimed else "gain" if found.whom.labels else "gain of these candidates",
            f"{own.calls:,}" if own else "",
            f"{own.tokens:,}" if own else "",
            _money(own) if own else "",
        )
    return (
        f"Gain over the first candidate, on test levels; claims are about {found.whom.about} "
        f"({found.whom.units} units), alpha {alpha:g} for all together.\n"
        f"{draw(table, width)}\n* fewer than 30 units, or 5 that differ: the interval may cover too little. "
        f"A method's costs are told as if it had run alone; all together cost "
        f"{result.spent.calls:,} calls, {result.spent.tokens:,} tokens"
        + (f", {result.spent.usd:,.4f} US dollars." if result.spent.usd else ".")
    )


def _bounds(found: Summary) -> str:
    assert found.bound is not None
    many = len(found.table.methods)
    return (
        f"Learning upper bound over {many} methods, means over worlds (start {number(found.start)}):\n"
        f"  honest      {number(found.honest)}  the method that validation prefers, world by world, on test\n"
        f"  optimistic  {number(found.optimistic)}  the maximum on test itself, as the source reports it\n"
        f"  by chance   {number(found.bound.by_chance)}  what that maximum would be above the truth if all methods "
        "were alike"
    )


def _space(found: Summary, width: int | None) -> str:
    table = text_table("methods>", "spaces>", "honest gain>", "95 % interval", "optimistic gain>")
    for point in found.space:
        table.add_row(
            str(point.size),
            str(point.spaces),
            number(point.honest.estimate),
            _interval(point.honest),
            number(point.optimistic),
        )
    return f"Gain against the size of the method space, averaged over all spaces of a size\n{draw(table, width)}"


def _growth(found: Summary, width: int | None) -> str:
    table = text_table("worlds>", "honest gain>", "95 % over cores", "optimistic gain>")
    for point in found.growth:
        table.add_row(
            str(point.environments),
            number(point.honest),
            f"[{number(point.low)}, {number(point.high)}]",
            number(point.optimistic),
        )
    return (
        "Gain of the best single method against the number of worlds, averaged over sets of worlds (never sorted by "
        f"what they gained)\n{draw(table, width)}"
    )


def _chosen(found: Summary, width: int | None) -> str:
    assert found.chosen is not None
    table = text_table("choice of a method for an unseen core", "gain on test>", "95 % over cores")
    rows: Sequence[tuple[str, Interval]] = (
        (f"bandit by features ({found.chosen.policy})", found.chosen.bandit),
        ("best single method of the other cores", found.chosen.single),
        ("bandit less single", found.chosen.bandit_less_single),
        ("by the world's own validation", found.chosen.own),
    )
    for name, interval in rows:
        table.add_row(name, number(interval.estimate), _interval(interval))
    return draw(table, width)


def _refusals(result: MethodsResult) -> str:
    from collections import Counter
    from re import sub

    # Numbers and ids differ from edit to edit; what went wrong does not.
    why = Counter(
        sub(r"\b(?=[0-9a-f]*[0-9])[0-9a-f]+\b", "#", one["why"]) for cell in result.cells for one in cell["refused"]
    )
    if not why:
        return ""
    lines = [f"  {count:>5}  {visible(reason, 120)}" for reason, count in why.most_common(6)]
    return "\n".join(["Edits that made no candidate, by reason:", *lines])


def _stops(result: MethodsResult) -> str:
    lines = [
        f"{cell['world']} run {cell['run']} {cell['method']}: stopped after {cell['iterations']} of "
        f"{result.settings['iterations']} iterations, {cell['stopped']}"
        for cell in result.cells
        if cell["stopped"]
    ]
    return "\n".join(lines)


def _published(result: MethodsResult, width: int | None) -> str:
    from ..tasks.learning.methods.published import PUBLISHED, SOURCE

    table = text_table("published", "method", "score>", "USD>")
    last = ""
    ours = {"no learning", "upper bound", *result.methods, *(name.partition("-")[2] for name in result.methods)}
    for figure in PUBLISHED:
        if figure.name not in ours:
            continue
        where, last = ("" if figure.what == last else figure.what), figure.what
        table.add_row(where, figure.name, f"{figure.value:.2f} %", "–" if figure.usd is None else f"{figure.usd:.2f}")
    return (
        f"Published by {SOURCE}, without intervals; upper bounds are maxima on test. Other worlds, scales and models: "
        f"not reproduced here.\n{draw(table, width)}"
    )


def lineage_text(result: MethodsResult, world: str, method: str, run: int = 0) -> str:
    """From the first candidate to the one that a method chose: what was changed, scores, and the last text.

    Raises:
        StoreError: There is no such world, method or run.
    """
    line = result.lineage(world, method, run)
    scores = {one["id"]: one for one in result.cell(world, method, run)["candidates"]}
    rows = [
        f"{one.iteration:>3}  {one.id}  train {number(scores[one.id]['train']['score'])}  validation "
        f"{number(scores[one.id]['validation']['score'])}  {visible(one.change or 'the first', 120)}"
        for one in line
    ]
    last = line[-1]
    text = last.value("prompt") or ("" if last.value("agent") else "(empty)")
    text = "\n\n".join(part for part in (text, last.value("agent")) if part)
    shown = "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)
    return "\n".join([f"{world} run {run} {method}", *rows, "", shown])
