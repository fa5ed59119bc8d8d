"""The columns of a run's frame stand in one place."""

from __future__ import annotations

import pytest

from finchmark.suite.evaluation import evaluate
from finchmark.suite.frame import FRAME_COLUMNS, TAKEN, TIMING_COLUMNS
from finchmark.suite.results import COLUMNS


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return evaluate("odyssey/lights", "scripted:random", samples=2, out=tmp_path_factory.mktemp("frame") / "r")


def test_a_frame_has_the_columns_in_their_order_and_the_metrics_after_them(run):
    names = [metric.name for metric in run.manifest.tasks["odyssey/lights"].metrics]
    assert list(run.frame().columns) == [*FRAME_COLUMNS, *names]
    assert list(run.frame(timing=True).columns) == [*FRAME_COLUMNS, *names, *TIMING_COLUMNS]


def test_no_column_is_named_twice():
    assert len(TAKEN) == len(FRAME_COLUMNS) + len(TIMING_COLUMNS)


def test_what_a_comparison_reads_is_among_them_in_the_same_order():
    assert [name for name in FRAME_COLUMNS if name in COLUMNS] == list(COLUMNS)


def test_each_column_has_the_values_of_its_sample(run):
    frame = run.frame(timing=True)
    for row, sample in zip(frame.to_dict("records"), run.samples(), strict=True):
        for name in ("task", "version", "arm", "item", "item_hash", "sample", "stream", "agent", "attempt", "seconds"):
            assert row[name] == getattr(sample, name)
        assert (row["outcome"], row["reason"], row["turns"]) == (str(sample.outcome), sample.reason, len(sample.turns))
        for name in ("calls", "prompt_tokens", "completion_tokens", "reasoning_tokens", "cached_tokens", "cost"):
            assert row[name] == getattr(sample.usage, name)
        assert (row["model"], row["backend"], row["tier"]) == ("scripted:random", "scripted:random", "smoke")
