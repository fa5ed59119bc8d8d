"""Programs that the offline optimiser writes: one fixed way to play, and the numbers that it plays by."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .rules import Rules

__all__ = ["Program"]

_CODE = '''\
import random
import re

ACTIONS = {actions}
OPENING = {opening}
WEIGHTS = {weights}
AGAIN = {again}
IDLE = {idle}


def act(observation, instructions, reply, memory):
    """Plays the opening, then by weights; more often what has just paid, less often what has just changed nothing."""
    lines = observation.splitlines()
    shown = [line for line in lines if not line.startswith("Step ")]
    pay = re.search(r"^Step [0-9]+ of [0-9]+[.] Reward: ([^ ]+)[.]$", observation, re.M)
    turn, last = memory.get("turn", 0), memory.get("last")
    idle = memory.get("idle", []) if shown == memory.get("shown") else []
    if last is not None and shown == memory.get("shown"):
        idle = idle + [last]
    if turn < len(OPENING):
        action = OPENING[turn]
    elif last is not None and pay and float(pay.group(1)) > 0 and random.random() < AGAIN:
        action = last
    else:
        weights = [WEIGHTS.get(one, 1.0) * (IDLE if one in idle else 1.0) for one in ACTIONS]
        action = random.choices(ACTIONS, weights if sum(weights) > 0 else None)[0]
    memory.update(turn=turn + 1, last=action, idle=idle, shown=shown)
    return {{"action": action}}
'''
_SET = re.compile(r"^(ACTIONS|OPENING|WEIGHTS|AGAIN|IDLE) = (.+)$", re.MULTILINE)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


@dataclass(frozen=True)
class Program:
    """The numbers of such a program.

    Attributes:
        actions: What it plays, as the world writes it.
        opening: The first actions of an episode.
        weights: How often an action is drawn, in comparison with one that is not named (1); 0: never.
        again: The chance to do again what has just paid, 0 to 1.
        idle: Factor on the weight of what has changed nothing since something last did, 0 to 1.
    """

    actions: tuple[str, ...]
    opening: tuple[str, ...] = ()
    weights: Mapping[str, float] = field(default_factory=dict)
    again: float = 0.0
    idle: float = 1.0

    @classmethod
    def read(cls, source: str) -> Program:
        """Read the numbers of a program of :meth:`text`; of any other what has the same form, else the defaults."""
        found: dict[str, Any] = {}
        for name, text in _SET.findall(source):
            try:
                found[name] = json.loads(text)
            except (ValueError, RecursionError):
                continue

        def words(name: str) -> tuple[str, ...]:
            row = found.get(name)
            return tuple(one for one in row if isinstance(one, str)) if isinstance(row, list) else ()

        def share(name: str, default: float) -> float:
            value = found.get(name)
            return float(value) if isinstance(value, (int, float)) and 0 <= value <= 1 else default

        row = found.get("WEIGHTS")
        weights = {k: float(v) for k, v in row.items() if isinstance(v, (int, float))} if isinstance(row, dict) else {}
        return cls(words("ACTIONS"), words("OPENING"), weights, share("AGAIN", 0.0), share("IDLE", 1.0))

    def text(self) -> str:
        """The program; :meth:`read` gives it back."""
        return _CODE.format(
            actions=_json(self.actions),
            opening=_json(self.opening),
            weights=_json({name: round(weight, 2) for name, weight in sorted(self.weights.items())}),
            again=_json(self.again),
            idle=_json(self.idle),
        )

    @property
    def rules(self) -> Rules:
        """What of it can be said in rules."""
        return Rules(self.opening, (), self.weights)
