import math

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.multitest import multipletests

from finchmark.suite.comparison import compare, default_margin
from finchmark.suite.errors import UsageError
from finchmark.suite.records import Level, Metric
from finchmark.suite.seeds import generator
from finchmark.suite.stats.paired import difference

SUCCESS = Metric(name="success", summary="it worked", kind="binary", primary=True)
STEPS = Metric(name="steps", summary="steps used", direction="lower", low=0.0, high=10.0)
GROWTH = Metric(name="growth", summary="how much", low=None, high=None, chance=0.0, ceiling=1.0, primary=True)


def coins(rate, n, *path, samples=1):
    draws = generator("coins", *path).random((n, samples)) < rate
    return {f"i{i:04d}": [float(x) for x in row] for i, row in enumerate(draws)}


def only(comparison):
    (row,) = comparison.deciding
    return row


def test_effect_interval_and_p_value_are_those_of_the_statistics(make_cell, make_results):
    a, b = coins(0.6, 80, "a", samples=2), coins(0.4, 80, "b", samples=2)
    row = only(compare([make_results("a", make_cell(a)), make_results("b", make_cell(b))]))
    flat = [([v for x in side.values() for v in x], [k for k, x in side.items() for _ in x]) for side in (a, b)]
    expected = difference(*flat[0], *flat[1])
    assert (row.difference.estimate, row.difference.low, row.difference.high) == pytest.approx(
        (expected.estimate, expected.low, expected.high)
    )
    assert row.difference.pvalue == pytest.approx(expected.pvalue)
    assert row.difference.flips == expected.flips


def test_items_are_paired_whatever_their_order(make_cell, make_results):
    a = coins(0.5, 60, "a")
    backwards = dict(reversed(a.items()))
    row = only(compare([make_results("a", make_cell(a)), make_results("b", make_cell(backwards))]))
    assert row.difference.estimate == 0
    assert row.difference.flips is not None
    assert row.difference.flips.gained == row.difference.flips.lost == 0


def test_better_and_worse_follow_the_metrics_direction(make_cell, make_results):
    a, b = coins(0.2, 60, "a"), coins(0.9, 60, "b")
    metrics = (SUCCESS, STEPS)
    sides = [
        make_results(name, make_cell(items, metrics=metrics, extra={"steps": lambda v: 1 + 8 * v}))
        for name, items in (("a", a), ("b", b))
    ]
    verdicts = {row.metric: row.verdict for row in compare(sides).rows}
    assert verdicts == {"success": "better", "steps": "worse"}
    verdicts = {row.metric: row.verdict for row in compare(sides[::-1]).rows}
    assert verdicts == {"success": "worse", "steps": "better"}


def test_a_metric_without_a_better_side_only_differs(make_cell, make_results):
    metric = Metric(name="share", summary="a share", direction="none", primary=True)
    sides = [make_results(n, make_cell(coins(r, 60, n), metrics=(metric,))) for n, r in (("a", 0.1), ("b", 0.9))]
    assert only(compare(sides)).verdict == "differs"


def test_many_equal_items_are_equivalent_and_few_cannot_tell(make_cell, make_results):
    for n, verdict in ((200, "equivalent"), (20, "cannot tell")):
        items = coins(0.5, n, "a")
        row = only(compare([make_results(x, make_cell(items)) for x in ("a", "b")]))
        assert row.verdict == verdict
    assert row.words == f"cannot tell: needs about {row.more_units} more items"
    enough = 20 + (row.more_units or 0)
    for n, verdict in ((enough - 1, "cannot tell"), (enough, "equivalent")):
        items = coins(0.5, n, "a")
        assert only(compare([make_results(x, make_cell(items)) for x in ("a", "b")])).verdict == verdict


def test_a_wide_range_is_reckoned_with_in_what_is_needed(make_cell, make_results):
    wide = Metric(name="skill", summary="from -100 to 100", low=-100.0, high=100.0, primary=True)

    def sides(n):
        return [make_results(x, make_cell({f"i{i}": [3.0] for i in range(n)}, metrics=(wide,))) for x in "ab"]

    row = only(compare(sides(30)))
    assert row.verdict == "cannot tell"
    assert row.more_units is not None
    assert only(compare(sides(30 + row.more_units))).verdict == "equivalent"


