"""The catalogue of agents against the classes and the page that describe them."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from finchmark.suite.agents.catalogue import CATALOGUE
from finchmark.suite.registry import AGENTS

PAGE = (Path(__file__).parents[3] / "docs" / "agents.md").read_text(encoding="utf-8")
PLAIN = ("history", "stateless", "window")


@pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.name)
def test_an_entry_is_its_class(entry):
    assert AGENTS.load(entry.name).name == entry.name


@pytest.mark.parametrize("entry", [e for e in CATALOGUE if e.name not in PLAIN], ids=lambda entry: entry.name)
def test_what_an_agent_follows_is_told_in_the_list_and_in_its_docstring(entry):
    doc = inspect.getdoc(AGENTS.load(entry.name))
    assert re.search(r"\b(19|20)\d\d\b", entry.origin)
    for number in re.findall(r"\d{4}\.\d{5}", entry.origin):
        assert f"arXiv:{number}" in doc


@pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.name)
def test_the_page_describes_it(entry):
    assert f"`{entry.name}`" in PAGE
