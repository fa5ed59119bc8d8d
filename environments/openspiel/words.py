"""The games in words for who plays them by reading: rules, what an information state shows, and names of actions.

All that is said of an information state is read from OpenSpiel's string for it, so no more can be told than is known.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from .games import find_game

__all__ = ["Words", "find_words"]

_LEDUC = re.compile(r"\[([A-Za-z]+ ?\d?):? ?([^\]]*)\]")
_CARDS = ("Jack", "Queen", "King")
_MOVES = ("folds", "calls", "raises")
_SEATS = ("first", "second")


@dataclass(frozen=True, slots=True)
class Words:
    """A game in words.

    Args:
        rules: How it is played and what it pays.
        describe: Says what an information state shows, given the player (0 or 1) and OpenSpiel's string.
        act: Names an action, given its number and OpenSpiel's name for it.
    """

    rules: str
    describe: Callable[[int, str], str]
    act: Callable[[int, str], str]


def find_words(name: str) -> Words:
    """The words of a game.

    Args:
        name: One of :data:`.games.GAMES`.

    Raises:
        UsageError: There is no such game.
    """
    line = find_game(name)
    if name == "kuhn":
        return Words(_KUHN_RULES, _kuhn, lambda action, _: ("pass", "bet")[action])
    if name == "leduc":
        return Words(_LEDUC_RULES, _leduc, lambda action, _: ("fold", "call", "raise")[action])
    if name.startswith("goofspiel"):
        cards = int(name.removeprefix("goofspiel")[0])
        rules = _GOOFSPIEL_RULES.format(
            cards=cards, order="lowest to the highest" if name.endswith("up") else "highest to the lowest"
        )
        return Words(rules, _goofspiel, lambda action, _: str(action + 1))
    if name.startswith("liars"):
        sides = int(name.removeprefix("liars"))
        return Words(
            _LIARS_RULES.format(sides=sides, last=sides), _liars, lambda action, spiel: spiel.replace("Liar", "liar")
        )
    return Words(
        f"The game is {line.title}, as in OpenSpiel. The winner gets 1 and the loser loses 1.",
        lambda player, key: f"You are the {_SEATS[player]} player. You see:\n{key.strip()}",
        lambda _, spiel: spiel,
    )


_KUHN_RULES = (
    "The game is Kuhn poker. There are three cards: Jack, Queen and King; the King is the highest. Two players put 1 "
    "chip each into the pot and get one card each, which the other does not see. The first player passes or bets 1 "
    "chip, then the second does. A player who passes after a bet gives up and loses the pot; one who bets after a bet "
    "pays 1 chip and the cards are shown. If both pass, the cards are shown. If the first passes and the second bets, "
    "the first once more passes or bets. When cards are shown the higher one wins the pot."
)
_LEDUC_RULES = (
    "The game is Leduc poker. There are six cards: two Jacks, two Queens and two Kings; the King is the highest. Two "
    "players put 1 chip each into the pot and get one card each, which the other does not see. There are two rounds of "
    "betting, in each of which the first player begins; between them one card is laid open for both. A player folds "
    "(gives up the pot), calls (pays what is missing to be level, which may be nothing), or raises (is level and "
    "pays more: 2 chips in the first round, 4 in the second). A round has two raises at most, and it ends when one "
    "calls after the other has acted. At the end a card that pairs with the open one wins the pot, else the higher "
    "card does; equal cards share it."
)
_GOOFSPIEL_RULES = (
    "The game is Goofspiel with {cards} cards. Both players have the cards 1 to {cards}, and there are prizes worth 1 "
    "to {cards} points, which come from the {order}. For each prize both play one of their cards at the same time; the "
    "higher card gets the prize, and if both are equal nobody does. Played cards are gone, and the players learn only "
    "who got the prize, not what the other played. Who has more points at the end wins 1, and the other loses 1."
)
_LIARS_RULES = (
    "The game is Liar's dice. Two players roll one die of {sides} sides each, which the other does not see. In turn "
    "they bid how many of both dice together show a face at least: 2-1 says that both show 1. A die that shows {last} "
    "counts as every face. Each bid must be higher than the last: more dice, or as many of a higher face. Instead of a "
    "bid a player may say liar to the other's last bid: then the dice are shown, and the bidder wins if the bid is "
    "true and loses if not. The winner gets 1 and the loser loses 1."
)


def _kuhn(player: int, key: str) -> str:
    moves = ["passes" if letter == "p" else "bets" for letter in key[1:]]
    return "\n".join(
        [f"You are the {_SEATS[player]} player. Your card is the {_CARDS[int(key[0])]}.", _told(player, moves, 0)]
    )


def _told(player: int, moves: list[str], begins: int) -> str:
    """What was done so far, in turn, seen by a player."""
    said = ["You" if (begins + i) % 2 == player else "The other" for i in range(len(moves))]
    # `bets` is said of the other; of you it is `bet`.
    parts = [f"{who} {_second_person(move) if who == 'You' else move}" for who, move in zip(said, moves, strict=True)]
    return "So far: " + "; ".join(parts) + "." if parts else "Nobody has acted yet."


def _second_person(move: str) -> str:
    return {"passes": "pass", "bets": "bet", "folds": "fold", "calls": "call", "raises": "raise"}.get(move, move)


def _leduc(player: int, key: str) -> str:
    field = {name.replace(" ", ""): value.strip() for name, value in _LEDUC.findall(key)}
    rounds = [[_MOVES[int(move)] for move in field[f"Round{i}"].split()] for i in (1, 2)]
    own, other = (int(money) for money in field["Money"].split()[:: 1 if player == 0 else -1])
    lines = [
        f"You are the {_SEATS[player]} player. Your card is a {_CARDS[int(field['Private'])]}.",
        f"You have paid {100 - own} and the other {100 - other} chips.",
        f"First round. {_told(player, rounds[0], 0)}",
    ]
    if "Public" in field:
        lines += [
            f"The open card is a {_CARDS[int(field['Public'])]}.",
            f"Second round. {_told(player, rounds[1], 0)}",
        ]
    return "\n".join(lines)


def _goofspiel(player: int, key: str) -> str:
    field = {line.partition(":")[0]: line.partition(":")[2].split() for line in key.splitlines()}
    played = [int(action) + 1 for action in field[f"P{player} action sequence"]]
    won = {player: "you got it", 1 - player: "the other got it"}
    prizes = [int(prize) for prize in field["Point card sequence"]]
    points = [int(number) for number in field["Points"]]
    return "\n".join(
        [
            f"You are the {_SEATS[player]} player.",
            *(
                f"Prize {prize}: you played {card}, {won.get(int(winner), 'nobody got it')}."
                for prize, card, winner in zip(prizes, played, field["Win sequence"], strict=False)
            ),
            f"You have {points[player]} points, the other {points[1 - player]}.",
            f"The prize is now {prizes[-1]}. Your cards are {', '.join(field[f'P{player} hand'])}.",
        ]
    )


def _liars(player: int, key: str) -> str:
    die, *bids = key.split()
    begins = "You are the first player." if player == 0 else "You are the second player."
    return f"{begins} Your die shows {die}.\n{_told(player, [f'bid {bid}' for bid in bids], 0)}"
