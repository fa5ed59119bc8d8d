"""Others' items are read from a user's files; nothing of them is shipped."""

from __future__ import annotations

import json

import pytest

from finchmark import evaluate
from finchmark.suite.errors import UsageError
from finchmark.suite.evaluation import prepare
from finchmark.suite.registry import TASKS
from finchmark.suite.rescore import rescore

TRACES = {"light": "odyssey/lights", "trade": "odyssey/trade", "energy": "odyssey/energy", "repo": "odyssey/repo"}


@pytest.fixture(scope="module")
def checkout(shared, tmp_path_factory):
    """A folder laid out like the reference's checkout, with the configurations that the recorded traces embed."""
    root = tmp_path_factory.mktemp("checkout")
    for file in sorted((shared / "odyssey_traces").glob("*_random.json")):
        trace = json.loads(file.read_text())
        target = root / "test_data" / trace["config_file"]
        target.parent.mkdir(parents=True, exist_ok=True)
        if "trade" in target.name:
            target.write_text(json.dumps(trace["config"]))
        else:
            had = json.loads(target.read_text()) if target.exists() else []
            target.write_text(json.dumps([*had, trace["config"]]))
    return root


@pytest.mark.parametrize("task", TRACES.values())
def test_each_world_plays_the_reference_s_items(checkout, task, tmp_path):
    run = evaluate(
        task, "scripted:random", data=checkout, tier="lite", arms=["inductive"], samples=1, out=tmp_path / "r"
    )
    frame = run.frame()
    assert len(frame) == 2
    assert set(frame["outcome"]) <= {"ok", "invalid"}
    assert run.manifest.spec.items.kind == "data"


@pytest.mark.parametrize("task", ["odyssey/lights", "odyssey/trade", "odyssey/energy"])
def test_the_oracle_solves_the_reference_s_items_too(checkout, task, tmp_path):
    run = evaluate(
        task, "scripted:oracle", data=checkout, tier="lite", arms=["inductive"], samples=1, out=tmp_path / "r"
    )
    primary = run.manifest.tasks[task].primary.name
    assert run.frame()[primary].min() == pytest.approx(1.0, abs=0.01)


def test_a_single_file_is_enough(checkout):
    file = checkout / "test_data" / "turnonlights" / "test_turnonlights_lite_251030.json"
    assert prepare("odyssey/lights", "scripted:random", data=file, tier="lite").plans[0].items[0].id == "data-000"


def test_a_run_on_files_is_rescored_with_the_files(checkout, tmp_path):
    evaluate("odyssey/lights", "scripted:oracle", data=checkout, tier="lite", samples=1, out=tmp_path / "r")
    assert rescore(tmp_path / "r", tmp_path / "s", data=checkout).changed == []


def test_a_folder_without_the_files_says_which(tmp_path):
    with pytest.raises(UsageError, match="turnonlights"):
        prepare("odyssey/lights", "scripted:random", data=tmp_path)


@pytest.mark.parametrize(
    ("text", "match"), [("{", "cannot be read"), ("[1]", "an item is an object"), ("[{}]", "level")]
)
def test_a_file_that_holds_no_items_says_so(tmp_path, text, match):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(UsageError, match=match):
        prepare("odyssey/lights", "scripted:random", data=tmp_path / "x.json")


def test_files_and_seeds_exclude_each_other(tmp_path):
    with pytest.raises(UsageError, match="excludes"):
        prepare("odyssey/lights", "scripted:random", data=tmp_path, items_seed=3)


def test_a_task_without_a_loader_says_so(tmp_path):
    class Own(TASKS.load("odyssey/lights")):
        name = "demo/own"

    from finchmark import Task

    with pytest.raises(UsageError, match="items of its own only"):
        Task.read_items(Own(), tmp_path, Own.tiers["lite"])
