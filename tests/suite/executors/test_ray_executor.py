"""Runs on a real Ray of this machine: the same bytes as in one process, whatever is lost on the way."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from finchmark.suite import evaluation
from finchmark.suite.errors import BackendUnavailable, FinchmarkError, RunStopped, UsageError
from finchmark.suite.evaluation import evaluate
from finchmark.suite.executors import ray_executor
from finchmark.suite.executors.cluster import connect
from finchmark.suite.executors.options import RayOptions
from finchmark.suite.seeds import uniform
from finchmark.suite.store import RunWriter, StoredRun
from finchmark.suite.transcript import SpooledTurns

PLUGIN = Path(__file__).with_name("cluster_plugin.py")
ONE, TWO = RayOptions(workers=1), RayOptions(workers=2)
STEPS = {"tasks": "cluster/steps", "include": [PLUGIN], "samples": 4}
STREAMS = {"tasks": "cluster/sums", "agent": "cluster-diary", "include": [PLUGIN], "streams": 3}


@pytest.fixture(scope="module")
def cluster():
    """A Ray of this machine for this file, as a run without an address starts it; gives its address."""
    ray = pytest.importorskip("ray", reason="Ray is in the extra ray")
    made = connect(RayOptions(address="local", workers=2))
    yield ray.get_runtime_context().gcs_address
    made.close()


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """What runs in one process export."""
    folder = tmp_path_factory.mktemp("local")
    return {
        "steps": exports(evaluate(backend="cluster-echo:m", out=folder / "steps", **STEPS)),
        "streams": exports(evaluate(backend="cluster-echo:m", out=folder / "streams", **STREAMS)),
    }


def exports(run: StoredRun) -> list[bytes]:
    found = []
    for kind in ("csv", "jsonl"):
        file = run.path.with_suffix(f".{kind}")
        run.export(file, kind)
        found.append(file.read_bytes())
    return [*found, repr(list(run.updates())).encode()]


def on_ray(out, options=STEPS, **more):
    return evaluate(backend="cluster-echo:m", out=out, **{"ray": TWO, **options, **more})


def test_a_long_sample_comes_packed_and_is_stored_as_in_one_process(cluster, tmp_path, monkeypatch):
    came = []

    def append(self, sample, *rest):
        came.append(type(sample.turns))
        return stored(self, sample, *rest)

    stored = RunWriter.append
    monkeypatch.setattr(RunWriter, "append", append)
    long = {"tasks": "cluster/long", "include": [PLUGIN], "samples": 1}
    alone = exports(evaluate(backend="cluster-echo:m", out=tmp_path / "alone", **long))
    assert exports(on_ray(tmp_path / "r", long)) == alone
    assert came == [SpooledTurns] * 4


class Sniper:
    """A watcher that kills workers at random moments, each once something was stored since the last."""

    def __init__(self, kills: int, seed: str) -> None:
        self.kills, self.seed, self.hits, self.seen = kills, seed, 0, 0
        self._ended = threading.Event()

    def started(self, plans, expected, done, broker):
        self._crew = broker.backend
        self._thread = threading.Thread(target=self._shoot)
        self._thread.start()

    def _shoot(self):
        dead, last = set(), -1
        while self.hits < self.kills and not self._ended.wait(0.005):
            there = [s for s in self._crew.stations if s.seat.open and s.seat.aboard and s.pid not in dead]
            if self.seen == last or not there:
                continue
            time.sleep(0.3 * uniform("moment", self.seed, self.hits))
            victim = there[int(uniform("victim", self.seed, self.hits) * len(there))]
            dead.add(victim.pid)
            last = self.seen
            try:
                os.kill(victim.pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
            self.hits += 1

    def finished(self, sample):
        self.seen += 1

    def stopped(self):
        self._ended.set()
        self._thread.join()


@pytest.mark.parametrize("kind", ["steps", "streams"])
def test_workers_that_are_killed_at_random_moments_change_nothing(cluster, tmp_path, expected, kind):
    sniper = Sniper({"steps": 3, "streams": 2}[kind], kind)
    options = {"steps": STEPS, "streams": STREAMS}[kind]
    run = on_ray(tmp_path / "r", options, watcher=sniper, model_args={"delay": 0.05})
    assert sniper.hits >= 2
    assert run.manifest.complete
    assert exports(run) == expected[kind]
    counts = run.manifest.backend_counts
    assert counts["workers_lost"] >= 2
    assert counts["samples_again"] > 0
    assert counts["requests"] > 0
    with sqlite3.connect(run.path / "samples.sqlite") as db:
        rows, keys = db.execute(
            "SELECT COUNT(*), COUNT(DISTINCT task || arm || item || sample || stream || position || checkpoint) "
            "FROM samples"
        ).fetchone()
        assert rows == keys == run.manifest.expected
    db.close()


def test_a_driver_that_is_killed_goes_on_where_it_was(cluster, tmp_path, expected):
    out = tmp_path / "r"
    code = "from finchmark.suite.cli import main; main()"
    command = [sys.executable, "-c", code, "run", "cluster/steps", "--include", str(PLUGIN), "-b", "cluster-echo:m"]
    command += ["-n", "4", "--out", str(out), "--model-args", "delay=0.05", "--quiet"]
    command += ["--executor", "ray", "--ray-address", cluster, "--ray-workers", "2"]
    driver = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and driver.poll() is None:
        with contextlib.suppress(FinchmarkError):  # it is not there yet
            if sum(StoredRun(out).counts().values()) > 20:
                break
        time.sleep(0.02)
    driver.kill()
    said = driver.communicate()[1]
    stored = sum(StoredRun(out).counts().values())
    assert 0 < stored < 240, said
    run = on_ray(out, model_args={"delay": 0.0})
    assert exports(run) == expected["steps"]
    assert [session["ended"] for session in run.manifest.sessions] == [False, True]


def test_a_sample_that_kills_its_workers_is_an_error_and_takes_no_other_along(cluster, tmp_path):
    options = {**STEPS, "samples": 1, "limit": 6, "ray": ONE}
    run = on_ray(tmp_path / "r", model_args={"kills": "003 turn 1"}, **options)
    bad = [sample for sample in run.samples() if sample.outcome == "error"]
    assert [(sample.item, sample.reason) for sample in bad] == [("003", "WorkerLost")]
    assert "SIGKILL" in bad[0].error.splitlines()[0]
    assert run.counts()["ok"] == 5
    # The next call tries it again, here where nothing kills.
    assert on_ray(tmp_path / "r", **options).counts() == {"ok": 6, "invalid": 0, "refused": 0, "error": 0}


def test_a_worker_without_the_weights_is_left_out(cluster, tmp_path, expected, caplog):
    run = on_ray(tmp_path / "r", model_args={"fault": "lacks", "first": str(tmp_path)})
    assert exports(run) == expected["steps"]
    assert "left out: the weights of 'm' are not on this machine" in caplog.text


def test_without_one_worker_that_has_the_weights_nothing_is_written(cluster, tmp_path):
    (tmp_path / "taken").touch()
    with pytest.raises(BackendUnavailable, match=r"no worker is left\. the weights of 'm' are not on this machine"):
        on_ray(tmp_path / "r", ray=ONE, model_args={"fault": "lacks", "first": str(tmp_path)})
    assert not (tmp_path / "r").exists()


def test_workers_with_different_models_are_refused(cluster, tmp_path):
    with pytest.raises(UsageError, match="has another model than the first: name"):
        on_ray(tmp_path / "r", model_args={"fault": "other", "first": str(tmp_path)})
    assert not (tmp_path / "r").exists()


def test_a_worker_with_another_version_is_refused(cluster, tmp_path, monkeypatch):
    monkeypatch.setattr(ray_executor, "version", lambda: "99.0")
    with pytest.raises(UsageError, match=r"it runs Finchmark .*, and this process 99\.0"):
        on_ray(tmp_path / "r", ray=ONE)


def test_more_workers_than_fit_are_refused(cluster, tmp_path):
    with pytest.raises(UsageError, match="64 workers of 1 cores each do not fit on the cluster"):
        on_ray(tmp_path / "r", ray=RayOptions(workers=64))


def test_a_cluster_without_a_place_is_waited_for_and_then_named(cluster, tmp_path, monkeypatch):
    import ray

    monkeypatch.setattr(ray_executor, "PATIENCE_S", 1.0)
    holder = ray.remote(lambda: time.sleep(60)).options(num_cpus=2).remote()
    try:
        with pytest.raises(BackendUnavailable, match="had no place for a worker for 1 s"):
            on_ray(tmp_path / "r")
    finally:
        ray.cancel(holder, force=True)


def test_a_limit_that_one_worker_reaches_stops_the_run_and_keeps_what_is_stored(cluster, tmp_path):
    with pytest.raises(RunStopped, match="the limit is reached"):
        on_ray(tmp_path / "r", ray=ONE, model_args={"stops": "059 turn 2"})
    assert 0 < StoredRun(tmp_path / "r").counts()["ok"] < 240


def test_a_backend_that_is_an_object_travels_too(cluster, tmp_path):
    from finchmark.suite.backends.scripted import ScriptedBackend

    run = {**STEPS, "limit": 3}
    here = evaluate(backend=ScriptedBackend("canned", replies=["said 7"]), out=tmp_path / "here", **run)
    there = evaluate(backend=ScriptedBackend("canned", replies=["said 7"]), out=tmp_path / "there", ray=ONE, **run)
    assert exports(here) == exports(there)
    assert evaluation.make_backend("scripted:canned", {"replies": '["x"]'})[1].identity() != there.manifest.model


def test_where_every_worker_dies_the_run_ends_and_says_so(cluster, tmp_path):
    with pytest.raises(BackendUnavailable, match=r"no worker is left\. 3 workers in a row were lost .*SIGKILL"):
        on_ray(tmp_path / "r", ray=ONE, model_args={"kills": "turn 0"})
    assert sum(StoredRun(tmp_path / "r").counts().values()) == 0
