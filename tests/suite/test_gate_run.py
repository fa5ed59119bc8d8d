import pytest

from finchmark.suite.baseline import make_baseline
from finchmark.suite.errors import UsageError
from finchmark.suite.evaluation import evaluate, prepare
from finchmark.suite.gate import decide_gate
from finchmark.suite.gate_run import drive
from finchmark.suite.policy import Policy
from finchmark.suite.results import from_run, read_results

OPTIONS = {"tier": "gate", "samples": 2, "limit": 60, "arms": ["with-rules"]}
TASK = "odyssey/lights"
SEQUENTIAL = Policy(mode="sequential", margin=0.2)


@pytest.fixture(scope="module")
def oracle(tmp_path_factory):
    run = evaluate(TASK, "scripted:oracle", out=tmp_path_factory.mktemp("oracle") / "run", **OPTIONS)
    return make_baseline(from_run(run))


def test_a_much_worse_candidate_is_stopped_early(oracle, tmp_path):
    report = drive(prepare(TASK, "scripted:random", **OPTIONS), oracle, SEQUENTIAL, out=tmp_path / "run")
    assert report.verdict == "regression"
    played = read_results(tmp_path / "run")
    assert played.stopped_early
    assert len(played.cells[0].frame) < 60


def test_the_stored_run_gives_the_same_decision(oracle, tmp_path):
    report = drive(prepare(TASK, "scripted:random", **OPTIONS), oracle, SEQUENTIAL, out=tmp_path / "run")
    again = decide_gate(oracle, read_results(tmp_path / "run"), SEQUENTIAL)
    assert again.looks[0].decision == report.looks[0].decision


def test_the_same_call_plays_nothing_again(oracle, tmp_path):
    for _ in range(2):
        prepared = prepare(TASK, "scripted:random", **OPTIONS)
        report = drive(prepared, oracle, SEQUENTIAL, out=tmp_path / "run")
        played = read_results(tmp_path / "run").cells[0].frame
        if _ == 0:
            first = (report.looks[0].decision, len(played))
    assert (report.looks[0].decision, len(played)) == first


@pytest.mark.parametrize("concurrency", [1, 7, 64])
def test_the_verdict_does_not_depend_on_how_many_are_open(oracle, tmp_path, concurrency):
    prepared = prepare(TASK, "scripted:heuristic", **OPTIONS)
    report = drive(prepared, oracle, SEQUENTIAL, out=tmp_path / "run", concurrency=concurrency)
    alone = drive(
        prepare(TASK, "scripted:heuristic", **OPTIONS), oracle, SEQUENTIAL, out=tmp_path / "alone", concurrency=1
    )
    assert report.verdict == alone.verdict == "regression"


def test_a_candidate_that_holds_its_ground_passes_before_the_end(oracle, tmp_path):
    report = drive(prepare(TASK, "scripted:oracle", **OPTIONS), oracle, SEQUENTIAL, out=tmp_path / "run")
    assert report.verdict == "pass"
    assert report.looks[0].decision.units < 60


def test_a_run_that_lacks_items_is_refused_before_it_begins(oracle, tmp_path):
    fewer = prepare(TASK, "scripted:oracle", **{**OPTIONS, "limit": 30})
    with pytest.raises(UsageError, match="lacks 30 of the baseline's 60 items"):
        drive(fewer, oracle, SEQUENTIAL, out=tmp_path / "run")
    other = prepare(TASK, "scripted:oracle", **{**OPTIONS, "arms": ["inductive"]})
    with pytest.raises(UsageError, match="does not play it"):
        drive(other, oracle, SEQUENTIAL, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_fixed_policy_drives_nothing(oracle, tmp_path):
    with pytest.raises(UsageError, match="sequential"):
        drive(prepare(TASK, "scripted:oracle", **OPTIONS), oracle, Policy(), out=tmp_path / "run")


def test_a_metric_without_a_range_is_played_to_the_end(tmp_path):
    tasks = ["odyssey/trade", "odyssey/lights"]
    options = {**OPTIONS, "limit": 40}
    run = evaluate(tasks, "scripted:oracle", out=tmp_path / "old", **options)
    base = make_baseline(from_run(run))
    prepared = prepare(tasks, "scripted:oracle", **{**options, "seed": 3})
    drive(prepared, base, SEQUENTIAL, out=tmp_path / "run")
    played = {c.task: len(c.frame) for c in read_results(tmp_path / "run").cells}
    assert played["odyssey/trade"] == 80
    assert played["odyssey/lights"] < 80


def test_a_fault_of_the_driver_is_not_taken_for_one_of_a_display(oracle, tmp_path, monkeypatch):
    from finchmark.suite.sequential_check import SequentialCheck

    def broken(self, item, value):
        raise RuntimeError("planted")

    monkeypatch.setattr(SequentialCheck, "add", broken)
    with pytest.raises(RuntimeError, match="planted"):
        drive(prepare(TASK, "scripted:oracle", **OPTIONS), oracle, SEQUENTIAL, out=tmp_path / "run")
