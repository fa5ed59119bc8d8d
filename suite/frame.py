"""The columns of a run's frame: their names and their order, for the store that fills them and for who reads them."""

from __future__ import annotations

__all__ = ["FRAME_COLUMNS", "TAKEN", "TIMING_COLUMNS"]

FRAME_COLUMNS = (
    "model",
    "backend",
    "task",
    "version",
    "tier",
    "arm",
    "item",
    "item_hash",
    "sample",
    "stream",
    "position",
    "checkpoint",
    "agent",
    "outcome",
    "reason",
    "turns",
    "calls",
    "prompt_tokens",
    "completion_tokens",
    "reasoning_tokens",
    "cost",
    "transcript",
)
"""What stands before the metrics: who, which sample, how it ended, what it used, and the hash of what was written."""

TIMING_COLUMNS = ("seconds", "model_seconds", "cached_tokens", "replayed", "spared", "attempt")
"""What stands after them on request: it differs between equal runs."""

TAKEN = frozenset((*FRAME_COLUMNS, *TIMING_COLUMNS))
"""Names that no metric may have."""
