"""The task of combos: its items and units, its bank, and what oracles, stubs and gluings reach over the sandbox."""

from __future__ import annotations

import json

import numpy as np
import pytest

from finchmark import evaluate
from finchmark.leaderboard.standings import standings
from finchmark.suite.comparison import compare
from finchmark.suite.conformance import check_task
from finchmark.suite.errors import StoreError, UsageError
from finchmark.suite.registry import TASKS, Entry
from finchmark.suite.results import read_results
from finchmark.suite.sandbox import available
from finchmark.suite.task import Item
from finchmark.tasks.creativebench.banks import TOLERANCE, load_bank, stamp, store_bank
from finchmark.tasks.creativebench.combo import load_combos
from finchmark.tasks.creativebench.combo_banks import COMBO_BANKS, load_combo_bank, with_parents
from finchmark.tasks.creativebench.combo_task import Combine
from finchmark.tasks.creativebench.novelty import bag_distance, grams, novelty
from finchmark.tasks.creativebench.slices import driven
from finchmark.tasks.creativebench.trial import trial

TASK = Combine()
COMBOS = load_combos()


def sandboxed():
    return any(tier.kind == "bubblewrap" and tier.usable for tier in available())


needs_sandbox = pytest.mark.skipif(not sandboxed(), reason="bubblewrap cannot be had here")


@pytest.fixture
def registered():
    """The task by its name, whether or not the catalogue offers it."""
    known = TASKS.names()
    if TASK.name not in known:
        TASKS.add(Entry(TASK.name, f"{Combine.__module__}:Combine", "combos", tuple(Combine.tiers)))
    yield
    if TASK.name not in known:
        TASKS.forget(TASK.name)


def test_the_full_tier_has_every_combo():
    items = TASK.items(TASK.tiers["full"], 0)
    assert [item.data["problem"] for item in items] == list(COMBOS)
    assert len({item.hash for item in items}) == len(items)


def test_smaller_tiers_are_contained_in_larger_ones():
    smoke, lite, full = ({item.id for item in TASK.items(TASK.tiers[name], 0)} for name in ("smoke", "lite", "full"))
    assert len(smoke) == 6
    assert smoke < lite <= full


def test_other_items_than_the_shipped_ones_are_refused():
    with pytest.raises(UsageError, match="only"):
        TASK.items(TASK.tiers["smoke"], 1)


def test_no_prompt_shows_tests_solutions_or_parents():
    for item in TASK.items(TASK.tiers["full"], 0):
        prompt = item.data["prompt"]
        assert "assert " not in prompt
        assert item.proof["solution"].strip() not in prompt
        assert not any(f"`{parent}" in prompt for parent in item.data["parents"])


def test_units_are_the_parents_in_pairs():
    items = TASK.items(TASK.tiers["full"], 0)
    pairs = next(grouping for grouping in TASK.groupings(items) if grouping.name == "parents")
    assert pairs.dyadic
    assert set(pairs.groups) == {item.id for item in items}
    assert pairs.dyads["caesar_shift+walk_end"] == ("caesar_shift", "walk_end")
    assert {metric.clusters for metric in TASK.metrics} == {("sample", "item", "parents")}


def test_metrics_are_those_of_explore_without_its_rules():
    assert [metric.name for metric in TASK.metrics] == ["quality", "novelty", "creativity", "tampered"]
    assert TASK.metrics[0].primary


@pytest.mark.parametrize("name", COMBOS)
def test_a_combo_has_its_bank(name):
    bank = load_bank(COMBOS[name], COMBO_BANKS)
    assert max(bank.rewrites.values(), default=0.0) - bank.allowance <= TOLERANCE


@pytest.mark.parametrize("name", COMBOS)
def test_the_slice_of_a_combo_holds_material_of_both_parents(name):
    """What the tests need of the plain solution has 4-grams in common with a program of either parent."""
    own = grams(load_bank(COMBOS[name], COMBO_BANKS).slices[0])
    for parent in COMBOS[name].parents:
        assert min(bag_distance(own, bag) for bag in load_bank(parent).bags) < 1


def measured(code, combo, bank):
    fuel = 60_000
    return driven(novelty(code, bank), lambda text: trial(text, combo.tests, fuel).passed)


def test_shipped_programs_are_not_novel():
    combo = COMBOS["coded_walk"]
    bank = load_combo_bank(combo)
    for code in combo.bank:
        assert measured(code, combo, bank).novelty == 0


def test_a_gluing_of_public_programs_is_near_the_bank():
    """Parents' other programs, joined by two lines: less novel than against the combo's own programs alone."""
    combo = COMBOS["coded_walk"]
    shift, walk = (parent.bank[-1] for parent in combo.parents)
    glue = combo.solution[combo.solution.index("def coded_walk") :]
    code = f"{shift}\n{walk}\n{glue}"
    assert trial(code, combo.tests).passed
    alone = measured(code, combo, load_bank(combo, COMBO_BANKS))
    joined = measured(code, combo, load_combo_bank(combo))
    assert joined.distance < alone.distance
    assert joined.novelty < 0.3


