"""The pytest plug-in: files ``eval_*.yaml``, a marker, a fixture, and a table at the end.

pytest loads this module in every project where Finchmark is installed, so that it imports nothing but pytest and the
standard library; what it needs is imported when a file, a marker or a run asks for it.
"""

from __future__ import annotations

import json
from collections.abc import Generator
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from .run_home import HOME

if TYPE_CHECKING:
    from .pytest_items import EvalFile, RunFixture

__all__ = ["finchmark_run"]

_PROPERTY = "finchmark "


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option group and the setting."""
    group = parser.getgroup("finchmark", "evaluations of models (finchmark)")
    group.addoption(
        "--finchmark-backend", metavar="NAME:MODEL", help="Play this backend, whatever files and tests say."
    )
    group.addoption("--finchmark-samples", metavar="N", type=int, help="So many samples an item, likewise.")
    group.addoption("--finchmark-fresh", action="store_true", help="Play again what an earlier session has played.")
    parser.addini("finchmark_files", "patterns of evaluation files; empty: none", type="args", default=["eval_*.yaml"])


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker and the table."""
    config.addinivalue_line(
        "markers",
        "finchmark(tasks, backend=…, samples=…, …): what the fixture finchmark_run plays unless it is told otherwise; "
        "the arguments of finchmark.run",
    )
    config.pluginmanager.register(_Table(), "finchmark-table")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> EvalFile | None:
    """Collect evaluation files."""
    patterns = parent.config.getini("finchmark_files")
    if file_path.suffix not in (".yaml", ".yml") or not any(fnmatch(file_path.name, p) for p in patterns):
        return None
    from .pytest_items import EvalFile

    return EvalFile.from_parent(parent, path=file_path)


# The older kind of wrapper: this is loaded in projects whose pytest we do not choose.
@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None]:
    """Give the runs of a test a home for as long as it lasts."""
    from .pytest_home import ItemHome

    token = HOME.set(ItemHome(item))
    try:
        yield
    finally:
        HOME.reset(token)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Throw away runs that had no cache to be kept in."""
    from .pytest_home import forget

    forget(config)


@pytest.fixture
def finchmark_run(request: pytest.FixtureRequest) -> RunFixture:
    """Play a run: ``finchmark_run("odyssey/lights", backend="hf:smollm2", samples=8)``.

    Takes the arguments of :func:`finchmark.run`; what is not given comes from the marker ``finchmark``.
    ``--finchmark-backend`` and ``--finchmark-samples`` win over both. Gives a :class:`finchmark.CheckedRun`.
    """
    from .pytest_items import RunFixture

    return RunFixture(request.node)


class _Table:
    """Gathers what reports say (also those of xdist's workers), and prints it once at the end."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], dict[str, Any]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take a report's properties."""
        if report.when != "teardown":
            return
        for name, value in report.user_properties:
            if isinstance(name, str) and name.startswith(_PROPERTY):
                self._rows[report.nodeid, name] = json.loads(str(value))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the table, if anything was evaluated."""
        if not self._rows:
            return
        from .pytest_home import table_lines

        terminalreporter.section("finchmark")
        for line in table_lines([(node, row) for (node, _), row in self._rows.items()]):
            terminalreporter.write_line(line)
