"""The scripted model; test folders are no packages, so it is loaded from its file."""

import importlib.util
import sys
from pathlib import Path

import pytest

from finchmark.suite.sandbox import available


@pytest.fixture(scope="session")
def script():
    name = "creativebench_harder_script"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name("script.py"))
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


@pytest.fixture
def boundary():
    """Skips where no boundary can be had."""
    if not available()[0].usable:
        pytest.skip("bubblewrap cannot be had here")
