from __future__ import annotations

import subprocess
import sys

import pytest

from finchmark.suite.errors import UnknownName, UsageError
from finchmark.suite.registry import REGISTRIES, TASKS, Entry, Registry, include_file


@pytest.mark.parametrize("kind", REGISTRIES)
def test_every_catalogue_line_agrees_with_its_class(kind):
    registry = REGISTRIES[kind]
    for entry in registry.entries():
        if entry.source != "finchmark":
            continue
        cls = registry.load(entry.name)
        assert entry.summary
        assert getattr(cls, "name", entry.name) in (entry.name, "")
        if kind == "tasks":
            assert tuple(cls.tiers) == entry.tiers
            assert cls.summary == entry.summary


def test_a_near_name_is_offered():
    with pytest.raises(UnknownName, match="Did you mean 'odyssey/lights'"):
        TASKS.load("odyssey/light")


@pytest.mark.parametrize("selector", ["odyssey/lights", "odyssey", "odyssey/*", "inductive"])
def test_selectors_find_tasks_by_name_family_pattern_and_group(selector):
    assert "odyssey/lights" in TASKS.select([selector])


def test_a_name_selected_twice_is_played_once():
    assert TASKS.select(["odyssey/lights", "odyssey/lights"]) == ["odyssey/lights"]


def test_a_selector_that_finds_nothing_is_an_error():
    with pytest.raises(UnknownName):
        TASKS.select(["odyssey/lights", "nothing/*"])


def registry() -> Registry:
    return Registry(
        "thing", base="builtins:dict", builtin="finchmark.suite.agents.catalogue:CATALOGUE", group="no.such"
    )


def test_a_target_of_another_kind_is_refused():
    things = registry()
    things.add(Entry("x", "builtins:list", "a list"))
    with pytest.raises(UsageError, match="not a subclass"):
        things.load("x")


def test_a_target_that_cannot_be_imported_says_why():
    things = registry()
    things.add(Entry("x", "no_such_module:Thing", ""))
    with pytest.raises(UsageError, match="no_such_module"):
        things.load("x")


def test_two_things_of_one_name_are_refused():
    things = registry()
    things.add(Entry("x", "builtins:dict", ""))
    things.add(Entry("x", "builtins:dict", ""))
    with pytest.raises(UsageError, match="defined twice"):
        things.add(Entry("x", "builtins:list", ""))


def test_listing_loads_no_target():
    code = (
        "import sys; from finchmark.suite.registry import REGISTRIES; [r.entries() for r in REGISTRIES.values()]\n"
        "print([m for m in ('numpy', 'gymnasium', 'torch', 'pandas', 'rich') if m in sys.modules])"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )


@pytest.mark.parametrize(
    ("text", "match"),
    [("import no_such_module", "no_such_module"), ("x = 1", "no subclass"), ("def f(:", "SyntaxError")],
)
def test_an_included_file_that_is_no_plugin_says_why(tmp_path, text, match):
    file = tmp_path / "plugin.py"
    file.write_text(text)
    with pytest.raises(UsageError, match=match):
        include_file(file)


def test_an_included_file_that_is_missing_is_an_error(tmp_path):
    with pytest.raises(UsageError, match="no such file"):
        include_file(tmp_path / "none.py")
