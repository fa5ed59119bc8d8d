"""The loop: what it selects, evaluates and chooses, what it stops for, and that it goes on after a kill."""

from __future__ import annotations

import importlib.util
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from finchmark.suite.backends.scripted import ScriptedBackend
from finchmark.suite.errors import BackendError, SpecMismatch, StoreError, UnknownName, UsageError
from finchmark.tasks.learning.methods.cost import Budget
from finchmark.tasks.learning.methods.experiment import run_methods
from finchmark.tasks.learning.methods.journal import JOURNAL, read_journal
from finchmark.tasks.learning.methods.optimiser import Edit, FunctionOptimiser, ModelOptimiser, NoOptimiser
from finchmark.tasks.learning.methods.plan import Plan
from finchmark.tasks.learning.methods.recording import Replay
from finchmark.tasks.learning.methods.result import RESULT, MethodsResult, read_result
from finchmark.tasks.learning.methods.search import SearchOptimiser

# Test folders are no packages: the islands are loaded from their file.
_spec = importlib.util.spec_from_file_location("learning_islands", Path(__file__).with_name("islands.py"))
assert _spec is not None
assert _spec.loader is not None
islands = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(islands)
Island, climber, wordsmith = islands.Island, islands.climber, islands.wordsmith


def run(out: Path, plan: Plan, optimiser=None, places=None) -> MethodsResult:
    found = places or [Island(name) for name in plan.worlds]
    optimiser = optimiser or FunctionOptimiser(climber(0.5), "climber 0.5")
    return run_methods(plan, None, optimiser, out, arenas={place.name: place for place in found})


def plan(**changes) -> Plan:
    return Plan(**{"worlds": ("a", "b"), "iterations": 4, **changes})


def test_selecting_the_best_finds_what_improves(tmp_path):
    """Of ten steps half go up: whoever keeps the best climbs about half of the way, and drops no step by mistake."""
    places = [Island("a", luck=0.02)]
    always = FunctionOptimiser(climber(0.5, step=1.0), "half")
    cell = run(
        tmp_path, plan(worlds=("a",), iterations=10, methods=("best-dynamics-prompt",)), always, places
    ).cell("a", "best-dynamics-prompt")  # fmt: skip
    ups = [one for one in cell["candidates"] if one["change"] == "up"]
    chosen = next(one for one in cell["candidates"] if one["id"] == cell["chosen"])
    assert islands.skill(chosen["values"]["prompt"]) == len(ups) > 2
    assert cell["test"]["score"] == pytest.approx(len(ups), abs=0.2)


def test_only_the_best_is_optimised(tmp_path):
    cell = run(tmp_path, plan(worlds=("a",), methods=("best-dynamics-prompt",))).cell("a", "best-dynamics-prompt")
    for one in cell["candidates"][1:]:
        before = [other for other in cell["candidates"] if other["iteration"] < one["iteration"]]
        assert one["parent"] == max(before, key=lambda other: other["train"]["score"])["id"]


def test_the_front_keeps_the_cheap_one(tmp_path):
    """A dear candidate that scores more leaves the cheap one on the front: both are optimised."""

    def dearer(case, rng) -> Edit:
        return Edit(f"skill 1 cost 99 {rng.integers(10**9)}", "dearer")

    optimiser = FunctionOptimiser(dearer, "dearer")
    result = run(tmp_path, plan(worlds=("a",), iterations=2), optimiser, [Island("a", luck=0.01)])
    first = result.start("a")["id"]
    of = {name: [one["parent"] for one in result.cell("a", name)["candidates"]] for name in result.methods}
    assert of["pareto-dynamics-prompt"].count(first) == 2
    assert of["best-dynamics-prompt"].count(first) == 1


def test_a_limit_on_parents_holds(tmp_path):
    result = run(tmp_path, plan(parents=1))
    for cell in result.cells:
        iterations = [one["iteration"] for one in cell["candidates"]]
        assert len(set(iterations)) == len(iterations)


