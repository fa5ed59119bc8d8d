"""``--sandbox-python``: recorded in the specification without its place, held to when code is run again."""

import subprocess
import sys

import pytest

from finchmark.suite.errors import UsageError
from finchmark.suite.evaluation import check_sandbox, evaluate, prepare
from finchmark.suite.rescore import rescore
from finchmark.suite.results import from_run
from finchmark.suite.sandbox.interpreter import inventory

TASK = """
from finchmark.suite.sandbox.shared import shared_sandbox
from finchmark.suite.task import EpisodeResult, Item, Task

class Where(Task):
    "Whether code runs on an interpreter without packages."
    name = "demo/where"

    def items(self, tier, seed):
        return [Item("one", {"prompt": "?"})]

    async def episode(self, ctx):
        await ctx.ask("?")
        ran = await (await shared_sandbox()).run("import numpy")
        return EpisodeResult({"success": float(ran.error == "ModuleNotFoundError")})
"""


@pytest.fixture
def task(tmp_path, monkeypatch):
    monkeypatch.setenv("FINCHMARK_SANDBOX", "process")
    path = tmp_path / "where.py"
    path.write_text(TASK)
    return path


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """A virtual environment without any package."""
    folder = tmp_path_factory.mktemp("bare") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    return folder


def test_a_run_that_chooses_none_keeps_the_hash_that_it_always_had():
    spec = prepare("odyssey/lights", "scripted:random").spec
    assert "sandbox" not in spec.model_dump(mode="json")
    assert spec.sandbox is None


def test_what_is_recorded_is_what_decides_numbers_and_not_where_it_lies(bare):
    folder, executable = (
        prepare("odyssey/lights", "scripted:random", sandbox_python=python)
        for python in (bare, bare / "bin" / "python")
    )
    assert folder.spec.hash == executable.spec.hash != prepare("odyssey/lights", "scripted:random").spec.hash
    assert folder.spec.sandbox is not None
    assert folder.spec.sandbox.packages == {}
    assert folder.spec.sandbox.python == inventory(None).python
    assert str(bare) not in folder.spec.model_dump_json()


def test_what_is_no_interpreter_is_refused_before_anything_is_spent(tmp_path):
    with pytest.raises(UsageError, match=r"--sandbox-python: .*no Python interpreter"):
        prepare("odyssey/lights", "scripted:random", sandbox_python=tmp_path)


def test_the_code_of_a_run_runs_on_it_and_is_scored_again_on_such_a_one_only(task, bare, tmp_path):
    def played(name, **options):
        return evaluate("demo/where", "scripted:nonsense", include=[task], samples=1, out=tmp_path / name, **options)

    own, other = played("own"), played("other", sandbox_python=bare)
    assert [next(iter(run.samples())).metrics["success"] for run in (own, other)] == [0.0, 1.0]
    with pytest.raises(UsageError, match="with no other packages: name such an interpreter by --sandbox-python"):
        rescore(other.path, include=[task])
    assert [len(from_run(run).notes) for run in (own, other)] == [0, 1]
    assert "with 0 packages; on other packages" in from_run(other).notes[0]
    again = rescore(other.path, include=[task], sandbox_python=bare)
    assert again.changed == []
    with pytest.raises(UsageError, match="leave out --sandbox-python"):
        rescore(own.path, include=[task], sandbox_python=bare)


def test_what_another_interpreter_lacks_is_named(bare):
    with_packages = prepare("odyssey/lights", "scripted:random", sandbox_python=sys.executable).spec
    without = prepare("odyssey/lights", "scripted:random", sandbox_python=bare).spec
    with pytest.raises(UsageError, match=r"numpy|aiohttp"):
        check_sandbox(bare, with_packages, without)
    check_sandbox(bare, without, without)
