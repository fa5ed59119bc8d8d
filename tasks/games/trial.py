"""Programs under trial: they run in the sandbox, and what they are worth is worked out where they cannot reach.

Two processes of the sandbox play together. One has the program, and nothing of a game but what its function is given;
the other has the games, solves them (:mod:`.solver`) and asks the program for every step, all games in one message. So
a program can neither read the payoffs and look up an equilibrium, nor touch the number it is judged by.
"""

from __future__ import annotations

import json
import math
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...environments.openspiel.seats import Array
from ...suite.sandbox import Limits, Sandbox
from .programs import Kind, Program
from .psro import META_CHECKPOINTS
from .regret import CHECKPOINTS
from .trial_texts import program_text, solving_text

__all__ = ["LIMITS", "Trial", "checkpoints_of", "try_program"]

LIMITS = Limits(cpu_s=30, wall_s=300, memory_mb=1024, output_kb=64)
"""Of one trial, all its games together. Processor time decides: on a busy machine the other must not."""

_MOST_NUMBERS = 100  # what one verdict can carry


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """What came of running a program on games.

    Attributes:
        curves: Exploitability, shape (games, checkpoints); infinite where the program had broken down, everywhere if it
            failed.
        fault: Why it failed as a whole; empty if it did not.
        cpu_s: Processor seconds, the solver's with it.
    """

    curves: Array
    fault: str
    cpu_s: float


def checkpoints_of(kind: Kind) -> tuple[int, ...]:
    """Where curves of a kind are read by default."""
    return CHECKPOINTS if kind == "regret" else META_CHECKPOINTS


async def try_program(
    sandbox: Sandbox, program: Program, games: Sequence[str], checkpoints: Sequence[int] | None = None
) -> Trial:
    """Run a program on games.

    Args:
        sandbox: Where it runs.
        program: The program. Whatever it does, it is a result and no exception.
        games: Names of games.
        checkpoints: After how many iterations exploitability is measured; by default those of its kind.

    Raises:
        SandboxFailure: The sandbox itself failed, which says nothing about the program.
        UsageError: There is no such game.
        ValueError: There are too many games and checkpoints for one trial, or none.
    """
    points = list(checkpoints_of(program.kind) if checkpoints is None else checkpoints)
    if not 0 < len(games) * len(points) <= _MOST_NUMBERS:
        raise ValueError(f"games times checkpoints are 1 to {_MOST_NUMBERS}, not {len(games)} times {len(points)}")
    # Drawn anew and known to the solving process alone: nothing that a program raises can pass for a result.
    word = secrets.token_hex(16)
    verdict = await sandbox.judge(
        program_text(program), solving_text(program.kind, games, points, word), limits=LIMITS, control=False
    )
    curves = np.full((len(games), len(points)), np.inf)
    said: dict[str, Any] = {}
    if verdict.reason == "assertion" and verdict.detail.startswith(word):
        said = json.loads(verdict.detail.removeprefix(word))
    if "curves" in said:
        table = [[math.inf if number is None else number for number in row] for row in said["curves"]]
        return Trial(np.array(table), "", verdict.cpu_s)
    where = ", ".join(verdict.limits)
    fault = said.get("fault") or (
        f"over the limit: {where}" if where else ": ".join(filter(None, (verdict.error, verdict.detail)))[:500]
    )
    return Trial(curves, fault, verdict.cpu_s)
