"""What travels to a worker and back is enough: a run that is played through tickets ends with the same bytes."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from finchmark.suite import evaluation
from finchmark.suite.evaluation import evaluate
from finchmark.suite.executors.local import LocalExecutor
from finchmark.suite.executors.ticket import TicketReader, write_ticket

PLUGIN = Path(__file__).with_name("cluster_plugin.py")


class ThroughTickets(LocalExecutor):
    """Plays here what it reads from a ticket."""

    def __init__(self, player, backend, plans):
        super().__init__(player, backend, plans)
        self._reader = TicketReader(player.spec, plans)

    async def play(self, unit, attempt):
        told = pickle.loads(pickle.dumps(write_ticket(1, unit, attempt)))
        return pickle.loads(pickle.dumps(await super().play(self._reader.unit(told), told.attempt)))


@pytest.mark.parametrize(
    "options",
    [
        {"tasks": "cluster/steps", "limit": 5, "samples": 2},
        {"tasks": "cluster/sums", "agent": "cluster-diary", "streams": 3},
    ],
    ids=["samples", "streams"],
)
def test_a_run_through_tickets_ends_with_the_same_bytes(tmp_path, monkeypatch, options):
    tasks = options.pop("tasks")
    options = {"include": [PLUGIN], **options}
    plain = evaluate(tasks, "cluster-echo:m", out=tmp_path / "plain", **options)
    monkeypatch.setattr(evaluation, "LocalExecutor", ThroughTickets)
    through = evaluate(tasks, "cluster-echo:m", out=tmp_path / "through", **options)
    assert through.counts()["ok"] == through.manifest.expected
    for kind in ("csv", "jsonl"):
        for run in (plain, through):
            run.export(run.path / f"e.{kind}", kind)
        assert (plain.path / f"e.{kind}").read_bytes() == (through.path / f"e.{kind}").read_bytes()
    assert list(plain.updates()) == list(through.updates())
