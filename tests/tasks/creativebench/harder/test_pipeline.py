"""From a script to items: every filter catches its candidate, and what gets through is what the checks accept."""

import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from finchmark.suite.backends.scripted import ScriptedBackend
from finchmark.suite.errors import BackendError, RunLocked, SpecMismatch, StoreError, UnknownName, UsageError
from finchmark.tasks.creativebench.checks import missing
from finchmark.tasks.creativebench.combo import load_combo
from finchmark.tasks.creativebench.combo_checks import missing_of_combo
from finchmark.tasks.creativebench.harder.pipeline import JOURNAL, SUMMARY, read_made, replay_plan, run_making
from finchmark.tasks.creativebench.harder.plan import Plan
from finchmark.tasks.creativebench.problem import load_problem

pytestmark = pytest.mark.usefixtures("boundary")

PLAN = Plan(explore=("walk_end",), combos=1, proposals=6, tries=5)


def _files(out):
    return {
        p.relative_to(out).as_posix(): p.read_bytes()
        for p in sorted(out.rglob("*"))
        if p.is_file() and p.name != JOURNAL
    }


@pytest.fixture(scope="module")
def done(script, tmp_path_factory):
    out = tmp_path_factory.mktemp("harder")
    return out, run_making(PLAN, script.model(), out, bases=script.BASES, combos={})


def test_a_problem_gets_levels_and_a_pair_becomes_a_combo(done):
    _, made = done
    assert [(u.name, u.caught) for u in made.units] == [("explore/walk_end", ""), ("combo/0", "")]
    assert sorted(made.items) == ["combo/odd_walk.yaml", "explore/walk_end.yaml"]


def test_what_comes_out_is_what_the_checks_accept(done, script):
    out, _ = done
    problem = load_problem(out / "explore/walk_end.yaml")
    assert missing(problem) == []
    assert [len(level.rules) for level in problem.levels] == [2, 3, 1, 1]
    assert problem.levels[2].solution.strip() == script.FOLDED.strip()
    combo = load_combo(out / "combo/odd_walk.yaml", script.BASES)
    assert missing_of_combo(combo) == []
    assert combo.others[0].strip() == script.OTHER.strip()
    assert {p.name for p in combo.parents} == {"walk_end", "run_lengths"}


def test_every_filter_on_the_way_caught_its_candidate(done):
    _, made = done
    caught = {(f.track, f.stage, f.name): (f.caught, f.entered) for f in made.filters}
    assert {k[1:]: v for k, v in caught.items() if k[0] == "explore"} == {
        ("analyse", "empty"): (0, 1),
        ("analyse", ""): (1, 1),
        ("propose", "unreadable"): (1, 6),
        ("propose", "repeated"): (1, 5),
        ("propose", "toothless"): (1, 4),
        ("propose", ""): (3, 6),
        ("solve", "no_program"): (1, 9),
        ("solve", "breaks_rules"): (2, 8),
        ("solve", "fails_tests"): (3, 6),
        ("solve", "tampered"): (1, 3),
        ("solve", ""): (2, 9),
        ("level", "unsolved"): (1, 3),
        ("level", ""): (2, 3),
        ("item", "no_level"): (0, 1),
        ("item", "faulty"): (0, 1),
        ("item", ""): (1, 1),
    }
    assert {k[1:]: v[0] for k, v in caught.items() if k[0] == "combo" and v[0]} == {
        ("fuse", "no_program"): 1,
        ("fuse", "taken_name"): 1,
        ("fuse", "lost_parent"): 1,
        ("fuse", ""): 1,
        ("cases", "unreadable"): 1,
        ("cases", "too_few"): 1,
        ("cases", "weak"): 1,
        ("cases", ""): 1,
        ("state", "unreadable"): 1,
        ("state", "leaks"): 2,
        ("state", ""): 1,
        ("solve", "no_program"): 1,
        ("solve", "fails_tests"): 1,
        ("solve", "tampered"): 1,
        ("solve", ""): 2,
        ("item", ""): 1,
    }
    table = made.table()
    assert "explore/propose    toothless            1      4" in table
    assert "2 items of 2 tried" in table


@pytest.mark.parametrize(
    ("scenario", "filter_", "stage"),
    [
        ("parents_pass", "not_made", ("cases", "parents_pass")),
        ("not_joined", "not_made", ("cases", "not_joined")),
        ("unsolvable", "unsolvable", None),
        ("trivial", "trivial", None),
        ("no program", "not_made", ("fuse", "no_program")),
        ("no tests", "not_made", ("cases", "unreadable")),
        ("no statement", "not_made", ("state", "unreadable")),
        ("faulty", "faulty", None),
    ],
)
def test_a_bad_combo_is_caught(script, tmp_path, scenario, filter_, stage):
    model = script.model({**script.COMBO, **script.ENDS[scenario]})
    made = run_making(Plan(combos=1, proposals=6, tries=5), model, tmp_path, bases=script.BASES, combos={})
    assert [u.caught for u in made.units] == [filter_]
    assert not made.items
    assert not list(tmp_path.rglob("*.yaml"))
    if stage:
        assert any(f.caught for f in made.filters if (f.track, f.stage, f.name) == ("combo", *stage))


