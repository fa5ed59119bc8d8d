"""Backends: text in, text out. ``base`` says what one is; each other file is one kind."""

from .base import (
    Backend,
    Capabilities,
    Completion,
    ContextOverflow,
    Divergence,
    DivergenceRequest,
    GenerateRequest,
    HiddenRequest,
    Message,
    ScoreRequest,
    Steering,
    TokenScores,
)

__all__ = [
    "Backend",
    "Capabilities",
    "Completion",
    "ContextOverflow",
    "Divergence",
    "DivergenceRequest",
    "GenerateRequest",
    "HiddenRequest",
    "Message",
    "ScoreRequest",
    "Steering",
    "TokenScores",
]
