"""A backend whose every request is steered by one vector: another model, and never taken for the plain one."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

from ..errors import UsageError
from .base import (
    Backend,
    Completion,
    Divergence,
    DivergenceRequest,
    GenerateRequest,
    HiddenRequest,
    Message,
    ScoreRequest,
    TokenScores,
)
from .steering import Steering
from .vector_file import VectorFile, read_vector
from .wrapped import WrappedBackend

if TYPE_CHECKING:
    import numpy as np

__all__ = ["SteeredBackend"]

_Request = TypeVar("_Request", GenerateRequest, ScoreRequest, HiddenRequest, DivergenceRequest)


class SteeredBackend(WrappedBackend):
    """Adds a vector to the residual stream of another backend's model, in every request.

    The vector's hash, its layer, the strength and the positions are part of :meth:`identity`, and so of a run's
    specification and of a response cache's keys: a steered run never shares a key with a plain one, nor with one of
    another strength.

    Args:
        inner: Runs the model.
        vector: The vector, or its file.
        strength: Factor of the vector; 0 leaves every token as it is.
        where: ``all``: the vector is added at every position, prompt and reply. ``reply``: at those of the reply.

    Raises:
        UsageError: There is no such vector, or a value is none.
        StoreError: The file is damaged.
    """

    def __init__(
        self, inner: Backend, vector: VectorFile | str | Path, *, strength: float | str = 1.0, where: str = "all"
    ) -> None:
        super().__init__(inner)
        self.vector = vector if isinstance(vector, VectorFile) else read_vector(Path(vector).expanduser())
        try:
            number = float(strength)
        except (TypeError, ValueError):
            number = math.nan
        if not math.isfinite(number) or isinstance(strength, bool):
            raise UsageError(f"steering_strength must be a number, not {strength!r}.")
        if where not in ("all", "reply"):
            raise UsageError(f"steering_where is 'all' or 'reply', not {where!r}.")
        self.strength = number
        self.where = cast("Literal['all', 'reply']", where)
        self.steering = Steering(self.vector.layer, self.vector.direction.vector, number, self.where)

    def __repr__(self) -> str:
        return f"SteeredBackend({self.inner!r}, {self.steering!r})"

    # -- who and where

    def identity(self) -> dict[str, Any]:
        """That of the model, and under ``steering`` what is added to it."""
        return {
            **self.inner.identity(),
            "steering": {
                "vector": self.vector.digest,
                "layer": self.vector.layer,
                # As text: hashes of identities round numbers to 6 decimals, and no two strengths may fall together.
                "strength": repr(self.strength),
                "where": self.where,
            },
        }

    def locate(self) -> None:
        """Find the model, and see that the vector belongs to it.

        Raises:
            BackendUnavailable: The model cannot be had here.
            UsageError: The vector is of another model.
        """
        self.inner.locate()
        self.vector.check(self.inner.identity())

    # -- life

    async def start(self) -> None:
        """Start the model, and see that it has the layer, as wide as the vector.

        Raises:
            UsageError: It has not, or cannot be steered.
        """
        await self.inner.start()
        self.vector.check(self.inner.identity())
        if not self.capabilities.steering:
            raise UsageError(f"{type(self.inner).__name__} cannot steer {self.model}: its layers were not found.")
        # The smallest request that goes through the layer: what does not fit is refused here, before any sample.
        await self.hidden_states(HiddenRequest((Message("user", "?"),), (self.vector.layer,)))

    # -- requests

    def _steered(self, request: _Request) -> _Request:
        return dataclasses.replace(request, steering=(*request.steering, self.steering))

    async def generate(self, request: GenerateRequest) -> Completion:
        """Ask with the vector added; to what the request itself adds. Raises what the backend raises."""
        return await self.inner.generate(self._steered(request))

    def generate_wave(self, requests: Sequence[GenerateRequest]) -> list[Completion | Exception]:
        """Ask with the vector added."""
        return self.inner.generate_wave([self._steered(request) for request in requests])

    async def score(self, request: ScoreRequest) -> TokenScores:
        """Score with the vector added."""
        return await self.inner.score(self._steered(request))

    async def diverge(self, request: DivergenceRequest) -> Divergence:
        """Compare with the vector added after both prompts."""
        return await self.inner.diverge(self._steered(request))

    async def hidden_states(self, request: HiddenRequest) -> np.ndarray:
        """Read the stream with the vector added."""
        return await self.inner.hidden_states(self._steered(request))
