import heapq

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finchmark.suite.seeds import generator
from finchmark.suite.stats.prefix import FinishedPrefix, random_order
from finchmark.suite.stats.sequential import SequentialGate, gate_paths


@given(st.permutations(range(12)))
def test_whatever_the_order_of_completion_the_order_fixed_is_handed_on(completion):
    prefix = FinishedPrefix(range(12))
    out = [pair for unit in completion for pair in prefix.finish(unit, unit / 10)]
    assert out == [(i, i / 10) for i in range(12)]
    assert prefix.complete


@given(st.permutations(range(12)), st.integers(0, 12))
def test_only_the_finished_prefix_is_handed_on(completion, finished):
    prefix = FinishedPrefix(range(12))
    out = [unit for done in completion[:finished] for unit, _ in prefix.finish(done, 0.0)]
    missing = set(range(12)) - set(completion[:finished])
    assert out == list(range(min(missing, default=12)))
    assert prefix.handed_on + prefix.waiting == finished


def test_a_lost_unit_holds_nobody_up_and_is_counted():
    prefix = FinishedPrefix("abc")
    assert prefix.finish("b", 1) == ()
    assert prefix.lose("a") == (("b", 1.0),)
    assert prefix.lost == ("a",)
    assert not prefix.complete


def test_an_unknown_unit_is_refused():
    with pytest.raises(ValueError, match="not in the order"):
        FinishedPrefix("abc").finish("z", 0.0)


@pytest.mark.parametrize("unit", ["a", "c"])  # handed on already, and waiting
def test_a_unit_is_handed_in_once(unit):
    prefix = FinishedPrefix("abc")
    prefix.finish("a", 0.0)
    prefix.finish("c", 0.0)
    with pytest.raises(ValueError, match="before"):
        prefix.finish(unit, 0.0)


def test_the_order_names_each_unit_once():
    with pytest.raises(ValueError, match="twice"):
        FinishedPrefix("aba")


def test_the_random_order_depends_on_the_seed_alone():
    names = [f"item-{i}" for i in range(50)]
    assert random_order(names, 1) == random_order(reversed(names), 1)
    assert random_order(names, 1) != random_order(names, 2)
    assert sorted(random_order(names, 1)) == sorted(names)


def test_the_random_order_refuses_doubles():
    with pytest.raises(ValueError, match="twice"):
        random_order(["a", "a"], 0)


def completion(durations, concurrent):
    """Units, begun in order as places fall free, in the order in which they end."""
    running, ended = [], []
    for unit, duration in enumerate(durations):
        now = 0.0
        if len(running) == concurrent:
            now, first = heapq.heappop(running)
            ended.append(first)
        heapq.heappush(running, (now + duration, unit))
    return ended + [unit for _, unit in sorted(running)]


def played(cases, units, concurrent, name):
    """Runs of a candidate exactly at the margin whose failures last long: differences, and the order of completion."""
    rng = generator("durations", name, concurrent)
    baseline = rng.random((cases, units)) < 0.7
    candidate = rng.random((cases, units)) < 0.65
    durations = np.where(candidate, 1.0, 20.0) * rng.lognormal(0, 0.5, (cases, units))
    return candidate.astype(float) - baseline, [completion(d, concurrent) for d in durations]


def test_one_at_a_time_completes_in_order():
    assert completion([3.0, 1.0, 2.0], 1) == [0, 1, 2]


def test_short_units_complete_first():
    assert completion([9.0, 1.0, 1.0, 1.0], 2) == [1, 2, 3, 0]


@pytest.mark.parametrize("concurrent", [32, 128])
def test_the_order_of_completion_passes_what_is_at_the_margin(concurrent):
    # The known defect, which the finished prefix is for (validity, section 3: .92).
    x, orders = played(300, 300, concurrent, "defect")
    seen = np.take_along_axis(x, np.array(orders), axis=1)
    assert gate_paths(seen, 0.05).passed.mean() > 0.5


@pytest.mark.parametrize("concurrent", [1, 32, 128])
def test_a_gate_that_looks_at_the_finished_prefix_keeps_both_errors(concurrent):
    x, orders = played(30, 300, concurrent, "prefix")
    decided = []
    for values, order in zip(x, orders, strict=True):
        prefix, test = FinishedPrefix(range(300)), SequentialGate(0.05)
        for unit in order:
            if test.extend(value for _, value in prefix.finish(unit, values[unit])) != "inconclusive":
                break
        decided.append(test.verdict)
    paths = gate_paths(x, 0.05)
    # What it decides is what the fixed order decides, which a simulation of many paths can then measure.
    assert [v == "pass" for v in decided] == paths.passed.tolist()
    assert [v == "regression" for v in decided] == paths.regressed.tolist()


@pytest.mark.slow
@pytest.mark.parametrize("concurrent", [1, 32, 128])
def test_both_errors_with_durations_that_depend_on_the_outcome(concurrent):
    x, orders = played(2000, 300, concurrent, "errors")
    seen = []
    for values, order in zip(x, orders, strict=True):
        prefix = FinishedPrefix(range(300))
        seen.append([value for unit in order for _, value in prefix.finish(unit, values[unit])])
    paths = gate_paths(seen, 0.05)
    assert paths.passed.mean() <= 0.055
    assert paths.regressed.mean() <= 0.055
