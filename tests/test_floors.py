"""Where things may be imported from."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import finchmark

ROOT = Path(__file__).parents[1]
FOLDERS = ("suite", "tasks", "environments", "leaderboard", "reports")
SOURCES = sorted(p for folder in (*FOLDERS, "tests", "docs", "examples") for p in (ROOT / folder).rglob("*.py"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_nothing_imports_a_folder_by_its_bare_name(path):
    """``import suite`` works by accident where the checkout is on the path, and nowhere else."""
    bare = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            bare += [a.name for a in node.names if a.name.partition(".")[0] in FOLDERS]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            bare += [node.module] if node.module.partition(".")[0] in FOLDERS else []
    assert bare == []


def test_imports_go_down_the_floors_only():
    pytest.importorskip("importlinter", reason="import-linter is in the extra dev")
    if not (Path(finchmark.__file__).parent / "suite").is_dir():
        pytest.skip("import-linter reads an installed wheel, not an editable install; tox runs it")
    command = [
        sys.executable,
        "-c",
        "import sys; from importlinter.cli import lint_imports_command; lint_imports_command()",
    ]
    done = subprocess.run(
        [*command, "--config", str(ROOT / "pyproject.toml"), "--no-cache"], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("module", ["finchmark", "finchmark.suite.cli", "finchmark.suite.registry"])
def test_light_modules_stay_light(module):
    heavy = ("numpy", "pandas", "scipy", "torch", "gymnasium", "matplotlib", "pydantic", "rich", "jinja2")
    code = f"import sys, {module}; print([m for m in {heavy!r} if m in sys.modules])"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )
