"""A steering vector on disk: whose stream it belongs to, where, how it was made; named by the hash of all of this."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import StoreError, UsageError
from .direction import Choices, Direction

__all__ = ["FORMAT", "VectorFile", "read_vector", "write_vector"]

FORMAT = "finchmark-steering/1"


@dataclass(frozen=True, eq=False)
class VectorFile:
    """A vector with its origin.

    Args:
        model: Identity of the model whose stream it was found in: ``name``, ``revision``, ``sha256``, ``adapter`` …
        layer: After which block; 0 is the first, never negative.
        choices: How it was found.
        direction: The vector and what was measured.
        method: ``principal``, or ``random N``: a control drawn with seed N.
        pairs: SHA-256 of the pairs of prompts.
    """

    model: Mapping[str, Any]
    layer: int
    choices: Choices
    direction: Direction
    method: str
    pairs: str

    @cached_property
    def body(self) -> dict[str, Any]:
        """All that is in the file but its hash."""
        d = self.direction
        return {
            "format": FORMAT,
            "model": dict(self.model),
            "layer": self.layer,
            "hidden": int(d.vector.size),
            "choices": asdict(self.choices),
            "method": self.method,
            "pairs": {"count": d.pairs, "sha256": self.pairs},
            "measured": {"explained": d.explained, "shift": d.shift, "stream": d.stream, "held_out": d.held_out},
            "vector": base64.b64encode(d.vector.astype("<f4").tobytes()).decode(),
        }

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the body, to the last bit of every number."""
        text = json.dumps(self.body, sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()

    def check(self, identity: Mapping[str, Any]) -> None:
        """Refuse a model that the vector is not of.

        Weights are compared by their hash where both sides have one, else by name and revision; adapters always.

        Args:
            identity: Of the model that is to be steered.

        Raises:
            UsageError: It is another one.
        """
        by_hash = bool(self.model.get("sha256") and identity.get("sha256"))
        for key in ("sha256", "adapter") if by_hash else ("name", "revision", "adapter"):
            if self.model.get(key) != identity.get(key):
                raise UsageError(
                    f"The steering vector {self.digest[:12]} belongs to {_who(self.model)}, not to {_who(identity)}: "
                    f"their {key} differ ({self.model.get(key)} and {identity.get(key)}). Extract one from this model: "
                    "`finchmark steer extract`."
                )


def _who(identity: Mapping[str, Any]) -> str:
    revision = f"@{identity['revision']}" if identity.get("revision") else ""
    return f"{identity.get('name', 'a model without a name')}{revision}"


def write_vector(file: VectorFile, folder: Path) -> Path:
    """Write a vector into a folder, under the name ``layer<L>-<hash>.json``.

    Returns:
        The file; the same content always has the same name.

    Raises:
        UsageError: The folder cannot be written.
    """
    path = folder / f"layer{file.layer}-{file.digest[:16]}.json"
    text = json.dumps({**file.body, "sha256": file.digest}, indent=1, sort_keys=True, allow_nan=False) + "\n"
    half = path.with_suffix(".half")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        half.write_text(text, encoding="utf-8")
        half.rename(path)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written ({error.strerror or error}).") from error
    return path


def read_vector(path: Path) -> VectorFile:
    """Read a vector.

    Raises:
        UsageError: There is no such file, or it is no steering vector.
        StoreError: It is damaged or was changed: its hash is not that of its content.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: there is no steering vector ({error.strerror or error}).") from error
    except ValueError as error:
        raise UsageError(f"{path}: is no steering vector ({error}).") from error
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise UsageError(f"{path}: is no steering vector of the format {FORMAT}.")
    try:
        vector = np.frombuffer(base64.b64decode(data["vector"], validate=True), dtype="<f4").astype(np.float32)
        measured = data["measured"]
        direction = Direction(
            vector,
            data["pairs"]["count"],
            measured["explained"],
            measured["shift"],
            measured["stream"],
            measured["held_out"],
        )
        choices = Choices(**data["choices"])
        file = VectorFile(data["model"], data["layer"], choices, direction, data["method"], data["pairs"]["sha256"])
        said, digest = data["sha256"], file.digest
    except (KeyError, TypeError, ValueError) as error:
        raise StoreError(f"{path}: the steering vector is damaged ({type(error).__name__}: {error}).") from error
    if said != digest or data["hidden"] != vector.size:
        raise StoreError(f"{path}: the steering vector was changed: its hash is {digest[:16]}, it says {said[:16]}.")
    return file
