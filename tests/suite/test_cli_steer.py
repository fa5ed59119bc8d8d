"""``finchmark steer`` as people type it, on a toy that is saved to disk."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from finchmark.suite.backends.direction import Choices, Direction
from finchmark.suite.backends.vector_file import VectorFile, read_vector, write_vector
from finchmark.suite.cli_steer import steer
from finchmark.suite.errors import UsageError
from finchmark.suite.evaluation import make_backend


def call(*arguments: str):
    return CliRunner().invoke(steer, list(arguments))


@pytest.fixture
def vector(tmp_path):
    import numpy as np

    direction = Direction(np.array([3.0, 4.0, 0.0], dtype=np.float32), 8, 0.75, 2.0, 9.0, None)
    file = VectorFile({"name": "toy", "sha256": "ab" * 32}, 14, Choices(scale="shift"), direction, "principal", "cd")
    return write_vector(file, tmp_path)


def test_a_vector_says_what_it_is(vector):
    done = call("show", str(vector))
    assert done.exit_code == 0, done.output
    assert "layer  14" in done.output
    assert "length 5 (stream 9)" in done.output
    assert "8 pairs, explained 0.75, mean shift 2, held-out agreement -" in done.output
    assert "toy abababababab" in done.output
    assert "scale=shift" in done.output


def test_a_control_is_as_long_and_names_what_it_is_a_control_for(vector, tmp_path):
    done = call("control", str(vector), "--out", str(tmp_path / "c"), "--seed", "3")
    assert done.exit_code == 0, done.output
    (path,) = (tmp_path / "c").glob("*.json")
    drawn, like = read_vector(path), read_vector(vector)
    assert drawn.method == f"random 3 like {like.digest}"
    assert (drawn.layer, drawn.model) == (like.layer, like.model)
    assert "length 5" in done.output
    assert "a random control" in call("show", str(path)).output


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--scale", "loud"], "scale must be one of unit, shift, stream"),
        (["--positions", "first"], "positions must be one of last, mean"),
        (["--backend", "scripted:nonsense"], "shows no hidden states"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path, arguments, says):
    pairs = tmp_path / "pairs.json"
    pairs.write_text(json.dumps([{"plain": "a", "evolved": "b"}, {"plain": "c", "evolved": "d"}]))
    done = call("extract", str(pairs), "--layer", "1", "--out", str(tmp_path), *arguments)
    assert isinstance(done.exception, UsageError)
    assert says in str(done.exception)


@pytest.mark.weights
def test_a_direction_is_extracted_from_smollm2_and_fits_it(tmp_path):
    pytest.importorskip("torch", reason="needs finchmark[hf]")
    pairs = tmp_path / "pairs.jsonl"
    words = ("lamp", "stone", "bird", "tree", "rain", "seed", "door", "road")
    rows = [{"plain": f"Say something about a {w}.", "evolved": f"Say something about a {w}. Be brief."} for w in words]
    pairs.write_text("\n".join(map(json.dumps, rows)))
    done = call(
        "extract", str(pairs), "--layer", "20", "--layer", "-1", "--scale", "stream", "--out", str(tmp_path / "v")
    )
    assert done.exit_code == 0, done.output
    files = sorted((tmp_path / "v").glob("*.json"))
    assert [read_vector(f).layer for f in files] == [20, 29]
    identities = [
        make_backend("hf:smollm2", arguments)[1].identity()
        for arguments in ({}, {"steering": str(files[0])}, {"steering": str(files[0]), "steering_strength": 0.5})
    ]
    assert len({str(identity) for identity in identities}) == 3
    assert identities[2]["sha256"] == identities[0]["sha256"]
