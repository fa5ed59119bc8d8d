"""Societies of known conduct in the forum."""

from __future__ import annotations

import pytest

import finchmark
from finchmark.suite.backends.scripted import ScriptedBackend
from finchmark.suite.conformance import check_task
from finchmark.suite.records import Outcome
from finchmark.tasks.society.forum import Forum, env_of
from finchmark.tasks.society.world import SIZES, World

TASK = Forum()


def played(name, folder, arms=None, *, tier="lite", **options):
    return finchmark.evaluate(
        "society/forum", f"scripted:{name}", tier=tier, samples=1, arms=arms, out=folder / name, **options
    )


def means(run):
    return run.frame().groupby("arm").mean(numeric_only=True)


@pytest.mark.slow
def test_the_task_conforms():
    check_task(Forum, samples=1)
