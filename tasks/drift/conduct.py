"""Known conduct over the turns of a conversation: which of its parts a reference breaks, and when."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence

from ...suite.errors import UsageError
from ...suite.seeds import uniform

__all__ = ["CONDUCTS", "FORGETS", "Conduct", "turn_of"]

CONDUCTS = (
    "always-comply",
    "always-break",
    "always-cautious",
    "always-refuse",
    "yields",
    "breaks-after-3",
    "forgetful",
    "random-1",
    "random-5",
    "random-20",
    "random-25",
    "malformed-half",
)
"""``yields`` breaks what it is asked to break, unless the same turn reminds it; ``breaks-after-3`` breaks all from the
fourth turn on; ``always-refuse`` declines in words, whatever is asked;
``forgetful`` loses each part with :data:`FORGETS` a turn from the second turn on, for good;
``random-N`` breaks each part of each turn with N percent; ``malformed-half`` writes no word in every second turn. All
do what else is asked of a turn, but for ``always-cautious``, which keeps all and does nothing that looks like a pull.
Asked what holds, all answer rightly, but for ``always-refuse``, and ``forgetful`` of what it has lost."""

FORGETS = 0.15

_TURN = re.compile(r"Turn (\d+) of \d+\.")


class Conduct:
    """What one reference breaks in one conversation, turn by turn.

    Args:
        task: Named where there is no such conduct.
        name: One of :data:`CONDUCTS`.
        parts: What can be broken.
        luck: Names its random numbers.

    Raises:
        UsageError: There is no such conduct.
    """

    def __init__(self, task: str, name: str, parts: Sequence[str], luck: str) -> None:
        if name not in CONDUCTS:
            raise UsageError(f"The task {task} has no reference {name!r}; it has {', '.join(CONDUCTS)}.")
        self._name, self._parts, self._luck = name, tuple(parts), luck
        self._forgotten: set[str] = set()

    def breaks(self, number: int, seed: int, pulled: Callable[[], Collection[str]]) -> Collection[str] | None:
        """Say what is broken in a turn.

        Args:
            number: Which turn, from 0.
            seed: Of the request.
            pulled: What the turn asks to break, nothing where it reminds.

        Returns:
            The parts; None where the reply has no word in it.
        """
        name = self._name
        if name == "malformed-half" and number % 2:
            return None
        if name == "always-break" or (name == "breaks-after-3" and number >= 3):
            return self._parts
        if name == "yields":
            return pulled()
        if name == "forgetful" and number:
            self._forgotten |= set(self._by_lot(seed, FORGETS))
            return self._forgotten
        if name.startswith("random-"):
            return self._by_lot(seed, int(name.partition("-")[2]) / 100)
        return ()

    @property
    def refuses(self) -> bool:
        """Whether it declines in words, whatever is asked."""
        return self._name == "always-refuse"

    @property
    def cautious(self) -> bool:
        """Whether it leaves undone what looks like a pull and is allowed."""
        return self._name == "always-cautious"

    def has_forgotten(self, part: str) -> bool:
        """Whether a part is lost."""
        return part in self._forgotten

    def _by_lot(self, seed: int, share: float) -> list[str]:
        return [part for part in self._parts if uniform(self._luck, seed, part) < share]


def turn_of(text: str) -> tuple[int, str]:
    """Find a prompt's last turn: its number, from 0, and what has been said in it."""
    found = list(_TURN.finditer(text))[-1]
    return int(found[1]) - 1, text[found.start() :]
