"""A report of one run: its scores, when and how episodes ended, what they cost, and transcripts a click away."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..leaderboard.entries import Entry, entries
from ..leaderboard.standings import Standing, rows
from ..leaderboard.text import plural, visible
from ..suite.drift import DriftGatherer
from ..suite.judged import judged_of
from ..suite.learning import run_learning
from ..suite.learning_cost import LearningTokens
from ..suite.nouns import word
from ..suite.policy_information import PolicyGatherer
from ..suite.records import Key
from ..suite.results import from_run
from ..suite.safety import run_safety, safety_gatherer
from ..suite.stochastic import Stochastic, run_stochastic
from ..suite.store import StoredRun
from .costs import cost_plot
from .diversity import diversity_plot
from .document import Document, Facts, place, write
from .drift import drift_claims, drift_sections
from .endings import ending_plot
from .episodes import Gatherer
from .factors import factor_plot
from .folds import Fold, Folds, Part
from .groups import group_plot, shown_apart
from .judged import judged_sections
from .kinds import FAILED, chosen, keys, kind_plot, with_kinds
from .learning import learning_claims, learning_costs, learning_sections
from .policies import policy_claims, policy_folds, policy_sections
from .safety import safety_claims, safety_sections
from .safety_tasks import Told, safety_folds, safety_places, safety_tops, told_by_safety
from .scores import claim, score_plot, score_table
from .stochastic import stochastic_claims, stochastic_sections
from .tables import Link, Plot, Table, number, table
from .transcripts import Transcripts, page_name
from .turns import turn_plot
from .ways import WaysGatherer, ways_plot
from .worlds import world_mean

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["report_run"]

_FEW_UNITS = 6


def report_run(run: StoredRun, out: Path) -> Path:
    """Write a report of a run.

    All turns of the run are read once, sample by sample; nothing that grows with the transcripts is held.

    Args:
        run: The run.
        out: A file that ends with ``.html``, or a folder, in which the report is ``index.html``. Transcripts stand
            beside it in ``NAME-samples``: at most 200, all that did not end as ok up to 100 and a stratified choice of
            the others; the report says how many are left out. The same run gives the same bytes.

    Returns:
        The path of the page.

    Raises:
        UsageError: ``out`` is in the way of something.
        StoreError: The run is damaged, or holds values that its manifest rules out.
    """
    page, folder = place(Path(out))
    (entry,) = entries([run])
    made = list(rows(entry))
    frame = with_kinds(entry.samples, run.manifest.tasks)
    shown = chosen(frame)
    names = keys(shown)
    pages = set(names)
    transcripts = Transcripts(folder, names, title=run.manifest.label, back=f"../{page.name}", text=run.text)
    gatherer = Gatherer(run.manifest.tasks.values())
    drifting, policies = DriftGatherer(run.manifest), PolicyGatherer(run.manifest)
    spent, ways, rounds = LearningTokens(), WaysGatherer(), safety_gatherer(run.manifest)
    for sample in run.samples():
        gatherer.add(sample)
        ways.add(sample)
        transcripts.add(sample)
        spent.add(sample)
        rounds.add(sample)
        drifting.add(sample)
        policies.add(sample)
    transcripts.close()

    def address(key: Key) -> str | None:
        return f"{folder.name}/{page_name(key)}" if key in pages else None

    results = from_run(run)
    sampled = run_stochastic(run)
    worlds = world_mean(results)
    learning, safety, drift = run_learning(run), run_safety(run, rounds, policies), drifting.drift()
    # The mean over what an agent lived through and was probed with, early and late, says little: its curves do.
    streamed = {one.task for one in learning}
    single = [s for s in made if s.task not in streamed]
    costs, judged = learning_costs(run, learning, spent), judged_of(run)
    rest: list[Plot | Table | None] = [
        score_plot(single) if single else None,
        group_plot(results),
        ways_plot(results, ways, single),
        factor_plot(results),
        kind_plot(frame, address),
        ending_plot(gatherer.cells),
        turn_plot(gatherer.cells),
        diversity_plot(results),
        cost_plot(results),
        _others(single),
    ]
    general = [section for section in rest if section is not None]
    listed = _transcript_table(frame, shown, address)
    told = Told(safety, drift, sampled, learning, costs, judged)
    places = safety_places(told)
    sections: list[Plot | Table | Folds]
    if places:
        folded = [safety_folds(told, places), *policy_folds(safety.policies), _folded([*general, listed])]
        sections = [*safety_tops(safety, places), *folded]
    else:
        sections = [
            *safety_sections(safety),
            *drift_sections(drift),
            *policy_sections(safety.policies),
            *stochastic_sections(sampled),
            *learning_sections(learning, costs),
            *general,
            # After all that decides.
            *judged_sections(judged),
            listed,
        ]
    manifest, spec = run.manifest, run.manifest.spec
    beside = {name: shown_apart(sheet.groupings) for name, sheet in manifest.tasks.items()}
    first = [*safety_claims(safety), *stochastic_claims([one for one in sampled if not places or _measured(one)])]
    second = [
        *drift_claims(drift),
        *policy_claims(safety.policies),
        *learning_claims([one for one in learning if not (places and told_by_safety(one, safety))]),
        *(claim(s) for s in single if s.primary or s.metric in beside.get(s.task, ())),
    ]
    document = Document(
        title=visible(manifest.label) or "(no label)",
        lead=visible(
            f"{entry.decoding}, {spec.agent.name} agent, tier {spec.tier}: "
            f"{plural(len(frame), 'sample')} of {max(manifest.expected, len(frame)):,}, "
            f"{plural(spec.samples, 'sample')} an item and arm."
        ),
        claims=tuple(dict.fromkeys((*first, *second))),
        notices=(*(() if worlds is None else (visible(worlds.words),)), *_notices(entry, made)),
        sections=tuple(sections),
        facts=(_facts(entry),),
        versions=(visible(manifest.finchmark),),
        shown=min(max(len(first), 1), 12) if places else 12,
    )
    return write(document, page)


def _measured(one: Stochastic) -> bool:
    return one.gate is None or one.gate.passed


def _folded(sections: Sequence[Plot | Table]) -> Folds:
    """What any run has, folded where the page is about something else first."""
    folds = []
    for i, section in enumerate(sections):
        if isinstance(section, Plot):
            title, line = section.title, f"{section.lead.partition('. ')[0].removesuffix('.')}."
        else:
            told = section.notes[0].partition(". ")[0].removesuffix(".") + "." if section.notes else ""
            title, line = section.caption, f"{plural(len(section.rows), 'row')}. {told}".rstrip()
        folds.append(Fold(f"more-{i}", title, (line,), (Part("", section),)))
    return Folds("more", "Scores, endings, costs and transcripts", "What any run has.", (), tuple(folds))


def _notices(entry: Entry, made: Sequence[Standing]) -> list[str]:
    notices = []
    if not entry.run.manifest.complete:
        notices.append("The run is not complete: the numbers will change.")
    for s in made:
        if not s.primary:
            continue
        if s.flag:
            notices.append(f"{s.task}@{s.version}, {s.arm}: {s.flag}.")
        if s.units == 1:
            notices.append(f"{s.task}@{s.version}, {s.arm}: nothing can be claimed beyond this one {word(s.unit)}.")
        elif s.unit == "stream" and s.units < _FEW_UNITS:
            notices.append(f"{s.task}@{s.version}, {s.arm}: under 6 streams, which describes these agent states only.")
    if any(s.sparse and s.units > 1 for s in made if s.primary):
        notices.append("Some scores are sparse: under 30 items or 5 expected events. Their intervals are rough.")
    return [visible(text) for text in notices]


def _others(made: Sequence[Standing]) -> Table | None:
    others = [s for s in made if not s.primary]
    if not others:
        return None
    found = score_table(others, "Other metrics")
    note = "Only the primary metric decides. These are exploratory: with many of them, some differ by chance."
    return Table(found.caption, found.columns, found.rows, (note, *found.notes))


def _transcript_table(frame: pd.DataFrame, shown: pd.DataFrame, page: Callable[[Key], str | None]) -> Table:
    listed = []
    columns = shown[["version", "outcome", "reason", "score", "turns", "completion_tokens"]]
    for key, (version, outcome, reason, score, turns, tokens) in zip(
        keys(shown), columns.itertuples(index=False, name=None), strict=True
    ):
        where = f"{key.item}/{key.sample}" + (f"/{key.stream}/{key.position}/{key.checkpoint}" if key.stream else "")
        link = (Link(visible(where, 60), page(key) or ""),)
        numbers = number(float(score)), f"{turns:,}", f"{tokens:,}"
        listed.append((link, f"{key.task}@{version}", key.arm, str(outcome), str(reason), *numbers))
    note = "All samples have a transcript here."
    left = len(frame) - len(shown)
    if left:
        lost, written = (int(f["shade"].isin(FAILED).sum()) for f in (frame, shown))
        note = (
            f"{len(shown):,} of {len(frame):,} transcripts: {written:,} of {lost:,} that did not end as ok, and "
            f"{len(shown) - written:,} others, taken in turn from every task, arm and kind of result; within a kind at "
            f"random, always the same ones. {left:,} are left out; finchmark show prints any of them."
        )
    heads = ("sample", "task", "arm", "outcome", "reason", "score>", "turns>", "tokens written>")
    return table("Transcripts", heads, listed, [note])


def _facts(entry: Entry) -> Facts:
    manifest, spec = entry.run.manifest, entry.run.manifest.spec
    facts = {
        "model": str(spec.backend),
        "identity": spec.model_identity or "not recorded",
        "agent": f"{spec.agent.name} {json.dumps(spec.agent.args)}" if spec.agent.args else spec.agent.name,
        "decoding": entry.decoding,
        "tier": spec.tier,
        "items": spec.items.kind,
        "samples an item and arm": str(spec.samples),
        "seed": str(spec.seed),
        **{f"{t.name}@{t.version}": f"{plural(t.items, 'item')}, set {t.items_hash}" for t in spec.tasks},
        "started": manifest.created,
        "last written": manifest.updated,
        "Finchmark": manifest.finchmark,
        "specification": manifest.spec_hash,
        "state": "complete" if manifest.complete else "not complete",
    }
    return Facts(
        visible(entry.name),
        tuple((visible(name), visible(value)) for name, value in facts.items()),
        tuple(visible(note) for note in manifest.notes),
    )
