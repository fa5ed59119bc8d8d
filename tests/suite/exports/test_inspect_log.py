from __future__ import annotations

import json
import zipfile
from importlib.util import find_spec

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from finchmark.suite.errors import StoreError, UsageError
from finchmark.suite.exports.inspect_log import to_inspect
from finchmark.suite.records import Outcome, storable
from finchmark.suite.results import from_run, read_results

HERE = find_spec("inspect_ai") is not None
inspect_only = pytest.mark.skipif(not HERE, reason="inspect-ai is not installed: pip install 'finchmark[inspect]'")


def read(file):
    from inspect_ai.log import read_eval_log

    return read_eval_log(str(file))


def entries(file):
    with zipfile.ZipFile(file) as made:
        return {name: made.read(name) for name in sorted(made.namelist())}


@pytest.mark.skipif(HERE, reason="inspect-ai is installed")
def test_without_inspect_ai_the_way_to_get_it_is_told(a_run, tmp_path):
    with pytest.raises(UsageError, match=r'pip install "finchmark\[inspect\]"'):
        to_inspect(a_run, tmp_path / "a.eval")


@inspect_only
def test_the_same_results_are_read_back(a_run, tmp_path):
    (before,) = from_run(a_run).cells
    back = read_results(to_inspect(a_run, tmp_path / "a.eval"))
    (after,) = back.cells
    assert after.frame.equals(before.frame)
    assert (after.key, after.metrics, after.expected) == (before.key, before.metrics, before.expected)
    assert dict(after.levels) == dict(before.levels)
    assert after.repeats == before.repeats == 2
    assert (back.label, back.decoding, back.origin, back.notes) == ("org/model", "greedy", "inspect", ())


@inspect_only
def test_the_seed_is_read_back(store, make_sample, tmp_path):
    assert read_results(to_inspect(store(make_sample(), seed=9), tmp_path / "a.eval")).seed == 9


OUTCOMES = st.sampled_from([Outcome.OK, Outcome.INVALID, Outcome.REFUSED, Outcome.ERROR])
TEXT = st.text(max_size=20).filter(lambda t: t == storable(t))


@inspect_only
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    told=st.lists(
        st.tuples(OUTCOMES, st.floats(0, 1e9, width=32) | st.none(), st.booleans(), TEXT, TEXT), min_size=1, max_size=4
    )
)
def test_whatever_a_run_holds_is_read_back(store, make_sample, make_turn, tmp_path_factory, told):
    folder = tmp_path_factory.mktemp("any")
    samples = []
    for number, (outcome, steps, success, completion, reason) in enumerate(told):
        error = outcome is Outcome.ERROR
        metrics = {} if error else {"success": float(success), "steps": steps}
        turns = (make_turn(completion=completion, observation=reason, after=completion),)
        samples.append(make_sample(number, 0, outcome=outcome, reason=reason, metrics=metrics, turns=turns))
    run = store(*samples, folder=str(folder / "run"))
    (before,) = from_run(run).cells
    (after,) = read_results(to_inspect(run, folder / "a.eval")).cells
    assert after.frame.equals(before.frame)


@inspect_only
def test_streams_are_read_back(store, make_sample, tmp_path):
    places = [(p, c) for p in (0, 1) for c in (0, 1)]
    run = store(*(make_sample(0, 0, stream="s", position=p, checkpoint=c) for p, c in places))
    (before,) = from_run(run).cells
    (after,) = read_results(to_inspect(run, tmp_path / "a.eval")).cells
    assert after.frame.equals(before.frame)


@inspect_only
def test_several_arms_are_a_log_each_in_a_new_folder(store, make_sample, tmp_path):
    run = store(make_sample(arm="one"), make_sample(arm="two"), arms=("one", "two"))
    folder = to_inspect(run, tmp_path / "logs")
    assert len(list(folder.glob("*.eval"))) == 2
    assert [c.arm for c in read_results(folder).cells] == ["one", "two"]
    with pytest.raises(UsageError, match="no empty folder"):
        to_inspect(run, tmp_path / "logs")


@inspect_only
def test_inspect_ai_lists_the_logs_of_a_folder(store, make_sample, tmp_path):
    from inspect_ai.log import list_eval_logs

    run = store(make_sample(arm="one"), make_sample(arm="two"), arms=("one", "two"))
    listed = list_eval_logs(str(to_inspect(run, tmp_path / "logs")))
    assert {log.task for log in listed} == {"demo-t-one", "demo-t-two"}


@inspect_only
def test_what_inspect_ai_says_of_the_log_is_what_the_run_says(a_run, tmp_path):
    log = read(to_inspect(a_run, tmp_path / "a.eval"))
    assert (log.status, log.eval.task, log.eval.task_version, log.eval.model) == ("success", "demo/t", 3, "org/model")
    assert log.eval.config.epochs == 2
    assert log.eval.model_generate_config.temperature == 0
    assert (log.results.total_samples, log.results.completed_samples) == (4, 3)
    assert {s.name: s.metrics["mean"].value for s in log.results.scores} == {"success": 0.0, "steps": 2.0}


@inspect_only
def test_a_run_that_is_not_complete_is_a_cancelled_log(store, make_sample, tmp_path):
    assert read(to_inspect(store(make_sample(), complete=False), tmp_path / "a.eval")).status == "cancelled"


@inspect_only
def test_an_episode_is_a_chat(a_run, tmp_path):
    sample = read(to_inspect(a_run, tmp_path / "a.eval")).samples[0]
    said = [(m.role, m.text) for m in sample.messages]
    assert said == [
        ("system", "The rules."),
        ("user", "You see 0."),
        ("assistant", "<action>1</action>"),
        ("user", "You see 1."),
        ("assistant", "<action>1</action>"),
        ("user", "Done."),
    ]
    assert [m.text for m in sample.input] == ["The rules.", "You see 0."]
    assert sample.messages[2].metadata["action"] == "1"


