from __future__ import annotations

import json
import multiprocessing
import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finchmark.suite.errors import RunLocked, SpecMismatch, StoreError, UsageError
from finchmark.suite.records import (
    Call,
    Key,
    Manifest,
    Metric,
    Outcome,
    RunSpec,
    Sample,
    TaskChoice,
    TaskSheet,
    Turn,
    Usage,
)
from finchmark.suite.store import RunWriter, StoredRun


def spec(**changes) -> RunSpec:
    base = {
        "tasks": (TaskChoice(name="demo/t", version=1, arms=("a",), items=2, items_hash="h"),),
        "tier": "smoke",
        "samples": 2,
        "backend": {"name": "scripted", "model": "random"},
    }
    return RunSpec(**{**base, **changes})


def manifest(**changes) -> Manifest:
    one = spec(**changes)
    sheet = TaskSheet(
        name="demo/t",
        version=1,
        summary="a demo",
        metrics=(
            Metric(name="success", summary="s", kind="binary", primary=True, failure=0.0),
            Metric(name="m", summary="m"),
        ),
        arms={"a": "only"},
        levels={"a": {}},
    )
    return Manifest(
        finchmark="0",
        label="me",
        created="c",
        updated="u",
        spec=one,
        spec_hash=one.hash,
        tasks={"demo/t": sheet},
        expected=4,
    )


def sample(number: int = 0, **changes) -> Sample:
    turn = Turn(
        index=0,
        observation="saw",
        calls=(Call(prompt_hash="p", seed=1, completion="wrote", finish_reason="stop", usage=Usage(calls=1)),),
        action="did",
    )
    base = {
        "task": "demo/t", "version": 1, "arm": "a", "item": "i0", "item_hash": "x", "sample": number, "seed": 2**63 - 1,
        "outcome": Outcome.OK, "metrics": {"success": 1.0, "m": None}, "usage": Usage(calls=1), "turns": (turn,),
        "texts": {"d": "text"},
    }  # fmt: skip
    return Sample(**{**base, **changes})


def test_a_sample_reads_back_as_it_was_written(tmp_path):
    with RunWriter(tmp_path / "r", manifest()) as writer:
        writer.append(sample())
    run = StoredRun(tmp_path / "r")
    assert next(run.samples()) == sample(texts={})
    assert run.text("d") == "text"


@given(
    st.text(st.characters(exclude_categories=["Cs"])),
    st.floats(0, 1),
    st.text(st.characters(exclude_categories=["Cs"])),
)
def test_any_text_survives(tmp_path_factory, text, value, reason):
    path = tmp_path_factory.mktemp("any") / "r"
    wrote = sample(
        item="i",
        reason=reason,
        metrics={"success": 1.0, "m": value},
        turns=(sample().turns[0].model_copy(update={"observation": text}),),
    )
    with RunWriter(path, manifest()) as writer:
        writer.append(wrote)
    assert next(StoredRun(path).samples()).model_dump() == wrote.model_dump()


def test_a_frame_has_nan_where_a_metric_does_not_apply(tmp_path):
    with RunWriter(tmp_path / "r", manifest()) as writer:
        writer.append(sample(0))
        writer.append(sample(1, outcome=Outcome.ERROR, metrics={}, error="boom"))
    frame = StoredRun(tmp_path / "r").frame()
    assert frame["success"].tolist()[0] == 1.0
    assert frame["m"].isna().all()
    assert frame["success"].isna().tolist() == [False, True]


def test_the_last_attempt_counts_and_all_are_kept(tmp_path):
    with RunWriter(tmp_path / "r", manifest()) as writer:
        writer.append(sample(outcome=Outcome.ERROR, metrics={}, error="boom"))
        assert writer.finished() == (set(), {Key("demo/t", "a", "i0", 0): 1})
        writer.append(sample(attempt=2))
        assert writer.finished() == ({Key("demo/t", "a", "i0", 0)}, {})
    run = StoredRun(tmp_path / "r")
    assert run.counts() == {"ok": 1, "invalid": 0, "refused": 0, "error": 0}
    assert [s.attempt for s in run.samples(attempts=True)] == [1, 2]


def test_the_same_attempt_cannot_be_stored_twice(tmp_path):
    with RunWriter(tmp_path / "r", manifest()) as writer:
        writer.append(sample())
        with pytest.raises(StoreError):
            writer.append(sample())
        writer.append(sample(1))
    assert len(StoredRun(tmp_path / "r").frame()) == 2


def test_another_specification_is_refused_and_the_difference_shown(tmp_path):
    RunWriter(tmp_path / "r", manifest()).close()
    with pytest.raises(SpecMismatch, match=r"samples: 2 -> 3"):
        RunWriter(tmp_path / "r", manifest(samples=3))
    RunWriter(tmp_path / "r", manifest()).close()


def _second(path, queue):
    try:
        RunWriter(path, manifest())
        queue.put("written")
    except RunLocked as error:
        queue.put(str(error))


def test_a_second_process_is_refused(tmp_path):
    fork = multiprocessing.get_context("fork")
    queue = fork.Queue()
    with RunWriter(tmp_path / "r", manifest()):
        other = fork.Process(target=_second, args=(tmp_path / "r", queue))
        other.start()
        assert "another process" in queue.get(timeout=20)
        other.join()


