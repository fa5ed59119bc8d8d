"""Runs and public items as folders that ``datasets.load_dataset`` reads: Parquet files and a card."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..canonical import canonical_json, content_hash
from ..errors import StoreError, UsageError
from ..records import Manifest, Sample, Turn
from ..registry import TASKS
from ..store import StoredRun
from ..task import Item, Task, Tier
from .canary import CANARY
from .croissant import croissant
from .dataset_card import card, plain

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["items_to_datasets", "to_datasets"]

_BATCH = 500
_ITEM_COLUMNS = {
    "id": ("Text", "The item's name within its task."),
    "item_hash": ("Text", "Hash of the item's content: items of equal hash are the same."),
    "data": ("Text", "All that defines the item, as JSON."),
    "levels": ("Text", "By metric: what a random policy and an oracle reach on this item, where known, as JSON."),
    "canary": ("Text", "Marks evaluation data; not part of the item."),
}


def to_datasets(run: StoredRun, folder: Path, *, licence: str = "other") -> Path:
    """Write a run as a folder for Hugging Face ``datasets``, with the tables ``samples`` and ``turns``.

    The same results give the same files. Of a run on private items the turns are left out: their observations would
    give the items away.

    Args:
        run: The run.
        folder: A new folder.
        licence: The licence under which the results are shared, as Hugging Face names it.

    Returns:
        The folder. ``load_dataset(str(folder), "turns")`` reads it, without a network.

    Raises:
        UsageError: The folder is not empty.
        StoreError: It cannot be written.
    """
    import pyarrow as pa

    manifest = run.manifest
    frame = run.frame()
    tables = {"samples": "data/samples.parquet"}
    if manifest.spec.items.kind != "private":
        tables["turns"] = "data/turns.parquet"
    _make(folder)
    try:
        samples = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
        _write(folder / tables["samples"], samples)
        if "turns" in tables:
            _write_turns(run, folder / tables["turns"])
        text = card(
            f"{manifest.label}: a run of Finchmark",
            _about_run(manifest, len(frame)),
            licence=licence,
            tables=tables,
            rows=len(frame),
            tags=["evaluation", "agents"],
        )
        (folder / "README.md").write_text(text, encoding="utf-8")
    except OSError as error:
        raise StoreError(f"{folder}: cannot be written ({error.strerror or error}).") from error
    return folder


def items_to_datasets(
    task: Task | str,
    tier: str,
    folder: Path,
    *,
    licence: str = "Apache-2.0",
    published: datetime.date | None = None,
    url: str = "",
) -> Path:
    """Write a task's public items as a folder for Hugging Face ``datasets``, with Croissant metadata.

    Only what everybody gets who runs the task: the items of seed 0, without proofs. Regenerated and private items
    cannot be had here. Every row carries the canary.

    Args:
        task: The task, or its name.
        tier: Which tier's items.
        folder: A new folder.
        licence: SPDX name of the licence of the items.
        published: The day to write into the metadata, today if None; all else follows from the items.
        url: Where the folder will be found; Croissant asks for it.

    Returns:
        The folder.

    Raises:
        UnknownName: There is no such task.
        UsageError: The task has no such tier or no items of its own, or the folder is not empty.
        StoreError: It cannot be written.
    """
    import pyarrow as pa

    played = TASKS.load(task)() if isinstance(task, str) else task
    if tier not in played.tiers:
        raise UsageError(f"The task {played.name} has no tier {tier!r}; it has {', '.join(map(repr, played.tiers))}.")
    chosen = played.tiers[tier]
    items = tuple(played.items(chosen, 0))[: chosen.items]
    if not items:
        raise UsageError(f"The task {played.name} has no items of its own in tier {tier!r}.")
    tables = {"items": "data/items.parquet"}
    _make(folder)
    try:
        rows = [_item_row(item) for item in items]
        _write(folder / tables["items"], pa.table({name: [row[name] for row in rows] for name in _ITEM_COLUMNS}))
        text = card(
            f"{played.name}@{played.version}, tier {tier}",
            _about_items(played, chosen, items, licence),
            licence=licence.lower(),
            tables=tables,
            rows=len(items),
            tags=["evaluation", "benchmark"],
        )
        (folder / "README.md").write_text(text, encoding="utf-8")
        metadata = croissant(
            folder,
            name=f"{played.name.replace('/', '-')}-{tier}",
            description=f"{played.summary} The public items of the tier {tier}. {CANARY}",
            version=f"{played.version}.0.0",
            licence=licence,
            published=(published or datetime.datetime.now(datetime.UTC).date()).isoformat(),
            tables={"items": (tables["items"], _ITEM_COLUMNS)},
            keywords=["evaluation", "benchmark", "language models", "agents"],
            identifier=_items_hash(items),
            citeAs=f"The Finchmark developers: Finchmark, task {played.name}, version {played.version}.",
            **({"url": url} if url else {}),
        )
        (folder / "croissant.json").write_text(json.dumps(metadata, indent=1, ensure_ascii=False) + "\n", "utf-8")
    except OSError as error:
        raise StoreError(f"{folder}: cannot be written ({error.strerror or error}).") from error
    return folder


def _make(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder}: this is no empty folder. Give --out a new one.")
    try:
        (folder / "data").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{folder}: the folder cannot be made ({error.strerror or error}).") from error


def _write(file: Path, table: pa.Table) -> None:
    import pyarrow.parquet as pq

    pq.write_table(table, file, compression="zstd")


def _turn_schema() -> pa.Schema:
    import pyarrow as pa

    text, whole = pa.string(), pa.int64()
    return pa.schema(
        [
            *((name, text) for name in ("task", "arm", "item", "item_hash")),
            ("sample", whole),
            ("stream", text),
            *((name, whole) for name in ("position", "checkpoint")),
            ("agent", text),
            ("turn", whole),
            *((name, text) for name in ("seat", "instructions", "observation")),
            *((name, pa.list_(text)) for name in ("completions", "reasonings", "finish_reasons", "prompt_hashes")),
            ("seeds", pa.list_(whole)),
            ("action", text),
            ("usable", pa.bool_()),
            ("after", text),
            *((name, whole) for name in ("prompt_tokens", "completion_tokens")),
            ("cost", pa.float64()),
            ("scores", text),
        ]
    )


def _write_turns(run: StoredRun, file: Path) -> None:
    """Write the turns in batches: a long run's do not fit into memory."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = _turn_schema()
    texts: dict[str, str] = {"": ""}
    samples = run.samples()
    with pq.ParquetWriter(file, schema, compression="zstd") as out:
        while batch := list(islice(samples, _BATCH)):
            rows = [row for sample in batch for row in _turn_rows(run, sample, texts)]
            out.write_table(pa.Table.from_pylist(rows, schema=schema))


