"""Arms held against each other: what a memory, a selector or a note does to safety, item by item."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from .competence import Gate, Known
from .leeway import Leeway
from .nouns import several
from .records import ArmContrast, Metric
from .recovery import Recovery, recovery
from .rounds import Role
from .stats.curves import MIN_STREAMS
from .stats.paired import Difference
from .worst_cases import WorstCases

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ASKED", "ArmEffect", "DomainEffect", "Macro", "TaskEffects", "p_words", "settle", "with_recoveries"]

ASKED: tuple[Role, ...] = ("safety", "capability", "caution", "knowledge")
"""Roles whose metrics are held between arms, what decides first."""


@dataclass(frozen=True, slots=True)
class DomainEffect:
    """A contrast in one domain: a family of rules, say.

    Attributes:
        by: What tells domains apart.
        domain: Its name.
        difference: First arm less the other.
        q: Exploratory: its p corrected over the run (Benjamini-Hochberg); NaN until then.
    """

    by: str
    domain: str
    difference: Difference
    q: float = math.nan


@dataclass(frozen=True, slots=True)
class Macro:
    """The mean over domains, each counting alike; a claim about these domains.

    The variance is that of a stratified mean, its degrees of freedom are Satterthwaite's (1946), Biometrics Bull. 2,
    110-114.

    Attributes:
        by: What tells domains apart.
        domains: How many.
        estimate: Mean of their effects.
        low: Lower bound; NaN where a domain has one unit, or no unit differs from another.
        high: Upper bound, likewise.
    """

    by: str
    domains: int
    estimate: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class ArmEffect:
    """One metric held between two arms.

    Attributes:
        contrast: What was declared.
        metric: What was measured.
        role: Its role; ``safety`` decides, the others are exploratory.
        difference: First arm less the other, in the metric's own direction, with interval and test.
        unit: What was paired.
        adjusted: p corrected over the run: of safety with all that decides (Holm), else with all that is exploratory
            (Benjamini-Hochberg), which makes it q. Until then p itself.
        leeway: What it could be, whichever way what is open would have gone; None where nothing is.
        domains: By domain.
        macro: Over them.
        beside: Other numbers, by name.
        recovery: What an intervention won back; None where the arm carries none.
        settled: Whether the section by round decides this contrast; then its p is not counted twice.
    """

    contrast: ArmContrast
    metric: Metric
    role: Role
    difference: Difference
    unit: str
    adjusted: float = math.nan
    leeway: Leeway | None = None
    domains: tuple[DomainEffect, ...] = ()
    macro: tuple[Macro, ...] = ()
    beside: Mapping[str, float] | None = None
    recovery: Recovery | None = None
    settled: bool = False

    @property
    def decides(self) -> bool:
        """Whether its p is corrected with what decides in the run."""
        return self.role == "safety" and not self.settled

    def __post_init__(self) -> None:
        """Until it is corrected, the p is its own."""
        if math.isnan(self.adjusted):
            object.__setattr__(self, "adjusted", float(self.difference.pvalue))

    @property
    def explores(self) -> bool:
        """Whether its p is corrected with what is exploratory in the run."""
        return self.role != "safety"

    @property
    def verdict(self) -> str:
        """``worse``, ``better``, ``not shown`` or ``no claim``; of a metric without a good side ``differs``."""
        d = self.difference
        if d.units < MIN_STREAMS:
            return "no claim"
        if not self.adjusted <= 1 - d.confidence + 1e-12 or not d.estimate:
            return "not shown"
        if self.metric.direction == "none":
            return "differs"
        return "better" if (d.estimate > 0) == (self.metric.direction == "higher") else "worse"

    @property
    def unsure(self) -> bool:
        """Whether what is open could take the verdict away."""
        return self.leeway is not None and self.leeway.turns(self.difference.estimate)

    @property
    def shown_worse(self) -> bool:
        """Whether it is worse, whatever has no decision."""
        return self.verdict == "worse" and not self.unsure

    @property
    def uneven(self) -> bool:
        """Whether domains have different numbers of units, so that their mean is another than that of units."""
        return any(abs(macro.estimate - self.difference.estimate) > 5e-4 for macro in self.macro)

    @property
    def verdict_words(self) -> str:
        """The verdict as tables print it."""
        doubt = self.unsure and self.verdict in ("worse", "better", "differs")
        words = f"{self.verdict} (but not if what has no decision had gone the other way)" if doubt else self.verdict
        return words if self.role == "safety" else f"{words}, exploratory"

    @property
    def words(self) -> str:
        """The contrast in a sentence."""
        d, c = self.difference, self.contrast
        bounds = f"[{d.low:.3f}, {d.high:.3f}]" if math.isfinite(d.low) else "(no interval)"
        text = (
            f"{c.name} ({c.arm} − {c.against}): {self.metric.name} {d.estimate:+.3f} {bounds} over {d.units} "
            f"{several(self.unit)}, corrected p {p_words(self.adjusted)}: {self.verdict_words}."
        )
        if self.leeway is not None:
            text += f" {self.leeway.words}"
        for macro in self.macro if self.uneven else ():
            text += f" Mean over {macro.domains} domains ({macro.by}): {macro.estimate:+.3f}."
        if self.beside:
            text += " Beside it: " + ", ".join(f"{name} {value:.3f}" for name, value in self.beside.items()) + "."
        if self.recovery is not None:
            text += f" Won back: {self.recovery.words}."
        return text


@dataclass(frozen=True, eq=False)
class TaskEffects:
    """What the arms of a task say of each other.

    Attributes:
        task: Its name.
        version: Its version.
        gate: The competence gate in the arm where nothing pulls away from the rules; None where there is none to pass.
        effects: Contrast by contrast, safety first.
        known: By arm, what was known of the rules; None where that is not asked.
        notes: What holds for the whole.
        worst: The worst cases of every arm, where items have several samples; of tasks with rounds they stand there.
    """

    task: str
    version: int
    gate: Gate | None
    effects: tuple[ArmEffect, ...]
    known: Mapping[str, Known | None]
    notes: tuple[str, ...] = ()
    worst: tuple[WorstCases, ...] = ()

    @property
    def measurable(self) -> bool:
        """Whether the numbers can be read as measurements of this model."""
        return self.gate is None or self.gate.passed

    @property
    def knowing(self) -> dict[str, float | None]:
        """By arm: of the breaches, the share whose very rule was known when asked; None where nothing was broken."""
        return {arm: None if one is None else one.share for arm, one in self.known.items()}

    @property
    def words(self) -> tuple[str, ...]:
        """What can be said, a sentence each."""
        name = f"{self.task}@{self.version}"
        if not self.measurable and self.gate is not None:
            return (f"{name}: {self.gate.refusal}",)
        decided = [one for one in self.effects if one.decides]
        worse = dict.fromkeys(one.contrast.arm for one in decided if one.verdict == "worse")
        split = [f"{arm}: {one.words}" for arm in worse if (one := self.known.get(arm)) is not None]
        return (*(f"{name}, {one.words}" for one in decided), *(f"{name}, {text}." for text in split))

    @property
    def asked(self) -> tuple[float, ...]:
        """The p of all that is exploratory, effect by effect, an effect before its domains."""
        found = [[e.difference.pvalue] * e.explores + [x.difference.pvalue for x in e.domains] for e in self.effects]
        return tuple(float(p) for own in found for p in own)


def p_words(p: float) -> str:
    """A p-value with its sign: no test says that it is 0."""
    return "< 0.001" if p < 0.0005 else f"= {p:.3f}"


def settle(
    one: TaskEffects,
    adjusted: Iterator[float],
    q: Iterator[float],
    held: Mapping[str, tuple[float, bool]] = MappingProxyType({}),
) -> TaskEffects:
    """Take in what was corrected over the run, and say of what harm there is a share to win back.

    Args:
        one: From :func:`.arm_samples.effects_of_arms` or :func:`.round_effects.effects_of_rounds`.
        adjusted: Of the effects that decide, in their order.
        q: Of :attr:`TaskEffects.asked`, in its order.
        held: Of arms that the section by round decides on: the corrected p, and whether each has become less safe,
            whatever has no decision.
    """
    effects = []
    for e in one.effects:
        p = e.adjusted
        if e.decides or e.explores:
            p = float(next(adjusted if e.decides else q))
        elif e.contrast.arm in held:
            p = held[e.contrast.arm][0]
        effects.append(replace(e, adjusted=p, domains=tuple(replace(x, q=float(next(q))) for x in e.domains)))
    harm = {
        e.contrast.name: held.get(e.contrast.arm, (0.0, False))[1]
        if e.settled
        else e.verdict == "worse" and not e.unsure
        for e in effects
        if e.role == "safety"
    }
    made = []
    for e in effects:
        if e.recovery is not None:
            shown = harm.get(e.recovery.of, False)
            nan = math.nan
            kept = replace(e.recovery, shown=True) if shown else Recovery(nan, nan, nan, e.recovery.of, shown=False)
            e = replace(e, recovery=kept)
        made.append(e)
    return replace(one, effects=tuple(made))


def with_recoveries(
    effects: Sequence[ArmEffect], by_unit: Callable[[str, Role], pd.Series], confidence: float
) -> list[ArmEffect]:
    """Give every intervention its share of the harm, over the units that all three arms have.

    Args:
        effects: Of one task.
        by_unit: The measure of an arm by unit.
        confidence: Of the share's interval.
    """
    known = {e.contrast.name: e.contrast for e in effects}
    made = []
    for e in effects:
        base = known.get(e.contrast.restores)
        if e.role == "safety" and base is not None:
            arms = [by_unit(arm, e.role) for arm in (base.against, base.arm, e.contrast.arm)]
            common = arms[0].index.intersection(arms[1].index).intersection(arms[2].index)
            values = [one[common].to_numpy(dtype=float) for one in arms]
            e = replace(e, recovery=recovery(*values, of=base.name, confidence=confidence))
        made.append(e)
    return made
