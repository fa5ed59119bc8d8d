"""Words of games: nothing is lost, nothing is added."""

from __future__ import annotations

import pytest

pytest.importorskip("pyspiel")

from finchmark.environments.openspiel.env import CHARACTERS
from finchmark.environments.openspiel.games import GAMES
from finchmark.environments.openspiel.sequences import sequence_form
from finchmark.environments.openspiel.words import find_words

NAMES = [line.name for line in GAMES]


@pytest.mark.parametrize("name", NAMES)
def test_different_information_states_read_differently(name):
    words = find_words(name)
    for seat in sequence_form(name).seats:
        texts = {words.describe(seat.player, key) for key in seat.keys}
        assert len(texts) == len(seat.keys)
        assert set("".join(texts) + words.rules) <= set(CHARACTERS)


@pytest.mark.parametrize("name", NAMES)
def test_actions_of_a_state_have_different_names(name):
    words = find_words(name)
    for seat in sequence_form(name).seats:
        for actions, spiel in zip(seat.actions, seat.names, strict=True):
            names = [words.act(a, n).casefold() for a, n in zip(actions, spiel, strict=True)]
            assert len(set(names)) == len(names)
            assert all(name and name == " ".join(name.split()) for name in names)


def test_kuhn_reads_as_it_is_played():
    text = find_words("kuhn").describe(0, "1pb")
    assert text == "You are the first player. Your card is the Queen.\nSo far: You pass; The other bets."


def test_leduc_tells_cards_chips_and_moves():
    key = "[Observer: 1][Private: 0][Round 2][Player: 1][Pot: 6][Money: 95 99][Public: 2][Round1: 1 1][Round2: 2]"
    text = find_words("leduc").describe(1, key)
    assert "second player. Your card is a Jack." in text
    assert "You have paid 1 and the other 5 chips." in text
    assert "First round. So far: The other calls; You call." in text
    assert "The open card is a King." in text
    assert "Second round. So far: The other raises." in text


def test_goofspiel_tells_who_got_a_prize_and_not_what_was_played_for_it():
    key = (
        "Current player: 1\nP1 hand: 1 4 \nP1 action sequence: 1 2 \nPoint card sequence: 4 3 2 \n"
        "Win sequence: 0 -3 \nPoints: 4 0 \nTerminal?: 0\n"
    )
    assert find_words("goofspiel4").describe(1, key).splitlines() == [
        "You are the second player.",
        "Prize 4: you played 2, the other got it.",
        "Prize 3: you played 3, nobody got it.",
        "You have 0 points, the other 4.",
        "The prize is now 2. Your cards are 1, 4.",
    ]


@pytest.mark.parametrize(
    ("dice", "bid", "true"), [((3, 3), "2-1", True), ((1, 3), "2-1", True), ((1, 1), "1-2", False)]
)
def test_liars_dice_is_as_its_rules_say(dice, bid, true):
    """OpenSpiel's highest face is wild, which the rules must tell."""
    from finchmark.environments.openspiel.games import load_game

    state = load_game("liars3").new_initial_state()
    for face in dice:
        state.apply_action(face - 1)
    count, face = map(int, bid.split("-"))
    state.apply_action((count - 1) * 3 + face - 1)
    state.apply_action(6)
    assert (state.returns()[0] > 0) is true
    assert "A die that shows 3 counts as every face." in find_words("liars3").rules
