"""What runs a model over rows that come and go: tokens in, logits out. Sampling and texts are elsewhere.

:class:`~finchmark.suite.backends.arena_runner.ArenaRunner` is the way of choice,
:class:`~finchmark.suite.backends.padded_runner.PaddedRunner` is for models that it cannot serve.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch

from .residual import Residual, place_of
from .steering import Steering

__all__ = [
    "Admitted",
    "Interrupted",
    "Prompt",
    "Runner",
    "admit_at_once",
    "gathered",
    "reference_logits",
]

_LOGITS = 64 << 20  # numbers in one block of logits at most


class Interrupted(Exception):
    """The loop is closing; a long prefill stops between two chunks."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A row that wants in.

    Args:
        tokens: Its prompt, ``[n]``, at least one token.
        session: Whose cache it may use; empty for none.
        need: Tokens that the row may grow to, its prompt included.
        steering: What is added to its residual stream.
    """

    tokens: np.ndarray
    session: str
    need: int
    steering: tuple[Steering, ...] = ()


@dataclass(frozen=True, slots=True)
class Admitted:
    """What an admission did.

    Args:
        order: ``order[k]`` is the prompt that went to the k-th new slot.
        cached: Prompt tokens that were not computed again, by new slot.
        logits: Of the token after each prompt, by new slot, ``[n, vocabulary]``.
    """

    order: list[int]
    cached: list[int]
    logits: torch.Tensor


class Runner(Protocol):
    """Rows in, logits out. ``count`` rows are in work, in slots 0 to count - 1."""

    refills: bool
    """Whether rows can be admitted while others are in work."""
    residual: Residual

    @property
    def count(self) -> int:
        """Rows in work."""
        ...

    def room(self, prompts: Sequence[Prompt]) -> int:
        """How many of the prompts, from the first, can be admitted now as far as memory goes; at least 1 if empty."""
        ...

    def admission(self, prompts: Sequence[Prompt]) -> Generator[None, None, Admitted]:
        """Compute prompts, and take their rows in behind those that are there.

        It yields between two forward passes; :meth:`step` and :meth:`remove` may be called then, another admission
        may not. Closing it drops its rows.
        """
        ...

    def step(self, tokens: Sequence[int]) -> torch.Tensor:
        """Give every row its next token; returns the logits of the one after, ``[count, vocabulary]``."""
        ...

    def remove(self, slot: int, session: str, tokens: Callable[[], np.ndarray]) -> None:
        """End a row. The last row takes its slot. Its cache is kept for the session, if that is not empty."""
        ...

    def score(
        self, prompts: Sequence[Prompt], continuations: Sequence[np.ndarray], closing: Callable[[], bool]
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """Log-probabilities of continuations and whether each token was the most likely one."""
        ...

    def logits(
        self, prompts: Sequence[Prompt], continuations: Sequence[np.ndarray], closing: Callable[[], bool]
    ) -> list[torch.Tensor]:
        """Logits that predict each token of the continuations, ``[len(continuation), vocabulary]`` each."""
        ...

    def clear(self) -> None:
        """Drop all rows and give their memory back."""
        ...


def admit_at_once(runner: Runner, prompts: Sequence[Prompt]) -> Admitted:
    """Run an admission to its end."""
    admission = runner.admission(prompts)
    while True:
        try:
            next(admission)
        except StopIteration as end:
            return end.value


def reference_logits(model: Any, tokens: np.ndarray) -> torch.Tensor:
    """Logits of every position of one sequence by the model's own plain forward pass, ``[n, vocabulary]``."""
    ids = torch.from_numpy(tokens.astype(np.int64))[None].to(place_of(model))
    return model(input_ids=ids, use_cache=False).logits[0].float()


def gathered(logits: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Log-probabilities of targets under ``logits`` and whether each is the largest; float32, in blocks."""
    flat, goal = logits.reshape(-1, logits.shape[-1]), targets.reshape(-1)
    rows = max(1, _LOGITS // flat.shape[-1])
    scores, greedy = [], []
    for block, want in zip(flat.split(rows), goal.split(rows), strict=True):
        block = block.float()
        picked = block.gather(1, want[:, None])[:, 0]
        scores.append(picked - block.logsumexp(-1))
        greedy.append(block.argmax(-1) == want)
    return torch.cat(scores).view(targets.shape), torch.cat(greedy).view(targets.shape)
