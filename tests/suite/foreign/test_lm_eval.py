from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from importlib.util import find_spec

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finchmark.suite.errors import StoreError, UsageError
from finchmark.suite.results import COLUMNS, read_results

DATE = "2026-11-01T10-00-00.000000"


def line(doc_id=0, *, doc=None, target="t", metrics=None, name="none", resps=(("x",),), options=None, **more):
    metrics = {"acc": 1.0} if metrics is None else metrics
    return {
        "doc_id": doc_id,
        "doc": {},
        "target": target,
        "arguments": {f"gen_args_{i}": {"arg_0": "prompt", "arg_1": options or {}} for i in range(len(resps))},
        "resps": [list(r) for r in resps],
        "filtered_resps": [],
        "filter": name,
        "metrics": list(metrics),
        "doc_hash": f"doc {doc_id}" if doc is None else doc,
        "prompt_hash": "p",
        "target_hash": f"hash of {target}",
        **metrics,
        **more,
    }


def write(folder, task="arith", lines=None, date=DATE, **summary):
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"samples_{task}_{date}.jsonl"
    file.write_text("".join(json.dumps(x) + "\n" for x in (lines if lines is not None else [line()])))
    if summary is not None and summary.pop("results", True):
        path = folder / f"results_{date}.json"
        old = json.loads(path.read_text()) if path.exists() else {"results": {}, "model_name": "org/model"}
        path.write_text(json.dumps({**old, "config": {"model": "hf", "model_args": "pretrained=org/model"}, **summary}))
    return file


def only(path):
    (cell,) = read_results(path).cells
    return cell


def test_the_columns_are_those_that_every_cell_has(tmp_path):
    frame = only(write(tmp_path)).frame
    assert list(frame.columns) == [*COLUMNS, "acc"]
    assert frame["acc"].dtype == float


def test_the_model_is_named_by_the_results_beside_the_samples(tmp_path):
    results = read_results(write(tmp_path / "org__model"))
    assert (results.label, results.origin) == ("org/model", "lm-eval")


def test_without_results_the_folder_names_the_model_and_a_note_tells(tmp_path):
    results = read_results(write(tmp_path / "org__model", results=False))
    assert results.label == "org/model"
    assert any("results_*.json" in note for note in results.notes)
    assert results.cells[0].version == "unknown"


def test_a_made_up_name_gives_way_to_the_backend(tmp_path):
    write(tmp_path, model_name="qzxv12", config={"model": "dummy", "model_args": {}})
    assert read_results(tmp_path).label == "dummy"


def test_a_results_file_stands_for_its_samples(tmp_path):
    write(tmp_path)
    assert only(tmp_path / f"results_{DATE}.json").task == "arith"


def test_version_direction_and_samples_asked_for_come_from_the_results(tmp_path):
    cell = only(
        write(
            tmp_path,
            lines=[line(metrics={"acc": 1.0, "strangeness": 3.0})],
            versions={"arith": 2.0},
            higher_is_better={"arith": {"acc": True, "strangeness": False}},
            **{"n-samples": {"arith": {"original": 9, "effective": 3}}},
        )
    )
    assert cell.version == "2"
    assert {m.name: m.direction for m in cell.metrics} == {"acc": "higher", "strangeness": "lower"}
    assert (cell.expected, cell.errors) == (3, 2)


def test_another_number_of_examples_is_another_arm(tmp_path):
    assert only(write(tmp_path / "a", **{"n-shot": {"arith": 5}})).arm == "5-shot"
    assert only(write(tmp_path / "b", **{"n-shot": {"arith": 0}})).arm == "default"


def test_the_same_document_and_answer_is_the_same_item(tmp_path):
    a = only(write(tmp_path / "a", lines=[line(3, doc="d"), line(4, doc="e", target="1")])).frame
    b = only(write(tmp_path / "b", lines=[line(0, doc="d"), line(1, doc="e", target="2")])).frame
    assert a["item_hash"][0] == b["item_hash"][0]
    assert a["item_hash"][1] != b["item_hash"][1]


