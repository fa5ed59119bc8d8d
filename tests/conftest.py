from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# The machine is shared: a slow moment is no bug.
settings.register_profile("shared", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with others' data for parity checks; tests that need it are skipped without it."""
    path = Path(os.environ.get("FINCHMARK_SHARED", Path(__file__).parents[2] / "shared"))
    if not path.is_dir():
        pytest.skip(f"others' data for parity checks is not here ({path}; set FINCHMARK_SHARED)")
    return path


@pytest.fixture(scope="module")
def opened():
    """A sandbox of bubblewrap that a whole file of tests uses: it takes time to start."""
    from finchmark.suite.sandbox.sandbox import Sandbox

    with asyncio.Runner() as runner:
        sandbox = Sandbox("bubblewrap", workers=3, packages=())
        runner.run(sandbox.__aenter__())
        yield sandbox
        runner.run(sandbox.__aexit__())


@pytest.fixture
def boxed(opened, monkeypatch):
    """That sandbox for all that runs a model's code: every episode of a test has an event loop of its own."""
    from finchmark.suite.agents import skill_code, tool_code
    from finchmark.tasks.learning.methods import code_agent

    async def same():
        return opened

    for module in (skill_code, tool_code, code_agent):
        monkeypatch.setattr(module, "shared_sandbox", same)
