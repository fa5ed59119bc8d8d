"""A name with an underscore belongs to its own module: nobody else reads it, so that it can be changed there."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("suite", "tasks", "environments", "leaderboard", "reports", "docs", "examples")
SOURCES = sorted(p for folder in FOLDERS for p in (ROOT / folder).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))

STANDARD = frozenset({"_asdict", "_exit", "_fields", "_make", "_replace"})
"""The standard library's, of named tuples and ``os``: public in all but the form of the name."""

OURS = "_finchmark_"
"""Begins a mark that we leave on others' objects, such as a tensor."""

FOREIGN = {
    "suite/backends/hf.py": {"_attn_implementation"},  # transformers has no other way to say which attention it took
    # torch has no public way to ask whether somebody has put hooks into a model.
    "suite/backends/loading.py": {"_attn_implementation", "_forward_hooks", "_forward_pre_hooks"},
    "suite/backends/lm_eval_rows.py": {"_model_generate"},  # lm-eval's HFLM: where rows of one call get their own seeds
    "suite/backends/lm_eval_server.py": {"_create_payload"},  # lm-eval's TemplateAPI: where a request gets its own seed
    "tasks/creativebench/trial.py": {"_getframe"},  # the only way to know how deep the stack is already
    "tasks/lm_eval/source.py": {"_filters"},  # lm-eval's tasks name their filters nowhere else
}
"""Names of other packages, which have no public one for what is needed. A new release may break these places."""

PARSERS = {
    "tests/suite/backends/test_openai_formats.py": {"_read", "_restore"},  # single steps of reading a hostile reply
}
"""Tests of steps that no module but their own may take."""


def strangers(tree: ast.AST, *, imports_only: bool = False) -> set[str]:
    """The private names that a module reads or sets and does not define.

    Args:
        tree: The module.
        imports_only: Whether attributes and the texts that a monkeypatch is told are left out.
    """
    own = {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)}
    own |= {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    attributes = [n for n in ast.walk(tree) if isinstance(n, ast.Attribute)]
    own |= {n.attr for n in attributes if isinstance(n.value, ast.Name) and n.value.id in ("self", "cls")}
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            names += [*(alias.name for alias in node.names), *(node.module or "").split(".")]
            continue
        if imports_only:
            continue
        if isinstance(node, ast.Attribute):
            names.append(node.attr)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("finchmark."):
            names += node.value.split(".")
    private = {name for name in names if name.startswith("_") and not name.startswith(("__", OURS))}
    return private - own - STANDARD


def read(path: Path) -> ast.AST:
    return ast.parse(path.read_text(encoding="utf-8"))


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_no_module_reads_anothers_private_names(path):
    found = strangers(read(path)) - FOREIGN.get(name(path), set())
    assert sorted(found) == [], "give it a public name where it is defined, or list it with a reason"


@pytest.mark.parametrize("path", TESTS, ids=name)
def test_no_test_imports_a_private_name(path):
    """Tests put faults and measurements where no caller could, so only what they import is bound."""
    found = strangers(read(path), imports_only=True) - PARSERS.get(name(path), set())
    assert sorted(found) == [], "give it a public name where it is defined, or list it with a reason"


@pytest.mark.parametrize(("place", "names"), [*FOREIGN.items(), *PARSERS.items()])
def test_exceptions_are_still_needed(place, names):
    assert names - strangers(read(ROOT / place)) == set()


@pytest.mark.parametrize(
    "code",
    [
        "from finchmark.suite.store import _KEY",
        "from .._hidden import name",
        "import store\nstore._KEY",
        "model._broker.backend",
        "monkeypatch.setattr('finchmark.suite.store._KEY', 1)",
    ],
)
def test_each_way_of_reaching_in_is_seen(code):
    assert strangers(ast.parse(code))


@pytest.mark.parametrize("code", ["class A:\n    def f(self, other): return self._x == other._x", "key._asdict()"])
def test_what_is_ones_own_is_not(code):
    assert not strangers(ast.parse(code))