def test_a_document_that_occurs_twice_is_two_items(tmp_path):
    path = write(tmp_path, lines=[line(0, doc="d"), line(1, doc="d"), line(2, doc="e")])
    hashes = list(only(path).frame["item_hash"])
    assert len(set(hashes)) == 3
    assert hashes[1] == f"{hashes[0]}-2"
    assert any("1 documents occur more than once" in n for n in read_results(path).notes)


def test_several_filters_are_several_metrics(tmp_path):
    lines = [line(i, metrics={"exact_match": v}, name=f) for f, v in (("strict", 0.0), ("loose", 1.0)) for i in (0, 1)]
    cell = only(write(tmp_path, lines=lines))
    assert [m.name for m in cell.metrics] == ["exact_match,strict", "exact_match,loose"]
    assert len(cell.frame) == 2
    assert list(cell.frame["exact_match,loose"]) == [1.0, 1.0]


def test_the_first_metric_with_a_direction_decides(tmp_path):
    lines = [line(metrics={"length": 7.0, "acc": 1.0, "acc_norm": 0.0})]
    assert only(write(tmp_path, lines=lines)).primary.name == "acc"


def test_metrics_that_are_no_numbers_are_left_out_with_a_note(tmp_path):
    path = write(tmp_path, lines=[line(metrics={"acc": 1.0, "word_perplexity": [-3.0, 4]})])
    assert [m.name for m in only(path).metrics] == ["acc"]
    assert any("word_perplexity" in note for note in read_results(path).notes)


def test_a_metric_that_is_a_number_of_some_documents_only_is_left_out(tmp_path):
    path = write(tmp_path, lines=[line(0, metrics={"acc": 1.0, "m": 1.0}), line(1, metrics={"acc": 1.0, "m": "x"})])
    assert [m.name for m in only(path).metrics] == ["acc"]
    assert any(note.endswith("one number a document: m.") for note in read_results(path).notes)


def test_a_task_without_numbers_is_an_error_if_it_is_the_only_one(tmp_path):
    with pytest.raises(UsageError, match="word_perplexity"):
        read_results(write(tmp_path, lines=[line(metrics={"word_perplexity": [-3.0, 4]})]))


def test_a_value_for_each_reply_makes_each_reply_a_sample(tmp_path):
    lines = [line(i, metrics={"acc": [1, 0, True], "pass@3": 0.5}, resps=(("a", "b", "a"),)) for i in (0, 1)]
    cell = only(write(tmp_path, lines=lines))
    assert len(cell.frame) == cell.expected == 6
    assert cell.repeats == 3
    assert list(cell.frame["sample"]) == [0, 1, 2, 0, 1, 2]
    assert list(cell.frame["acc"])[:3] == [1.0, 0.0, 1.0]
    assert list(cell.frame["pass@3"]) == [0.5] * 6
    first = cell.frame[:3]["transcript"]
    assert first[0] == first[2] != first[1]


def test_a_list_of_another_length_than_the_replies_is_no_sample(tmp_path):
    lines = [line(metrics={"acc": 1.0, "parts": [1, 0]}, resps=(("a", "b", "c"),))]
    assert [m.name for m in only(write(tmp_path, lines=lines)).metrics] == ["acc"]


def test_lines_that_repeat_a_document_are_samples(tmp_path):
    lines = [line(0, metrics={"acc": float(v)}) for v in (1, 0)]
    assert list(only(write(tmp_path, lines=lines)).frame["sample"]) == [0, 1]


def test_a_metric_under_the_name_of_a_column_is_renamed(tmp_path):
    assert only(write(tmp_path, lines=[line(metrics={"cost": 4.5})])).metrics[0].name == "cost (score)"


def test_zeros_and_ones_are_binary_and_shares_are_in_their_range(tmp_path):
    metrics = [{"acc": 1.0, "f1": 0.5, "points": 0.5}, {"acc": 0.0, "f1": 1.0, "points": 1.0}]
    cell = only(write(tmp_path, lines=[line(i, metrics=m) for i, m in enumerate(metrics)]))
    assert {m.name: (m.kind, m.low, m.high) for m in cell.metrics} == {
        "acc": ("binary", 0.0, 1.0),
        "f1": ("graded", 0.0, 1.0),
        "points": ("graded", None, None),
    }


