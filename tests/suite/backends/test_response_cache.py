import contextlib
import functools
import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
import time

import pytest

from finchmark.suite.backends.response_cache import ResponseCache
from finchmark.suite.errors import UsageError
from finchmark.suite.seeds import generator

FORK = multiprocessing.get_context("fork")


def key(number):
    return number.to_bytes(32, "big")


@pytest.fixture
def place(tmp_path):
    return tmp_path / "c.sqlite"


@contextlib.contextmanager
def opened(place, **options):
    cache = ResponseCache(place, **options)
    cache.open()
    try:
        yield cache
    finally:
        cache.close()


def fill(place, count=50, size=200):
    with opened(place) as cache:
        for number in range(count):
            cache.put(key(number), payload(number, size))


def payload(number, size=200):
    return f"{number}:".encode().ljust(size, b"x")


def change(place, statement, *values):
    with contextlib.closing(sqlite3.connect(place)) as db, db:
        db.execute(statement, values)


# -- what it keeps


def test_an_answer_is_there_in_the_next_run(place):
    fill(place)
    with opened(place) as cache:
        assert [cache.get(key(n)) for n in (0, 49, 50)] == [payload(0), payload(49), None]
        assert (cache.counts["hits"], cache.counts["misses"]) == (2, 1)
        assert len(cache) == 50


def test_a_folder_gets_a_file_of_its_own(tmp_path):
    fill(tmp_path / "deep" / "down", count=1)
    assert (tmp_path / "deep" / "down" / "responses.sqlite").exists()


def test_the_first_answer_stays(place):
    with opened(place) as one, opened(place) as two:
        one.put(key(1), b"first")
        two.put(key(1), b"second")
        assert two.get(key(1)) == b"first"


def test_a_closed_cache_has_no_answers_and_takes_none(place):
    fill(place, 1)
    cache = ResponseCache(place)
    cache.put(key(5), b"x")
    assert cache.get(key(0)) is None
    cache.close()
    cache.close()
    with opened(place) as again:
        assert again.get(key(5)) is None


# -- damaged entries


@pytest.mark.parametrize(
    "harm",
    [
        "UPDATE answers SET payload = X'00' WHERE key = ?",
        "UPDATE answers SET payload = substr(payload, 1, 50) WHERE key = ?",
        "UPDATE answers SET payload = 'text' WHERE key = ?",
        "UPDATE answers SET payload = 7 WHERE key = ?",
        "UPDATE answers SET checksum = X'00' WHERE key = ?",
        "UPDATE answers SET checksum = 'text' WHERE key = ?",
        "UPDATE answers SET (payload, checksum) = (SELECT payload, checksum FROM answers LIMIT 1 OFFSET 5) "
        "WHERE key = ?",
    ],
)
def test_a_poisoned_entry_is_a_miss_that_is_counted_and_replaced(place, harm, caplog):
    fill(place)
    change(place, harm, key(3))
    with opened(place) as cache:
        assert cache.get(key(3)) is None
        assert cache.counts["damaged"] == cache.counts["misses"] == 1
        assert "damaged answer" in caplog.text
        cache.put(key(3), b"new")
        assert cache.get(key(3)) == b"new"
        assert cache.get(key(4)) == payload(4)


def test_a_key_that_was_changed_is_found_under_neither(place):
    fill(place)
    change(place, "UPDATE answers SET key = ? WHERE key = ?", key(1000), key(3))
    with opened(place) as cache:
        assert cache.get(key(3)) is cache.get(key(1000)) is None
        assert cache.counts["damaged"] == 1


def test_an_answer_that_cannot_be_read_is_no_hit(place):
    fill(place, 1)
    with opened(place) as cache:
        assert cache.get(key(0)) is not None
        cache.reject(key(0))
        assert dict(cache.counts) == {"hits": 0, "misses": 1, "damaged": 1}
        assert len(cache) == 0


@pytest.mark.parametrize("round_", range(6))
def test_bits_that_flip_anywhere_never_make_an_answer(tmp_path, round_):
    """Bits, a stretch of zeros or a missing end, anywhere behind the header: an answer is what was put, or none."""
    rng = generator("flip", round_)
    for case in range(12):
        place = tmp_path / f"{case}" / "c.sqlite"
        fill(place)
        raw = bytearray(place.read_bytes())
        for _ in range(int(rng.integers(1, 6))):
            at = int(rng.integers(100, len(raw)))
            if case % 3 == 0:
                raw[at] ^= 1 << int(rng.integers(8))
            elif case % 3 == 1:
                raw[at : at + 600] = bytes(min(600, len(raw) - at))
            else:
                raw = raw[: max(4096, at)]
        place.write_bytes(raw)
        with opened(place) as cache:
            assert all(cache.get(key(n)) in (payload(n), None) for n in range(50))
            for number in range(50):
                cache.put(key(number), payload(number))
            assert all(cache.get(key(n)) in (payload(n), None) for n in range(50))
        with opened(place) as cache:
            assert all(cache.get(key(n)) in (payload(n), None) for n in range(50))


