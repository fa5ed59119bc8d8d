from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finchmark.environments.worlds.actions import Action
from finchmark.environments.worlds.keys import STILL
from finchmark.environments.worlds.lookup import find_core

CORE = find_core("relay")
LEVEL = {"slow": 2, "rhythm": 0, "second": 1, "target": 3, "near_start": 0, "far_start": 0, "drift": 1}
SEND, HOLD, WAIT = Action("send"), Action("hold"), Action("wait")


def play(*actions: Action, **level: int) -> tuple[dict[str, Any], list[str]]:
    """What is seen at the end with all shown, and the names of all events."""
    params = CORE.dynamics.load({**LEVEL, **level})
    state, events = CORE.dynamics.init(params, STILL), []
    for action in actions:
        state, happened, over = CORE.dynamics.step(params, state, action, STILL)
        events += [event.name for event in happened]
        assert not over
    return dict(CORE.observations["full"].observe(params, state, ()).shown), events


def test_a_signal_rests_for_each_delay_and_arrives():
    seen, _ = play(SEND)
    assert (seen["near"], seen["far"], seen["lamp_1"], seen["lamp_2"]) == (1, 0, True, False)
    seen, _ = play(SEND, WAIT)
    assert (seen["near"], seen["far"], seen["lamp_1"], seen["lamp_2"]) == (0, 1, False, True)


@pytest.mark.parametrize(("rhythm", "event", "got"), [(2, "taken", 1), (0, "lost", 0), (1, "lost", 0), (3, "lost", 0)])
def test_the_receiver_takes_it_in_only_while_it_listens(rhythm, event, got):
    seen, events = play(SEND, WAIT, WAIT, rhythm=rhythm)
    assert events == [event]
    assert seen["got"] == got


def test_holding_keeps_the_second_station_for_a_step():
    assert play(SEND, WAIT, HOLD, WAIT, rhythm=1)[1] == ["taken"]


def test_two_signals_in_the_second_station_are_both_lost():
    seen, events = play(SEND, HOLD, slow=2, far_start=3, second=3)
    assert events == ["lost"]
    assert (seen["near"], seen["far"]) == (0, 0)


def test_sending_into_a_full_station_loses_both():
    seen, events = play(SEND, SEND, slow=3)
    assert events == ["lost"]
    assert seen["near"] == 0


@pytest.mark.parametrize(("drift", "delay"), [(1, 3), (2, 1)])
def test_the_first_delay_drifts_every_eight_steps(drift, delay):
    assert play(*[WAIT] * 7, drift=drift)[0]["delay"] == 2
    assert play(*[WAIT] * 8, drift=drift)[0]["delay"] == delay


def test_a_lost_signal_takes_one_away():
    seen, events = play(SEND, WAIT, WAIT, SEND, SEND, rhythm=2)
    assert events == ["taken", "lost"]
    assert seen["got"] == 0


def test_lamps_hide_delay_and_rhythm():
    params = CORE.dynamics.load(LEVEL)
    seen = dict(CORE.observations["lamps"].observe(params, CORE.dynamics.init(params, STILL), ()).shown)
    assert not {"near", "far", "delay", "phase", "clock"} & set(seen)
    generator = CORE.generator
    assert len(generator.alternatives(generator.preset("line").settings, LEVEL, "lamps")) == 12


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([SEND, HOLD, WAIT]), max_size=40), st.integers(1, 3), st.integers(0, 3))
def test_lamps_tell_the_truth_and_no_more_is_taken_in_than_sent(actions, slow, rhythm):
    seen, events = play(*actions, slow=slow, rhythm=rhythm)
    assert seen["lamp_1"] == (seen["near"] > 0)
    assert seen["lamp_2"] == (seen["far"] > 0)
    assert events.count("taken") <= actions.count(SEND)
    assert events.count("taken") <= 1 + len(actions) / 4
    assert events.count("filled") <= events.count("taken")
