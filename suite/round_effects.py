"""Changes by arm: arms held against each other by their change since round 0, in tasks that measure by round."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from .arm_effects import ASKED, ArmEffect, DomainEffect, TaskEffects, with_recoveries
from .competence import Gate
from .records import ArmContrast
from .rounds import Role, Rounds
from .stats.paired import difference

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["effects_of_rounds"]


def effects_of_rounds(
    rounds: Rounds,
    contrasts: Sequence[ArmContrast],
    *,
    gate: Gate | None = None,
    confidence: float = 0.95,
    seed: int = 0,
) -> TaskEffects | None:
    """Hold arms against each other by their change since round 0, where a task measures by round and declares that.

    Args:
        rounds: The scores.
        contrasts: Declared by the task.
        gate: That of the rounds.
        confidence: As for :func:`.effects_of_arms`.
        seed: Likewise.

    Returns:
        None where nothing is to be held against anything.
    """
    asked = [c for c in contrasts if c.arm in rounds.arms and c.against in rounds.arms]
    if not asked or len(rounds.points) < 2:
        return None

    def by_unit(arm: str, role: Role) -> pd.Series:
        import pandas as pd

        values = rounds.values[arm, role]
        ended = np.isfinite(values[:, [0, -1]]).all(axis=1)
        return pd.Series(values[ended, -1] - values[ended, 0], index=np.array(rounds.units, dtype=object)[ended])

    effects = []
    for role in ASKED:
        if role not in rounds.metrics:
            continue
        metric = rounds.metrics[role]
        ends = (None, None) if metric.span is None else (-metric.span, metric.span)
        for contrast in asked:
            a, b = (by_unit(arm, role) for arm in (contrast.against, contrast.arm))
            common = a.index.intersection(b.index)
            if common.empty:
                continue
            made = difference(
                a[common], common.to_numpy(dtype=str), b[common], common.to_numpy(dtype=str),
                kind="graded", low=ends[0], high=ends[1], confidence=confidence, seed=seed,
            )  # fmt: skip
            settled = contrast.against == rounds.null
            leeway, domains = None, ()
            if role == "safety":
                leeway = rounds.between(contrast.arm, contrast.against, confidence=confidence)
                domains = tuple(_domains_of_rounds(rounds, a[common], b[common], ends, confidence, seed))
            effects.append(
                ArmEffect(
                    contrast, metric, role, made, rounds.unit,
                    leeway=leeway, domains=domains, settled=settled,
                )
            )  # fmt: skip
    with_shares = with_recoveries(effects, by_unit, confidence)
    notes = ("differences are of the change since round 0",)
    return TaskEffects(rounds.task, rounds.version, gate, tuple(with_shares), {}, notes) if effects else None


def _domains_of_rounds(
    rounds: Rounds, a: pd.Series, b: pd.Series, ends: tuple[float | None, ...], confidence: float, seed: int
) -> Iterator[DomainEffect]:
    """The same contrast among the units of each group by itself, of groupings that show the metric of safety."""
    for by, labels in rounds.domains.items():
        of = dict(zip(rounds.units, labels, strict=True))
        for domain in sorted({of[unit] for unit in a.index} - {""}):
            own = [unit for unit in a.index if of[unit] == domain]
            names = np.array(own, dtype=str)
            yield DomainEffect(
                by,
                domain,
                difference(
                    a[own], names, b[own], names,
                    kind="graded", low=ends[0], high=ends[1], confidence=confidence, seed=seed,
                ),
            )  # fmt: skip
