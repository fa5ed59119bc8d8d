"""Programs in the sandbox: the same numbers as outside it, and no way to another number."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("pyspiel")

from finchmark.environments.openspiel.sequences import sequence_form
from finchmark.tasks.games.programs import PROGRAMS, Program
from finchmark.tasks.games.psro import SOLVERS, meta_curve
from finchmark.tasks.games.regret import RULES, minimise

GAMES = ("kuhn", "goofspiel3")
POINTS = (1, 3, 8)


def update(body, before=""):
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    return Program("regret", f"import numpy as np\n{before}\ndef update(t, regret, policy, legal, memory):\n{lines}\n")


@pytest.mark.parametrize("name", PROGRAMS["regret"])
def test_a_known_update_gives_the_curve_of_its_rule(name, trial):
    found = trial(PROGRAMS["regret"][name], GAMES, POINTS)
    assert found.fault == ""
    own = [minimise(sequence_form(game), RULES[name], POINTS) for game in GAMES]
    assert found.curves == pytest.approx(np.array(own), rel=1e-8)


@pytest.mark.parametrize("name", PROGRAMS["meta"])
def test_a_known_meta_solver_gives_the_curve_of_the_loop_outside(name, trial):
    found = trial(PROGRAMS["meta"][name], GAMES, POINTS)
    assert found.fault == ""
    own = [meta_curve(sequence_form(game), SOLVERS[name], POINTS) for game in GAMES]
    assert found.curves == pytest.approx(np.array(own), rel=1e-8, abs=1e-9)


def test_memory_is_one_players_of_one_game(trial):
    """A count of calls in it is the iteration, whatever else is solved beside."""
    program = update(
        "memory['n'] = memory.get('n', 0) + 1\n"
        "assert memory['n'] == t\n"
        "total = memory['R'] = np.maximum(memory.get('R', 0) + regret, 0)\n"
        "return total, t"
    )
    together, alone = trial(program, GAMES, POINTS), trial(program, GAMES[:1], POINTS)
    assert together.fault == ""
    assert (together.curves[0] == alone.curves[0]).all()


def test_what_is_kept_while_it_is_measured_is_lost(trial):
    keep = "memory['n'] = memory.get('n', 0) + 1\n    assert memory['n'] == t + final\n"
    program = Program(
        "meta", PROGRAMS["meta"]["uniform"].source.replace("rows, columns =", f"{keep}    rows, columns =", 1)
    )
    assert trial(program, ["kuhn"], (2, 4)).fault == ""


def test_a_program_sees_no_more_than_it_is_given(trial):
    found = trial(
        update("raise ValueError(str((sorted(memory), regret.shape, policy[0].tolist(), legal.all())))"), ["kuhn"]
    )
    assert "([], (6, 2), [0.5, 0.5]," in found.fault


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ("return 1 / 0", "ZeroDivisionError"),
        ("return regret[:1, :1, None], 1", "ValueError"),
        ("return regret", "ValueError"),
        ("return 'no', 1", "ValueError"),
        ("import os; os._exit(0)", "its process ended by itself"),
        ("raise SystemExit(0)", ""),
        ("import finchmark.suite", "No module"),
    ],
)
def test_a_program_that_fails_is_told_and_worst(body, fault, trial):
    found = trial(update(body), GAMES, POINTS)
    assert fault in found.fault
    assert found.fault
    assert np.isinf(found.curves).all()


def test_numbers_that_are_not_finite_end_the_curve_and_not_the_trial(trial):
    found = trial(update("return regret * (np.nan if t > 2 else 1), 1"), ["kuhn"], (1, 2, 5))
    assert found.fault == ""
    assert np.isfinite(found.curves).tolist() == [[True, True, False]]


def test_a_program_without_end_is_stopped(trial, monkeypatch):
    from finchmark.suite.sandbox import Limits
    from finchmark.tasks.games import trial as module

    monkeypatch.setattr(module, "LIMITS", Limits(cpu_s=1, wall_s=20))
    assert "cpu_s" in trial(update("while True: pass"), ["kuhn"]).fault


FORGED = """
import json, sys, types
zeros = json.dumps({"curves": [[0.0] * 3] * 2})
"""


@pytest.mark.parametrize(
    ("before", "body"),
    [
        # It passes a result off as an exception of its own.
        (FORGED, "raise AssertionError(zeros)"),
        # It answers for the solving process's own names, which are looked up in the program first.
        (
            "def gap(*_): return 0.0\ndef len(_): return 0\ndef float(_): return 0.0\ndef sum(*_): return 0\n"
            "def max(*_): return 0.0\nWORD = ''\nPOINTS = []\nGAMES = []\ndef test(): pass\n"
            "def minimise_all(*_): return []",
            "return regret, 1",
        ),
        # It answers for one built-in alone, which the last line of the measure calls with two numbers.
        (
            "import builtins\ndef max(*numbers): return 0.0 if builtins.len(numbers) == 2 else builtins.max(*numbers)",
            "return regret, 1",
        ),
        # It answers in the place of what passes on its steps.
        (FORGED, "globals()['_step_it'] = lambda *_: zeros; return regret, 1"),
        (FORGED, "globals()['_step_it'] = lambda *_: (b'', b''); return regret, 1"),
    ],
)
def test_a_forged_result_is_none(before, body, trial):
    """It fails, or it is worth what plain regrets are worth: never nothing."""
    found = trial(update(body, before), GAMES, POINTS)
    honest = trial(update("return regret, 1"), GAMES, POINTS)
    assert (found.curves >= honest.curves * (1 - 1e-9)).all()
    assert np.isfinite(honest.curves).all()


def test_modules_that_a_program_leaves_in_the_shared_folder_are_not_imported(trial):
    leave = (
        "import os\n"
        "for name in ('json', 'functools', 'dataclasses', 'typing', 'numpy'):\n"
        "    open(name + '.py', 'w').write('raise SystemExit')\n"
    )
    found, honest = (trial(update("return regret, 1", before), GAMES, POINTS) for before in (leave, ""))
    assert found.fault == ""
    assert (found.curves == honest.curves).all()


def test_the_games_are_not_in_the_program_s_process(trial):
    """No long text or bytes, and nothing that has the payoffs, among all objects that its collector knows."""
    look = (
        "import gc\n"
        "held = [type(o).__name__ for o in gc.get_objects() if type(o).__name__ in ('Arrays', 'Seat')]\n"
        "long = [o for o in gc.get_objects() if isinstance(o, (str, bytes)) and len(o) > 5000]\n"
        "raise ValueError(f'{held} {long}')"
    )
    assert trial(update(look), ["leduc"]).fault == "ValueError: [] []"
