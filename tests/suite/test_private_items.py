from __future__ import annotations

import json

import pytest

from finchmark.suite.errors import UsageError
from finchmark.suite.evaluation import evaluate, prepare
from finchmark.suite.private_items import commitment, private_seed, read_secret
from finchmark.suite.rescore import rescore


@pytest.fixture
def secret(tmp_path):
    file = tmp_path / "secret"
    file.write_text("correct horse battery staple\n")
    return file


def hashes(prepared):
    return {item.hash for plan in prepared.plans for item in plan.items}


def test_private_items_are_others_than_public_and_regenerated_ones(secret):
    options = {"tier": "gate", "limit": 30}
    private = hashes(prepare("odyssey/lights", "scripted:random", items_secret=secret, **options))
    public = hashes(prepare("odyssey/lights", "scripted:random", **options))
    regenerated = hashes(prepare("odyssey/lights", "scripted:random", items_seed=1, **options))
    assert not private & public
    assert not private & regenerated
    assert private == hashes(prepare("odyssey/lights", "scripted:random", items_secret=secret, **options))


def test_another_secret_task_or_version_gives_other_items():
    seeds = {
        private_seed(b"a" * 16, "t", 1),
        private_seed(b"b" * 16, "t", 1),
        private_seed(b"a" * 16, "u", 1),
        private_seed(b"a" * 16, "t", 2),
    }
    assert len(seeds) == 4


def test_a_run_tells_the_commitment_and_neither_secret_nor_seed(secret, tmp_path):
    run = evaluate("odyssey/lights", "scripted:oracle", samples=1, items_secret=secret, out=tmp_path / "r")
    text = (tmp_path / "r" / "manifest.json").read_text()
    assert json.loads(text)["spec"]["items"]["commitment"] == commitment(read_secret(secret))
    assert "horse" not in text
    stored = text + "".join(p.read_bytes().decode("latin1") for p in (tmp_path / "r").iterdir())
    assert str(private_seed(read_secret(secret), "odyssey/lights", 1)) not in stored
    assert run.manifest.complete


def test_the_commitment_does_not_depend_on_the_line_end(tmp_path, secret):
    (tmp_path / "bare").write_text(secret.read_text().strip())
    assert commitment(read_secret(secret)) == commitment(read_secret(tmp_path / "bare"))


@pytest.mark.parametrize("text", ["", "short", "   \n"])
def test_a_secret_that_can_be_guessed_is_refused(tmp_path, text):
    (tmp_path / "s").write_text(text)
    with pytest.raises(UsageError, match="can be guessed"):
        read_secret(tmp_path / "s")


def test_a_missing_secret_is_named(tmp_path):
    with pytest.raises(UsageError, match="cannot be read"):
        prepare("odyssey/lights", "scripted:random", items_secret=tmp_path / "none")


def test_a_seed_and_a_secret_exclude_each_other(secret):
    with pytest.raises(UsageError, match="exclude each other"):
        prepare("odyssey/lights", "scripted:random", items_secret=secret, items_seed=1)


def test_a_private_run_is_rescored_with_its_secret_only(secret, tmp_path):
    evaluate("odyssey/lights", "scripted:oracle", samples=1, items_secret=secret, out=tmp_path / "r")
    with pytest.raises(UsageError, match="cannot be scored again"):
        rescore(tmp_path / "r", tmp_path / "a")
    assert rescore(tmp_path / "r", tmp_path / "b", items_secret=secret).changed == []