@inspect_only
def test_messages_name_their_seat_where_it_is_not_the_usual_one(store, make_sample, make_turn, tmp_path):
    run = store(make_sample(turns=(make_turn(0), make_turn(1, seat="rival"))))
    messages = read(to_inspect(run, tmp_path / "a.eval")).samples[0].messages
    assert ["seat" in (m.metadata or {}) for m in messages] == [False, False, False, True, True]


@inspect_only
def test_every_call_is_an_event_with_what_was_seen_and_its_seed(a_run, tmp_path):
    from inspect_ai.log import read_eval_log_sample

    file = to_inspect(a_run, tmp_path / "a.eval")
    events = read_eval_log_sample(str(file), "i0", 1, resolve_attachments=True).events
    assert [([m.text for m in e.input], e.output.completion) for e in events] == [
        (["The rules.", "You see 0."], "<action>1</action>"),
        (["You see 1."], "<action>1</action>"),
    ]
    assert {e.config.seed for e in events} == {7}


@inspect_only
def test_inspect_ais_data_frames_hold_samples_and_messages(a_run, tmp_path):
    from inspect_ai.analysis import messages_df, samples_df

    file = str(to_inspect(a_run, tmp_path / "a.eval"))
    samples = samples_df(file).set_index(["id", "epoch"])
    assert samples.loc[("i0", 1), "score_steps"] == 2.0
    assert samples.loc[("i1", 2), "error"] == "OSError: x"
    assert (messages_df(file)["role"] == "assistant").sum() == 5


@inspect_only
def test_reasoning_stands_apart_from_the_reply(a_run, tmp_path):
    sample = next(s for s in read(to_inspect(a_run, tmp_path / "a.eval")).samples if (s.id, s.epoch) == ("i0", 2))
    parts = sample.messages[-1].content
    assert [(p.type, getattr(p, "reasoning", "") or p.text) for p in parts] == [
        ("reasoning", "I think."),
        ("text", "<action>1</action>"),
    ]


@inspect_only
def test_tokens_of_a_cache_are_counted_once(a_run, tmp_path):
    usage = read(to_inspect(a_run, tmp_path / "a.eval")).samples[0].model_usage["org/model"]
    assert (usage.input_tokens, usage.input_tokens_cache_read, usage.output_tokens) == (24, 16, 8)
    assert (usage.total_tokens, usage.total_cost) == (48, 0.5)


@inspect_only
def test_failures_show_as_limits_and_errors(a_run, tmp_path):
    samples = {(s.id, s.epoch): s for s in read(to_inspect(a_run, tmp_path / "a.eval")).samples}
    overflow, error = samples["i1", 1], samples["i1", 2]
    assert (overflow.limit.type, overflow.output.stop_reason) == ("context", "model_length")
    assert error.error.message == "OSError: x"
    assert not error.scores


@inspect_only
@pytest.mark.parametrize(
    ("outcome", "reason"), [(Outcome.REFUSED, "content_filter"), (Outcome.INVALID, "token_limit"), (Outcome.OK, "")]
)
def test_a_reader_that_knows_nothing_of_finchmark_sees_the_same(
    store, make_sample, make_turn, tmp_path, outcome, reason
):
    from inspect_ai.log import write_eval_log

    finish = "content_filter" if outcome is Outcome.REFUSED else "stop"
    run = store(make_sample(0, 0, outcome=outcome, reason=reason, turns=(make_turn(finish=finish),)))
    log = read(to_inspect(run, tmp_path / "a.eval"))
    log.eval.metadata = None
    for sample in log.samples:
        sample.metadata = {}
    write_eval_log(log, str(tmp_path / "b.eval"))
    (cell,) = read_results(tmp_path / "b.eval").cells
    row = cell.frame.iloc[0]
    assert cell.primary.name == "success"
    assert (row["success"], row["steps"], row["outcome"], row["reason"]) == (0.0, 2.0, str(outcome), reason)
    assert (row["prompt_tokens"], row["completion_tokens"], row["calls"]) == (20, 4, 1)


@inspect_only
def test_two_exports_of_a_run_hold_the_same(a_run, tmp_path):
    assert entries(to_inspect(a_run, tmp_path / "a.eval")) == entries(to_inspect(a_run, tmp_path / "b.eval"))


@inspect_only
def test_the_suffix_is_inspect_ais(a_run, tmp_path):
    assert to_inspect(a_run, tmp_path / "v1.2").name == "v1.2.eval"
    assert [p.name for p in tmp_path.iterdir() if p.is_file()] == ["v1.2.eval"]


@inspect_only
def test_a_run_without_samples_is_refused(store, tmp_path):
    with pytest.raises(UsageError, match="no sample yet"):
        to_inspect(store(), tmp_path / "a.eval")


@inspect_only
def test_metadata_that_was_changed_is_noticed(a_run, tmp_path):
    from inspect_ai.log import write_eval_log

    log = read(to_inspect(a_run, tmp_path / "a.eval"))
    del log.samples[0].metadata["finchmark"]["columns"]["item_hash"]
    write_eval_log(log, str(tmp_path / "b.eval"))
    with pytest.raises(StoreError, match="gone or changed"):
        read_results(tmp_path / "b.eval")


@inspect_only
def test_private_items_are_tagged(store, make_sample, tmp_path):
    file = to_inspect(store(make_sample(), private=True), tmp_path / "a.eval")
    assert "private-items" in read(file).tags
    assert json.loads(entries(file)["header.json"])["eval"]["packages"] == {"finchmark": "0.1.0"}
