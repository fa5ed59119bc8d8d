"""A name with an underscore belongs to its own module: nobody else reads it, so that it can be changed there."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("suite", "tasks", "environments", "leaderboard", "reports", "docs", "examples", "tests")
SOURCES = sorted(p for folder in FOLDERS for p in (ROOT / folder).rglob("*.py"))

STANDARD = frozenset({"_asdict", "_exit", "_fields", "_make", "_replace"})
"""The standard library's, of named tuples and ``os``: public in all but the form of the name."""

OURS = "_finchmark_"
"""Begins a mark that we leave on others' objects, such as a tensor."""

FOREIGN = {
    "suite/backends/hf.py": {"_attn_implementation"},  # transformers has no other way to say which attention it took
    "suite/backends/loading.py": {"_attn_implementation"},
    "tests/suite/backends/test_hf_greedy.py": {"_attn_implementation"},
    "suite/backends/lm_eval_rows.py": {"_model_generate"},  # lm-eval's HFLM: where rows of one call get their own seeds
    "suite/backends/lm_eval_server.py": {"_create_payload"},  # lm-eval's TemplateAPI: where a request gets its own seed
    "tasks/lm_eval/source.py": {"_filters"},  # lm-eval's tasks name their filters nowhere else
}
"""Names of other packages, which have no public one for what is needed. A new release may break these places."""

FROM_WITHIN = {
    "tests/benchmarks/bench_site.py": {"_db"},  # one transaction for all samples: what is timed is reading
    "tests/leaderboard/test_verify_hostile.py": {"_db"},  # writes past the class that forbids it
    "tests/suite/test_store.py": {"_db"},  # sets the page limit that stands for a full disk
    "tests/suite/test_engine.py": {"_units"},  # turns the order of the work round
    "tests/suite/backends/test_hf_life.py": {"_decode", "_prefill", "_thread"},  # faults in the decoding thread
    "tests/suite/backends/test_lm_eval.py": {"_format"},  # the prompt that lm-eval's model is given
    "tests/suite/backends/test_openai_faults.py": {"_pause", "_shape"},  # short pauses; the body that is sent
    "tests/suite/backends/test_openai_formats.py": {"_read", "_restore"},  # the steps of reading a hostile reply
    "tests/suite/backends/test_weights.py": {"_is_whole", "_sha256", "_target"},  # the steps of a broken download
    "tests/suite/exports/test_datasets_folder.py": {"_BATCH"},  # small batches in the place of many samples
    "tests/tasks/test_prediction.py": {"_taken", "_yields"},  # a policy that sees what the heuristic has measured
}
"""Tests that put a fault or a measurement where no caller could."""


def strangers(tree: ast.AST) -> Iterator[str]:
    """The private names that a module reads or sets and does not define."""
    own = {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)}
    own |= {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    attributes = [n for n in ast.walk(tree) if isinstance(n, ast.Attribute)]
    on_self = [n for n in attributes if isinstance(n.value, ast.Name) and n.value.id in ("self", "cls")]
    own |= {n.attr for n in on_self}
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.ImportFrom):
            names = [*(alias.name for alias in node.names), *(node.module or "").split(".")]
        elif isinstance(node, ast.Attribute):
            names = [node.attr]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("finchmark."):
            names = node.value.split(".")  # what a monkeypatch is told
        for name in names:
            if name.startswith("_") and not name.startswith(("__", OURS)) and name not in own | STANDARD:
                yield name


def allowed(path: Path) -> set[str]:
    name = path.relative_to(ROOT).as_posix()
    return FOREIGN.get(name, set()) | FROM_WITHIN.get(name, set())


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_module_reads_anothers_private_names(path):
    found = set(strangers(ast.parse(path.read_text(encoding="utf-8"))))
    assert sorted(found - allowed(path)) == [], "give it a public name where it is defined, or list it with a reason"


@pytest.mark.parametrize("name", sorted({*FOREIGN, *FROM_WITHIN}))
def test_exceptions_are_still_needed(name):
    path = ROOT / name
    assert allowed(path) - set(strangers(ast.parse(path.read_text(encoding="utf-8")))) == set()


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
    assert list(strangers(ast.parse(code)))


@pytest.mark.parametrize("code", ["class A:\n    def f(self, other): return self._x == other._x", "key._asdict()"])
def test_what_is_ones_own_is_not(code):
    assert not list(strangers(ast.parse(code)))
