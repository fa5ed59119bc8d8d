"""Rotary frequencies of models that have two sets of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["settle_positions"]


def settle_positions(model: Any, context: int) -> Callable[[], None] | None:
    """Have a model with two sets of rotary frequencies (LongRoPE) use one of them for every request.

    transformers chooses anew in each pass, by the longest row in it: a short prompt would get another reply beside a
    long one, and cached keys would be read with other frequencies than they were made with. Here the long set holds for
    all, as soon as the context is longer than what the short set is for; so do vLLM's servers. With a shorter context
    transformers itself never leaves the short set. The two sets are those of Ding et al. 2024 ("LongRoPE: extending LLM
    context window beyond 2 million tokens", arXiv 2402.13753).

    Args:
        model: A loaded model.
        context: Tokens of prompt and reply at most.

    Returns:
        Undoes it; None where there was nothing to do.
    """
    import torch

    undo: list[tuple[Any, Any]] = []
    for module in model.modules():
        if getattr(module, "rope_type", None) != "longrope" or not hasattr(module, "original_inv_freq"):
            continue
        settings = getattr(module.config, "rope_parameters", None) or getattr(module.config, "rope_scaling", None) or {}
        short = settings.get("original_max_position_embeddings") or getattr(
            module.config, "original_max_position_embeddings", None
        )
        if not short or context <= short:
            continue
        from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

        before = module.original_inv_freq
        long, _ = ROPE_INIT_FUNCTIONS["longrope"](module.config, before.device, seq_len=short + 1)
        with torch.no_grad():
            module.original_inv_freq = long.clone()
            module.inv_freq.copy_(long)
        undo.append((module, before))
    if not undo:
        return None

    def restore() -> None:
        for module, before in undo:
            module.original_inv_freq = before
            module.inv_freq.copy_(before)

    return restore
