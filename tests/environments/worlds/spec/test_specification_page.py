"""The page on the specification language: its example is a world, and names all that the form has."""

import re
from pathlib import Path

import pytest

from finchmark.environments.worlds.audit.run import CHECKS, audit
from finchmark.environments.worlds.spec.compile import compile_spec, worlds_of
from finchmark.environments.worlds.spec.expressions import FOLDS, FUNCTIONS
from finchmark.environments.worlds.spec.machine import MOST_WAITING
from finchmark.environments.worlds.spec.model import WorldSpec, parse_spec
from finchmark.environments.worlds.world import episode_key

PAGE = (Path(__file__).parents[4] / "docs" / "worlds" / "specification.md").read_text(encoding="utf-8")
EXAMPLE = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)[0]


def mill():
    spec = parse_spec(EXAMPLE, "specification.md")
    return worlds_of(compile_spec(spec), spec)[0]


def test_the_page_names_every_key():
    assert [name for name in WorldSpec.model_fields if f"`{name}`" not in PAGE] == []


def test_the_page_names_every_function():
    assert [name for name in (*FUNCTIONS, *FOLDS) if f"`{name}(" not in PAGE] == []


def test_the_page_states_how_many_effects_can_wait():
    assert f"up to {MOST_WAITING} can wait" in PAGE


def test_the_example_plays_as_the_page_says():
    world = mill()
    level = world.levels("test", 1)[0]
    moment = world.begin(world.load(level), episode_key(level))
    assert "0 of the sacks that were asked for are ready" in world.show(moment)
    before = moment.state
    moment = world.act(world.act(moment, "dig"), "wait")  # what is dug comes a step later
    assert moment.problem is None
    assert moment.state != before
    assert "period" not in world.show(moment)


@pytest.mark.slow
def test_the_example_passes_its_whole_audit():
    report = audit(mill())
    assert [f.detail for f in report.findings if not f.passed] == []
    assert len(report.findings) == len(CHECKS)
    assert report.scale is not None
    assert report.scale.averaged
