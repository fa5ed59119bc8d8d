"""A run that is killed at any moment goes on where it was: nothing lost, nothing twice, the same bytes at the end."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from finchmark.suite.errors import StoreError
from finchmark.suite.evaluation import evaluate
from finchmark.suite.seeds import uniform
from finchmark.suite.store import StoredRun

OPTIONS = {"tier": "gate", "samples": 3, "limit": 40}
FORK = multiprocessing.get_context("fork")


def _play(out: Path) -> None:
    evaluate("odyssey/lights", "scripted:random", out=out, **OPTIONS)


def _exports(run: StoredRun, folder: Path) -> list[bytes]:
    found = []
    for kind in ("csv", "jsonl"):
        run.export(folder / f"export.{kind}", kind)
        found.append((folder / f"export.{kind}").read_bytes())
    return found


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> tuple[list[bytes], float]:
    folder = tmp_path_factory.mktemp("undisturbed")
    began = time.monotonic()
    process = FORK.Process(target=_play, args=(folder / "r",))
    process.start()
    process.join()
    return _exports(StoredRun(folder / "r"), folder), time.monotonic() - began


def _play_under_fire(out: Path, seconds: float, round_: int) -> int:
    """Play with SIGKILLs at random moments until the run is complete; how many of them fell into the playing."""
    kills = hits = 0
    while True:
        process = FORK.Process(target=_play, args=(out,))
        process.start()
        # Every other time the clock starts only when the store is there; the other moments may lie anywhere: before the
        # first sample, in the manifest's writing, in the store's making.
        while kills % 2 == 1 and process.exitcode is None and not (out / "samples.sqlite").exists():
            time.sleep(0.001)
        process.join(uniform("kill", round_, kills) * seconds)
        if process.exitcode is None and kills < 12:
            assert process.pid is not None
            os.kill(process.pid, signal.SIGKILL)
            process.join()
            kills += 1
            hits += (out / "samples.sqlite").exists()
            continue
        process.join()
        assert process.exitcode == 0
        return hits


@pytest.mark.parametrize("round_", range(4))
def test_a_run_killed_at_random_moments_ends_with_the_same_bytes(tmp_path, undisturbed, round_):
    expected, seconds = undisturbed
    # How fast the machine is changes while it is shared: where a run got through unharmed, fire comes faster.
    for share in (0.4, 0.2, 0.1, 0.05, 0.02):
        out = tmp_path / f"r{share}"
        if _play_under_fire(out, seconds * share, round_) >= 2:
            break
    else:
        pytest.fail("no run was hit twice")
    run = StoredRun(out)
    assert run.manifest.complete
    assert _exports(run, tmp_path) == expected
    with sqlite3.connect(out / "samples.sqlite") as db:
        counted = "SELECT COUNT(*), COUNT(DISTINCT task || arm || item || sample) FROM samples"
        assert db.execute(counted).fetchone() == (240, 240)
        lost = "SELECT COUNT(*) FROM turns WHERE sample_id NOT IN (SELECT id FROM samples)"
        assert db.execute(lost).fetchone() == (0,)
    db.close()


def test_the_command_line_goes_on_after_a_kill(tmp_path, undisturbed):
    expected, _ = undisturbed
    out = tmp_path / "r"
    command = [sys.executable, "-c", "from finchmark.suite.cli import main; main()", "run", "odyssey/lights"]
    command += ["-b", "scripted:random", "--tier", "gate", "-n", "3", "--limit", "40", "--out", str(out), "--quiet"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        if (out / "manifest.json").exists() and (out / "samples.sqlite-wal").exists():
            break
        time.sleep(0.01)
    process.kill()
    process.communicate()
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert _exports(StoredRun(out), tmp_path) == expected


def test_ctrl_c_stops_cleanly_and_says_how_to_go_on(tmp_path):
    plugin = tmp_path / "slow.py"
    plugin.write_text(
        "import asyncio\nfrom finchmark import Task, Item, EpisodeResult\n"
        "class Slow(Task):\n    '''Waits.'''\n    name = 'demo/slow'\n"
        "    def items(self, tier, seed): return [Item(str(i), {'i': i}) for i in range(2)]\n"
        "    async def episode(self, ctx):\n        await ctx.ask('x')\n"
        "        await asyncio.sleep(60 * ctx.item.data['i'])\n"
        "        return EpisodeResult({'success': 1.0})\n"
    )
    out = tmp_path / "r"
    command = [
        sys.executable,
        "-c",
        "from finchmark.suite.cli import main; main()",
        "run",
        "demo/slow",
        "--include",
        str(plugin),
    ]
    command += ["-b", "scripted:nonsense", "-n", "1", "--out", str(out)]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Where the tests run in the background of a shell, SIGINT is ignored, and children would inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        # The store may be there and not be made yet.
        with contextlib.suppress(StoreError):
            if (out / "samples.sqlite").exists() and StoredRun(out).counts()["ok"] == 1:
                break
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "goes on" in err
    assert "Traceback" not in err
    run = StoredRun(out)
    assert run.manifest.counts["ok"] == 1
    assert not run.manifest.complete
