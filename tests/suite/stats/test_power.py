import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm
from statsmodels.stats.power import TTestPower

from finchmark.suite.seeds import generator
from finchmark.suite.stats.components import components, paired_components
from finchmark.suite.stats.power import detectable_effect, gate_chance, plan, t_power, units_needed


@pytest.mark.parametrize("units", [2, 5, 30, 400])
@pytest.mark.parametrize(("sides", "alternative"), [(1, "larger"), (2, "two-sided")])
def test_power_agrees_with_statsmodels(units, sides, alternative):
    theirs = TTestPower().power(0.3, units, 0.05, alternative=alternative)
    assert t_power(0.5, units, 0.15, sides=sides) == pytest.approx(theirs, abs=1e-8)


def test_power_of_no_effect_is_the_level():
    assert t_power(0.4, 30, 0.0) == pytest.approx(0.05)


def test_without_spread_any_effect_is_found():
    assert t_power(0.0, 30, 0.01, sides=1) == 1
    assert t_power(0.0, 30, -0.01, sides=1) == 0


def test_power_agrees_with_a_simulation():
    x = generator("power").normal(0.1, 0.5, (20_000, 80))
    t = x.mean(axis=1) / (x.std(axis=1, ddof=1) / np.sqrt(80))
    from scipy.stats import t as student

    found = np.mean(np.abs(t) > student.ppf(0.975, 79))
    assert t_power(0.5, 80, 0.1) == pytest.approx(found, abs=0.012)


def test_detectable_effect_is_millers_where_units_are_many():
    # arXiv:2411.00640, section 5: delta = (z_{alpha/2} + z_beta) omega / sqrt(n).
    expected = (norm.ppf(0.975) + norm.ppf(0.8)) * 0.4 / np.sqrt(2000)
    assert detectable_effect(0.4, 2000) == pytest.approx(expected, rel=2e-3)


@given(st.floats(0.01, 2), st.integers(2, 500), st.sampled_from([1, 2]))
def test_the_detectable_effect_is_found_with_the_power(sd, units, sides):
    effect = detectable_effect(sd, units, power=0.9, sides=sides)
    assert t_power(sd, units, effect, sides=sides) == pytest.approx(0.9, abs=1e-6)


@given(st.floats(0.05, 1), st.floats(0.02, 0.5))
def test_one_unit_fewer_does_not_do(sd, effect):
    n = units_needed(sd, effect)
    assert t_power(sd, n, effect) >= 0.8
    assert n == 2 or t_power(sd, n - 1, effect) < 0.8


def test_units_needed_are_millers_where_they_are_many():
    assert units_needed(0.5, 0.03) == pytest.approx((norm.ppf(0.975) + norm.ppf(0.8)) ** 2 * 0.25 / 0.0009, rel=2e-3)


def spread(within=0.04):
    rng = generator("plan")
    labels = np.repeat(np.arange(200), 8)
    return components(rng.normal(0.5, 0.2, 200)[labels] + rng.normal(0, np.sqrt(within), labels.size), labels)


def test_a_plan_needs_fewer_items_with_more_samples():
    lines = plan(spread(), effect=0.02)
    assert [line.samples for line in lines] == [1, 2, 4, 8, 16]
    units = [line.units for line in lines]
    assert units == sorted(units, reverse=True)
    assert all(line.episodes == line.units * line.samples for line in lines)
    assert lines[0].units == units_needed(lines[0].sd, 0.02)


def test_samples_do_not_help_against_interaction():
    lines = plan(spread(1e-6), effect=0.02, interaction=0.04)
    assert lines[0].units == pytest.approx(lines[-1].units, abs=1)


def test_a_plan_for_a_gate_has_at_least_the_units_of_a_pass():
    assert plan(spread(1e-6), margin=0.05)[0].units == 59


def test_a_plan_for_a_gate_reckons_with_the_change():
    worse, same = (plan(spread(), margin=0.05, change=c)[2].units for c in (-0.02, 0.0))
    assert worse > same


