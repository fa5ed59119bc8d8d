"""The sandbox that all parts of a run share."""

import asyncio

import pytest

from finchmark.suite.errors import UsageError
from finchmark.suite.sandbox import SandboxUnavailable, Tier
from finchmark.suite.sandbox import shared as module
from finchmark.suite.sandbox.shared import VARIABLE, need_sandbox, shared_sandbox

BOTH = (Tier("bubblewrap", False, "not installed: install bubblewrap"), Tier("process", True, "limits only"))


async def twice():
    one, two = await asyncio.gather(shared_sandbox(), shared_sandbox())
    assert one is two
    return (await one.run("def f():\n    return 3\n", call="f")).value


def test_all_of_a_loop_get_the_same_one_and_the_next_loop_another(monkeypatch):
    monkeypatch.setenv(VARIABLE, "process")
    assert asyncio.run(twice()) == 3
    assert asyncio.run(twice()) == 3


def test_an_unknown_tier_is_refused_with_those_that_there_are(monkeypatch):
    monkeypatch.setenv(VARIABLE, "docker")
    with pytest.raises(UsageError, match=r"FINCHMARK_SANDBOX=docker.*bubblewrap"):
        asyncio.run(shared_sandbox())
    with pytest.raises(UsageError, match="docker"):
        need_sandbox("a test")


def test_whoever_needs_one_is_told_before_anything_is_spent_and_how_to_get_one(monkeypatch):
    monkeypatch.setattr(module, "available", lambda: BOTH)
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(SandboxUnavailable, match=r"agent x: code that.*install bubblewrap.*FINCHMARK_SANDBOX=process"):
        need_sandbox("agent x")


def test_the_tier_without_a_boundary_is_taken_when_it_is_named(monkeypatch):
    monkeypatch.setattr(module, "available", lambda: BOTH)
    monkeypatch.setenv(VARIABLE, "process")
    need_sandbox("agent x")
