"""From pairs of prompts to steering vectors: reads a model's stream, and finds a direction a layer."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import UsageError
from .base import Backend, ContextOverflow, HiddenRequest, Message
from .direction import Choices, principal_direction
from .vector_file import VectorFile

__all__ = ["Pair", "block_of", "extract", "read_pairs"]

_AT_ONCE = 16  # requests; each is one forward pass whose states come back whole


@dataclass(frozen=True, slots=True)
class Pair:
    """Two ways to ask for the same.

    Args:
        plain: The prompt as one would write it.
        evolved: The prompt as an optimiser left it.
    """

    plain: str
    evolved: str


def read_pairs(path: Path) -> tuple[Pair, ...]:
    """Read pairs: a YAML or JSON list of mappings with ``plain`` and ``evolved``, or JSON Lines of them.

    Raises:
        UsageError: It cannot be read, holds anything else, or a pair's two prompts are equal.
    """
    import yaml

    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".jsonl":
            raw = [json.loads(line) for line in text.splitlines() if line.strip()]
        else:
            raw = yaml.safe_load(text)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UsageError(f"{path}: cannot be read as pairs of prompts ({error}).") from error
    pairs = []
    for number, row in enumerate(raw if isinstance(raw, list) else (), 1):
        if not isinstance(row, dict) or not all(isinstance(row.get(k), str) and row[k] for k in ("plain", "evolved")):
            raise UsageError(f"{path}: entry {number} must be a mapping with the texts 'plain' and 'evolved'.")
        if row["plain"] == row["evolved"]:
            raise UsageError(f"{path}: entry {number} has twice the same prompt, which shows no direction.")
        pairs.append(Pair(row["plain"], row["evolved"]))
    if not pairs:
        raise UsageError(f"{path}: holds no pairs; a list of mappings with 'plain' and 'evolved' is wanted.")
    return tuple(pairs)


def block_of(layer: int, choices: Choices) -> int:
    """The number of the block that a layer is the output of; negative numbers count from the last in both ways.

    Raises:
        UsageError: It is the embeddings, which no block puts out.
    """
    if choices.count_from == "block" or layer < 0:
        return layer
    if layer == 0:
        raise UsageError("layer 0 is the embeddings when layers are counted from them; steering begins at layer 1.")
    return layer - 1


async def extract(
    backend: Backend, pairs: Sequence[Pair], layers: Sequence[int], choices: Choices | None = None
) -> list[VectorFile]:
    """Find a direction for each layer.

    Each prompt is a user's message, in the model's own chat format, up to where the reply begins.

    Args:
        backend: Started, and able to show hidden states.
        pairs: At least two.
        layers: Counted as the choices say.
        choices: How.

    Returns:
        One a layer, in their order.

    Raises:
        UsageError: There is no such layer, the backend shows no hidden states, a prompt is too long for the model, or
            the pairs give no direction.
    """
    choices = choices or Choices()
    if len(pairs) < 2:
        raise UsageError(f"a direction needs at least 2 pairs of prompts, not {len(pairs)}.")
    blocks = [block_of(layer, choices) for layer in layers]
    slots = asyncio.Semaphore(_AT_ONCE)

    async def states(text: str) -> np.ndarray:
        async with slots:
            where = "last" if choices.positions == "last" else "all"
            request = HiddenRequest((Message("user", text),), tuple(blocks), positions=where)
            try:
                found = await backend.hidden_states(request)
            except ContextOverflow as error:
                raise UsageError(f"the prompt {text[:60]!r} is too long: {error}.") from error
        if choices.positions == "mean":
            found = found[:, 1:] if found.shape[1] > 1 else found
        return found.mean(axis=1, dtype=np.float64)

    texts = [text for pair in pairs for text in (pair.plain, pair.evolved)]
    seen = np.stack(await asyncio.gather(*map(states, texts)))  # [2 * pairs, layers, hidden]
    plain, evolved = seen[0::2], seen[1::2]
    count = await _count(backend) if any(block < 0 for block in blocks) else 0
    stamp = hashlib.sha256(json.dumps([[p.plain, p.evolved] for p in pairs]).encode()).hexdigest()
    files = []
    for k, (layer, block) in enumerate(zip(layers, blocks, strict=True)):
        stream = float(np.linalg.norm(plain[:, k], axis=1).mean())
        try:
            direction = principal_direction(evolved[:, k] - plain[:, k], stream, choices)
        except ValueError as error:
            raise UsageError(f"layer {layer}: {error}.") from error
        files.append(
            VectorFile(
                backend.identity(), block % count if block < 0 else block, choices, direction, "principal", stamp
            )
        )
    return files


async def _count(backend: Backend) -> int:
    """How many blocks there are: the first layer that is refused."""
    low, high = 0, 1
    while await _has(backend, high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if await _has(backend, middle) else (low, middle)
    return high


async def _has(backend: Backend, layer: int) -> bool:
    try:
        await backend.hidden_states(HiddenRequest((Message("user", "?"),), (layer,)))
    except UsageError:
        return False
    return True
