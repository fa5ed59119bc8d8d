"""``finchmark worlds generate`` as people type it."""

from __future__ import annotations

import json

import pytest
import typer
from typer.testing import CliRunner

from finchmark.suite.cli_generate import generate
from finchmark.suite.errors import UsageError

APP = typer.Typer()
APP.command()(generate)


def call(*arguments: str):
    return CliRunner().invoke(APP, list(arguments))


def test_a_model_that_cannot_write_specifications_yields_nothing_and_the_table_says_so(tmp_path):
    done = call(
        "--theme", "a mill", "--backend", "scripted:nonsense", "--count", "3", "--repairs", "1", "--out", str(tmp_path)
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "overall" in done.output
    summary = json.loads((tmp_path / "generation.json").read_text())
    assert summary["packages"] == []
    assert {t["failed_at"] for t in summary["themes"]} <= {"design", "specification"}


def test_a_journal_can_be_replayed(tmp_path):
    call("--theme", "a mill", "--backend", "scripted:nonsense", "--repairs", "0", "--out", str(tmp_path / "a"))
    done = call("--replay", str(tmp_path / "a" / "journal.jsonl"), "--out", str(tmp_path / "b"))
    assert done.exit_code == 0, done.output
    assert (tmp_path / "a" / "generation.json").read_bytes() == (tmp_path / "b" / "generation.json").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--theme", "x", "--backend", "scripted:nonsense"], "--out"),
        (["--theme", "x", "--out", "o"], "--backend"),
        (["--backend", "scripted:nonsense", "--out", "o"], "--theme"),
        (["--replay", "j", "--theme", "x", "--out", "o"], "--replay"),
    ],
)
def test_what_is_missing_is_named(arguments, says):
    done = call(*arguments)
    assert isinstance(done.exception, UsageError)
    assert says in str(done.exception)
