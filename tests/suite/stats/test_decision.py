import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from finchmark.suite.seeds import generator
from finchmark.suite.stats.bounded_mean import cautious_pvalue, t_pvalue
from finchmark.suite.stats.decision import combine, decide, pair_differences, units_for_a_pass

differences = st.lists(st.sampled_from(np.linspace(-1, 1, 9)), min_size=1, max_size=80).map(np.array)


def noise(n, mean=0.0, sd=0.1, name="decide"):
    return (mean + generator(name, n).normal(0, sd, n)).clip(-1, 1)


BASE = decide(noise(30), 0.05)


def test_an_equal_candidate_passes():
    d = decide(noise(120), 0.05)
    assert (d.verdict, d.units, d.method, d.worse_within_margin) == ("pass", 120, "t and score", False)
    assert d.low > -0.05


def test_a_much_worse_candidate_is_a_regression():
    d = decide(noise(120, -0.2), 0.05)
    assert d.verdict == "regression"
    assert d.high < -0.05


def test_a_candidate_at_the_margin_is_inconclusive():
    assert decide(noise(120, -0.05), 0.05).verdict == "inconclusive"


def test_worse_within_the_margin_passes_with_a_warning():
    d = decide(noise(400, -0.02, 0.05), 0.05)
    assert (d.verdict, d.worse_within_margin) == ("pass", True)
    assert -0.05 < d.low < d.high < 0


@pytest.mark.parametrize(("n", "verdict"), [(58, "inconclusive"), (59, "pass")])
def test_units_that_all_agree_pass_from_59_on(n, verdict):
    d = decide(np.zeros(n), 0.05)
    assert (d.verdict, d.method) == (verdict, "t and score and dirichlet")
    assert ("59 units" in d.note) == (verdict == "inconclusive")


@pytest.mark.parametrize(("margin", "needed"), [(0.05, 59), (0.10, 29)])
def test_units_for_a_pass_are_the_laws(margin, needed):
    assert units_for_a_pass(margin) == needed


def test_units_for_a_pass_scale_with_the_range():
    assert units_for_a_pass(5, span=100) == 59


def test_one_unit_decides_nothing():
    assert decide([0.0], 0.5).verdict == "inconclusive"


def test_no_units_are_inconclusive():
    d = decide([], 0.05)
    assert (d.verdict, d.units, d.pass_pvalue, d.regression_pvalue) == ("inconclusive", 0, 1.0, 1.0)
    assert np.isnan(d.low)


@settings(max_examples=25)
@given(differences, st.sampled_from([0.02, 0.05, 0.2]))
def test_verdicts_and_bounds_agree(x, margin):
    d = decide(x, margin)
    assert d.low <= d.difference <= d.high
    if min(abs(d.low + margin), abs(d.high + margin)) > 1e-6:
        expected = "pass" if d.low > -margin else "regression" if d.high < -margin else "inconclusive"
        assert d.verdict == expected


@settings(max_examples=25)
@given(differences)
def test_lower_is_better_mirrors(x):
    up, down = decide(x, 0.05), decide(-x, 0.05, direction="lower")
    assert (down.verdict, down.pass_pvalue, down.worse_within_margin) == (
        up.verdict,
        up.pass_pvalue,
        up.worse_within_margin,
    )
    assert (down.low, down.high, down.difference) == pytest.approx((-up.high, -up.low, -up.difference), abs=1e-12)


@settings(max_examples=25)
@given(differences)
def test_the_scale_of_the_metric_does_not_matter(x):
    small, large = decide(x, 0.05), decide(100 * x, 5, span=100)
    assert small.verdict == large.verdict
    assert large.low == pytest.approx(100 * small.low, abs=1e-6)


def test_an_open_metric_rests_on_t():
    x = noise(60, name="open")
    d = decide(x, 0.05, span=None)
    assert (d.method, d.verdict) == ("t", "pass")
    assert d.pass_pvalue == pytest.approx(float(t_pvalue(x, -0.05)))


def test_an_open_metric_whose_units_agree_is_inconclusive():
    d = decide(np.zeros(500), 0.05, span=None)
    assert (d.verdict, bool(d.note)) == ("inconclusive", True)


def test_pairs_from_counts():
    x = pair_differences(3, 5, 60)
    assert (x.size, x.sum(), (x == 1).sum()) == (60, -2, 3)


def test_a_gate_passes_if_all_tasks_pass():
    g = combine({"a": decide(noise(120), 0.05), "b": decide(noise(300, -0.02, 0.05), 0.05)})
    assert (g.verdict, g.warnings, g.inconclusive) == ("pass", ("b",), ())


def test_a_gate_with_one_inconclusive_task_is_inconclusive():
    g = combine({"a": decide(noise(120), 0.05), "b": decide(np.zeros(10), 0.05)})
    assert (g.verdict, g.inconclusive) == ("inconclusive", ("b",))


