"""``finchmark games`` on the command line."""

from __future__ import annotations

import pytest

pytest.importorskip("pyspiel")

from typer.testing import CliRunner

from finchmark import evaluate
from finchmark.suite.cli import app
from finchmark.suite.errors import FinchmarkError
from finchmark.tasks.games.programs import PROGRAMS


def call(*words):
    return CliRunner().invoke(app, ["games", *map(str, words)], catch_exceptions=False)


def test_a_search_is_run_and_shown_again(tmp_path):
    words = ["--kind", "rule", "--seeds", 2, "--budget", 4, "--blind", "--held-out", "goofspiel3", "-o", tmp_path / "s"]
    first = call("evolve", *words)
    assert first.exit_code == 0
    assert "paired over 2 seeds" in first.output
    assert "select 1 #0:" in first.stderr
    shown = call("show", tmp_path / "s")
    assert shown.stdout == first.stdout == call("evolve", "-q", *words).stdout


def test_a_model_may_be_the_mutator(tmp_path):
    done = call(
        "evolve", "--kind", "rule", "--seeds", 1, "--budget", 3, "--held-out", "goofspiel3", "-o", tmp_path,
        "-b", "scripted:canned", "--model-args", 'replies=["average: t"]',
    )  # fmt: skip
    assert "mutator scripted:canned" in done.stdout
    assert "average: t" in done.stdout


@pytest.mark.parametrize(
    "words",
    [
        ["evolve"],
        ["evolve", "-o", "x", "--sandbox", "docker"],
        ["evolve", "-o", "x", "--model-args", "a=1"],
        ["evolve", "-o", "x", "--games", "goofspiel3"],
        ["show", "nowhere"],
        ["try", "nowhere.py"],
        ["try", "nowhere.py", "--kind", "dance"],
        ["bounds", "nowhere"],
    ],
)
def test_what_cannot_be_is_told(words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FinchmarkError):
        call(*words)


def test_a_program_is_tried_beside_the_known_ones(tmp_path, monkeypatch):
    from finchmark.suite.sandbox import available

    if not next(tier for tier in available() if tier.kind == "bubblewrap").usable:
        pytest.skip("no sandbox here")
    (tmp_path / "mine.py").write_text(PROGRAMS["regret"]["cfr+"].source)
    lines = call("try", tmp_path / "mine.py", "--games", "kuhn").stdout.splitlines()
    mine, plus = (next(line.split() for line in lines if line.startswith(f"  {name}")) for name in ("this", "cfr+"))
    assert mine[2:] == plus[1:]


def test_a_program_that_is_none_is_told(tmp_path):
    (tmp_path / "mine.py").write_text("x = 1")
    with pytest.raises(FinchmarkError, match="def update"):
        call("try", tmp_path / "mine.py")


def test_bounds_say_what_they_rest_on(tmp_path):
    evaluate("games/exploitability", "scripted:random", tier="smoke", samples=2, out=tmp_path / "run")
    text = call("bounds", tmp_path / "run").stdout
    rows = [line for line in text.splitlines() if line.startswith("plain")]
    assert len(rows) == 6
    assert all(row.split()[4:6] == ["8", "96"] for row in rows)
    assert "Estimated shares of the variance" in text
    assert "one distribution" in text


def test_bounds_of_a_run_that_failed_are_missing_and_not_invented(tmp_path):
    evaluate("games/exploitability", "scripted:nonsense", tier="smoke", samples=1, limit=1, out=tmp_path / "run")
    (row,) = [line for line in call("bounds", tmp_path / "run").stdout.splitlines() if line.startswith("plain")]
    assert row.split()[3] == "invalid"
    assert row.split()[7:10] == ["-", "-", "-"]


def test_bounds_of_another_task_are_none(tmp_path):
    evaluate("worlds/wind-gather", "scripted:random", tier="smoke", samples=1, limit=1, out=tmp_path / "run")
    assert "no sample of games/exploitability" in call("bounds", tmp_path / "run").stdout
