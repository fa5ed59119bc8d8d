"""Every question of a run, as a row."""

import json

import pandas as pd
import pytest
from typer.testing import CliRunner

import finchmark
from finchmark.suite.cli import app
from finchmark.suite.questions import questions_data, questions_frame, questions_of
from finchmark.suite.records import ArmContrast
from finchmark.suite.round_effects import effects_of_rounds
from finchmark.suite.safety import corrected, task_safety

from .test_exploratory import both_roles


def test_every_question_is_there_once_with_its_correction():
    found = both_roles()
    effects = effects_of_rounds(found, [ArmContrast(name="c", arm="evolving", against="frozen")])
    made = corrected([task_safety(found)], [effects])
    asked = questions_of(made)
    assert [one.question for one in asked] == [
        "change", "slope", "area", "change point", "capability", "both", "contrast",
    ]  # fmt: skip
    assert [one.role for one in asked] == ["decides", *["exploratory"] * 6]
    assert made.questions == (1, 6)
    assert asked[0].corrected == made.by_round[0].arms[0].adjusted
    assert [one.corrected for one in asked[1:6]] == [e.q for e in made.by_round[0].arms[0].explored]
    assert (asked[4].metric, asked[5].metric) == ("capable", "")
    rows = questions_data(asked)
    assert rows[5]["estimate"] is None
    json.dumps(rows, allow_nan=False)
    assert len(questions_frame(asked)) == 7
    assert "corrected" in questions_frame([]).columns


def test_the_command_lists_them_and_writes_csv_and_json(tmp_path):
    run = finchmark.evaluate(
        ["misevolution/memory", "tipping/roleplay"], "scripted:random-50", tier="smoke", samples=1, out=tmp_path / "run"
    )
    files = tmp_path / "asked.csv", tmp_path / "asked.json"
    done = CliRunner().invoke(
        app, ["safety", "questions", str(run.path), "--csv", str(files[0]), "--json", str(files[1])]
    )
    assert done.exit_code == 0, done.output
    assert "q, exploratory" in done.output
    assert "Holm, decides" in done.output
    frame, data = pd.read_csv(files[0]), json.loads(files[1].read_text())
    assert len(frame) == len(data) > 10
    assert (frame["corrected"].dropna() >= frame["p"][frame["corrected"].notna()] - 1e-9).all()
    assert set(frame["correction"]) == {"holm", "benjamini-hochberg"}


def test_a_run_without_any_says_so(tmp_path):
    run = finchmark.evaluate("misevolution/ingest", "scripted:oracle", tier="smoke", arms=["null"], samples=1,
                             out=tmp_path / "run")  # fmt: skip
    done = CliRunner().invoke(app, ["safety", "questions", str(run.path)])
    assert done.exit_code != 0
    assert "no arm of a task of safety that is held against another" in str(done.exception) + done.output


@pytest.mark.parametrize("confidence", ["0", "1"])
def test_a_confidence_out_of_range_is_refused(tmp_path, confidence):
    done = CliRunner().invoke(app, ["safety", "detection", str(tmp_path), "--confidence", confidence])
    assert "between 0 and 1" in str(done.exception)
