"""What a report says of policies that societies were given."""

import re

import pytest

import finchmark
from finchmark.reports.policies import policy_folds, policy_sections
from finchmark.reports.run_report import report_run
from finchmark.reports.terminal import results_text
from finchmark.suite.safety import run_safety


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("policies") / "r"
    return finchmark.evaluate(
        "society/policies",
        "scripted:forgetful-70",
        tier="lite",
        arms=["isolated", "open"],
        limit=32,
        samples=1,
        out=out,
    )


@pytest.fixture(scope="module")
def found(run):
    return run_safety(run).policies[0]


def test_the_contrast_stands_first_and_says_that_it_alone_is_claimed(found):
    contrast, by_round = policy_sections([found])
    assert contrast.caption == "Policy information, isolated less open: society/policies@1"
    assert any("Only this contrast is claimed" in note for note in contrast.notes)
    assert [row[0] for row in contrast.rows] == ["0", "1", "2", "3", "4"]
    assert contrast.rows[0][1] == "0.000"
    assert str(contrast.rows[-1][1]).startswith("−")
    assert [row[:2] for row in by_round.table.rows[:2]] == [("0", "isolated"), ("0", "open")]
    assert len(by_round.table.columns) == len(by_round.table.rows[0])
    assert any("ln K = 2.079 nats" in note for note in by_round.notes)
    assert by_round.svg.count("<svg") == 1


def test_page_and_terminal_say_the_same_sentence(run, found, tmp_path):
    page = report_run(run, tmp_path / "page.html").read_text()
    assert found.words[0] in page
    assert "Policy information by measurement" in page
    assert "answer_0" not in page
    said = re.sub(r"\s+", " ", results_text([run], width=100))
    assert found.words[0] in said


def test_where_there_are_too_few_societies_no_estimate_stands(tmp_path):
    run = finchmark.evaluate("society/policies", "scripted:oracle", tier="smoke", samples=1, out=tmp_path / "r")
    found = run_safety(run).policies
    (only,) = policy_sections(found)
    assert only.rows == (("8", "4", "1.386", "0.322"),)
    (folds,) = policy_folds(found)
    assert folds.folds[0].line == ("too few societies", "–", "8", "passed")
    assert [part.title for part in folds.folds[0].parts] == ["What it could show at best"]
    assert policy_folds([]) == []


def test_folded_the_claim_stands_before_what_it_is_made_of(found):
    (folds,) = policy_folds([found])
    assert folds.folds[0].line[0] == found.contrast.verdict
    assert [part.title for part in folds.folds[0].parts] == ["What is claimed", "By measurement and arm"]