def test_candidates_of_an_iteration_meet_fresh_train_levels(tmp_path):
    cell = run(tmp_path, plan()).cell("a", "best-dynamics-prompt")
    levels = [set(one["train"]["levels"]) for one in cell["candidates"]]
    assert all(not a & b for n, a in enumerate(levels) for b in levels[:n])


def test_all_methods_of_an_iteration_meet_the_same_train_levels(tmp_path):
    result = run(tmp_path, plan(iterations=1))
    found = {tuple(sorted(result.cell("a", name)["candidates"][1]["train"]["levels"])) for name in result.methods}
    assert len(found) == 1


def test_runs_learn_on_other_levels_and_are_tested_on_the_same(tmp_path):
    result = run(tmp_path, plan(runs=2))
    one, two = (result.cell("a", "best-dynamics-prompt", number) for number in (0, 1))
    assert set(one["candidates"][1]["train"]["levels"]).isdisjoint(two["candidates"][1]["train"]["levels"])
    assert set(one["test"]["levels"]) == set(two["test"]["levels"])
    assert result.start("a", 0)["test"]["score"] != result.start("a", 1)["test"]["score"]


def test_splits_are_apart(tmp_path):
    with pytest.raises(UsageError, match="is both a"):
        run(tmp_path, plan(worlds=("a",)), places=[Island("a", overlap=True)])


def test_the_choice_is_made_on_validation_and_not_on_test(tmp_path):
    result = run(tmp_path, plan(iterations=8))
    for cell in result.cells:
        assert cell["validation"]["score"] == max(one["validation"]["score"] for one in cell["candidates"])


def test_only_the_first_and_the_chosen_play_test_levels(tmp_path):
    place = Island("a")
    result = run(tmp_path, plan(worlds=("a",)), places=[place])
    allowed = {cell["chosen"] for cell in result.cells} | {result.start("a")["id"]}
    assert {id for id, level, _ in place.played if level.startswith("test-")} <= allowed


def test_an_optimiser_sees_training_only(tmp_path):
    seen: set[str] = set()

    def look(case, rng) -> Edit:
        seen.update(trajectory.level.partition("-")[0] for trajectory in case.evaluation.trajectories)
        return Edit(f"skill 0 {rng.integers(10**9)}", "look")

    run(tmp_path, plan(), FunctionOptimiser(look, "look"))
    assert seen == {"train"}


def test_what_was_played_on_validation_and_test_is_kept_without_its_turns(tmp_path):
    run(tmp_path, plan())
    _, records = read_journal(tmp_path / JOURNAL)
    kept = {(r["place"][2], bool(r["trajectory"]["moves"])) for r in records if r["kind"] == "episode"}
    assert kept == {("train", True), ("validation", False), ("test", False)}


def test_without_a_change_nothing_is_chosen_but_the_first(tmp_path):
    result = run(tmp_path, plan(), NoOptimiser())
    for cell in result.cells:
        assert cell["chosen"] == result.start(cell["world"])["id"]
        assert cell["test"] == result.start(cell["world"])["test"]
        assert len(cell["refused"]) == 4


def test_the_same_contents_again_are_no_new_candidate(tmp_path):
    again = FunctionOptimiser(lambda case, rng: Edit("skill 1", "again"), "again")
    cell = run(tmp_path, plan(methods=("best-dynamics-prompt",)), again).cell("a", "best-dynamics-prompt")
    assert len(cell["candidates"]) == 2
    assert "there already" in cell["refused"][0]["why"]


def test_an_edit_that_is_too_long_is_refused(tmp_path):
    long = FunctionOptimiser(lambda case, rng: Edit("x" * 7_000, "long"), "long")
    cell = run(tmp_path, plan(), long).cells[0]
    assert len(cell["candidates"]) == 1
    assert "7000 characters" in cell["refused"][0]["why"]


@pytest.mark.parametrize("budget", [Budget(calls=12), Budget(tokens=120), Budget(usd=1e-9)])
def test_a_budget_stops_and_says_so(tmp_path, budget):
    """Each evaluation is 5 calls and 50 tokens: the first three use it up. Nothing is paid here."""
    result = run(tmp_path, plan(iterations=9, budget=budget, methods=("best-dynamics-prompt",)))
    for cell in result.cells:
        if budget.usd:
            assert cell["stopped"] == ""
        else:
            assert "used up" in cell["stopped"]
            assert len(cell["candidates"]) == 3
            assert cell["iterations"] == 2


