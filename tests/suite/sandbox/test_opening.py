"""Opening a sandbox, its refusals, its limits and the tier without a boundary."""

import asyncio
import os
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from finchmark.suite.errors import UsageError
from finchmark.suite.sandbox import Limits, SandboxFailure, SandboxUnavailable, Tier, available, open_sandbox
from finchmark.suite.sandbox import sandbox as module
from finchmark.suite.sandbox.sandbox import Sandbox

HONEST = "def f(x):\n    return x + 1\n"
TESTS = "def test():\n    assert f(1) == 2\n"


async def entered(**kwargs):
    async with open_sandbox(**kwargs):
        pass


def test_without_a_boundary_it_refuses_and_says_why(monkeypatch):
    monkeypatch.setattr(module, "available", lambda: (Tier("bubblewrap", False, "not installed"),))
    with pytest.raises(SandboxUnavailable, match="not installed"):
        asyncio.run(entered())


def test_an_unknown_tier_is_refused():
    with pytest.raises(ValueError, match="got 'docker'"):
        open_sandbox("docker")  # type: ignore[arg-type] # on purpose


def test_what_is_no_interpreter_is_refused(tmp_path):
    with pytest.raises(UsageError, match="no Python interpreter"):
        asyncio.run(entered(kind="process", python=tmp_path / "python"))


@pytest.mark.parametrize("name", ["cpu_s", "wall_s", "memory_mb", "processes", "output_kb"])
def test_a_limit_must_be_above_0(name):
    with pytest.raises(ValueError, match=name):
        Limits(**{name: 0})


def test_values_that_are_no_data_are_refused(process_box):
    with pytest.raises(ValueError, match="plain data"):
        process_box.run(HONEST, call="f", args=[object()])


def test_a_value_comes_back_as_it_was_returned(process_box):
    value = {"a": [1, 2.5, None, True], (1, 2): {3, 4}, "b": b"\x00\xff", "c": 10**40, "d": float("inf")}
    assert process_box.run("def f(x):\n    return x\n", call="f", args=[value]).value == value


def test_a_value_that_is_no_data_is_an_error_of_the_program(process_box):
    execution = process_box.run("def f():\n    return object()\n", call="f")
    assert (execution.outcome, execution.error) == ("error", "Unreadable")


def test_files_are_found_in_the_working_directory(process_box):
    execution = process_box.run("def f(): return open('a/b.txt').read()", call="f", files={"a/b.txt": "text"})
    assert execution.value == "text"


def test_a_file_elsewhere_is_refused(process_box):
    assert process_box.run("x = 1", files={"../up": ""}).error == "ValueError"


def test_the_tier_without_a_boundary_keeps_its_limits(process_box):
    limits = process_box.sandbox.limits
    assert process_box.run("while True: pass", limits=replace(limits, cpu_s=0.5)).limits == ("cpu_s",)
    assert process_box.run("x = bytearray(2**32)").limits == ("memory_mb",)
    assert process_box.run("print('x' * 10**6)").limits == ("output_kb",)
    assert process_box.run("import time; time.sleep(30)", limits=replace(limits, wall_s=0.5)).limits == ("wall_s",)
    assert process_box.run("import os\ndef f(): return sorted(os.environ)", call="f").value == ["HOME", "LANG", "PATH"]
    assert process_box.judge(HONEST, TESTS).passed


def test_the_tier_without_a_boundary_ends_daemonised_grandchildren(process_box):
    source = (
        "import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0: time.sleep(60)\n    os._exit(0)\n"
    )
    source += "def f():\n    time.sleep(0.3)\n    return os.getpid()\n"
    group = process_box.run(source, call="f").value
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    pytest.fail("the group of the candidate still lives")


def test_the_verdict_comes_from_outside_there_too(process_box):
    assert process_box.judge("import os; os._exit(0)", TESTS).reason == "exit"
    always = "class A:\n    def __eq__(s, o): return True\ndef f(x): return A()\n"
    assert process_box.judge(always, TESTS).tampered


def test_a_sandbox_whose_parent_was_killed_says_so_and_goes_on(process_box):
    sandbox = process_box.sandbox
    assert process_box.judge(HONEST, TESTS).passed
    worker = sandbox._all[0][0]
    worker._process.kill()
    with pytest.raises(SandboxFailure):
        process_box.judge(HONEST, TESTS)
    assert process_box.judge(HONEST, TESTS).passed


def test_a_cancelled_execution_ends_at_once():
    async def main():
        async with Sandbox("process", workers=1) as sandbox:
            await sandbox.run("x = 1")
            started = time.monotonic()
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(sandbox.run("import time; time.sleep(30)"), 0.5)
            spent = time.monotonic() - started
            return spent, (await sandbox.run("x = 1")).ok

    spent, goes_on = asyncio.run(main())
    assert spent < 10
    assert goes_on


def test_another_interpreter_runs_the_candidate(process_box, tmp_path):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)

    async def main():
        async with Sandbox("process", workers=1, python=tmp_path / "venv") as sandbox:
            return await sandbox.run("import sys\ndef f(): return sys.prefix", call="f")

    assert asyncio.run(main()).value == str(tmp_path / "venv")


def test_the_tiers_are_named_strongest_first():
    assert [tier.kind for tier in available()] == ["bubblewrap", "process"]
