import json
import math
from xml.etree import ElementTree

import pytest

from finchmark.reports.gate import gate_annotations, gate_json, gate_junit, gate_markdown, gate_text
from finchmark.suite.baseline import make_baseline
from finchmark.suite.checks import checks
from finchmark.suite.errors import UsageError
from finchmark.suite.gate import Exit, decide_gate
from finchmark.suite.policy import Policy, Rule
from finchmark.suite.records import Metric
from finchmark.suite.seeds import generator
from finchmark.suite.sequential_check import order_of_looks

SUCCESS = Metric(name="success", summary="it worked", kind="binary", primary=True)
HARM = Metric(name="harm", summary="it did harm", direction="lower", low=0.0, high=1.0)


def coins(rate, n, *path, samples=2):
    draws = generator("gate test", *path).random((n, samples)) < rate
    return {f"i{i:04d}": [float(x) for x in row] for i, row in enumerate(draws)}


@pytest.fixture
def gate(make_cell, make_results):
    def decide(base, candidate, policy=None, *, accepted=None, label="new", foresee=True, **fields):
        baseline = make_baseline(make_results("old", make_cell(base)))
        if accepted is not None:
            baseline = baseline.accept(make_results("accepted", make_cell(accepted)))
        new = make_results(label, make_cell(candidate), **fields)
        return decide_gate(baseline, new, policy or Policy(), foresee=foresee)

    return decide


@pytest.mark.parametrize("mode", ["fixed", "sequential"])
def test_the_same_results_pass(gate, mode):
    items = coins(0.7, 200, "a")
    report = gate(items, items, Policy(mode=mode))
    assert report.verdict == "pass"
    assert report.exit_code is Exit.PASS


@pytest.mark.parametrize("mode", ["fixed", "sequential"])
def test_a_large_loss_is_a_regression(gate, mode):
    report = gate(coins(0.9, 200, "a"), coins(0.5, 200, "b"), Policy(mode=mode))
    assert report.verdict == "regression"
    assert report.exit_code is Exit.REGRESSION


def test_too_few_items_are_inconclusive_and_the_policy_says_whether_that_fails(gate):
    items = coins(1.0, 58, "a")
    report = gate(items, items)
    assert report.verdict == "inconclusive"
    assert report.exit_code is Exit.INCONCLUSIVE
    assert "59" in report.looks[0].decision.note
    assert gate(items, items, Policy(inconclusive="pass")).exit_code is Exit.PASS
    assert gate(coins(1.0, 59, "a"), coins(1.0, 59, "a")).verdict == "pass"


def test_a_small_loss_within_the_margin_passes_with_a_warning(gate):
    base = coins(1.0, 2000, "a", samples=1)
    worse = {k: [0.0] if i % 50 == 0 else v for i, (k, v) in enumerate(base.items())}
    report = gate(base, worse)
    assert report.verdict == "pass"
    assert report.looks[0].decision.worse_within_margin
    assert "worse within the margin" in gate_text(report)


def test_many_small_losses_are_caught_by_the_anchor(gate):
    anchor, accepted, now = (coins(rate, 1000, "a") for rate in (0.9, 0.875, 0.85))
    assert gate(accepted, now, foresee=False).verdict == "pass"
    report = gate(anchor, now, accepted=accepted, foresee=False)
    assert report.verdict != "pass"
    verdicts = {look.check.against: look.decision.verdict for look in report.looks}
    assert verdicts["accepted"] == "pass"
    assert verdicts["anchor"] != "pass"


def test_the_last_accepted_run_must_be_held_too(gate):
    report = gate(coins(0.5, 300, "a"), coins(0.5, 300, "a"), accepted=coins(0.9, 300, "a"))
    assert report.verdict == "regression"


def test_a_candidate_that_leaves_items_out_is_not_judged(gate):
    items = coins(0.7, 100, "a")
    report = gate(items, dict(list(items.items())[10:]))
    assert report.verdict == "could not run"
    assert report.exit_code is Exit.COULD_NOT_RUN
    assert "10 of the baseline's 100 items" in report.faults[0]


def test_a_candidate_that_did_not_play_a_task_is_not_judged(make_cell, make_results):
    baseline = make_baseline(make_results("old", make_cell(coins(0.7, 60, "a"))))
    for other in (make_cell({"i": [1]}, task="demo/else"), make_cell(coins(0.7, 60, "a"), version="2")):
        report = decide_gate(baseline, make_results("new", other), Policy())
        assert report.verdict == "could not run"
        assert "demo/coins" in report.faults[0]


def test_errors_over_the_limit_stop_the_gate(gate):
    items = coins(0.7, 100, "a", samples=1)
    lost = {k: [None] if i < 3 else v for i, (k, v) in enumerate(items.items())}
    report = gate(items, lost)
    assert report.verdict == "could not run"
    assert "3 of 100" in report.faults[0]
    assert gate(items, lost, Policy(max_errors=0.05)).verdict != "could not run"