def test_pairs_of_parents_stand_in_the_bank():
    combo = COMBOS["coded_walk"]
    own, parents = load_bank(combo, COMBO_BANKS), [load_bank(parent) for parent in combo.parents]
    one, two = (len(bank.slices) for bank in parents)
    made = with_parents(own, parents)
    assert len(made.slices) == len(own.slices) + one + two + one * two
    assert made.forms == own.forms
    assert made.allowance == own.allowance


def test_a_bank_of_other_tests_is_refused(tmp_path):
    combo = COMBOS["coded_walk"]
    bank = load_bank(combo, COMBO_BANKS)
    path = store_bank(combo, bank, tmp_path)
    assert load_combo_bank(combo, tmp_path).slices[0] == bank.slices[0]
    path.write_text(path.read_text().replace(stamp(combo), "0"))
    with pytest.raises(StoreError, match="coded_walk"):
        load_combo_bank(combo, tmp_path)


def scores(run, metric):
    return [s.metrics[metric] for s in sorted(run.samples(), key=lambda s: (s.key.item, s.key.sample))]


@needs_sandbox
@pytest.mark.usefixtures("registered")
def test_the_oracle_reaches_quality_and_no_novelty(tmp_path):
    run = evaluate(TASK.name, "scripted:oracle", tier="smoke", samples=1, out=tmp_path / "run")
    assert scores(run, "quality") == [1.0] * 6
    assert scores(run, "novelty") == [0.0] * 6


@needs_sandbox
@pytest.mark.usefixtures("registered")
@pytest.mark.slow
def test_stubs_reach_nothing_and_their_intervals_are_dyadic(tmp_path):
    run = evaluate(TASK.name, "scripted:random", tier="lite", samples=1, out=tmp_path / "run")
    n = len(TASK.items(TASK.tiers["lite"], 0))
    assert scores(run, "quality") == [0.0] * n
    assert scores(run, "creativity") == [0.0] * n
    other = evaluate(TASK.name, "scripted:oracle", tier="lite", samples=1, out=tmp_path / "other")
    table = standings([run, other])
    rows = table[table["metric"] == "quality"]
    assert set(rows["unit"]) == {"parents"}
    assert set(rows["method"]) == {"dyadic wilson"}
    assert list(rows["units"]) == [len({p for i in TASK.items(TASK.tiers["lite"], 0) for p in i.data["parents"]})] * 2
    assert set(table[table["metric"] == "pass@1"]["method"]) == {"dyadic wilson"}
    found = compare([read_results(run.path), read_results(other.path)]).deciding[0]
    assert found.unit == "parents"
    assert found.difference.method == found.difference.test == "dyadic tango"
    assert np.isfinite([found.difference.low, found.difference.high]).all()
    assert found.verdict == "better"


@needs_sandbox
@pytest.mark.slow
@pytest.mark.usefixtures("registered")
def test_the_task_passes_the_conformance_checks():
    check_task(Combine)


ROW = {
    "question": "Write `double(x)`.",
    "canonical_solution": "def double(x):\n    return x + x\n",
    "demo_test_func": "def test():\n    assert double(2) == 4\n",
    "full_test_func": "def test():\n    assert double(2) == 4\n    assert double(0) == 0\n",
    "language": "python",
    "combo_info": {"source1_question": "one ...", "source2_question": "two ..."},
}


@needs_sandbox
@pytest.mark.usefixtures("registered")
def test_official_rows_are_played_and_their_references_pass(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(ROW) + "\n" + json.dumps({**ROW, "question": "Write `double(x)` again."}))
    run = evaluate(TASK.name, "scripted:oracle", data=path, samples=1, out=tmp_path / "run")
    assert scores(run, "quality") == [1.0, 1.0]
    assert scores(run, "novelty") == [0.0, 0.0]


def test_official_rows_have_no_units_above_themselves(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(ROW))
    items = TASK.read_items(path, TASK.tiers["full"])
    assert isinstance(items[0], Item)
    assert TASK.groupings(items) == ()


def test_rows_of_the_other_track_are_refused(tmp_path):
    path = tmp_path / "rows.jsonl"
    row = {
        "id": "p_L0",
        "problem_id": "p",
        "level": 0,
        "question": "Write `double(x)`.",
        "test_code": ROW["full_test_func"],
        "reference_solution": ROW["canonical_solution"],
        "constraints": [],
    }
    path.write_text(json.dumps(row))
    with pytest.raises(UsageError, match="no Combo row"):
        TASK.read_items(path, TASK.tiers["full"])
