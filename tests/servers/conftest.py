"""Servers that people use, started on loopback; ``tox -e vllm`` installs them and runs these tests."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

HERE = Path(__file__).parent
STARTING = 300.0  # seconds that a server may take on a busy machine


def pytest_configure(config):
    """Name the marker."""
    config.addinivalue_line("markers", "server: needs a server that `tox -e vllm` installs")


def pytest_collection_modifyitems(items):
    """Mark the tests of this folder, and skip them where its servers are not to be had."""
    wanted = bool(os.environ.get("FINCHMARK_VLLM"))
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.server)
            if not wanted:
                item.add_marker(pytest.mark.skip(reason="set FINCHMARK_VLLM=1, or run `tox -e vllm`: it is large"))


@dataclass(frozen=True)
class Served:
    """A server that runs.

    Args:
        url: The API's address.
        model: The model's name there.
    """

    url: str
    model: str


@contextlib.contextmanager
def serving(command: Sequence[str], log: Path, **environment: str) -> Iterator[str]:
    """Start a server on a free port, wait until it is healthy, and stop it with all its workers.

    Args:
        command: The command; ``PORT`` in it becomes the port.
        log: Where its output goes.
        **environment: Further variables.
    """
    program = Path(sys.executable).with_name(command[0])
    if not program.exists():
        pytest.skip(f"{command[0]} is not installed beside {sys.executable}; `tox -e vllm` installs it")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with log.open("wb") as out:
        process = subprocess.Popen(
            [str(program), *(part.replace("PORT", str(port)) for part in command[1:])],
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**os.environ, "HF_HUB_OFFLINE": "1", **environment},
            start_new_session=True,
        )
    try:
        _wait(f"http://127.0.0.1:{port}/health", process, log)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        # The session's group holds the workers too; a server that is asked politely first cleans up after itself.
        for how, seconds in ((signal.SIGINT, 20), (signal.SIGKILL, 20)):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, how)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(seconds)


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + STARTING
    while time.monotonic() < end:
        if process.poll() is not None:
            break
        with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
            urllib.request.urlopen(url, timeout=5).close()
            return
        time.sleep(0.5)
    pytest.fail(f"the server did not come up; it said: {log.read_text(errors='replace')[-3000:]}")


@pytest.fixture(scope="session")
def asking() -> ModuleType:
    """The module ``asking.py`` beside this file."""
    spec = importlib.util.spec_from_file_location("finchmark_servers_asking", HERE / "asking.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def weights() -> Path:
    """The folder of the built-in model."""
    from finchmark.suite.backends.weights import resolve
    from finchmark.suite.errors import BackendUnavailable

    try:
        return resolve("smollm2").path
    except BackendUnavailable as error:
        pytest.skip(f"the weights cannot be had here: {error}")


@pytest.fixture(scope="session")
def sampling_weights(weights, tmp_path_factory) -> Path:
    """The same weights with ``do_sample`` in their settings; without it ``transformers serve`` is always greedy."""
    folder = tmp_path_factory.mktemp("weights") / "smollm2"
    folder.mkdir()
    for file in weights.iterdir():
        (folder / file.name).symlink_to(file)
    settings = folder / "generation_config.json"
    given = json.loads(settings.read_text())
    settings.unlink()
    settings.write_text(json.dumps({**given, "do_sample": True}))
    return folder


@pytest.fixture(scope="module")
def vllm(weights, tmp_path_factory) -> Iterator[Served]:
    """VLLM on the CPU, in float32."""
    command = ["vllm", "serve", str(weights), "--host", "127.0.0.1", "--port", "PORT", "--served-model-name", "smollm2"]
    command += ["--dtype", "float32", "--enforce-eager"]
    log = tmp_path_factory.mktemp("vllm") / "log.txt"
    with serving(command, log, VLLM_CPU_KVCACHE_SPACE="2", VLLM_NO_USAGE_STATS="1") as url:
        yield Served(url, "smollm2")


def _transformers(folder: Path, log: Path, hub: Path) -> contextlib.AbstractContextManager[str]:
    command = ["transformers", "serve", str(folder), "--host", "127.0.0.1", "--port", "PORT"]
    # Its list of models fails where the hub's cache has no folder.
    return serving([*command, "--device", "cpu", "--dtype", "float32"], log, HF_HUB_CACHE=str(hub))


@pytest.fixture(scope="module")
def transformers_serve(sampling_weights, tmp_path_factory) -> Iterator[Served]:
    """``transformers serve`` on the CPU, in float32, with a model that says ``do_sample``."""
    folder = tmp_path_factory.mktemp("transformers")
    with _transformers(sampling_weights, folder / "log.txt", folder) as url:
        yield Served(url, str(sampling_weights))


@pytest.fixture(scope="module")
def greedy_transformers_serve(weights, tmp_path_factory) -> Iterator[Served]:
    """The same with a model that does not say it."""
    folder = tmp_path_factory.mktemp("transformers")
    with _transformers(weights, folder / "log.txt", folder) as url:
        yield Served(url, str(weights))
