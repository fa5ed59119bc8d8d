"""A sandbox that many tests share: what one candidate does must not reach the next."""

import asyncio

import pytest

from finchmark.suite.sandbox import Limits, available
from finchmark.suite.sandbox.sandbox import Sandbox

LIMITS = Limits(cpu_s=4, wall_s=20, memory_mb=512, processes=20, file_mb=8, output_kb=64)


class Box:
    """A sandbox behind calls that wait."""

    def __init__(self, sandbox, runner):
        self.sandbox, self._runner = sandbox, runner

    def run(self, *args, **kwargs):
        return self._runner.run(self.sandbox.run(*args, **kwargs))

    def judge(self, *args, **kwargs):
        return self._runner.run(self.sandbox.judge(*args, **kwargs))

    def wait(self, work):
        return self._runner.run(work)


def opened(kind):
    for tier in available():
        if tier.kind == kind and not tier.usable:
            pytest.skip(f"no sandbox {kind} here: {tier.detail}")
    with asyncio.Runner() as runner:
        sandbox = Sandbox(kind, limits=LIMITS, workers=1, packages=("numpy",))
        runner.run(sandbox.__aenter__())
        yield Box(sandbox, runner)
        runner.run(sandbox.__aexit__())


@pytest.fixture(scope="session")
def box():
    yield from opened("bubblewrap")


@pytest.fixture(scope="session")
def process_box():
    yield from opened("process")
