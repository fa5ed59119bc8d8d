"""The commands that compare, plan, gate and publish, as people type them."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from finchmark.suite import cli
from finchmark.suite.evaluation import evaluate

OPTIONS = {"tier": "gate", "limit": 30, "samples": 2}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs with spaces")
    for name in ("random", "heuristic", "oracle"):
        evaluate(["odyssey/lights", "odyssey/trade"], f"scripted:{name}", out=folder / name, **OPTIONS)
    return folder


@pytest.fixture
def finchmark(monkeypatch, capsys):
    def call(*arguments, code=0):
        monkeypatch.setattr("sys.argv", ["finchmark", *map(str, arguments)])
        with pytest.raises(SystemExit) as leaving:
            cli.main()
        captured = capsys.readouterr()
        assert leaving.value.code == code, captured.err
        return captured.out if code in (0, 1, 3) else captured.err

    return call


def test_compare_prints_and_writes(finchmark, runs, tmp_path):
    out = finchmark("compare", runs / "random", runs / "oracle", "--csv", tmp_path / "x.csv", "--html", tmp_path / "h")
    assert "better" in out
    assert "Over 2 tasks of odyssey" in out
    assert (tmp_path / "h" / "index.html").exists()
    frame = pd.read_csv(tmp_path / "x.csv")
    assert set(frame["task"]) == {"odyssey/lights", "odyssey/trade"}
    several = finchmark(
        "compare", runs / "random", runs / "heuristic", runs / "oracle", "--correction", "max-t", "--all"
    )
    assert "max-t" in several
    assert "(exploratory)" in several


def test_equal_comparisons_print_equal_text(finchmark, runs):
    assert len({finchmark("compare", runs / "random", runs / "heuristic") for _ in range(2)}) == 1


def test_compare_says_what_is_wrong(finchmark, runs, tmp_path):
    assert "at least two" in finchmark("compare", runs / "random", code=2)
    assert "nothing here" in finchmark("compare", runs / "random", tmp_path / "none", code=2)
    assert "--correction" in finchmark("compare", runs / "random", runs / "oracle", "--correction", "x", code=2)


def test_report_of_one_run_and_of_two(finchmark, runs, tmp_path):
    for arguments in ((runs / "random",), (runs / "random", runs / "oracle")):
        out = tmp_path / f"{len(arguments)}.html"
        assert str(out) in finchmark("report", *arguments, "-o", out)
        assert "<svg" in out.read_text()


def test_power_of_a_run_of_two_and_of_a_plan(finchmark, runs):
    assert "to show that no more than 0.05 is lost" in finchmark("power", runs / "heuristic")
    assert "two runs' differences" in finchmark("power", runs / "heuristic", "--against", runs / "random")
    assert "a difference of 0.1" in finchmark("power", "--rate", "0.5", "--effect", "0.1")
    assert "--rate" in finchmark("power", code=2)
    assert "--spread" in finchmark("power", "--rate", "0.5", "--spread", "0.9", code=2)


def test_a_baseline_is_made_gated_and_moved(finchmark, runs, tmp_path):
    base = tmp_path / "base.json"
    finchmark("baseline", runs / "oracle", "--out", base)
    assert json.loads(base.read_text()) == json.loads(finchmark("baseline", runs / "oracle"))
    policy = tmp_path / "gate.toml"
    policy.write_text('margin = 0.15\n[[rule]]\ntask = "odyssey/trade"\ngate = false\n')
    gate = ("gate", "--baseline", base, "--policy", policy, "--candidate")
    assert "REGRESSION" in finchmark(*gate, runs / "random", "--json", tmp_path / "g.json", code=1)
    assert json.loads((tmp_path / "g.json").read_text())["verdict"] == "regression"
    assert "PASS" in finchmark(*gate, runs / "oracle", "--lifetime-alpha", "0.2", "--record")
    assert len(json.loads(base.read_text())["attempts"]) == 1
    assert "--anyway" in finchmark("baseline", "accept", runs / "random", "-f", base, code=2)
    finchmark("baseline", "accept", runs / "random", "-f", base, "--anyway")
    assert json.loads(base.read_text())["accepted"]["label"] == "scripted:random"


def test_a_page_of_ci_that_cannot_be_written_changes_no_decision(finchmark, runs, tmp_path, monkeypatch):
    base = tmp_path / "base.json"
    finchmark("baseline", runs / "oracle", "--out", base)
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "none" / "summary.md"))
    assert "::error" in finchmark("gate", "--baseline", base, "--candidate", runs / "random", code=1)


def test_a_board_is_built_verified_and_kept(finchmark, runs, tmp_path):
    out = finchmark("leaderboard", "build", *(runs / n for n in ("random", "oracle")), "--out", tmp_path / "site")
    assert "standings.csv" in out
    assert "can be accepted" in finchmark("leaderboard", "verify", runs / "random")
    board = runs / "board.json"
    finchmark("leaderboard", "accept", runs / "random", "--board", board)
    assert "no fault" in finchmark("leaderboard", "check", board)
    finchmark("leaderboard", "withdraw", "random", "--reason", "a test", "--board", board)
    finchmark("leaderboard", "build", runs / "random", "--board", board, "--out", tmp_path / "other")
    assert "withdrawn" in (tmp_path / "other" / "standings.csv").read_text()


def test_items_and_runs_leave_as_datasets(finchmark, runs, tmp_path):
    finchmark("items", "odyssey/lights", "-o", tmp_path / "items")
    finchmark("export", runs / "random", "--to", "datasets", "-o", tmp_path / "run")
    for folder in ("items", "run"):
        assert (tmp_path / folder / "README.md").exists()
    assert "canary" in (tmp_path / "items" / "README.md").read_text().lower()
