"""``finchmark creative`` as people type it."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from finchmark.suite.cli_creative import creative
from finchmark.suite.errors import StoreError, UsageError
from finchmark.suite.sandbox import available


def call(*arguments: str):
    return CliRunner().invoke(creative, list(arguments))


@pytest.mark.skipif(not available()[0].usable, reason="bubblewrap cannot be had here")
def test_a_model_that_writes_nonsense_makes_nothing_and_can_be_replayed(tmp_path):
    command = ["harder", "--explore", "acronym", "--combos", "1", "--backend", "scripted:nonsense", "--tries", "2"]
    done = call(*command, "--out", str(tmp_path / "a"))
    assert done.exit_code == 0, done.output
    assert "0 items of 2 tried" in done.output
    assert "explore/acronym" in done.output
    again = call("harder", "--replay", str(tmp_path / "a"), "--out", str(tmp_path / "b"))
    assert again.exit_code == 0, again.output
    assert (tmp_path / "a" / "harder.json").read_bytes() == (tmp_path / "b" / "harder.json").read_bytes()
    assert call("show", str(tmp_path / "b")).output in done.output


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--explore", "acronym", "--backend", "scripted:nonsense"], "needs --out"),
        (["--explore", "acronym", "--out", "o"], "needs --backend"),
        (["--out", "o", "--backend", "scripted:nonsense"], "Nothing is to be made"),
        (["--explore", "acronym", "--start", "end", "--out", "o", "-b", "scripted:nonsense"], "'top' or 'plain'"),
        (["--explore", "acronym", "--levels", "5", "--out", "o", "-b", "scripted:nonsense"], "levels is 5"),
        (["--replay", "j", "--combos", "1", "--out", "o"], "--replay has problems"),
    ],
)
def test_what_is_missing_or_wrong_is_named(arguments, says):
    done = call("harder", *arguments)
    assert isinstance(done.exception, UsageError)
    assert says in str(done.exception)


def test_a_folder_without_a_making_shows_nothing(tmp_path):
    done = call("show", str(tmp_path))
    assert isinstance(done.exception, StoreError)
