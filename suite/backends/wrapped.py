"""A backend around another: what it does not say itself is what the other says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .base import (
    Backend,
    Capabilities,
    Completion,
    Divergence,
    DivergenceRequest,
    GenerateRequest,
    HiddenRequest,
    ScoreRequest,
    TokenScores,
)

if TYPE_CHECKING:
    import numpy as np

__all__ = ["WrappedBackend"]


class WrappedBackend(Backend):
    """Hands everything on to the backend inside it; a subclass changes what it is there for.

    Args:
        inner: The backend that is asked.
    """

    def __init__(self, inner: Backend) -> None:
        self.inner = inner
        self.price, self.placement = inner.price, inner.placement
        self.name: str = getattr(inner, "name", type(inner).__name__)
        self.model: str = str(getattr(inner, "model", ""))

    # -- who and where

    @property
    def capabilities(self) -> Capabilities:  # pyright: ignore[reportIncompatibleVariableOverride] - they change at start
        """Those of the backend inside."""
        return self.inner.capabilities

    @property
    def reference(self) -> str | None:
        """That of the backend inside."""
        return self.inner.reference

    def bind(self, session: str, policy: Any) -> None:
        """Hand a policy on."""
        self.inner.bind(session, policy)

    def identity(self) -> dict[str, Any]:
        """That of the backend inside."""
        return self.inner.identity()

    def origin(self) -> dict[str, Any] | None:
        """That of the backend inside."""
        return self.inner.origin()

    def describe(self) -> dict[str, Any]:
        """What the backend inside says."""
        return self.inner.describe()

    def locate(self) -> None:
        """Find the model. Raises what the backend inside raises."""
        self.inner.locate()

    # -- life

    async def start(self) -> None:
        """Start the backend inside."""
        await self.inner.start()

    async def aclose(self) -> None:
        """Close the backend inside."""
        await self.inner.aclose()

    # -- requests

    async def generate(self, request: GenerateRequest) -> Completion:
        """Ask the backend inside."""
        return await self.inner.generate(request)

    def generate_wave(self, requests: Sequence[GenerateRequest]) -> list[Completion | Exception]:
        """Ask the backend inside."""
        return self.inner.generate_wave(requests)

    async def score(self, request: ScoreRequest) -> TokenScores:
        """Ask the backend inside."""
        return await self.inner.score(request)

    async def diverge(self, request: DivergenceRequest) -> Divergence:
        """Ask the backend inside."""
        return await self.inner.diverge(request)

    async def hidden_states(self, request: HiddenRequest) -> np.ndarray:
        """Ask the backend inside."""
        return await self.inner.hidden_states(request)

    def release(self, session: str) -> None:
        """Hand it on."""
        self.inner.release(session)

    # -- what people watch

    def delayed(self, session: str) -> float:
        """What the backend inside says."""
        return self.inner.delayed(session)

    def notice(self) -> str:
        """What the backend inside says."""
        return self.inner.notice()

    def stats(self) -> dict[str, float]:
        """What the backend inside says."""
        return self.inner.stats()