# -- damaged and foreign files


@pytest.mark.parametrize(
    "content", [b"not a database, but a letter" * 9, b"\0" * 5000, b"SQLite format 3\0" + b"\xff" * 500]
)
def test_a_file_that_is_no_database_is_moved_aside(place, content, caplog):
    place.write_bytes(content)
    (place.parent / "c.sqlite.damaged-1").write_text("of before")
    with opened(place) as cache:
        cache.put(key(1), b"one")
        assert cache.get(key(1)) == b"one"
        assert "damaged-2" in cache.notice()
    assert (place.parent / "c.sqlite.damaged-2").read_bytes() == content
    assert "is now c.sqlite.damaged-2" in caplog.text
    with opened(place) as cache:
        assert cache.get(key(1)) == b"one"
        assert cache.notice() == ""


def test_an_empty_file_is_a_new_cache(place):
    place.touch()
    fill(place, 1)
    with opened(place) as cache:
        assert cache.get(key(0)) == payload(0)


def test_pages_that_are_gone_are_noticed_while_it_is_used(place):
    fill(place, count=400)
    with opened(place) as cache:
        raw = place.read_bytes()
        place.write_bytes(raw[:4096] + b"\xa5" * (len(raw) - 4096))
        assert all(cache.get(key(n)) in (payload(n), None) for n in range(400))
        cache.put(key(1), b"new")
        assert cache.get(key(1)) == b"new"
        assert "damaged" in cache.notice()


def test_a_damaged_file_in_use_elsewhere_is_left_and_costs_the_cache_only(place):
    fill(place, count=400)
    with opened(place):
        raw = place.read_bytes()
        place.write_bytes(raw[:4096] + b"\xa5" * (len(raw) - 4096))
        with opened(place) as second:
            assert second.get(key(7)) is None
            second.put(key(7), b"x")
            assert "in use by another run" in second.notice()
        assert not list(place.parent.glob("*.damaged-*"))


def test_a_disk_that_goes_on_failing_ends_the_cache(place, monkeypatch):
    class Failing(sqlite3.Connection):
        def execute(self, statement, *values):
            if statement.startswith("SELECT payload"):
                raise sqlite3.DatabaseError("database disk image is malformed")
            return super().execute(statement, *values)

    monkeypatch.setattr(sqlite3, "connect", functools.partial(sqlite3.connect, factory=Failing))
    with opened(place) as cache:
        for _ in range(5):
            assert cache.get(key(1)) is None
        assert "damaged again" in cache.notice()
    assert len(list(place.parent.glob("*.damaged-*"))) == 3


def test_another_programs_database_is_refused_and_left_alone(place):
    with contextlib.closing(sqlite3.connect(place)) as db, db:
        db.execute("CREATE TABLE precious (thing TEXT)")
    before = place.read_bytes()
    for act in (ResponseCache(place).check, ResponseCache(place).open):
        with pytest.raises(UsageError, match="no response cache"):
            act()
    assert place.read_bytes() == before


def test_a_cache_that_has_lost_its_mark_is_still_one(place):
    fill(place)
    change(place, "PRAGMA application_id = 7")
    with opened(place) as cache:
        assert cache.get(key(7)) == payload(7)


def test_another_layout_is_refused(place):
    fill(place, 1)
    change(place, "PRAGMA user_version = 2")
    with pytest.raises(UsageError, match="layout 2"):
        ResponseCache(place).open()


def test_a_folder_of_the_files_name_is_refused(place):
    place.mkdir()
    with pytest.raises(UsageError, match="folder"):
        ResponseCache(place).open()


# -- disks that are full or cannot be written


def test_a_place_that_cannot_be_made_costs_the_cache_and_says_so_once(tmp_path, caplog):
    (tmp_path / "file").touch()
    with opened(tmp_path / "file" / "below") as cache:
        for _ in range(3):
            assert cache.get(key(1)) is None
            cache.put(key(1), b"x")
    assert caplog.text.count("goes on without it") == 1
    assert "cannot be written" in cache.notice()


def test_what_can_only_be_read_is_read(place, caplog):
    fill(place)
    (place.parent / "c.sqlite.lock").unlink()
    (place.parent / "c.sqlite.lock").mkdir()  # a folder that cannot be written to, also for root
    with opened(place) as cache:
        cache.put(key(99), b"x")
        assert cache.get(key(7)) == payload(7)
        assert cache.get(key(99)) is None
        assert cache.counts["unsaved"] == 1
    assert caplog.text.count("only read") == 1


