"""What ``HFLM`` generated, row by row, before lm-eval cut it: its tokens, and what ended it.

lm-eval returns text without the stop string that ended it, so that nobody can tell a reply that was stopped from one
that ended by itself or at its cap. Its one call to ``generate`` is watched here instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Row", "RowWatch", "cut"]


@dataclass(frozen=True, slots=True)
class Row:
    """What was generated for one request.

    Args:
        text: As the tokenizer spells it, stop strings and what follows included.
        tokens: Up to the end of the turn, which is left out.
        ended: Whether the model ended its turn.
    """

    text: str
    tokens: tuple[int, ...]
    ended: bool


def cut(text: str, stops: Sequence[str]) -> tuple[str, str | None]:
    """Cut a text behind the first stop string.

    Args:
        text: A reply.
        stops: Strings that end it.

    Returns:
        The text with the stop string at its end, and the string; or the whole text and None.
    """
    found = [(text.index(stop) + len(stop), stop) for stop in stops if stop and stop in text]
    if not found:
        return text, None
    end, stop = min(found, key=lambda pair: (pair[0] - len(pair[1]), pair[0]))
    return text[:end], stop


class RowWatch:
    """Watches an ``HFLM`` at work.

    Args:
        lm: The model; its ``_model_generate`` is wrapped until :meth:`release`.
    """

    def __init__(self, lm: Any) -> None:
        self.lm = lm
        self._batches: list[tuple[int, Any]] = []
        self._generate = lm._model_generate
        lm._model_generate = self._watched
        ends = {getattr(lm.tokenizer, "eos_token_id", None), getattr(lm, "eot_token_id", None)}
        told = getattr(getattr(lm.model, "generation_config", None), "eos_token_id", None)
        ends.update(told if isinstance(told, list | tuple) else [told])
        self._ends = frozenset(int(end) for end in ends if end is not None)

    @staticmethod
    def fits(lm: Any) -> bool:
        """Whether a model is of the kind that can be watched: a decoder whose replies are not changed otherwise."""
        return (
            hasattr(lm, "_model_generate")
            and getattr(lm, "backend", None) == "causal"
            and getattr(lm, "think_end_token", None) is None
            and getattr(lm, "world_size", 1) == 1
        )

    def _watched(self, *args: Any, **kwargs: Any) -> Any:
        made = self._generate(*args, **kwargs)
        context = kwargs["context"] if "context" in kwargs else args[0]
        self._batches.append((int(context.shape[1]), made))
        return made

    def release(self) -> None:
        """Let the model go as it was."""
        self.lm._model_generate = self._generate

    def forget(self) -> None:
        """Drop what was seen. Called before each request to lm-eval."""
        self._batches = []

    def rows(self, prompts: Sequence[tuple[str, dict[str, Any]]], replies: Sequence[str]) -> list[Row] | None:
        """What was generated since :meth:`forget`, in the order of the requests.

        lm-eval 0.4.13 takes one set of settings after the other, within it long prompts first. That order is held
        against the replies.

        Args:
            prompts: Context and settings of each request.
            replies: What lm-eval returned for them.

        Returns:
            A row a request; None where it does not agree, so that nothing wrong is told.
        """
        batches, self._batches = self._batches, []
        generated = [made[columns:] for columns, batch in batches for made in batch.tolist()]
        if len(generated) != len(prompts):
            return None
        settings: list[dict[str, Any]] = []
        for _, kwargs in prompts:
            if kwargs not in settings:
                settings.append(kwargs)
        lengths = [len(self.lm.tok_encode(context)) for context, _ in prompts]
        order = sorted(
            range(len(prompts)), key=lambda i: (settings.index(prompts[i][1]), -lengths[i], prompts[i][0], i)
        )
        eos = self.lm.tok_decode(self.lm.eot_token_id, skip_special_tokens=False)
        found: list[Row | None] = [None] * len(prompts)
        for i, tokens in zip(order, generated, strict=True):
            text = self.lm.tok_decode(tokens)
            stripped = text
            for stop in (*prompts[i][1]["until"], eos):
                stripped = stripped.split(stop)[0] if stop else stripped
            if stripped != replies[i]:
                return None
            end = next((k for k, token in enumerate(tokens) if token in self._ends), None)
            kept = tuple(tokens if end is None else tokens[:end])
            found[i] = Row(self.lm.tok_decode(list(kept)), kept, ended=end is not None)
        return [row for row in found if row is not None]

    def length(self, tokens: Sequence[int], stop: str) -> int:
        """Count the tokens up to the one that completes ``stop``."""
        low, high = 0, len(tokens)
        while low < high:
            middle = (low + high) // 2
            if stop in self.lm.tok_decode(list(tokens[:middle])):
                high = middle
            else:
                low = middle + 1
        return low
