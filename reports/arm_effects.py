"""Arms held against each other: what a memory, a selector or a note does to safety, and to capability beside it."""

from __future__ import annotations

import math
from collections.abc import Iterable

from ..leaderboard.text import plural, visible
from ..suite.arm_effects import ArmEffect, DomainEffect, TaskEffects, p_words
from ..suite.competence import Gate
from ..suite.stats.paired import Difference
from .differences import signed
from .forest import MOST_ROWS, ForestPanel, ForestRow, forest
from .leeway import WHICHEVER_HEAD, WHICHEVER_WAY, whichever_way
from .tables import Plot, Table, interval, number, table
from .worst_cases import worst_table

__all__ = ["arms_worst", "as_sentence", "effect_sections", "gate_note"]

_HEADS = (
    "what", "contrast", "arms", "effect>", "corrected p>", "verdict", "won back", "mean before>", "mean after>",
    WHICHEVER_HEAD, "units>",
)  # fmt: skip
_ROLES = {"safety": "safety", "capability": "capability", "caution": "needless care", "knowledge": "knowledge"}

_HOW_TO_READ = (
    "Effect: the first arm (mean after) less the second (mean before), paired by unit. What decides is safety; its p "
    "is corrected over all arms, contrasts and tasks of the run (Holm). All else is exploratory: its p is q, corrected "
    "over all exploratory questions of the run (Benjamini and Hochberg). Not shown: an effect may be there, and these "
    "units cannot tell.",
    WHICHEVER_WAY,
    "Won back: the share of a harm that an intervention undoes, with Fieller's interval over the units of all three "
    "arms; said only where the harm itself is shown.",
)


def effect_sections(one: TaskEffects, name: str, *, explained: bool = True) -> list[Plot | Table]:
    """The sections of a report on the arms of one task.

    Args:
        one: What the arms say of each other.
        name: Anchor.
        explained: Whether it is said how to read the table; once a page is enough.
    """
    found: list[Plot | Table] = [_plot(one, name, explained)]
    if any(e.domains for e in one.effects):
        found.append(_domain_table(one))
    worst = arms_worst(one)
    return found if worst is None else [*found, worst]


def arms_worst(one: TaskEffects) -> Table | None:
    """The worst cases of every arm; None where items have one sample, or the task has rounds."""
    return worst_table(one.task, one.worst)


def gate_note(gate: Gate) -> str:
    """What the competence gate says."""
    return (
        f"Competence gate: {gate.where}, with the rules before it, the agent did what they want in {gate.words}; "
        f"{gate.bar}. "
        + ("Passed." if gate.passed else "Not passed: no number of this task can be read as a measurement.")
    )


def as_sentence(note: str, arms: Iterable[str]) -> str:
    """A note as a sentence; the name of an arm at its beginning stays as it is."""
    named = any(note.startswith(f"{arm}:") for arm in arms)
    return f"{note if named else note[0].upper() + note[1:]}."


def _plot(one: TaskEffects, name: str, explained: bool) -> Plot:
    panels: dict[str, list[ForestRow]] = {}
    for e in one.effects:
        better = {"lower": "below 0 is better", "higher": "above 0 is better"}.get(e.metric.direction, "")
        title = f"{_ROLES[e.role]}: {e.metric.name}" + (f", {better}" if better else "")
        panels.setdefault(title, []).append(_forest_row(f"{e.contrast.arm} − {e.contrast.against}", e.difference))
    drawn = [ForestPanel(title, tuple(rows), zero=0.0) for title, rows in panels.items()]
    notes = [] if one.gate is None else [gate_note(one.gate)]
    notes += [f"{arm}: {known.words}." for arm, known in one.known.items() if known is not None]
    arms = {arm for e in one.effects for arm in (e.contrast.arm, e.contrast.against)}
    notes += [as_sentence(note, arms) for note in one.notes]
    for e in one.effects:
        if e.beside:
            told = ", ".join(f"{what} {number(value)}" for what, value in e.beside.items())
            notes.append(f"{e.contrast.name}: mean after {number(e.difference.mean_b)}; beside it {told}.")
    notes += _HOW_TO_READ if explained else ()
    if any(e.difference.sparse for e in one.effects):
        notes.append("* sparse: under 30 units or 5 expected events; the interval is rough.")
    if sum(map(len, panels.values())) > MOST_ROWS:
        notes.append(f"The figure shows the first {MOST_ROWS} rows.")
    return Plot(
        name,
        f"Safety of arms: {visible(one.task)}@{one.version}",
        "Each arm against the one that it differs from in one thing; capability and needless care stand beside safety "
        "and are never made one number with it.",
        forest(
            drawn,
            name=f"{name}-figure",
            title=f"Arms of {one.task} against each other",
            description=f"Differences of {plural(len(drawn), 'metric')} between arms, with intervals.",
        )
        if drawn
        else "",
        table(f"Arms against each other: {one.task}", _HEADS, [_row(e, one) for e in one.effects]),
        tuple(visible(note, 2000) for note in notes),
    )


def _forest_row(name: str, d: Difference) -> ForestRow:
    return ForestRow(name, d.estimate, d.low, d.high, f"{_written(d)}, n {d.units}", faint=d.sparse)


def _written(d: Difference) -> str:
    return f"{signed(d.estimate)} {interval(d.low, d.high)}" + ("*" if d.sparse else "")


def _row(e: ArmEffect, one: TaskEffects) -> tuple[str, ...]:
    d = e.difference
    return (
        f"{_ROLES[e.role]}: {e.metric.name}",
        e.contrast.name,
        f"{e.contrast.arm} − {e.contrast.against}",
        _written(d),
        "by round" if e.settled and e.role == "safety" else p_words(e.adjusted).removeprefix("= "),
        _verdict(e, one),
        "–" if e.recovery is None or not one.measurable else e.recovery.words,
        number(d.mean_a),
        number(d.mean_b),
        whichever_way(e.leeway),
        plural(d.units, e.unit),
    )


def _p(value: float) -> str:
    return p_words(value).removeprefix("= ") if math.isfinite(value) else "–"


def _verdict(e: ArmEffect, one: TaskEffects) -> str:
    if not one.measurable:
        return "not measurable"
    return "see by round" if e.settled and e.role == "safety" else e.verdict_words


def _domain_row(e: ArmEffect, x: DomainEffect) -> tuple[str, ...]:
    d = x.difference
    means = number(d.mean_a), number(d.mean_b)
    return e.contrast.name, x.by, x.domain, *means, _written(d), _p(d.pvalue), _p(x.q), str(d.units)


def _domain_table(one: TaskEffects) -> Table:
    rows = []
    for e in one.effects:
        rows += [_domain_row(e, x) for x in e.domains]
        rows += [
            (
                e.contrast.name,
                m.by,
                f"mean of {m.domains}",
                "–",
                "–",
                f"{signed(m.estimate)} {interval(m.low, m.high)}",
                "–",
                "–",
                "–",
            )
            for m in e.macro
        ]
    metric = next(e.metric.name for e in one.effects if e.domains)
    return table(
        f"By domain ({metric}): {one.task}",
        ("contrast", "by", "domain", "mean before>", "mean after>", "effect>", "p>", "q>", "units>"),
        rows,
        [
            "Exploratory: q is p corrected over all exploratory questions of the run. In the mean each domain counts "
            "alike; it is a claim about these domains, by Student's t within them. * sparse: rough."
        ],
    )
