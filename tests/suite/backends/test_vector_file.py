"""Steering vectors on disk: named by their content, and refused where they do not belong."""

import json

import numpy as np
import pytest

from finchmark.suite.backends.direction import Choices, Direction
from finchmark.suite.backends.vector_file import VectorFile, read_vector, write_vector
from finchmark.suite.errors import StoreError, UsageError
from finchmark.suite.seeds import generator

MODEL = {"name": "toy", "revision": "r1", "sha256": "ab" * 32, "adapter": None, "dtype": "float32"}


def _file(model=MODEL, layer=3, scale=1.0):
    vector = (scale * generator("vector file test").normal(size=16)).astype(np.float32)
    return VectorFile(model, layer, Choices(centre=True), Direction(vector, 8, 0.5, 0.1, 9.0, None), "principal", "cd")


def test_what_is_written_is_read_to_the_last_bit(tmp_path):
    file = _file()
    path = write_vector(file, tmp_path / "new")
    found = read_vector(path)
    np.testing.assert_array_equal(found.direction.vector, file.direction.vector)
    assert found.body == file.body
    assert found.digest == file.digest
    assert path.name == f"layer3-{file.digest[:16]}.json"
    assert write_vector(found, tmp_path / "new").read_bytes() == path.read_bytes()


def test_any_difference_is_another_name():
    files = [_file(), _file(layer=4), _file(scale=1.0000001), _file({**MODEL, "revision": "r2"})]
    assert len({f.digest for f in files}) == 4


@pytest.mark.parametrize("key", ["layer", "hidden", "vector", "choices"])
def test_a_changed_file_is_refused(tmp_path, key):
    path = write_vector(_file(), tmp_path)
    data = json.loads(path.read_text())
    other = json.loads(write_vector(_file(layer=5, scale=2), tmp_path).read_text())
    data[key] = {"layer": 7, "hidden": 15, "vector": other["vector"], "choices": {**data["choices"], "centre": False}}[
        key
    ]
    path.write_text(json.dumps(data))
    with pytest.raises(StoreError, match="was changed"):
        read_vector(path)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": "finchmark-steering/9"}'])
def test_other_files_are_refused(tmp_path, text):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(UsageError, match="no steering vector"):
        read_vector(tmp_path / "x.json")


def test_a_file_that_is_half_there_is_damaged(tmp_path):
    (tmp_path / "x.json").write_text('{"format": "finchmark-steering/1", "vector": "AAAA"}')
    with pytest.raises(StoreError, match="damaged"):
        read_vector(tmp_path / "x.json")
    with pytest.raises(UsageError, match="there is no"):
        read_vector(tmp_path / "y.json")


def test_the_weights_decide_not_the_name():
    _file().check({**MODEL, "name": "a folder", "revision": None, "dtype": "bfloat16"})


@pytest.mark.parametrize(
    ("changes", "match"),
    [({"sha256": "00"}, "sha256 differ"), ({"adapter": {"name": "lora"}}, "adapter differ")],
)
def test_another_model_is_refused(changes, match):
    with pytest.raises(UsageError, match=match):
        _file().check({**MODEL, **changes})


def test_without_hashes_name_and_revision_decide():
    file = _file({**MODEL, "sha256": None})
    file.check({**MODEL, "sha256": "ef"})
    with pytest.raises(UsageError, match=r"belongs to toy@r1, not to toy@r2: their revision differ"):
        file.check({**MODEL, "revision": "r2"})
