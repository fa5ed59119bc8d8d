"""A board's file: what is accepted, under which badge, after how many attempts; and that nothing disappears."""

from __future__ import annotations

import datetime
import hashlib
import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from finchmark.leaderboard import board_badges
from finchmark.leaderboard.acceptance import Refused, accept, check_board, export_hash, withdraw
from finchmark.leaderboard.badges import Badge, Board, board_text, column_name, column_names, read_board, write_board
from finchmark.suite.backends.scripted import ScriptedBackend
from finchmark.suite.errors import StoreError, UsageError
from finchmark.suite.evaluation import evaluate
from finchmark.suite.store import StoredRun

DAY = datetime.date(2025, 3, 1)


class Model(ScriptedBackend):
    """A model by its identity: the replies of a policy, under a name of its own."""

    def __init__(self, policy: str = "random", weights: str = "w0") -> None:
        super().__init__(policy)
        self.weights = weights

    def identity(self) -> dict[str, Any]:
        return {"weights": self.weights}


def play(out: Path, *, label: str = "Finch", weights: str = "w0", policy: str = "random", **options: Any) -> Path:
    options = {"samples": 1, "arms": ["inductive"], "label": label, **options}
    evaluate("odyssey/lights", Model(policy, weights), out=out, **options)
    return out


@pytest.fixture
def board(tmp_path) -> Path:
    return tmp_path / "board.json"


@pytest.fixture
def run(tmp_path) -> Path:
    return play(tmp_path / "runs" / "a")


class TestAccept:
    def test_a_replayed_run_gets_its_badge(self, board, run):
        entry = accept(board, run, today=DAY)
        assert (entry.folder, entry.label, entry.badge, entry.accepted) == ("runs/a", "Finch", "replayed", "2025-03-01")
        assert read_board(board).entries == (entry,)
        (column,) = column_names(StoredRun(run).manifest)
        assert read_board(board).badge(entry, column) == Badge("replayed", 1)

    def test_its_hash_is_that_of_the_export(self, board, run, tmp_path):
        StoredRun(run).export(tmp_path / "x.jsonl", "jsonl")
        assert accept(board, run).export_hash == hashlib.sha256((tmp_path / "x.jsonl").read_bytes()).hexdigest()

    def test_the_hash_does_not_depend_on_the_layout_on_disk(self, run, tmp_path):
        copy = Path(shutil.copytree(run, tmp_path / "copy"))
        db = sqlite3.connect(copy / "samples.sqlite")
        db.execute("VACUUM")
        db.close()
        assert export_hash(copy) == export_hash(run)

    def test_a_run_that_does_not_verify_is_refused_with_what_was_found(self, board, run):
        db = sqlite3.connect(run / "samples.sqlite")
        db.execute("UPDATE samples SET seed = 1")
        db.commit()
        db.close()
        with pytest.raises(Refused, match="seed") as refused:
            accept(board, run)
        assert refused.value.exit_code == 1
        assert refused.value.verification is not None
        assert not board.exists()

    def test_what_cannot_be_replayed_is_self_reported(self, board, tmp_path):
        secret = tmp_path / "secret"
        secret.write_text("a secret that nobody will guess")
        run = play(tmp_path / "runs" / "a", items_secret=secret)
        assert accept(board, run).badge == "self-reported"
        run = play(tmp_path / "runs" / "b", items_secret=secret, seed=1)
        assert accept(board, run, items_secret=secret).badge == "replayed"

    def test_the_same_samples_are_not_accepted_twice_under_any_name(self, board, run, tmp_path):
        accept(board, run)
        copy = Path(shutil.copytree(run, tmp_path / "runs" / "b"))
        manifest = copy / "manifest.json"
        manifest.write_text(manifest.read_text().replace('"label": "Finch"', '"label": "Sparrow"'))
        with pytest.raises(Refused, match=r"same samples is on the board as runs/a \(Finch\)"):
            accept(board, copy)

    def test_a_run_outside_the_boards_folder_is_refused(self, run, tmp_path):
        with pytest.raises(UsageError, match="beside or below"):
            accept(tmp_path / "other" / "board.json", run)

    def test_a_run_that_changes_meanwhile_is_refused(self, board, run, monkeypatch):
        def hashed(path):
            (path / "manifest.json").write_text((path / "manifest.json").read_text() + " ")
            return "0" * 64

        monkeypatch.setattr("finchmark.leaderboard.acceptance.export_hash", hashed)
        with pytest.raises(Refused, match="changed while"):
            accept(board, run)