def test_a_full_disk_costs_what_is_new(place, caplog, monkeypatch):
    fill(place)
    connect = sqlite3.connect

    def on_a_full_disk(*args, **options):
        made = connect(*args, **options)
        made.execute("PRAGMA max_page_count = 1")  # SQLite then says what it says of a full disk
        return made

    monkeypatch.setattr(sqlite3, "connect", on_a_full_disk)
    with opened(place) as cache:
        for number in range(100, 200):
            cache.put(key(number), payload(number, 3000))
        assert cache.get(key(7)) == payload(7)
        assert cache.counts["unsaved"] > 90
    assert caplog.text.count("cannot be written any more") == 1


def test_a_limit_of_the_system_on_files_costs_what_is_new(place):
    fill(place)
    program = f"""
import resource as system
from finchmark.suite.backends.response_cache import ResponseCache
cache = ResponseCache({str(place)!r})
cache.open()
system.setrlimit(system.RLIMIT_FSIZE, (40_000, 40_000))
for number in range(100, 200):
    cache.put(number.to_bytes(32, "big"), b"x" * 3000)
print(cache.notice())
cache.close()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "response cache" in done.stdout
    with opened(place) as cache:
        assert all(cache.get(key(n)) == payload(n) for n in range(50))


def test_who_holds_the_file_for_long_costs_what_is_new(place):
    with (
        opened(place, patience=0.01) as cache,
        contextlib.closing(sqlite3.connect(place, isolation_level=None)) as other,
    ):
        other.execute("BEGIN IMMEDIATE")
        for number in range(8):
            cache.put(key(number), b"x")
        other.execute("COMMIT")
        assert cache.counts["unsaved"] == 8
        assert cache.counts["locked"] == 5
        assert "held by another process" in cache.notice()


# -- size


def test_it_stays_below_its_size_and_keeps_what_was_used(place, monkeypatch):
    clock = iter(range(10**9, 10**9 + 10**6))
    monkeypatch.setattr("finchmark.suite.backends.response_cache.time.time", lambda: next(clock))
    with opened(place, most_bytes=2**20) as cache:
        for number in range(2000):
            cache.put(key(number), payload(number, 2000))
            assert cache.get(key(0)) == payload(0, 2000)
        assert cache.bytes < 2**20 + 128 * 4096
        assert cache.counts["evicted"] > 1000
        assert cache.get(key(1)) is None
        assert cache.get(key(1999)) is not None
    assert place.stat().st_size < 2 * 2**20


def test_what_was_used_is_remembered_over_runs(place, monkeypatch):
    monkeypatch.setattr("finchmark.suite.backends.response_cache.time.time", lambda: 1000)
    fill(place)
    monkeypatch.setattr("finchmark.suite.backends.response_cache.time.time", lambda: 2000)
    with opened(place) as cache:
        cache.get(key(7))
    with contextlib.closing(sqlite3.connect(place)) as db:
        assert db.execute("SELECT key FROM answers WHERE used = 2000").fetchall() == [(key(7),)]


def test_a_size_that_is_none_is_refused(place):
    with pytest.raises(UsageError, match="1 MiB"):
        ResponseCache(place, most_bytes=1000)


# -- several processes


def write_many(place, first, count):
    with opened(place) as cache:
        for number in range(first, first + count):
            cache.put(key(number), payload(number))
            assert cache.get(key(number)) == payload(number)


def test_processes_write_at_once(place):
    workers = [FORK.Process(target=write_many, args=(place, first, 300)) for first in (0, 150, 1000)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    with opened(place) as cache:
        assert all(cache.get(key(n)) == payload(n) for n in (*range(450), *range(1000, 1300)))
        assert cache.counts["misses"] == 0


def write_for_ever(place, started):
    with opened(place) as cache:
        number = 0
        while True:
            cache.put(key(number), payload(number))
            number += 1
            started.value = number


@pytest.mark.parametrize("round_", range(3))
def test_a_kill_while_writing_loses_no_answer_that_was_kept(place, round_):
    started = FORK.Value("i", 0)
    process = FORK.Process(target=write_for_ever, args=(place, started))
    process.start()
    limit = time.monotonic() + 60
    while started.value < 20 + 37 * round_ and time.monotonic() < limit:
        time.sleep(0.001)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    kept = started.value
    assert kept >= 20
    with opened(place) as cache:
        assert all(cache.get(key(n)) == payload(n) for n in range(kept))
        assert cache.get(key(kept + 1)) is None
        assert cache.notice() == ""
