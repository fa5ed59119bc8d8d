from __future__ import annotations

import importlib.util
import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import finchmark
from finchmark.reports.episodes import played_turns
from finchmark.reports.learning import learning_claims, learning_costs, learning_sections, learning_text
from finchmark.reports.run_report import report_run
from finchmark.reports.tables import Plot, Table
from finchmark.suite.errors import StoreError
from finchmark.suite.learning import run_learning
from finchmark.suite.records import Metric, ProbeSheet, Turn

_spec = importlib.util.spec_from_file_location("finchmark_tests_streamed", Path(__file__).with_name("streamed.py"))
assert _spec is not None
assert _spec.loader is not None
streamed = importlib.util.module_from_spec(_spec)
sys.modules[_spec.name] = streamed
_spec.loader.exec_module(streamed)

ALL = ("evolving", "frozen", "shuffled", "yoked", "placebo", "compute-matched")


@pytest.fixture(scope="module", name="run")
def _run(tmp_path_factory):
    return streamed.streamed_run(tmp_path_factory.mktemp("learning") / "run")


@pytest.fixture(scope="module", name="many")
def _many(tmp_path_factory):
    return streamed.streamed_run(tmp_path_factory.mktemp("learning") / "many", arms=ALL)


def sections(run):
    learning = run_learning(run)
    return learning_sections(learning, learning_costs(run, learning))


def test_a_task_has_curves_contrasts_and_costs(run):
    found = sections(run)
    assert [type(s) for s in found] == [Plot, Table, Table, Plot]
    curves, contrasts, points, cost = found
    assert curves.title == "Learning: learning/task@1"
    assert len(contrasts.rows) == len(run_learning(run)[0].contrasts)
    assert len(points.rows) == 3 * (5 * 5 + 4)
    assert cost.title.startswith("What learning cost")


def test_the_short_table_leads_with_what_decides(run):
    rows = sections(run)[0].table.rows
    assert rows[0][:3] == ("evolving − frozen", "all levels", "at the end")
    assert str(rows[0][-1]) == "decides: better"
    assert sum("decides" in str(row[-1]) for row in rows) == 1
    assert {row[2] for row in rows} >= {"forgotten", "falls"}


def test_every_probe_set_has_a_panel_with_the_three_arms_together(run):
    svg = sections(run)[0].svg
    together = "unseen levels of all worlds"
    sets = ("unseen levels", "first-world: unseen levels", "unseen worlds", "inverse worlds", "lived episodes")
    for title in (together, *sets):
        assert f">{title}</text>" in svg
    for colour in ("accent", "soft", "chance"):
        # In each of six panels a line and a band; the legend has a line more.
        assert len(re.findall(rf'fill="none"[^>]*class="s-{colour}"', svg)) == 7
        assert len(re.findall(rf'class="f-{colour} s-{colour}"', svg)) >= 6
    assert svg.count(">episodes lived</text>") == 6


def test_controls_have_panels_of_their_own(many):
    svg = sections(many)[0].svg
    assert svg.count(", controls</text>") == 6
    assert len(sections(many)[0].table.rows) <= 24


def test_what_learning_cost_is_told_by_arm(run):
    (cost,) = learning_costs(run, run_learning(run))
    by = {arm.arm: arm for arm in cost.arms}
    # Turns that learn read 300 to 311 tokens and write 50; a turn of play reads 8 more for every episode lived.
    assert by["evolving"].learning.estimate == pytest.approx(350 + 5.5)
    assert by["frozen"].learning.estimate == 0
    assert by["evolving"].acting.estimate == pytest.approx(110 + 8 * 9.5)
    assert by["frozen"].acting.estimate == 110
    assert cost.extra_acting.estimate == pytest.approx(8 * 9.5)
    assert (by["evolving"].updates.estimate, by["frozen"].updates.estimate) == (20, 0)
    assert by["frozen"].sizes is None


def test_the_state_grows_as_its_updates_say(run):
    (cost,) = learning_costs(run, run_learning(run))
    sizes = cost.arms[0].sizes
    assert sizes.points.tolist() == list(range(21))
    assert sizes.mean[0] == 0
    steps = np.diff(sizes.mean[1:])
    assert steps == pytest.approx(np.full(19, 43.0))  # a note of 40 letters, quotes and a comma


def test_the_price_of_a_gain_is_what_was_spent_over_what_was_gained(run):
    (one,) = run_learning(run)
    (cost,) = learning_costs(run, [one])
    spent = 20 * (355.5 + 8 * 9.5)
    assert cost.per_hundredth.estimate == pytest.approx(spent / (one.primary.estimate / 0.01))
    assert cost.per_hundredth.low < cost.per_hundredth.estimate < cost.per_hundredth.high
    assert "Fieller" in " ".join(cost.words)


def test_without_a_gain_there_is_no_price(tmp_path):
    run = streamed.streamed_run(tmp_path / "run", truth=lambda *_: 0.4)
    (cost,) = learning_costs(run, run_learning(run))
    assert "cannot be said" in " ".join(cost.words)


def test_a_stream_whose_episodes_broke_off_has_no_costs(tmp_path):
    run = streamed.streamed_run(tmp_path / "run", lose=lambda arm, stream, checkpoint: stream == 0 and arm == "frozen")
    (cost,) = learning_costs(run, run_learning(run))
    assert [arm.streams for arm in cost.arms] == [12, 11, 12]