def test_a_store_from_a_newer_version_is_refused_unchanged(tmp_path):
    RunWriter(tmp_path / "r", manifest()).close()
    file = tmp_path / "r" / "samples.sqlite"
    with sqlite3.connect(file) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    before = file.read_bytes()
    with pytest.raises(StoreError, match="version 99"):
        RunWriter(tmp_path / "r", manifest())
    with pytest.raises(StoreError, match="version 99"):
        StoredRun(tmp_path / "r").frame()
    assert file.read_bytes() == before


@pytest.mark.parametrize("keep", [0.02, 0.5, 0.9])
def test_a_truncated_store_is_named_and_left_alone(tmp_path, keep):
    with RunWriter(tmp_path / "r", manifest(samples=300)) as writer:
        for i in range(300):
            writer.append(sample(i))
    file = tmp_path / "r" / "samples.sqlite"
    whole = file.read_bytes()
    file.write_bytes(whole[: int(len(whole) * keep)])
    for open_it in (
        lambda: RunWriter(tmp_path / "r", manifest(samples=300)),
        lambda: StoredRun(tmp_path / "r").frame(),
    ):
        with pytest.raises(StoreError, match=r"truncated|damaged"):
            open_it()
    assert file.read_bytes() == whole[: int(len(whole) * keep)]


def test_a_store_full_of_rubbish_is_named(tmp_path):
    RunWriter(tmp_path / "r", manifest()).close()
    (tmp_path / "r" / "samples.sqlite").write_bytes(b"no database " * 1000)
    with pytest.raises(StoreError, match="not a store"):
        StoredRun(tmp_path / "r").counts()


def test_a_full_disk_is_said_and_nothing_stored_is_lost(tmp_path):
    with RunWriter(tmp_path / "r", manifest(samples=500)) as writer:
        writer.append(sample(0))
        # SQLite raises the very error of a full disk when its page limit is reached.
        writer._db.execute(f"PRAGMA max_page_count = {writer._db.execute('PRAGMA page_count').fetchone()[0] + 2}")
        stored = 1

        def fill() -> None:
            nonlocal stored
            for i in range(1, 500):
                writer.append(sample(i))
                stored += 1

        with pytest.raises(StoreError, match=r"full.*safe.*same command"):
            fill()
    run = StoredRun(tmp_path / "r")
    assert len(run.frame()) == stored
    assert len(list(run.samples())) == stored


def test_a_manifest_from_a_newer_version_is_refused(tmp_path):
    RunWriter(tmp_path / "r", manifest()).close()
    file = tmp_path / "r" / "manifest.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "format": "finchmark-manifest/7"}))
    with pytest.raises(StoreError, match="finchmark-manifest/7"):
        StoredRun(tmp_path / "r")


def test_a_damaged_manifest_is_named(tmp_path):
    RunWriter(tmp_path / "r", manifest()).close()
    (tmp_path / "r" / "manifest.json").write_text("{")
    with pytest.raises(StoreError, match="cannot be read"):
        StoredRun(tmp_path / "r")


def test_a_folder_with_other_things_is_not_taken_over(tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(UsageError, match=r"thesis\.tex"):
        RunWriter(tmp_path, manifest())


def test_a_folder_without_a_run_says_how_to_make_one(tmp_path):
    with pytest.raises(UsageError, match="finchmark run"):
        StoredRun(tmp_path)


def test_a_run_can_be_read_while_it_is_written(tmp_path):
    with RunWriter(tmp_path / "r", manifest()) as writer:
        writer.append(sample())
        assert len(StoredRun(tmp_path / "r").frame()) == 1


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_exports_do_not_depend_on_the_order_of_storing(tmp_path, kind):
    for name, order in (("a", range(9)), ("b", reversed(range(9)))):
        with RunWriter(tmp_path / name, manifest(samples=9)) as writer:
            for i in order:
                writer.append(sample(i, seconds=i * (1 if name == "a" else 2)))
        StoredRun(tmp_path / name).export(tmp_path / f"{name}.{kind}", kind)
    assert (tmp_path / f"a.{kind}").read_bytes() == (tmp_path / f"b.{kind}").read_bytes()


def test_the_default_export_has_no_path_time_or_attempt(tmp_path):
    with RunWriter(tmp_path / "r", manifest()) as writer:
        writer.append(
            sample(
                outcome=Outcome.ERROR, metrics={}, error=f'File "{tmp_path}/x.py"\nBoom: no', seconds=7.25, attempt=3
            )
        )
    for kind in ("csv", "jsonl"):
        StoredRun(tmp_path / "r").export(tmp_path / f"e.{kind}", kind)
        text = (tmp_path / f"e.{kind}").read_text()
        assert str(tmp_path) not in text
        assert "7.25" not in text
        assert "attempt" not in text


def test_an_unknown_export_is_refused_and_leaves_nothing(tmp_path):
    RunWriter(tmp_path / "r", manifest()).close()
    with pytest.raises(UsageError, match="'csv', 'jsonl', 'parquet', 'inspect' and 'datasets'"):
        StoredRun(tmp_path / "r").export(tmp_path / "e.xls", "xls")
    assert not list(tmp_path.glob("e.xls*"))
