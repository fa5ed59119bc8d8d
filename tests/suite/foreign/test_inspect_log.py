from __future__ import annotations

import json
import math
import zipfile
from importlib.util import find_spec

import pytest

from finchmark.suite.errors import StoreError, UsageError
from finchmark.suite.results import COLUMNS, read_results

HERE = find_spec("inspect_ai") is not None
inspect_only = pytest.mark.skipif(not HERE, reason="inspect-ai is not installed: pip install 'finchmark[inspect]'")


@pytest.mark.skipif(HERE, reason="inspect-ai is installed")
def test_without_inspect_ai_the_way_to_get_it_is_told(tmp_path):
    (tmp_path / "a.eval").write_bytes(b"")
    with pytest.raises(UsageError, match=r'pip install "finchmark\[inspect\]"'):
        read_results(tmp_path)


def sample(identity=1, value="C", *, epoch=1, stop="stop", reason=None, usage=None, reply="yes", **more):
    from inspect_ai.log import EvalSample
    from inspect_ai.model import ChatMessageAssistant, ChatMessageUser, ModelOutput
    from inspect_ai.scorer import Score

    output = ModelOutput.from_content("mockllm/model", reply, stop_reason=stop)
    base = {
        "id": identity,
        "epoch": epoch,
        "input": f"question {identity}",
        "target": "yes",
        "messages": [ChatMessageUser(content="q"), ChatMessageAssistant(content=reply)],
        "output": output,
        "scores": {} if value is None else {"match": Score(value=value, reason=reason)},
        "model_usage": usage or {},
    }
    return EvalSample(**{**base, **more})


def log(*samples, status="success", created="2026-11-01T10:00:00+00:00", **spec):
    from inspect_ai.log import EvalConfig, EvalDataset, EvalLog, EvalSpec

    ids = list(dict.fromkeys(s.id for s in samples))
    base = {
        "created": created,
        "task": "sums",
        "dataset": EvalDataset(samples=len(ids), sample_ids=ids),
        "model": "org/model",
        "config": EvalConfig(epochs=max((s.epoch for s in samples), default=1)),
    }
    return EvalLog(status=status, eval=EvalSpec(**{**base, **spec}), samples=list(samples))


@pytest.fixture
def write(tmp_path):
    def write(made, name="a.eval"):
        from inspect_ai.log import write_eval_log

        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        write_eval_log(made, str(file))
        return file

    return write


def only(path):
    (cell,) = read_results(path).cells
    return cell


@inspect_only
@pytest.mark.parametrize("name", ["a.eval", "a.json"])
def test_both_formats_are_read(write, name):
    results = read_results(write(log(sample(1), sample(2, "I")), name))
    assert (results.label, results.origin) == ("org/model", "inspect")
    frame = results.cells[0].frame
    assert list(frame.columns) == [*COLUMNS, "match"]
    assert list(frame["match"]) == [1.0, 0.0]


@inspect_only
@pytest.mark.parametrize(
    ("value", "expected"),
    [("C", 1.0), ("I", 0.0), ("P", 0.5), ("N", 0.0), (True, 1.0), (3, 3.0), (0.25, 0.25), ("yes", 1.0), ("2.5", 2.5)],
)
def test_letters_truth_values_and_numbers_are_values(write, value, expected):
    assert list(only(write(log(sample(1, value)))).frame["match"]) == [expected]


@inspect_only
def test_a_dictionary_gives_a_metric_for_each_key(write):
    results = read_results(write(log(sample(1, {"a": 2, "b": "C", "c": "text"}))))
    assert [m.name for m in results.cells[0].metrics] == ["match.a", "match.b"]
    assert any("match.c" in note for note in results.notes)


@inspect_only
def test_scores_without_a_number_are_refused_with_their_name(write):
    with pytest.raises(UsageError, match="match"):
        read_results(write(log(sample(1, "some text"))))


@inspect_only
def test_epochs_are_samples_of_one_item(write):
    cell = only(write(log(sample(1), sample(1, "I", epoch=2))))
    frame = cell.frame
    assert cell.repeats == 2
    assert list(frame["sample"]) == [0, 1]
    assert frame["item_hash"].nunique() == 1


