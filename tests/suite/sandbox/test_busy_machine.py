"""A busy machine makes an execution last longer and decides nothing."""

import os
import subprocess
import sys
from dataclasses import replace

import pytest

from finchmark.suite.sandbox import available

CROWDED = """
import asyncio, os, sys
os.sched_setaffinity(0, {{{cpu}}})
from finchmark.suite.sandbox import Limits
from finchmark.suite.sandbox.sandbox import Sandbox

async def go():
    async with Sandbox({kind!r}, workers=1, packages=(), limits=Limits(wall_s=1.0, cpu_s=8)) as sandbox:
        await sandbox.run("pass", limits=Limits(wall_s=60))
        done = await sandbox.run("import time\\nwhile time.process_time() < 0.9: pass\\n")
        print(done.outcome, *done.limits, done.wall_s)

asyncio.run(go())
"""


SPIN = """
import os, time
os.sched_setaffinity(0, {{{cpu}}})
end = time.monotonic() + 120
while time.monotonic() < end: pass
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["bubblewrap", "process"])
def test_time_that_a_program_waits_for_a_processor_is_not_counted(kind):
    if not next(tier for tier in available() if tier.kind == kind).usable:
        pytest.skip(f"no sandbox {kind} here")
    cpu = min(os.sched_getaffinity(0))
    crowd = [subprocess.Popen([sys.executable, "-c", SPIN.format(cpu=cpu)]) for _ in range(3)]
    try:
        said = subprocess.run(
            [sys.executable, "-c", CROWDED.format(cpu=cpu, kind=kind)], capture_output=True, text=True, check=True
        ).stdout.split()
    finally:
        for process in crowd:
            process.kill()
            process.wait()
    assert said[0] == "ok", said
    if float(said[-1]) <= 1.2:
        pytest.skip("this machine found the program a processor all the same: nothing was crowded")


@pytest.mark.parametrize("place", ["box", "process_box"])
def test_time_that_a_program_sleeps_is_counted(place, request):
    box = request.getfixturevalue(place)
    execution = box.run("import time\ntime.sleep(30)\n", limits=replace(box.sandbox.limits, wall_s=1.0))
    assert (execution.outcome, execution.limits) == ("limit", ("wall_s",))
    assert execution.wall_s < 15
