import dataclasses
import math

import pytest

from finchmark.leaderboard import standings
from finchmark.leaderboard.standings import Standing
from finchmark.suite.errors import StoreError, UsageError
from finchmark.suite.records import STOPPED_EARLY, BackendChoice, Level, Metric
from finchmark.suite.stats import korn_graubard, t_interval, wilson

GRADED = Metric(name="reward", summary="", failure=0.0, primary=True)


def row(run, metric="solved", arm="default"):
    table = standings([run])
    (found,) = table[(table["metric"] == metric) & (table["arm"] == arm)].to_dict("records")
    return found


def test_the_columns_are_the_fields_of_a_standing(make_run):
    assert list(standings([make_run({"a": [1]})]).columns) == [f.name for f in dataclasses.fields(Standing)]


def test_one_binary_sample_an_item(make_run):
    r = row(make_run({"a": [1], "b": [0], "c": [0], "d": [1], "e": [1]}))
    expected = wilson(3, 5)
    assert (r["mean"], r["low"], r["high"], r["method"]) == (0.6, expected.low, expected.high, "wilson")
    assert (r["units"], r["samples"], r["sparse"], r["unit"]) == (5, 5, True, "item")


def test_several_binary_samples_an_item(make_run):
    r = row(make_run({"a": [1, 1], "b": [0, 1], "c": [0, 0]}))
    expected = korn_graubard([2, 1, 0], 2)
    assert (r["mean"], r["low"], r["high"], r["method"]) == (0.5, expected.low, expected.high, "korn-graubard")
    assert (r["units"], r["samples"]) == (3, 6)


def test_graded_samples(make_run):
    r = row(make_run({"a": [0.2, 0.4], "b": [0.9, 0.5]}, metrics=(GRADED,)), "reward")
    expected = t_interval([0.3, 0.7], low=0, high=1)
    assert (r["mean"], r["low"], r["high"]) == pytest.approx((0.5, expected.low, expected.high))
    assert r["method"] == "t"


def test_items_weigh_alike_however_many_samples_they_kept(make_run):
    r = row(make_run({"a": [1, 1, 1, 1], "b": [0, "error", "error", "error"]}))
    assert r["mean"] == 0.5


def test_an_error_is_counted_and_never_scored(make_run):
    r = row(make_run({"a": [1, "error"], "b": [1, 1]}))
    assert (r["mean"], r["samples"], r["error"], r["ok"]) == (1.0, 3, 1, 3)


def test_invalid_and_refused_are_scored_as_failures_and_counted(make_run):
    r = row(make_run({"a": [1, "invalid"], "b": ["refused", 1]}))
    assert (r["mean"], r["samples"], r["ok"], r["invalid"], r["refused"]) == (0.5, 4, 2, 1, 1)


def test_errors_above_two_percent_flag_the_row(make_run):
    at = make_run({str(i): [1] for i in range(49)} | {"x": ["error"]})
    above = make_run({str(i): [1] for i in range(48)} | {"x": ["error"]})
    assert row(at)["flag"] == ""
    assert row(above)["flag"] == "2.0 % of samples lost to errors"


def test_what_was_done_about_errors_is_said(make_run):
    assert row(make_run({"a": [1, "error"]}))["treatment"] == "left out (complete cases)"
    assert row(make_run({"a": [1, 0]}))["treatment"] == "all scored"


def test_lost_samples_bound_the_mean_on_both_sides(make_run):
    r = row(make_run({"a": [1, "error"], "b": [0, 0]}))
    assert (r["worst"], r["mean"], r["best"]) == (0.25, 0.5, 0.5)


def test_missing_samples_are_counted_flagged_and_bounded(make_run):
    r = row(make_run({"a": [1, 1]}, items=4, samples=2))
    assert r["missing"] == 6
    assert r["flag"] == "incomplete: 6 of 8 samples missing"
    assert (r["worst"], r["mean"], r["best"]) == (0.25, 1.0, 1.0)


@pytest.mark.parametrize(
    ("items", "flag"), [(2, "stopped early by a gate: 2 of 4 samples missing"), (1, "stopped early by a gate")]
)
def test_a_run_that_a_gate_stopped_says_so(make_run, items, flag):
    run = make_run({"a": [1, 1]}, items=items, samples=2, complete=False, notes=(STOPPED_EARLY,))
    assert row(run)["flag"] == flag