def test_what_is_needed_is_about_enough(make_cell, make_results):
    def sides(n):
        return [make_results(x, make_cell(coins(r, n, x, n))) for x, r in (("a", 0.5), ("b", 0.62))]

    row = only(compare(sides(60)))
    assert row.verdict == "cannot tell"
    assert row.more_units is not None
    d = row.difference
    wanted = ((1.959964 + 0.841621) * d.standard_error * math.sqrt(60) / max(0.05, abs(d.estimate))) ** 2
    assert row.more_units == math.ceil(wanted) - 60


def test_deciding_rows_are_corrected_by_holm_and_the_others_by_benjamini_hochberg(make_cell, make_results):
    cells = {"a": [], "b": []}
    for i, rate in enumerate((0.5, 0.6, 0.8)):
        for side, r in (("a", 0.5), ("b", rate)):
            cells[side].append(
                make_cell(
                    coins(r, 50, side, i),
                    task=f"demo/t{i}",
                    metrics=(SUCCESS, STEPS),
                    extra={"steps": lambda v: 4 + v},
                )
            )
    found = compare([make_results(n, *c) for n, c in cells.items()])
    for primary, method, name in ((True, "holm", "holm"), (False, "fdr_bh", "benjamini-hochberg")):
        rows = [r for r in found.rows if r.primary is primary]
        expected = multipletests([r.difference.pvalue for r in rows], method=method)[1]
        assert [r.adjusted for r in rows] == pytest.approx(list(expected))
        assert {r.correction for r in rows} == {name}


def test_max_t_costs_less_than_holm_where_candidates_are_alike(make_cell, make_results):
    a, b = coins(0.5, 60, "a"), coins(0.72, 60, "b")
    sides = [make_results(n, make_cell(x)) for n, x in (("a", a), ("b", b), ("c", b), ("d", b))]
    holm, joint = (compare(sides, correction=c).rows[0] for c in ("holm", "max-t"))
    assert holm.correction == "holm"
    assert joint.correction == "max-t"
    assert joint.adjusted < 0.6 * holm.adjusted
    assert joint.adjusted == pytest.approx(holm.difference.pvalue, rel=0.5)


def test_versions_are_never_compared(make_cell, make_results):
    a, b = make_cell(coins(0.5, 9, "a")), make_cell(coins(0.5, 9, "a"), version="2")
    with pytest.raises(UsageError, match="no task in common"):
        compare([make_results("a", a), make_results("b", b)])
    both = compare(
        [
            make_results("a", a, make_cell(coins(0.5, 9, "a"), task="demo/x")),
            make_results("b", b, make_cell(coins(0.5, 9, "a"), task="demo/x")),
        ]
    )
    assert [row.cell[0] for row in both.rows] == ["demo/x"]
    assert "demo/coins@1 is not compared: b played version 2." in both.notes


def test_runs_without_common_items_are_compared_unpaired_and_it_says_so(make_cell, make_results):
    a = coins(0.2, 80, "a")
    b = {f"other-{k}": v for k, v in coins(0.9, 80, "b").items()}
    row = only(compare([make_results("a", make_cell(a)), make_results("b", make_cell(b))]))
    assert not row.difference.paired
    assert row.verdict == "better"
    assert "unpaired: the runs have no item in common" in row.notes


def test_errors_give_bounds_beside_the_complete_cases(make_cell, make_results):
    a = coins(0.5, 40, "a")
    b = {k: [None] if i < 4 else v for i, (k, v) in enumerate(a.items())}
    row = only(compare([make_results("a", make_cell(a)), make_results("b", make_cell(b))]))
    assert row.lost == (0, 4)
    assert row.difference.items == 36
    assert row.difference.estimate == 0
    lost = [v[0] for v in list(a.values())[:4]]
    assert row.worst == pytest.approx(-sum(lost) / 40)
    assert row.best == pytest.approx((4 - sum(lost)) / 40)
    assert any("samples lost" in note for note in row.notes)


def test_samples_that_are_not_there_are_lost_too(make_cell, make_results):
    a = coins(0.5, 40, "a")
    b = dict(list(a.items())[:30])
    row = only(compare([make_results("a", make_cell(a)), make_results("b", make_cell(b, expected=40))]))
    mean_a, mean_b = (np.mean([v for x in side.values() for v in x]) for side in (a, b))
    assert (row.worst, row.best) == pytest.approx((0.75 * mean_b - mean_a, 0.75 * mean_b + 0.25 - mean_a))


