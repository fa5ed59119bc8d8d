"""The backend without anything behind it, for agents that ask no model."""

from __future__ import annotations

from typing import Any

from ..errors import BackendUnavailable, UsageError
from .base import Backend, Capabilities, Completion, GenerateRequest, ScoreRequest, TokenScores

__all__ = ["NoBackend"]


class NoBackend(Backend):
    """Answers nothing: a run of an agent that acts without a model (``tabular``, ``bandit``, ``least-squares``).

    The first request stops the run: an agent that asks a model would get no further in any other sample.

    Args:
        model: There is none; a name is refused.
    """

    name = "none"
    capabilities = Capabilities(scheduling="own", concurrency=256, seeds=True, logprobs="none", deterministic=True)

    def __init__(self, model: str = "") -> None:
        if model:
            raise UsageError(f"--backend none has no model, so it cannot have {model!r}. Write --backend none.")

    def identity(self) -> dict[str, Any]:
        """That there is no model."""
        return {"name": "none"}

    async def generate(self, request: GenerateRequest) -> Completion:
        """Refuse.

        Raises:
            BackendUnavailable: Always.
        """
        raise _refusal("a reply")

    async def score(self, request: ScoreRequest) -> TokenScores:
        """Refuse.

        Raises:
            BackendUnavailable: Always.
        """
        raise _refusal("log-probabilities")


def _refusal(wanted: str) -> BackendUnavailable:
    return BackendUnavailable(
        f"The agent asked its model for {wanted}, but --backend none has no model: it is for agents that ask none, "
        "such as tabular, bandit and least-squares. Name a model, such as --backend hf:smollm2, or one of those agents."
    )
