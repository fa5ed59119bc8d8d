from __future__ import annotations

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
