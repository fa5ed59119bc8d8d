"""The cache of runs."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from finchmark.suite.errors import UsageError
from finchmark.suite.evaluation import prepare
from finchmark.suite.run_cache import RunCache

PLUGINS = Path(__file__).with_name("plugins.py")


def make(**options):
    args = options.pop("model_args", {})
    return prepare("harness/parity", "moody", include=[PLUGINS], samples=1, model_args=args, **options)


def play(cache, **options):
    return cache.play(make(**options), include=[PLUGINS])


def test_what_an_earlier_session_played_is_found(tmp_path):
    first, found = play(RunCache(tmp_path, "one"))
    assert not found
    again, found = play(RunCache(tmp_path, "two"))
    assert found
    assert again.path == first.path


def test_what_this_session_played_is_not_called_found(tmp_path):
    cache = RunCache(tmp_path, "one")
    play(cache)
    assert not play(cache)[1]


def test_another_specification_is_another_run(tmp_path):
    cache = RunCache(tmp_path, "one")
    assert len({play(cache, seed=seed)[0].path for seed in (0, 1)}) == 2


def test_another_identity_of_the_model_is_another_run(tmp_path):
    cache = RunCache(tmp_path, "one")
    a, b = make(), make()
    b.backend.identity = lambda: {"name": "m", "sha256": "new weights"}
    assert cache.play(a)[0].path != cache.play(b)[0].path


def test_other_code_is_another_run(tmp_path):
    cache = RunCache(tmp_path, "one")
    changed = tmp_path / "more.py"
    changed.write_text("x = 1\n")
    first = cache.play(make(), include=[PLUGINS, changed])[0].path
    changed.write_text("x = 2\n")
    assert cache.play(make(), include=[PLUGINS, changed])[0].path != first


def test_a_fresh_session_plays_again_and_once(tmp_path):
    play(RunCache(tmp_path, "one"))
    cache = RunCache(tmp_path, "two", fresh=True)
    run, found = play(cache)
    assert not found
    made = run.manifest.created
    assert play(RunCache(tmp_path, "two", fresh=True))[0].manifest.created == made
    assert len(run.manifest.sessions) == 1


def test_a_run_with_errors_is_played_on(tmp_path):
    options = {"model_args": {"broken": "Is 3"}}
    run, _ = play(RunCache(tmp_path, "one"), **options)
    assert run.counts()["error"] == 1
    again, found = play(RunCache(tmp_path, "two"), **options)
    assert not found
    assert len(again.manifest.sessions) == 2


def test_a_damaged_run_is_thrown_away(tmp_path):
    run, _ = play(RunCache(tmp_path, "one"))
    (run.path / "samples.sqlite").write_bytes(b"rubbish" * 100)
    again, found = play(RunCache(tmp_path, "two"))
    assert not found
    assert len(again.frame()) == 6


def test_two_threads_play_an_equal_run_once(tmp_path):
    cache = RunCache(tmp_path, "one")
    done = []
    threads = [
        threading.Thread(target=lambda: done.append(play(cache, model_args={"delay": 0.05})[0])) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 3
    assert len(done[0].manifest.sessions) == 1


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="runs cannot be kept here"):
        play(RunCache(tmp_path / "file" / "cache", "one"))
