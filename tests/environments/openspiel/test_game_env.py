"""Games as Gymnasium environments."""

from __future__ import annotations

import gymnasium
import pytest

pytest.importorskip("pyspiel")

import finchmark.environments.openspiel  # noqa: F401 - registers the ids
from finchmark.environments.openspiel.env import GameEnv
from finchmark.environments.openspiel.equilibrium import equilibrium
from finchmark.environments.openspiel.games import GAMES
from finchmark.suite.conformance import check_environment
from finchmark.suite.errors import UsageError
from finchmark.suite.seeds import generator

NAMES = [line.name for line in GAMES]


def made(**options):
    return gymnasium.make("finchmark/Game-v1", disable_env_checker=True, **options)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seat", [0, 1])
def test_it_is_a_proper_environment(name, seat):
    check_environment(lambda: made(game=name, seat=seat), actions=["bet", "pass", "1", "raise", "1-1", "a1"])


@pytest.mark.parametrize("name", NAMES)
def test_a_hand_ends_with_what_was_won(name):
    env = GameEnv(name, seat=1, opponent="equilibrium")
    text, info = env.reset(seed=3)
    rng = generator("hand", name)
    for _ in range(40):
        text, reward, terminated, _, info = env.step(info["options"][int(rng.integers(len(info["options"])))])
        if terminated:
            break
        assert reward == 0
    assert terminated
    assert text.startswith("The game is over: you ")
    assert info["options"] == []
    with pytest.raises(UsageError, match="reset"):
        env.step("pass")


def test_an_unusable_move_changes_nothing_and_names_the_moves():
    env = GameEnv("kuhn")
    before, info = env.reset(seed=1)
    text, reward, terminated, truncated, after = env.step("fold")
    assert text == "That is no move here. You can: pass, bet.\n" + before
    assert (reward, terminated, truncated) == (0, False, False)
    assert after["state"] == info["state"]
    assert after["usable"] is False


def test_moves_may_be_written_in_any_case():
    env = GameEnv("kuhn")
    env.reset(seed=1)
    assert env.step("  BET ")[4]["usable"]


def test_unusable_moves_run_into_the_cap():
    env = GameEnv("kuhn", max_steps=2)
    env.reset(seed=1)
    assert env.step("x")[3] is False
    assert env.step("x")[3] is True


def test_the_equilibrium_gives_away_no_more_than_the_value():
    """4,000 hands of always betting against it; three standard errors."""
    env = GameEnv("kuhn", seat=0, opponent="equilibrium")
    total = 0.0
    for hand in range(4000):
        env.reset(seed=hand)
        terminated = False
        while not terminated:
            _, reward, terminated, _, _ = env.step("bet")
            total += reward
    assert total / 4000 < equilibrium("kuhn").value + 3 * 1.6 / 4000**0.5


@pytest.mark.parametrize("options", [{"seat": 2}, {"opponent": "mine"}, {"max_steps": 0}])
def test_wrong_arguments_are_refused(options):
    with pytest.raises(UsageError):
        GameEnv("kuhn", **options)
