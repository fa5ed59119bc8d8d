import pytest

from finchmark.suite.agents.window import WindowAgent
from finchmark.suite.errors import UsageError


def test_only_the_last_turns_are_shown(stream):
    shown = stream(lambda: WindowAgent(window=0), lambda prompt: "red").probe()
    assert "Turn 1" in shown
    assert "Turn 0" not in shown


def test_the_default_shows_eight_turns():
    assert WindowAgent().window == 8


@pytest.mark.parametrize("window", [None, -1, 2.0])
def test_a_window_must_be_a_number(window):
    with pytest.raises(UsageError, match="window"):
        WindowAgent(window)
