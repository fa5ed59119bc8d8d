"""Whatever single value of a store is changed is found, unless it is one of those that nothing decides."""

from __future__ import annotations

import json
import math
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from finchmark.leaderboard.verify import verify
from finchmark.suite.backends.scripted import ScriptedBackend
from finchmark.suite.errors import BackendError
from finchmark.suite.evaluation import evaluate


class Shaky(ScriptedBackend):
    """Fails at one sample, too seldom for the whole run to be refused."""

    async def generate(self, request):
        if request.session.startswith("odyssey/lights/inductive/smoke-000/7/"):
            raise BackendError("it fell over")
        return await super().generate(request)


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("run") / "run"
    evaluate("odyssey/lights", "scripted:random", samples=2, out=out)
    return out


def same(a: Any, b: Any) -> bool:
    """Whether two values say the same, to the digits to which they are compared."""
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=1e-6, abs_tol=1e-6)
    return type(a) is type(b) and a == b


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where the plain values of some JSON are."""
    if isinstance(value, dict):
        return [leaf for key, inner in value.items() for leaf in leaves(inner, (*path, key))]
    if isinstance(value, list):
        return [leaf for index, inner in enumerate(value) for leaf in leaves(inner, (*path, index))]
    return [path]


@st.composite
def changed(draw: st.DrawFn, old: Any) -> Any:
    """Another value in the place of an old one: near it, or of any type."""
    near: dict[type, st.SearchStrategy[Any]] = {
        bool: st.just(not old),
        int: st.integers(-3, 3).map(lambda d: (old or 0) + d),
        float: st.floats(-10, 10).map(lambda d: (old or 0.0) + d),
        str: st.integers(0, max(len(old), 1) if isinstance(old, str) else 0).map(
            lambda i: old[:i] + "x" + old[i + 1 :] if isinstance(old, str) else ""
        ),
    }
    anything = st.one_of(st.none(), st.integers(-9, 9), st.text(max_size=9), st.floats(-9, 9))
    return draw(st.one_of(near.get(type(old), anything), anything))


@settings(max_examples=120, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(data=st.data())
def test_a_single_edited_cell_is_found(run, tmp_path_factory, data):
    copy = Path(shutil.copytree(run, tmp_path_factory.mktemp("edit") / "run"))
    db = sqlite3.connect(copy / "samples.sqlite")
    table = data.draw(st.sampled_from(["samples", "turns", "texts"]))
    key = {"samples": "id", "turns": "sample_id, turn", "texts": "hash"}[table]
    rows = db.execute(f"SELECT {key} FROM {table} ORDER BY {key}").fetchall()
    place = data.draw(st.sampled_from(rows))
    here = " AND ".join(f"{name} = ?" for name in key.split(", "))
    columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
    column = data.draw(st.sampled_from(columns))
    (old,) = db.execute(f"SELECT {column} FROM {table} WHERE {here}", place).fetchone()
    if column in ("metrics", "usage", "data"):
        whole = json.loads(old)
        assume(leaves(whole))
        *path, last = data.draw(st.sampled_from(leaves(whole)))
        inner = whole
        for step in path:
            inner = inner[step]
        new = data.draw(changed(inner[last]))
        assume(not same(inner[last], new) and not (isinstance(inner[last], float) and new == inner[last]))
        # A whole number is as good as a fraction where a fraction is asked for.
        assume(last != "seconds" or not isinstance(new, (int, float)) or abs(new - inner[last]) > 1e-6)
        inner[last] = new
        new = json.dumps(whole)
    else:
        new = data.draw(changed(old))
        assume(not same(old, new))
        if table == "samples":
            # How long a sample took is the one thing that nothing decides.
            assume(column != "seconds" or not isinstance(new, (int, float)) or new < 0)
    before = db.execute(f"SELECT * FROM {table}").fetchall()
    try:
        # NOT NULL and UNIQUE are the store's own; what they refuse cannot be there.
        db.execute(f"UPDATE {table} SET {column} = ? WHERE {here}", (new, *place))
        db.commit()
    except sqlite3.Error:
        assume(False)
    after = db.execute(f"SELECT * FROM {table}").fetchall()
    db.close()
    # A column's type may have turned the new value into the old one again.
    assume(sorted(map(repr, after)) != sorted(map(repr, before)))
    found = verify(copy)
    shutil.rmtree(copy)
    assert not found.ok, (table, column, place, old, new)


@pytest.fixture(scope="module")
def with_an_error(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("run") / "run"
    evaluate("odyssey/lights", Shaky("random"), samples=26, out=out)
    return out


@pytest.mark.parametrize(
    ("edit", "ok"),
    [
        ("seconds = seconds + 1 WHERE id = 1", True),
        ("seconds = seconds + 1, error = 'BackendError: another', reason = 'Other' WHERE outcome = 'error'", True),
        ("seed = 1 WHERE outcome = 'error'", False),
        ("item_hash = '0' WHERE outcome = 'error'", False),
        ("usage = replace(usage, '0', '1') WHERE outcome = 'error'", False),
        ("transcript = '0' WHERE outcome = 'error'", False),
        ("outcome = 'ok' WHERE outcome = 'error'", False),
    ],
)
def test_of_an_error_only_its_kind_text_and_seconds_are_taken_on_trust(with_an_error, tmp_path, edit, ok):
    copy = Path(shutil.copytree(with_an_error, tmp_path / "run"))
    db = sqlite3.connect(copy / "samples.sqlite")
    db.execute(f"UPDATE samples SET {edit}")
    db.commit()
    db.close()
    found = verify(copy)
    assert found.ok == ok
    assert found.errors == (edit != "outcome = 'ok' WHERE outcome = 'error'")
