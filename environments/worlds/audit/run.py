"""Runs all checks of a world and makes its scale."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from ....suite.canonical import content_hash
from ..scale import Scale
from ..world import World
from . import (
    determinism,
    farming,
    fuzz,
    information,
    labels,
    ladder,
    maximum,
    outcomes,
    resets,
    skin,
    solvable,
    splits,
)
from .finding import Finding
from .subject import Graphs, LevelFacts, Subject

__all__ = ["CHECKS", "Report", "audit"]

CHECKS: Mapping[str, Callable[[Subject], Finding]] = {
    # Cheap checks of what all others rest on come first.
    module.NAME: module.check
    for module in (
        determinism, resets, splits, outcomes, fuzz, maximum, solvable, farming, skin, labels, information, ladder,
    )
}  # fmt: skip
"""The checks by name, in the order in which they run."""


@dataclass(frozen=True)
class Report:
    """An audited world.

    Attributes:
        world: Its name.
        findings: One for each check that ran.
        facts: What is known of each level; empty where a check before failed so that they were not computed.
        scale: What its scores are measured against; None unless it passed.
    """

    world: str
    findings: tuple[Finding, ...]
    facts: tuple[LevelFacts, ...]
    scale: Scale | None

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(finding.passed for finding in self.findings)


def audit(world: World, graphs: Graphs | None = None, only: tuple[str, ...] = ()) -> Report:
    """Audit a world.

    Args:
        world: The world.
        graphs: Hand over one for several worlds of a core: their states are then listed once.
        only: Names of checks; none: all. Without all there is no scale.

    Returns:
        The report. A check that raises has failed: its message is the finding.

    Raises:
        UsageError: There is no check of a name.
    """
    from ....suite.errors import UnknownName

    for name in only:
        if name not in CHECKS:
            raise UnknownName("check", name, CHECKS)
    subject = Subject(world, graphs)
    findings = []
    for name, check in CHECKS.items():
        if only and name not in only:
            continue
        try:
            findings.append(check(subject))
        except Exception as error:  # noqa: BLE001  # a world that breaks a check has failed it
            findings.append(Finding(name, False, f"{type(error).__name__}: {error}"))
    facts = tuple(subject.facts) if "facts" in subject.__dict__ else ()
    passed = all(finding.passed for finding in findings)
    return Report(world.name, tuple(findings), facts, make_scale(subject) if passed and not only else None)


def make_scale(subject: Subject) -> Scale:
    """The scale of an audited world."""
    tests = [fact for fact in subject.facts if fact.split == "test"]
    known = information.informed(subject)
    steps = [fact.shortest for fact in tests if fact.shortest is not None]
    return Scale(
        world=subject.world.name,
        version=subject.world.version,
        levels=len(tests),
        levels_hash=content_hash([fact.hash for fact in tests], digits=16),
        random=_rounded(np.mean([fact.random for fact in tests])),
        reference=_rounded(known.low),
        reference_name=known.name,
        exact=known.tight,
        hindsight=_rounded(np.mean([fact.maximum for fact in tests])),
        low=_rounded(min(fact.least for fact in tests)),
        high=_rounded(max(fact.maximum for fact in tests)),
        shortest=_rounded(np.mean(steps)) if steps else None,
    )


def _rounded(value: float | np.floating) -> float:
    return round(float(value), 6) + 0.0