def test_the_page_says_it_in_words_and_leaves_out_means_over_everything(run, tmp_path):
    page = report_run(run, tmp_path / "report.html").read_text()
    assert "Does the order matter?" in page
    assert "Was it forgotten?" in page
    assert "What learning cost: learning/task@1" in page
    assert 'id="scores"' not in page
    assert "style=" not in page.split("</style>")[1]


def test_the_same_run_gives_the_same_bytes(run, tmp_path):
    first, second = (report_run(run, tmp_path / name).read_bytes() for name in ("a.html", "b.html"))
    assert first.replace(b"a-samples", b"b-samples") == second


def test_the_terminal_has_a_short_table_and_the_sentence_that_decides(run):
    text = "\n".join(learning_text(run))
    assert "Learning: learning/task@1, score" in text
    assert "decides: better" in text
    assert "learning/task@1, score: evolving - frozen, score at the end, all levels:" in text
    assert "exploratory" in text


def test_a_run_without_streams_says_nothing_of_learning(make_run):
    run = make_run({"a": [1, 0], "b": [1, 1]})
    assert learning_text(run) == []
    assert run_learning(run) == []
    assert learning_costs(run, []) == []


def test_few_streams_are_described_and_nothing_is_claimed(tmp_path):
    run = streamed.streamed_run(tmp_path / "run", streams=3)
    text = " ".join("\n".join(learning_text(run)).split())
    assert "describes these agent states only" in text
    assert "under 6 streams" in text
    verdicts = {str(row[-1]) for row in sections(run)[0].table.rows}
    assert verdicts == {"decides: no claim", "no claim"}


def test_scores_that_the_manifest_rules_out_are_refused(tmp_path):
    metric = Metric(name="score", summary="s", low=0.0, high=0.2, primary=True)
    run = streamed.streamed_run(tmp_path / "run", streams=2, metric=metric)
    with pytest.raises(StoreError, match="learning/task"):
        run_learning(run)


def test_a_run_that_is_not_complete_says_so(tmp_path):
    run = streamed.streamed_run(tmp_path / "run", complete=False)
    assert "the run is not complete" in "\n".join(learning_text(run))


def test_streams_that_broke_off_are_told_with_bounds(tmp_path):
    run = streamed.streamed_run(
        tmp_path / "run", lose=lambda arm, stream, checkpoint: arm == "evolving" and stream == 2 and checkpoint > 3
    )
    notes = " ".join(sections(run)[0].notes)
    assert "8.3 % and 0.0 % of samples lost: read the bounds" in notes
    assert "worst and best case" in notes
    assert "11 of 12" in {str(row[-2]) for row in sections(run)[0].table.rows}


def test_an_open_metric_has_an_axis_of_its_own(tmp_path):
    metric = Metric(name="growth", summary="g", low=None, high=None, primary=True)
    run = streamed.streamed_run(tmp_path / "run", metric=metric, truth=lambda a, k, n, p: streamed.truth(a, k, n, p))
    found = sections(run)[0]
    assert "Mean growth" in found.lead
    assert found.svg


def test_a_payload_in_names_is_inert(tmp_path, payload):
    probes = (ProbeSheet(name=payload, kind="levels", items=("a",)),)
    metric = Metric(name=payload, summary=payload, failure=0.0, primary=True)
    run = streamed.streamed_run(
        tmp_path / "run",
        task=payload,
        metric=metric,
        probes=probes,
        label=payload,
        arms=("evolving", "frozen", payload),
    )
    page = report_run(run, tmp_path / "report.html").read_text()
    assert "<script" not in page
    assert "<img" not in page
    assert payload in learning_claims(run_learning(run))[0]
    assert "&lt;script&gt;" in page


def test_more_tasks_than_one_are_corrected_together(run):
    (one,) = run_learning(run)
    from finchmark.suite.learning import corrected_over_tasks

    weak = replace(one.primary, p_value=0.04, adjusted=0.04)
    strong = replace(one.primary, p_value=0.03, adjusted=0.03)
    both = corrected_over_tasks([replace(one, contrasts=(c,)) for c in (weak, strong)])
    assert [o.primary.adjusted for o in both] == pytest.approx([0.06, 0.06])
    assert {o.primary.verdict for o in both} == {"cannot tell"}


def test_turns_that_learn_are_no_part_of_the_play(run):
    sample = next(s for s in run.samples() if s.arm == "evolving" and not s.checkpoint)
    assert len(sample.turns) == 2
    assert played_turns(sample) == 1
    ended = Turn(index=0, observation="o", after="the end")
    assert played_turns(sample.model_copy(update={"turns": (ended, *sample.turns)})) == 1


def test_a_run_of_the_engine_is_read(tmp_path):
    run = finchmark.evaluate("learning/odyssey/lights", "none", agent="tabular", tier="smoke", out=tmp_path / "run")
    (one,) = run_learning(run)
    assert {c.streams for c in one.contrasts} == {8}
    assert all(one.scores.lost(arm)[0] == 0 for arm in one.scores.arms)
    (cost,) = learning_costs(run, [one])
    sizes = {arm.arm: arm.size.estimate for arm in cost.arms}
    assert sizes["evolving"] > sizes["frozen"] == 0
    assert "Learning: learning/odyssey/lights" in report_run(run, tmp_path / "report.html").read_text()
