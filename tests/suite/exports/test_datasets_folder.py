from __future__ import annotations

import datetime
import json
import os
import subprocess
import sys
from importlib.util import find_spec

import pyarrow.parquet as pq
import pytest
import yaml

from finchmark.suite.canonical import content_hash
from finchmark.suite.errors import UnknownName, UsageError
from finchmark.suite.exports.canary import CANARY
from finchmark.suite.exports.datasets_folder import items_to_datasets, to_datasets
from finchmark.suite.registry import TASKS
from finchmark.suite.task import EpisodeResult, Item, Task, Tier

DAY = datetime.date(2026, 11, 1)


class Quiz(Task):
    """A task whose items have proofs that must not leave."""

    name = "demo/quiz"
    version = 2
    summary = "Answer | with `care` <script>."
    tiers = {"smoke": Tier("smoke", items=2, max_turns=1, max_tokens=8)}  # noqa: RUF012 - a test

    def items(self, tier, seed):
        return [Item(f"q{i}-{seed}", {"x": 1 / (i + 3), "ü": [i]}, proof="the-secret-proof") for i in range(5)]

    async def episode(self, ctx):
        return EpisodeResult({"success": 1.0})


def files(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def front_matter(folder):
    _, front, _ = (folder / "README.md").read_text().split("---\n", 2)
    return yaml.safe_load(front)


def load(folder, cache, *tables):
    """Load tables in a process that has no network, as ``datasets`` does, and give their rows."""
    code = (
        "import json, sys, datasets\n"
        "datasets.disable_progress_bars()\n"
        "for t in sys.argv[2:] or [None]:\n"
        "    print(json.dumps(datasets.load_dataset(sys.argv[1], t, split='test').to_list()))\n"
    )
    offline = {"HF_DATASETS_OFFLINE": "1", "HF_HUB_OFFLINE": "1", "HF_HOME": str(cache)}
    command = [sys.executable, "-c", code, str(folder), *tables]
    done = subprocess.run(command, env={**os.environ, **offline}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]


@pytest.mark.slow
def test_datasets_loads_both_tables_offline(a_run, tmp_path):
    samples, turns = load(to_datasets(a_run, tmp_path / "d"), tmp_path / "cache", "samples", "turns")
    frame = a_run.frame()
    assert [s["item_hash"] for s in samples] == list(frame["item_hash"])
    assert [s["success"] for s in samples[:3]] == [0.0, 0.0, 0.0]
    assert samples[3]["success"] is None
    assert len(turns) == frame["turns"].sum()
    first = turns[0]
    assert (first["item"], first["sample"], first["turn"], first["instructions"]) == ("i0", 0, 0, "The rules.")
    assert (first["completions"], first["action"], first["cost"]) == (["<action>1</action>"], "1", 0.25)


@pytest.mark.slow
def test_datasets_loads_items_offline(tmp_path):
    (rows,) = load(items_to_datasets(Quiz(), "smoke", tmp_path / "d", published=DAY), tmp_path / "cache")
    assert [r["id"] for r in rows] == ["q0-0", "q1-0"]
    assert all(r["canary"] == CANARY for r in rows)


def test_the_same_run_gives_the_same_files(a_run, tmp_path):
    assert files(to_datasets(a_run, tmp_path / "a")) == files(to_datasets(a_run, tmp_path / "b"))


def test_every_table_is_a_configuration_and_samples_come_first(a_run, tmp_path):
    front = front_matter(to_datasets(a_run, tmp_path / "d", licence="cc-by-4.0"))
    assert [c["config_name"] for c in front["configs"]] == ["samples", "turns"]
    assert [c.get("default") for c in front["configs"]] == [True, None]
    assert all((tmp_path / "d" / c["data_files"][0]["path"]).is_file() for c in front["configs"])
    assert front["license"] == "cc-by-4.0"


def test_the_card_names_run_outcomes_and_canary(a_run, tmp_path):
    text = (to_datasets(a_run, tmp_path / "d") / "README.md").read_text()
    assert a_run.manifest.spec_hash in text
    assert CANARY in text
    assert "a <b>demo" not in text


def test_turns_of_private_items_stay_home(store, make_sample, tmp_path):
    folder = to_datasets(store(make_sample(), private=True), tmp_path / "d")
    assert [c["config_name"] for c in front_matter(folder)["configs"]] == ["samples"]
    assert not any(b"You see" in raw for raw in files(folder).values())
    assert not (folder / "data" / "turns.parquet").exists()


def test_a_run_longer_than_a_batch_keeps_all_turns_in_order(store, make_sample, tmp_path, monkeypatch):
    monkeypatch.setattr("finchmark.suite.exports.datasets_folder._BATCH", 2)
    run = store(*(make_sample(i, 0) for i in range(5)))
    table = pq.read_table(to_datasets(run, tmp_path / "d") / "data" / "turns.parquet")
    assert table.column("item").to_pylist() == [f"i{i}" for i in range(5) for _ in range(2)]


def test_a_run_without_turns_has_an_empty_table(store, tmp_path):
    table = pq.read_table(to_datasets(store(), tmp_path / "d") / "data" / "turns.parquet")
    assert table.num_rows == 0
    assert "completions" in table.column_names


def test_a_folder_that_holds_something_is_refused(a_run, tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "mine").write_text("x")
    with pytest.raises(UsageError, match="no empty folder"):
        to_datasets(a_run, tmp_path / "d")
    with pytest.raises(UsageError, match="no empty folder"):
        items_to_datasets(Quiz(), "smoke", tmp_path / "d")


def test_items_are_the_public_ones_and_no_more_than_the_tiers(tmp_path):
    table = pq.read_table(items_to_datasets(Quiz(), "smoke", tmp_path / "d") / "data" / "items.parquet")
    assert table.column("id").to_pylist() == ["q0-0", "q1-0"]


def test_an_items_data_is_exact_and_has_its_hash(tmp_path):
    table = pq.read_table(items_to_datasets(Quiz(), "smoke", tmp_path / "d") / "data" / "items.parquet")
    row = table.to_pylist()[0]
    data = json.loads(row["data"])
    assert data == {"x": 1 / 3, "ü": [0]}
    assert content_hash(data, digits=16) == row["item_hash"]


@pytest.mark.parametrize("name", ["odyssey/lights", "odyssey/repo", "odyssey/energy", "odyssey/trade"])
def test_no_proof_leaves(name, tmp_path):
    folder = items_to_datasets(name, "smoke", tmp_path / "d", published=DAY)
    task = TASKS.load(name)()
    rows = pq.read_table(folder / "data" / "items.parquet").to_pylist()
    items = task.items(task.tiers["smoke"], 0)
    assert [r["item_hash"] for r in rows] == [i.hash for i in items][: len(rows)]
    assert set(rows[0]) == {"id", "item_hash", "data", "levels", "canary"}
    proofs = [json.dumps(i.proof, sort_keys=True, default=str) for i in items if i.proof is not None]
    assert not any(p in r["data"] for p in proofs for r in rows)


def test_a_proof_is_in_no_file(tmp_path):
    folder = items_to_datasets(Quiz(), "smoke", tmp_path / "d", published=DAY)
    rows = pq.read_table(folder / "data" / "items.parquet").to_pylist()
    said = json.dumps(rows) + (folder / "README.md").read_text() + (folder / "croissant.json").read_text()
    assert "the-secret-proof" not in said


def test_the_same_items_give_the_same_files(tmp_path):
    made = [files(items_to_datasets(Quiz(), "smoke", tmp_path / n, published=DAY)) for n in "ab"]
    assert made[0] == made[1]


def test_the_card_of_items_states_version_licence_and_hash(tmp_path):
    folder = items_to_datasets(Quiz(), "smoke", tmp_path / "d", licence="CC-BY-4.0")
    text = (folder / "README.md").read_text()
    assert front_matter(folder)["license"] == "cc-by-4.0"
    items = Quiz().items(Quiz.tiers["smoke"], 0)[:2]
    assert content_hash([[i.id, i.hash] for i in items], digits=16) in text
    assert "version 2" in text
    assert CANARY in text


def test_text_of_a_task_stays_text_in_the_card(tmp_path):
    text = (items_to_datasets(Quiz(), "smoke", tmp_path / "d") / "README.md").read_text()
    assert "<script>" not in text
    assert r"Answer \| with \`care\` \<script\>." in text


def test_an_unknown_task_or_tier_is_told(tmp_path):
    with pytest.raises(UnknownName):
        items_to_datasets("odyssey/light", "smoke", tmp_path / "d")
    with pytest.raises(UsageError, match="no tier 'full'"):
        items_to_datasets(Quiz(), "full", tmp_path / "d")


def test_the_metadata_has_what_croissant_requires(tmp_path):
    folder = items_to_datasets(Quiz(), "smoke", tmp_path / "d", published=DAY, url="https://example.org/quiz")
    said = json.loads((folder / "croissant.json").read_text())
    # "Required" in section "Dataset-level Information" of the Croissant format, version 1.0.
    required = ("@context", "@type", "conformsTo", "description", "license", "name", "url", "creator", "datePublished")
    assert all(said.get(key) for key in required)
    assert said["conformsTo"] == "http://mlcommons.org/croissant/1.0"
    assert (said["version"], said["datePublished"]) == ("2.0.0", "2026-11-01")
    assert said["license"] == "https://spdx.org/licenses/Apache-2.0.html"


@pytest.mark.skipif(find_spec("mlcroissant") is None, reason="mlcroissant is not installed: pip install mlcroissant")
def test_mlcroissant_finds_no_fault_and_reads_the_items(tmp_path):
    import mlcroissant

    folder = items_to_datasets(Quiz(), "smoke", tmp_path / "d", published=DAY, url="https://example.org/quiz")
    dataset = mlcroissant.Dataset(jsonld=str(folder / "croissant.json"))
    assert not dataset.metadata.issues.errors
    assert not dataset.metadata.issues.warnings
    rows = list(dataset.records("items"))
    assert [r["items/id"] for r in rows] == [b"q0-0", b"q1-0"]
