from __future__ import annotations

import pytest
from typer.testing import CliRunner

from finchmark.environments.worlds import command
from finchmark.suite.cli import app


@pytest.fixture
def finchmark():
    def run(*arguments):
        return CliRunner().invoke(app, ["worlds", *arguments])

    return run


def test_list_shows_each_world_with_chance_and_reference(finchmark):
    told = finchmark("list", "wind")
    assert told.exit_code == 0
    assert [line.split()[0] for line in told.output.splitlines()] == [
        "world",
        "wind-reach",
        "wind-unseen",
        "wind-gather",
    ]
    assert "optimum" in told.output


def test_show_tells_what_an_agent_is_told(finchmark):
    told = finchmark("show", "wind-reach")
    assert told.exit_code == 0
    assert "You have 30 steps" in told.output


def test_an_audit_of_one_check_says_what_it_found(finchmark):
    told = finchmark("audit", "automaton-word", "--check", "determinism")
    assert told.exit_code == 0
    assert "ok   determinism" in told.output


def test_a_failed_audit_and_an_old_certificate_exit_with_1(finchmark, monkeypatch):
    monkeypatch.setattr(command, "audit_worlds", lambda *a, **k: False)
    monkeypatch.setattr(command, "check_worlds", lambda *a, **k: False)
    assert finchmark("audit", "wind-reach").exit_code == 1
    assert finchmark("check", "wind-reach").exit_code == 1


def test_check_holds_certificates_against_the_code(finchmark, monkeypatch):
    asked = []
    monkeypatch.setattr(command, "check_worlds", lambda names, say, jobs: asked.append((list(names), jobs)) or True)
    assert finchmark("check", "wind-reach", "vault", "--jobs", "3").exit_code == 0
    assert asked == [(["wind-reach", "vault"], 3)]


def test_an_unknown_world_is_refused_with_near_names(finchmark):
    told = finchmark("show", "wind-reech")
    assert "wind-reach" in str(told.exception)
