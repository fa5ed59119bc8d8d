"""The order that every worker of a run gets: what is played, with which backend, on what code."""

from __future__ import annotations

import io
import pickle
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from hashlib import blake2b
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from ..records import RunSpec
from .cluster import need_ray

if TYPE_CHECKING:
    from ..backends.base import Backend
    from ..plan import Plan

__all__ = ["Order", "code_hash", "pack_included", "pack_work", "unpack_included", "unpack_work"]


@dataclass(frozen=True, slots=True)
class Order:
    """What a worker must know before it can play.

    Args:
        spec: The run's specification, as far as it is known before the model is.
        backend: Name and arguments of the backend, placement included; None: the backend is in ``work``.
        included: Files and folders of ``--include``, packed.
        work: Plans and backend, pickled apart: they can be read only once what is included has been.
        concurrency: Samples that are aboard one worker at most; None: what its backend makes good use of.
        sandbox_python: The interpreter for code that a model wrote, where it lies on the worker.
        variables: Environment variables that the run depends on.
    """

    spec: RunSpec
    backend: tuple[str, Mapping[str, Any]] | None
    included: tuple[tuple[str, bytes], ...]
    work: bytes
    concurrency: int | None = None
    sandbox_python: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict)


@cache
def code_hash() -> str:
    """Hash the code of Finchmark that samples are played with, 16 hexadecimal digits.

    Two checkouts have one version number; a worker with other code would give other numbers in silence.
    """
    root = Path(__file__).resolve().parents[1]
    digest = blake2b(digest_size=8)
    for folder in (root, root.parent / "tasks", root.parent / "environments"):
        for file in sorted(folder.rglob("*.py")):
            if file.parent.name == "public":
                continue  # lies elsewhere in a wheel, and only hands names on
            name = file.relative_to(folder.parent).as_posix().encode()
            text = file.read_bytes()
            digest.update(b"%d %d " % (len(name), len(text)) + name + text)
    return digest.hexdigest()


def pack_included(paths: Sequence[Path]) -> tuple[tuple[str, bytes], ...]:
    """Pack files and folders with their names, for machines that cannot read them.

    Raises:
        UsageError: One cannot be read.
    """
    packed = []
    for path in paths:
        whole = io.BytesIO()
        try:
            with tarfile.open(fileobj=whole, mode="w") as tar:
                tar.add(path, arcname=path.name)
        except OSError as error:
            raise UsageError(f"--include {path}: cannot be read ({error.strerror or error}).") from error
        packed.append((path.name, whole.getvalue()))
    return tuple(packed)


def unpack_included(packed: Sequence[tuple[str, bytes]], folder: Path) -> list[Path]:
    """Lay out what was packed, each in a folder of its own: two may have one name.

    Args:
        packed: From :func:`pack_included`.
        folder: Where to; must exist.
    """
    laid = []
    for number, (name, whole) in enumerate(packed):
        place = folder / str(number)
        with tarfile.open(fileobj=io.BytesIO(whole)) as tar:
            # Python has it since 3.11.4.
            tar.extraction_filter = getattr(tarfile, "data_filter", lambda member, path: member)
            tar.extractall(place)
        laid.append(place / name)
    return laid


def pack_work(plans: Sequence[Plan], backend: Backend | None) -> bytes:
    """Pickle plans and, where it has no name, the backend.

    Raises:
        UsageError: They cannot be pickled.
    """

    class Pickler(need_ray("ray.cloudpickle").CloudPickler):
        """Takes views of mappings too, which arms and turns have."""

        def reducer_override(self, obj: Any) -> Any:
            if type(obj) is MappingProxyType:
                return MappingProxyType, (dict(obj),)
            return super().reducer_override(obj)

    whole = io.BytesIO()
    try:
        Pickler(whole).dump((tuple(plans), backend))
    except Exception as error:
        what = "the tasks" if backend is None else "the tasks or the backend"
        raise UsageError(
            f"--executor ray: {what} cannot be sent to other processes ({type(error).__name__}: {error}). Name the "
            "backend by text, and put classes of yours into a file for --include."
        ) from error
    return whole.getvalue()


def unpack_work(work: bytes) -> tuple[tuple[Plan, ...], Backend | None]:
    """Read what :func:`pack_work` wrote; anything may be raised where classes are missing."""
    return pickle.loads(work)
