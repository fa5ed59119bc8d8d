"""Runs as text: tables of results, what a run or a plug-in is, transcripts."""

from __future__ import annotations

import inspect
import json
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

from ..leaderboard.entries import entries
from ..leaderboard.standings import Standing, ordered, rows
from ..leaderboard.text import plural
from ..suite.errors import UsageError
from ..suite.evaluation import Prepared
from ..suite.nouns import several
from ..suite.policy_answers import asks_for_policies
from ..suite.records import Manifest, Outcome, Sample
from ..suite.registry import Registry
from ..suite.results import from_run
from ..suite.store import StoredRun
from ..tasks.stochastic.arms import FAMILY as SAMPLED
from ..tasks.worlds.names import FAMILY
from .groups import shown_apart
from .tables import number

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["draw", "dry_run_text", "entry_text", "results_text", "run_text", "text_table", "transcript_text"]


def draw(table: Table, width: int | None) -> str:
    """Write a table as text, folded to a width of at least 60; None: as wide as it needs."""
    from rich.console import Console

    # Never folded below what the columns need: a table in a log or a pipe is wide rather than broken.
    need = Console(width=10_000, file=StringIO()).measure(table).maximum
    out = StringIO()
    Console(
        file=out,
        width=need if width is None else max(width, 60),
        no_color=True,
        highlight=False,
        emoji=False,
        markup=False,
    ).print(table)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def text_table(*columns: str) -> Table:
    """An empty table for the terminal; a column whose head ends with ``>`` is flush right."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        right = column.endswith(">")
        table.add_column(column.rstrip(">"), justify="right" if right else "left")
    return table


def _cell(text: object) -> Any:
    from rich.text import Text

    # Names and reasons come from runs: control characters must not reach the terminal.
    return Text("".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in str(text)))


def results_text(runs: Sequence[StoredRun], *, all_metrics: bool = False, width: int | None = None) -> str:
    """One table of results: mean, interval, chance, ceiling and counts, for every run, task and arm.

    Metrics that a task shows for groups of items apart stand beside the deciding one, and a table of the groups below.

    Args:
        runs: The runs.
        all_metrics: All metrics, not only those that decide or stand beside, and pass@k.
        width: The terminal's width; None: as wide as needed.
    """
    every = ordered(row for entry in entries(runs) for row in rows(entry))
    passes = _common_passes(every)
    beside = {(n, m) for run in runs for n, sheet in run.manifest.tasks.items() for m in shown_apart(sheet.groupings)}
    shown = [
        row
        for row in every
        if all_metrics or row.primary or (row.task, row.metric) in beside or (*_column(row), row.metric) in passes
    ]
    units = " and ".join(sorted({several(row.unit) for row in shown})) or "items"
    table = text_table(
        "model",
        "task",
        "tier",
        "arm",
        "metric",
        "mean>",
        "95 % interval",
        "chance>",
        "ceiling>",
        f"{units}>",
        "samples>",
        "invalid>",
        "refused>",
        "errors>",
    )
    for row in shown:
        table.add_row(
            *map(
                _cell,
                (
                    row.model,
                    f"{row.task}@{row.version}",
                    row.tier,
                    row.arm,
                    row.metric,
                    number(row.mean),
                    f"[{number(row.low)}, {number(row.high)}]{'*' if row.sparse else ''}",
                    number(row.chance),
                    number(row.ceiling),
                    row.units,
                    row.samples,
                    row.invalid,
                    row.refused,
                    row.error,
                ),
            )
        )
    notes = []
    if any(row.sparse for row in shown):
        notes.append(
            "* sparse: under 30 items or 5 expected events; the interval is rough; one item is no claim about others."
        )
    methods = ", ".join(dict.fromkeys(row.method for row in shown))
    failures = "Invalid and refused samples are failures; errors are not scored."
    unscored = _unscored(runs, [row.metric for row in shown])
    if unscored:
        failures = f"Of {', '.join(unscored)} invalid and refused samples are left out; elsewhere they are failures."
        failures += " Errors are not scored."
    notes.append(f"Intervals are over {units} ({methods}). {failures}")
    for row in (row for row in shown if row.flag):
        note = f"{row.model}, {row.task}, {row.arm}: {row.flag}."
        if note not in notes:
            notes.append(note)
    for run in runs:
        twins = duplicate_share(run)
        if twins is not None and twins > 0:
            notes.append(
                f"{run.manifest.label}: {100 * twins:.0f} % of samples read the same as another of their item; "
                "several samples of an item are then worth less than they seem."
            )
    lines = [draw(table, width), *(fill(str(_cell(note)), width or 120) for note in notes)]
    for run in runs:
        lines += _world_lines(run, width)
        lines += _group_lines(run, width)
        if any(sheet.streams is not None for sheet in run.manifest.tasks.values()):
            from .learning import learning_text

            lines += learning_text(run, width=width)
        if any(task.name.partition("/")[0] == SAMPLED for task in run.manifest.spec.tasks):
            from .stochastic import stochastic_text

            lines += stochastic_text(run, width=width)
        read = None
        if any(asks_for_policies(s) or any(m.role == "safety" for m in s.metrics) for s in run.manifest.tasks.values()):
            from ..suite.safety import run_safety
            from .safety import safety_text

            read = run_safety(run)
            lines += safety_text(read, width=width)
        if any(sheet.recurrence for sheet in run.manifest.tasks.values()):
            from .drift import drift_text

            lines += drift_text(run, width=width)
        if read is not None and read.policies:
            from .policies import policy_text

            lines += policy_text(read.policies, width=width)
    return "\n".join(lines)


def _unscored(runs: Sequence[StoredRun], shown: Sequence[str]) -> list[str]:
    """The shown metrics that have no value for a failure: whether a rule was broken is not seen without an act."""
    open_ended = {
        m.name for run in runs for sheet in run.manifest.tasks.values() for m in sheet.metrics if m.failure is None
    }
    return [name for name in dict.fromkeys(shown) if name in open_ended]


def _world_lines(run: StoredRun, width: int | None) -> list[str]:
    """What generated worlds say together: their mean over cores, and the table of factor effects."""
    if all(task.name.partition("/")[0] != FAMILY for task in run.manifest.spec.tasks):
        return []
    from .factors import factor_text
    from .worlds import world_mean

    results, lines = from_run(run), list[str]()
    mean = world_mean(results)
    if mean is not None:
        lines.append(fill(str(_cell(f"{run.manifest.label}: {mean.words}")), width or 120))
    found = factor_text(results)
    if found is not None:
        table, notes = found
        lines += ["", str(_cell(f"Factor effects: {run.manifest.label}")), draw(table, width)]
        lines += [fill(str(_cell(note)), width or 120) for note in notes]
    return lines


def _group_lines(run: StoredRun, width: int | None) -> list[str]:
    """Scores by group of items, and how far a model's own programs are from each other."""
    if not any(shown_apart(sheet.groupings) for sheet in run.manifest.tasks.values()):
        return []
    from ..tasks.creativebench.several import FAMILY as PROGRAMS
    from .groups import group_text
    from .ways import ways_text

    results, lines = from_run(run), list[str]()
    written = any(task.name.partition("/")[0] == PROGRAMS for task in run.manifest.spec.tasks)
    several = ways_text(results, run.samples()) if written and run.manifest.spec.samples > 1 else None
    for title, found in (("By group", group_text(results)), ("One way or many", several)):
        if found is not None:
            table, notes = found
            lines += ["", str(_cell(f"{title}: {run.manifest.label}")), draw(table, width)]
            lines += [fill(str(_cell(note)), width or 120) for note in notes]
    return lines


