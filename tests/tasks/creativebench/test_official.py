"""Official rows: read from a user's file, constraints as rules only where rules say all of it, the released metrics."""

from __future__ import annotations

import ast
import asyncio
import json
import math
from hashlib import sha256
from pathlib import Path

import pytest

from finchmark.suite.errors import UsageError
from finchmark.suite.registry import TASKS
from finchmark.suite.sandbox import available, open_sandbox
from finchmark.suite.sandbox.verdicts import Verdicts
from finchmark.tasks.creativebench.compat import generation, paper, released, released_explore
from finchmark.tasks.creativebench.official import read_constraint, read_rows

EXPLORE = {
    "id": "problem_1_L1",
    "problem_id": "problem_1",
    "level": 1,
    "question": "Write `double(x)`.",
    "test_code": "def test():\n    assert double(2) == 4\n",
    "reference_solution": "def double(x):\n    return 2 * x\n",
    "constraints": ["Do not use any for loops."],
    "function_signature": "def double(x):",
}
COMBO = {
    "question": "Write it.",
    "canonical_solution": "def f(): pass",
    "full_test_func": "def test(): pass",
    "combo_info": {"source1_question": "One...", "source2_question": "Two..."},
}


def written(tmp_path, *rows):
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return path


def test_rows_of_both_tracks_are_read(tmp_path):
    explore, combo = read_rows(written(tmp_path, EXPLORE, COMBO))
    assert (explore.track, explore.problem, explore.level) == ("explore", "problem_1", 1)
    assert [str(rule) for rule in explore.rules] == ["no construct for"]
    assert (combo.track, combo.parents) == ("combo", ("One...", "Two..."))


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"question": "x"}, "line 1: is neither"),
        ({**EXPLORE, "level": 2}, "level 2"),
        ({**EXPLORE, "question": 3}, "question is a text"),
        ([1], "neither"),
    ],
)
def test_what_is_no_row_is_refused(tmp_path, row, said):
    with pytest.raises(UsageError, match=said):
        read_rows(written(tmp_path, row))


def test_a_file_that_cannot_be_read_is_refused(tmp_path):
    with pytest.raises(UsageError, match="cannot be read"):
        read_rows(tmp_path / "none.jsonl")
    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(UsageError, match="no row"):
        read_rows(tmp_path / "empty.jsonl")
    (tmp_path / "bad.jsonl").write_text("{")
    with pytest.raises(UsageError, match="line 1: is not JSON"):
        read_rows(tmp_path / "bad.jsonl")


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A folder that looks like the data set's repository; ``datasets`` reads folders as it reads repositories."""
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    folder = tmp_path / "CreativeBench"
    folder.mkdir()
    bare = {key: value for key, value in EXPLORE.items() if key != "function_signature"}
    lines = [EXPLORE, {**bare, "id": "problem_1_L0", "level": 0, "constraints": []}]
    (folder / "exploratory_creativity_dataset_551.jsonl").write_text("\n".join(map(json.dumps, lines)))
    lines = [COMBO, {key: value for key, value in COMBO.items() if key != "combo_info"}]
    (folder / "combinatorial_creativity_dataset_1308.jsonl").write_text("\n".join(map(json.dumps, lines)))
    return folder


def test_rows_come_from_the_hub_as_from_a_file(hub):
    rows = read_rows(Path(f"hub:{hub}"))
    assert rows == read_rows(hub / "exploratory_creativity_dataset_551.jsonl")
    assert [row.id for row in rows] == ["problem_1_L1", "problem_1_L0"]
    combo = read_rows(Path(f"hub:{hub}"), "combo")
    assert [row.parents for row in combo] == [("One...", "Two..."), ()]
    named = read_rows(Path(f"hub:{hub}:combinatorial_creativity_dataset_1308.jsonl"))
    assert named == combo


def test_each_task_takes_its_own_file_of_the_hub(hub):
    for name, prefix in (("creativebench/explore", "problem_1"), ("creativebench/combo", "combo_")):
        task = TASKS.load(name)()
        items = task.read_items(Path(f"hub:{hub}"), task.tiers["smoke"])
        assert [item.id.startswith(prefix) for item in items] == [True, True]


def test_the_hub_is_asked_for_the_name_the_file_and_the_revision(monkeypatch):
    asked = []
    monkeypatch.setattr("datasets.load_dataset", lambda name, **rest: asked.append((name, rest)) or [EXPLORE])
    assert len(read_rows(Path("hub:Zethive/CreativeBench@v2"))) == 1
    file = "exploratory_creativity_dataset_551.jsonl"
    assert asked == [("Zethive/CreativeBench", {"data_files": file, "split": "train", "revision": "v2"})]


