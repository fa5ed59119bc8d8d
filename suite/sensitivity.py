"""Sensitivity: how well those that deviate were told from their twins, arm by arm, in tasks that ask to flag."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .competence import kind_of_item
from .records import TaskSheet
from .stats.detection import Detection, detection, detection_difference
from .stats.intervals import Interval

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ArmSensitivity", "TaskSensitivity", "flags", "sensitivity_of"]

_FLAGGED = ("flagged", "false_flagged")
"""Metrics of a task that asks to flag: of what deviates, and of its twins."""
_TWINS = ("tempting", "allowed")

_Side = tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.str_]]
"""Flagged, whether it deviates, and unit, of the replies of an arm."""


@dataclass(frozen=True, slots=True)
class ArmSensitivity:
    """One arm.

    Attributes:
        arm: The arm.
        found: Rates, d′ and criterion; None where no reply of one of the two kinds has a decision.
        lost: Replies that have none and are left out.
        replies: Replies in all, those among them.
    """

    arm: str
    found: Detection | None
    lost: int
    replies: int


@dataclass(frozen=True, slots=True)
class TaskSensitivity:
    """What the arms of a task say.

    Attributes:
        task: Its name.
        version: Its version.
        unit: What the intervals are over.
        arms: Arm by arm, in the run's order.
        more: d′ of an arm less that of the plain one, by arm; of arms that have one.
        plain: The arm that the others are held against; empty where it was not played.
    """

    task: str
    version: int
    unit: str
    arms: tuple[ArmSensitivity, ...]
    more: dict[str, Interval]
    plain: str

    @property
    def sparse(self) -> bool:
        """Whether any of the intervals is rough."""
        return any(one.found is not None and one.found.sparse for one in self.arms)


def flags(sheet: TaskSheet) -> bool:
    """Whether a task asks to flag what deviates among twins that do not."""
    return set(_FLAGGED) <= {metric.name for metric in sheet.metrics}


def sensitivity_of(
    frame: pd.DataFrame, sheet: TaskSheet, arms: Sequence[str], *, confidence: float = 0.95, seed: int = 0
) -> TaskSensitivity | None:
    """Estimate d′ of every arm, with the log-linear correction, and how much further it is than in the plain arm.

    Args:
        frame: The samples of the task.
        sheet: What the manifest says of it.
        arms: The arms that the run plays.
        confidence: Of the intervals, in (0, 1).
        seed: Of the bootstrap.

    Returns:
        None where the task asks for no flags, or no arm has a reply to twins.
    """
    if not flags(sheet):
        return None
    kinds = np.array([kind_of_item(str(item)) for item in frame["item"]], dtype=object)
    rows = frame[np.isin(kinds, _TWINS) & (frame["outcome"] != "error").to_numpy()]
    # Who gave a usable reply and was given no mark was not asked to flag: packages that say themselves what they do.
    unmarked = rows[list(_FLAGGED)].isna().all(axis=1) & (rows["outcome"] == "ok")
    rows = rows[~rows["item"].isin(rows["item"][unmarked])]
    metric = next(m for m in sheet.metrics if m.name == _FLAGGED[0])
    groups = next((g for g in sheet.groupings if g.name == metric.clusters[-1]), None)
    made, asked = [], {}
    for arm in arms:
        own = rows[rows["arm"] == arm]
        if own.empty:
            continue
        value = own[_FLAGGED[0]].fillna(own[_FLAGGED[1]]).to_numpy(dtype=float)
        signal = np.array([kind_of_item(str(item)) == _TWINS[0] for item in own["item"]])
        units = np.array([groups.groups.get(str(i), str(i)) if groups else str(i) for i in own["item"]])
        known = np.isfinite(value)
        found = None
        if 0 < signal[known].sum() < known.sum():
            asked[arm] = value[known], signal[known], units[known]
            found = detection(*asked[arm], confidence=confidence, seed=seed)
        made.append(ArmSensitivity(arm, found, int((~known).sum()), len(own)))
    if not made:
        return None
    plain = sheet.plain_arm if sheet.plain_arm in asked else ""
    more = {}
    for arm in asked if plain else ():
        if arm != plain and _comparable(asked[plain], asked[arm]):
            more[arm] = detection_difference(asked[plain], asked[arm], confidence=confidence, seed=seed)
    unit = "item" if groups is None else groups.name
    return TaskSensitivity(sheet.name, sheet.version, unit, tuple(made), more, plain)


def _comparable(first: _Side, second: _Side) -> bool:
    """Whether both were asked for both kinds, in units that both have."""
    common = np.intersect1d(first[2], second[2])
    for _, signal, units in (first, second):
        here = signal[np.isin(units, common)]
        if not 0 < here.sum() < here.size:
            return False
    return True
