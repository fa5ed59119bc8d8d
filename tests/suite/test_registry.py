from __future__ import annotations

import subprocess
import sys

import pytest

from finchmark.suite.errors import UnknownName, UsageError
from finchmark.suite.registry import REGISTRIES, TASKS, Entry, Family, Registry, include_file


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


def made(name: str) -> type:
    return type("Made", (dict,), {"made_for": name})


def shades(selector: str) -> list[str]:
    return ["shades/red", "shades/blue"] if "*" in selector else [selector]


def family(things: Registry) -> Registry:
    here = sys.modules[__name__] = sys.modules.get(__name__) or type(sys)(__name__)
    here.made, here.shades = made, shades
    things.add(Family("shades", f"{__name__}:made", f"{__name__}:shades", "any shade"))
    return things


def test_a_name_of_a_family_is_made_on_demand_and_once():
    things = family(registry())
    assert things.load("shades/red").made_for == "shades/red"
    assert things.load("shades/red") is things.load("shades/red")
    assert things.entry("shades/red").summary == "any shade"


def test_a_family_says_itself_what_a_selector_stands_for():
    things = family(registry())
    assert things.select(["shades/*", "shades/grey"]) == ["shades/red", "shades/blue", "shades/grey"]


def test_a_family_is_no_entry():
    things = family(registry())
    assert "shades" not in {e.name for e in things.entries()}
    assert [f.name for f in things.families()] == ["shades"]


def test_two_families_of_one_name_are_refused():
    with pytest.raises(UsageError, match="defined twice"):
        family(registry()).add(Family("shades", "builtins:dict", "builtins:dict", ""))


def test_a_family_that_makes_something_else_is_refused():
    things = registry()
    things.add(Family("shades", "builtins:str", "builtins:str", ""))
    with pytest.raises(UsageError, match="not a subclass"):
        things.load("shades/red")


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
