"""Picks tokens: one uniform number a token and the inverse of the cumulative distribution, in float64.

A row's numbers come from its request's seed alone, so a reply does not depend on what else is in the batch, as far as
the logits do not.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ..seeds import generator

__all__ = ["BROKEN", "Uniforms", "pick"]

BROKEN = -1
"""In the place of a token where the logits were not finite."""

_BLOCK = 256
_TOP = 1024


class Uniforms:
    """The uniform numbers of one request: the k-th belongs to its k-th token.

    Args:
        seed: The request's seed.
    """

    __slots__ = ("_block", "_rng", "_used")

    def __init__(self, seed: int) -> None:
        self._rng = generator("hf token", seed)
        self._block: list[float] = []
        self._used = 0

    def take(self) -> float:
        """Give the next number, in [0, 1)."""
        if self._used == len(self._block):
            self._block, self._used = self._rng.random(_BLOCK).tolist(), 0
        self._used += 1
        return self._block[self._used - 1]


def pick(
    logits: torch.Tensor, temperatures: Sequence[float], top_ps: Sequence[float], uniforms: Sequence[float]
) -> list[int]:
    """Pick one token a row.

    Args:
        logits: ``[rows, vocabulary]``.
        temperatures: By row; 0 picks the most likely token.
        top_ps: By row, in (0, 1]: the smallest set of most likely tokens with at least this probability is kept.
        uniforms: By row, in [0, 1); not used at temperature 0.

    Returns:
        The tokens; :data:`BROKEN` where a row's logits are NaN or all infinite.
    """
    plain = [i for i, t in enumerate(temperatures) if t > 0 and top_ps[i] >= 1]
    nucleus = [i for i, t in enumerate(temperatures) if t > 0 and top_ps[i] < 1]
    if logits.device.type == "mps":
        logits = logits.cpu()  # no float64 there
    rows = len(temperatures)
    if not plain and not nucleus:
        return _greedy(logits).tolist()
    if len(plain) == rows:
        return _inverse(_probabilities(logits, temperatures), uniforms).tolist()
    if len(nucleus) == rows:
        return _nucleus(_probabilities(logits, temperatures), top_ps, uniforms).tolist()
    tokens = _greedy(logits)
    for part, method in ((plain, _plain), (nucleus, _nucleus)):
        if part:
            where = torch.tensor(part, device=logits.device)
            p = _probabilities(logits[where], [temperatures[i] for i in part])
            tokens[where] = method(p, [top_ps[i] for i in part], [uniforms[i] for i in part])
    return tokens.tolist()


def _column(values: Sequence[float], like: torch.Tensor) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64).to(like.device, non_blocking=True)[:, None]


def _greedy(logits: torch.Tensor) -> torch.Tensor:
    best, tokens = logits.max(-1)
    return torch.where(best.isfinite(), tokens, BROKEN)


def _probabilities(logits: torch.Tensor, temperatures: Sequence[float]) -> torch.Tensor:
    scaled = logits.double()
    if any(t != 1 for t in temperatures):
        scaled = scaled / _column(temperatures, logits)
    return scaled.softmax(-1)


def _inverse(p: torch.Tensor, uniforms: Sequence[float]) -> torch.Tensor:
    """First token whose cumulative probability exceeds the uniform number."""
    cumulative = p.cumsum(-1)
    total = cumulative[:, -1:]
    goal = _column(uniforms, p) * total  # below the total even after rounding, since u <= 1 - 2**-53
    tokens = torch.searchsorted(cumulative, goal, right=True)[:, 0]
    return torch.where(total[:, 0].isfinite(), tokens, BROKEN)


def _plain(p: torch.Tensor, top_ps: Sequence[float], uniforms: Sequence[float]) -> torch.Tensor:
    return _inverse(p, uniforms)


def _nucleus(p: torch.Tensor, top_ps: Sequence[float], uniforms: Sequence[float]) -> torch.Tensor:
    """Sample from each row's nucleus, the tokens in falling order of probability (equal ones by their number).

    A full sort of a large vocabulary is slow on a CPU, so the most likely tokens are tried first; it must be certain
    that the nucleus ends among them, ties included. On other devices the check would cost more than the sort.
    """
    share = _column(top_ps, p)
    size = p.shape[-1]
    if p.device.type != "cpu" or size <= 2 * _TOP:
        return _from_sorted(*torch.sort(p, dim=-1, descending=True, stable=True), share, uniforms)
    ids = p.topk(_TOP, -1).indices.sort(-1).values
    values, order = torch.sort(p.gather(-1, ids), dim=-1, descending=True, stable=True)
    inside = values.cumsum(-1) - values < share
    ends = values.gather(-1, (inside.sum(-1, keepdim=True) - 1).clamp(min=0))
    short = (ends <= values[:, -1:])[:, 0]  # never true of NaN
    tokens = _from_sorted(values, ids.gather(-1, order), share, uniforms)
    if bool(short.any()):
        rows = short.nonzero()[:, 0]
        ordered = torch.sort(p[rows], dim=-1, descending=True, stable=True)
        tokens[rows] = _from_sorted(*ordered, share[rows], [uniforms[i] for i in rows.tolist()])
    return tokens


def _from_sorted(
    values: torch.Tensor, ids: torch.Tensor, share: torch.Tensor, uniforms: Sequence[float]
) -> torch.Tensor:
    cumulative = values.cumsum(-1)
    kept = torch.where(cumulative - values < share, values, 0.0)
    kept = torch.where(values.isnan(), values, kept)
    place = _inverse(kept, uniforms)
    return torch.where(place >= 0, ids.gather(-1, place.clamp(min=0)[:, None])[:, 0], BROKEN)