class TestRerun:
    def test_an_equal_run_of_ours_is_said_to_be_equal(self, board, run, tmp_path):
        entry = accept(board, run, rerun=play(tmp_path / "ours"), note="seen at a workshop")
        assert entry.badge == "re-run by us"
        assert entry.note == "seen at a workshop; our run has the same samples, byte for byte"

    def test_how_far_another_differs_is_said(self, board, tmp_path):
        # The same specification, and replies that came out otherwise: as a server's may.
        theirs = play(tmp_path / "theirs", policy="oracle")
        ours = play(tmp_path / "ours", policy="random")
        entry = accept(board, theirs, rerun=ours)
        assert entry.badge == "re-run by us"
        assert "differ from it by at most 1 (odyssey/lights, inductive: -1)" in entry.note

    def test_a_run_of_another_specification_vouches_for_nothing(self, board, run, tmp_path):
        with pytest.raises(UsageError, match="specification"):
            accept(board, run, rerun=play(tmp_path / "ours", seed=1))
        assert not board.exists()

    def test_a_run_does_not_vouch_for_itself(self, board, run):
        with pytest.raises(UsageError, match="itself"):
            accept(board, run, rerun=run)

    def test_a_copy_of_a_run_does_not_vouch_for_it(self, board, run, tmp_path):
        copy = Path(shutil.copytree(run, tmp_path / "copy"))
        with pytest.raises(UsageError, match="a copy of"):
            accept(board, run, rerun=copy)
        assert not board.exists()

    def test_nor_does_a_copy_that_was_resumed(self, board, run, tmp_path):
        copy = play(Path(shutil.copytree(run, tmp_path / "copy")))
        assert len(StoredRun(copy).manifest.sessions) == 2
        with pytest.raises(UsageError, match="a copy of"):
            accept(board, run, rerun=copy)


class TestAttempts:
    def test_they_are_counted_by_label_and_column(self, board, run, tmp_path):
        accept(board, run)
        second = accept(board, play(tmp_path / "b", seed=1))
        other = accept(board, play(tmp_path / "c", seed=2, arms=["with-rules"]))
        assert list(second.attempts.values()) == [2]
        assert list(other.attempts.values()) == [1]

    def test_an_earlier_entry_shows_the_later_attempts_too(self, board, run, tmp_path):
        first = accept(board, run)
        accept(board, play(tmp_path / "b", seed=1))
        (column,) = first.attempts
        assert read_board(board).badge(first, column).attempts == 2

    @pytest.mark.parametrize("label", ["finch", " Finch", "FINCH  ", "Ｆｉｎｃｈ"])
    def test_spelling_a_name_otherwise_makes_no_new_model(self, board, run, tmp_path, label):
        accept(board, run)
        assert list(accept(board, play(tmp_path / "b", seed=1, label=label, weights="w1")).attempts.values()) == [2]

    def test_the_same_weights_under_another_name_are_the_same_model(self, board, run, tmp_path):
        accept(board, run)
        assert list(accept(board, play(tmp_path / "b", seed=1, label="Sparrow")).attempts.values()) == [2]

    def test_other_weights_under_another_name_are_another_model(self, board, run, tmp_path):
        accept(board, run)
        other = accept(board, play(tmp_path / "b", seed=1, label="Sparrow", weights="w1"))
        assert list(other.attempts.values()) == [1]

    def test_other_items_are_another_column(self, board, run, tmp_path):
        accept(board, run)
        assert list(accept(board, play(tmp_path / "b", items_seed=1)).attempts.values()) == [1]


class TestWithdrawal:
    def test_it_stays_with_its_reason_and_counts(self, board, run, tmp_path):
        accept(board, run)
        gone = withdraw(board, "runs/a", "wrong chat template", today=DAY)
        (column,) = gone.attempts
        assert read_board(board).badge(gone, column) == Badge("withdrawn", 1, "wrong chat template")
        assert list(accept(board, play(tmp_path / "b", seed=1)).attempts.values()) == [2]

    def test_it_does_not_come_back(self, board, run):
        accept(board, run)
        withdraw(board, "runs/a", "wrong chat template")
        with pytest.raises(Refused, match="was withdrawn from the board"):
            accept(board, run)
        with pytest.raises(UsageError, match="was withdrawn on"):
            withdraw(board, "runs/a", "again")

    @pytest.mark.parametrize(("folder", "reason", "match"), [("no", "x", "no entry"), ("runs/a", " ", "reason")])
    def test_it_needs_an_entry_and_a_reason(self, board, run, folder, reason, match):
        accept(board, run)
        with pytest.raises(UsageError, match=match):
            withdraw(board, folder, reason)


