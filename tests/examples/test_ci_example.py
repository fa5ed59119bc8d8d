"""The example for CI, by the commands that stand in it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import pytest
import yaml

from finchmark import load_run

EXAMPLE = Path(__file__).parents[2] / "examples" / "ci"
WORKFLOW = yaml.safe_load((EXAMPLE / "workflow.yml").read_text(encoding="utf-8"))

# By its module, and not twice: a checkout that was installed before the plug-in was there has no entry point for it.
LOAD = "-p no:finchmark -p finchmark.suite.pytest_plugin"


def steps() -> dict[str, str]:
    """The workflow's own commands but the first, which installs from a registry."""
    found = [step for step in WORKFLOW["jobs"]["gate"]["steps"] if "run" in step]
    assert found[0]["name"] == "Install"
    return {step["name"]: step["run"] for step in found[1:]}


def blocks() -> list[str]:
    """The commands of the README."""
    return re.findall(r"```sh\n(.*?)```", (EXAMPLE / "README.md").read_text(encoding="utf-8"), re.DOTALL)


class Done(NamedTuple):
    code: int
    output: str
    folder: Path
    summary: Path


def play(folder: Path, commands: list[str]) -> Done:
    """Run commands as a step of a workflow does: bash, which stops at the first failure."""
    summary = folder / "step-summary.md"
    env = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "GITHUB_ACTIONS": "true",
        "GITHUB_STEP_SUMMARY": str(summary),
    }
    out, code = "", 0
    for command in commands:
        done = subprocess.run(
            ["bash", "-eo", "pipefail", "-c", command], cwd=folder, env=env, capture_output=True, text=True
        )
        out, code = out + done.stdout + done.stderr, done.returncode
        if code:
            break
    return Done(code, out, folder, summary)


def copy(tmp: Path, skill: float = 0.9) -> Path:
    folder = tmp / "evaluation"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("runs", "__pycache__", ".pytest_cache"))
    file = folder / "run.toml"
    text = file.read_text(encoding="utf-8")
    assert "skill = 0.9" in text
    file.write_text(text.replace("skill = 0.9", f"skill = {skill}"), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def same(tmp_path_factory) -> Done:
    return play(copy(tmp_path_factory.mktemp("same")), list(steps().values()))


@pytest.fixture(scope="module")
def worse(tmp_path_factory) -> Done:
    return play(copy(tmp_path_factory.mktemp("worse"), skill=0.7), list(steps().values()))


@pytest.fixture(scope="module")
def few(tmp_path_factory) -> Done:
    (commands,) = [block for block in blocks() if "few" in block]
    return play(copy(tmp_path_factory.mktemp("few")), commands.splitlines())


def test_actions_are_pinned_by_their_major_version():
    used = [step["uses"] for step in WORKFLOW["jobs"]["gate"]["steps"] if "uses" in step]
    assert used
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@v\d+", name) for name in used)


def test_what_was_found_is_kept_after_a_failure_too():
    last = WORKFLOW["jobs"]["gate"]["steps"][-1]
    assert "upload-artifact" in last["uses"]
    assert "!cancelled()" in last["if"]
    for file in ("gate.xml", "gate.json"):
        assert file in last["with"]["path"]
        assert file in steps()["Gate"]


def test_the_readme_shows_the_workflows_commands():
    assert list(steps().values()) in [block.splitlines() for block in blocks()]


@pytest.mark.slow
def test_the_same_model_is_green(same):
    assert same.code == 0, same.output
    assert "PASS" in same.output
    assert "::error" not in same.output


@pytest.mark.slow
def test_the_same_model_is_another_draw_not_a_copy(same):
    (check,) = json.loads((same.folder / "gate.json").read_text())["checks"]
    assert check["difference"] != 0


@pytest.mark.slow
def test_a_worsened_model_is_red(worse):
    assert worse.code == 1, worse.output
    assert "REGRESSION" in worse.output


@pytest.mark.slow
def test_a_regression_is_annotated(worse):
    assert re.search(r"^::error title=Regression::odyssey/lights@1", worse.output, re.MULTILINE)


@pytest.mark.slow
def test_junit_holds_the_failure_and_the_pass(worse, same):
    red, green = (ElementTree.parse(done.folder / "gate.xml").getroot() for done in (worse, same))
    assert (red.get("failures"), green.get("failures")) == ("1", "0")
    assert red.find(".//failure") is not None
    assert len(green.findall(".//testcase")) == 1


@pytest.mark.slow
def test_json_says_what_the_exit_code_says(worse, same):
    for done, verdict in ((worse, "regression"), (same, "pass")):
        data = json.loads((done.folder / "gate.json").read_text())
        assert (data["verdict"], data["exit_code"]) == (verdict, done.code)


@pytest.mark.slow
def test_the_steps_summary_is_written(worse, same):
    assert "Gate: regression" in worse.summary.read_text()
    assert "Gate: pass" in same.summary.read_text()


@pytest.mark.slow
def test_the_gate_says_first_how_likely_an_unchanged_model_passes(same):
    assert same.output.index("P(pass | no change)") < same.output.index("PASS")
    (said,) = json.loads((same.folder / "gate.json").read_text())["forecasts"]
    assert said["passes"] > 0.95


@pytest.mark.slow
def test_too_few_items_are_inconclusive(few):
    assert few.code == 3, few.output
    assert "INCONCLUSIVE" in few.output
    assert "::error title=Inconclusive" in few.output


@pytest.mark.slow
def test_the_baseline_is_what_its_commands_make(tmp_path):
    folder = copy(tmp_path)
    (commands,) = [block for block in blocks() if "runs/base" in block]
    (folder / "base.json").unlink()
    done = play(folder, commands.splitlines())
    assert done.code == 0, done.output
    assert (folder / "base.json").read_bytes() == (EXAMPLE / "base.json").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize(("skill", "code", "units"), [(0.9, 0, 136), (0.7, 1, 20)])
def test_a_sequential_gate_stops_when_it_can_tell(tmp_path, skill, code, units):
    folder = copy(tmp_path, skill)
    (command,) = [block for block in blocks() if "sequential.toml" in block]
    done = play(folder, [command])
    assert done.code == code, done.output
    assert f"{units} of 300" in done.output
    run = load_run(str(folder / "runs" / "sequential"))
    assert len(run.frame()) < run.manifest.expected == 1200


@pytest.mark.slow
def test_the_evaluation_file_passes_by_the_same_policy(tmp_path):
    folder = copy(tmp_path)
    (command,) = [block for block in blocks() if "pytest" in block]
    done = play(folder, [f"{command.strip()} --rootdir . {LOAD}"])
    assert done.code == 0, done.output
    assert "against base.json" in done.output
