"""How far two predictions of the next token are apart: Kullback-Leibler and Jensen-Shannon, in nats."""

from __future__ import annotations

import math

import torch

from ..errors import BackendError
from .base import Divergence

__all__ = ["compare"]

_BLOCK = 16 << 20  # numbers in one block at most


def compare(test: torch.Tensor, reference: torch.Tensor, top_k: int | None = None) -> Divergence:
    """Compare two predictions at each place.

    KL(q || p) = sum of q ln(q / p), with the test's q first (Kullback and Leibler 1951); JS is the mean of the KL of
    either side to their mean (Lin 1991), and at most ln 2.

    Args:
        test: Logits, ``[n, vocabulary]``.
        reference: Logits of the same places and vocabulary.
        top_k: Tokens that are among the so many likeliest of both sides stand for themselves, all others are merged
            into one outcome. Both divergences can only fall by that (data-processing inequality), so that what is
            found is a lower bound. None: nothing is merged.

    Raises:
        BackendError: A logit is NaN, or one side excludes everything.
        ValueError: The shapes differ.
    """
    if test.shape != reference.shape or test.ndim != 2:
        raise ValueError(f"test and reference must have one shape (n, vocabulary), not {test.shape}, {reference.shape}")
    rows = max(1, _BLOCK // max(1, test.shape[1]))
    kl: list[float] = []
    js: list[float] = []
    whole = top_k is None or top_k >= test.shape[1]
    for one, other in zip(test.split(rows), reference.split(rows), strict=True):
        q, p = (side.double().log_softmax(-1) for side in (one, other))
        if torch.isnan(q).any() or torch.isnan(p).any():
            raise BackendError("the model gave logits that are not finite (NaN or infinity)")
        if not whole and top_k is not None:
            q, p = _merged(q, p, top_k)
        middle = torch.logaddexp(q, p) - math.log(2)
        kl += _kl(q, p).clamp(min=0).tolist()
        js += ((_kl(q, middle) + _kl(p, middle)) / 2).clamp(min=0).tolist()
    return Divergence(tuple(kl), tuple(js), exact=whole)


def _kl(q: torch.Tensor, p: torch.Tensor) -> torch.Tensor:
    """KL of log-probabilities; what has no probability adds nothing."""
    return torch.where(q > -torch.inf, q.exp() * (q - p), 0.0).sum(-1)


def _merged(q: torch.Tensor, p: torch.Tensor, top_k: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Merge all tokens that are not among the likeliest of both sides into a last outcome."""
    common = torch.ones_like(q, dtype=torch.bool)
    for side in (q, p):
        likely = torch.zeros_like(common)
        likely.scatter_(-1, side.topk(top_k, dim=-1).indices, value=True)
        common &= likely
    merged = []
    for side in (q, p):
        tail = side.masked_fill(common, -torch.inf).logsumexp(-1, keepdim=True)
        merged.append(torch.cat([side.masked_fill(~common, -torch.inf), tail], -1))
    return merged[0], merged[1]
