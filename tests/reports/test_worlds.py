from __future__ import annotations

import math

import numpy as np
import pytest

import finchmark
from finchmark.reports.comparison import comparison_text
from finchmark.reports.run_report import report_run
from finchmark.reports.terminal import results_text
from finchmark.reports.worlds import core_interval, world_difference, world_mean
from finchmark.suite.comparison import compare
from finchmark.suite.results import from_run
from finchmark.suite.seeds import generator
from finchmark.suite.stats.intervals import t_interval


def test_each_core_counts_once_however_many_worlds_it_has():
    assert core_interval([0.0, 0.0, 0.0, 1.0], ["a", "a", "a", "b"]).estimate == 0.5


def test_the_interval_is_that_of_the_core_means():
    means, cores = [0.1, 0.3, 0.5, 0.2, 0.9], ["a", "a", "b", "c", "c"]
    found, wanted = core_interval(means, cores), t_interval([0.2, 0.5, 0.55])
    assert (found.low, found.high, found.units) == pytest.approx((wanted.low, wanted.high, 3))


def test_one_core_bounds_nothing():
    found = core_interval([0.1, 0.3], ["a", "a"])
    assert math.isnan(found.low)
    assert math.isnan(found.high)


def test_each_world_needs_its_core():
    with pytest.raises(ValueError, match="2 means, 1 cores"):
        core_interval([0.1, 0.3], ["a"])


def test_intervals_over_cores_hold_for_new_cores_and_those_over_worlds_do_not():
    """17 cores of 2 or 3 worlds; core SD .15, world SD .08, level noise of a world's mean .05; validity, section 1."""
    rng, runs = generator("tests", "world-mean"), 2000
    sizes = [3] * 8 + [2] * 9
    cores = [f"c{c}" for c, n in enumerate(sizes) for _ in range(n)]
    index = np.repeat(np.arange(len(sizes)), sizes)
    by_core = by_world = 0
    for _ in range(runs):
        means = 0.3 + rng.normal(0, 0.15, len(sizes))[index] + rng.normal(0, 0.08, len(index))
        means += rng.normal(0, 0.05, len(index))
        found, naive = core_interval(means.tolist(), cores), t_interval(means)
        by_core += found.low <= 0.3 <= found.high
        by_world += naive.low <= 0.3 <= naive.high
    assert abs(by_core / runs - 0.95) < 3.3 * math.sqrt(0.95 * 0.05 / runs)
    assert by_world / runs < 0.9


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return finchmark.evaluate(
        ["worlds/wind", "worlds/vault-ship"],
        "scripted:oracle",
        tier="smoke",
        samples=1,
        out=tmp_path_factory.mktemp("worlds") / "run",
    )


def test_the_worlds_of_a_run_are_averaged_by_core(run):
    found = world_mean(from_run(run))
    assert found is not None
    assert (found.worlds, found.cores) == (4, 2)
    frame = run.frame()
    wind = frame[frame["task"] != "worlds/vault-ship"]["score"].mean()
    ship = frame[frame["task"] == "worlds/vault-ship"]["score"].mean()
    assert found.interval.estimate == pytest.approx((wind + ship) / 2)


def test_results_and_the_report_say_it_with_its_limits(run, tmp_path):
    text = " ".join(results_text([run]).split())
    assert "the mean score over 4 worlds on 2 cores" in text
    assert "under 10 cores: this describes these cores" in text
    assert "chance on these levels" in text
    page = report_run(run, tmp_path / "report.html").read_text()
    assert "the mean score over 4 worlds on 2 cores" in page


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    return finchmark.evaluate(
        ["worlds/wind", "worlds/vault-ship"],
        "scripted:random",
        tier="smoke",
        samples=2,
        out=tmp_path_factory.mktemp("worlds") / "run",
    )


def test_two_runs_are_compared_by_level_and_core(run, other):
    found = world_difference(from_run(other), from_run(run))
    assert found is not None
    assert (found.worlds, found.cores) == (4, 2)
    means = [frame.groupby("task")["score"].mean() for frame in (other.frame(), run.frame())]
    apart = means[1] - means[0]
    ship = apart["worlds/vault-ship"]
    assert found.interval.estimate == pytest.approx((ship + apart.drop("worlds/vault-ship").mean()) / 2)


def test_a_run_does_not_differ_from_itself(run):
    found = world_difference(from_run(run), from_run(run))
    assert found is not None
    assert found.interval.estimate == 0
    assert found.pvalue == 1


def test_a_comparison_says_it(run, other):
    text = " ".join(comparison_text(compare([from_run(other), from_run(run)])).split())
    assert "over 4 worlds on 2 cores, paired by level" in text


def test_one_world_is_no_average(tmp_path):
    one = finchmark.evaluate("worlds/wind-reach", "scripted:random", tier="smoke", samples=1, out=tmp_path / "run")
    assert world_mean(from_run(one)) is None
    assert "Worlds together" not in results_text([one])
