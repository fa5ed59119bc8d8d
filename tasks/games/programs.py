"""Programs that solve games, as Python source: what is asked of one, and the known algorithms as such."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from ...suite.errors import UsageError

__all__ = ["FUNCTIONS", "KINDS", "MOST_CHARACTERS", "PROGRAMS", "Kind", "Program", "UnusableProgram"]

Kind = Literal["regret", "meta"]

KINDS: tuple[Kind, ...] = ("regret", "meta")

MOST_CHARACTERS = 6_000
"""Of a program's source."""

FUNCTIONS: Mapping[Kind, tuple[str, tuple[str, ...]]] = MappingProxyType(
    {
        "regret": ("update", ("t", "regret", "policy", "legal", "memory")),
        "meta": ("meta", ("t", "payoffs", "final", "memory")),
    }
)
"""The function that a program defines, and its parameters, in order."""


class UnusableProgram(UsageError):
    """A source is no program of its kind."""


@dataclass(frozen=True, slots=True)
class Program:
    """A candidate. It is never run in this process: :mod:`.trial` runs it in the sandbox.

    Args:
        kind: ``regret`` or ``meta``.
        source: Python source that defines one function by name.

            ``regret``: ``update(t, regret, policy, legal, memory)`` is called for one player of one game in iteration
            ``t`` (from 1), with the counterfactual regrets of the policy in play, that policy, and which actions are
            legal, each of shape (information states, actions) and 0 or False where there is no action. It returns what
            the next policy is in proportion to (negative numbers count as 0, states without any positive one become
            uniform) and the weight of the policy in play in the average, a number of at least 0. ``memory`` is a dict,
            empty at first, that the same player of the same game gets again.

            ``meta``: ``meta(t, payoffs, final, memory)`` is called for one game with what player 0 wins, of shape
            (policies of 0, policies of 1), before addition ``t`` (from 1) to both populations, and with ``final`` true
            when the mixture is measured. It returns what the two mixtures are in proportion to. What it keeps in
            ``memory`` while ``final`` is true is lost.

    Raises:
        UnusableProgram: It does not parse, is too long, or has no such function.
    """

    kind: Kind
    source: str

    def __post_init__(self) -> None:
        name, parameters = FUNCTIONS[self.kind]
        if len(self.source) > MOST_CHARACTERS:
            raise UnusableProgram(f"A program has {MOST_CHARACTERS} characters at most, not {len(self.source)}.")
        try:
            tree = ast.parse(self.source)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise UnusableProgram(f"The source does not parse: {error}.") from None
        found = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name]
        wanted = f"def {name}({', '.join(parameters)}):"
        if not found:
            raise UnusableProgram(f"The source has no `{wanted}`.")
        given = found[-1].args
        if (
            [arg.arg for arg in (*given.posonlyargs, *given.args)] != list(parameters)
            or given.vararg
            or given.kwonlyargs
        ):
            raise UnusableProgram(f"The function is `{wanted}`, not `def {name}({ast.unparse(given)}):`.")


_CFR = """\
import numpy as np


def update(t, regret, policy, legal, memory):
    total = memory.get("total", 0.0) + regret
    memory["total"] = total
    return np.maximum(total, 0.0), 1.0
"""
_CFR_PLUS = """\
import numpy as np


def update(t, regret, policy, legal, memory):
    total = np.maximum(memory.get("total", 0.0) + regret, 0.0)
    memory["total"] = total
    return total, t
"""
_LINEAR = """\
import numpy as np


def update(t, regret, policy, legal, memory):
    total = memory.get("total", 0.0) + t * regret
    memory["total"] = total
    return np.maximum(total, 0.0), t
"""
_DISCOUNTED = """\
import numpy as np


def update(t, regret, policy, legal, memory):
    total = memory.get("total", 0.0) + regret
    total = total * np.where(total > 0, t ** 1.5 / (t ** 1.5 + 1), 0.5)
    memory["total"] = total
    return np.maximum(total, 0.0), t ** 2
"""
_PREDICTIVE = """\
import numpy as np


def update(t, regret, policy, legal, memory):
    total = np.maximum(memory.get("total", 0.0) + regret, 0.0)
    memory["total"] = total
    return np.maximum(total + regret, 0.0), t ** 2
"""
_UNIFORM = """\
import numpy as np


def meta(t, payoffs, final, memory):
    rows, columns = payoffs.shape
    return np.ones(rows), np.ones(columns)
"""
_REGRET_MATCHING = """\
import numpy as np


def meta(t, payoffs, final, memory):
    sides = payoffs, -payoffs.T
    held = [np.zeros(n) for n in payoffs.shape]
    total = [np.zeros(n) for n in payoffs.shape]
    for step in range(500):
        now = []
        for part in held:
            positive = np.maximum(part, 0.0)
            now.append(positive / positive.sum() if positive.sum() > 0 else np.ones(len(part)) / len(part))
        for player in (0, 1):
            wins = sides[player] @ now[1 - player]
            held[player] = held[player] + wins - wins @ now[player]
            total[player] = total[player] + now[player]
    return total[0], total[1]
"""

PROGRAMS: Mapping[Kind, Mapping[str, Program]] = MappingProxyType(
    {
        "regret": MappingProxyType(
            {
                "cfr": Program("regret", _CFR),
                "cfr+": Program("regret", _CFR_PLUS),
                "linear": Program("regret", _LINEAR),
                "discounted": Program("regret", _DISCOUNTED),
                "predictive+": Program("regret", _PREDICTIVE),
            }
        ),
        "meta": MappingProxyType(
            {
                "uniform": Program("meta", _UNIFORM),
                "regret-matching": Program("meta", _REGRET_MATCHING),
            }
        ),
    }
)
"""The known algorithms, see :data:`.regret.RULES` and :data:`.psro.SOLVERS` for their sources; the first of a kind is
where a search starts."""
