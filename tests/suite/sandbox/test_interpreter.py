"""Another interpreter for candidates: what it must be, what is recorded of it, and that they run on it."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from finchmark.suite.errors import UsageError
from finchmark.suite.sandbox import available
from finchmark.suite.sandbox.interpreter import examined, inventory
from finchmark.suite.sandbox.sandbox import Sandbox
from finchmark.suite.sandbox.shared import chosen_python, shared_sandbox


def fake(folder, said, status=0):
    """An executable that answers as an interpreter would."""
    path = folder / "python"
    path.write_text(f"#!/bin/sh\ncat <<'END'\n{said}\nEND\nexit {status}\n")
    path.chmod(0o755)
    return str(path)


def answer(**changed):
    said = {"version": [3, 11], "real": sys.executable, "prefixes": [sys.prefix], "packages": [], "lacking": []}
    return json.dumps({**said, **changed})


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (answer(version=[3, 8]), "must be Python 3.9 or later, .* is 3.8"),
        (answer(lacking=["ctypes", "os.pidfd_open"]), "lacks ctypes, os.pidfd_open"),
        (answer(prefixes=["/"]), "whole file system"),
        ("hello", "is no Python interpreter"),
    ],
)
def test_an_interpreter_that_cannot_serve_is_refused_with_its_reason(tmp_path, said, message):
    with pytest.raises(UsageError, match=message):
        examined(fake(tmp_path, said))


def test_what_is_no_interpreter_is_refused(tmp_path):
    for path in (tmp_path, tmp_path / "none", "/bin/false", "/etc/passwd"):
        with pytest.raises(UsageError, match="no Python interpreter that runs here"):
            examined(str(path))


def test_the_inventory_of_this_one_names_what_is_installed():
    found = inventory(None)
    assert found.python.endswith(".".join(map(str, sys.version_info[:3])))
    assert "numpy" in found.packages
    assert not {"pip", "finchmark"} & set(found.packages)
    assert list(found.packages) == sorted(found.packages)


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """A virtual environment without any package."""
    folder = tmp_path_factory.mktemp("bare") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    return folder


def test_a_virtual_environments_folder_or_its_executable_is_taken(bare):
    assert inventory(str(bare)) == inventory(str(bare / "bin" / "python"))
    assert inventory(str(bare)).packages == {}
    assert "without numpy" in inventory(str(bare)).text()
    assert Path(examined(str(bare)).path).parent == bare / "bin"


@pytest.mark.parametrize("kind", ["bubblewrap", "process"])
def test_candidates_run_on_the_interpreter_that_was_named(bare, kind):
    if not next(tier for tier in available() if tier.kind == kind).usable:
        pytest.skip(f"no sandbox {kind} here")

    async def go():
        async with Sandbox(kind, python=bare, workers=1, packages=("numpy",)) as sandbox:
            here = await sandbox.run("import sys\ndef f():\n    return sys.prefix\n", call="f")
            arrays = await sandbox.run("import numpy\n")
        return here.value, arrays.error

    prefix, error = asyncio.run(go())
    assert os.path.realpath(prefix) == os.path.realpath(bare)
    assert error == "ModuleNotFoundError"


def test_the_shared_sandbox_takes_the_interpreter_of_its_block(bare, monkeypatch):
    monkeypatch.setenv("FINCHMARK_SANDBOX", "process")

    async def prefix():
        source = "import sys\ndef f():\n    return sys.prefix\n"
        return (await (await shared_sandbox()).run(source, call="f")).value

    async def both():
        own = await prefix()
        with chosen_python(str(bare)):
            other = await prefix()
        return own, other, await prefix()

    own, other, again = asyncio.run(both())
    assert os.path.realpath(other) == os.path.realpath(bare)
    assert own == again != other
