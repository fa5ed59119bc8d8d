"""The texts of a trial: what is added to a program, and what runs in the process that solves the games.

All of it runs inside the sandbox and imports nothing of this package.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Sequence
from functools import cache
from typing import Any

from ...environments.openspiel import seats
from ...environments.openspiel.sequences import sequence_form
from . import solver
from .programs import Kind, Program

__all__ = ["program_text", "solving_text"]


def program_text(program: Program) -> str:
    """The program, with what answers the solving process in its name."""
    return program.source + _GLUE[program.kind]


def solving_text(kind: Kind, games: Sequence[str], checkpoints: Sequence[int], word: str) -> str:
    """What solves the games and asks the program for every step.

    Its function ``test`` ends with an AssertionError whose text is the word and, as JSON, either ``curves`` or
    ``fault``: a verdict of the sandbox carries no other value.
    """
    setup = f"WORD = {word!r}\nGAMES = json.loads({_boards(tuple(games))!r})\nPOINTS = {list(checkpoints)!r}\n"
    return _library() + setup + _HARNESS[kind] + _TEST


@cache
def _library() -> str:
    """The solver's text, without what imports this package.

    Names of the tests' module are looked up in the program first, so that all built-ins are bound again.
    """
    parts = ["from __future__ import annotations\nfrom builtins import *\nimport json\n"]
    for module in (seats, solver):
        parts.append(re.sub(r"^from (__future__|\.).*$", "", inspect.getsource(module), flags=re.MULTILINE))
    return "\n".join(parts)


@cache
def _boards(games: tuple[str, ...]) -> str:
    """Games as JSON, for the solving process."""
    found = []
    for name in games:
        form = sequence_form(name)
        entries: Any = form.payoff.tocoo()
        sides = [
            {
                "player": seat.player,
                "parent": seat.parent.tolist(),
                "first": seat.first.tolist(),
                "count": seat.count.tolist(),
                "tiers": [
                    [tier.states.start, tier.states.stop, tier.sequences.start, tier.sequences.stop]
                    for tier in seat.tiers
                ],
            }
            for seat in form.seats
        ]
        found.append([sides, entries.row.tolist(), entries.col.tolist(), entries.data.tolist()])
    return json.dumps(found)


_GLUE: dict[Kind, str] = {
    "regret": """

_games_of_it, _memory_of_it = {}, {}


def _begin_it(counts):
    import numpy

    for g, pair in enumerate(counts):
        for player, each in enumerate(pair):
            each = numpy.frombuffer(each, dtype=numpy.int64)
            _games_of_it[g, player] = numpy.arange(each.max()) < each[:, None]
            _memory_of_it[g, player] = {}


def _step_it(player, t, going, data):
    import numpy

    numbers, at, weights, shares = numpy.frombuffer(data), 0, [], []
    for g in going:
        legal = _games_of_it[g, player].copy()
        size = int(legal.sum())
        regret, policy = numpy.zeros(legal.shape), numpy.zeros(legal.shape)
        regret[legal], policy[legal] = numbers[at : at + size], numbers[at + size : at + 2 * size]
        at += 2 * size
        wanted, share = update(t, regret, policy, legal.copy(), _memory_of_it[g, player])
        weights.append(numpy.broadcast_to(numpy.asarray(wanted, dtype=float), legal.shape)[legal])
        shares.append(float(share))
    return numpy.concatenate(weights).tobytes(), numpy.array(shares).tobytes()
""",
    "meta": """

_memory_of_it = {}


def _mix_it(t, final, going, sizes, data):
    import copy

    import numpy

    numbers, at, parts = numpy.frombuffer(data), 0, []
    for g, size in zip(going, sizes):
        payoffs = numbers[at : at + size * size].reshape(size, size).copy()
        at += size * size
        memory = _memory_of_it.setdefault(g, {})
        for part in meta(t, payoffs, final, copy.deepcopy(memory) if final else memory):
            part = numpy.asarray(part, dtype=float)
            if part.shape != (size,):
                raise ValueError(f"a mixture of {size} policies was wanted, and has the shape {part.shape}")
            parts.append(part)
        if len(parts) % 2:
            raise ValueError("two mixtures were wanted")
    return numpy.concatenate(parts).tobytes()
""",
}

_HARNESS: dict[Kind, str] = {
    "regret": """

def solved(boards):
    _begin_it([[seat.count.astype(np.int64).tobytes() for seat in board.seats] for board in boards])

    def step(player, t, going, regrets, policies):
        data = np.concatenate([part[1:] for pair in zip(regrets, policies) for part in pair])
        told = _step_it(player, t, list(going), data.tobytes())
        weights, shares = read(told[0], sum(len(part) - 1 for part in regrets)), read(told[1], len(regrets))
        found, at = [], 0
        for part, share in zip(regrets, shares):
            found.append((np.concatenate([[0.0], weights[at : at + len(part) - 1]]), float(share)))
            at += len(part) - 1
        return found

    return minimise_all(boards, step, POINTS)
""",
    "meta": """

def solved(boards):
    def meta(t, final, going, payoffs):
        sizes = [len(table) for table in payoffs]
        told = _mix_it(t, final, list(going), sizes, np.concatenate([table.ravel() for table in payoffs]).tobytes())
        numbers, found, at = read(told, 2 * sum(sizes)), [], 0
        for size in sizes:
            found.append((numbers[at : at + size], numbers[at + size : at + 2 * size]))
            at += 2 * size
        return found

    return respond_all(boards, meta, POINTS)
""",
}

_TEST = """

def board(sides, rows, columns, wins):
    made = []
    for side in sides:
        tiers = tuple(Tier(slice(a, b), slice(c, d)) for a, b, c, d in side["tiers"])
        parent, first, count = (np.array(side[name], dtype=np.intp) for name in ("parent", "first", "count"))
        made.append(Seat(side["player"], ("",) * len(count), (), (), parent, first, count, tiers))
    return Arrays(tuple(made), np.array(rows, dtype=np.intp), np.array(columns, dtype=np.intp), np.array(wins))


def read(told, size):
    if type(told) is not bytes or len(told) != 8 * size:
        raise ValueError("the program's process did not answer with numbers as it must")
    return np.frombuffer(told)


def test():
    try:
        table = solved([board(*each) for each in GAMES])
        said = {"curves": [[float(f"{x:.9e}") if np.isfinite(x) else None for x in row] for row in table]}
    except Exception as error:
        said = {"fault": f"{type(error).__name__}: {error}"[:500]}
    raise AssertionError(WORD + json.dumps(said))
"""