def test_unequal_losses_stop_the_gate_even_under_the_limit(gate):
    items = coins(0.7, 1000, "a", samples=1)
    lost = {k: [None] if i < 15 else v for i, (k, v) in enumerate(items.items())}
    report = gate(items, lost)
    assert "unequally" in report.faults[0]


def test_a_metric_of_harm_is_gated_in_its_own_direction(make_cell, make_results):
    def side(label, rate):
        cell = make_cell(
            coins(0.7, 200, "a"), metrics=(SUCCESS, HARM), extra={"harm": lambda v: rate * (0.5 + v) / 1.5}
        )
        return make_results(label, cell)

    baseline = make_baseline(side("old", 0.1), ["harm"])
    policy = Policy(rules=(Rule(metric="harm", margin=0.05),))
    report = decide_gate(baseline, side("new", 0.6), policy)
    assert [look.check.metric.name for look in report.looks] == ["success", "harm"]
    assert [look.decision.verdict for look in report.looks] == ["pass", "regression"]
    assert decide_gate(baseline, side("new", 0.01), policy).verdict == "pass"


def test_a_metric_that_the_baseline_lacks_is_named(make_cell, make_results):
    baseline = make_baseline(make_results("old", make_cell({"i": [1]})))
    with pytest.raises(UsageError, match="--metric harm"):
        checks(baseline, Policy(rules=(Rule(metric="harm"),)))
    with pytest.raises(UsageError, match="no task"):
        checks(baseline, Policy(rules=(Rule(gate=False),)))


def test_what_could_be_found_is_known_before(gate):
    rates = generator("rates").random(300)
    draws = generator("draws").random((300, 4)) < rates[:, None]
    items = {f"i{i}": list(map(float, row)) for i, row in enumerate(draws)}
    (f,) = gate(items, items).forecasts
    # 300 items x 4 samples, success rates spread evenly about one half, margin .05: in about nine of ten.
    assert f.passes == pytest.approx(0.91, abs=0.04)
    assert f.detectable == pytest.approx(0.05 + 2.49 * math.sqrt(2 / 6 / 4 / 300), rel=0.15)
    (few,) = gate(coins(1.0, 30, "a"), coins(1.0, 30, "a")).forecasts
    assert few.passes == 0
    assert few.least == 59


def test_a_sequential_gate_consumes_the_finished_prefix_of_its_order_only(make_cell, make_results):
    items = coins(0.9, 120, "a")
    baseline = make_baseline(make_results("old", make_cell(items)))
    (check,) = checks(baseline, Policy())
    order = order_of_looks(check, 3)
    missing = order[20].removeprefix("hash-")
    there = {k: v for k, v in items.items() if k != missing}
    report = decide_gate(
        baseline,
        make_results("new", make_cell(there), seed=3, stopped_early=True),
        Policy(mode="sequential", margin=0.02),
    )
    assert report.looks[0].decision.units == 20


def test_an_item_with_samples_still_to_come_is_not_looked_at(make_cell, make_results):
    items = coins(0.9, 50, "a", samples=4)
    baseline = make_baseline(make_results("old", make_cell(items)))
    (check,) = checks(baseline, Policy())
    first = order_of_looks(check, 0)[0].removeprefix("hash-")
    partial = {**items, first: items[first][:2]}
    candidate = make_results("new", make_cell(partial), stopped_early=True)
    report = decide_gate(baseline, candidate, Policy(mode="sequential"))
    assert report.looks[0].decision.units == 0


def test_the_order_of_looks_follows_from_the_seed_alone(make_cell, make_results):
    def order(items, seed):
        (check,) = checks(make_baseline(make_results("old", make_cell(items))), Policy())
        return order_of_looks(check, seed)

    items = coins(0.9, 50, "a")
    assert order(items, 1) == order(dict(reversed(items.items())), 1)
    assert order(items, 1) != order(items, 2)


def test_a_baseline_with_nothing_to_lose_is_called_blind(gate):
    (f,) = gate(coins(0.02, 200, "a"), coins(0.02, 200, "a")).forecasts
    assert "cannot find a regression" in f.note
    assert math.isnan(f.detectable)


def test_the_loss_that_is_caught_is_caught(gate):
    base = coins(0.9, 120, "a")
    (f,) = gate(base, base).forecasts
    found = sum(
        gate(base, coins(0.9 - f.detectable, 120, "b", i), foresee=False).verdict == "regression" for i in range(40)
    )
    assert 24 <= found <= 40  # 32 expected


def test_a_rule_that_fits_nothing_is_a_mistake(make_cell, make_results):
    baseline = make_baseline(make_results("old", make_cell({"i": [1]})))
    with pytest.raises(UsageError, match="Did you mean 'demo/coins'"):
        checks(baseline, Policy(rules=(Rule(task="demo/coin", margin=0.3),)))


