"""A stored run, made by hand: what the leaderboard reads of one, and nothing else; and pages taken apart."""

from __future__ import annotations

from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from finchmark.leaderboard import build
from finchmark.suite.records import (
    AgentChoice,
    BackendChoice,
    ItemsChoice,
    Level,
    Manifest,
    Metric,
    RunSpec,
    Sampling,
    TaskChoice,
    TaskSheet,
)

SOLVED = Metric(
    name="solved",
    summary="share solved",
    kind="binary",
    failure=0.0,
    ceiling=1.0,
    primary=True,
    clusters=("sample", "item"),
)
REWARD = Metric(name="reward", summary="mean reward", failure=0.0)


@dataclass
class FakeRun:
    """Has the three things that are read: a folder's name, a manifest, a frame."""

    path: Path
    manifest: Manifest
    table: pd.DataFrame

    def frame(self) -> pd.DataFrame:
        return self.table.copy()


def make_run(
    results: dict[str, list[Any]] | dict[str, dict[str, list[Any]]],
    *,
    label: str = "model",
    folder: str = "run",
    task: str = "family/task",
    version: int = 1,
    tier: str = "lite",
    items: int | None = None,
    samples: int | None = None,
    items_hash: str = "items0",
    temperature: float = 0.7,
    seed: int = 0,
    backend: BackendChoice | None = None,
    metrics: tuple[Metric, ...] = (SOLVED,),
    levels: dict[str, dict[str, Level]] | None = None,
    summary: str = "A task.",
    item_source: ItemsChoice | None = None,
    agent: str = "history",
    **manifest: Any,
) -> FakeRun:
    """Make a run from what its samples scored.

    Args:
        results: Item to its samples, or arm to that. A sample is a number (the first metric), a dict of metrics, or
            an outcome other than ``ok`` as text, with a reason after a colon (``"invalid:cut off"``).
    """
    arms = results if all(isinstance(v, dict) for v in results.values()) and results else {"default": results}
    rows = []
    for arm, by_item in arms.items():
        for item, values in by_item.items():  # type: ignore[union-attr]  # narrowed above, which mypy-likes cannot see
            for index, value in enumerate(values):
                outcome, _, reason = value.partition(":") if isinstance(value, str) else ("ok", "", "")
                if isinstance(value, dict):
                    scores = value
                elif outcome == "ok":
                    scores = {metrics[0].name: value}
                else:
                    scores = {m.name: None if outcome == "error" else m.failure for m in metrics}
                rows.append(
                    {"model": label, "backend": "b", "task": task, "version": version, "tier": tier, "arm": arm}
                    | {"item": item, "item_hash": f"h{item}", "sample": index, "stream": "", "position": 0}
                    | {"checkpoint": 0, "agent": "", "outcome": outcome, "reason": reason, "turns": 1, "calls": 1}
                    | {"prompt_tokens": 1, "completion_tokens": 1, "reasoning_tokens": 0, "cost": 0.25}
                    | {"transcript": f"{item}{index}{value}"}
                    | {m.name: scores.get(m.name) for m in metrics}
                )
    table = pd.DataFrame(rows)
    if len(table):
        table = table.astype({m.name: float for m in metrics})
    counted = [len(by_item) for by_item in arms.values()]
    most = max((len(v) for by_item in arms.values() for v in by_item.values()), default=1)  # type: ignore[union-attr]  # as above
    spec = RunSpec(
        tasks=(
            TaskChoice(
                name=task, version=version, arms=tuple(arms), items=items or max(counted), items_hash=items_hash
            ),
        ),
        tier=tier,
        samples=samples or most,
        seed=seed,
        backend=backend or BackendChoice(name="hf", model=label),
        sampling=Sampling(temperature=temperature),
        items=item_source or ItemsChoice(),
        agent=AgentChoice(name=agent),
        model_identity="1d3n71ty",
    )
    sheet = TaskSheet(
        name=task,
        version=version,
        summary=summary,
        metrics=metrics,
        arms={arm: f"the arm {arm}" for arm in arms},
        levels=levels or {},
    )
    return FakeRun(
        Path("/runs") / folder,
        Manifest(
            **{
                "finchmark": "0.1.0",
                "label": label,
                "created": "2026-01-02T03:04:05+00:00",
                "updated": "2026-01-02T04:04:05+00:00",
                "complete": True,
                "spec": spec,
                "spec_hash": spec.hash,
                "tasks": {task: sheet},
                **manifest,
            }
        ),
        table,
    )


@pytest.fixture(name="make_run")
def _make_run():
    return make_run


def join(*runs: FakeRun) -> FakeRun:
    """One run of several tasks, from runs of one task each; the first gives all else."""
    first = runs[0]
    tasks = tuple(choice for run in runs for choice in run.manifest.spec.tasks)
    spec = first.manifest.spec.model_copy(update={"tasks": tasks})
    sheets = {name: sheet for run in runs for name, sheet in run.manifest.tasks.items()}
    manifest = first.manifest.model_copy(update={"spec": spec, "spec_hash": spec.hash, "tasks": sheets})
    return FakeRun(first.path, manifest, pd.concat([run.table for run in runs], ignore_index=True))


@pytest.fixture(name="join")
def _join():
    return join


class Elements(HTMLParser):
    """Collects start tags with their attributes, and the text of a page."""

    def __init__(self, html: str):
        super().__init__(convert_charrefs=True)
        self.html, self.tags, self.text, self._skip = html, [], "", 0
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.text += " "
        self._skip += tag in ("style", "script")

    def handle_endtag(self, tag):
        self._skip -= tag in ("style", "script")

    def handle_data(self, data):
        if not self._skip:
            self.text += data

    @property
    def words(self) -> str:
        return " ".join(self.text.split())

    @property
    def links(self) -> set[str]:
        return {a["href"] for _, a in self.tags if "href" in a}


class Site:
    """The pages of a site, taken apart on demand."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.names = sorted(f.name for f in folder.iterdir() if f.suffix == ".html")

    def read(self, name: str) -> Elements:
        return Elements((self.folder / name).read_text(encoding="utf-8"))

    def one(self, kind: str) -> Elements:
        """The only page of its kind, or the overview."""
        (name,) = [n for n in self.names if n.startswith(kind)]
        return self.read(name)

    def about(self, heading: str) -> Elements:
        """The page with that heading."""
        found = [
            page
            for n in self.names
            if f"<h1>{heading}</h1>" in (page := self.read(n)).html.replace("<bdi>", "").replace("</bdi>", "")
        ]
        assert len(found) == 1, (heading, self.names)
        return found[0]


@pytest.fixture(name="site")
def _site(tmp_path):
    def site(*runs, **options) -> Site:
        return Site(build(runs, tmp_path / "site", **options).parent)

    return site


@pytest.fixture(name="page")
def _page(site):
    """The overview of some runs."""
    return lambda *runs, **options: site(*runs, **options).read("index.html")
