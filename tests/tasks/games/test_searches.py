"""Searches in a folder: what is kept, what is shown, and going on after a kill."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time

import pytest

pytest.importorskip("pyspiel")

from finchmark.suite.backends.scripted import ScriptedBackend
from finchmark.suite.errors import BackendError, SpecMismatch, StoreError, UsageError
from finchmark.tasks.games.programs import PROGRAMS
from finchmark.tasks.games.regret import RULES
from finchmark.tasks.games.search_text import searches_text
from finchmark.tasks.games.searches import JOURNAL, SearchPlan, read_searches, run_searches

SMALL = {"kind": "rule", "games": ("kuhn",), "held_out": ("goofspiel3",), "islands": 2}
PLAN = SearchPlan(seeds=2, budget=7, blind=True, **SMALL)
BETTER = "regret: max(R + r, 0)\nweight: R\naverage: t"


def run(plan, out, **options):
    return asyncio.run(run_searches(plan, out, **options))


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    out = tmp_path_factory.mktemp("searches")
    return run(PLAN, out), out


def test_every_attempt_of_every_arm_and_seed_is_kept(done):
    found, _ = done
    assert sorted(found.attempts) == [(arm, seed) for arm in ("blind", "select") for seed in (1, 2)]
    assert all([a.number for a in attempts] == list(range(7)) for attempts in found.attempts.values())
    assert all(found.curve(*place)[-1] == found.best(*place).fitness for place in found.attempts)


def test_known_algorithms_and_the_best_are_run_on_held_out_games(done):
    found, _ = done
    assert list(found.known) == list(RULES)
    for place, other in found.held_out.items():
        assert other.genome == found.best(*place).genome
        assert [name for name, _ in other.games] == ["goofspiel3"]


def test_pairs_start_alike(done):
    found, _ = done
    for seed in (1, 2):
        first = [found.attempts[arm, seed][1].candidate for arm in ("select", "blind")]
        assert first[0] == first[1]


def test_a_folder_that_is_done_is_not_done_again(done):
    found, out = done
    before = (out / JOURNAL).read_bytes()
    again = run(PLAN, out)
    assert (out / JOURNAL).read_bytes() == before
    assert searches_text(again) == searches_text(found)


def test_another_plan_is_refused_in_the_same_folder(done):
    _, out = done
    with pytest.raises(SpecMismatch, match="budget"):
        run(SearchPlan(seeds=2, budget=8, blind=True, **SMALL), out)


def test_what_is_shown_has_curves_pairs_baselines_and_the_best(done):
    text = searches_text(done[0])
    for part in ("Search for rules", "select  mean", "paired over 2 seeds", "28 of 28", "predictive+", "regret: "):
        assert part in text
    assert "Under 6 seeds: these searches only" in text


def test_an_unfinished_folder_is_shown_too(done, tmp_path):
    _, out = done
    lines = (out / JOURNAL).read_bytes().splitlines(keepends=True)
    (tmp_path / JOURNAL).write_bytes(b"".join(lines[:12]))
    text = searches_text(read_searches(tmp_path))
    assert " of 28 evaluations" in text
    assert "28 of 28" not in text


def test_a_folder_without_searches_is_told(tmp_path):
    with pytest.raises(StoreError):
        read_searches(tmp_path)


COMMAND = [
    "games", "evolve", "--kind", "rule", "--held-out", "goofspiel3", "--seeds", "1", "--budget", "400", "--games",
    "kuhn,goofspiel4",
]  # fmt: skip


def test_a_kill_leaves_whole_attempts_and_those_that_a_shorter_search_has(tmp_path):
    """SIGKILL in the middle, and a line that was cut off."""
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    out = tmp_path / "out"
    code = "from finchmark.suite.cli import main; main()"
    command = [sys.executable, "-c", code, *COMMAND, "--out", str(out)]
    process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if (out / JOURNAL).exists() and (out / JOURNAL).read_bytes().count(b'"attempt"') >= 6:
            break
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    with (out / JOURNAL).open("ab") as file:
        file.write(b'{"kind": "attempt", "place": ["select", 1')  # a line that the kill cut off
    lines = (out / JOURNAL).read_bytes().splitlines()
    settings = json.loads(lines[0])["settings"]
    killed_at = sum(b'"attempt"' in line for line in lines[:-1])
    assert 6 <= killed_at < 400
    whole = run(
        SearchPlan(kind="rule", games=("kuhn", "goofspiel4"), held_out=("goofspiel3",), seeds=1, budget=killed_at),
        tmp_path / "whole",
    )
    found = read_searches(out)
    assert list(found.attempts["select", 1]) == list(whole.attempts["select", 1])
    assert settings["budget"] == 400


def test_going_on_gives_what_an_unbroken_search_gives(tmp_path, done):
    """Every length of journal that a kill may leave."""
    found, out = done
    lines = (out / JOURNAL).read_bytes().splitlines(keepends=True)
    for number in range(1, len(lines), 5):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / JOURNAL).write_bytes(b"".join(lines[:number]) + lines[number][:20])
        again = run(PLAN, folder)
        assert searches_text(again) == searches_text(found)


def test_a_backend_as_mutator_leads_where_its_answers_lead(tmp_path):
    plan = SearchPlan(seeds=1, budget=3, **SMALL)
    found = run(plan, tmp_path, backend=ScriptedBackend("canned", replies=[BETTER]))
    assert found.best("select", 1).genome == RULES["cfr+"]
    assert found.attempts["select", 1][1].proposal.reply == BETTER
    assert found.mutator["backend"]["name"] == "scripted:canned"
    assert "The model read" in searches_text(found)


def test_a_backend_that_fails_leaves_what_was_done(tmp_path):
    def answer(request):
        if calls:
            raise OSError("gone")
        calls.append(1)
        return BETTER

    calls = []
    plan = SearchPlan(seeds=1, budget=5, **{**SMALL, "islands": 1})
    with pytest.raises(BackendError, match="gone"):
        run(plan, tmp_path, backend=ScriptedBackend(function=answer))
    assert len(read_searches(tmp_path).attempts["select", 1]) == 2


def test_a_model_s_program_is_run_in_the_sandbox_and_what_is_none_costs(tmp_path, trial):
    replies = ["I would clip the regrets.", f"Clipped:\n```python\n{PROGRAMS['regret']['cfr+'].source}```"]
    plan = SearchPlan(kind="regret", seeds=1, budget=3, held_out=("goofspiel3",), islands=1)
    asked = []

    def answer(request):
        asked.append(request.messages[-1].content)
        return replies[len(asked) - 1]

    found = run(plan, tmp_path, backend=ScriptedBackend(function=answer))
    attempts = found.attempts["select", 1]
    assert [attempt.candidate is None for attempt in attempts] == [False, True, False]
    assert attempts[2].candidate.fitness == pytest.approx(found.known["cfr+"][0].fitness)
    assert PROGRAMS["regret"]["cfr"].source.strip() in asked[1]
    assert f"{attempts[0].candidate.fitness:.3f}" in asked[1]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"kind": "dance"}, "there are rule, regret, meta"),
        ({"games": ("chess",)}, "there are kuhn"),
        ({"games": ("goofspiel3",)}, "held out from searches"),
        ({"games": ()}, "needs a game"),
        ({"held_out": ("kuhn",)}, "cannot be searched on and held out"),
        ({"seeds": 0}, "at least 1"),
        ({"temperature": 0.0}, "above 0"),
        ({"start": "uniform"}, "there are cfr"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(wrong, message):
    with pytest.raises(UsageError, match=message):
        SearchPlan(**wrong)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["regret", "meta"])
def test_programs_improve_in_the_sandbox_without_a_model(kind, tmp_path, trial):
    plan = SearchPlan(kind=kind, seeds=1, budget=28, held_out=("goofspiel3",))
    found = run(plan, tmp_path)
    curve = found.curve("select", 1)
    assert curve[-1] < curve[0] - 0.05
    plain = next(iter(PROGRAMS[kind]))
    assert found.attempts["select", 1][0].candidate.genome == PROGRAMS[kind][plain]
