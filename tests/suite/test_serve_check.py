"""serve-check against servers that can more and less."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from finchmark.suite.errors import BackendUnavailable, UsageError
from finchmark.suite.serve_check import serve_check

_spec = importlib.util.spec_from_file_location(
    "finchmark_faulty_server", Path(__file__).parent / "backends" / "faulty_server.py"
)
assert _spec is not None
assert _spec.loader is not None
faulty = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(faulty)
FaultyServer = faulty.FaultyServer

ALL = {
    "sampling": "yes",
    "seeds": "yes",
    "seeds at once": "yes",
    "n": "yes",
    "logprobs": "yes",
    "top_logprobs": "yes",
    "prompt_logprobs": "yes",
    "echo": "yes",
    "tools": "yes",
    "usage": "yes",
    "stop": "yes",
    "chat": "yes",
    "completions": "yes",
    "models": "yes",
    "greedy": "yes",
    "streaming": "yes",
    "long prompt": "yes",
}


def states(server, **arguments):
    return {f.name: f.state for f in serve_check(server.url, **arguments).findings}


def test_a_server_that_can_everything_is_said_to():
    with FaultyServer() as server:
        report = serve_check(server.url)
    assert {f.name: f.state for f in report.findings} == ALL
    assert (report.model, report.models, report.usable) == ("toy", ("toy",), True)


@pytest.mark.parametrize("missing", ["seeds", "usage", "logprobs", "prompt_logprobs", "echo", "n"])
def test_what_a_server_lacks_is_found_and_nothing_else(missing):
    rest = ["seeds", "usage", "logprobs", "prompt_logprobs", "echo", "n", "tools", "models", "tokenize"]
    rest.remove(missing)
    with FaultyServer(features=rest) as server:
        found = states(server)
    also = {"logprobs": {"top_logprobs", "echo"}, "seeds": {"seeds at once"}}.get(missing, set())
    assert {name for name, state in found.items() if state != "yes"} == {missing} | also


def test_a_server_without_a_list_of_models_needs_a_name():
    rest = ("seeds", "usage")
    with FaultyServer(features=rest) as server:
        with pytest.raises(UsageError, match="--model"):
            serve_check(server.url)
        assert states(server, model="toy")["models"] == "no"


def test_tools_are_unknown_where_the_model_calls_none():
    with FaultyServer(features=("models",)) as server:
        assert serve_check(server.url)["tools"].state == "unknown"


def test_tools_that_the_prompt_has_no_place_for_are_found_out():
    with FaultyServer(features=("models", "usage", "no-tool-prompt")) as server:
        finding = serve_check(server.url)["tools"]
    assert finding.state == "no"
    assert "with and without them" in finding.evidence


def test_tools_that_the_model_sees_and_leaves_are_unknown():
    with FaultyServer(features=("models", "usage")) as server:
        assert serve_check(server.url)["tools"].state == "unknown"


def test_a_server_that_ignores_the_temperature_is_found_out():
    with FaultyServer(features=("models", "usage", "seeds", "greedy-only")) as server:
        report = serve_check(server.url)
    assert report["sampling"].state == "no"
    assert "all samples of an item are one" in report["sampling"].means
    assert report["seeds"].state == report["seeds at once"].state == "unknown"


def test_seeds_that_hold_only_alone_are_found_out():
    with FaultyServer(features=("models", "usage", "seeds", "shared-seeds"), latency=0.02) as server:
        report = serve_check(server.url)
    assert report["seeds"].state == "yes"
    assert report["seeds at once"].state == "no"
    assert "concurrency=1" in report["seeds at once"].means


def test_seeds_that_do_not_hold_alone_are_not_tried_at_once():
    with FaultyServer(features=("models", "usage")) as server:
        report = serve_check(server.url)
    assert report["seeds"].state == "no"
    assert report["seeds at once"].evidence == "not asked: they do not hold alone"


def test_a_refused_field_is_a_no_with_what_the_server_said():
    with FaultyServer(features=("models", "usage", "seeds", "strict")) as server:
        finding = serve_check(server.url)["prompt_logprobs"]
    assert finding.state == "no"
    assert "Unexpected fields" in finding.evidence


@pytest.mark.parametrize("fault", ["429", "503", "reset"])
def test_a_server_that_is_too_busy_to_answer_decides_nothing(fault):
    with FaultyServer(faults=lambda n: fault if n > 1 else "") as server:
        report = serve_check(server.url)
    assert {report[name].state for name in ("seeds", "n", "logprobs", "tools", "streaming")} == {"unknown"}


def test_an_empty_list_of_models_is_told_from_none():
    with FaultyServer(features=("models", "no-models")) as server, pytest.raises(UsageError, match="is empty"):
        serve_check(server.url)


@pytest.mark.parametrize(
    ("stops", "state", "words"),
    [
        ("tell", "yes", "says so"),
        ("drop", "yes", "does not say so"),
        ("keep", "yes", "kept it"),
        ("ignore", "no", "went on"),
    ],
)
def test_what_becomes_of_stop_strings_is_found(stops, state, words):
    with FaultyServer(stops=stops) as server:
        finding = serve_check(server.url)["stop"]
    assert finding.state == state
    assert words in finding.evidence


@pytest.mark.parametrize(("context", "evidence"), [(4096, "refused"), (100_000, "read as")])
def test_a_long_prompt_that_is_refused_or_read_is_well(context, evidence):
    with FaultyServer(context=context) as server:
        finding = serve_check(server.url)["long prompt"]
    assert finding.state == "yes"
    assert evidence in finding.evidence


def test_a_server_that_cuts_long_prompts_in_silence_is_found_out():
    with FaultyServer(context=1000, features=("cuts", "usage", "models")) as server:
        finding = serve_check(server.url)["long prompt"]
    assert finding.state == "no"
    assert "only 996 tokens" in finding.evidence


def test_one_reply_for_all_seeds_decides_nothing():
    with FaultyServer(policy=lambda b: "always the same words") as server:
        finding = serve_check(server.url)["seeds"]
    assert finding.state == "unknown"
    assert "may all be the same" in finding.means


def test_a_server_that_only_fails_is_not_usable():
    with FaultyServer(faults=lambda n: "500") as server:
        report = serve_check(server.url)
    assert not report.usable
    assert "HTTP 500" in report["chat"].evidence
    assert report["seeds"].state == "unknown"


@pytest.mark.parametrize("fault", ["half-json", "html", "empty", "reset", "reset-in-body"])
def test_no_fault_breaks_the_check(fault):
    with FaultyServer(faults=lambda n: fault if n % 2 else "") as server:
        assert serve_check(server.url).findings


def test_a_server_that_wants_the_other_name_of_the_cap_is_understood():
    with FaultyServer(faults=lambda n: "cap-name") as server:
        assert serve_check(server.url)["chat"].state == "yes"


def test_nobody_listening_is_said():
    with FaultyServer() as server:
        pass
    with pytest.raises(BackendUnavailable, match="Is the server running"):
        serve_check(server.url)


def test_the_key_is_used_and_never_shown(monkeypatch):
    key = "sk-finch-secret"
    monkeypatch.setenv("MY_KEY", key)
    with FaultyServer(
        key=key, policy=lambda b: f"the key {key} is here", faults=lambda n: "echo-key" if n > 3 else ""
    ) as server:
        report = serve_check(server.url, api_key_env="MY_KEY")
        with pytest.raises(BackendUnavailable, match="refuses the key"):
            serve_check(server.url)
    assert report["chat"].state == "yes"
    assert key not in report.text() + repr(report)


def test_the_report_has_a_line_for_each_question():
    with FaultyServer() as server:
        text = serve_check(server.url).text()
    assert all(f"  {name}" in text for name in ALL)


def test_no_answer_in_time_decides_nothing():
    with FaultyServer(faults=lambda n: "stall:5" if n > 1 else "") as server:
        report = serve_check(server.url, timeout=0.1)
    assert {report[name].state for name in ("seeds", "tools", "long prompt")} == {"unknown"}