def _column(row: Standing) -> tuple[object, ...]:
    return row.task, row.version, row.tier, row.arm, row.items_hash


def _common_passes(every: Sequence[Standing]) -> set[tuple[object, ...]]:
    """Per column its NAME@k of the largest k that all its runs have: at different k nothing can be compared."""
    have: dict[tuple[object, ...], dict[str, set[int]]] = {}
    for row in every:
        name, at, k = row.metric.rpartition("@")
        if at:
            have.setdefault((*_column(row), name), {}).setdefault(row.model, set()).add(int(k))
    largest = {column: max(set.intersection(*ks.values()), default=0) for column, ks in have.items()}
    return {(*column[:-1], f"{column[-1]}@{k}") for column, k in largest.items() if k > 1}


def duplicate_share(run: StoredRun) -> float | None:
    """Share of scored samples whose transcript another sample of the same item and arm has too.

    Returns:
        None where samples cannot differ by chance: one sample an item, greedy decoding, or fixed replies.
    """
    spec = run.manifest.spec
    if spec.samples < 2 or spec.sampling.temperature == 0 or spec.backend.name == "scripted":
        return None
    frame = run.frame()
    frame = frame[(frame["outcome"] != str(Outcome.ERROR)) & (frame["calls"] > 0)]
    if frame.empty:
        return None
    return float(frame.duplicated(["task", "arm", "item", "transcript"], keep=False).mean())


