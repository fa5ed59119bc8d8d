r"""Runs code that a model wrote, and judges it from outside the process that runs it.

    async with open_sandbox() as sandbox:
        verdict = await sandbox.judge("def twice(x): return 2 * x", "def test():\n    assert twice(4) == 8")
        execution = await sandbox.run("def f(x): return x + 1", call="f", args=(1,))

Two tiers stand behind one interface. ``bubblewrap`` is a boundary: namespaces, no network, a read-only system, a
system-call filter. ``process`` has limits only and must be asked for by name. ``docs/sandbox.md`` says what is
resisted and what is not.
"""

from .execution import Execution, Verdict
from .limits import Limits
from .sandbox import Sandbox, open_sandbox
from .tiers import SandboxFailure, SandboxUnavailable, Tier, available

__all__ = [
    "Execution",
    "Limits",
    "Sandbox",
    "SandboxFailure",
    "SandboxUnavailable",
    "Tier",
    "Verdict",
    "available",
    "open_sandbox",
]
