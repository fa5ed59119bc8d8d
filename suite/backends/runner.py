"""Runs a model over rows that come and go.

:class:`ArenaRunner` is the way of choice, :class:`PaddedRunner` is for models that it cannot serve.

A runner holds ``count`` rows, in slots 0 to count - 1. It knows tokens and logits; sampling and texts are elsewhere.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
import torch

from .attention import Span, spans, with_spans
from .kv_cache import Arena, Kept, SessionCache, round_up

__all__ = ["Admitted", "ArenaRunner", "Interrupted", "PaddedRunner", "Prompt", "Runner", "reference_logits"]

_CHUNK = 512  # columns of one prefill forward at most
_LOGITS = 64 << 20  # numbers in one block of logits at most
_HEADROOM = 64  # tokens beyond its prompt that a new row finds room for


class Interrupted(Exception):
    """The loop is closing; a long prefill stops between two chunks."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A row that wants in.

    Args:
        tokens: Its prompt, ``[n]``, at least one token.
        session: Whose cache it may use; empty for none.
        need: Tokens that the row may grow to, its prompt included.
    """

    tokens: np.ndarray
    session: str
    need: int


@dataclass(frozen=True, slots=True)
class Admitted:
    """What :meth:`Runner.admit` did.

    Args:
        order: ``order[k]`` is the prompt that went to the k-th new slot.
        cached: Prompt tokens that were not computed again, by new slot.
        logits: Of the token after each prompt, by new slot, ``[n, vocabulary]``.
    """

    order: list[int]
    cached: list[int]
    logits: torch.Tensor


class Runner(Protocol):
    """Rows in, logits out."""

    count: int
    refills: bool
    """Whether rows can be admitted while others are in work."""

    def room(self, prompts: Sequence[Prompt]) -> int:
        """How many of the prompts, from the first, can be admitted now as far as memory goes; at least 1 if empty."""
        ...

    def admit(self, prompts: Sequence[Prompt], closing: Callable[[], bool]) -> Admitted:
        """Take rows in behind those that are there, and compute their prompts."""
        ...

    def step(self, tokens: Sequence[int]) -> torch.Tensor:
        """Give every row its next token; returns the logits of the one after, ``[count, vocabulary]``."""
        ...

    def remove(self, slot: int, session: str, tokens: Callable[[], np.ndarray]) -> None:
        """End a row. The last row takes its slot. Its cache is kept for the session, if that is not empty."""
        ...

    def score(
        self, prompts: Sequence[Prompt], continuations: Sequence[np.ndarray], closing: Callable[[], bool]
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """Log-probabilities of continuations and whether each token was the most likely one."""
        ...

    def clear(self) -> None:
        """Drop all rows and give their memory back."""
        ...


def _accepts(model: Any, name: str) -> bool:
    parameters = inspect.signature(model.forward).parameters
    return name in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values())


def _device(model: Any) -> torch.device:
    return model.get_input_embeddings().weight.device


def reference_logits(model: Any, tokens: np.ndarray) -> torch.Tensor:
    """Logits of every position of one sequence by the model's own plain forward pass, ``[n, vocabulary]``."""
    ids = torch.from_numpy(tokens.astype(np.int64))[None].to(_device(model))
    return model(input_ids=ids, use_cache=False).logits[0].float()


