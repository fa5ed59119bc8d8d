import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate
from scipy.stats import beta, binom

from finchmark.suite.seeds import generator
from finchmark.suite.stats.bounded_mean import t_pvalue
from finchmark.suite.stats.decision import combine
from finchmark.suite.stats.sequential import Bets, SequentialGate, discordant_log_wealth, gate_paths, log_wealth

paths = st.lists(st.sampled_from([-1.0, -0.5, 0.0, 0.25, 1.0]), min_size=1, max_size=60)


def test_wealth_by_hand():
    bets = Bets((1.0, 0.5), (0.25, 0.75))
    # On a scale from -1 and a level of -0.5, a unit at 0 doubles what is at stake, one at -1 takes it.
    expected = [0.25 * 2 + 0.75 * 1.5, 0.25 * 0 + 0.75 * 1.5 * 0.5]
    assert np.exp(log_wealth([0.0, -1.0], -0.5, -1.0, bets)) == pytest.approx(expected)


@given(st.floats(-0.95, 0.95), st.floats(0.01, 1))
def test_the_game_is_fair_at_the_level(level, fraction):
    # Two values, at the ends, whose mean is the level: the expected wealth is the stake.
    p = (level + 1) / 2
    up, down = np.exp(log_wealth([[1.0], [-1.0]], level, -1.0, Bets((fraction,), (1.0,))))[:, 0]
    assert p * up + (1 - p) * down == pytest.approx(1.0)


@given(paths)
def test_wealth_falls_as_the_level_rises(x):
    logs = np.array([log_wealth(x, level, -1.0) for level in (-0.9, -0.3, 0.0, 0.4)])
    # 0 - inf and equal infinities aside: all that was staked is lost only by the share of 1.
    assert (np.diff(logs, axis=0) <= 1e-9).all()


def test_a_wealth_of_many_paths_is_that_of_each():
    x = generator("sequential paths").choice([-1, 0, 1], (3, 4, 30))
    assert np.allclose(log_wealth(x, -0.05, -1.0)[2, 1], log_wealth(x[2, 1], -0.05, -1.0))


def test_a_single_full_stake_passes_agreeing_units_at_the_laws_number():
    bets = Bets((1.0,), (1.0,))
    reached = log_wealth(np.zeros(100), -0.05, -1.0, bets) >= np.log(20)
    assert reached.argmax() + 1 == 59


def test_planned_bets_bring_the_whole_stake_near_a_ceiling():
    assert Bets.planned(0.0, 0.05, 0.95).fractions[0] == 1.0
    assert Bets.planned(0.3, 0.05, 0.95).fractions[0] == pytest.approx(0.05 * 0.95 / (0.09 + 0.0025))


def test_each_gambler_plans_for_the_room_on_its_side():
    x = generator("planned sides").normal(-0.1, 0.3, 50).clip(-1, 1)
    gate = SequentialGate(0.05, sd=0.3)
    gate.extend(x)
    up = log_wealth(x, -0.05, -1.0, Bets.planned(0.3, 0.05, 0.95)).max()
    down = log_wealth(-x, 0.05, -1.0, Bets.planned(0.3, 0.05, 1.05)).max()
    assert np.log(gate.evidence) == pytest.approx([max(up, 0.0), max(down, 0.0)])


def test_planned_bets_pass_more_often():
    rng = generator("planned")
    rates = rng.random((1000, 300))
    x = (rng.binomial(4, rates) - rng.binomial(4, rates)) / 4
    plain = gate_paths(x, 0.05).passed.mean()
    planned = gate_paths(x, 0.05, sd=np.sqrt(1 / 12)).passed.mean()
    assert planned > plain + 0.05


