from __future__ import annotations

import math

import pytest

from finchmark.suite.errors import StoreError, UsageError
from finchmark.suite.records import Level, Manifest, Metric, Outcome, RunSpec, Sample, Sampling, TaskChoice, TaskSheet
from finchmark.suite.results import COLUMNS, Cell, Results, from_run, read_results
from finchmark.suite.store import RunWriter, StoredRun

SUCCESS = Metric(name="success", summary="share solved", kind="binary", failure=0.0, primary=True)


def sample(item="i0", number=0, **changes):
    base = {"task": "demo/t", "version": 2, "arm": "a", "item": item, "item_hash": f"hash of {item}"}
    rest = {"sample": number, "seed": 1, "outcome": Outcome.OK, "metrics": {"success": 1.0}}
    return Sample(**{**base, **rest, **changes})


@pytest.fixture
def store(tmp_path):
    def store(*samples, arms=("a",), described=True, **spec):
        choice = TaskChoice(name="demo/t", version=2, arms=arms, items=3, items_hash="h")
        backend = {"name": "openai", "model": "m"}
        made = RunSpec(**{"tasks": (choice,), "tier": "smoke", "samples": 2, "backend": backend, **spec})
        levels = {arm: {"success": Level(chance=0.25)} for arm in arms}
        sheet = TaskSheet(
            name="demo/t", version=2, summary="", metrics=(SUCCESS,), arms=dict.fromkeys(arms, ""), levels=levels
        )
        tasks = {"demo/t": sheet} if described else {}
        manifest = Manifest(
            finchmark="0", label="me", created="c", updated="u", spec=made, spec_hash=made.hash, tasks=tasks
        )
        with RunWriter(tmp_path / "run", manifest) as writer:
            for one in samples:
                writer.append(one)
        return StoredRun(tmp_path / "run")

    return store


def test_a_run_gives_a_cell_for_each_arm(store):
    results = from_run(store(sample(), sample(arm="b"), arms=("a", "b")))
    assert (results.label, results.origin) == ("me", "finchmark")
    assert [c.key for c in results.cells] == [("demo/t", "2", "a"), ("demo/t", "2", "b")]
    assert results.cells[1].levels["success"].chance == 0.25
    assert list(results.cells[0].frame.columns) == [*COLUMNS, "success"]


def test_samples_that_are_not_there_are_errors(store):
    (cell,) = from_run(store(sample(), sample("i1", outcome=Outcome.ERROR, metrics={}))).cells
    assert (cell.expected, len(cell.frame), cell.errors) == (6, 2, 5)
    assert list(cell.scored["item"]) == ["i0"]
    assert math.isnan(cell.frame["success"][1])


def test_an_arm_without_a_sample_is_there_all_the_same(store):
    cell = from_run(store(sample(), arms=("a", "b"))).cell(("demo/t", "2", "b"))
    assert cell is not None
    assert (len(cell.frame), cell.errors) == (0, 6)


def test_of_streams_only_what_is_there_is_expected(store):
    (cell,) = from_run(store(*(sample(stream="s", position=p) for p in range(9)))).cells
    assert (cell.expected, cell.errors, cell.repeats) == (9, 0, 0)


def test_the_seed_and_the_samples_an_item_are_those_of_the_run(store):
    results = from_run(store(sample(), seed=7))
    assert (results.seed, results.cells[0].repeats) == (7, 2)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"backend": {"name": "scripted", "model": "oracle"}}, "scripted"),
        ({"sampling": Sampling(temperature=0)}, "greedy"),
        ({"sampling": Sampling(temperature=0.7)}, "sampled T=0.7"),
        ({"sampling": Sampling(temperature=1, top_p=0.9)}, "sampled T=1 top-p=0.9"),
    ],
)
def test_the_decoding_is_named(store, spec, expected):
    assert from_run(store(**spec)).decoding == expected


def test_a_manifest_that_does_not_describe_a_task_is_damaged(store):
    with pytest.raises(StoreError, match="does not describe demo/t"):
        from_run(store(sample(), described=False))


def test_a_run_folder_is_read_as_a_run(store):
    run = store(sample())
    assert read_results(run.path).cells[0].frame.equals(from_run(run).cells[0].frame)
    assert read_results(str(run.path)).origin == "finchmark"


def test_a_path_to_nothing_says_so(tmp_path):
    with pytest.raises(UsageError, match="nothing here"):
        read_results(tmp_path / "runs")


def test_a_folder_without_results_says_what_can_be_read(tmp_path):
    with pytest.raises(UsageError, match=r"samples_\*\.jsonl of lm-eval"):
        read_results(tmp_path)
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(UsageError, match="no results that can be read"):
        read_results(tmp_path / "a.txt")


def test_a_cell_is_named_with_its_version_and_its_arm_unless_there_is_one_only(store):
    (cell,) = from_run(store(sample())).cells
    assert cell.name == "demo/t@2 · a"
    assert Cell("t", "1", "default", (SUCCESS,), cell.frame, 1).name == "t@1"
    assert cell.primary is cell.metrics[0]


def test_a_cell_that_is_not_there_is_none(store, tmp_path):
    assert Results("me", "finchmark", tmp_path, "greedy", ()).cell(("t", "1", "a")) is None
