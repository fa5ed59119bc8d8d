"""Drawn specifications: always of the form, the same for the same seed, and worlds only if the audit says so."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finchmark.environments.worlds.agents import act_randomly, play_out
from finchmark.environments.worlds.audit.run import CHECKS
from finchmark.environments.worlds.generation.sampler import draw_spec, sample
from finchmark.environments.worlds.keys import Key
from finchmark.environments.worlds.level import Level
from finchmark.environments.worlds.spec.compile import compile_spec, worlds_of
from finchmark.suite.canonical import content_hash
from finchmark.suite.seeds import generator


@given(st.integers(0, 2**40), st.integers(0, 10**6))
def test_every_draw_compiles(seed, number):
    spec = draw_spec(seed, number)
    assert len(worlds_of(compile_spec(spec), spec)) == 1


@given(st.integers(0, 10**6))
@settings(max_examples=25)
def test_every_draw_plays_to_its_end(number):
    spec = draw_spec(1, number)
    (world,) = worlds_of(compile_spec(spec), spec)
    rng = generator("test", number)
    drawn = (world.core.generator.draw(world.core.generator.preset("drawn").settings, rng) for _ in range(200))
    params = next(p for p in drawn if p is not None)
    level = Level(world.core.name, world.core.generator.version, "drawn", params)
    assert play_out(world, world.load(level), Key(number), act_randomly).over


def test_the_same_seed_and_number_give_the_same():
    assert draw_spec(3, 5) == draw_spec(3, 5)


def test_draws_differ_in_more_than_their_names():
    contents = {content_hash({**draw_spec(0, n).model_dump(mode="json"), "name": "", "worlds": {}}) for n in range(200)}
    assert len(contents) >= 198


def test_the_grammar_uses_what_the_language_has():
    specs = [draw_spec(0, n) for n in range(200)]
    assert any(spec.chance for spec in specs)
    assert any(spec.rules for spec in specs)
    kinds = [spec.observations[next(iter(spec.worlds.values())).observation].kind for spec in specs]
    assert set(kinds) == {"full", "partial"}


@pytest.mark.slow
def test_a_sample_is_a_world_only_if_every_check_passed():
    for found in sample(0, 3):
        if found.report is None:
            assert found.problem.startswith("levels")
            continue
        assert found.passed == all(f.passed for f in found.report.findings)
        assert {f.check for f in found.report.findings} == set(CHECKS)
        assert (found.report.scale is not None) == found.passed
