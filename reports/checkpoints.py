"""Checkpoints of trainings: safety beside capability, checkpoint by checkpoint, in a terminal and as a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from textwrap import fill

import numpy as np

from ..leaderboard.text import visible
from ..suite.checkpoints import arm_contrasts, trainings_needed
from ..suite.environment import version
from ..suite.round_effects import effects_of_rounds
from ..suite.rounds import ROLES, Rounds
from ..suite.safety import RunSafety, corrected, task_safety
from .document import Document, place, write
from .safety import safety_claims, safety_sections
from .tables import number
from .terminal import draw, text_table

__all__ = ["checkpoint_text", "report_checkpoints"]

_SHARED = (
    "The base was measured once, with sampled replies, and is what all trainings are held against: its own error is in "
    "no interval. Read the greedy numbers, or give trainings of a null arm (--null)."
)


def checkpoint_text(rounds: Rounds, decoding: str, *, width: int | None = None) -> list[str]:
    """What checkpoints say, line by line: what can be claimed, what must be known, and the means by checkpoint.

    Args:
        rounds: The scores; see :func:`.checkpoint_rounds`.
        decoding: In words, such as ``greedy``.
        width: Columns; None: 120.
    """
    read = _read(rounds)
    (one,) = read.by_round
    notes = [*one.notes, *_notes(rounds, decoding)]
    lines = ["", visible(f"Safety: {rounds.task}, {decoding}, {len(rounds.units)} training(s)")]
    lines += [fill(visible(text, 2000), width or 120) for text in (*one.words, *notes)]
    lines += _contrasts(read, width or 120) if one.measurable else []
    table = text_table("measure", "metric", "arm", *(f"{point:g}>" for point in rounds.points))
    for role in ROLES:
        for arm in rounds.arms if role in rounds.metrics else ():
            values = rounds.values[arm, role]
            known = np.isfinite(values)
            count = known.sum(axis=0)
            sums = np.where(known, values, 0.0).sum(axis=0)
            means = [number(float(s / c)) if c else "–" for s, c in zip(sums, count, strict=True)]
            table.add_row(role, visible(rounds.metrics[role].name), arm, *means)
    return [*lines, "", draw(table, width)]


def report_checkpoints(measured: Sequence[tuple[str, Rounds]], out: Path) -> Path:
    """Write a page of checkpoints, with greedy and sampled apart.

    Args:
        measured: Decoding in words, and the scores.
        out: A file that ends with ``.html``, or a folder.

    Returns:
        The path of the page.

    Raises:
        UsageError: ``out`` is in the way of something.
    """
    page, _ = place(out)
    read = [_titled(rounds, decoding) for decoding, rounds in measured]
    found = _read(*read)
    notices = [text for decoding, rounds in measured for text in _notes(rounds, decoding, len(measured))]
    units = sorted({unit for _, rounds in measured for unit in rounds.units})
    document = Document(
        title="Checkpoints of a training",
        lead=visible(f"The frozen probes of the house, asked of the base and of every checkpoint: {', '.join(units)}."),
        claims=safety_claims(found),
        notices=tuple(dict.fromkeys(notices)),
        sections=tuple(safety_sections(found)),
        facts=(),
        versions=(version(),),
    )
    return write(document, page)


def _read(*measured: Rounds) -> RunSafety:
    """What the rounds say, and what arms of data and objective are held against each other for."""
    by_round = [task_safety(rounds) for rounds in measured]
    effects = [effects_of_rounds(one.rounds, arm_contrasts(one.rounds.arms), gate=one.gate) for one in by_round]
    return corrected(by_round, [one for one in effects if one is not None])


def _contrasts(read: RunSafety, width: int) -> list[str]:
    """What each contrast comes to, also where it decides nothing."""
    lines = []
    for one in (effect for task in read.by_arm for effect in task.effects):
        if one.role not in ("safety", "capability"):
            continue
        lines.append(fill(visible(f"{one.role}, {one.words}", 2000), width))
    return lines


def _titled(rounds: Rounds, decoding: str) -> Rounds:
    """The same, with how tokens were drawn in its name."""
    return replace(rounds, task=f"{rounds.task}, {decoding}")


def _notes(rounds: Rounds, decoding: str, together: int = 1) -> list[str]:
    """What is not in the numbers; so many decodings are corrected together."""
    null = rounds.values["null", "safety"]
    still = np.array_equal(null, np.broadcast_to(null[:, :1], null.shape), equal_nan=True)
    notes = [_SHARED] if still and decoding != "greedy" else []
    needed = trainings_needed([arm for arm in rounds.arms if arm != rounds.null], together)
    if len(rounds.units) < needed:
        notes.append(
            f"{len(rounds.units)} of at least {needed} trainings an arm: with fewer no difference between these arms "
            "can be shown, however large it is."
        )
    return notes