def test_bounds_are_of_the_items_that_both_planned(make_cell, make_results):
    whole = {f"i{i:03d}": [float(i % 2)] for i in range(100)}
    part = {k: [None] if i < 2 else v for i, (k, v) in enumerate(list(whole.items())[:20])}
    row = only(compare([make_results("a", make_cell(part)), make_results("b", make_cell(whole))]))
    # Of the 20 common items i000 and i001 were lost by the baseline; the candidate scored 0 and 1 on them.
    assert row.worst == pytest.approx(-1 / 20)
    assert row.best == pytest.approx(1 / 20)


def test_a_verdict_that_the_lost_samples_could_turn_says_so(make_cell, make_results):
    a = {f"i{i:03d}": [0.0] for i in range(100)}
    b = {k: [None] if i < 20 else [float(i < 35)] for i, (k, v) in enumerate(a.items())}
    row = only(compare([make_results("a", make_cell({**a, "i099": [1.0]})), make_results("b", make_cell(b))]))
    assert row.verdict == "better"
    assert not row.unsure
    lossy = {k: [None] if i < 40 else v for i, (k, v) in enumerate(a.items())}
    row = only(
        compare(
            [
                make_results("a", make_cell(lossy)),
                make_results("b", make_cell({**a, **{f"i{i:03d}": [1.0] for i in range(50, 65)}})),
            ]
        )
    )
    assert row.verdict == "better"
    assert row.unsure
    assert "not if what was lost" in row.words


def test_equivalence_is_corrected_too(make_cell, make_results):
    def sides(tasks):
        return [
            make_results(x, *(make_cell(coins(0.5, 78, "a"), task=f"demo/t{i}") for i in range(tasks))) for x in "ab"
        ]

    assert only(compare(sides(1))).verdict == "equivalent"
    assert {row.verdict for row in compare(sides(10)).deciding} == {"cannot tell"}


def test_a_metric_that_does_not_always_apply_is_no_fair_sample(make_cell, make_results):
    steps = Metric(name="steps", summary="steps to success", direction="lower", low=0.0, high=10.0)
    sides = [
        make_results(
            x,
            make_cell(
                coins(0.5, 60, x),
                metrics=(SUCCESS, steps),
                extra={"steps": lambda v: 5.0 if v else float("nan")},
            ),
        )
        for x in "ab"
    ]
    row = next(r for r in compare(sides).rows if r.metric == "steps")
    assert any("no fair sample" in note for note in row.notes)
    assert row.more_units is None


def test_few_streams_are_no_claim(make_cell, make_results):
    sides = []
    for name, rate in (("a", 0.0), ("b", 1.0)):
        cell = make_cell(coins(rate, 40, name))
        frame = cell.frame.assign(stream=[f"s{i // 8}" for i in range(40)], position=[i % 8 for i in range(40)])
        sides.append(make_results(name, type(cell)(**{**vars(cell), "frame": frame})))
    row = only(compare(sides, confidence=0.8))
    assert row.verdict == "cannot tell"
    assert any("under 6 streams" in note for note in row.notes)


def test_a_stream_is_one_unit(make_cell, make_results):
    def streams(rate, name):
        cell = make_cell(coins(rate, 48, name))
        frame = cell.frame.assign(stream=[f"s{i // 6}" for i in range(48)], position=[i % 6 for i in range(48)])
        return make_results(name, make_cell({}, expected=48)), cell, frame

    sides = []
    for name, rate in (("a", 0.4), ("b", 0.7)):
        _, cell, frame = streams(rate, name)
        sides.append(make_results(name, type(cell)(**{**vars(cell), "frame": frame})))
    row = only(compare(sides))
    assert row.unit == "stream"
    assert row.difference.units == 8


def test_overall_is_the_mean_over_tasks_of_one_family(make_cell, make_results):
    sides = []
    for name, shift in (("a", 0.0), ("b", 0.2)):
        cells = [make_cell(coins(0.4 + shift, n, name, n), task=f"demo/t{n}") for n in (30, 90)]
        sides.append(make_results(name, *cells, make_cell(coins(0.5, 30, "z"), task="other/x")))
    found = compare(sides)
    (total,) = found.overall
    means = [row.difference.estimate for row in found.deciding if row.cell[0].startswith("demo/")]
    assert total.estimate == pytest.approx(np.mean(means))
    assert total.family == "demo"
    assert total.units == 120
    d = [row.difference.standard_error for row in found.deciding if row.cell[0].startswith("demo/")]
    assert (total.high - total.low) / 2 == pytest.approx(1.98 * math.hypot(*d) / 2, rel=0.02)


