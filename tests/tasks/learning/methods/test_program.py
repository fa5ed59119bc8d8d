"""Programs of the offline optimiser: read and written, played, and searched for."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finchmark.suite.sandbox.inside.function import call, faults
from finchmark.suite.seeds import generator
from finchmark.tasks.learning.methods.code_agent import NAME, PARAMETERS, STOCK
from finchmark.tasks.learning.methods.evaluation import Evaluation, Move, Trajectory
from finchmark.tasks.learning.methods.optimiser import Case, Edit
from finchmark.tasks.learning.methods.program import Program
from finchmark.tasks.learning.methods.search import SearchOptimiser

WORDS = st.text(max_size=12)


@given(
    st.builds(
        Program,
        st.lists(WORDS).map(tuple),
        st.lists(WORDS).map(tuple),
        st.dictionaries(WORDS, st.integers(0, 80).map(lambda n: n / 10)),
        st.sampled_from([0.0, 0.5, 0.9]),
        st.sampled_from([0.0, 0.25, 1.0]),
    )
)
def test_a_program_is_read_as_it_is_written_and_is_in_the_language(program):
    assert Program.read(program.text()) == program
    assert faults(program.text(), NAME, len(PARAMETERS)) == ""


@pytest.mark.parametrize("source", ["", STOCK, "ACTIONS = [", 'ACTIONS = 3\nAGAIN = "x"\nWEIGHTS = [1]\nIDLE = 7'])
def test_of_another_program_nothing_is_taken(source):
    assert Program.read(source) == Program(())


def played(program: Program, shown: list[str], seed: int = 0) -> list[str]:
    """What a program does, turn by turn. This one is ours: it needs no boundary."""
    memory: dict = {}
    found = []
    for turn, text in enumerate(shown):
        ((_, value, arguments),) = call(program.text(), NAME, [([text, "", None, memory], seed + turn)], 10**6)
        memory = arguments[3]
        found.append(value["action"])
    return found


def turns(*views: str, pay: float = 0.0) -> list[str]:
    return [f"Step {n} of 99. Reward: {pay}.\n{view}" for n, view in enumerate(views)]


def test_it_begins_with_its_opening_and_avoids_what_weighs_nothing():
    program = Program(("a", "b", "c"), ("c", "b"), {"a": 0.0, "b": 0.0})
    assert played(program, turns("x", "y", "z", "v")) == ["c", "b", "c", "c"]


def test_it_does_again_what_has_just_paid():
    program = Program(("a", "b", "c", "d"), ("b",), again=1.0)
    assert played(program, turns(*"xyzuvw", pay=1.0)) == ["b"] * 6
    assert len(set(played(program, turns(*"xyzuvw"), 1)[1:])) > 1


def test_it_shuns_what_has_changed_nothing():
    """Where nothing changes it tries each of its actions once, and then any: all of them were idle."""
    for seed in range(5):
        assert sorted(played(Program(("a", "b", "c"), idle=0.0), turns(*"xxx"), seed)) == ["a", "b", "c"]


def episode(*, usable: bool = True) -> Trajectory:
    moves, eaten = [], 0
    for n in range(12):
        action = ("eat", "wait", "sing")[n % 3]
        moves.append(
            Move(f"Step {n} of 12.\neaten {eaten}", action, usable and action != "sing", float(action == "eat"))
        )
        eaten += action == "eat"
    return Trajectory("l", 0, 1.0, 1.0, moves=tuple(moves), after=f"Step 12 of 12.\neaten {eaten}")


async def nobody(messages):
    raise AssertionError("an offline optimiser asks nobody")


def searched(signal: str, current: str = "", seed: int = 0, trajectories=None) -> Edit:
    evaluation = Evaluation("train", tuple(trajectories or [episode()]))
    case = Case("w", "Play.", signal, "agent", current, evaluation, 1)  # type: ignore[arg-type] # a test's text
    return asyncio.run(SearchOptimiser().propose(case, nobody, generator("s", seed)))


def test_the_search_writes_programs_of_what_was_usable():
    for signal in ("dynamics", "instruction"):
        for seed in range(10):
            edit = searched(signal, seed=seed)
            assert edit.text is not None
            assert faults(edit.text, NAME, len(PARAMETERS)) == ""
            assert Program.read(edit.text).actions == ("eat", "wait")


def test_dynamics_weigh_what_pays_and_instructions_begin_as_the_best_did():
    found = [Program.read(searched("dynamics", seed=seed).text or "") for seed in range(10)]
    assert all(program.weights.get("eat", 2) > 1 for program in found)
    assert {program.again for program in found} > {0.0}
    found = [Program.read(searched("instruction", seed=seed).text or "") for seed in range(10)]
    assert any(program.opening[:1] == ("eat",) for program in found)
    assert {program.idle for program in found} > {1.0}


def test_what_is_there_is_edited_and_an_edit_is_always_another_program():
    current = Program(("eat", "wait", "dance"), ("wait",), {"dance": 4.0}, 0.9, 0.25).text()
    for seed in range(20):
        edit = searched("dynamics", current, seed)
        assert edit.text != current
        assert "dance" in Program.read(edit.text or "").actions


def test_the_same_seed_writes_the_same_program_and_another_another():
    assert searched("instruction", seed=1) == searched("instruction", seed=1)
    assert len({searched("instruction", seed=seed).text for seed in range(8)}) > 1


def test_where_nothing_was_usable_there_is_no_program():
    assert searched("dynamics", trajectories=[episode(usable=False)]).text is None