GROWTH = Metric(name="growth", summary="how much", low=None, high=None, chance=0.0, ceiling=1.0, primary=True)


def test_an_open_metric_that_never_varies_can_not_pass_and_the_forecast_says_so(make_cell, make_results):
    items = {f"i{i}": [0.1 * i, 0.1 * i] for i in range(60)}
    baseline = make_baseline(make_results("old", make_cell(items, metrics=(GROWTH,))))
    report = decide_gate(baseline, make_results("new", make_cell(items, metrics=(GROWTH,))), Policy())
    assert report.verdict == "inconclusive"
    assert report.forecasts[0].passes == 0
    assert "no verdict is possible" in report.forecasts[0].note


def test_the_forecast_of_a_graded_metric_is_about_right(make_cell, make_results):
    def side(name, i):
        noise = generator("graded", name, i).normal(0, 0.2, (80, 2))
        items = {f"i{k:03d}": [0.02 * k + x for x in row] for k, row in enumerate(noise)}
        return make_results(name, make_cell(items, metrics=(GROWTH,)))

    baseline = make_baseline(side("old", 0))
    policy = Policy(margin=0.05)
    (f,) = decide_gate(baseline, side("new", 0), policy).forecasts
    passed = 0
    for i in range(60):
        pair = make_baseline(side("old", i + 1))
        passed += decide_gate(pair, side("new", i + 1), policy, foresee=False).verdict == "pass"
    assert f.passes == pytest.approx(passed / 60, abs=0.2)
    assert 0.05 < f.passes < 0.95


def test_a_candidate_that_is_the_anchor_itself_is_pointed_out(make_cell, make_results):
    items = coins(0.7, 100, "a")
    baseline = make_baseline(make_results("old", make_cell(items)))
    again = decide_gate(baseline, make_results("old", make_cell(items)), Policy(), foresee=False)
    assert any("baseline's own run" in note for note in again.notes)
    other = decide_gate(baseline, make_results("old", make_cell(coins(0.7, 100, "b"))), Policy(), foresee=False)
    assert not any("baseline's own run" in note for note in other.notes)


HOSTILE = 'x"><script>alert(1)</script>\n::error::owned|`a`\x00'


@pytest.mark.parametrize("rate", [0.9, 0.4, 0.86])
def test_every_output_says_the_verdict_and_holds_hostile_labels(gate, rate):
    report = gate(coins(0.9, 120, "a"), coins(rate, 120, "b"), label=HOSTILE)
    data = json.loads(gate_json(report))
    assert data["verdict"] == report.verdict
    assert data["exit_code"] == report.exit_code
    suite = ElementTree.fromstring(gate_junit(report))
    failures = int(suite.get("failures") or 0)
    assert failures == (report.verdict != "pass")
    assert report.verdict in gate_markdown(report)
    assert "<script>" not in gate_markdown(report).replace("`", " ` ") or "`" in gate_markdown(report)
    assert all(line.startswith(("::error ", "::warning ")) for line in gate_annotations(report))
    assert "\x00" not in gate_text(report) + gate_markdown(report) + gate_junit(report)
    assert not any(line.startswith("::error::owned") for line in gate_text(report).splitlines())


def test_a_gate_that_could_not_run_is_an_error_in_junit(gate):
    items = coins(0.7, 50, "a")
    suite = ElementTree.fromstring(gate_junit(gate(items, dict(list(items.items())[5:]))))
    assert suite.get("errors") == "1"
    assert suite.get("failures") == "0"


def test_a_lifetime_level_is_spread_over_gates(make_cell, make_results):
    items = coins(0.7, 100, "a")
    baseline = make_baseline(make_results("old", make_cell(items)))
    report = decide_gate(baseline, make_results("new", make_cell(items)), Policy(lifetime_alpha=0.05))
    assert report.alpha == pytest.approx(0.05 * 6 / math.pi**2)
    assert any("Gate 1" in note for note in report.notes)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["fixed", "sequential"])
def test_a_candidate_at_the_margin_rarely_passes_through_the_whole_gate(make_cell, make_results, mode):
    passed = 0
    runs = 200
    for i in range(runs):
        base = coins(1.0, 80, "base", i, samples=1)
        broken = generator("broken", i).random(80) < 0.1
        new = {k: [0.0] if b else v for (k, v), b in zip(base.items(), broken, strict=True)}
        baseline = make_baseline(make_results("old", make_cell(base)))
        policy = Policy(margin=0.1, mode=mode)
        candidate = make_results("new", make_cell(new), seed=i)
        passed += decide_gate(baseline, candidate, policy, foresee=False).verdict == "pass"
    assert passed <= runs * 0.05 + 3 * math.sqrt(runs * 0.05 * 0.95)
