import math

import numpy as np
import pytest

from finchmark.leaderboard.lineup import lineup
from finchmark.leaderboard.overall import stratified_mean
from finchmark.leaderboard.overview import ranking
from finchmark.suite.records import STOPPED_EARLY, BackendChoice, ItemsChoice, Level, Metric
from finchmark.suite.seeds import generator
from finchmark.suite.stats import t_interval

LEVELS = {"default": {"solved": Level(chance=0.2, ceiling=1.0)}}


def half(share, n=40):
    return {f"i{i:03d}": [int(i < n * share)] for i in range(n)}


@pytest.fixture(name="play")
def _play(make_run, join):
    def play(label, shares, **options):
        """A run with a share of successes by task."""
        options = {"levels": LEVELS, **options}
        runs = [make_run(half(s), label=label, folder=label, task=t, **options) for t, s in shares.items()]
        return join(*runs)

    return play


def test_scores_are_put_between_chance_and_ceiling_and_averaged(play):
    (overall,) = lineup([play("m", {"f/a": 0.2, "f/b": 0.6})]).overalls
    assert overall.averages["m"].mean == pytest.approx((0 + 0.5) / 2)


def test_metrics_of_which_less_is_better_are_turned_round(make_run, join):
    bad = Metric(name="broke", summary="", kind="binary", direction="lower", chance=0.8, ceiling=0.0, primary=True)
    run = join(*(make_run(half(0.2), task=t, metrics=(bad,)) for t in ("f/a", "f/b")))
    (overall,) = lineup([run]).overalls
    assert overall.averages["model"].mean == pytest.approx(0.75)


def test_one_task_is_no_ranking_over_tasks(play):
    assert lineup([play("m", {"f/a": 0.5})]).overalls == ()


def test_families_tiers_arms_and_kinds_of_items_are_never_averaged_together(play, make_run):
    runs = [
        play("a", {"f/a": 0.5, "g/a": 0.5}),
        play("b", {"f/b": 0.5}, tier="full"),
        play("c", {"f/c": 0.5}, item_source=ItemsChoice(kind="regenerated", seed=1)),
        make_run({"other": half(0.5)}, label="d", folder="d", task="f/d", levels={"other": LEVELS["default"]}),
    ]
    assert lineup(runs).overalls == ()


@pytest.mark.parametrize(
    ("level", "why"),
    [
        (Level(chance=0.8, ceiling=1.0), "only 0.20 of its range"),
        (Level(chance=0.9, ceiling=0.9), "no better than chance"),
        (Level(ceiling=1.0), "chance: not known"),
    ],
)
def test_tasks_without_room_between_chance_and_ceiling_are_left_out(play, make_run, join, level, why):
    odd = make_run(half(0.5), label="m", folder="m", task="f/odd", levels={"default": {"solved": level}})
    (overall,) = lineup([join(play("m", {"f/a": 0.5, "f/b": 0.5}), odd)]).overalls
    assert len(overall.columns) == 2
    ((column, reason),) = overall.left_out
    assert column.key.sheet.task == "f/odd"
    assert why in reason


@pytest.mark.parametrize(("unit", "n"), [("item", 9), ("stream", 5)])
def test_tasks_of_few_units_are_left_out(make_run, join, unit, n):
    """With one item a task, equal models would be told apart: nothing shows how items differ within a task."""

    def task(name, units):
        metric = Metric(name="solved", summary="", kind="binary", primary=True, clusters=("sample", "item", unit))
        run = make_run(half(0.5, units), task=name, metrics=(metric,), levels=LEVELS)
        if unit == "stream":
            run.table["stream"] = run.table["item"]
        return run

    (overall,) = lineup([join(task("f/a", n + 1), task("f/b", n + 1), task("f/few", n))]).overalls
    assert [why for _, why in overall.left_out] == [f"only {n} {unit}s (at least {n + 1} are needed)"]