def test_costs_are_told_by_part_and_shared_work_counts_once_in_all(tmp_path):
    result = run(tmp_path, plan(worlds=("a",), iterations=2))
    cell = result.cells[0]
    assert cell["costs"]["train"]["calls"] == 5 * len(cell["candidates"])
    assert cell["costs"]["validation"]["calls"] == 5 * len(cell["candidates"])
    assert cell["costs"]["test"]["calls"] == 10
    assert result.spent.calls < sum(result.cost(name).calls for name in result.methods)
    _, records = read_journal(tmp_path / JOURNAL)
    assert result.spent.calls == sum(len(record["calls"]) for record in records)


def test_the_lineage_leads_from_the_first_to_the_chosen(tmp_path):
    result = run(tmp_path, plan(iterations=8), FunctionOptimiser(climber(1.0), "up"))
    line = result.lineage("a", "best-dynamics-prompt")
    assert line[0].id == result.start("a")["id"]
    assert line[-1].id == result.cell("a", "best-dynamics-prompt")["chosen"]
    assert [a.id for a in line[:-1]] == [b.parent for b in line[1:]]


def test_all_eight_methods_are_taken_unless_told_otherwise(tmp_path):
    result = run(tmp_path, plan(worlds=("a",), iterations=1))
    assert len({cell["method"] for cell in result.cells}) == 8
    for cell in result.cells:
        edited = "agent" if cell["method"].endswith("agent") else "prompt"
        assert all(one["values"].get(edited) for one in cell["candidates"][1:])
        assert not any(one["values"].get("agent") for one in cell["candidates"] if edited == "prompt")


def test_code_that_cannot_play_is_no_candidate_and_is_kept_for_people(tmp_path):
    forbidden = FunctionOptimiser(lambda case, rng: Edit("forbidden", "new", "a report"), "forbidden")
    result = run(tmp_path, plan(worlds=("a",), iterations=1), forbidden)
    code, prompt = (result.cell("a", f"best-dynamics-{part}") for part in ("agent", "prompt"))
    assert (len(code["candidates"]), len(prompt["candidates"])) == (1, 2)
    assert code["refused"][0]["why"] == "the code was refused: it is forbidden here"
    _, records = read_journal(tmp_path / JOURNAL)
    (kept,) = {r["edit"]["analysis"] for r in records if r["kind"] == "edit" and r["place"][3] == "agent"}
    assert kept == "a report\n\nRefused code:\nforbidden"


def test_an_unknown_method_is_refused():
    with pytest.raises(UnknownName, match="best-dynamics-prompt"):
        plan(methods=("best-dynamic-prompt",))


@pytest.mark.parametrize(
    ("field", "value"), [("iterations", 0), ("train", 0), ("runs", 0), ("temperature", -1), ("parents", 0)]
)
def test_numbers_out_of_range_are_refused(field, value):
    with pytest.raises(UsageError, match=field):
        plan(**{field: value})


def test_no_experiment_plays_more_than_its_plan_foretells(tmp_path):
    """Methods that share nothing would play them all; those of one signal share some."""
    place = Island("a")
    whole = plan(worlds=("a",), parents=2, samples=2)
    run(tmp_path, whole, places=[place])
    assert len(place.played) <= (whole.most_episodes() or 0)
    one = plan(worlds=("a",), methods=("best-dynamics-prompt",), iterations=3)
    place = Island("a")
    run(tmp_path / "one", one, FunctionOptimiser(climber(1.0), "up"), [place])
    # The first candidate's train and validation levels are counted for the method and for the start: five too many.
    assert len(place.played) == (one.most_episodes() or 0) - 5


def test_a_front_without_a_limit_has_no_bound():
    assert plan().most_episodes() is None


def test_a_world_cannot_stand_twice():
    with pytest.raises(UsageError, match="stands twice"):
        plan(worlds=("a", "a"))