def test_a_plan_from_two_runs_uses_their_interaction():
    rng = generator("plan of two")
    labels = np.repeat(np.arange(100), 4)
    truth = rng.normal(0.5, 0.2, 100)
    a = truth[labels] + rng.normal(0, 0.2, 400)
    b = (truth + rng.normal(0, 0.1, 100))[labels] + rng.normal(0, 0.2, 400)
    p = paired_components(a, labels, b, labels)
    assert plan(p, effect=0.05, samples=[4])[0].sd == p.sd(4)


@pytest.mark.parametrize(("units", "chance"), [(120, 0.61), (300, 0.91)])
def test_a_gates_chance_is_the_laws(units, chance):
    # validity, section 3: p about .5, m = .05, 4 samples. The cautious test costs two points at 120 items.
    assert gate_chance(0.5, 0.05, units, 4).passed == pytest.approx(chance, abs=0.035)


def test_thirty_items_are_too_few_for_a_gate():
    # The law says .25 by t; the cautious test passes .20.
    c = gate_chance(0.5, 0.05, 30, 4)
    assert 0.16 < c.passed < 0.25
    assert c.looks == 30


def test_a_gates_chance_is_that_of_t_away_from_the_ceiling():
    within = 1 / 6  # E[p (1 - p)] of uniform rates
    expected = t_power(np.sqrt(2 * within / 4), 300, 0.05, sides=1)
    assert gate_chance(0.5, 0.05, 300, 4).passed == pytest.approx(float(expected), abs=0.025)


def test_at_the_ceiling_a_gate_passes_from_59_units_on():
    assert gate_chance(1.0, 0.05, 59, 4, simulations=50).passed == 1
    assert gate_chance(1.0, 0.05, 58, 4, simulations=50).passed == 0


def test_a_candidate_at_the_margin_is_passed_at_the_level():
    c = gate_chance(0.9, 0.05, 120, 4, change=-0.05)
    assert c.passed < 0.07
    assert c.regressed < 0.07


def test_a_worse_candidate_regresses_and_a_better_one_passes():
    assert gate_chance(0.7, 0.05, 120, 4, change=-0.25, simulations=300).regressed > 0.95
    assert gate_chance(0.5, 0.05, 120, 4, change=0.1, simulations=300).passed > 0.95


def test_a_sequential_gate_stops_early_where_it_can():
    fixed = gate_chance(0.98, 0.05, 300, 4, simulations=500)
    looked = gate_chance(0.98, 0.05, 300, 4, simulations=500, sequential=True)
    assert fixed.looks == 300
    assert looked.looks < 200
    assert looked.passed > 0.95


def test_a_planned_bet_helps_a_sequential_gate():
    plain, planned = (gate_chance(0.5, 0.05, 300, 4, sequential=True, sd=sd).passed for sd in (None, 0.29))
    assert planned > plain + 0.05


def test_items_that_are_all_or_nothing_do_not_vary():
    assert gate_chance(0.5, 0.05, 59, 1, between=0.25, simulations=50).passed == 1


def test_the_chance_is_the_same_for_the_same_seed():
    assert gate_chance(0.5, 0.05, 59, 1, simulations=50) == gate_chance(0.5, 0.05, 59, 1, simulations=50)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: t_power(-0.1, 30, 0.1), "sd"),
        (lambda: t_power(0.1, 1, 0.1), "units"),
        (lambda: t_power(0.1, 30, float("nan")), "effect"),
        (lambda: t_power(0.1, 30, 0.1, sides=3), "sides"),
        (lambda: detectable_effect(0.1, 30, power=0.01), "power"),
        (lambda: units_needed(0.1, 0.0), "positive"),
        (lambda: units_needed(1.0, 1e-6), "ten million|10,000,000"),
        (lambda: plan(spread()), "either"),
        (lambda: plan(spread(), effect=0.1, margin=0.1), "either"),
        (lambda: plan(spread(), margin=0.05, change=-0.05), "positive"),
        (lambda: gate_chance(1.2, 0.05, 30), "rate"),
        (lambda: gate_chance(0.5, 0.0, 30), "margin"),
        (lambda: gate_chance(0.5, 0.05, 30, between=0.3), "between"),
        (lambda: gate_chance(0.5, 0.05, 30, change=0.6), "change"),
        (lambda: gate_chance(0.5, 0.05, 0), "at least 1"),
    ],
)
def test_bad_input_is_named(call, text):
    with pytest.raises(ValueError, match=text):
        call()