def test_an_arm_without_any_sample_still_has_its_row(make_run):
    r = row(make_run({"one": {"a": [1]}, "two": {}}), arm="two")
    assert math.isnan(r["mean"])
    assert (r["units"], r["missing"], r["method"]) == (0, 1, "none")


def test_a_run_that_has_just_begun_has_rows(make_run):
    run = make_run({"default": {}}, items=3)
    run.table = make_run({"a": [1]}).table.iloc[:0]
    assert row(run)["missing"] == 3


def test_a_metric_that_does_not_apply_everywhere_says_so(make_run):
    steps = Metric(name="steps", summary="", high=None, direction="lower")
    metrics = (Metric(name="solved", summary="", kind="binary", failure=0.0, primary=True), steps)
    run = make_run(
        {"a": [{"solved": 1, "steps": 4}], "b": [{"solved": 1, "steps": 8}], "c": [{"solved": 0}]}, metrics=metrics
    )
    r = row(run, "steps")
    assert (r["mean"], r["units"], r["direction"]) == (6.0, 2, "lower")
    assert r["note"] == "applies to 2 of 3 scored samples"
    assert r["flag"] == ""
    assert math.isnan(r["worst"])


def test_pass_at_k_goes_in_powers_of_two_up_to_the_samples(make_run):
    table = standings([make_run({"a": [1, 0, 0, 0, 0, 0], "b": [0] * 6})])
    assert [m for m in table["metric"] if m != "solved"] == ["pass@1", "pass@2", "pass@4"]


def test_pass_at_k_by_hand(make_run):
    run = make_run({"a": [1, 0, 0, 0], "b": [0] * 4})
    # Of 4 samples with 1 success, half of all pairs and all fours hold it.
    assert [row(run, f"pass@{k}")["mean"] for k in (1, 2, 4)] == pytest.approx([0.125, 0.25, 0.5])


def test_pass_at_1_is_the_primary_metric(make_run):
    run = make_run({"a": [1, 0], "b": [1, 1], "c": [0, 0]})
    fields = ["mean", "low", "high", "units", "samples"]
    assert [row(run, "pass@1")[f] for f in fields] == [row(run)[f] for f in fields]


def test_pass_at_all_samples_is_one_trial_an_item(make_run):
    r = row(make_run({"a": [1, 0], "b": [1, 1], "c": [0, 0]}), "pass@2")
    expected = wilson(2, 3)
    assert (r["mean"], r["low"], r["high"], r["method"]) == (expected.estimate, expected.low, expected.high, "wilson")


def test_pass_at_k_leaves_out_items_with_too_few_samples_and_says_so(make_run):
    r = row(make_run({"a": [1, 0], "b": ["error", 1]}), "pass@2")
    assert (r["units"], r["samples"]) == (1, 2)
    assert r["note"] == "1 item with under 2 scored samples left out"


def test_pass_at_k_has_bounds_for_lost_samples(make_run):
    r = row(make_run({"a": [1, 0], "b": ["error", 0]}), "pass@2")
    assert (r["worst"], r["best"]) == (0.5, 1.0)


def test_a_metric_where_less_is_better_has_no_pass_at_k(make_run):
    bad = Metric(name="broke", summary="", kind="binary", direction="lower", failure=1.0, primary=True)
    assert list(standings([make_run({"a": [1, 0]}, metrics=(bad,))])["metric"]) == ["broke"]


def test_levels_come_from_the_manifest(make_run):
    levels = {"default": {"solved": Level(chance=0.05, ceiling=1.0, exact=True), "pass@2": Level(chance=0.0975)}}
    run = make_run({"a": [1, 0]}, levels=levels)
    assert (row(run)["chance"], row(run)["ceiling"], row(run)["levels"]) == (0.05, 1.0, "exact")
    assert (row(run, "pass@1")["chance"], row(run, "pass@2")["chance"]) == (0.05, 0.0975)
    assert row(run, "pass@2")["levels"] == "declared"


def test_levels_that_only_the_metric_declares_are_declared(make_run):
    r = row(make_run({"a": [1]}))
    assert (r["ceiling"], r["levels"]) == (1.0, "declared")
    assert math.isnan(r["chance"])


def test_runs_are_never_pooled(make_run):
    runs = [make_run({"a": [i]}, folder=str(i), temperature=t) for i, t in ((0, 0.0), (1, 0.7))]
    table = standings(runs)
    own = table[table["metric"] == "solved"]
    assert sorted(zip(own["mean"], own["decoding"], strict=True)) == [(0.0, "greedy"), (1.0, "sampled T=0.7")]
    assert own["model"].nunique() == 2


