from __future__ import annotations

import math
import re
from xml.etree import ElementTree

import pytest

from finchmark.reports.bars import MOST_BARS, Part, bars
from finchmark.reports.costs import cost_plot
from finchmark.reports.diversity import diversity_plot
from finchmark.reports.drawing import COLOURS, WIDTH
from finchmark.reports.forest import MOST_ROWS, ForestPanel, ForestRow, forest
from finchmark.reports.panels import MOST_PANELS, panels
from finchmark.suite.results import from_run

WORDS = {"name": "f", "title": "t", "description": "d"}


def row(name="a", mean=0.5, low=0.4, high=0.6, **options):
    return ForestRow(name, mean, low, high, "numbers", **options)


def strokes(svg, colour):
    """Where lines of a colour begin and end, from left to right, the legend's aside."""
    found = []
    for e in ElementTree.fromstring(svg).iter():
        if f"s-{colour}" in e.get("class", "") and e.get("d") and e.get("fill") == "none":
            numbers = [float(n) for n in re.findall(r"-?[\d.]+", e.get("d"))]
            if min(numbers[1::2]) > 30:
                found.append((min(numbers[::2]), max(numbers[::2])))
    return found


def test_an_interval_is_drawn_to_scale():
    svg = forest([ForestPanel("score", (row(low=0.0, high=1.0), row(low=0.25, high=0.75)), 0.0, 1.0)], **WORDS)
    whole, half = (high - low for low, high in strokes(svg, "accent"))
    assert half == pytest.approx(whole / 2, abs=0.05)


def test_chance_ceiling_and_roughness_are_drawn_apart():
    svg = forest([ForestPanel("score", (row(chance=0.1, ceiling=0.9, faint=True),), 0.0, 1.0)], **WORDS)
    (chance,), (ceiling,), (span,) = (strokes(svg, c) for c in ("chance", "ceiling", "span"))
    assert chance[0] < span[0] < span[1] < ceiling[0]


def test_the_margin_is_a_band_about_zero():
    svg = forest([ForestPanel("difference", (row(mean=0.1, low=-0.1, high=0.3),), zero=0.0, margin=0.05)], **WORDS)
    assert 'class="f-band' in svg
    assert ">within the margin</text>" in svg


def test_an_estimate_without_bounds_is_a_point():
    svg = forest([ForestPanel("score", (row(low=math.nan, high=math.nan),))], **WORDS)
    assert 'class="f-accent' in svg


def test_rows_are_bounded():
    svg = forest([ForestPanel("score", tuple(row(f"row{i}") for i in range(200)))], **WORDS)
    assert len(re.findall(r">row\d+</text>", svg)) == MOST_ROWS


def test_without_rows_there_is_no_figure():
    assert forest([ForestPanel("score", ())], **WORDS) == ""
    assert bars([], [], **WORDS) == ""
    assert panels([], lambda axes, cell: None, str, **WORDS) == ""


def test_panels_are_bounded():
    svg = panels(list(range(40)), lambda axes, cell: None, lambda cell: f"cell{cell}", **WORDS)
    assert len(re.findall(r">cell\d+</text>", svg)) == MOST_PANELS


def test_bars_fill_the_width_whatever_they_sum_to():
    svg = bars(["one", "two"], [Part("x", "accent", [1, 0]), Part("y", "chance", [3, 8])], **WORDS)
    widths = []
    for e in ElementTree.fromstring(svg).iter():
        if e.get("class") in ("f-accent", "f-chance") and e.get("d"):
            x = [float(n) for n in re.findall(r"-?[\d.]+", e.get("d"))][::2]
            widths.append((e.get("class"), max(x) - min(x)))
    full = max(w for _, w in widths)
    found = sorted(round(w / full, 2) for _, w in widths if w > 1)
    assert found == [0.25, 0.75, 1.0]
    assert full < WIDTH


def test_bars_are_bounded_and_a_bar_of_nothing_is_empty():
    svg = bars([f"bar{i}" for i in range(100)], [Part("x", "accent", [0] * 100)], **WORDS)
    assert len(re.findall(r">bar\d+</text>", svg)) == MOST_BARS


def test_samples_that_read_the_same_are_counted(make_run):
    run = make_run(
        {"a": [1, 1, 1, 1], "b": [1, 0, 1, 0]}, text=lambda item, sample: item if item == "a" else f"{sample}"
    )
    plot = diversity_plot(from_run(run))
    (found,) = plot.table.rows
    heads = [c.name for c in plot.table.columns]
    assert found[heads.index("items all the same")] == "1"
    assert found[heads.index("duplicates")] == "0.375"
    assert found[heads.index("same twice")] == "0.500"


def test_samples_all_the_same_are_named(make_run):
    plot = diversity_plot(from_run(make_run({"a": [1, 1], "b": [1, 1]}, text=lambda item, sample: item)))
    assert any("count as one sample an item" in note for note in plot.notes)


def test_greedy_samples_that_differ_are_named(make_run):
    plot = diversity_plot(from_run(make_run({"a": [1, 1], "b": [1, 1]}, temperature=0.0)))
    assert any("decoding is greedy, yet 2 items of 2 have samples that differ" in note for note in plot.notes)


def test_one_sample_an_item_has_no_diversity(make_run):
    assert diversity_plot(from_run(make_run({"a": [1], "b": [0]}))) is None


def test_costs_are_means_over_scored_samples(make_run):
    run = make_run({"a": [1, "error"], "b": [0, 0]}, length=lambda item, sample: 2 if item == "a" else 4)
    plot = cost_plot(from_run(run))
    (found,) = plot.table.rows
    heads = [c.name for c in plot.table.columns]
    assert found[heads.index("tokens written")] == "17"
    assert found[heads.index("tokens read")] == "33"
    assert found[heads.index("cost in all")] == "0.01"
    assert found[heads.index("cost a success")] == "0.0100"
    assert found[heads.index("mean score")] == "solved 0.500"


def test_every_colour_has_a_rule_in_the_style_sheet():
    from importlib.resources import files

    style = files("finchmark.reports").joinpath("report.css").read_text()
    for name in COLOURS:
        for rule in (f".f-{name} {{ fill: var(--{name}); }}", f".s-{name} {{ stroke: var(--{name}); }}"):
            assert rule in style
        assert style.count(f"--{name}: ") == 3
