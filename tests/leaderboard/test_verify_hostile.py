"""A submission is a stranger's folder: what is laid out otherwise is not read, and nothing in it runs."""

from __future__ import annotations

import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from finchmark.leaderboard.findings import Findings, verification_text
from finchmark.leaderboard.submission import STORE, Submission, plain_json
from finchmark.leaderboard.verify import verify
from finchmark.suite.evaluation import evaluate


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("run") / "run"
    evaluate("odyssey/lights", "scripted:random", samples=2, out=out)
    return out


@pytest.fixture
def copy(run, tmp_path) -> Path:
    return Path(shutil.copytree(run, tmp_path / "copy"))


def sql(run: Path, *statements: str) -> None:
    db = sqlite3.connect(run / STORE)
    for statement in statements:
        db.execute(statement)
    db.commit()
    db.close()


def only(run: Path, kind: str) -> list[str]:
    """The texts of the findings of the one grave kind that there must be."""
    found = verify(run)
    grave = [f for f in found.findings if f.severity == "error"]
    assert {f.kind for f in grave} == {kind}
    assert not found.ok
    return [f"{f.where}: {f.text}" for f in grave]


class TestFolder:
    @pytest.mark.parametrize("name", ["manifest.json", STORE])
    def test_a_missing_file_is_found(self, copy, name):
        (copy / name).unlink()
        assert only(copy, "missing-file") == [f"{name}: it is not there"]

    def test_an_empty_folder_is_found(self, tmp_path):
        assert len(only(tmp_path, "missing-file")) == 2

    @pytest.mark.parametrize("name", ["manifest.json", STORE, "run.lock"])
    def test_a_link_is_not_followed(self, copy, tmp_path, name):
        target = tmp_path / "elsewhere"
        (copy / name).rename(target)
        (copy / name).symlink_to(target)
        assert only(copy, "strange-file")[0].startswith(name)

    @pytest.mark.parametrize("name", ["manifest.json", STORE])
    def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(self, copy, name):
        (copy / name).unlink()
        os.mkfifo(copy / name)
        assert only(copy, "strange-file")

    @pytest.mark.parametrize("name", ["payload.pkl", "conftest.py", "manifest.json.tmp"])
    def test_a_file_that_no_run_has_is_found(self, copy, name):
        (copy / name).write_text("raise SystemExit")
        assert only(copy, "strange-file") == [f"{name}: no run has this; remove it"]

    def test_a_folder_in_the_run_is_found(self, copy):
        (copy / "more").mkdir()
        assert only(copy, "strange-file")

    @pytest.mark.parametrize("tail", ["-wal", "-journal", "-shm"])
    def test_an_open_log_is_found(self, copy, tail):
        (copy / (STORE + tail)).write_bytes(b"x")
        assert only(copy, "open-log")

    def test_a_store_that_is_too_large_is_not_read(self, copy):
        found = verify(copy, most_bytes=100)
        assert found.counts == {"too-large": 1}
        assert found.samples == 0

    def test_a_manifest_that_is_too_large_is_not_read(self, copy):
        with (copy / "manifest.json").open("r+") as file:
            file.truncate((16 << 20) + 1)
        assert only(copy, "too-large")

    def test_a_file_that_changes_under_the_check_is_found(self, copy, monkeypatch):
        digests = iter(["a", "b"])
        monkeypatch.setattr(Submission, "digest", lambda self: next(digests))
        assert only(copy, "changed")


class TestManifest:
    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"{",
            b"[]",
            b"null",
            b"\xff\xfe",
            b"[" * 100_000,
            b'{"a": ' * 100_000,
            b'{"format": "finchmark-manifest/1", "format": "finchmark-manifest/1"}',
            b'{"expected": NaN}',
            b'{"expected": ' + b"9" * 10_000 + b"}",
        ],
        ids=["empty", "cut", "list", "null", "utf16", "deep", "deep-object", "twice", "nan", "digits"],
    )
    def test_what_is_no_manifest_is_found(self, copy, content):
        (copy / "manifest.json").write_bytes(content)
        assert only(copy, "manifest")

    def test_names_that_look_like_paths_are_never_opened(self, copy):
        text = (copy / "manifest.json").read_text()
        (copy / "manifest.json").write_text(text.replace('"odyssey/lights"', '"../../../../etc/passwd"'))
        found = verify(copy)
        assert found.counts["unknown-task"] == 1


