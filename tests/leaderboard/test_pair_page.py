import csv

import numpy as np
import pytest

from finchmark.suite.records import ItemsChoice, Level, Metric
from finchmark.suite.stats.paired_tests import mcnemar
from finchmark.suite.stats.tango import clustered_tango_bounds


@pytest.fixture(name="pair")
def _pair(site):
    return lambda *runs, **options: site(*runs, **options).one("pair").words


def two(make_run, first, second, **options):
    return [
        make_run(
            {f"i{n:03d}": v if isinstance(v, list) else [v] for n, v in enumerate(scores)},
            **{"label": label, "folder": label, **options},
        )
        for label, scores in (("first", first), ("second", second))
    ]  # fmt: skip


def test_the_better_one_comes_first_and_the_difference_is_its_gain(make_run, pair):
    words = pair(*two(make_run, [1] * 30 + [0] * 10, [1] * 10 + [0] * 30))
    assert "First first sampled T=0.7 · self-reported Second second" in words
    assert "On 1 shared column the first is better in 1, the second in 0; in 0 they cannot be told apart." in words
    assert "+0.500" in words
    assert "first is better p = < 0.001" in words


def test_interval_and_test_are_those_of_the_statistics(make_run, pair):
    a, b = [1] * 20 + [0] * 20, [1] * 14 + [0] * 24 + [1] * 2
    gained, lost = np.greater(a, b), np.less(a, b)
    low, high = clustered_tango_bounds(gained.astype(float), lost.astype(float))
    p = mcnemar(int(gained.sum()), int(lost.sum())).pvalue
    words = pair(*two(make_run, a, b))
    assert f"+0.100 {low:.3f} to +{high:.3f}".replace("-", "−") in words
    assert f"cannot tell p = {p:.3f}" in words


def test_flips_are_counted(make_run, pair):
    assert "6 · 2 · 14 · 18" in pair(*two(make_run, [1] * 20 + [0] * 20, [1] * 14 + [0] * 24 + [1] * 2))


def test_flips_of_several_samples_are_expected_ones(make_run, pair):
    words = pair(*two(make_run, [[1, 1], [1, 0]], [[1, 0], [0, 0]]))
    assert "1.0 · 0.0 · 0.5 · 0.5" in words


def test_several_tasks_are_corrected_for(make_run, join, site):
    a, b = [1] * 14 + [0] * 26, [0] * 8 + [1] * 6 + [0] * 26
    alone = site(*two(make_run, a, b)).one("pair").words
    assert "first is better p = 0.004" in alone
    several = [join(*(two(make_run, a, b, task=f"t/{n}")[side] for n in range(20))) for side in (0, 1)]
    words = site(*several).one("pair").words
    assert "cannot tell p = 0.078" in words


def test_where_less_is_better_the_one_with_less_wins(make_run, pair):
    bad = Metric(name="broke", summary="", kind="binary", direction="lower", failure=1.0, primary=True)
    words = pair(*two(make_run, [0] * 40, [1] * 20 + [0] * 20, metrics=(bad,)))
    assert "−0.500" in words
    assert "first is better" in words


def test_items_that_differ_are_named_with_both_means(make_run, pair):
    words = pair(*two(make_run, [1, 1, 0, 1], [0, 1, 1, 1]))
    assert "first better on 1, second on 1, alike on 2" in words
    assert "First is better Item First Second i000 1.000 0.000" in words
    assert "Second is better Item First Second i002 0.000 1.000" in words


def test_private_items_are_not_named(make_run, pair):
    private = ItemsChoice(kind="private", commitment="c0ffee")
    assert "i000" not in pair(*two(make_run, [1, 1, 0], [0, 1, 1], item_source=private))


def test_items_are_paired_by_their_content_and_not_by_their_name(make_run, pair):
    runs = two(make_run, [1] * 5 + [0] * 5, [1] * 5 + [0] * 5)
    runs[1].table["item_hash"] = runs[1].table["item_hash"].to_numpy()[::-1]
    assert "5 · 5 · 0 · 0" in pair(*runs)


def test_models_without_a_common_item_are_not_compared(make_run, pair):
    runs = two(make_run, [1, 0], [1, 0])
    runs[1].table["item_hash"] = ["x", "y"]
    assert "They have no item in common." in pair(*runs)


def test_other_decoding_agents_and_samples_are_pointed_out(make_run, pair):
    runs = [
        make_run({"a": [1, 1]}, label="x", folder="1", temperature=0),
        make_run({"a": [0]}, label="y", folder="2", agent="notebook"),
    ]
    words = pair(*runs)
    assert "decoding: greedy and sampled T=0.7; agent: history and notebook; samples an item: 2 and 1" in words


def test_what_only_one_of_them_played_is_listed(make_run, join, pair):
    both = two(make_run, [1, 0], [0, 0], task="t/shared")
    more = make_run({"a": [1]}, label="first", folder="first", task="t/other")
    assert "Only one of them played: t/other@1 (lite · 1 public item · items0): first." in pair(
        join(both[0], more), both[1]
    )


def test_versions_are_never_compared(make_run, site):
    a, b = two(make_run, [1, 0], [0, 0])
    old = make_run({"a": [1]}, label="old", folder="old", version=2)
    found = site(a, b, old)
    assert len([n for n in found.names if n.startswith("pair")]) == 1


def test_the_means_over_tasks_are_compared_within_tasks(make_run, join, pair):
    levels = {"default": {"solved": Level(chance=0.0, ceiling=1.0)}}
    a = [two(make_run, [1] * 30 + [0] * 10, [1] * 20 + [0] * 20, task=f"t/{n}", levels=levels) for n in (0, 1)]
    words = pair(join(a[0][0], a[1][0]), join(a[0][1], a[1][1]))
    assert "t: lite, public items +0.250 +0.152 to +0.348" in words


def test_the_ten_best_are_compared_with_one_another_and_others_with_their_neighbours(make_run, site):
    runs = [make_run({str(i): [int(i < n)] for i in range(40)}, label=f"m{n:02d}", folder=f"{n}") for n in range(13)]
    found = site(*runs)
    assert len([n for n in found.names if n.startswith("pair")]) == 45 + 3
    rows = list(csv.DictReader((found.folder / "standings.csv").open(encoding="utf-8")))
    assert len(rows) == 13
