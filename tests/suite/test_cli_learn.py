"""``finchmark learn`` as people type it."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from finchmark.suite.cli_learn import learn
from finchmark.suite.errors import StoreError, UsageError
from finchmark.suite.sandbox import Tier, available
from finchmark.suite.sandbox import shared as sharing
from finchmark.tasks.learning.methods.method import METHODS

SMALL = ("--iterations", "2", "--train", "2", "--validation", "2", "--test", "3")
RUN = (
    "methods",
    "--worlds",
    "foraging-open,vault-ship",
    "--backend",
    "scripted:follower",
    "--optimiser",
    "search",
    "--method",
    "*-prompt",
    *SMALL,
)


def call(*arguments: str):
    return CliRunner().invoke(learn, list(arguments))


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    folder = tmp_path_factory.mktemp("learn")
    done = call(*RUN, "--out", str(folder))
    assert done.exit_code == 0, done.output
    return folder


def test_show_prints_scores_gains_bounds_curves_and_published_figures(out):
    done = call("show", str(out))
    assert done.exit_code == 0, done.output
    for part in (
        "foraging-open", "(start)", "best-dynamics-prompt", "these very candidates only", "honest", "optimistic",
        "by chance", "size of the method space", "number of worlds", "bandit by features", "not reproduced here",
        "47.75 %",
    ):  # fmt: skip
        assert part in done.output


def test_a_lineage_is_shown(out):
    done = call("show", str(out), "--world", "foraging-open", "--method", "best-dynamics-prompt")
    assert done.exit_code == 0, done.output
    assert "the first" in done.output


def test_a_lineage_needs_world_and_method(out):
    assert isinstance(call("show", str(out), "--world", "foraging-open").exception, UsageError)


def test_a_lineage_of_nothing_is_told(out):
    done = call("show", str(out), "--world", "nowhere", "--method", "best-dynamics-prompt")
    assert isinstance(done.exception, StoreError)


def test_the_same_command_again_gives_the_same_bytes(out):
    before = (out / "result.json").read_bytes()
    assert call(*RUN, "--out", str(out)).exit_code == 0
    assert (out / "result.json").read_bytes() == before


def test_an_experiment_is_replayed(out, tmp_path):
    done = call("methods", "--replay", str(out), "--out", str(tmp_path / "again"))
    assert done.exit_code == 0, done.output
    assert (tmp_path / "again" / "result.json").read_bytes() == (out / "result.json").read_bytes()


def test_one_model_may_be_executor_and_optimiser(tmp_path):
    done = call(
        "methods", "--worlds", "foraging-open", "--backend", "scripted:canned", "--model-args",
        'replies=["<action>wait</action>"]', "--optimiser", "same", "--method", "*-prompt", "--out", str(tmp_path),
        *SMALL,
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "Edits that made no candidate" in done.output
    assert "the reply holds no advice" in done.output


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--worlds", "wind-gather", "--backend", "scripted:follower", "--optimiser", "search"), "--out"),
        (("--backend", "scripted:follower", "--optimiser", "search", "--out", "OUT"), "--worlds"),
        (("--worlds", "wind-gather", "--optimiser", "search", "--out", "OUT"), "--backend"),
        (("--worlds", "wind-gather", "--backend", "scripted:follower", "--out", "OUT"), "--optimiser"),
        (("--replay", "OUT", "--worlds", "wind-gather", "--out", "OUT"), "--replay"),
        ((*RUN[1:], "--prompt", "no-such-file", "--out", "OUT"), "cannot be read"),
        ((*RUN[1:], "--optimiser-args", "a=1", "--out", "OUT"), "takes no"),
    ],
)
def test_what_is_missing_or_wrong_is_told(arguments, told, tmp_path):
    done = call("methods", *(str(tmp_path / "x") if a == "OUT" else a for a in arguments))
    assert isinstance(done.exception, UsageError)
    assert told in str(done.exception)


def test_without_a_sandbox_code_is_refused_before_anything_is_spent_and_the_ways_out_are_named(tmp_path, monkeypatch):
    monkeypatch.setattr(
        sharing, "available", lambda: (Tier("bubblewrap", False, "not there"), Tier("process", True, ""))
    )
    monkeypatch.delenv(sharing.VARIABLE, raising=False)
    done = call(*RUN[:-2], "--method", "*-agent", *SMALL, "--out", str(tmp_path))
    assert isinstance(done.exception, UsageError)
    assert "--method '*-prompt'" in str(done.exception)
    assert "FINCHMARK_SANDBOX=process" in str(done.exception)
    assert not (tmp_path / "journal.jsonl").exists()


@pytest.mark.skipif(not available()[0].usable, reason=f"no bubblewrap here: {available()[0].detail}")
def test_all_eight_methods_run_without_a_model_and_their_code_is_shown(tmp_path):
    done = call(
        "methods", "--worlds", "foraging-open", "--backend", "scripted:follower", "--optimiser", "search",
        "--iterations", "1", "--train", "1", "--validation", "1", "--test", "1", "--out", str(tmp_path),
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    shown = call("show", str(tmp_path)).output
    for method in METHODS:
        assert method in shown
    line = call("show", str(tmp_path), "--world", "foraging-open", "--method", "best-dynamics-agent").output
    assert "def act(" in line or "the first" in line
