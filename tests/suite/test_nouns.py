"""Nouns in sentences that count."""

from __future__ import annotations

import pytest

from finchmark.suite.nouns import several


@pytest.mark.parametrize(
    ("one", "more"),
    [
        ("item", "items"),
        ("society", "societies"),
        ("day", "days"),
        ("entry", "entries"),
        ("y", "ys"),
        ("", "s"),
        ("parent", "original items"),
    ],
)
def test_plurals(one, more):
    assert several(one) == more
