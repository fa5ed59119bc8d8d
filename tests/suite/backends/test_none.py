from __future__ import annotations

import asyncio

import pytest

from finchmark import evaluate
from finchmark.suite import cli
from finchmark.suite.backends.base import GenerateRequest, Message, ScoreRequest
from finchmark.suite.backends.none import NoBackend
from finchmark.suite.errors import BackendUnavailable, UsageError
from finchmark.suite.evaluation import make_backend

ASKED = (Message("user", "Hello?"),)


def test_a_request_is_refused_with_what_to_do():
    with pytest.raises(BackendUnavailable, match=r"asked its model for a reply.*--backend hf:smollm2"):
        asyncio.run(NoBackend().generate(GenerateRequest(ASKED, "s", 1, 8)))


def test_so_are_log_probabilities():
    with pytest.raises(BackendUnavailable, match="for log-probabilities"):
        asyncio.run(NoBackend().score(ScoreRequest(ASKED, "x")))


def test_it_is_named_by_its_name_alone():
    choice, backend = make_backend("none")
    assert (str(choice), type(backend)) == ("none", NoBackend)
    with pytest.raises(UsageError, match="has no model"):
        make_backend("none:smollm2")


def test_an_agent_that_asks_a_model_is_refused_before_anything_is_made(tmp_path):
    with pytest.raises(UsageError, match="tabular, bandit, least-squares"):
        evaluate("odyssey/lights", "none", samples=2, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.fixture
def finchmark(capsys, monkeypatch, tmp_path):
    """Runs a command in an empty folder; gives exit code and errors."""
    monkeypatch.chdir(tmp_path)

    def run(*args: str) -> tuple[int, str]:
        monkeypatch.setattr("sys.argv", ["finchmark", *args])
        with pytest.raises(SystemExit) as leaving:
            cli.main()
        return leaving.value.code, capsys.readouterr().err

    return run


def test_the_command_line_runs_an_agent_without_a_model(finchmark):
    assert finchmark("run", "odyssey/lights", "--agent", "tabular", "--backend", "none", "--out", "r")[0] == 0


def test_the_command_line_says_what_an_agent_lacks(finchmark):
    code, told = finchmark("run", "odyssey/lights", "--backend", "none", "--out", "r")
    assert code == 2
    assert "asks a model, and --backend none has none" in told
    assert "Traceback" not in told
