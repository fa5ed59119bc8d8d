from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finchmark.reports.markdown import code, markdown_table, run_markdown


def test_a_run_is_one_table_row_an_arm(make_run):
    text = run_markdown(make_run({"one": {"a": [1], "b": [0]}, "two": {"a": [1], "b": [1]}}))
    assert len([line for line in text.splitlines() if line.startswith("| `family/task@1`")]) == 2
    assert "### `model`" in text


def test_a_score_stands_with_all_it_must_be_read_against(make_run):
    text = run_markdown(make_run({str(i): [i % 2, "error", "invalid:cut"] for i in range(40)}))
    row = next(line for line in text.splitlines() if line.startswith("| `family"))
    cells = [c.strip() for c in row.strip("|").split("|")]
    assert cells[3] == "0.250"
    assert re.fullmatch(r"\[0\.\d+, 0\.\d+\]", cells[4])
    assert cells[5] == "0.250"
    assert cells[7:] == ["not told apart", "40 items", "80", "40", "0", "40"]
    assert "korn-graubard" in text
    assert "% of samples lost to errors" in text


def test_a_sparse_cell_is_marked(make_run):
    assert "sparse" in run_markdown(make_run({"a": [1], "b": [0]}))


@pytest.mark.parametrize(
    "name", ["a|b", "a\\|b", "a\nb", "`code`", "``", "<b>x</b>", "@everyone #1 www.example.org", "[a](b)", "", " "]
)
def test_a_hostile_label_stays_in_its_cell(make_run, name):
    text = run_markdown(make_run({name or "x": [1]}, label=name, task=name or "x"))
    row = next(line for line in text.splitlines() if "| solved" in line or "`solved`" in line)
    assert row.count("|") == 14
    assert "\\|" not in row


@given(st.text(max_size=40))
def test_a_code_span_ends_where_it_should(text):
    span = code(text)
    ticks = re.match(r"`+", span)[0]
    assert span.endswith(ticks)
    inner = span[len(ticks) : -len(ticks)]
    assert all(len(run) != len(ticks) for run in re.findall(r"`+", inner))
    assert "\n" not in span
    assert "\r" not in span
    assert "|" not in span


def test_numbers_are_flush_right():
    assert markdown_table(["a", "b>"], [["1", "2"]]).splitlines()[1] == "| --- | ---: |"


def test_repeated_samples_are_told(make_run):
    run = make_run({"a": [1, 1], "b": [0, 0]}, text=lambda item, sample: item)
    assert "100 % of samples read the same" in run_markdown(run)
