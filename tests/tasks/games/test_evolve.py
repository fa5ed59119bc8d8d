"""The search: selection, islands, budget, and going on where it was."""

from __future__ import annotations

import math

import numpy as np
import pytest

pytest.importorskip("pyspiel")

from finchmark.suite.seeds import generator
from finchmark.tasks.games.candidate import Candidate, Proposal, assess, judge_rule, scored
from finchmark.tasks.games.evolve import Attempt, evolve
from finchmark.tasks.games.expression_edits import ExpressionEdits
from finchmark.tasks.games.programs import PROGRAMS
from finchmark.tasks.games.regret import RULES, Rule

SHORT = (1, 2, 5, 10)
EDITS = {"mutator": ExpressionEdits(), "start": RULES["cfr"]}


async def by_length(rule, games):
    """A landscape without a game: the longer the better, a niche for every length."""
    length = len(rule.regret)
    return Candidate(rule, -float(length), -float(length), (length // 10, 0))


async def short(rule, games):
    return assess(rule, games, SHORT)


def test_fitness_orders_the_known_rules():
    fitness = [assess(RULES[name], ["kuhn"]).fitness for name in ("cfr", "cfr+", "predictive+")]
    assert fitness[0] > fitness[1] > fitness[2]


def test_fitness_is_the_area_and_final_the_end_of_the_log_curve():
    found = scored(RULES["cfr"], ["kuhn"], [[11 / 24, 11 / 240, 11 / 2400]])
    assert (found.fitness, found.final) == pytest.approx((-1.0, -2.0))
    assert found.games == (("kuhn", pytest.approx(-2.0)),)


def test_a_rule_that_breaks_down_is_worse_than_all():
    assert (
        assess(Rule("R / 0", "R", "1"), ["kuhn"], SHORT).fitness > assess(Rule("R", "R", "1"), ["kuhn"], SHORT).fitness
    )


@pytest.mark.parametrize("genome", [RULES["discounted"], PROGRAMS["meta"]["uniform"]])
def test_a_candidate_is_read_from_its_data(genome):
    found = scored(genome, ["kuhn"], [[0.1, np.inf]], "a fault")
    assert Candidate.from_data(found.data()) == found


def test_the_same_seed_finds_the_same_and_another_another():
    found = [evolve(["kuhn"], seed=s, budget=12, judge=short, **EDITS) for s in (3, 3, 4)]
    assert found[0] == found[1] != found[2]


def test_the_curve_has_a_point_an_evaluation_and_never_rises():
    found = evolve([], seed=1, budget=40, judge=by_length, **EDITS)
    assert len(found.curve) == 40
    assert (np.diff(found.curve) <= 0).all()
    assert found.curve[-1] == found.best.fitness


def test_selection_finds_more_than_blind_choice():
    """Paired over seeds, on a landscape where what is good is near what is good."""
    more = {"budget": 80, "judge": by_length, **EDITS}
    chosen = [evolve([], seed=s, **more).best.fitness for s in range(6)]
    blind = [evolve([], seed=s, temperature=math.inf, **more).best.fitness for s in range(6)]
    assert np.mean(np.subtract(chosen, blind)) < 0


class Broken:
    def identity(self):
        return {"name": "broken"}

    async def propose(self, parent, rng):
        return Proposal(None, "no")


def test_what_no_judge_can_run_costs_its_evaluation():
    found = evolve([], seed=1, budget=5, judge=by_length, mutator=Broken(), start=RULES["cfr"])
    assert (found.unusable, len(found.curve)) == (4, 5)
    assert found.best.genome == RULES["cfr"]


def test_islands_keep_to_themselves_until_champions_migrate():
    parents = []

    class Adder:
        def identity(self):
            return {"name": "adder"}

        async def propose(self, parent, rng):
            parents.append(parent.genome.regret)
            return Proposal(Rule(f"{parent.genome.regret} + {int(rng.integers(1, 99))}", "R", "1"))

    async def total(rule, games):
        """One niche, and what an island has added up: its champion is all it has."""
        worth = -float(sum(int(part) for part in rule.regret.split(" + ")[1:]))
        return Candidate(rule, worth, worth, (0, 0))

    evolve([], judge=total, mutator=Adder(), start=Rule("R", "R", "1"), seed=2, budget=9, islands=2, migrate=3)
    rounds = [parents[i : i + 2] for i in range(0, 8, 2)]
    assert [one == other for one, other in rounds] == [True, False, False, True]


class Log:
    """A journal that is killed at an attempt."""

    def __init__(self, kept, killed_at):
        self.kept, self.killed_at = dict(kept), killed_at

    def find(self, number):
        return self.kept.get(number)

    def add(self, attempt):
        if attempt.number == self.killed_at:
            raise KeyboardInterrupt
        self.kept[attempt.number] = attempt
        return attempt


@pytest.mark.parametrize("killed_at", [1, 2, 7, 18])
def test_a_search_that_was_killed_goes_on_as_it_would_have(killed_at):
    calls = []

    async def counted(rule, games):
        calls.append(rule)
        return await by_length(rule, games)

    more = {"seed": 5, "budget": 19, "migrate": 2, **EDITS}
    whole = evolve([], judge=by_length, **more)
    log = Log({}, killed_at)
    with pytest.raises(KeyboardInterrupt):
        evolve([], judge=by_length, log=log, **more)
    assert sorted(log.kept) == list(range(killed_at))
    assert evolve([], judge=counted, log=Log(log.kept, -1), **more) == whole
    assert len(calls) <= 19 - killed_at


def test_a_log_is_believed():
    """What is written down is not judged again, whatever a judge would say now."""
    better = Candidate(Rule("R", "R", "t"), -99.0, -99.0, (0, 0))
    log = Log({3: Attempt(3, better, Proposal(better.genome))}, -1)
    assert evolve([], judge=by_length, seed=1, budget=5, log=log, **EDITS).best == better


@pytest.mark.parametrize("wrong", [{"budget": 0}, {"islands": 0}, {"temperature": 0.0}, {"migrate": 0}])
def test_wrong_numbers_are_refused(wrong):
    with pytest.raises(ValueError, match="at least 1"):
        evolve([], **{"seed": 1, "budget": 5, "judge": by_length, **EDITS, **wrong})


def test_a_program_is_never_judged_in_this_process():
    with pytest.raises(TypeError, match="sandbox"):
        evolve(["kuhn"], seed=1, budget=2, judge=judge_rule, mutator=Broken(), start=PROGRAMS["regret"]["cfr"])


@pytest.mark.slow
def test_the_search_improves_on_what_it_starts_from_without_a_model():
    for seed in (1, 2):
        found = evolve(["kuhn"], seed=seed, budget=80, judge=short, **EDITS)
        assert found.curve[-1] < found.curve[0] - 0.05
        # What was found without it is as good on a game that the search never saw.
        other = assess(found.best.genome, ["goofspiel3"], SHORT).fitness
        assert other <= assess(RULES["cfr"], ["goofspiel3"], SHORT).fitness + 0.05


def test_edits_draw_from_the_generator_alone():
    edits = [ExpressionEdits().edit(RULES["discounted"], generator("edit", 1)) for _ in range(2)]
    assert edits[0] == edits[1]
