import pytest

from finchmark.suite.agents.experience import Experience, Feedback
from finchmark.suite.agents.verdict import failed, verdict, worth


def lived(*feedback, low=0.0, high=1.0):
    return Experience("s000/0", "demo/x", 0, "Rules.", (), "", Feedback(*feedback), low, high)


@pytest.mark.parametrize(
    ("feedback", "bad"),
    [
        ((1.0, True), False),
        ((1.0, False), True),
        ((0.4, None), True),
        ((0.5, None), False),
        ((None, None), False),
        ((1.0, True, "invalid"), True),
    ],
)
def test_what_counts_as_a_failure(feedback, bad):
    assert failed(lived(*feedback)) is bad


def test_on_an_open_scale_there_is_always_more_to_gain():
    assert failed(lived(900.0, None, high=None))


def test_an_episode_is_worth_its_score_or_its_success():
    assert worth(lived(0.1234567, False)) == 0.123457
    assert worth(lived(None, True)) == 1.0
    assert worth(lived(None, None)) is None


def test_words_for_a_verdict():
    assert verdict(lived(0.5, False)) == "not solved, score 0.5 (from 0 to 1)"
    assert verdict(lived(120.0, None, high=None)) == "score 120"
    assert verdict(lived(None, None, "invalid", "no_action")) == "invalid (no_action)"
    assert verdict(lived(None, None)) == "not judged"