def test_going_on_plays_and_asks_nothing_twice(tmp_path):
    run(tmp_path, plan())
    before = (tmp_path / RESULT).read_bytes()

    def never(case, rng):
        raise AssertionError("asked twice")

    places = [Island("a"), Island("b")]
    run(tmp_path, plan(), FunctionOptimiser(never, "climber 0.5"), places)
    assert not places[0].played
    assert (tmp_path / RESULT).read_bytes() == before


def test_any_prefix_of_a_journal_goes_on_to_the_same_bytes(tmp_path):
    """As a kill leaves it: some lines, and half of one."""
    run(tmp_path / "whole", plan())
    raw = (tmp_path / "whole" / JOURNAL).read_bytes()
    for share in (0.001, 0.1, 0.5, 0.93):
        out = tmp_path / f"cut{share}"
        out.mkdir()
        (out / JOURNAL).write_bytes(raw[: int(len(raw) * share)])
        run(out, plan())
        assert (out / RESULT).read_bytes() == (tmp_path / "whole" / RESULT).read_bytes()


def test_other_settings_in_the_same_folder_are_refused(tmp_path):
    run(tmp_path, plan())
    with pytest.raises(SpecMismatch, match="iterations"):
        run(tmp_path, plan(iterations=5))
    with pytest.raises(SpecMismatch, match="optimiser"):
        run(tmp_path, plan(), NoOptimiser())


def test_a_damaged_journal_is_told(tmp_path):
    run(tmp_path, plan())
    lines = (tmp_path / JOURNAL).read_bytes().splitlines(keepends=True)
    (tmp_path / JOURNAL).write_bytes(b"".join([lines[0], b"{half\n", *lines[2:]]))
    with pytest.raises(StoreError, match="line 2"):
        run(tmp_path, plan())


def test_a_folder_without_a_result_says_how_to_go_on(tmp_path):
    with pytest.raises(StoreError, match="goes on"):
        read_result(tmp_path)


# Worlds, executors and models

_WORLDS = Plan(("foraging-open",), methods=("*-prompt",), iterations=2, train=2, validation=2, test=2)


def follow(out: Path, plan: Plan = _WORLDS, optimiser=None) -> MethodsResult:
    return run_methods(plan, ScriptedBackend("follower"), optimiser or SearchOptimiser(), out)


def test_a_whole_experiment_runs_without_a_model(tmp_path):
    result = follow(tmp_path)
    assert {cell["method"] for cell in result.cells} == set(_WORLDS.methods)
    assert all(len(cell["test"]["levels"]) == 2 for cell in result.cells)


@pytest.mark.slow
def test_counting_alone_learns_to_eat(tmp_path):
    """Search finds that eating pays in a world that tells all: on test levels that it never saw."""
    wide = Plan(("foraging-open",), methods=("best-dynamics-prompt",), iterations=5)
    result = follow(tmp_path, wide)
    assert result.cells[0]["test"]["score"] > result.start("foraging-open")["test"]["score"] + 0.1


def test_a_reference_that_reads_no_advice_gains_nothing(tmp_path):
    result = run_methods(_WORLDS, ScriptedBackend("random"), SearchOptimiser(), tmp_path)
    for cell in result.cells:
        assert cell["test"]["score"] == result.start("foraging-open")["test"]["score"]


def test_a_world_without_a_scale_is_refused(tmp_path):
    with pytest.raises(UnknownName, match="wind-gather"):
        follow(tmp_path, Plan(("wind-gathr",)))


def writer(request) -> str:
    """A model as optimiser: a report, then advice that depends on the seed."""
    if len(request.messages) == 1:
        return "Eating pays."
    return f"Sure.\n<advice>\nBegin with: eat.\nCall {request.seed % 1000}.\n</advice>"


def model() -> ModelOptimiser:
    return ModelOptimiser(ScriptedBackend("writer", function=writer))


def test_a_model_optimises(tmp_path):
    result = follow(tmp_path, optimiser=model())
    cell = result.cells[0]
    assert len(cell["candidates"]) == 3
    assert cell["candidates"][1]["values"]["prompt"].startswith("Begin with: eat.")
    assert cell["costs"]["optimise"]["calls"] == 4