def test_a_combo_that_is_there_is_a_duplicate(script, done, tmp_path):
    out, _ = done
    there = load_combo(out / "combo/odd_walk.yaml", script.BASES)
    model = script.model({k: v.replace("odd_walk", "uneven_walk") for k, v in script.COMBO.items()})
    elsewhere = {"odd_walk": replace(there, parents=())}  # of another pair, so this one is free
    made = run_making(Plan(combos=1, proposals=6, tries=5), model, tmp_path, bases=script.BASES, combos=elsewhere)
    assert [(u.caught, u.detail) for u in made.units] == [("duplicate", "the same as odd_walk")]


def test_levels_from_the_plain_solution_keep_what_is_known_in_the_bank(script, tmp_path):
    explore = {
        "analyse/0": "a loop",
        "propose/100": script.fenced("no construct if\nno construct for", "rules"),  # what level 1 ships
        "propose/101": script.fenced("no construct for\nno operator *\nno structure list\nno construct if", "rules"),
        "propose/102": script.fenced("no construct for\nno construct while\nno construct recursion", "rules"),
        "solve/10200": script.fenced(script.FOLDED),
    }
    plan = Plan(explore=("walk_end",), start="plain", levels=1)
    made = run_making(plan, script.model(explore=explore), tmp_path, bases=script.BASES)
    assert [u.caught for u in made.units] == [""]
    problem = load_problem(tmp_path / "explore/walk_end.yaml")
    assert len(problem.levels) == 1
    assert len(problem.others) == 1 + 2
    assert missing(problem) == []


def test_a_known_program_may_be_the_proof_and_is_in_the_file_once(script, tmp_path):
    known = script.BASES["walk_end"].levels[0].solution
    explore = {
        "analyse/0": "a loop",
        "propose/100": script.fenced("no construct for", "rules"),
        "solve/10000": script.fenced(known),
    }
    plan = Plan(explore=("walk_end",), start="plain", levels=1)
    made = run_making(plan, script.model(explore=explore), tmp_path, bases=script.BASES)
    assert [u.caught for u in made.units] == [""]
    problem = load_problem(tmp_path / "explore/walk_end.yaml")
    assert problem.levels[0].solution.strip() == known.strip()
    assert len(problem.others) == 2


def test_a_problem_without_room_for_a_level_makes_none(script, tmp_path):
    made = run_making(Plan(explore=("walk_end",), levels=2), script.model(), tmp_path, bases=script.BASES)
    assert [(u.caught, u.detail) for u in made.units] == [("no_level", "it has 2 levels already")]


def test_a_replay_without_the_model_gives_the_same_bytes(done, script, tmp_path):
    out, made = done
    plan, backend, solver = replay_plan(out, bases=script.BASES, combos={})
    assert plan == PLAN
    assert solver is None
    again = run_making(plan, backend, tmp_path, solver=solver, bases=script.BASES, combos={})
    assert again == made
    assert _files(tmp_path) == _files(out)
    assert read_made(tmp_path) == made


def test_a_solver_of_its_own_is_asked_to_solve_and_replayed(script, tmp_path):
    asked = {"maker": set(), "solver": set()}

    def heard(role):
        def reply(request):
            asked[role].add(request.session.split("/")[3])
            return script.lines(request)

        return ScriptedBackend(role, function=reply)

    plan = Plan(explore=("walk_end",), proposals=6, tries=5)
    first, second = tmp_path / "a", tmp_path / "b"
    run_making(plan, heard("maker"), first, solver=heard("solver"), bases=script.BASES)
    assert asked == {"maker": {"analyse", "propose"}, "solver": {"solve"}}
    plan, maker, solver = replay_plan(first / JOURNAL, bases=script.BASES)
    run_making(plan, maker, second, solver=solver, bases=script.BASES)
    assert _files(first) == _files(second)