def test_arms_of_a_task_are_one_unit_by_item_overall(make_cell, make_results):
    sides = []
    for name, rate in (("a", 0.4), ("b", 0.6)):
        items = coins(rate, 40, name)
        arms = [make_cell(items, task="demo/x", arm=arm) for arm in ("one", "two")]
        sides.append(make_results(name, *arms, make_cell(coins(rate, 40, name, 2), task="demo/y")))
    (total,) = compare(sides).overall
    assert total.units == 80  # not 120: the arms repeat one another


def test_an_open_metric_takes_its_margin_from_chance_and_ceiling(make_cell):
    cell = make_cell({"i": [0.3]}, metrics=(GROWTH,), levels={"growth": Level(chance=1.0, ceiling=3.0)})
    assert default_margin(GROWTH, cell) == pytest.approx(0.1)
    unknown = Metric(name="growth", summary="", low=None, high=None, primary=True)
    assert default_margin(unknown, make_cell({"i": [0.3]}, metrics=(unknown,))) is None


def test_different_decodings_are_said(make_cell, make_results):
    items = coins(0.5, 9, "a")
    sides = [make_results(d, make_cell(items), decoding=d) for d in ("greedy", "sampled T=0.7")]
    assert any("Decoding differs" in note for note in compare(sides).notes)


def test_equal_labels_are_told_apart(make_cell, make_results):
    items = coins(0.5, 9, "a")
    a, b = make_results("x", make_cell(items)), make_results("x", make_cell(items))
    found = compare([a, b])
    assert found.baseline.label != found.candidates[0].label


@pytest.mark.parametrize(
    ("options", "words"),
    [({"margin": 0.0}, "--margin"), ({"margin": 1.5}, "--margin"), ({"confidence": 1.0}, "--confidence")],
)
def test_numbers_out_of_range_are_named(make_cell, make_results, options, words):
    sides = [make_results(n, make_cell(coins(0.5, 9, n))) for n in "ab"]
    with pytest.raises(UsageError, match=words):
        compare(sides, **options)


def test_one_run_is_no_comparison(make_cell, make_results):
    with pytest.raises(UsageError, match="at least two"):
        compare([make_results("a", make_cell(coins(0.5, 9, "a")))])


def test_the_frame_has_a_row_a_comparison(make_cell, make_results):
    sides = [make_results(n, make_cell(coins(0.5, 30, n))) for n in "ab"]
    frame = compare(sides).frame()
    assert isinstance(frame, pd.DataFrame)
    assert frame.loc[0, "difference"] == only(compare(sides)).difference.estimate
    assert frame.loc[0, ["gained", "lost", "both", "neither"]].sum() == pytest.approx(30)


@pytest.mark.slow
def test_equal_models_are_told_apart_in_at_most_one_of_twenty(make_cell, make_results):
    wrong = 0
    for i in range(300):
        rates = generator("rates", i).beta(0.5, 0.5, 40)
        sides = []
        for name in "ab":
            draws = generator(name, i).random((40, 3)) < rates[:, None]
            sides.append(make_results(name, make_cell({f"i{k}": list(map(float, r)) for k, r in enumerate(draws)})))
        wrong += only(compare(sides)).verdict in ("better", "worse")
    assert wrong <= 300 * 0.05 + 3 * math.sqrt(300 * 0.05 * 0.95)


@pytest.mark.slow
@pytest.mark.parametrize(("items", "samples"), [(30, 16), (30, 64), (60, 64)])
def test_few_broken_items_among_many_small_gains_are_not_called_better(make_cell, make_results, items, samples):
    wrong, runs = 0, 100
    for i in range(runs):
        rng = generator("few broken", i, items, samples)
        broken = rng.random(items) < 0.05
        rates = np.where(broken, 0.0, 0.9 / 0.95)  # on average nothing changes
        sides = []
        for name, p in (("a", np.full(items, 0.9)), ("b", rates)):
            draws = rng.random((items, samples)) < p[:, None]
            sides.append(make_results(name, make_cell({f"i{k}": list(map(float, r)) for k, r in enumerate(draws)})))
        wrong += only(compare(sides)).verdict == "better"
    assert wrong <= runs * 0.05 + 3 * math.sqrt(runs * 0.05 * 0.95)