def _gathered(logits: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Log-probabilities of targets under ``logits`` and whether each is the largest; float32, in blocks."""
    flat, goal = logits.reshape(-1, logits.shape[-1]), targets.reshape(-1)
    rows = max(1, _LOGITS // flat.shape[-1])
    scores, greedy = [], []
    for block, want in zip(flat.split(rows), goal.split(rows), strict=True):
        block = block.float()
        picked = block.gather(1, want[:, None])[:, 0]
        scores.append(picked - block.logsumexp(-1))
        greedy.append(block.argmax(-1) == want)
    return torch.cat(scores).view(targets.shape), torch.cat(greedy).view(targets.shape)


class ArenaRunner:
    """Rows of unequal length side by side in an :class:`~finchmark.suite.backends.kv_cache.Arena`.

    Nothing is padded but the new tokens of one forward pass: each row has its own length, positions and mask.

    Args:
        model: A decoder of transformers with attention only.
        sessions: Where rows' caches live between turns.
        arena_bytes: What the arena may grow to.
        prefill_tokens: New tokens of one forward pass at most, over all rows.
    """

    refills = True

    def __init__(self, model: Any, sessions: SessionCache, *, arena_bytes: int, prefill_tokens: int) -> None:
        config = model.config.get_text_config()
        self.model, self.sessions, self.config = model, sessions, config
        self.arena_bytes, self.prefill_tokens = arena_bytes, prefill_tokens
        self.device, self.dtype = _device(model), model.dtype
        self.arena = Arena(config.num_hidden_layers)
        self.count = 0
        self.lengths: list[int] = []
        self.needs: list[int] = []
        self._bytes_per_token = 0
        self._extra: dict[str, Any] = {"use_cache": True, "return_dict": True}
        self._keeps = _accepts(model, "logits_to_keep")
        kinds = list(dict.fromkeys(getattr(config, "layer_types", None) or ()))
        if not kinds:
            kinds = ["sliding_attention" if getattr(config, "sliding_window", None) else "full_attention"]
            if hasattr(config, "use_sliding_window") and not config.use_sliding_window:
                kinds = ["full_attention"]
        unknown = set(kinds) - {"full_attention", "sliding_attention", "chunked_attention"}
        if unknown:
            raise NotImplementedError(f"layers of the kind {', '.join(sorted(unknown))}")
        self._kinds = kinds

    # -- memory

    def room(self, prompts: Sequence[Prompt]) -> int:
        """How many of the prompts fit, counting every row at the length that it may grow to."""
        longest, fitting = max(self.needs, default=0), 0
        for i, prompt in enumerate(prompts):
            longest = max(longest, prompt.need)
            if (self.count + i + 1) * round_up(longest + 1) * self._bytes_per_token > self.arena_bytes:
                break
            fitting = i + 1
        return max(fitting, 0 if self.count else min(1, len(prompts)))

    # -- rows

    def admit(self, prompts: Sequence[Prompt], closing: Callable[[], bool]) -> Admitted:
        """Take rows in; each computes only what no cache spares, and equal prompts are computed once."""
        first = self.count
        leaders, followers = self._twins(prompts)
        found = {i: self._found(prompts[i]) for i in leaders}
        leaders.sort(key=lambda i: found[i][1] - len(prompts[i].tokens))  # the most to compute first
        order = leaders + [i for i, _ in followers]
        self._enter(first, [prompts[i] for i in order])
        try:
            starts = []
            for k, i in enumerate(leaders):
                kept, n = found[i]
                if kept is not None and n:
                    self.arena.put(first + k, kept.pairs, n)
                starts.append(n)
            logits = self._prefill(first, [prompts[i].tokens for i in leaders], starts, closing)
            cached = list(starts)
            if followers:
                place = {i: k for k, i in enumerate(leaders)}
                for k, (i, leader) in enumerate(followers, start=len(leaders)):
                    self.arena.move(first + place[leader], first + k, len(prompts[i].tokens))
                    cached.append(len(prompts[i].tokens))
                twins = torch.tensor([place[leader] for _, leader in followers], device=logits.device)
                logits = torch.cat([logits, logits[twins]])
        except BaseException:
            self._leave(first)
            raise
        return Admitted(order, cached, logits)

    def _enter(self, first: int, prompts: Sequence[Prompt]) -> None:
        longest = max([min(p.need, len(p.tokens) + _HEADROOM) for p in prompts] + self.lengths)
        slots = first + len(prompts)
        if slots > self.arena.slots:
            slots = max(slots, min(2 * self.arena.slots, slots + 8))
        self.arena.ensure(slots, longest, first, max(self.lengths, default=0))
        self.lengths += [len(p.tokens) for p in prompts]
        self.needs += [p.need for p in prompts]
        self.count += len(prompts)

    def _leave(self, first: int) -> None:
        self.count = first
        del self.lengths[first:], self.needs[first:]

    def _found(self, prompt: Prompt) -> tuple[Kept | None, int]:
        kept, n = self.sessions.find(prompt.session, prompt.tokens)
        return kept, min(n, len(prompt.tokens) - 1)  # one token is left to give logits

    @staticmethod
    def _twins(prompts: Sequence[Prompt]) -> tuple[list[int], list[tuple[int, int]]]:
        leaders: list[int] = []
        followers: list[tuple[int, int]] = []
        seen: dict[bytes, int] = {}
        for i, prompt in enumerate(prompts):
            leader = seen.setdefault(prompt.tokens.tobytes(), i)
            if leader == i:
                leaders.append(i)
            else:
                followers.append((i, leader))
        return leaders, followers

    def _prefill(
        self, first: int, prompts: Sequence[np.ndarray], starts: Sequence[int], closing: Callable[[], bool]
    ) -> torch.Tensor:
        """Compute the prompts from their starts, in groups of similar length; returns the last tokens' logits."""
        logits = []
        left = [len(p) - s for p, s in zip(prompts, starts, strict=True)]
        a = 0
        while a < len(prompts):
            b = a + 1
            while (
                b < len(prompts)
                and left[b] * 2 >= left[a] - 16
                and (b + 1 - a) * min(left[a], 64) <= self.prefill_tokens
            ):
                b += 1
            for _, _, block in self._columns(first + a, prompts[a:b], starts[a:b], 1, closing):
                logits.append(block[:, -1])
            a = b
        return torch.cat(logits) if len(logits) > 1 else logits[0]

    def _columns(
        self, first: int, rows: Sequence[np.ndarray], starts: Sequence[int], wanted: int, closing: Callable[[], bool]
    ):  # type: ignore[no-untyped-def]  # a generator of (rows, column, logits), private to this class
        """Feed rows, sorted by falling number of new tokens, aligned at their ends, chunk by chunk.

        Yields:
            Rows taking part, column (counted from the end, negative) and logits for the last ``wanted`` columns.
        """
        left = np.array([len(r) - s for r, s in zip(rows, starts, strict=True)])
        width = int(left[0])
        chunk = int(min(_CHUNK, max(16, self.prefill_tokens // len(rows))))
        edges = [0, *range(width % chunk or chunk, width + 1, chunk)]
        ends = np.array([len(r) for r in rows])
        for a, b in pairwise(edges):
            if closing():
                raise Interrupted
            part = int(np.count_nonzero(left > width - b))
            at = ends[:part, None] - width + np.arange(a, b)[None, :]  # the token's position; below start is padding
            real = at >= np.asarray(starts[:part])[:, None]
            ids = np.zeros(at.shape, dtype=np.int64)
            for i in range(part):
                ids[i, real[i]] = rows[i][at[i][real[i]]]
            keep = min(b - a, max(0, wanted - (width - b)))
            seen = np.where(real, at, 0)
            target = np.where(real, at, self.arena.capacity - 1)
            logits = self._forward(first, ids, seen, target, int(at[:, -1].max()) + 1, max(keep, 1))
            if keep:
                yield part, a - width + (b - a - keep), logits

    def step(self, tokens: Sequence[int]) -> torch.Tensor:
        """One token for every row."""
        longest = max(self.lengths) + 1
        self.arena.ensure(self.count, longest, self.count, longest - 1)
        at = np.array(self.lengths, dtype=np.int64)[:, None]
        ids = np.array(tokens, dtype=np.int64)[:, None]
        logits = self._forward(0, ids, at, at, longest, 1)[:, -1]
        self.lengths = [n + 1 for n in self.lengths]
        return logits

    def remove(self, slot: int, session: str, tokens: Callable[[], np.ndarray]) -> None:
        """End a row."""
        length = self.lengths[slot]
        if session and self.sessions.fits(length * self._bytes_per_token):
            self.sessions.keep(session, Kept(tokens()[:length], self.arena.take(slot, length)))
        last = self.count - 1
        if slot != last:
            self.arena.move(last, slot, self.lengths[last])
            self.lengths[slot], self.needs[slot] = self.lengths[last], self.needs[last]
        self._leave(last)

    def clear(self) -> None:
        """Drop all rows and give their memory back."""
        self._leave(0)
        self.arena.free()

    # -- forward

    def _forward(
        self, first: int, ids: np.ndarray, seen: np.ndarray, target: np.ndarray, length: int, keep: int
    ) -> torch.Tensor:
        """Run the model.

        Args:
            first: Slot of the first row.
            ids: Tokens, ``[rows, columns]``.
            seen: Their positions; each sees the positions up to its own.
            target: Where their keys and values go.
            length: Positions in use after this pass.
            keep: Columns, from the end, whose logits are wanted.
        """
        rows = len(ids)
        length = min(round_up(length), self.arena.capacity)
        packed = torch.from_numpy(np.stack([ids, seen, target])).to(self.device, non_blocking=True)
        slots = torch.arange(first, first + rows, device=self.device)[:, None]
        self.arena.aim(first, first + rows, length, slots, packed[2])
        parts = spans([min(round_up(int(n) + 1), length) for n in seen.max(axis=1)])
        extra = dict(self._extra)
        if self._keeps:
            extra["logits_to_keep"] = keep
        out = self.model(
            input_ids=packed[0],
            position_ids=packed[1],
            attention_mask=self._mask(packed[1], length, parts),
            past_key_values=self.arena,
            **extra,
        )
        if not self._bytes_per_token:
            self._measure()
        return out.logits[:, -keep:]

    def _measure(self) -> None:
        for layer in self.arena.layers:
            for x in (layer.keys, layer.values):  # type: ignore[union-attr]  # our own layers have both
                if x is None:  # the layer uses another's
                    continue
                self._bytes_per_token += x.shape[1] * x.shape[3] * x.element_size()

    def _mask(self, positions: torch.Tensor, length: int, parts: tuple[Span, ...]) -> Any:
        keys = torch.arange(length, device=self.device)
        query = positions[:, None, :, None]
        masks = {}
        for kind in self._kinds:
            hidden = keys > query
            if kind == "sliding_attention":
                hidden = hidden | (keys <= query - self.config.sliding_window)
            elif kind == "chunked_attention":
                size = self.config.attention_chunk_size
                hidden = hidden | (keys // size != query // size)
            mask = torch.zeros(hidden.shape, dtype=self.dtype, device=self.device)
            masks[kind] = with_spans(mask.masked_fill_(hidden, torch.finfo(self.dtype).min), parts)
        return masks if len(masks) > 1 else next(iter(masks.values()))

    # -- scores

    def score(
        self, prompts: Sequence[Prompt], continuations: Sequence[np.ndarray], closing: Callable[[], bool]
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """Score continuations of at least one token; rows are let in for it and leave at once."""
        results: list[tuple[np.ndarray, np.ndarray] | None] = [None] * len(prompts)
        first = self.count
        found = [self._found(p) for p in prompts]
        wholes = [np.concatenate([p.tokens, c[:-1]]) for p, c in zip(prompts, continuations, strict=True)]
        order = sorted(range(len(prompts)), key=lambda i: found[i][1] - len(wholes[i]))
        self._enter(first, [Prompt(wholes[i], prompts[i].session, len(wholes[i])) for i in order])
        try:
            for k, i in enumerate(order):
                kept, n = found[i]
                if kept is not None and n:
                    self.arena.put(first + k, kept.pairs, n)
            columns = max(len(c) for c in continuations)
            # Aligned at the end: column -j of a row predicts the j-th token from the end of its continuation.
            targets = np.zeros((len(prompts), columns), dtype=np.int64)
            for k, i in enumerate(order):
                targets[k, columns - len(continuations[i]) :] = continuations[i]
            goal = torch.from_numpy(targets).to(self.device)
            scores = np.zeros(targets.shape)
            greedy = np.zeros(targets.shape, dtype=bool)
            starts = [found[i][1] for i in order]
            for rows, column, logits in self._columns(first, [wholes[i] for i in order], starts, columns, closing):
                a, b = columns + column, columns + column + logits.shape[1]
                part, best = _gathered(logits, goal[:rows, a:b].to(logits.device))
                scores[:rows, a:b], greedy[:rows, a:b] = part.cpu().numpy(), best.cpu().numpy()
            for k, i in enumerate(order):
                n = len(continuations[i])
                results[i] = scores[k, columns - n :], greedy[k, columns - n :]
        finally:
            self._leave(first)
        return [r for r in results if r is not None]


class PaddedRunner:
    """The plain way, for models that keep more than keys and values: whole waves, no reuse between turns.

    Rows of a wave begin together. With attention only, they are padded on the left; a model with a recurrent state
    gets prompts of equal length together, since padding would enter its state.

    Args:
        model: A decoder of transformers.
        recurrent: Whether the model has a recurrent state.
    """

    refills = False

    def __init__(self, model: Any, *, recurrent: bool) -> None:
        self.model, self.recurrent, self.device = model, recurrent, _device(model)
        self.count = 0
        self._keeps = _accepts(model, "logits_to_keep")
        self._positions = _accepts(model, "position_ids")
        self._masks = _accepts(model, "attention_mask")
        self._counts = "cache_position" in inspect.signature(model.forward).parameters  # transformers 4
        self.clear()

    def clear(self) -> None:
        """Drop all rows."""
        self.count, self._rows = 0, []
        self._state: dict[str, Any] = {}
        self._mask: torch.Tensor | None = None
        self._next: torch.Tensor | None = None

    def room(self, prompts: Sequence[Prompt]) -> int:
        """All of them, or those of the first one's length."""
        if self.count:
            return 0
        if self.recurrent:
            n = 0
            while n < len(prompts) and len(prompts[n].tokens) == len(prompts[0].tokens):
                n += 1
            return n
        return len(prompts)

    def admit(self, prompts: Sequence[Prompt], closing: Callable[[], bool]) -> Admitted:
        """Begin a wave."""
        self.clear()
        width = max(len(p.tokens) for p in prompts)
        ids = np.zeros((len(prompts), width), dtype=np.int64)
        mask = np.zeros_like(ids)
        for i, p in enumerate(prompts):
            ids[i, width - len(p.tokens) :] = p.tokens
            mask[i, width - len(p.tokens) :] = 1
        self._mask = torch.from_numpy(mask).to(self.device)
        positions = (self._mask.cumsum(-1) - 1).clamp(min=0)
        self._next = positions[:, -1:] + 1
        logits = self._forward(torch.from_numpy(ids).to(self.device), positions)
        self.count, self._rows = len(prompts), list(range(len(prompts)))
        return Admitted(list(range(len(prompts))), [0] * len(prompts), logits)

    def step(self, tokens: Sequence[int]) -> torch.Tensor:
        """One token for every row; rows that have ended get a dummy."""
        assert self._mask is not None
        assert self._next is not None
        ids = np.zeros((len(self._mask), 1), dtype=np.int64)
        ids[self._rows, 0] = tokens
        self._mask = torch.cat([self._mask, self._mask.new_ones(len(self._mask), 1)], -1)
        positions, self._next = self._next, self._next + 1
        return self._forward(torch.from_numpy(ids).to(self.device), positions)[self._rows]

    def _forward(self, ids: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        inputs: dict[str, Any] = {"input_ids": ids, "use_cache": True, "return_dict": True, **self._state}
        if self._positions:
            inputs["position_ids"] = positions
        if self._masks and not self.recurrent:
            inputs["attention_mask"] = self._mask
        if self._keeps:
            inputs["logits_to_keep"] = 1
        if self._counts and self._mask is not None:
            width = self._mask.shape[1]
            inputs["cache_position"] = torch.arange(width - ids.shape[1], width, device=self.device)
        out = self.model(**inputs)
        for name in ("past_key_values", "cache_params", "state"):
            if out.get(name) is not None:
                self._state = {name: out[name]}
        return out.logits[:, -1]

    def remove(self, slot: int, session: str, tokens: Callable[[], np.ndarray]) -> None:
        """End a row; the wave goes on with those that are left."""
        self._rows[slot] = self._rows[-1]
        self._rows.pop()
        self.count -= 1
        if not self.count:
            self.clear()

    def score(
        self, prompts: Sequence[Prompt], continuations: Sequence[np.ndarray], closing: Callable[[], bool]
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """Score continuations, one after the other."""
        results = []
        for prompt, continuation in zip(prompts, continuations, strict=True):
            if closing():
                raise Interrupted
            whole = np.concatenate([prompt.tokens, continuation[:-1]])
            logits = reference_logits(self.model, whole)[-len(continuation) :]
            score, best = _gathered(logits, torch.from_numpy(continuation.astype(np.int64)).to(logits.device))
            results.append((score.cpu().numpy(), best.cpu().numpy()))
        return results
