"""Least squares on the visible numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ..errors import UsageError
from .percept import Option, Percept
from .wordless import WordlessAgent

if TYPE_CHECKING:
    import numpy as np

__all__ = ["LeastSquaresAgent"]


class LeastSquaresAgent(WordlessAgent):
    """Fits how the numbers that options follow change, and takes the option whose number should grow most.

    Every turn's visible numbers are one row of regressors, the change of each followed number up to the next turn is
    what they are to explain. All numbers that are shown are used: the learner is not told which of them matter. A
    column is divided by its largest size so far, and the weights are those of ridge regression with a small penalty:
    where there are more numbers than rows, as at the beginning of every episode, these are nearly the smallest of all
    weights that fit.

    An option is worth the change of its number that is expected, as a share of the number where it is shown. An option
    that follows nothing is worth 0 and wins ties: what is not known is no reason to act. A turn after which nothing has
    changed is no row. Weights are of one episode; nothing is kept over episodes.

    Source: ridge regression (Hoerl and Kennard 1970), minimum norm in the limit. Ours: the rest.

    Args:
        ridge: The penalty, in units of one row with a column's largest value.
    """

    name: ClassVar[str] = "least-squares"

    def __init__(self, ridge: float = 0.1) -> None:
        if isinstance(ridge, bool) or not isinstance(ridge, int | float) or not 0 < ridge < float("inf"):
            raise UsageError(f"agent least-squares: ridge must be a number above 0, not {ridge!r}.")
        self.ridge = float(ridge)
        self.begin()

    def begin(self) -> None:
        """Forget all rows."""
        self._rows: list[dict[str, float]] = []
        self._changes: list[dict[str, float]] = []
        self._last: dict[str, float] | None = None

    def choose(self, percept: Percept) -> Option:
        """Note how the last turn's numbers changed, then take what should grow most.

        Raises:
            UsageError: The percept has no numbers.
        """
        if not percept.numbers:
            raise UsageError(
                f"The agent {self.name} reads numbers, and this task's percept shows none. Play it where there are, "
                "such as odyssey/trade."
            )
        numbers = dict(percept.numbers)
        if self._last is not None and numbers != self._last:
            self._rows.append(self._last)
            self._changes.append({name: numbers[name] - old for name, old in self._last.items() if name in numbers})
        self._last = numbers
        followed = list(dict.fromkeys(option.follows for option in percept.options if option.follows))
        growth = dict(zip(followed, self._expected(numbers, followed), strict=True))
        return max(percept.options, key=lambda option: (growth.get(option.follows, 0.0), not option.follows))

    def _expected(self, numbers: dict[str, float], followed: list[str]) -> list[float]:
        """The change to come of each followed number, as a share of it where it is shown."""
        if not self._rows or not followed:
            return [0.0] * len(followed)
        import numpy as np

        names = list(dict.fromkeys(name for row in self._rows for name in row))

        def column(row: dict[str, float]) -> list[float]:
            return [row.get(name, 0.0) for name in names]

        seen = np.array([column(row) for row in self._rows])
        moved = np.array([[change.get(name, 0.0) for name in followed] for change in self._changes])
        size = np.abs(seen).max(axis=0)
        size[size == 0] = np.inf  # a number that was always 0 has no weight
        weights = _ridge(seen / size, moved, self.ridge)
        changes = (np.array(column(numbers)) / size) @ weights
        shown = np.abs([numbers.get(name, 1.0) for name in followed])
        # To 9 digits: what the last bits of a solver say, which differ between machines, decides nothing.
        return [float(f"{value:.9g}") for value in changes / np.where(shown > 0, shown, 1.0)]


def _ridge(rows: np.ndarray, targets: np.ndarray, penalty: float) -> np.ndarray:
    """Weights that minimise the squared error plus ``penalty`` times their squares; one column a target."""
    import numpy as np

    return np.linalg.solve(rows.T @ rows + penalty * np.eye(rows.shape[1]), rows.T @ targets)
