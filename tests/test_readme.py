"""The README tells the truth: its commands are the ones that CI runs, its code runs, its tables name what there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from finchmark.suite import cli
from finchmark.suite.registry import BACKENDS, TASKS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, re.DOTALL)


def block(word: str) -> str:
    (found,) = [text for _, text in BLOCKS if word in text]
    return found


def test_ci_runs_the_test_command_of_the_readme():
    (command,) = [line for line in block("bin/tox").splitlines() if not line.startswith("#")]
    assert (ROOT / ".ci" / "run").read_text().rstrip().splitlines()[-1] == command


def test_the_task_of_twenty_lines_conforms_and_is_no_longer(tmp_path, monkeypatch, capsys):
    text = block("# parity.py")
    assert len([line for line in text.splitlines()[1:] if line.strip()]) <= 20
    (tmp_path / "parity.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    # The command that stands below it, with a backend that needs no weights.
    command = block("--include parity.py").strip().replace("hf:smollm2", "scripted:canned").split()
    monkeypatch.setattr("sys.argv", [*command, "--model-args", 'replies=["Even."]', "--quiet"])
    with pytest.raises(SystemExit) as leaving:
        cli.main()
    assert leaving.value.code == 0
    assert "0.500" in capsys.readouterr().out


def test_the_python_of_the_readme_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    exec(compile(block("finchmark.evaluate("), "README.md", "exec"), {})
    assert "inductive" in capsys.readouterr().out


@pytest.mark.parametrize("name", [e.name for e in TASKS.entries() if e.source == "finchmark"])
def test_every_task_stands_in_the_table(name):
    assert f"| `{name}` |" in README


@pytest.mark.parametrize("name", [e.name for e in BACKENDS.entries() if e.source == "finchmark"])
def test_every_backend_stands_in_the_table(name):
    # A backend without a model has no colon.
    assert re.search(rf"\| `{name}[:`]", README)


def test_every_command_of_the_readme_exists():
    named = set(re.findall(r"finchmark ([\w-]+)", "\n".join(text for kind, text in BLOCKS if kind == "sh")))
    known = {c.name or c.callback.__name__ for c in cli.app.registered_commands} | {
        g.name for g in cli.app.registered_groups
    }
    assert named <= known