@pytest.mark.slow
def test_a_fault_of_the_backend_is_an_error_and_the_same_command_goes_on(done, script, tmp_path):
    def fails(request):
        if request.session.endswith(("solve/40002", "state/3")):
            raise OSError("the line is dead")

    with pytest.raises(BackendError, match="the line is dead"):
        run_making(PLAN, script.model(hear=fails), tmp_path, bases=script.BASES, combos={})
    assert not (tmp_path / SUMMARY).exists()
    assert not list(tmp_path.rglob("*.yaml"))
    assert b"the line is dead" not in (tmp_path / JOURNAL).read_bytes()
    asked = []
    run_making(PLAN, script.model(hear=lambda r: asked.append(r.session)), tmp_path, bases=script.BASES, combos={})
    assert _files(tmp_path) == _files(done[0])
    assert asked[0].endswith("solve/40002") or asked[0].endswith("state/3")
    assert len(asked) == 7


def test_a_fault_of_the_sandbox_is_an_error_too(script, tmp_path, monkeypatch):
    from finchmark.suite.sandbox import Sandbox, SandboxFailure

    async def fails(self, *args, **kwargs):
        raise SandboxFailure("the parent is gone")

    monkeypatch.setattr(Sandbox, "judge", fails)
    with pytest.raises(SandboxFailure, match="the parent is gone"):
        run_making(PLAN, script.model(), tmp_path, bases=script.BASES, combos={})
    assert not (tmp_path / SUMMARY).exists()


def test_another_plan_in_the_same_folder_is_refused(done, script):
    with pytest.raises(SpecMismatch, match="another seed"):
        run_making(
            Plan(explore=("walk_end",), combos=1, proposals=6, tries=5, seed=1),
            script.model(),
            done[0],
            bases=script.BASES,
            combos={},
        )


def test_recordings_of_other_problems_are_refused(done, script):
    other = {**script.BASES, "walk_end": replace(script.BASES["walk_end"], statement="?")}
    with pytest.raises(UsageError, match="other prompts or problems"):
        replay_plan(done[0], bases=other, combos={})


def test_a_recording_that_was_cut_short_says_so(done, script, tmp_path):
    lines = (done[0] / JOURNAL).read_bytes().splitlines(keepends=True)
    (tmp_path / "cut").mkdir()
    (tmp_path / "cut" / JOURNAL).write_bytes(b"".join(lines[: len(lines) // 2]))
    plan, backend, _ = replay_plan(tmp_path / "cut", bases=script.BASES, combos={})
    with pytest.raises(StoreError, match="no reply to a request"):
        run_making(plan, backend, tmp_path / "again", bases=script.BASES, combos={})


def test_what_is_not_there_is_refused(script, tmp_path):
    with pytest.raises(UnknownName, match="no problem 'walk_ends'"):
        run_making(Plan(explore=("walk_ends",)), script.model(), tmp_path)
    with pytest.raises(UsageError, match="2 pairs were asked for; there are 1"):
        run_making(Plan(combos=2), script.model(), tmp_path, bases=script.BASES, combos={})


_KILLED = """
import importlib.util, os, signal, sys
from pathlib import Path
spec = importlib.util.spec_from_file_location("script", sys.argv[1])
script = importlib.util.module_from_spec(spec)
spec.loader.exec_module(script)
from finchmark.tasks.creativebench.harder.pipeline import run_making
from finchmark.tasks.creativebench.harder.plan import Plan

left = 9

def hear(request):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)

plan = Plan(explore=("walk_end",), combos=1, proposals=6, tries=5)
run_making(plan, script.model(hear=hear), Path(sys.argv[2]), bases=script.BASES, combos={})
"""


@pytest.mark.slow
def test_killed_again_and_again_it_ends_with_the_same_bytes(done, script, tmp_path):
    code = tmp_path / "killed.py"
    code.write_text(_KILLED)
    out, kills = tmp_path / "out", 0
    command = [sys.executable, str(code), script.__file__, str(out)]
    while (ran := subprocess.run(command, capture_output=True, text=True, timeout=300)).returncode:
        assert ran.returncode == -signal.SIGKILL, ran.stderr
        kills += 1
        assert kills < 10
        with (out / JOURNAL).open("ab") as journal:
            journal.write(b'{"kind": "call", "unit": "expl')  # what a kill may leave
    assert kills >= 3
    assert _files(out) == _files(done[0])


def test_two_at_once_in_one_folder_are_refused(script, tmp_path):
    from finchmark.tasks.creativebench.harder.journal import Journal

    code = (
        "import sys; from pathlib import Path; from finchmark.tasks.creativebench.harder.journal import Journal\n"
        "journal = Journal(Path(sys.argv[1]), {'a': 1}); print('open', flush=True); sys.stdin.read()"
    )
    held = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / JOURNAL)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert held.stdout is not None
        assert held.stdout.readline() == "open\n"
        with pytest.raises(RunLocked):
            Journal(Path(tmp_path / JOURNAL), {"a": 1})
    finally:
        held.kill()
        held.wait()