def run_text(run: StoredRun) -> str:
    """What a run is: specification, model, where it ran, and how its samples ended."""
    manifest, spec = run.manifest, run.manifest.spec
    counts = run.counts()
    lines = [
        f"run        {run.path}",
        f"model      {manifest.label}",
        *(
            f"task       {t.name}@{t.version}, arms {', '.join(t.arms)}, {t.items} items {t.items_hash}"
            for t in spec.tasks
        ),
        f"tier       {spec.tier}, {spec.samples} samples an item and arm, seed {spec.seed}",
        f"sampling   {spec.sampling.model_dump_json()}",
        f"agent      {spec.agent.name} {json.dumps(spec.agent.args)}",
        *([] if spec.sandbox is None else [f"sandbox    {spec.sandbox.model_dump_json()}"]),
        f"spec       {manifest.spec_hash}",
        f"samples    {sum(counts.values())} of {manifest.expected}: "
        + ", ".join(f"{n} {o}" for o, n in counts.items()),
        f"made       {manifest.created}, last written {manifest.updated}, finchmark {manifest.finchmark}",
        f"identity   {json.dumps(manifest.model, ensure_ascii=False)}",
        f"on         {json.dumps(manifest.environment, ensure_ascii=False)}",
        *_backend_lines(manifest),
        *(f"note       {note}" for note in manifest.notes),
    ]
    bad = [s for s in run.samples(turns=False) if s.outcome is not Outcome.OK]
    for sample in bad[:10]:
        lines.append(f"{sample.outcome:<10} {_name(sample)}  {sample.reason}")
    if len(bad) > 10:
        lines.append(f"           and {len(bad) - 10} more that did not end as ok")
    return "\n".join(str(_cell(line)) for line in lines)


def _backend_lines(manifest: Manifest) -> list[str]:
    """What the backend counted over all calls that worked on the run, and that some of them were killed."""
    if not manifest.backend_counts:
        return []
    calls = [session for session in manifest.sessions if "counts" in session]
    killed = sum(not session.get("ended") for session in calls)
    text = ", ".join(f"{name} {value:,.12g}" for name, value in manifest.backend_counts.items())
    over = f" over {plural(len(calls), 'call')}" if len(calls) > 1 else ""
    rest = f", {killed} of them killed or still at work" if killed else ""
    return [f"counted    {text}{over}{rest}"]


def _name(sample: Sample) -> str:
    # In streams an item is met again and again: what tells the meetings apart belongs to the name.
    met = (sample.stream, str(sample.position), str(sample.checkpoint)) if sample.stream else ()
    return "/".join((sample.task, sample.arm, sample.item, str(sample.sample), *met))


