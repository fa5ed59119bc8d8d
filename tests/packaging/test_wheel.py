from __future__ import annotations

import subprocess
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
FOLDERS = PROJECT["tool"]["setuptools"]["package-dir"]
SHIPPED = (".py", ".typed", ".html", ".css", ".js", ".json", ".yaml")


@pytest.fixture(scope="module")
def in_wheel(request) -> set[str]:
    folder = request.config.getoption("--wheel-dir")
    if folder is None:
        pytest.skip("no wheel was built; `tox -e wheel` builds one and runs this")
    (wheel,) = Path(folder).glob("*.whl")
    return {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}


def in_git() -> set[str]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    found = set()
    for package, folder in FOLDERS.items():
        others = [f for p, f in FOLDERS.items() if p != package and f.startswith(folder + "/")]
        for name in listed:
            if not name.startswith(folder + "/") or any(name.startswith(o + "/") for o in others):
                continue
            if name.endswith(SHIPPED):
                found.add(package.replace(".", "/") + name[len(folder) :])
    return found


def test_the_wheel_holds_exactly_what_git_holds(in_wheel):
    assert in_wheel == in_git()


def test_every_folder_of_modules_is_a_listed_package():
    listed = set(PROJECT["tool"]["setuptools"]["packages"])
    names = {name.rsplit("/", 1)[0].replace("/", ".") for name in in_git() if name.endswith(".py")}
    assert names == listed


def test_every_package_is_marked_as_typed():
    packages = {name.rsplit("/", 1)[0] for name in in_git() if name.endswith(".py")}
    assert {name.rsplit("/", 1)[0] for name in in_git() if name.endswith("py.typed")} == packages