class TestStore:
    @pytest.mark.parametrize(
        "statement",
        [
            "CREATE TABLE more (x)",
            "CREATE INDEX faster ON samples (seed)",
            "CREATE VIEW better AS SELECT * FROM samples",
            "CREATE TRIGGER kind AFTER INSERT ON samples BEGIN UPDATE samples SET seed = 1; END",
            "CREATE VIRTUAL TABLE search USING fts5(x)",
            "ALTER TABLE samples ADD COLUMN bonus REAL",
            "ALTER TABLE samples ADD COLUMN twice REAL GENERATED ALWAYS AS (seconds * 2) VIRTUAL",
            "DROP TABLE texts",
            "ANALYZE",
        ],
    )
    def test_any_other_layout_is_found_and_not_read(self, copy, statement):
        sql(copy, statement)
        only(copy, "schema")
        assert verify(copy).samples == 0

    def test_a_view_in_a_tables_place_is_not_run(self, copy):
        bomb = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x AS hash, x AS text FROM n"
        sql(copy, "DROP TABLE texts", f"CREATE VIEW texts AS {bomb}")
        assert any("view 'texts'" in text for text in only(copy, "schema"))

    def test_another_version_of_the_store_is_found(self, copy):
        sql(copy, "PRAGMA user_version = 9")
        assert "version 9" in only(copy, "schema")[0]

    @pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
    def test_a_truncated_store_is_found(self, copy, share):
        file = copy / STORE
        with file.open("r+b") as handle:
            handle.truncate(int(share * file.stat().st_size))
        found = verify(copy)
        assert not found.ok
        assert found.counts.keys() & {"damaged", "schema"}

    def test_bytes_behind_the_end_are_found(self, copy):
        with (copy / STORE).open("ab") as handle:
            handle.write(b"PK\x03\x04" * 5000)
        assert "bytes, where" in only(copy, "damaged")[0]

    def test_what_is_no_store_is_found(self, copy):
        (copy / STORE).write_bytes(b"not a store, and long enough to have a header" * 50)
        assert only(copy, "damaged")

    def test_a_broken_index_is_found(self, copy):
        file = copy / STORE
        db = sqlite3.connect(file)
        (root,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'sqlite_autoindex_samples_1'").fetchone()
        (page,) = db.execute("PRAGMA page_size").fetchone()
        db.close()
        data = bytearray(file.read_bytes())
        place = data.index(b"inductive", (root - 1) * page)
        data[place : place + 9] = b"indictive"
        file.write_bytes(data)
        assert only(copy, "damaged")

    @pytest.mark.parametrize(
        "change",
        [
            "seed = 'x'",
            "seed = 1.5",
            "task = CAST('odyssey/lights' AS BLOB)",
            "outcome = 'superb'",
            "metrics = '[]'",
            "metrics = ''",
            "metrics = replace(hex(zeroblob(50000)), '00', '[')",
            'usage = \'{"calls": "3"}\'',
            'usage = \'{"calls": 3, "bonus": 1}\'',
            "reason = CAST(x'ff' AS TEXT)",
            "seconds = 'long'",
        ],
    )
    def test_a_value_of_another_type_is_found(self, copy, change):
        sql(copy, f"UPDATE samples SET {change} WHERE id = 1")
        found = verify(copy)
        assert found.counts["row"] == 1
        assert found.samples == 3

    @pytest.mark.parametrize(
        "data",
        [
            "''",
            "'null'",
            "'{}'",
            "x'00'",
            'replace(data, \'"seat":\', \'"seat":"s","seat":\')',
            'replace(data, \'"index":0\', \'"index":"0"\')',
            "data || ' x'",
        ],
    )
    def test_a_turn_that_is_none_is_found(self, copy, data):
        sql(copy, f"UPDATE turns SET data = {data} WHERE sample_id = 1 AND turn = 0")
        assert verify(copy).counts["row"] == 1

    def test_a_giant_value_ends_the_reading(self, copy):
        sql(copy, f"UPDATE samples SET error = hex(zeroblob({12 << 20})) WHERE id = 1")
        assert "too-large" in verify(copy).counts

    def test_a_giant_turn_ends_the_reading(self, copy):
        sql(copy, f"UPDATE turns SET data = hex(zeroblob({12 << 20})) WHERE sample_id = 1 AND turn = 0")
        assert "too-large" in verify(copy).counts

    def test_too_many_large_turns_of_one_sample_are_not_read(self, copy):
        sql(
            copy,
            f"INSERT INTO turns SELECT 1, value, hex(zeroblob({6 << 20})) FROM "
            "(WITH RECURSIVE n(value) AS (SELECT 100 UNION ALL SELECT value + 1 FROM n LIMIT 12) SELECT value FROM n)",
        )
        found = verify(copy)
        assert found.counts["row"] == 1
        assert "at most" in verification_text(found)

    def test_writing_is_refused_even_to_us(self, copy):
        with Submission(copy, Findings()).store() as store:
            assert store is not None
            for statement in ("DELETE FROM samples", "ATTACH 'x' AS y", "PRAGMA journal_mode = OFF", "SELECT random()"):
                with pytest.raises(sqlite3.Error):
                    store._db.execute(statement)


@pytest.mark.parametrize("text", ['{"a": 1, "a": 2}', "[NaN]", "[-Infinity]", "{", ""])
def test_json_that_readers_read_differently_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        plain_json(text)