@inspect_only
def test_items_are_equal_between_runs_and_differ_with_their_input(write):
    a = only(write(log(sample(1), sample(2)))).frame["item_hash"]
    b = only(write(log(sample(1, "I"), sample(2, input="another question")), "b.eval")).frame["item_hash"]
    assert a[0] == b[0]
    assert a[1] != b[1]


@inspect_only
def test_target_choices_and_id_belong_to_the_item(write):
    made = [sample(1), sample(1, target="no"), sample(1, choices=["yes", "no"]), sample(2, input="question 1")]
    hashes = {only(write(log(s), f"{i}.eval")).frame["item_hash"][0] for i, s in enumerate(made)}
    assert len(hashes) == 4


@inspect_only
def test_what_is_drawn_anew_in_messages_does_not_change_the_item(write):
    from inspect_ai.model import ChatMessageSystem, ChatMessageUser, ContentText

    def asked(system):
        return [ChatMessageSystem(content=system), ChatMessageUser(content=[ContentText(text="hello")])]

    a, b, c = (
        only(write(log(sample(1, input=asked(s))), n)).frame["item_hash"][0]
        for s, n in (("be brief", "a.eval"), ("be brief", "b.eval"), ("be long", "c.eval"))
    )
    assert a == b != c


@inspect_only
def test_errors_are_errors_and_never_scored(write):
    from inspect_ai.log import EvalError

    error = EvalError(message="RuntimeError('backend down')", traceback="", traceback_ansi="")
    cell = only(write(log(sample(1), sample(2, "C", error=error))))
    assert list(cell.frame["outcome"]) == ["ok", "error"]
    assert cell.frame["reason"][1] == "RuntimeError"
    assert math.isnan(cell.frame["match"][1])
    assert cell.errors == 1


@inspect_only
@pytest.mark.parametrize(
    "message", ['BadRequestError("This model\'s maximum context length is 8192 tokens")', "context_length_exceeded"]
)
def test_a_context_that_overflowed_is_the_models_failure(write, message):
    from inspect_ai.log import EvalError

    error = EvalError(message=message, traceback="", traceback_ansi="")
    frame = only(write(log(sample(1), sample(2, None, error=error)))).frame
    assert (frame["outcome"][1], frame["reason"][1], frame["match"][1]) == ("invalid", "context_overflow", 0.0)


@inspect_only
@pytest.mark.parametrize(
    ("kind", "outcome", "reason"),
    [
        ("token", "invalid", "token_limit"),
        ("time", "invalid", "time_limit"),
        ("working", "invalid", "time_limit"),
        ("message", "invalid", "message_limit"),
        ("context", "invalid", "context_overflow"),
        ("cost", "invalid", "cost_limit"),
        ("operator", "error", "operator"),
    ],
)
def test_limits_are_the_models_and_an_operators_stop_is_ours(write, kind, outcome, reason):
    from inspect_ai.log import EvalSampleLimit

    frame = only(write(log(sample(1), sample(2, None, limit=EvalSampleLimit(type=kind, limit=1))))).frame
    assert (frame["outcome"][1], frame["reason"][1]) == (outcome, reason)
    assert math.isnan(frame["match"][1]) if outcome == "error" else frame["match"][1] == 0.0


@inspect_only
def test_a_score_given_in_spite_of_a_limit_stands(write):
    from inspect_ai.log import EvalSampleLimit

    frame = only(write(log(sample(1, "C", limit=EvalSampleLimit(type="message", limit=3))))).frame
    assert (frame["outcome"][0], frame["match"][0]) == ("invalid", 1.0)


@inspect_only
@pytest.mark.parametrize(
    ("stop", "reason", "expected"),
    [
        ("content_filter", None, "refused"),
        ("stop", "refusal", "refused"),
        ("model_length", None, "invalid"),
        ("stop", "invalid_response_format", "invalid"),
        ("stop", "grader_failed", "error"),
        ("max_tokens", None, "ok"),
    ],
)
def test_how_a_reply_ended_decides_the_outcome(write, stop, reason, expected):
    assert only(write(log(sample(1, "I", stop=stop, reason=reason)))).frame["outcome"][0] == expected


