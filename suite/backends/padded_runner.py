"""The plain way to run a model over rows: whole waves, for models that keep more than keys and values."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator, Sequence
from typing import Any

import numpy as np
import torch

from .residual import Residual, accepts, place_of
from .runner import Admitted, Interrupted, Prompt, gathered, reference_logits
from .steering import Steering

__all__ = ["PaddedRunner"]


class PaddedRunner:
    """The plain way, for models that keep more than keys and values: whole waves, no reuse between turns.

    Rows of a wave begin together. With attention only, they are padded on the left; a model with a recurrent state
    gets prompts of equal length together, since padding would enter its state.

    Args:
        model: A decoder of transformers.
        recurrent: Whether the model has a recurrent state.
    """

    refills = False

    def __init__(self, model: Any, *, recurrent: bool) -> None:
        self.model, self.recurrent, self.device = model, recurrent, place_of(model)
        self.count = 0
        self.residual = Residual(model)
        self._keeps = accepts(model, "logits_to_keep")
        self._positions = accepts(model, "position_ids")
        self._masks = accepts(model, "attention_mask")
        self._counts = "cache_position" in inspect.signature(model.forward).parameters  # transformers 4
        self.clear()

    def clear(self) -> None:
        """Drop all rows."""
        self.count, self._rows = 0, []
        self._state: dict[str, Any] = {}
        self._mask: torch.Tensor | None = None
        self._next: torch.Tensor | None = None
        self._steered: list[tuple[tuple[Steering, ...], int]] = []

    def room(self, prompts: Sequence[Prompt]) -> int:
        """All of them, or those of the first one's length."""
        if self.count:
            return 0
        if self.recurrent:
            n = 0
            while n < len(prompts) and len(prompts[n].tokens) == len(prompts[0].tokens):
                n += 1
            return n
        return len(prompts)

    def admission(self, prompts: Sequence[Prompt]) -> Generator[None, None, Admitted]:
        """Begin a wave, in one forward pass."""
        yield from ()  # there is nothing to wait for in between
        self.clear()
        width = max(len(p.tokens) for p in prompts)
        ids = np.zeros((len(prompts), width), dtype=np.int64)
        mask = np.zeros_like(ids)
        for i, p in enumerate(prompts):
            ids[i, width - len(p.tokens) :] = p.tokens
            mask[i, width - len(p.tokens) :] = 1
        self._mask = torch.from_numpy(mask).to(self.device)
        positions = (self._mask.cumsum(-1) - 1).clamp(min=0)
        self._next = positions[:, -1:] + 1
        self._steered = [(p.steering, len(p.tokens)) for p in prompts]
        logits = self._forward(torch.from_numpy(ids).to(self.device), positions)
        self.count, self._rows = len(prompts), list(range(len(prompts)))
        return Admitted(list(range(len(prompts))), [0] * len(prompts), logits)

    def step(self, tokens: Sequence[int]) -> torch.Tensor:
        """One token for every row; rows that have ended get a dummy."""
        assert self._mask is not None
        assert self._next is not None
        ids = np.zeros((len(self._mask), 1), dtype=np.int64)
        ids[self._rows, 0] = tokens
        self._mask = torch.cat([self._mask, self._mask.new_ones(len(self._mask), 1)], -1)
        positions, self._next = self._next, self._next + 1
        return self._forward(torch.from_numpy(ids).to(self.device), positions)[self._rows]

    def _forward(self, ids: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        inputs: dict[str, Any] = {"input_ids": ids, "use_cache": True, "return_dict": True, **self._state}
        if self._positions:
            inputs["position_ids"] = positions
        if self._masks and not self.recurrent:
            inputs["attention_mask"] = self._mask
        if self._keeps:
            inputs["logits_to_keep"] = 1
        if self._counts and self._mask is not None:
            width = self._mask.shape[1]
            inputs["cache_position"] = torch.arange(width - ids.shape[1], width, device=self.device)
        addends = {}
        if any(steering for steering, _ in self._steered):
            addends = self.residual.addends(self._steered, positions, self.model.dtype)
        with self.residual.adding(addends):
            out = self.model(**inputs)
        for name in ("past_key_values", "cache_params", "state"):
            if out.get(name) is not None:
                self._state = {name: out[name]}
        return out.logits[:, -1]

    def remove(self, slot: int, session: str, tokens: Callable[[], np.ndarray]) -> None:
        """End a row; the wave goes on with those that are left."""
        self._rows[slot] = self._rows[-1]
        self._rows.pop()
        self.count -= 1
        if not self.count:
            self.clear()

    def score(
        self, prompts: Sequence[Prompt], continuations: Sequence[np.ndarray], closing: Callable[[], bool]
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """Score continuations, one after the other."""
        results = []
        for prompt, continuation in zip(prompts, continuations, strict=True):
            (logits,) = self.logits([prompt], [continuation], closing)
            score, best = gathered(logits, torch.from_numpy(continuation.astype(np.int64)).to(logits.device))
            results.append((score.cpu().numpy(), best.cpu().numpy()))
        return results

    def logits(
        self, prompts: Sequence[Prompt], continuations: Sequence[np.ndarray], closing: Callable[[], bool]
    ) -> list[torch.Tensor]:
        """Logits that predict each token of the continuations, one continuation after the other."""
        results = []
        for prompt, continuation in zip(prompts, continuations, strict=True):
            if closing():
                raise Interrupted
            whole = np.concatenate([prompt.tokens, continuation[:-1]])
            positions = torch.arange(len(whole), device=self.device)[None]
            steered = [(prompt.steering, len(prompt.tokens))]
            with self.residual.adding(self.residual.addends(steered, positions, self.model.dtype)):
                results.append(reference_logits(self.model, whole)[-len(continuation) :])
        return results