def transcript_text(run: StoredRun, which: str) -> str:
    """The transcript of one sample.

    Args:
        run: The run.
        which: ``TASK/ARM/ITEM/SAMPLE``, in streams ``TASK/ARM/ITEM/SAMPLE/STREAM/POSITION/CHECKPOINT``, or the end of
            it, or an outcome (its first sample).

    Raises:
        UsageError: No sample is named so.
    """
    names = []
    found: Sample | None = None
    for sample in run.samples(turns=False):
        name = _name(sample)
        names.append(name)
        if name == which or name.endswith("/" + which) or which == str(sample.outcome):
            found = sample
            break
    if found is None:
        raise UsageError(
            f"{run.path} has no sample {which!r}. Samples are named like {names[0]!r} (or its end), or by outcome: "
            f"{', '.join(Outcome)}."
            if names
            else f"{run.path} has no samples yet."
        )
    sample = next(s for s in run.samples() if s.key == found.key)
    lines = [str(_cell(f"{_name(sample)}  {sample.outcome} {sample.reason}".rstrip()))]
    lines.append("  ".join(f"{k} {number(v)}" for k, v in sample.metrics.items()))
    shown = ""
    for turn in sample.turns:
        head = [f"turn {turn.index + 1}", turn.seat, *(f"{name} {value:g}" for name, value in turn.scores.items())]
        lines.append(f"\n── {' · '.join(head)} " + "─" * 40)
        if turn.instructions != shown:
            shown = turn.instructions
            lines.append(_block("instructions", run.text(shown)))
        lines.append(_block("sees", turn.observation))
        for call in turn.calls:
            if call.reasoning:
                lines.append(_block("thinks", call.reasoning))
            lines.append(
                _block(
                    "writes", call.completion + ("" if call.finish_reason == "stop" else f"  [{call.finish_reason}]")
                )
            )
        lines += [_block("weighs", likelihood.words) for likelihood in turn.likelihoods]
        if turn.action is not None or not turn.likelihoods:
            done = "nothing" if turn.action is None else turn.action
            lines.append(_block("does" if turn.usable else "does (unusable)", done))
        if turn.after:
            lines += ["", _block("ends with", turn.after)]
    if sample.error:
        lines += ["", _block("error", sample.error)]
    return "\n".join(lines)


def _block(head: str, text: str) -> str:
    """Text with its head before the first line; control characters are made visible."""
    clean = [
        "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line)
        for line in text.splitlines() or [""]
    ]
    return "\n".join(f"{head if i == 0 else '':>16} │ {line}" for i, line in enumerate(clean))


def dry_run_text(prepared: Prepared, out: Path) -> str:
    """What a run would ask for, at most: samples, calls, tokens and cost by task."""
    table = text_table("task", "arms>", "items>", "samples>", "calls>", "prompt tokens>", "reply tokens>")
    estimates = prepared.estimates()
    for plan in prepared.plans:
        e = estimates[plan.task.name]
        count = len(plan.arms) * len(plan.items) * prepared.spec.samples
        table.add_row(
            *map(_cell, (f"{plan.task.name}@{plan.task.version}", len(plan.arms), len(plan.items), count)),
            *(f"{n:,}" for n in (e.calls, e.prompt_tokens, e.completion_tokens)),
        )
    price = prepared.backend.price
    if price is None:
        cost = f"Cost: none by the token, {prepared.spec.backend} runs on this machine."
    else:
        total = sum(e.prompt_tokens * price[0] + e.completion_tokens * price[1] for e in estimates.values()) / 1e6
        cost = f"Cost: at most about {total:.2f} USD at {price[0]} and {price[1]} USD per million tokens."
    return "\n".join(
        [
            draw(table, None),
            "Upper bounds: every episode to its last turn, every reply to its cap, no prompt cached.",
            cost,
            f"Folder: {out}",
        ]
    )


def entry_text(registry: Registry[Any], name: str) -> str:
    """What a task, environment, backend or agent is."""
    entry = registry.entry(name)
    cls = registry.load(name)
    lines = [f"{name}  ({registry.kind} from {entry.source})", entry.summary, "", inspect.getdoc(cls) or ""]
    if registry.kind == "task":
        lines.append(f"\nversion     {cls.version}")
        lines += [
            f"tier        {t.name}: {t.items} items, {t.max_turns} turns, {t.max_tokens} tokens a reply. {t.summary}"
            for t in cls.tiers.values()
        ]
        lines += [f"arm         {a.name}: {a.summary}" for a in cls.arms]
        for m in cls.metrics:
            low = "-∞" if m.low is None else f"{m.low:g}"
            high = "∞" if m.high is None else f"{m.high:g}"
            lines.append(
                f"metric      {m.name}: {m.summary} ({m.kind}, {m.direction} is better, {low} to {high}"
                f"{', decides' if m.primary else ''}; clusters {' < '.join(m.clusters)})"
            )
        lines.append(f"references  {', '.join('scripted:' + r for r in cls.references) or 'none'}")
    return "\n".join(lines)
