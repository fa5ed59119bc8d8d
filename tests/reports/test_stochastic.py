import pytest

import finchmark
from finchmark.reports.run_report import report_run
from finchmark.reports.stochastic import stochastic_claims, stochastic_sections, stochastic_text
from finchmark.reports.tables import Plot
from finchmark.reports.terminal import results_text
from finchmark.suite.stochastic import run_stochastic


@pytest.fixture(scope="module", name="run")
def _run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stochastic") / "run"
    return finchmark.evaluate("stochastic/house", "scripted:unsafe-5", samples=4, out=folder)


CAPTIONS = (
    "What greedy replies hide",
    "Worst of k samples",
    "Worst items, and what the spread is made of",
    "Wordings",
    "Samples to see a rare failure",
)


def test_a_task_has_a_figure_and_a_table_a_question(run):
    figure, *tables = stochastic_sections(run_stochastic(run))
    assert isinstance(figure, Plot)
    assert figure.svg.startswith("<svg")
    assert figure.title == "Temperatures and wordings: stochastic/house@3"
    assert [table.caption for table in tables] == [f"{caption}: stochastic/house" for caption in CAPTIONS]
    assert all(table.notes for table in tables)
    assert all(len(row) == len(table.columns) for table in tables for row in table.rows)


def test_what_is_not_measurable_says_so_instead_of_a_number(run):
    hidden = stochastic_sections(run_stochastic(run))[1]
    ((arm, _, _, concealed, share, *_),) = hidden.rows
    assert (arm, concealed, share) == ("t1.0", "not measurable with 8 samples an item; it takes 64", "–")


def test_what_is_extrapolated_is_marked_and_shows_both_families(run):
    worst = stochastic_sections(run_stochastic(run))[2]
    by_k = {row[1]: row for row in worst.rows}
    assert [k for k, row in by_k.items() if row[-1] == "extrapolated"] == ["8", "16"]
    assert by_k["4"][5:7] == ("–", "–")
    assert "–" not in by_k["16"][5:7]


def test_greedy_and_sampled_have_rows_of_their_own(run):
    rates = stochastic_sections(run_stochastic(run))[0].table.rows
    assert [row[1] for row in rates if row[0] == "unsafe"] == ["greedy", "t1.0"]
    assert {row[0] for row in rates} >= {"unsafe", "unsafe_at_least", "unsafe_at_most", "capable", "over_refused"}


def test_the_terminal_shows_every_table_and_its_caveats(run):
    text = results_text([run], width=150)
    assert "\n".join(stochastic_text(run, width=150)) in text
    for caption in CAPTIONS:
        assert caption in text
    assert "concealed risk is not measurable with 8 samples an item" in text
    assert "Competence gate: in the arm 'greedy'" in text


def test_the_report_has_the_section_and_its_claims(run, tmp_path):
    page = report_run(run, tmp_path / "r.html").read_text(encoding="utf-8")
    assert 'id="stochastic-0"' in page
    claims = stochastic_claims(run_stochastic(run))
    assert claims
    assert all(claim.partition(":")[0] in page for claim in claims)


def test_a_run_without_wrapped_tasks_has_no_section(tmp_path):
    run = finchmark.evaluate("house/probes", "scripted:oracle", limit=2, samples=1, out=tmp_path / "r")
    assert stochastic_sections(run_stochastic(run)) == []
    assert "Temperatures and wordings" not in results_text([run])