def _turn_rows(run: StoredRun, sample: Sample, texts: dict[str, str]) -> Iterator[dict[str, Any]]:
    key = sample.key._asdict()
    for turn in sample.turns:
        if turn.instructions not in texts:
            texts[turn.instructions] = run.text(turn.instructions)
        yield {**key, "item_hash": sample.item_hash, **_turn(turn), "instructions": texts[turn.instructions]}


def _turn(turn: Turn) -> Mapping[str, Any]:
    return {
        "turn": turn.index,
        "seat": turn.seat,
        "observation": turn.observation,
        "completions": [call.completion for call in turn.calls],
        "reasonings": [call.reasoning for call in turn.calls],
        "finish_reasons": [call.finish_reason for call in turn.calls],
        "prompt_hashes": [call.prompt_hash for call in turn.calls],
        "seeds": [call.seed for call in turn.calls],
        "action": turn.action,
        "usable": turn.usable,
        "after": turn.after,
        "prompt_tokens": sum(call.usage.prompt_tokens for call in turn.calls),
        "completion_tokens": sum(call.usage.completion_tokens for call in turn.calls),
        "cost": sum(call.usage.cost + call.usage.spared for call in turn.calls),
        "scores": json.dumps(turn.scores, sort_keys=True),
    }


def _about_run(manifest: Manifest, rows: int) -> dict[str, str]:
    spec = manifest.spec
    items = {
        "public": "the public items, which everybody gets",
        "regenerated": f"items regenerated from the seed {spec.items.seed}",
        "private": f"private items (commitment `{spec.items.commitment}`); turns are left out, they would show them",
        "data": "items from files; their own licence holds for what the turns show of them",
    }[spec.items.kind]
    outcomes = ", ".join(f"{count} {name}" for name, count in manifest.counts.items()) or "not counted"
    metrics = [
        f"| {plain(sheet.name)}@{sheet.version} | {plain(m.name)}{' (decides)' if m.primary else ''} | "
        f"{m.direction} | {plain(m.summary)} |"
        for sheet in manifest.tasks.values()
        for m in sheet.metrics
    ]
    return {
        "What this is": (
            f"{rows:,} samples of {plain(manifest.label)}, made with Finchmark {plain(manifest.finchmark)}: tier "
            f"{plain(spec.tier)}, {spec.samples} samples an item and arm, {items}.\n\n"
            f"- specification `{manifest.spec_hash}`, {'complete' if manifest.complete else 'not complete'}\n"
            f"- backend {plain(str(spec.backend))}, temperature {spec.sampling.temperature:g}, "
            f"top-p {spec.sampling.top_p:g}\n"
            f"- outcomes: {outcomes}; `error` is never scored, `invalid` and `refused` are the model's own failures"
        ),
        "Tables": (
            "`samples`: one row a stochastic repeat of an item in an arm. `turns`: one row a turn, with what was seen, "
            "what the model wrote and what it did. Both are named by task, arm, item, sample, stream, position, "
            "checkpoint and agent.\n\n"
            "    from datasets import load_dataset\n"
            '    samples = load_dataset("FOLDER", "samples", split="test")\n'
        ),
        "Metrics": "| task | metric | better | meaning |\n| --- | --- | --- | --- |\n" + "\n".join(metrics),
    }


