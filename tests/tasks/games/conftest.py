"""A sandbox that the tests of programs share."""

import asyncio

import pytest


class Trials:
    """Trials that wait."""

    def __init__(self, sandbox, runner):
        self.sandbox, self._runner = sandbox, runner

    def __call__(self, program, games, checkpoints=None):
        from finchmark.tasks.games.trial import try_program

        return self._runner.run(try_program(self.sandbox, program, games, checkpoints))


@pytest.fixture(scope="session")
def trial():
    from finchmark.suite.sandbox import available
    from finchmark.suite.sandbox.sandbox import Sandbox

    tier = next(tier for tier in available() if tier.kind == "bubblewrap")
    if not tier.usable:
        pytest.skip(f"no sandbox here: {tier.detail}")
    with asyncio.Runner() as runner:
        sandbox = Sandbox("bubblewrap", workers=1, packages=("numpy",))
        runner.run(sandbox.__aenter__())
        yield Trials(sandbox, runner)
        runner.run(sandbox.__aexit__())
