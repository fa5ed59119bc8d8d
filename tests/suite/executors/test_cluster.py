"""What people are told where a cluster cannot be had. Needs no Ray."""

from __future__ import annotations

import re
import socket
from types import SimpleNamespace

import pytest

from finchmark.suite import doctor
from finchmark.suite.errors import BackendUnavailable, UsageError
from finchmark.suite.evaluation import evaluate
from finchmark.suite.executors import cluster
from finchmark.suite.executors.options import RayOptions
from finchmark.suite.runfile import run_options

PAID = {"base_url": "http://127.0.0.1:9/v1", "prices": {"input": 1, "output": 1}, "max_cost": 1}
RUN = {"tasks": ["odyssey/lights"], "backend": "scripted:random"}


def refused(error: Exception, address: str = "auto") -> SimpleNamespace:
    def init(**_):
        raise error

    return SimpleNamespace(init=init, is_initialized=lambda: False, shutdown=lambda: None)


@pytest.fixture
def closed_port():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]  # bound, and nobody listens


def test_nobody_listens_at_the_address(monkeypatch, closed_port):
    monkeypatch.setattr(cluster, "need_ray", lambda: refused(AssertionError("not reached")))
    with pytest.raises(UsageError, match=rf"127.0.0.1:{closed_port}: there is no Ray cluster .*ray start --head"):
        cluster.connect(RayOptions(address=f"127.0.0.1:{closed_port}"))


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (RuntimeError("Version mismatch: The cluster was started with:\n    Ray: 2.59.0"), "Ray: 2.59.0 .*one version"),
        (ConnectionError("Could not find any running Ray instance."), "no cluster lets us in there"),
        (RuntimeError("Authentication failed: token missing"), "asks for its token"),
    ],
)
def test_a_cluster_that_does_not_let_us_in_says_why(monkeypatch, error, told):
    monkeypatch.setattr(cluster, "need_ray", lambda: refused(error))
    with pytest.raises(UsageError, match=told):
        cluster.connect(RayOptions(address="auto"))


def test_a_ray_of_our_own_that_does_not_start_is_no_cluster_that_was_not_found(monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(cluster, "need_ray", lambda: refused(RuntimeError("no room in /dev/shm")))
    with pytest.raises(BackendUnavailable, match="no Ray can be started on this machine: no room"):
        cluster.connect(RayOptions())


def test_without_ray_the_extra_is_named(monkeypatch):
    with pytest.raises(BackendUnavailable, match=r"pip install 'finchmark\[ray\]'"):
        cluster.need_ray("ray_that_is_not_there")


def test_what_ray_says_of_memory_is_said_first():
    text = "The actor is dead because its worker was killed. Task was killed due to the node running low on memory."
    assert cluster.explain(Exception(text)).startswith("out of memory")
    killed = (
        "The actor is dead because its worker process has died. Worker exit detail: Worker unexpectedly exits with a "
        "connection error code 2. End of file. Some common causes include: (1) the process was killed by the OOM killer"
    )
    assert "SIGKILL" in cluster.explain(Exception(killed))


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ({"executor": "slurm"}, "there are local and ray"),
        ({"ray_workers": 2}, "--ray-workers belongs to --executor ray"),
        ({"executor": "ray", "ray_workers": 0}, "ray-workers must be at least 1"),
        ({"executor": "ray", "ray_cpus": 0.0}, "nothing to run on"),
    ],
)
def test_flags_that_do_not_fit_are_refused(flags, told):
    with pytest.raises(UsageError, match=told):
        run_options({**RUN, **flags})


def test_where_a_run_is_played_is_no_part_of_its_specification():
    local, ray = run_options(RUN), run_options({**RUN, "executor": "ray", "ray_workers": 2})
    assert local.ray is None
    assert ray.ray == RayOptions(workers=2)
    assert local.prepare().spec.hash == ray.prepare().spec.hash


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"cache": "c.sqlite"}, "--cache and --executor ray"),
        ({"model_args": PAID}, "--max-cost and"),
    ],
)
def test_what_one_process_must_count_is_not_spread(tmp_path, options, told):
    backend = "openai:m" if "model_args" in options else "scripted:random"
    with pytest.raises(UsageError, match=told):
        evaluate("odyssey/lights", backend, out=tmp_path / "r", ray=RayOptions(), **options)
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize(
    ("there", "address", "state", "told"),
    [
        (False, "", "missing", r"pip install 'finchmark\[ray\]'"),
        (True, "", "ok", "no cluster is named"),
        (True, "127.0.0.1:{}", "broken", "no cluster answers there"),
    ],
)
def test_the_doctor_says_what_there_is_of_ray(monkeypatch, closed_port, there, address, state, told):
    monkeypatch.setenv("RAY_ADDRESS", address.format(closed_port))
    monkeypatch.setattr(doctor, "_hf", lambda: [])  # imports PyTorch
    monkeypatch.setattr(doctor, "_has", lambda module: there or module != "ray")
    (found,) = [finding for finding in doctor.examine() if finding.area == "extra ray"]
    assert found.state == state
    assert re.search(told, found.text)
