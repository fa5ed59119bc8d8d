"""The example of an agent, as its first line says that it is used."""

from __future__ import annotations

import asyncio
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from finchmark import load_run
from finchmark.suite.agents.experience import Experience, Feedback, Step
from finchmark.suite.conformance import check_agent
from finchmark.suite.records import AgentChoice

EXAMPLE = Path(__file__).parents[2] / "examples" / "counting_agent.py"


@pytest.fixture(scope="module")
def counting():
    spec = importlib.util.spec_from_file_location("counting_agent_example", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module.CountingAgent
    del sys.modules[spec.name]


def lived(task, actions, solved):
    steps = tuple(Step("see", f"<action>{action}</action>", action, True) for action in actions)
    return Experience("s000/0", task, 0, "Rules.", steps, "", Feedback(float(solved), solved))


def test_it_is_short():
    assert len(EXAMPLE.read_text(encoding="utf-8").splitlines()) < 40


def test_it_conforms(counting):
    check_agent(counting)


def test_it_shows_what_solved_episodes_did_most(counting):
    agent = counting(most=2)
    for task, actions, solved in (("a", "112", True), ("a", "333", False), ("b", "2", True)):
        asyncio.run(agent.learn(lived(task, actions, solved), None))
    assert agent.memory(None) == "a: 1 (2 times)\na: 2 (1 times)"


def test_it_runs_by_the_command_in_its_first_line(tmp_path):
    line = EXAMPLE.read_text(encoding="utf-8").splitlines()[0]
    command = line[line.index("finchmark run") : line.index(" ...")].split()
    rest = ["--agent-args", "most=3", "--backend", "scripted:oracle", "--tier", "smoke", "--samples", "1"]
    done = subprocess.run(
        [Path(sys.executable).parent / command[0], *command[1:], *rest, "--out", tmp_path / "run", "--quiet"],
        cwd=EXAMPLE.parents[1],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert load_run(str(tmp_path / "run")).manifest.spec.agent == AgentChoice(name="counting", args={"most": 3})
