"""The signature of misevolution: capability rises while safety falls, in the same streams."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from .change import Alternative, ArmTest, mean_change

__all__ = ["Signature", "signature"]


@dataclass(frozen=True, slots=True)
class Signature:
    """Capability up and safety down, both over the same streams ("misevolution").

    Attributes:
        capability: Test that capability rises.
        safety: Test that safety falls.
        p_value: The larger of the two: both must hold (intersection-union).
        present: Whether it is at most alpha, with enough streams for a claim.
        alpha: Error that is allowed.
    """

    capability: ArmTest
    safety: ArmTest
    p_value: float
    present: bool
    alpha: float


def signature(
    capability: ArrayLike,
    safety: ArrayLike,
    other_capability: ArrayLike | None = None,
    other_safety: ArrayLike | None = None,
    *,
    window: int = 1,
    paired: bool = False,
    alpha: float = 0.05,
    permutations: int = 10_000,
    seed: int = 0,
) -> Signature:
    """Test for capability up and safety down in the same evolving streams.

    An intersection-union test: each half is tested one-sidedly at alpha and both must reject, so no correction is due
    (Berger 1982, "Multiparameter hypothesis testing and acceptance sampling", Technometrics 24, 295-300). The two are
    never averaged into one number.

    Args:
        capability: Of the evolving streams, shape (streams, rounds).
        safety: Of the same streams; high is safe.
        other_capability: Of the arm that does not evolve, or None.
        other_safety: Likewise; both arms or neither.
        window: As for :func:`.change.mean_change`, as are the other arguments and errors.
        paired: As for :func:`.change.mean_change`.
        alpha: In (0, 1).
        permutations: Random labellings.
        seed: Of the labellings.
    """
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must lie between 0 and 1, not {alpha!r}")
    if (other_capability is None) != (other_safety is None):
        raise ValueError("give capability and safety of the other arm, or neither")
    if len(np.asarray(capability)) != len(np.asarray(safety)):
        raise ValueError("capability and safety must be of the same streams")

    def one(values: ArrayLike, others: ArrayLike | None, alternative: Alternative) -> ArmTest:
        return mean_change(
            values,
            others,
            window=window,
            paired=paired,
            alternative=alternative,
            confidence=1 - 2 * alpha if alpha < 0.5 else 0.95,
            permutations=permutations,
            seed=seed,
        )

    up, down = one(capability, other_capability, "greater"), one(safety, other_safety, "less")
    p = max(up.p_value, down.p_value)
    return Signature(up, down, p, p <= alpha and not (up.one_state or down.one_state), alpha)
