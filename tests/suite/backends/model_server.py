"""A server that says of prompts what a real model predicts, as vLLM does; its replies are those of a policy."""

from __future__ import annotations

from typing import Any

import torch
from aiohttp import web

from .faulty_server import Body, FaultyServer


class ModelServer(FaultyServer):
    """Answers ``prompt_logprobs`` with the likeliest tokens of a toy model.

    Args:
        served: The model.
        words: Its tokenizer.
        **given: As for :class:`FaultyServer`.
    """

    def __init__(self, served: Any, words: Any, **given: Any) -> None:
        super().__init__(**{"context": 8192, **given})
        self.served, self.words = served, words

    async def _tokenize(self, request: web.Request) -> web.Response:
        body = await request.json()
        text = body.get("prompt")
        if text is None:
            text = self.words.apply_chat_template(body["messages"], tokenize=False, add_generation_prompt=True)
        return web.json_response({"tokens": self.words.encode(text, add_special_tokens=False)})

    def places(self, tokens: list[int], count: int) -> list[Body | None]:
        """The likeliest tokens of each place, and the one that stands there."""
        with torch.inference_mode():
            scores = self.served(torch.tensor([tokens])).logits[0, :-1].float().log_softmax(-1)
        found: list[Body | None] = [None]
        for row, token in zip(scores, tokens[1:], strict=True):
            top = row.topk(min(count, len(row)))
            place = {int(k): float(v) for k, v in zip(top.indices, top.values, strict=True)}
            place.setdefault(token, float(row[token]))
            found.append({str(k): {"logprob": max(v, -9999.0), "rank": 1} for k, v in place.items()})
        return found