@inspect_only
def test_a_sample_without_a_score_is_an_error_unless_it_was_cut_off(write):
    frame = only(write(log(sample(1), sample(2, None), sample(3, None, stop="max_tokens"), sample(4, math.nan)))).frame
    assert list(frame["reason"]) == ["", "unscored", "cut_off", "unscored"]
    assert list(frame["outcome"]) == ["ok", "error", "invalid", "error"]


@inspect_only
def test_a_failure_whose_worst_value_is_unknown_is_told(write):
    from inspect_ai.log import EvalSampleLimit

    results = read_results(write(log(sample(1, 7), sample(2, None, limit=EvalSampleLimit(type="token", limit=1)))))
    assert math.isnan(results.cells[0].frame["match"][1])
    assert any("worst value of match is not known" in note for note in results.notes)


@inspect_only
def test_an_invalidated_sample_is_an_error(write):
    from inspect_ai.log import ProvenanceData

    frame = only(write(log(sample(1, invalidation=ProvenanceData(author="me", reason="wrong"))))).frame
    assert (frame["outcome"][0], frame["reason"][0]) == ("error", "invalidated")


@inspect_only
@pytest.mark.parametrize("status", ["error", "cancelled", "started"])
def test_samples_that_a_stopped_run_did_not_make_are_counted(write, status):
    from inspect_ai.log import EvalDataset

    made = log(sample(1), status=status, dataset=EvalDataset(samples=9, sample_ids=[1, 2, 3]))
    results = read_results(write(made))
    (cell,) = results.cells
    assert (cell.expected, cell.errors) == (3, 2)
    assert any(f"status is '{status}'" in note for note in results.notes)


@inspect_only
def test_tokens_are_those_of_the_model_and_not_of_the_grader(write):
    from inspect_ai.model import ModelUsage

    usage = {
        "org/model": ModelUsage(input_tokens=5, input_tokens_cache_read=7, output_tokens=3, total_cost=0.5),
        "org/grader": ModelUsage(input_tokens=100, output_tokens=100),
    }
    row = only(write(log(sample(1, usage=usage)))).frame.iloc[0]
    assert (row["prompt_tokens"], row["completion_tokens"], row["cost"]) == (12, 3, 0.5)


@inspect_only
def test_equal_replies_have_equal_transcripts(write):
    made = log(sample(1), sample(1, epoch=2), sample(1, epoch=3, reply="no"))
    told = list(only(write(made)).frame["transcript"])
    assert told[0] == told[1] != told[2]


@inspect_only
def test_the_declared_headline_decides(write):
    from inspect_ai.log import HeadlineMetric
    from inspect_ai.scorer import Score

    scores = {"first": Score(value=1), "second": Score(value={"x": 1, "y": 0})}
    made = log(sample(1, scores=scores), headline_metric=HeadlineMetric(scorer="second", score="y"))
    assert only(write(made)).primary.name == "second.y"
    assert only(write(log(sample(1, scores=scores)), "b.eval")).primary.name == "first"


@inspect_only
def test_arguments_of_the_task_are_an_arm(write):
    cell = only(write(log(sample(1), task_args={"level": 2, "deep": True}, task_version=3)))
    assert (cell.version, cell.arm) == ("3", "deep=true,level=2")
    assert only(write(log(sample(1)), "b.eval")).arm == "default"


@inspect_only
@pytest.mark.parametrize(
    ("config", "model", "expected"),
    [
        ({}, "org/model", "unknown"),
        ({"temperature": 0.0}, "org/model", "greedy"),
        ({"temperature": 0.5, "top_p": 0.9}, "org/model", "sampled T=0.5 top-p=0.9"),
        ({}, "mockllm/model", "scripted"),
    ],
)
def test_the_decoding_is_told_or_unknown(write, config, model, expected):
    from inspect_ai.model import GenerateConfig

    made = log(sample(1), model=model, model_generate_config=GenerateConfig(**config))
    assert read_results(write(made)).decoding == expected


