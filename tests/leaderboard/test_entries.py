import pytest

from finchmark.leaderboard.entries import entries
from finchmark.suite.errors import UsageError
from finchmark.suite.records import STOPPED_EARLY, BackendChoice


def names(*runs):
    return [e.name for e in entries(runs)]


def test_a_label_of_its_own_stays_as_it_is(make_run):
    assert names(make_run({"a": [1]}, label="x", folder="1"), make_run({"a": [1]}, label="y", folder="2")) == ["x", "y"]


def test_runs_of_one_label_are_told_apart_by_their_specification(make_run):
    one, two = (make_run({"a": [1]}, label="x", folder=str(i), seed=i) for i in (1, 2))
    assert set(names(one, two)) == {f"x · {r.manifest.spec_hash[:8]}" for r in (one, two)}


def test_runs_of_one_label_and_specification_are_told_apart_by_their_folder(make_run):
    one, two = (make_run({"a": [1]}, label="x", folder=name) for name in ("first", "second"))
    short = one.manifest.spec_hash[:8]
    assert names(one, two) == [f"x · {short} · first", f"x · {short} · second"]


def test_runs_alike_in_all_of_that_are_numbered(make_run):
    one, two = make_run({"a": [1]}, label="x", folder="p/run"), make_run({"a": [1]}, label="x", folder="q/run")
    first, second = names(one, two)
    assert second == first + " #2"


def test_a_label_that_looks_like_an_addition_does_not_merge_rows(make_run):
    one, two = (make_run({"a": [1]}, label="x", folder=str(i), seed=i) for i in (1, 2))
    sly = make_run({"a": [1]}, label=f"x · {one.manifest.spec_hash[:8]}", folder="3", seed=3)
    assert len(set(names(one, two, sly))) == 3


def test_one_folder_given_twice_is_one_run_and_that_is_said(make_run, caplog):
    run = make_run({"a": [1]})
    assert names(run) == ["model"]
    assert not caplog.records
    assert names(run, run) == ["model"]
    assert "/runs/run was given more than once" in caplog.text


def test_a_run_that_a_gate_stopped_is_listed_and_not_ranked(make_run):
    (entry,) = entries([make_run({"a": [1]}, notes=(STOPPED_EARLY,))])
    assert entry.listed
    assert not entry.ranked


def test_names_do_not_depend_on_the_order_of_runs(make_run):
    runs = [make_run({"a": [1]}, label="x", folder=f"f{i}", seed=i % 2) for i in range(4)]
    assert names(*runs) == names(*reversed(runs))


def test_no_run_is_an_error_that_says_what_to_do():
    with pytest.raises(UsageError, match="finchmark run"):
        entries([])


@pytest.mark.parametrize(("temperature", "decoding"), [(0.0, "greedy"), (0.7, "sampled T=0.7"), (1.0, "sampled T=1")])
def test_decoding_is_named(make_run, temperature, decoding):
    (entry,) = entries([make_run({"a": [1]}, temperature=temperature)])
    assert entry.decoding == decoding


def test_a_scripted_run_is_a_reference_and_has_no_decoding(make_run):
    (entry,) = entries([make_run({"a": [1]}, backend=BackendChoice(name="scripted", model="random"))])
    assert entry.reference
    assert entry.decoding == "scripted"
