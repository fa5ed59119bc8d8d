"""A package runs as a task: it is registered, played by references, and scored against its own scale."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from finchmark.suite.conformance import check_task
from finchmark.suite.errors import StoreError
from finchmark.suite.evaluation import evaluate
from finchmark.suite.registry import TASKS
from finchmark.suite.worldsmith.draft import read_draft
from finchmark.suite.worldsmith.package import check_package, find_packages, load_package, write_package
from finchmark.suite.worldsmith.proof import prove
from finchmark.suite.worldsmith.task import include_packages

LIGHTHOUSE = (Path(__file__).parent / "transcript" / "lighthouse.yaml").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("packages")
    draft = read_draft(LIGHTHOUSE)
    *_, last = prove(draft.text)
    write_package(out, text=draft.text, core=draft.core, theme="a lighthouse", worlds=last.worlds, provenance={})
    return out


@pytest.fixture
def name(home):
    (name,) = include_packages(home)
    yield name
    TASKS.forget("generated/*")


def test_a_package_is_registered_under_a_name_of_its_own(name):
    assert name.startswith("generated/lighthouse-0-")
    assert TASKS.load(name).name == name


def test_including_twice_is_fine(home, name):
    assert include_packages(home) == [name]


def test_the_oracle_reaches_the_ceiling_and_the_random_player_does_not(name, tmp_path):
    scores = {}
    for policy in ("random", "oracle"):
        done = evaluate([name], backend=f"scripted:{policy}", tier="lite", samples=2, out=tmp_path / policy)
        frame = done.frame()
        assert (frame["outcome"] == "ok").all()
        scores[policy] = frame["score"].mean()
    assert scores["oracle"] == pytest.approx(1.0)
    assert scores["random"] < 0.5


def test_items_know_their_own_chance_and_ceiling(name):
    task = TASKS.load(name)()
    items = task.items(task.tiers["full"], 0)
    assert len(items) == 10
    assert all(item.levels["score"].ceiling == pytest.approx(1.0) for item in items)
    assert len({item.levels["score"].chance for item in items}) > 1


@pytest.mark.slow
def test_it_conforms(name):
    check_task(TASKS.load(name), samples=1)


def test_a_folder_without_packages_is_refused(tmp_path):
    with pytest.raises(StoreError, match="holds no packages"):
        include_packages(tmp_path)


def test_a_folder_of_packages_is_included_on_the_command_line(home, tmp_path):
    from typer.testing import CliRunner

    from finchmark.suite.cli import app

    arguments = ["run", "generated/*", "--include", str(home), "--backend", "scripted:random", "--tier", "smoke"]
    try:
        told = CliRunner().invoke(app, [*arguments, "--samples", "1", "--out", str(tmp_path / "run")])
    finally:
        TASKS.forget("generated/*")
    assert told.exit_code == 0, told.output
    assert "generated/lighthouse-0-" in told.output


def test_a_certificate_that_says_otherwise_does_not_hold(home, tmp_path):
    (package,) = find_packages(home)
    assert check_package(package) == []
    path = tmp_path / "changed"
    shutil.copytree(package.path, path)
    (certificate,) = (path / "certificates").glob("*.json")
    told = json.loads(certificate.read_text())
    told["levels"][0]["plan_return"] += 1
    told["scale"]["random"] += 1
    certificate.write_text(json.dumps(told))
    plan, scale = check_package(load_package(path))
    assert "the best play earns" in plan
    assert "its scale is not the certified one" in scale
    assert "finchmark worlds generate" in plan
