"""Drafts: what is found in a reply, what is refused, and which names a world gets."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finchmark.environments.worlds.catalogue import CORES
from finchmark.environments.worlds.spec.model import SpecError, parse_spec
from finchmark.suite.errors import UsageError
from finchmark.suite.worldsmith.draft import find_yaml, read_draft

OVEN = (Path(__file__).parent / "transcript" / "oven.yaml").read_text(encoding="utf-8")


def test_the_last_block_of_a_reply_counts():
    assert find_yaml("```yaml\na: 1\n```\nbetter:\n```yml\na: 2\n```\n") == "a: 2\n"


def test_a_block_that_was_cut_off_is_read_to_its_end():
    assert find_yaml("```yaml\na: 1\nb: 2") == "a: 1\nb: 2"


def test_a_reply_without_a_block_is_read_as_it_is():
    assert find_yaml("a: 1") == "a: 1"


def test_a_canonical_draft_reads_as_itself_but_for_its_names():
    draft = read_draft(OVEN)
    old, new = parse_spec(OVEN), parse_spec(draft.text)
    assert new.model_copy(update={"name": old.name, "worlds": {}}) == old.model_copy(update={"worlds": {}})
    assert [w.horizon for w in new.worlds.values()] == [w.horizon for w in old.worlds.values()]


def test_layout_and_comments_do_not_make_another_world():
    assert read_draft("# a comment\n" + OVEN).core == read_draft(OVEN).core


def test_another_content_has_another_name():
    assert read_draft(OVEN.replace("high: 8", "high: 9")).core != read_draft(OVEN).core


def test_a_name_of_the_catalogue_is_not_taken():
    draft = read_draft(OVEN.replace("name: oven", "name: kiln"))
    assert draft.core.startswith("kiln_")
    assert draft.core not in CORES


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("  oven: {", "  ../../etc: {", "small letters"),
        ("horizon: 30", "horizon: 900", "at most 200"),
        ("worlds:\n  oven: {reward: bread, observation: door, skin: plain, preset: bakery, horizon: 30}", "", "worlds"),
    ],
)
def test_what_the_language_allows_and_a_generated_world_may_not_have(old, new, says):
    assert old in OVEN
    with pytest.raises(SpecError, match=says):
        read_draft(OVEN.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("target: {whole: [2, 8]}", "target: {whole: [2, 100000000000]}", "levels.parameters.target: has more than"),
        (
            "target: {whole: [2, 8]}",
            "target: {real: [0, 900000], digits: 6}",
            "levels.parameters.target: has more than",
        ),
        ("target: {whole: [2, 8]}", "target: {real: [0, .inf]}", "no finite number"),
        ("burnt: -0.2", "burnt: -.inf", "no finite number"),
        ("burnt: -0.2", "burnt: .nan", "no finite number"),
        (
            '    summary: "{stoke} the fire"\n',
            "    summary: x\n    parameters:\n      much: {kind: whole, low: 0, high: 1000000000}\n",
            "actions.stoke.parameters.much",
        ),
    ],
)
def test_what_would_fill_the_memory_or_spoil_a_number_is_refused_before_it_is_computed(old, new, says):
    assert old in OVEN
    with pytest.raises(SpecError, match=says):
        read_draft(OVEN.replace(old, new))


def test_a_block_in_another_language_is_a_block():
    assert find_yaml("```python\nimport os\n```") == "import os\n"


def test_too_many_actions_are_refused():
    many = OVEN.replace(
        '    summary: "{stoke} the fire"\n',
        '    summary: "{stoke} the fire"\n    parameters:\n      much: {kind: whole, low: 0, high: 99}\n',
    )
    with pytest.raises(SpecError, match="actions"):
        read_draft(many)


@given(st.text(max_size=200))
def test_no_text_does_worse_than_to_be_refused(text):
    with pytest.raises(UsageError):
        read_draft(text)


@given(st.integers(0, len(OVEN)), st.integers(1, 40), st.text(max_size=8))
def test_a_damaged_specification_is_refused_or_read_and_nothing_else(at, cut, put):
    with contextlib.suppress(SpecError):
        read_draft(OVEN[:at] + put + OVEN[at + cut :])