@settings(max_examples=30)
@given(paths, st.sampled_from([0.05, 0.2]), st.sampled_from([None, 0.3]))
def test_the_object_decides_as_the_paths_do(x, margin, sd):
    test = SequentialGate(margin, sd=sd)
    verdicts = [test.update(d) for d in x]
    p = gate_paths(x, margin, sd=sd)
    assert (test.verdict == "pass", test.verdict == "regression") == (bool(p.passed), bool(p.regressed))
    if test.verdict != "inconclusive":
        assert verdicts.index(test.verdict) + 1 == p.looks


@settings(max_examples=30)
@given(paths)
def test_bounds_and_verdict_agree(x):
    test = SequentialGate(0.05)
    test.extend(x)
    d = test.decision
    assert -1 <= d.low <= 1
    assert (d.pass_pvalue <= 0.05) == (d.low >= -0.05 - 1e-12)
    assert (d.regression_pvalue <= 0.05) == (d.high <= -0.05 + 1e-12)


@settings(max_examples=30)
@given(paths)
def test_lower_is_better_mirrors(x):
    up, down = SequentialGate(0.05), SequentialGate(0.05, direction="lower")
    up.extend(x)
    down.extend(-d for d in x)
    a, b = up.decision, down.decision
    assert (a.verdict, a.pass_pvalue) == (b.verdict, b.pass_pvalue)
    assert (a.low, a.high) == pytest.approx((-b.high, -b.low))


def test_bounds_are_those_of_the_wealth_at_each_level():
    x = generator("sequential bounds").normal(0.1, 0.3, 200).clip(-1, 1)
    test = SequentialGate(0.05)
    test.extend(x)
    levels = np.arange(-0.998, 1, 0.002)
    rejected = [level for level in levels if log_wealth(x, level, -1.0).max() >= np.log(20)]
    assert test.decision.low == pytest.approx(max(rejected), abs=1e-9)


def test_a_verdict_stays():
    test = SequentialGate(0.05)
    assert test.extend(np.zeros(120)) == "pass"
    assert test.extend(np.full(100, -1.0)) == "pass"
    assert test.units == 220


def test_evidence_of_a_long_run_stays_finite():
    test = SequentialGate(0.5)
    test.extend(np.ones(2000))
    assert np.isfinite(test.evidence[0])
    assert 0 < test.decision.pass_pvalue < 1e-300 * 1e5


def test_decisions_combine_over_tasks():
    a, b = SequentialGate(0.05), SequentialGate(0.05)
    a.extend(np.zeros(120))
    b.extend(np.full(60, -0.5))
    gate = combine({"a": a.decision, "b": b.decision})
    assert (gate.verdict, gate.regressions) == ("regression", ("b",))


def test_a_test_without_units_is_inconclusive():
    d = SequentialGate(0.05).decision
    assert (d.verdict, d.units, d.low, d.high, d.pass_pvalue) == ("inconclusive", 0, -1, 1, 1.0)


@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
def test_discordant_wealth_is_the_averaged_likelihood_ratio(alternative):
    x = np.array([1, 0, -1, 1, 1, 0, -1, 1])
    g, n = 4, 6
    low, high = {"two-sided": (0, 1), "greater": (0.5, 1), "less": (0, 0.5)}[alternative]
    mass = beta.cdf(high, 2, 2) - beta.cdf(low, 2, 2)
    average, _ = integrate.quad(lambda q: binom.pmf(g, n, q) * beta.pdf(q, 2, 2) / mass, low, high)
    expected = np.log(average / binom.pmf(g, n, 0.5))
    assert discordant_log_wealth(x, alternative=alternative, prior=2)[-1] == pytest.approx(expected)


def test_concordant_pairs_say_nothing_at_zero():
    assert discordant_log_wealth([1, 1, -1])[-1] == discordant_log_wealth([0, 1, 0, 1, 0, -1, 0])[-1]


@pytest.mark.parametrize("alternative", ["two-sided", "greater"])
def test_discordant_pairs_keep_the_level_at_every_look(alternative):
    x = generator("discordant").choice([-1, 0, 1], (4000, 300), p=[0.2, 0.6, 0.2])
    crossed = (discordant_log_wealth(x, alternative=alternative) >= np.log(20)).any(axis=1)
    assert crossed.mean() <= 0.055


