"""A vector that is added to a layer's residual stream while a model reads or writes.

The source of the method is Turner et al. 2023 ("Activation addition: steering language models without optimization",
arXiv 2308.10248); Zou et al. 2023 ("Representation engineering", arXiv 2310.01405) take the vector from differences of
hidden states.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Steering"]


class Steering:
    """One addition to one layer.

    Args:
        layer: After which block it is added; 0 is the first, negative numbers count from the last.
        vector: ``[hidden]``, finite numbers.
        strength: Factor of the vector.
        where: ``all`` positions, or those of the ``reply`` alone: the tokens after the request's own prompt, also when
            it is a later turn of a conversation (earlier replies are then part of the prompt).

    Raises:
        ValueError: A value is not as described.
    """

    __slots__ = ("digest", "layer", "strength", "vector", "where")

    def __init__(
        self, layer: int, vector: np.ndarray, strength: float = 1.0, where: Literal["all", "reply"] = "all"
    ) -> None:
        import numpy as np

        copy = np.array(vector, dtype=np.float32)
        if copy.ndim != 1 or not copy.size or not np.isfinite(copy).all() or not np.isfinite(strength):
            raise ValueError(f"steering needs a vector [hidden] of finite numbers, not one of shape {copy.shape}")
        if where not in ("all", "reply"):
            raise ValueError(f"steering: where is 'all' or 'reply', not {where!r}")
        copy.setflags(write=False)
        self.layer, self.vector, self.strength, self.where = int(layer), copy, float(strength), where
        self.digest = hashlib.sha256(f"{self.layer} {self.strength!r} {where}\n".encode() + copy.tobytes()).hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Steering) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        return f"Steering(layer={self.layer}, strength={self.strength:g}, where={self.where!r}, {self.digest[:12]})"