def test_guessing_among_choices_is_the_chance_level(tmp_path):
    resps = ((("-1", "False"),),)
    lines = [line(0, target="1", resps=resps * 4), line(1, target="0", resps=resps * 2)]
    cell = only(write(tmp_path, lines=lines, configs={"arith": {"output_type": "multiple_choice"}}))
    assert cell.levels["acc"].chance == pytest.approx((1 / 4 + 1 / 2) / 2)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"until": ["\n"]}, "greedy"),
        ({"temperature": 0.7, "do_sample": True, "top_p": 0.9}, "sampled T=0.7 top-p=0.9"),
        ({"temperature": 0.7, "do_sample": False}, "greedy"),
        ({"do_sample": True}, "sampled T=1"),
    ],
)
def test_the_decoding_is_read_from_the_requests(tmp_path, options, expected):
    assert read_results(write(tmp_path, lines=[line(options=options)])).decoding == expected


def test_likelihoods_are_not_sampled(tmp_path):
    path = write(tmp_path, lines=[line(arguments={"gen_args_0": {"arg_0": "p", "arg_1": " a"}})])
    assert read_results(path).decoding == "greedy"


def test_prompts_are_told_apart(tmp_path):
    a, b, c = (
        only(write(tmp_path / p, lines=[line(0, prompt_hash=p[0]), line(1)])).prompts for p in ("p1", "q1", "p2")
    )
    assert a == c != b


def test_of_several_logs_of_a_task_the_newest_is_read(tmp_path):
    write(tmp_path, lines=[line(metrics={"acc": 0.0})], date="2026-11-01T09-59-59.999999")
    write(tmp_path, lines=[line(metrics={"acc": 1.0})])
    results = read_results(tmp_path)
    assert results.cells[0].frame["acc"][0] == 1.0
    assert any("2 logs are there" in note for note in results.notes)


def test_a_folder_with_several_tasks_gives_a_cell_each(tmp_path):
    write(tmp_path / "m", task="b_c")
    write(tmp_path / "m", task="a")
    assert [c.task for c in read_results(tmp_path).cells] == ["a", "b_c"]


def test_several_models_are_refused_and_named(tmp_path):
    write(tmp_path / "org__a", results=False)
    write(tmp_path / "org__b", results=False)
    with pytest.raises(UsageError, match=r"2 models \(org/a, org/b\)"):
        read_results(tmp_path)


@pytest.mark.parametrize("damage", ['{"doc_id": 1, "do', "[]", '{"doc_id": 1}', "\x00"])
def test_a_damaged_line_is_named(tmp_path, damage):
    file = write(tmp_path)
    with file.open("a") as out:
        out.write(damage + "\n")
    with pytest.raises(StoreError, match=r"samples_arith_.*, line 2:"):
        read_results(file)


def test_a_file_that_is_no_text_is_damaged(tmp_path):
    file = tmp_path / f"samples_x_{DATE}.jsonl"
    file.write_bytes(b"\xff\xfe{}")
    with pytest.raises(StoreError, match="line 1"):
        read_results(file)


def test_an_empty_file_says_that_the_run_was_stopped(tmp_path):
    with pytest.raises(StoreError, match="stopped"):
        read_results(write(tmp_path, lines=[]))


def test_two_runs_in_one_file_are_refused(tmp_path):
    with pytest.raises(StoreError, match=r"line 2: document 0 is another than on line 1"):
        read_results(write(tmp_path, lines=[line(0, doc="a"), line(0, doc="b")]))


def test_old_lines_without_a_filter_are_read_unless_they_repeat(tmp_path):
    old = [{k: v for k, v in line(i).items() if k not in ("filter", "metrics")} for i in (0, 1, 0)]
    assert list(only(write(tmp_path / "a", lines=old[:2])).frame["acc"]) == [1.0, 1.0]
    with pytest.raises(StoreError, match=r"line 3: .*'filter'"):
        read_results(write(tmp_path / "b", lines=old))


