"""How many drafts pass each stage, with intervals, beside the figures of the paper that the factory goes back to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..stats.intervals import clopper_pearson, wilson

__all__ = ["PAPER", "STAGES", "Yield", "yield_table", "yields"]

STAGES = ("design", "specification", "execution", "levels", "audit", "ladder", "package")
"""What a theme goes through. The specification counts as passed after repairs, within the bound on tries."""

PAPER = {"execution": 0.900, "levels": 0.967, "ladder": 0.747, "overall": 0.650}
"""AutoEnv's shares by the stage of ours that stands nearest (arXiv 2511.19304, 100 themes; all but ``overall`` of those
that got there). Its reliability is a test by two language models, ours a ladder of players."""

PAPER_COST = 4.12
"""US dollars a world, theirs."""


@dataclass(frozen=True, slots=True)
class Yield:
    """The yield of one stage.

    Attributes:
        stage: Of :data:`STAGES`, ``first try`` (specifications that needed no repair) or ``overall``.
        passed: Themes that passed.
        entered: Themes that got there.
        wilson: 95 % interval of the share (Wilson 1927), both ends in [0, 1].
        exact: 95 % interval of the share (Clopper and Pearson 1934).
        paper: AutoEnv's share; None where theirs has no such stage.
    """

    stage: str
    passed: int
    entered: int
    wilson: tuple[float, float]
    exact: tuple[float, float]
    paper: float | None


def _yield(stage: str, passed: int, entered: int) -> Yield:
    w, c = wilson(passed, entered), clopper_pearson(passed, entered)
    return Yield(stage, passed, entered, (w.low, w.high), (c.low, c.high), PAPER.get(stage))


def yields(failed_at: Sequence[str | None], repairs: Sequence[int | None]) -> list[Yield]:
    """Count yields.

    Args:
        failed_at: For each theme the stage that it failed at, None where it became a world.
        repairs: For each theme how many repairs its specification took, None where it never was one.

    Returns:
        For each stage, of those that entered it; then ``overall``, of all.

    Raises:
        ValueError: A stage is unknown, the lengths differ, or a theme has repairs without a specification.
    """
    if len(failed_at) != len(repairs):
        raise ValueError(f"failed_at and repairs are one a theme: {len(failed_at)} and {len(repairs)}")
    if unknown := {stage for stage in failed_at if stage is not None} - set(STAGES):
        raise ValueError(f"there is no stage {sorted(unknown)[0]!r}; there are: {', '.join(STAGES)}")
    for at, count in zip(failed_at, repairs, strict=True):
        if (count is None) != (at in ("design", "specification")):
            raise ValueError(
                f"a theme that failed at {at} has {count} repairs: None before it is a specification, else a count"
            )
    found, entered = [], len(failed_at)
    for stage in STAGES:
        if stage == "specification":
            found.append(_yield("first try", sum(r == 0 for r in repairs), entered))
        passed = entered - sum(at == stage for at in failed_at)
        found.append(_yield(stage, passed, entered))
        entered = passed
    return [*found, _yield("overall", entered, len(failed_at))]


def yield_table(found: Sequence[Yield], *, tokens: tuple[int, int], cost: float) -> str:
    """The yields as text, the paper's beside them and marked as theirs.

    Args:
        found: Of :func:`yields`.
        tokens: Read and written by the model, for all themes.
        cost: US dollars for all themes.
    """
    lines = [f"{'stage':<14} {'passed':>9} {'share':>7}  {'Wilson 95 %':<15} {'exact 95 %':<15} AutoEnv's"]
    for row in found:
        share = f"{row.passed / row.entered:7.1%}" if row.entered else "      -"
        ends = [f"{low:.1%} - {high:.1%}" if row.entered else "-" for low, high in (row.wilson, row.exact)]
        theirs = "" if row.paper is None else f"{row.paper:.1%}"
        lines.append(
            f"{row.stage:<14} {row.passed:>4}/{row.entered:<4} {share}  {ends[0]:<15} {ends[1]:<15} {theirs}".rstrip()
        )
    worlds = found[-1].passed
    each = f"{cost / worlds:.2f} USD" if worlds else "no world"
    lines += [
        f"tokens: {tokens[0]} read, {tokens[1]} written; cost: {cost:.2f} USD, a world: {each} "
        f"(AutoEnv's: {PAPER_COST:.2f} USD)",
        "AutoEnv's: as published in arXiv 2511.19304, over its own 100 themes, with another model, worlds written in "
        "Python and other tests (the ladder beside its reliability by two models). They are no baseline of this table.",
    ]
    return "\n".join(lines)