def test_one_regression_is_enough():
    g = combine({"a": decide(noise(120), 0.05), "b": decide(noise(120, -0.2), 0.05)})
    assert (g.verdict, g.regressions) == ("regression", ("b",))


def test_a_regression_must_survive_the_correction():
    weak = decide(noise(60, -0.095, 0.2, "weak"), 0.05)
    assert weak.verdict == "regression"
    others = {str(i): decide(noise(120), 0.05) for i in range(9)}
    g = combine({**others, "weak": weak})
    assert (g.verdict, g.tasks["weak"].verdict) == ("inconclusive", "inconclusive")
    assert "among so many" in g.tasks["weak"].note


@settings(max_examples=25)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_the_correction_is_holms(pvalues):
    g = combine({str(i): dataclasses.replace(BASE, regression_pvalue=p) for i, p in enumerate(pvalues)})
    assert list(g.adjusted.values()) == pytest.approx(multipletests(pvalues, method="holm")[1])


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: decide([0.0], -0.1), "-0.1"),
        (lambda: decide([0.0], 1.0), "range"),
        (lambda: decide([0.0, 1.2], 0.05), "1.2"),
        (lambda: decide([[0.0]], 0.05), "one dimension"),
        (lambda: decide([0.0], 0.05, direction="none"), "better side"),
        (lambda: decide([0.0], 0.05, alpha=0.7), "0.7"),
        (lambda: pair_differences(3, 3, 5), "n=5"),
        (lambda: pair_differences(-1, 3, 5), "-1"),
        (lambda: units_for_a_pass(0.0), "above 0"),
        (lambda: combine({}), "at least one task"),
    ],
)
def test_bad_input_is_named(call, text):
    with pytest.raises(ValueError, match=text):
        call()


def test_tasks_at_different_levels_are_refused():
    a, b = decide(noise(30), 0.05), decide(noise(30), 0.05, alpha=0.01)
    with pytest.raises(ValueError, match=r"0\.01"):
        combine({"a": a, "b": b})


def simulate(name, baseline, units, samples, loss, cases, margin=0.05):
    """Unit differences of a candidate that is worse by exactly the margin; items of one rate, or all-or-nothing."""
    rng = generator("gate errors", name, units, samples)
    shape = (cases, units)
    rates = (rng.random(shape) < baseline).astype(float) if name == "all-or-nothing" else np.full(shape, baseline)
    if loss == "few":
        worse = np.where(rng.random(shape) < margin / baseline, 0.0, rates)
    else:
        worse = rates * (1 - margin / baseline)
    return (rng.binomial(samples, worse) - rng.binomial(samples, rates)) / samples


def false_verdicts(x, margin=0.05):
    return (
        float(np.mean(cautious_pvalue(x, -margin, -1.0) <= 0.05)),
        float(np.mean(cautious_pvalue(-x, margin, -1.0) <= 0.05)),
    )


def test_t_passes_the_laws_case_in_a_fifth_of_runs_and_the_gate_never():
    x = simulate("alike", 1.0, 30, 4, "few", 4000)
    assert 0.2 < np.mean(t_pvalue(x, -0.05) <= 0.05) < 0.24
    assert false_verdicts(x)[0] == 0


@pytest.mark.parametrize("n", [52, 58, 60, 81, 92, 93])
def test_false_passes_hold_between_the_steps_of_the_grid(n):
    # Exact: so many broken units of n at a baseline of 1. The score test alone passes .069 at 52.
    from scipy.stats import binom

    x = np.stack([pair_differences(0, k, n) for k in range(16)])
    chance = binom.pmf(np.arange(16), n, 0.05)
    assert chance[cautious_pvalue(x, -0.05, -1.0) <= 0.05].sum() <= 0.05


@pytest.mark.slow
@pytest.mark.parametrize("units", [30, 59, 120, 300])
@pytest.mark.parametrize("samples", [1, 4, 16])
@pytest.mark.parametrize("loss", ["few", "all"])
def test_both_errors_hold_over_the_grid(units, samples, loss):
    cases = 2000
    for baseline in (1.0, 0.98, 0.95, 0.9, 0.5, 0.1):
        for name in ("alike", "all-or-nothing")[: 1 if baseline == 1 else 2]:
            passed, regressed = false_verdicts(simulate(name, baseline, units, samples, loss, cases))
            # Three standard errors of the simulation above the law's .06; the bench has the figures at 20,000.
            assert passed <= 0.06 + 3 * np.sqrt(0.06 * 0.94 / cases), (baseline, name)
            assert regressed <= 0.06 + 3 * np.sqrt(0.06 * 0.94 / cases), (baseline, name)