def test_damaged_results_are_named(tmp_path):
    file = write(tmp_path)
    (tmp_path / f"results_{DATE}.json").write_text("{")
    with pytest.raises(StoreError, match=f"results_{DATE}"):
        read_results(file)


def test_a_value_that_is_not_there_does_not_apply(tmp_path):
    cell = only(write(tmp_path, lines=[line(0), line(1, metrics={"acc": None}), line(2, metrics={"acc": math.nan})]))
    assert list(cell.frame["acc"].isna()) == [False, True, True]


@given(
    values=st.lists(st.lists(st.floats(allow_nan=False, width=32), min_size=2, max_size=2), min_size=1, max_size=8),
    order=st.randoms(use_true_random=False),
)
def test_the_order_of_lines_changes_nothing(tmp_path_factory, values, order):
    lines = [line(i, metrics={"acc": a, "x": b}) for i, (a, b) in enumerate(values)]
    mixed = list(lines)
    order.shuffle(mixed)
    folder = tmp_path_factory.mktemp("lm")
    frames = [only(write(folder / n, lines=v)).frame for n, v in (("a", lines), ("b", mixed))]
    assert frames[0].equals(frames[1])
    assert list(frames[0]["x"]) == [b for _, b in values]


TASKS = {
    "tiny_gen": """
output_type: generate_until
doc_to_text: "{{q}}"
doc_to_target: "{{a}}"
generation_kwargs: {until: ["\\n"], do_sample: true, temperature: 0.5}
repeats: 3
metric_list: [{metric: exact_match, aggregation: mean, higher_is_better: true}]
filter_list:
  - {name: strict, filter: [{function: take_first}]}
  - {name: loose, filter: [{function: take_first}]}
""",
    "tiny_mc": """
output_type: multiple_choice
doc_to_text: "{{q}}"
doc_to_choice: "{{choices}}"
doc_to_target: gold
metric_list: [{metric: acc}, {metric: acc_norm}, {metric: brier_score}]
""",
}


@pytest.mark.slow
@pytest.mark.skipif(find_spec("lm_eval") is None, reason="lm-eval is not installed: pip install 'finchmark[lm-eval]'")
def test_what_lm_eval_writes_today_is_read(tmp_path):
    docs = [
        {"q": f"{i}+1?", "a": "lol" if i == 2 else str(i + 1), "choices": ["a", "b"], "gold": 0} for i in (0, 1, 2, 2)
    ]
    (tmp_path / "docs.jsonl").write_text("".join(json.dumps(d) + "\n" for d in docs))
    for name, body in TASKS.items():
        source = f"task: {name}\ndataset_path: json\ndataset_kwargs: {{data_files: {{test: {tmp_path}/docs.jsonl}}}}\n"
        (tmp_path / f"{name}.yaml").write_text(f"{source}test_split: test\nmetadata: {{version: 2.0}}\n{body}")
    command = [sys.executable, "-m", "lm_eval", "run", "--model", "dummy", "--include_path", str(tmp_path)]
    command += ["--tasks", "tiny_gen,tiny_mc", "--log_samples", "--output_path", str(tmp_path / "out")]
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HOME": str(tmp_path / "hf")}
    done = subprocess.run(command, env={**os.environ, **offline}, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    results = read_results(tmp_path / "out")
    assert results.label == "dummy"
    generated, chosen = results.cells
    assert (generated.version, generated.expected, generated.errors) == ("2", 4, 0)
    # The dummy always writes "lol".
    assert list(generated.frame["exact_match,strict"]) == [0.0, 0.0, 1.0, 1.0]
    assert generated.frame["item_hash"][3] == generated.frame["item_hash"][2] + "-2"
    assert set(generated.frame["calls"]) == {3}
    assert [m.name for m in chosen.metrics] == ["acc", "acc_norm"]
    assert chosen.levels["acc"].chance == 0.5
    assert "sampled T=0.5" in results.decoding