def test_a_model_that_writes_no_advice_changes_nothing(tmp_path):
    mute = ModelOptimiser(ScriptedBackend("mute", function=lambda request: "I would eat."))
    cell = follow(tmp_path, optimiser=mute).cells[0]
    assert len(cell["candidates"]) == 1
    assert "no <advice>" in cell["refused"][0]["why"]


def test_a_replay_gives_the_same_bytes_and_asks_no_model(tmp_path):
    follow(tmp_path / "whole", optimiser=model())
    whole = tmp_path / "whole"
    again = Plan.from_data(read_journal(whole / JOURNAL)[0])
    run_methods(again, Replay(whole, "executor"), ModelOptimiser(Replay(whole, "optimiser")), tmp_path / "again")
    assert (tmp_path / "again" / RESULT).read_bytes() == (whole / RESULT).read_bytes()


def test_a_replay_of_a_recording_that_was_cut_short_says_so(tmp_path):
    follow(tmp_path / "whole")
    lines = (tmp_path / "whole" / JOURNAL).read_bytes().splitlines(keepends=True)
    (tmp_path / "short").mkdir()
    (tmp_path / "short" / JOURNAL).write_bytes(b"".join(lines[:3]))
    with pytest.raises(StoreError, match="cut short"):
        run_methods(_WORLDS, Replay(tmp_path / "short", "executor"), SearchOptimiser(), tmp_path / "out")


def test_a_backend_that_fails_decides_nothing_and_the_same_command_goes_on(tmp_path):
    calls = 0

    def broken(request) -> str:
        nonlocal calls
        calls += 1
        if calls > 2:
            raise OSError("the line is dead")
        return writer(request)

    broken_backend = ScriptedBackend("writer", function=broken)
    broken_backend.identity = model().backend.identity
    with pytest.raises(BackendError, match="line is dead"):
        follow(tmp_path, optimiser=ModelOptimiser(broken_backend))
    follow(tmp_path, optimiser=model())
    follow(tmp_path / "whole", optimiser=model())
    assert (tmp_path / RESULT).read_bytes() == (tmp_path / "whole" / RESULT).read_bytes()


_KILLED = """
import os, signal, sys
from pathlib import Path
from finchmark.suite.backends.scripted import ScriptedBackend
from finchmark.tasks.learning.methods.experiment import run_methods
from finchmark.tasks.learning.methods.journal import Journal
from finchmark.tasks.learning.methods.plan import Plan
from finchmark.tasks.learning.methods.search import SearchOptimiser

left = int(sys.argv[2])
write = Journal.write

def counted(self, record):
    global left
    found = write(self, record)
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return found

Journal.write = counted
plan = Plan(("foraging-open",), methods=("*-prompt",), iterations=2, train=2, validation=2, test=2)
run_methods(plan, ScriptedBackend("follower"), SearchOptimiser(), Path(sys.argv[1]))
"""


@pytest.mark.slow
def test_a_killed_experiment_goes_on_and_ends_in_the_same_bytes(tmp_path):
    """Killed by SIGKILL after every few records."""
    script = tmp_path / "killed.py"
    script.write_text(_KILLED)
    ends = []
    for _ in range(20):
        done = subprocess.run([sys.executable, script, tmp_path / "out", "9"], capture_output=True, timeout=120)
        ends.append(done.returncode)
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    assert ends[-1] == 0
    assert len(ends) > 2
    _, records = read_journal(tmp_path / "out" / JOURNAL)
    places = [(record["kind"], *record["place"]) for record in records]
    assert len(set(places)) == len(places)
    follow(tmp_path / "whole")
    assert (tmp_path / "out" / RESULT).read_bytes() == (tmp_path / "whole" / RESULT).read_bytes()


def test_the_result_holds_no_times_paths_or_hosts(tmp_path):
    follow(tmp_path)
    text = (tmp_path / RESULT).read_text()
    assert str(tmp_path) not in text
    assert "seconds" not in json.loads(text)
