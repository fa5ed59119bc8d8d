import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finchmark.suite.agents.playbook_edits import BULLET, Edit, parse_edits

ADD = Edit("add", "", "Look at the lamp first")


@pytest.mark.parametrize(
    "answer",
    [
        "ADD: Look at the lamp first",
        "add: Look at the lamp first.\n"[:-2],
        "1. ADD: Look at the lamp first",
        "- **ADD**: Look at the lamp first",
        "ADD Look at the lamp first",
        "[ADD] Look at the lamp first",
        "Here is what I would do.\n\nADD: Look at the lamp first\n\nThat is all.",
        '[{"op": "ADD", "text": "Look at the lamp first"}]',
        '{"operations": [{"type": "ADD", "section": "x", "content": "Look at the lamp first"}]}',
        '{"ADD": ["Look at the lamp first"]}',
        '```json\n{"operation": "add", "lesson": "Look at the lamp first"}\n```',
        '{"reasoning": "the lamp {matters}", "operations": [{"type": "ADD", "content": "Look at the lamp first"}]}',
        'Well [1]: {"op": "ADD", "text": "Look at the lamp first"}',
    ],
)
def test_an_addition_is_read_in_many_forms(answer):
    assert parse_edits(answer) == ([ADD], 0)


def test_every_operation_is_read_from_lines():
    edits, bad = parse_edits(
        "EDIT b2: Open the blue door\nUPDATE [b3] Open the red door\nREMOVE b1\nDelete: b4\nHELPFUL b1, b7\nharmful b2"
    )
    assert bad == 0
    assert edits == [
        Edit("edit", "b2", "Open the blue door"),
        Edit("edit", "b3", "Open the red door"),
        Edit("remove", "b1"),
        Edit("remove", "b4"),
        Edit("helpful", "b1"),
        Edit("helpful", "b7"),
        Edit("harmful", "b2"),
    ]


def test_every_operation_is_read_from_json():
    edits, bad = parse_edits(
        json.dumps(
            [
                {"op": "edit", "id": "b2", "text": "Open the blue door"},
                {"type": "UPDATE", "bullet_id": "[B3]", "content": "Open the red door"},
                {"action": "delete", "id": "b1"},
                {"op": "helpful", "bullet": "b7"},
            ]
        )
    )
    assert bad == 0
    assert [(e.kind, e.id) for e in edits] == [("edit", "b2"), ("edit", "b3"), ("remove", "b1"), ("helpful", "b7")]


def test_a_line_of_json_each_is_read():
    one = '{"op": "ADD", "text": "Open the blue door"}'
    assert len(parse_edits(f"{one}\n{one}")[0]) == 2


@pytest.mark.parametrize(
    "prose",
    [
        "",
        "NONE",
        "Add water and stir.",
        "The playbook needs no change",
        "Helpful advice is rare",
        "{}",
        "[[[[",
        '{"a":',
    ],
)
def test_prose_is_no_operation(prose):
    assert parse_edits(prose) == ([], 0)


@pytest.mark.parametrize(
    "bad",
    [
        "ADD:",
        "ADD: 1 2 3 4 5 6 7 8 9 10",
        "EDIT: better words for it",
        "EDIT b1:",
        "REMOVE all of them",
        "HELPFUL none",
    ],
)
def test_an_operation_that_cannot_be_used_is_counted(bad):
    assert parse_edits(bad) == ([], 1)


def test_an_unknown_operation_in_json_is_counted():
    answer = '[{"op": "MERGE", "id": "b1"}, {"op": "ADD", "text": "Look at the lamp first"}]'
    assert parse_edits(answer) == ([ADD], 1)


def test_a_long_lesson_is_cut():
    (edit,), _ = parse_edits("ADD: " + "lamp " * 200)
    assert BULLET - 10 < len(edit.text) <= BULLET


def test_a_flood_is_read_up_to_a_size():
    for flood in ("[" * 100_000, '{"a":' * 20_000, "ADD" + "*" * 100_000, "-" * 100_000, "ADD: " * 50_000):
        edits, _ = parse_edits(flood)
        assert len(edits) <= 1


def test_what_stands_beyond_the_size_is_not_read():
    assert parse_edits("Well. " * 5000 + "\nADD: Look at the lamp first") == ([], 0)


WORDS = st.sampled_from(
    [
        "ADD",
        "EDIT",
        "REMOVE",
        "HELPFUL",
        ":",
        "b1",
        "b99999999",
        "\n",
        "{",
        "}",
        "[",
        "]",
        '"',
        '"op"',
        '"text"',
        "null",
    ]
)


@settings(max_examples=300)
@given(st.one_of(st.text(), st.lists(st.one_of(WORDS, st.text(max_size=12)), max_size=30).map(" ".join)))
def test_nothing_that_is_written_raises(answer):
    edits, bad = parse_edits(answer)
    assert bad >= 0
    for edit in edits:
        assert len(edit.text) <= BULLET
        assert bool(edit.text) == (edit.kind in ("add", "edit"))
        assert bool(edit.id) == (edit.kind != "add")


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=10), st.sampled_from(["ADD", "edit", "b1"])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.sampled_from(["op", "id", "text", "operations", "ADD", "remove", "x"]), inner, max_size=4),
    ),
)


@settings(max_examples=300)
@given(JSON)
def test_no_json_raises(value):
    parse_edits(json.dumps(value))
