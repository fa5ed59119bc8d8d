"""``finchmark creative judge`` and ``embed`` as people type them."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from finchmark import evaluate
from finchmark.suite.cli import app
from finchmark.suite.errors import UsageError
from finchmark.suite.sandbox import available

pytestmark = pytest.mark.skipif(not available()[0].usable, reason="bubblewrap cannot be had here")


def call(*arguments):
    return CliRunner().invoke(app, ["creative", *map(str, arguments)])


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """One level of one problem, solved by its reference."""
    folder = tmp_path_factory.mktemp("run") / "run"
    return evaluate("creativebench/explore", "scripted:oracle", samples=1, limit=2, out=folder).path


def test_a_judges_word_and_its_agreement_are_written_beside_the_run(run, tmp_path):
    out = tmp_path / "judged.json"
    done = call("judge", run, "-b", "scripted:canned", "--model-args", 'replies=["It does.\\nKEPT"]', "-o", out)
    assert done.exit_code == 0, done.output
    assert "the run has no program that it could be said of" in done.output  # rules check all of our own
    assert "rules say kept: judge kept" in done.output
    stored = json.loads(out.read_text())
    assert stored["column"] == "judged_compliant"
    assert stored["made_by"]["judge"]["model"] == "canned"
    assert stored["more"]["answers"][0]["reply"].endswith("KEPT")
    again = call("judge", run, "-b", "scripted:nonsense", "-o", out)
    assert isinstance(again.exception, UsageError)
    assert "there already" in str(again.exception)


def test_embedded_novelty_of_a_shipped_program_is_0(run, tmp_path, monkeypatch):
    (tmp_path / "letters.py").write_text(
        "def embed(texts):\n    return [[t.count(c) + 1 for c in 'abcde'] for t in texts]\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    done = call("embed", run, "--embedder", "letters:embed", "-o", tmp_path / "embedded.json")
    assert done.exit_code == 0, done.output
    assert "novelty_embedded" in done.output
    values = json.loads((tmp_path / "embedded.json").read_text())["values"]
    assert [value["value"] for value in values] == [0.0] * len(values)
    assert values


def test_a_run_of_another_task_is_refused(tmp_path):
    other = evaluate("odyssey/lights", "scripted:random", samples=1, limit=1, out=tmp_path / "other").path
    assert "no samples of creativebench/explore" in str(call("embed", other, "--embedder", "os:listdir").exception)
