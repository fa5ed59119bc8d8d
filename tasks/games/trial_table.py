"""One program on several games: its curves beside what the known algorithms come to."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Literal

import numpy as np

from ...suite.sandbox import open_sandbox
from .candidate import scored
from .programs import PROGRAMS, Program
from .trial import Trial, checkpoints_of, try_program

__all__ = ["trial_text"]


def trial_text(
    program: Program, games: Sequence[str], sandbox: Literal["auto", "bubblewrap", "process"] = "auto"
) -> str:
    """Run a program and the known ones of its kind, and put what they came to into tables.

    Args:
        program: The program.
        games: Names of games.
        sandbox: Where they run.

    Raises:
        SandboxUnavailable: Programs cannot be run here.
        UsageError: There is no such game.
    """
    points = checkpoints_of(program.kind)
    names = ["this program", *PROGRAMS[program.kind]]
    found = asyncio.run(_all([program, *PROGRAMS[program.kind].values()], games, points, sandbox))
    lines = [f"{'':16}" + "".join(f"{f't = {point}':>10}" for point in points)]
    for row, game in enumerate(games):
        lines.append(f"{game}: exploitability")
        lines += [
            f"  {name:14}"
            + "".join(f"{value:10.2e}" if np.isfinite(value) else f"{'-':>10}" for value in trial.curves[row])
            for name, trial in zip(names, found, strict=True)
        ]
    lines.append("Over all games, log10 of exploitability over that of uniform play: along the curve, and at its end")
    for name, trial in zip(names, found, strict=True):
        whole = scored(program, games, trial.curves)
        lines.append(f"  {name:14}{whole.fitness:10.3f}{whole.final:10.3f}")
    if found[0].fault:
        lines.append(f"The program failed: {found[0].fault}")
    return "\n".join(lines)


async def _all(
    programs: Sequence[Program],
    games: Sequence[str],
    points: Sequence[int],
    sandbox: Literal["auto", "bubblewrap", "process"],
) -> list[Trial]:
    async with open_sandbox(sandbox) as box:
        return list(await asyncio.gather(*(try_program(box, program, games, points) for program in programs)))
