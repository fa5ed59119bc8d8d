import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finchmark.suite.baseline import Attempt, make_baseline, read_baseline
from finchmark.suite.errors import StoreError, UsageError
from finchmark.suite.records import Metric

SUCCESS = Metric(name="success", summary="it worked", kind="binary", primary=True)
STEPS = Metric(name="steps", summary="steps used", direction="lower", low=0.0, high=10.0)


def test_a_written_baseline_is_read_back(make_cell, make_results, tmp_path):
    items = {"i": [1, 0, 1], "j": [0, None], **{f"k{n}": [1] for n in range(60)}}
    base = make_baseline(make_results("a", make_cell(items)))
    base.write(tmp_path / "base.json")
    assert read_baseline(tmp_path / "base.json") == base
    (cell,) = base.anchor.cells
    found = cell.items["success"]
    assert (found["hash-i"], found["hash-j"]) == ((3.0, pytest.approx(2 / 3)), (1.0, 0.0))
    assert (cell.expected, cell.lost) == (65, 1)


def test_the_same_run_gives_the_same_bytes(make_cell, make_results):
    texts = {make_baseline(make_results("a", make_cell({"j": [0], "i": [1]}))).text() for _ in range(2)}
    other = make_baseline(make_results("a", make_cell({"i": [1], "j": [0]}))).text()
    assert texts == {other}


def test_an_item_is_a_line(make_cell, make_results):
    text = make_baseline(make_results("a", make_cell({"i": [1, 1], "j": [0, 1]}))).text()
    assert '"hash-i": [2.0, 1.0],\n' in text


def test_a_graded_metric_keeps_its_variance(make_cell, make_results):
    metric = Metric(name="share", summary="a share", primary=True)
    base = make_baseline(make_results("a", make_cell({"i": [0.1, 0.3], "j": [0.4]}, metrics=(metric,))))
    assert base.anchor.cells[0].items["share"] == {
        "hash-i": (2.0, pytest.approx(0.2), pytest.approx(0.02)),
        "hash-j": (1.0, pytest.approx(0.4), 0.0),
    }


def test_other_metrics_are_kept_on_request(make_cell, make_results):
    cell = make_cell({"i": [1]}, metrics=(SUCCESS, STEPS), extra={"steps": lambda v: 3.0})
    results = make_results("a", cell)
    assert set(make_baseline(results).anchor.cells[0].items) == {"success"}
    assert set(make_baseline(results, ["steps"]).anchor.cells[0].items) == {"success", "steps"}
    with pytest.raises(UsageError, match="stesp"):
        make_baseline(results, ["stesp"])


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_every_edit_is_noticed(make_cell_once, data):
    base, folder = make_cell_once
    file = folder / "edited.json"
    text = base.text()
    place = data.draw(st.sampled_from([i for i, c in enumerate(text) if c.isdigit()]))
    digit = data.draw(st.sampled_from([d for d in "0123456789" if d != text[place]]))
    edited = text[:place] + digit + text[place + 1 :]
    if json_or_none(edited) == json.loads(text):  # 2.0 and 2.00 are one number
        return
    file.write_text(edited)
    with pytest.raises(StoreError):
        read_baseline(file)


def json_or_none(text):
    try:
        return json.loads(text)
    except ValueError:
        return None


@pytest.fixture(scope="module")
def make_cell_once(tmp_path_factory):
    import pandas as pd

    from finchmark.suite.results import COLUMNS, Cell, Results

    rows = [{**COLUMNS, "item": i, "item_hash": f"hash-{i}", "success": float(i % 2)} for i in range(4)]
    frame = pd.DataFrame(rows)
    results = Results(
        "a", "finchmark", tmp_path_factory.getbasetemp(), "greedy", (Cell("t", "1", "x", (SUCCESS,), frame, 4),)
    )
    return make_baseline(results), tmp_path_factory.mktemp("edited")


@pytest.mark.parametrize(("text", "error"), [("{", StoreError), ("[]", StoreError), ('{"format": "x/9"}', StoreError)])
def test_what_is_no_baseline_is_refused(tmp_path, text, error):
    (tmp_path / "base.json").write_text(text)
    with pytest.raises(error, match=r"base\.json"):
        read_baseline(tmp_path / "base.json")


def test_a_file_that_is_not_there_says_how_to_make_one(tmp_path):
    with pytest.raises(UsageError, match="finchmark baseline RUN"):
        read_baseline(tmp_path / "base.json")


def test_accepting_moves_the_second_run_and_never_the_anchor(make_cell, make_results):
    base = make_baseline(make_results("a", make_cell({"i": [1], "j": [1]})))
    later = base.accept(make_results("b", make_cell({"i": [0], "j": [1]})))
    latest = later.accept(make_results("c", make_cell({"i": [0], "j": [0]})))
    assert latest.anchor == base.anchor
    assert latest.accepted is not None
    assert latest.accepted.label == "c"


def test_a_run_of_other_items_or_tasks_is_not_accepted(make_cell, make_results):
    base = make_baseline(make_results("a", make_cell({"i": [1], "j": [1]})))
    with pytest.raises(UsageError, match="not those of the baseline"):
        base.accept(make_results("b", make_cell({"i": [1]})))
    with pytest.raises(UsageError, match="did not play"):
        base.accept(make_results("b", make_cell({"i": [1], "j": [1]}, task="demo/else")))


def test_a_run_that_is_not_fit_is_no_baseline(make_cell, make_results):
    with pytest.raises(UsageError, match="unfinished, 5 of 10"):
        make_baseline(make_results("a", make_cell({f"i{n}": [1] for n in range(5)}, expected=10)))
    with pytest.raises(UsageError, match="are errors"):
        make_baseline(make_results("a", make_cell({"i": [None, 1]})))
    with pytest.raises(UsageError, match="stopped this run early"):
        make_baseline(make_results("a", make_cell({"i": [1]}), stopped_early=True))


def test_another_encoding_is_named(make_cell, make_results, tmp_path):
    text = make_baseline(make_results("a", make_cell({"i": [1]}))).text()
    (tmp_path / "bom.json").write_bytes(text.encode("utf-8-sig"))
    assert read_baseline(tmp_path / "bom.json").anchor.label == "a"
    (tmp_path / "wide.json").write_bytes(text.encode("utf-16"))
    with pytest.raises(StoreError, match="not UTF-8"):
        read_baseline(tmp_path / "wide.json")


def test_the_levels_of_a_lifetime_sum_up_to_it(make_cell, make_results):
    base = make_baseline(make_results("a", make_cell({"i": [1]})))
    spent = []
    for _ in range(400):
        spent.append(base.level(0.05, 0.1))
        base = base.model_copy(
            update={"attempts": (*base.attempts, Attempt(candidate="c", verdict="pass", alpha=spent[-1]))}
        )
    assert spent[0] == 0.05  # never above the level of one gate
    assert sum(spent) <= 0.1
    assert spent[9] == pytest.approx(0.1 * 6 / (math.pi * 10) ** 2)
    assert base.level(0.05, None) == 0.05