@pytest.mark.parametrize("difference", [{"version": 2}, {"tier": "full"}, {"items_hash": "other"}])
def test_versions_tiers_and_item_sets_never_share_a_column(make_run, difference):
    table = standings([make_run({"a": [0]}, folder="1"), make_run({"a": [1]}, folder="2", **difference)])
    columns = table[table["metric"] == "solved"].groupby(["task", "version", "tier", "items_hash", "arm"])
    assert list(columns["mean"].size()) == [1, 1]


def test_arms_are_columns_of_their_own(make_run):
    table = standings([make_run({"one": {"a": [1]}, "two": {"a": [0]}})])
    assert dict(zip(table["arm"], table["mean"], strict=True)) == {"one": 1.0, "two": 0.0}


def test_the_order_of_runs_does_not_show(make_run):
    runs = [make_run({"a": [1, 0]}, label=f"m{i % 3}", folder=f"f{i}", seed=i) for i in range(6)]
    assert standings(runs).equals(standings(runs[::-1]))


def test_rows_of_one_set_of_items_stand_together(make_run):
    arms = {"one": {"a": [1]}, "two": {"a": [0]}}
    table = standings([make_run(arms, folder=h, items_hash=h) for h in ("x", "y")])
    assert list(table[table["metric"] == "solved"]["items_hash"]) == ["x", "x", "y", "y"]


def test_references_are_marked(make_run):
    run = make_run({"a": [1]}, backend=BackendChoice(name="scripted", model="oracle"))
    assert row(run)["reference"] is True
    assert row(run)["decoding"] == "scripted"


def test_streams_are_the_unit_where_the_metric_says_so(make_run):
    metric = Metric(name="solved", summary="", kind="binary", primary=True, clusters=("sample", "item", "stream"))
    run = make_run({f"i{j}": [j % 2] * 3 for j in range(4)}, metrics=(metric,))
    run.table["stream"] = [f"s{i}" for i in run.table["sample"]]
    r = row(run)
    assert (r["unit"], r["units"], r["samples"]) == ("stream", 3, 12)
    assert r["note"] == ""
    assert math.isnan(r["worst"])


def test_a_claim_that_cannot_reach_the_top_of_the_path_says_so(make_run):
    metric = Metric(name="solved", summary="", kind="binary", primary=True, clusters=("sample", "item", "world"))
    assert row(make_run({"a": [1]}, metrics=(metric,)))["note"] == "a claim about these items only, not about any world"


@pytest.mark.parametrize(("worlds", "unit"), [(10, "world"), (9, "item")])
def test_the_highest_level_with_ten_units_is_the_unit(make_run, worlds, unit):
    metric = Metric(name="solved", summary="", kind="binary", primary=True, clusters=("sample", "item", "world"))
    run = make_run({f"i{j}": [1, 0] for j in range(20)}, metrics=(metric,))
    run.table["world"] = [f"w{int(i[1:]) % worlds}" for i in run.table["item"]]
    assert row(run)["unit"] == unit


def test_checkpoints_that_a_mean_spans_are_said(make_run):
    run = make_run({"a": [1, 0]})
    run.table["checkpoint"] = [0, 1]
    assert row(run)["note"] == "mean over 2 checkpoints"


def test_a_value_outside_the_metrics_range_is_refused_by_name(make_run):
    with pytest.raises(StoreError, match=r"runs/run: family/task, metric 'solved': .* not 0\.5"):
        standings([make_run({"a": [0.5]})])


def test_samples_of_another_version_are_refused(make_run):
    run = make_run({"a": [1]})
    run.table["version"] = 7
    with pytest.raises(StoreError, match="family/task@7"):
        standings([run])


def test_a_task_that_the_manifest_does_not_describe_is_refused(make_run):
    run = make_run({"a": [1]})
    run.manifest = run.manifest.model_copy(update={"tasks": {}})
    with pytest.raises(StoreError, match="does not describe family/task@1"):
        standings([run])


def test_no_run_is_refused():
    with pytest.raises(UsageError, match="at least one run"):
        standings([])


def test_the_confidence_is_handed_on(make_run):
    run = make_run({"a": [1], "b": [0]})
    table = standings([run], confidence=0.8)
    assert set(table["confidence"]) == {0.8}
    assert table["low"].iloc[0] == wilson(1, 2, 0.8).low
