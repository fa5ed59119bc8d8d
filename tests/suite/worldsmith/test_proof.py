"""Proofs in a process of their own: what comes back, and that a world that takes too much is ended."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from finchmark.suite.worldsmith.draft import read_draft
from finchmark.suite.worldsmith.proof import prove, prove_apart

LIGHTHOUSE = (Path(__file__).parent / "transcript" / "lighthouse.yaml").read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_process_of_its_own_finds_the_same():
    text = read_draft(LIGHTHOUSE).text
    assert asyncio.run(prove_apart(text, 300)) == list(prove(text))


def test_a_proof_that_takes_too_long_is_ended_and_has_failed():
    found = asyncio.run(prove_apart(read_draft(LIGHTHOUSE).text, 0.2))
    assert not found[-1].passed
    assert "longer than 0.2 seconds" in found[-1].detail


def test_a_proof_that_dies_has_failed():
    found = asyncio.run(prove_apart("no: specification", 120))
    assert [(p.stage, p.passed) for p in found] == [("execution", False)]
    assert "ended with 1" in found[0].detail