def test_a_better_candidate_is_found():
    x = generator("discordant power").choice([-1, 0, 1], (500, 300), p=[0.1, 0.7, 0.2])
    assert (discordant_log_wealth(x, alternative="greater") >= np.log(20)).any(axis=1).mean() > 0.65


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: log_wealth([0.0], -1, -1), "above -1"),
        (lambda: log_wealth([-2.0], 0, -1), "not -2"),
        (lambda: log_wealth(0.0, 0, -1), "axis"),
        (lambda: gate_paths([0.0], 1.0), "margin"),
        (lambda: gate_paths([1.5], 0.05), "1.5"),
        (lambda: gate_paths([0.5], 0.0, sd=0.1), "sd"),
        (lambda: SequentialGate(0.05, direction="none"), "better side"),
        (lambda: SequentialGate(0.05).update(float("nan")), "nan"),
        (lambda: SequentialGate(0.05, alpha=0.9), "0.9"),
        (lambda: Bets((0.0,), (1.0,)), "shares"),
        (lambda: Bets((0.5,), (0.5,)), "sum to 1"),
        (lambda: Bets((0.5, 1.0), (1.0,)), "weight"),
        (lambda: Bets.planned(0.1, 0.0, 1.0), "gap"),
        (lambda: discordant_log_wealth([0.5]), "SequentialGate"),
        (lambda: discordant_log_wealth([1], alternative="better"), "'better'"),
        (lambda: discordant_log_wealth([1], prior=0), "prior"),
    ],
)
def test_bad_input_is_named(call, text):
    with pytest.raises(ValueError, match=text):
        call()


def at_the_margin(name, cases, units, margin=0.05):
    rng = generator("sequential errors", name)
    if name == "ceiling":
        return -(rng.random((cases, units)) < margin).astype(float)
    if name == "pairs":
        return rng.choice([-1.0, 0.0, 1.0], (cases, units), p=[0.25 + margin / 2, 0.5, 0.25 - margin / 2])
    rates = rng.random((cases, units))
    return (rng.binomial(4, rates * (1 - 2 * margin)) - rng.binomial(4, rates)) / 4


@pytest.mark.parametrize("sd", [None, 0.3])
@pytest.mark.parametrize("name", ["ceiling", "pairs", "four samples"])
def test_both_errors_hold_with_a_look_after_every_unit(name, sd):
    p = gate_paths(at_the_margin(name, 2000, 300), 0.05, sd=sd)
    assert p.passed.mean() <= 0.055
    assert p.regressed.mean() <= 0.055


def test_naive_peeking_is_wrong_in_a_quarter_of_runs():
    # A t test after every unit from the tenth on, against zero, both sides at .05 (validity: 26 %).
    x = generator("peeking").choice([-1.0, 0.0, 1.0], (1000, 300), p=[0.25, 0.5, 0.25])
    n = np.arange(1, 301)
    mean = np.cumsum(x, axis=1) / n
    sd = np.sqrt(np.maximum(np.cumsum(x**2, axis=1) / n - mean**2, 1e-12) * n / np.maximum(n - 1, 1))
    z = np.abs(mean) / (sd / np.sqrt(n))
    assert (z[:, 9:] > 1.96).any(axis=1).mean() > 0.25
    assert np.mean(2 * np.minimum(t_pvalue(x, 0), 1 - t_pvalue(x, 0)) <= 0.05) < 0.07


def test_an_items_fixed_bank_in_random_order_keeps_both_errors():
    # 300 items of fixed difference, mean exactly at the margin, drawn without replacement.
    bank = np.repeat([-1.0, 0.0], [15, 285])
    x = generator("bank").permuted(np.tile(bank, (1000, 1)), axis=1)
    p = gate_paths(x, 0.05)
    assert p.passed.mean() <= 0.055
    assert p.regressed.mean() <= 0.055
