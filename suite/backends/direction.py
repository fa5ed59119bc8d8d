"""A direction in the residual stream: the first principal component of differences between hidden states.

The method is the one that the CreativeBench paper (arXiv 2603.11863) calls EvoRePE, after Zou et al. 2023
("Representation engineering", arXiv 2310.01405): for pairs of a plain and an evolved prompt the differences of hidden
states at one layer are stacked, and their first principal component is added to the stream at that layer. No code was
published, and the paper leaves several choices open; each is a field of :class:`Choices` with a default of ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

__all__ = ["Choices", "Direction", "principal_direction", "random_direction"]

_TIED = 1e-6  # of the first singular value: nearer than that, rounding chooses the direction


@dataclass(frozen=True, slots=True)
class Choices:
    """What the paper leaves open.

    Args:
        positions: Which hidden state stands for a prompt. ``last``: its last token's, where the reply begins (the
            paper's example). ``mean``: the mean over all tokens but the first, whose state is of another size in most
            decoders (Xiao et al. 2023, "attention sinks", arXiv 2309.17453) and would make the length of a prompt
            the largest difference.
        centre: Whether the mean difference is taken off before the component is found, as principal components are
            defined (Pearson 1901). Off by default: what the pairs have in common, which is what steering adds, is
            that mean.
        sign: A component has no sign of its own. ``mean``: the mean difference projects on it with a positive sign,
            so that a positive strength leads towards the evolved prompts. ``majority``: more than half of the
            differences do. ``largest``: its largest coordinate is positive, whatever the prompts.
        scale: Length of the vector at strength 1. ``unit``: 1. ``shift``: that of the mean difference's projection.
            ``stream``: the mean length of the plain prompts' hidden states, so that a strength is a share of it.
        count_from: What layer 0 is. ``block``: the output of the first block, as in :class:`.Steering`. ``embedding``:
            the embeddings, as in the ``hidden_states`` of transformers, so that the first block is layer 1.

    Raises:
        ValueError: A value is none of these.
    """

    positions: Literal["last", "mean"] = "last"
    centre: bool = False
    sign: Literal["mean", "majority", "largest"] = "mean"
    scale: Literal["unit", "shift", "stream"] = "unit"
    count_from: Literal["block", "embedding"] = "block"

    def __post_init__(self) -> None:
        known = {
            "positions": ("last", "mean"),
            "centre": (True, False),
            "sign": ("mean", "majority", "largest"),
            "scale": ("unit", "shift", "stream"),
            "count_from": ("block", "embedding"),
        }
        for name, values in known.items():
            if getattr(self, name) not in values:
                raise ValueError(f"{name} must be one of {', '.join(map(str, values))}, not {getattr(self, name)!r}")


@dataclass(frozen=True, slots=True, eq=False)
class Direction:
    """A direction, and how well the pairs agree on it.

    Args:
        vector: float32 ``[hidden]``, as long as the scale says.
        pairs: How many differences it comes from.
        explained: Share of the differences' sum of squares (centred, if they were) that lies along it, in (0, 1].
        shift: Mean projection of the differences on the unit vector, in the stream's own units; negative where the
            sign was not chosen by it.
        stream: Mean length of the plain prompts' hidden states, in the same units.
        held_out: Share of pairs whose difference points the same way as the direction that all *other* pairs give;
            .5 is chance. None with fewer than three pairs, or where some rest has no direction.
    """

    vector: np.ndarray
    pairs: int
    explained: float
    shift: float
    stream: float
    held_out: float | None


def principal_direction(differences: np.ndarray, stream: float, choices: Choices | None = None) -> Direction:
    """Find the first principal component of differences.

    Args:
        differences: ``[pairs, hidden]``, evolved minus plain.
        stream: Mean length of the plain prompts' hidden states, above 0.
        choices: How; by default :class:`Choices` as it is.

    Raises:
        ValueError: The differences are no finite matrix, are all zero (centring leaves nothing of one pair), or do not
            determine a direction or its sign.
    """
    choices = choices or Choices()
    d = np.asarray(differences, dtype=np.float64)
    if d.ndim != 2 or not d.size or not np.isfinite(d).all():
        raise ValueError(f"differences must be a matrix [pairs, hidden] of finite numbers, not of shape {d.shape}")
    if not (np.isfinite(stream) and stream > 0):
        raise ValueError(f"the length of the stream must be above 0, not {stream!r}")
    unit, explained = _component(d, choices)
    shift = float((d @ unit).mean())
    length = {"unit": 1.0, "shift": abs(shift), "stream": float(stream)}[choices.scale]
    if not length > 0:
        raise ValueError("the mean difference has no part along the component: scale=shift has no length for it")
    return Direction((length * unit).astype(np.float32), len(d), explained, shift, float(stream), _held_out(d, choices))


def _component(d: np.ndarray, choices: Choices) -> tuple[np.ndarray, float]:
    """The unit vector and the share of the sum of squares along it."""
    rows = d - d.mean(axis=0) if choices.centre else d
    _, s, vt = np.linalg.svd(rows, full_matrices=False)
    largest = float(np.linalg.norm(d, axis=1).max())
    if not s[0] > 1e-9 * largest or not largest:
        why = "less their mean, " if choices.centre else ""
        raise ValueError(f"the differences are {why}all zero: {len(d)} pairs give no direction")
    if len(s) > 1 and s[0] - s[1] < _TIED * s[0]:
        raise ValueError("the first two principal components are equally long: the pairs determine no direction")
    unit = vt[0]
    return unit * _sign(unit, d @ unit, choices.sign), float(s[0] ** 2 / (s**2).sum())


def _sign(unit: np.ndarray, projections: np.ndarray, how: str) -> float:
    if how == "largest":
        return float(np.sign(unit[np.abs(unit).argmax()]))
    score = float(projections.mean()) if how == "mean" else float(np.sign(projections).sum())
    if abs(score) <= _TIED * float(np.abs(projections).max()):
        raise ValueError(f"the pairs do not agree on a sign ({how}); choose sign=largest, or other pairs")
    return 1.0 if score > 0 else -1.0


def _held_out(d: np.ndarray, choices: Choices) -> float | None:
    if len(d) < 3:
        return None
    hits = 0
    for i in range(len(d)):
        rest = np.delete(d, i, axis=0)
        try:
            unit, _ = _component(rest, choices)
        except ValueError:
            return None
        hits += bool(d[i] @ unit > 0)
    return hits / len(d)


def random_direction(like: Direction, seed: int) -> Direction:
    """A direction drawn uniformly, of the same length: the control that tells a direction's effect from any push's.

    Args:
        like: Gives the length and the width.
        seed: Decides the draw.
    """
    from ..seeds import generator

    drawn = generator("steering-control", seed).normal(size=like.vector.size)
    length = float(np.linalg.norm(like.vector.astype(np.float64)))
    vector = (length / np.linalg.norm(drawn) * drawn).astype(np.float32)
    return Direction(vector, 0, 0.0, 0.0, like.stream, None)
