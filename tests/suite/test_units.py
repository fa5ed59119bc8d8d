"""Units above the item: what comparisons, claims and gates average within, and when they do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from finchmark import UsageError
from finchmark.suite.baseline import make_baseline
from finchmark.suite.claims import judge
from finchmark.suite.comparison import compare
from finchmark.suite.evaluation import prepare
from finchmark.suite.gate import decide_gate
from finchmark.suite.policy import Policy
from finchmark.suite.records import Grouping, Metric, TaskSheet
from finchmark.suite.registry import TASKS
from finchmark.suite.results import ENOUGH_UNITS, unit_level

SUCCESS = Metric(
    name="success", summary="", kind="binary", failure=0.0, primary=True, clusters=("sample", "item", "problem")
)
LEVELS = 4


def values(problems, of):
    """Samples by item: ``of(problem, level)`` gives those of an item."""
    return {f"p{p:02d}-{level}": of(p, level) for p in range(problems) for level in range(LEVELS)}


def owned(items, name="problem", **more):
    return (Grouping(name=name, groups={item: item.partition("-")[0] for item in items}, **more),)


@pytest.fixture
def cell(make_cell):
    def make(items, **fields):
        return make_cell(items, metrics=(SUCCESS,), groupings=owned(items), **fields)

    return make


def test_the_highest_level_with_enough_units_is_the_unit():
    metric = replace_clusters("problem", "book")
    many, few = [f"u{i}" for i in range(ENOUGH_UNITS)], ["a", "b"] * 5
    assert unit_level(metric, {"problem": many, "book": few}) == "problem"
    assert unit_level(metric, {"problem": many, "book": many}) == "book"
    assert unit_level(metric, {"problem": few, "book": few}) == "item"
    assert unit_level(metric, {}) == "item"


def replace_clusters(*levels):
    return SUCCESS.model_copy(update={"clusters": ("sample", "item", *levels)})


def test_a_level_that_an_item_does_not_belong_to_is_none():
    labels = [f"u{i}" for i in range(20)]
    assert unit_level(SUCCESS, {"problem": [*labels, ""]}) == "item"


def test_a_comparison_averages_within_problems(cell, make_results):
    base = values(20, lambda p, level: [0.0])
    better = values(20, lambda p, level: [float(p < 10)])
    row = compare([make_results("a", cell(base)), make_results("b", cell(better))]).rows[0]
    assert (row.unit, row.difference.units, row.difference.items) == ("problem", 20, 80)
    alone = [replace(cell(side), groupings=()) for side in (base, better)]
    naive = compare([make_results("a", alone[0]), make_results("b", alone[1])]).rows[0]
    assert (naive.unit, naive.difference.units) == ("item", 80)
    width = row.difference.high - row.difference.low
    assert width > 1.5 * (naive.difference.high - naive.difference.low)


def test_with_few_problems_items_are_compared(cell, make_results):
    sides = [cell(values(ENOUGH_UNITS - 1, lambda p, level: [1.0])) for _ in range(2)]
    row = compare([make_results("a", sides[0]), make_results("b", sides[1])]).rows[0]
    assert row.unit == "item"


def test_what_was_lost_is_weighed_by_problem(cell, make_results):
    base = values(10, lambda p, level: [1.0])
    half = values(10, lambda p, level: [None] if (p, level) == (0, 0) else [1.0])
    row = compare([make_results("a", cell(base)), make_results("b", cell(half))]).rows[0]
    assert (row.worst, row.best) == (pytest.approx(-1 / 40), pytest.approx(0.0))


def test_a_claim_is_about_problems(cell):
    found = judge(cell(values(20, lambda p, level: [1.0])), "success", "at least", 0.9)
    assert (found.unit, found.units, found.verdict) == ("problem", 20, "cannot tell")
    alone = replace(cell(values(20, lambda p, level: [1.0])), groupings=())
    assert judge(alone, "success", "at least", 0.9).verdict == "shown"


def test_a_fixed_gate_decides_over_problems(cell, make_results):
    baseline = make_baseline(make_results("old", cell(values(20, lambda p, level: [1.0]))))
    new = make_results("new", cell(values(20, lambda p, level: [1.0])))
    report = decide_gate(baseline, new, Policy(mode="fixed"), foresee=False)
    # 59 units without a loss are needed at a margin of .05: 20 problems are not enough, their 80 items would be.
    assert report.verdict == "inconclusive"
    assert any("averaged within their problem" in note for note in report.notes)
    alone = make_results("new", replace(new.cells[0], groupings=()))
    assert decide_gate(baseline, alone, Policy(mode="fixed"), foresee=False).verdict == "pass"


def test_a_sequential_gate_says_that_it_is_about_items(cell, make_results):
    baseline = make_baseline(make_results("old", cell(values(20, lambda p, level: [1.0]))))
    report = decide_gate(
        baseline,
        make_results("new", cell(values(20, lambda p, level: [1.0]))),
        Policy(mode="sequential"),
        foresee=False,
    )
    assert any("about these items only" in note for note in report.notes)


def test_a_sheet_without_groupings_is_written_as_before():
    plain = TaskSheet(name="t", version=1, summary="", metrics=(SUCCESS,), arms={}, levels={})
    assert "groupings" not in plain.model_dump(mode="json")
    told = plain.model_copy(update={"groupings": owned(["p0-0"])})
    assert TaskSheet.model_validate_json(told.model_dump_json()) == told
    assert "best_of" not in SUCCESS.model_dump()


def test_a_grouping_may_not_have_the_name_of_a_column(monkeypatch):
    task = TASKS.load("odyssey/lights")
    monkeypatch.setattr(task, "groupings", lambda self, items: owned([item.id for item in items], name="stream"))
    with pytest.raises(UsageError, match="grouping 'stream', a name that is taken"):
        prepare("odyssey/lights", "scripted:random")
