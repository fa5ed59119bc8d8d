"""Policies that play in the place of a model: uniform, one that ignores that it is watched, and an equilibrium."""

from __future__ import annotations

import numpy as np

from ...environments.openspiel.equilibrium import equilibrium
from ...environments.openspiel.sequences import Array, sequence_form
from ...environments.openspiel.words import find_words
from ...suite.backends.base import GenerateRequest
from ...suite.errors import UnknownName
from ...suite.seeds import uniform
from .wordings import Wording

__all__ = ["REFERENCES", "Drawn", "policies_of"]

REFERENCES = ("random", "heuristic", "oracle")

_BEGINS = "You are the "


def policies_of(name: str, game: str) -> tuple[Array, Array]:
    """What a reference plays, both seats.

    Args:
        name: ``random`` plays all actions alike; ``heuristic`` always plays the best response to that, which is good
            against a beginner and easily exploited; ``oracle`` plays an equilibrium.
        game: A game's name.

    Raises:
        UnknownName: There is no such reference.
    """
    form = sequence_form(game)
    if name == "random":
        return form.uniform()
    if name == "heuristic":
        first, second = form.uniform()
        return form.respond(0, second).policy, form.respond(1, first).policy
    if name == "oracle":
        return equilibrium(game).policies
    raise UnknownName("reference", name, REFERENCES)


class Drawn:
    """Reads the information state from the question and draws an action from a policy.

    Args:
        game: A game's name.
        policies: Both seats', shape (sequences,).
        wording: How the questions are put.
    """

    def __init__(self, game: str, policies: tuple[Array, Array], wording: Wording) -> None:
        words, self._can = find_words(game), f"\n{wording.can}"
        self._rows: dict[str, tuple[list[str], Array]] = {}
        for seat, policy in zip(sequence_form(game).seats, policies, strict=True):
            for index, key in enumerate(seat.keys):
                row = policy[seat.first[index] : seat.first[index] + seat.count[index]]
                named = zip(seat.actions[index], seat.names[index], strict=True)
                self._rows[words.describe(seat.player, key)] = ([words.act(a, n) for a, n in named], row)

    def reply(self, request: GenerateRequest) -> str:
        """Say an action; to anything else, such as practice, nothing."""
        text = request.messages[-1].content
        described = text[max(text.rfind(_BEGINS), 0) :].partition(self._can)[0]
        names, row = self._rows[described]
        place = int(np.searchsorted(np.cumsum(row) / row.sum(), uniform("draw", request.seed), side="right"))
        return f"<action>{names[min(place, len(names) - 1)]}</action>"