class TestFile:
    def test_equal_boards_are_equal_bytes(self, board, run, tmp_path):
        accept(board, run, today=DAY)
        text = board.read_bytes()
        write_board(read_board(board), tmp_path / "again.json")
        assert (tmp_path / "again.json").read_bytes() == text
        assert text.endswith(b"}\n")

    def test_one_more_entry_changes_no_line_of_the_others(self, board, run, tmp_path):
        accept(board, run, today=DAY)
        before = board.read_text().splitlines()
        accept(board, play(tmp_path / "b", seed=1), today=DAY)
        after = board.read_text().splitlines()
        assert [line.rstrip(",") for line in before[:-3]] == [line.rstrip(",") for line in after[: len(before) - 3]]

    def test_only_a_new_board_may_be_missing(self, board):
        assert read_board(board, new=True) == Board()
        with pytest.raises(UsageError, match=r"no board here.*leaderboard accept"):
            read_board(board)

    @pytest.mark.parametrize("use", [check_board, board_badges, lambda file: withdraw(file, "runs/a", "wrong")])
    def test_a_misnamed_board_is_not_one_without_entries(self, board, use):
        with pytest.raises(UsageError, match="no board here"):
            use(board)
        assert not board.exists()

    def test_an_entry_that_was_taken_out_leaves_a_gap(self, board, run, tmp_path):
        accept(board, run)
        accept(board, play(tmp_path / "b", seed=1))
        data = json.loads(board.read_text())
        del data["entries"][0]
        board.write_text(json.dumps(data))
        with pytest.raises(StoreError, match="never taken out"):
            read_board(board)

    @pytest.mark.parametrize(
        "change",
        [
            {"attempts": {"x": 3}},
            {"folder": "../elsewhere"},
            {"folder": "/etc"},
            {"folder": ""},
            {"folder": "runs//a"},
            {"badge": "excellent"},
            {"badge": "withdrawn"},
            {"accepted": "yesterday"},
            {"export_hash": "0"},
            {"withdrawn": "2025-01-01"},
            {"reason": "because"},
            {"bonus": 1},
        ],
    )
    def test_an_entry_that_cannot_be_is_refused(self, board, run, change):
        accept(board, run)
        data = json.loads(board.read_text())
        data["entries"][0].update(change)
        board.write_text(json.dumps(data))
        with pytest.raises(StoreError, match=r"history|withdrawal"):
            read_board(board)

    @pytest.mark.parametrize("text", ["", "[]", "{", '{"format": "finchmark-board/2", "entries": []}', "[" * 99_999])
    def test_what_is_no_board_is_refused(self, board, text):
        board.write_text(text)
        with pytest.raises(StoreError, match="no board"):
            read_board(board)

    def test_an_entry_given_twice_is_refused(self, board, run):
        entry = accept(board, run)
        twin = entry.model_copy(update={"attempts": {}})
        write_board(Board(entries=(entry, twin)), board)
        with pytest.raises(StoreError, match="twice"):
            read_board(board)


class TestCheck:
    def test_a_board_as_it_was_accepted_is_in_order(self, board, run):
        accept(board, run)
        assert check_board(board) == []

    def test_samples_changed_afterwards_are_found(self, board, run):
        accept(board, run)
        db = sqlite3.connect(run / "samples.sqlite")
        db.execute("UPDATE samples SET seed = 1")
        db.commit()
        db.close()
        assert check_board(board) == ["runs/a: other samples than were accepted"]

    def test_a_label_changed_afterwards_is_found(self, board, run):
        accept(board, run)
        manifest = run / "manifest.json"
        manifest.write_text(manifest.read_text().replace('"label": "Finch"', '"label": "Eagle"'))
        assert check_board(board) == ["runs/a: another specification or label than was accepted"]

    def test_a_folder_that_is_gone_is_found_unless_it_was_withdrawn(self, board, run):
        accept(board, run)
        shutil.rmtree(run)
        assert len(check_board(board)) == 1
        withdraw(board, "runs/a", "gone")
        assert check_board(board) == []

    def test_a_link_in_the_place_of_a_store_is_not_followed(self, board, run, tmp_path):
        accept(board, run)
        (run / "samples.sqlite").rename(tmp_path / "elsewhere")
        (run / "samples.sqlite").symlink_to(tmp_path / "elsewhere")
        assert "a link" in check_board(board)[0]

    def test_a_link_in_the_place_of_a_folder_is_not_followed(self, board, run, tmp_path):
        accept(board, run)
        run.rename(tmp_path / "elsewhere")
        run.symlink_to(tmp_path / "elsewhere")
        assert check_board(board) == ["runs/a: it is a link to somewhere else"]


def test_a_column_is_named_by_all_that_sets_it_apart(run):
    assert column_names(StoredRun(run).manifest) == (
        column_name("odyssey/lights", 1, "smoke", "public", "%s", "inductive")
        % StoredRun(run).manifest.spec.tasks[0].items_hash,
    )


def test_the_text_shows_badges_attempts_and_what_none_can_prove(board, run, tmp_path):
    accept(board, run, today=DAY, note="first of its kind")
    accept(board, play(tmp_path / "b", seed=1), today=DAY)
    withdraw(board, "b", "tuned on the items", today=DAY)
    text = board_text(read_board(board))
    assert "Finch  runs/a  replayed  accepted 2025-03-01" in text
    assert "first of its kind" in text
    assert "withdrawn 2025-03-01: tuned on the items" in text
    assert text.count("2 attempts of this model") == 2
    assert "cannot show who wrote the replies" in text


def test_hostile_names_stay_visible_text(board, tmp_path):
    accept(board, play(tmp_path / "a", label="\x1b[2JFinch\u202e"))
    assert "\x1b" not in board_text(read_board(board))
    assert "\u202e" not in board_text(read_board(board))
