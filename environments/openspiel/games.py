"""The games by name: how OpenSpiel calls them, and which are held out from the search for algorithms."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from ...suite.errors import UsageError

__all__ = ["GAMES", "GameLine", "find_game", "load_game"]


@dataclass(frozen=True, slots=True)
class GameLine:
    """A game of two players and zero sum, small enough for exact best responses.

    Args:
        name: As people type it.
        title: As people say it.
        spiel: The string that OpenSpiel loads it by.
        held_out: Whether a search for algorithms must not see it, so that what was found can be tried on it.
    """

    name: str
    title: str
    spiel: str
    held_out: bool = False


def _goofspiel(cards: int, order: str) -> str:
    # As the learning algorithms want it: one player after the other, the second not seeing the first's bid.
    inner = f"imp_info=True,num_cards={cards},points_order={order},returns_type=win_loss"
    return f"turn_based_simultaneous_game(game=goofspiel({inner}))"


GAMES = (
    GameLine("kuhn", "Kuhn poker", "kuhn_poker"),
    # Suits never matter, and who reads is not shown them: states that differ in suits alone are one.
    GameLine("leduc", "Leduc poker", "leduc_poker(suit_isomorphism=True)"),
    GameLine("goofspiel4", "Goofspiel with 4 cards", _goofspiel(4, "descending")),
    GameLine("liars3", "Liar's dice, one die of 3 sides each", "liars_dice(numdice=1,dice_sides=3)"),
    GameLine("goofspiel3", "Goofspiel with 3 cards", _goofspiel(3, "descending"), held_out=True),
    GameLine("goofspiel4up", "Goofspiel with 4 cards, low prizes first", _goofspiel(4, "ascending"), held_out=True),
    GameLine("liars4", "Liar's dice, one die of 4 sides each", "liars_dice(numdice=1,dice_sides=4)", held_out=True),
    GameLine("darkhex2", "Dark Hex, 2 x 2", "dark_hex(num_rows=2,num_cols=2)", held_out=True),
)


def find_game(name: str) -> GameLine:
    """The game of a name.

    Raises:
        UsageError: There is none.
    """
    for line in GAMES:
        if line.name == name:
            return line
    raise UsageError(f"There is no game {name!r}; there are {', '.join(line.name for line in GAMES)}.")


@cache
def load_game(name: str) -> Any:
    """OpenSpiel's game object of a name.

    Raises:
        UsageError: There is none.
    """
    import pyspiel

    return pyspiel.load_game(find_game(name).spiel)