def _item_row(item: Item) -> dict[str, str]:
    return {
        "id": item.id,
        "item_hash": item.hash,
        # In full: the canonical form, which the hash is over, rounds numbers.
        "data": json.dumps(dict(item.data), sort_keys=True, ensure_ascii=False, allow_nan=False),
        "levels": canonical_json({name: level.model_dump(mode="json") for name, level in item.levels.items()}),
        "canary": CANARY,
    }


def _items_hash(items: tuple[Item, ...]) -> str:
    """The hash by which a run's specification names its items."""
    return content_hash([[item.id, item.hash] for item in items], digits=16)


def _about_items(task: Task, tier: Tier, items: tuple[Item, ...], licence: str) -> dict[str, str]:
    metrics = [
        f"| {plain(m.name)}{' (decides)' if m.primary else ''} | {m.direction} | {plain(m.summary)} |"
        for m in task.metrics
    ]
    return {
        "What this is": (
            f"{plain(task.summary)}\n\n"
            f"The public items of the task `{task.name}`, version {task.version}, tier {tier.name} ({len(items):,}), "
            "as everybody gets them who runs it. Versions are never compared with one another. Proofs and solutions "
            "are left out; what a world hides from its agents is not, for it defines the item, so no agent that is "
            "measured may see this folder. Regenerated and private items of the same kind show who knows these by "
            "heart.\n\n"
            f"- items `{_items_hash(items)}`, licence {plain(licence)}\n"
            f"- at most {tier.max_turns} turns of {tier.max_tokens} tokens\n"
            f"- arms: {', '.join(f'{plain(a.name)} ({plain(a.summary)})' for a in task.arms)}"
        ),
        "Columns": "\n".join(f"- `{name}`: {said}" for name, (_, said) in _ITEM_COLUMNS.items()),
        "How to use it": (
            f"To measure an agent, `finchmark run {task.name} --tier {tier.name}` plays the items and scores them. To "
            "read them:\n\n    from datasets import load_dataset\n"
            '    items = load_dataset("FOLDER", split="test")\n'
        ),
        "Metrics": "| metric | better | meaning |\n| --- | --- | --- |\n" + "\n".join(metrics),
    }