def test_references_alone_are_not_ranked(make_run, join):
    backend = BackendChoice(name="scripted", model="random")
    runs = [make_run(half(0.5), task=t, levels=LEVELS, backend=backend) for t in ("f/a", "f/b")]
    assert lineup([join(*runs)]).overalls == ()


def test_of_several_versions_the_newest_counts(play):
    runs = [play("old", {"f/a": 0.1, "f/b": 0.1}), play("new", {"f/a": 0.9, "f/b": 0.9}, version=2)]
    (overall,) = lineup(runs).overalls
    assert list(overall.averages) == ["new"]
    assert {why for _, why in overall.left_out} == {"a newer version is here"}


def test_of_several_sets_of_items_that_of_most_models_counts(play):
    shares = {"f/a": 0.5, "f/b": 0.5}
    runs = [play("x", shares, items_hash="z"), play("y", shares), play("z", shares)]
    (overall,) = lineup(runs).overalls
    assert list(overall.averages) == ["y", "z"]


def test_who_lacks_a_task_is_not_ranked(play):
    runs = [play(n, {"f/a": 0.5, "f/b": 0.5}) for n in ("x", "y")]
    (overall,) = lineup([*runs, play("z", {"f/a": 0.9})]).overalls
    assert list(overall.averages) == ["x", "y"]
    assert overall.unranked == {"z": 1}


def test_a_task_that_few_played_keeps_nobody_out(play):
    runs = [play(n, {"f/a": 0.5, "f/b": 0.5}) for n in ("x", "y")]
    (overall,) = lineup([*runs, play("z", {"f/a": 0.9, "f/b": 0.9, "f/c": 0.9})]).overalls
    assert list(overall.averages) == ["z", "x", "y"]
    assert [why for _, why in overall.left_out] == ["under half of the models played it"]


def test_the_interval_of_one_task_is_that_of_student():
    x = generator("overall").random(40)
    expected = t_interval(x)
    assert stratified_mean([x], 0.95) == pytest.approx((expected.estimate, expected.low, expected.high))


def test_what_lies_between_tasks_is_no_error():
    rng = generator("overall-between")
    x, y = rng.normal(0, 1, 50), rng.normal(0, 1, 50)
    near, far = stratified_mean([x, y], 0.95), stratified_mean([x, y + 100], 0.95)
    assert far[2] - far[1] == pytest.approx(near[2] - near[1])


def test_tasks_weigh_the_same_however_many_items_they_have():
    assert stratified_mean([np.zeros(1000), np.array([1.0, 1.0])], 0.95)[0] == 0.5


def test_data_without_any_spread_bound_nothing():
    mean, low, high = stratified_mean([np.ones(30), np.ones(30)], 0.95)
    assert mean == 1
    assert math.isnan(low)
    assert math.isnan(high)


def test_units_that_are_missing_are_left_out():
    x = np.array([0.0, 1.0, np.nan])
    assert stratified_mean([x, x], 0.95) == stratified_mean([x[:2], x[:2]], 0.95)


@pytest.mark.slow
def test_the_interval_covers_the_mean_over_tasks():
    rng = generator("overall-coverage")
    rates, n, runs = np.array([0.3, 0.5, 0.8]), 30, 4000
    hits = 0
    for _ in range(runs):
        _, low, high = stratified_mean([(rng.random(n) < p).astype(float) for p in rates], 0.95)
        hits += low <= rates.mean() <= high
    assert 0.935 <= hits / runs <= 0.965


def test_the_page_says_who_was_stopped_by_a_gate(play):
    runs = [play(n, {"f/a": 0.5, "f/b": 0.5}) for n in ("x", "y", "z")]
    runs[2].manifest = runs[2].manifest.model_copy(update={"notes": (STOPPED_EARLY,)})
    made = lineup(runs)
    (overall,) = made.overalls
    assert list(overall.averages) == ["x", "y"]
    assert [(name.text, why) for name, why in ranking(made, overall).unranked] == [("z", "stopped early by a gate")]
