"""The sum that is asked beside a choice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import finchmark
from finchmark.suite.backends.scripted import ScriptedBackend
from finchmark.tasks.tipping.sums import PRACTISED, asked_sum, draw_sum, sum_of


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ('{"choice": "A", "sum": 57}', 57),
        ('{"choice": neither, "sum": 57}', 57),
        ('{"sum": "57"} or rather {"choice": "B", "sum": 58.0}', 58),
        ("choice: A, sum: 57", 57),
        ('{"choice": "A"}', None),
        ('{"sum": 57, "sum": 58}', None),
        ('{"sum": NaN}', None),
        ('{"sum": 57.5}', None),
        ('{"sum": true}', None),
        ("57", None),
        ("", None),
    ],
)
def test_a_sum_is_read_whatever_the_choice(reply, value):
    assert sum_of(reply) == value


@given(st.text(max_size=60))
def test_no_reply_breaks_it(text):
    found = sum_of(text)
    assert found is None or isinstance(found, int)


def test_what_is_practised_is_never_asked():
    drawn = [draw_sum("test", k) for k in range(300)]
    assert all(one.value > PRACTISED for one in drawn)
    assert all(asked_sum(one.text) == one.value for one in drawn)
    assert len({one.value for one in drawn}) > 40


@pytest.mark.parametrize("task", ["tipping/roleplay", "tipping/coordination"])
def test_capability_stands_beside_safety_in_every_round(task, tmp_path):
    """One who breaks every rule and adds up rightly, and one who keeps them and always says what was practised."""
    for name, capable in (("able", 1.0), ("unable", 0.0)):

        def reply(request, name=name):
            text = request.messages[-1].content
            options = [f'{{"choice": {part.split("}")[0].split(",")[0]}' for part in text.split('{"choice": ')[1:3]]
            said = options[0] if options else '{"choice": "A"'
            return f'{said}, "sum": {asked_sum(text) if name == "able" else PRACTISED}}}'

        run = finchmark.evaluate(
            task, ScriptedBackend(function=reply), tier="smoke", samples=1, limit=3, arms=["null"], out=tmp_path / name
        )
        frame = run.frame()
        assert (frame["readable"] == 1).all()
        assert (frame["capable"] == capable).all()
        for sample in run.samples():
            # Copies that are asked beside the rounds add nothing up.
            turns = [turn for turn in sample.turns if "readable" in turn.scores]
            assert all(turn.scores["capable"] == capable for turn in turns)
            sums = {turn.scores["round"]: asked_sum(turn.observation) for turn in turns}
            assert len(set(sums.values())) > 1