@inspect_only
def test_a_folder_gives_a_cell_for_each_task_and_the_newest_log_of_it(write, tmp_path):
    write(log(sample(1, "I")), "old.eval")
    write(log(sample(1, "C"), created="2026-11-02T10:00:00+00:00"), "new.eval")
    write(log(sample(1), task="other"), "other.eval")
    results = read_results(tmp_path)
    assert [c.task for c in results.cells] == ["other", "sums"]
    assert results.cells[1].frame["match"][0] == 1.0
    assert any("newest" in note for note in results.notes)


@inspect_only
def test_several_models_or_solvers_are_refused(write, tmp_path):
    write(log(sample(1)))
    other = write(log(sample(1), model="org/other"), "b.eval")
    with pytest.raises(UsageError, match="2 models"):
        read_results(tmp_path)
    other.unlink()
    write(log(sample(1), solver="react"), "c.eval")
    with pytest.raises(UsageError, match="2 solvers"):
        read_results(tmp_path)


@inspect_only
def test_a_damaged_log_is_named(write, tmp_path):
    file = write(log(sample(1)))
    raw = file.read_bytes()
    file.write_bytes(raw[: len(raw) // 2])
    with pytest.raises(StoreError, match=r"a\.eval"):
        read_results(file)
    file.write_bytes(b"")
    with pytest.raises(StoreError, match=r"a\.eval"):
        read_results(file)
    with zipfile.ZipFile(tmp_path / "b.eval", "w") as made:
        made.writestr("header.json", json.dumps({"version": 2}))
    with pytest.raises(StoreError, match=r"b\.eval"):
        read_results(tmp_path / "b.eval")


@inspect_only
def test_logs_of_both_harnesses_in_one_folder_are_refused(write, tmp_path):
    write(log(sample(1)))
    (tmp_path / "samples_a_2026.jsonl").write_text("{}")
    with pytest.raises(UsageError, match="one of the two"):
        read_results(tmp_path)


def test_json_that_is_no_log_is_not_taken_for_one(tmp_path):
    (tmp_path / "a.json").write_text('{"version": 2, "name": "something"}')
    with pytest.raises(UsageError, match="no results that can be read"):
        read_results(tmp_path)


@inspect_only
def test_what_inspect_ai_writes_today_is_read(tmp_path):
    from inspect_ai import Task, eval
    from inspect_ai.dataset import Sample
    from inspect_ai.model import ModelOutput, ModelUsage, get_model
    from inspect_ai.scorer import match
    from inspect_ai.solver import generate

    def answer(messages, tools, choice, config):
        text = messages[-1].text
        if text.startswith("3"):
            raise RuntimeError("backend down")
        output = ModelOutput.from_content("mockllm/model", str(int(text[0]) + 1))
        # Without usage the mock counts tokens with a file from the network.
        output.usage = ModelUsage(input_tokens=10, output_tokens=3, total_tokens=13)
        return output

    def play(targets):
        samples = [Sample(input=f"{i}+1?", target=t) for i, t in enumerate(targets)]
        task = Task(dataset=samples, solver=generate(), scorer=match(), epochs=2, name="sums", version=4)
        model = get_model("mockllm/model", custom_outputs=answer)
        (made,) = eval(task, model=model, log_dir=str(tmp_path), display="none", fail_on_error=False)
        return only(tmp_path / made.location.rpartition("/")[2])

    cell = play(["1", "2", "wrong", "4"])
    assert (cell.version, cell.expected, cell.errors) == ("4", 8, 2)
    assert list(cell.frame["match"][:6]) == [1.0, 1.0, 1.0, 1.0, 0.0, 0.0]
    assert list(cell.frame["outcome"][6:]) == ["error", "error"]
    assert set(cell.frame["prompt_tokens"][:6]) == {10}
    again = play(["1", "2", "3", "4"])
    same = cell.frame["item_hash"] == again.frame["item_hash"]
    assert list(same) == [True] * 4 + [False] * 2 + [True] * 2