def test_a_hub_that_cannot_be_reached_is_said_with_the_way_out(monkeypatch):
    def unreachable(name, **rest):
        raise ConnectionError("Couldn't reach 'Zethive/CreativeBench' on the Hub (LocalEntryNotFoundError)\nmore")

    monkeypatch.setattr("datasets.load_dataset", unreachable)
    with pytest.raises(UsageError, match=r"Couldn't reach .*\)\. Where it cannot be reached, fetch the \.jsonl file"):
        read_rows(Path("hub:Zethive/CreativeBench"))
    with pytest.raises(UsageError, match="write hub:OWNER/NAME"):
        read_rows(Path("hub:"))


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        ("Do not use any for loops.", ["no construct for"]),
        ("Do not use for-loops or while-loops.", ["no construct loop"]),
        ("Do not use Python's built-in sorted() or sort() functions.", ["no call sorted", "no method sort"]),
        ("Do not use the modulo operator (%) anywhere in the code.", ["no operator %"]),
        ("Do not use the 'queue' module.", ["no module queue"]),
        ("Do not use try-except blocks for exception handling.", ["no construct try"]),
    ],
)
def test_a_constraint_that_names_what_it_forbids_is_rules(text, rules):
    reading = read_constraint(text)
    assert reading.known
    assert [str(rule) for rule in reading.rules] == rules


@pytest.mark.parametrize(
    "text",
    [
        "Do not use binary search.",
        "Do not calculate or use node depths relative to the top ancestor.",
        "Do not use explicit for-loops or iteration to search for the matching age group.",
        "Use recursion.",
        "",
    ],
)
def test_a_constraint_that_says_more_than_rules_can_is_not_guessed(text):
    assert not read_constraint(text).known


def test_the_shared_rows_are_read_whole(shared):
    rows = read_rows(shared / "data" / "creativebench" / "explore_first60.jsonl")
    assert len(rows) == 60
    assert len({row.problem for row in rows}) == 46
    texts = {reading.text: reading for row in rows for reading in row.constraints}
    assert 15 <= sum(reading.known for reading in texts.values()) < len(texts)


def test_released_distance_of_texts():
    assert released("", "") == 0.0
    assert released("", "abc") == 1.0
    assert released(" abc ", "ab") == 0.0
    assert released("abcde", "abcde") == 0.0
    assert released("abcde", "abcdx") == pytest.approx(1 - 1 / 3)


def test_papers_distance_is_a_mean_over_sources():
    def embed(text):
        return (1.0, 0.0) if "a" in text else (0.0, 1.0)

    assert paper("aaaa", ["aaaa"], embed) == 0.0
    assert paper("aaaa", ["bbbb"], embed) == 2.0
    assert paper("aaaa", ["aaaa", "bbbb"], embed) == 1.0
    assert generation("aaaa", "bbbb", embed) == 100.0
    with pytest.raises(ValueError, match="at least one"):
        paper("a", [], embed)


def test_a_models_own_level_0_is_the_released_baseline():
    rows = [("p_L0", "p", 0, "reference"), ("p_L1", "p", 1, "reference"), ("p_L2", "p", 2, "reference")]
    made = released_explore({"p_L0": "own words", "p_L1": "own words"}, {"p_L1": True}, rows)
    assert [(r.id, r.novelty, r.success) for r in made] == [("p_L0", 0.0, False), ("p_L1", 0.0, True)]
    alone = released_explore({"p_L1": "own words"}, {"p_L1": True}, rows)
    assert alone[0].creativity == alone[0].novelty == released("own words", "reference")


def mean_of(rows, rewrite):
    levels = [row for row in rows if row.level]
    return math.fsum(released(rewrite(row.reference), row.reference) for row in levels) / len(levels)


def test_the_released_metric_rewards_looks_as_the_note_says(shared):
    """Section 8 of the note has these on 139 rows (identity 0, reformatting .152, tabs .238, a junk comment .797)."""
    rows = read_rows(shared / "data" / "creativebench" / "explore_first60.jsonl")
    assert mean_of(rows, lambda code: code) == 0.0
    assert mean_of(rows, lambda code: ast.unparse(ast.parse(code))) == pytest.approx(0.152, abs=0.06)
    assert mean_of(rows, lambda code: code.replace("    ", "\t")) == pytest.approx(0.238, abs=0.06)
    junk = "# " + "".join(sha256(bytes([k])).hexdigest() for k in range(80)) + "\n"
    assert mean_of(rows, lambda code: junk + code) > 0.6


@pytest.mark.slow
@pytest.mark.skipif(not available()[0].usable, reason="bubblewrap cannot be had here")
def test_references_of_the_shared_rows_pass_and_programs_that_do_nothing_do_not(shared):
    """All 46 problems pass with the packages of today; of the 200 public rows one needs a numpy below 2.4."""
    rows = read_rows(shared / "data" / "creativebench" / "explore_first60.jsonl")
    problems = {row.problem: row for row in rows}

    async def judged():
        async with open_sandbox() as sandbox:
            verdicts = Verdicts(sandbox)
            references = await asyncio.gather(*(verdicts.judge(row.reference, row.tests) for row in rows))
            nothing = await asyncio.gather(
                *(
                    verdicts.judge(code, row.tests)
                    for row in problems.values()
                    for code in ("import os\nos._exit(0)\n", "__name__ = 'candidate'\n")
                )
            )
        return references, nothing, verdicts.spared

    references, nothing, spared = asyncio.run(judged())
    assert [row.id for row, verdict in zip(rows, references, strict=True) if not verdict.passed] == []
    assert not any(verdict.passed for verdict in nothing)
    assert spared == len(rows) - len(problems)
