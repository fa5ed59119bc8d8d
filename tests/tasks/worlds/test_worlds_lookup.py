from __future__ import annotations

import subprocess
import sys

import pytest

from finchmark.environments.worlds.catalogue import WORLDS
from finchmark.environments.worlds.lookup import find_world
from finchmark.suite.errors import UnknownName
from finchmark.suite.registry import TASKS, Entry
from finchmark.tasks.worlds.lookup import FACTORS, expand, registered


def test_the_family_stands_for_all_registered_worlds():
    names = [f"worlds/{name}" for name in registered()]
    assert TASKS.select(["worlds"]) == TASKS.select(["worlds/*"]) == names
    assert len(names) >= 36


def test_a_world_by_its_name():
    assert TASKS.select(["worlds/wind-reach"]) == ["worlds/wind-reach"]


def test_a_core_stands_for_its_worlds():
    assert expand("worlds/wind") == [f"worlds/{line.name}" for line in WORLDS if line.core == "wind"]


@pytest.mark.parametrize(("axis", "value"), [(axis, value) for axis, values in FACTORS.items() for value in values])
def test_a_factor_stands_for_the_worlds_that_have_it(axis, value):
    found = expand(f"worlds/{value}")
    assert {name.partition("/")[2] for name in found} == {
        name for name in registered() if find_world(name).factors[axis] == value
    }


def test_every_world_has_one_value_of_each_factor():
    for values in FACTORS.values():
        assert sorted(name for value in values for name in expand(f"worlds/{value}")) == sorted(expand("worlds"))


def test_no_name_of_a_world_or_core_is_that_of_a_factor():
    taken = {line.name for line in WORLDS} | {line.core for line in WORLDS} | {"factors"}
    assert not taken & {value for values in FACTORS.values() for value in values}


def test_a_pattern():
    assert expand("worlds/*-reach") == ["worlds/wind-reach"]


def test_the_task_of_factors_is_found_by_its_name_only():
    assert expand("worlds/factors") == ["worlds/factors"]
    assert "worlds/factors" not in expand("worlds/*")


@pytest.mark.parametrize("name", ["worlds/wind-raech", "worlds/partiel"])
def test_what_is_not_there_is_refused_and_near_names_are_offered(name):
    with pytest.raises(UnknownName, match=r"worlds/(wind-reach|partial)"):
        expand(name)


def test_a_world_without_an_audit_is_no_task(monkeypatch):
    monkeypatch.setattr("finchmark.tasks.worlds.lookup.has_scale", lambda name: name != "wind-reach")
    with pytest.raises(UnknownName):
        expand("worlds/wind-reach")
    assert "worlds/wind-unseen" in expand("worlds")


def test_listing_tasks_imports_no_numpy():
    code = (
        "import sys; from finchmark.suite.registry import TASKS; TASKS.entries(); TASKS.families();"
        "sys.exit('numpy' in sys.modules or 'gymnasium' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_what_was_loaded_by_hand_changes_no_selector():
    TASKS.forget("worlds/factors")  # another test may have put it there by its own name
    loaded = TASKS.load("worlds/factors")
    try:
        TASKS.add(Entry("worlds/factors", f"{loaded.__module__}:factors", loaded.summary), loaded)
        assert TASKS.select(["worlds"]) == [f"worlds/{name}" for name in registered()]
    finally:
        TASKS.forget("worlds/factors")
