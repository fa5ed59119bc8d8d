"""Rows of unequal length side by side in an arena of keys and values; nothing is computed twice."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch

from .attention import Span, spans, with_spans
from .kv_cache import Arena, Kept, SessionCache, round_up
from .prefix_index import PrefixIndex
from .residual import Residual, accepts, kind_of, place_of
from .runner import Admitted, Interrupted, Prompt, gathered
from .steering import Steering

__all__ = ["ArenaRunner"]

_CHUNK = 512  # columns of one prefill forward at most
_HEADROOM = 64  # tokens beyond its prompt that a new row finds room for
_WORTH = 32  # tokens that waiting for another row's prompt must spare


@dataclass(slots=True, eq=False)
class _Slot:
    """What is known of a row.

    Args:
        prompt: Its prompt, ``[n]``.
        length: Its tokens so far.
        need: Tokens that it may grow to.
        steering: What is added to its residual stream.
    """

    prompt: np.ndarray
    length: int
    need: int
    steering: tuple[Steering, ...] = ()


_Source = Kept | _Slot | None
"""Who has computed the beginning of a prompt: a session, a row in work, or nobody."""


@dataclass(frozen=True, slots=True)
class _Family:
    """The prompts of one admission, by number.

    Args:
        leaders: How many tokens are there already, and who has them. The most to compute first.
        followers: How many tokens a leader has, and which. The most to compute first.
        twins: The leader or follower whose prompt is equal.
    """

    leaders: dict[int, tuple[int, _Source]]
    followers: dict[int, tuple[int, int]]
    twins: dict[int, int]

    @property
    def order(self) -> list[int]:
        """The prompts in the order of their slots."""
        return [*self.leaders, *self.followers, *self.twins]


class ArenaRunner:
    """Rows of unequal length side by side in an :class:`~finchmark.suite.backends.kv_cache.Arena`.

    Nothing is padded but the new tokens of one forward pass: each row has its own length, positions and mask. A prompt
    begins where somebody else's computed tokens end: those of its session, of another session, of a row in work, or of
    another prompt of the same admission (samples of one item; a common system prompt).

    Args:
        model: A decoder of transformers with attention only.
        sessions: Where rows' caches live between turns.
        arena_bytes: What the arena may grow to.
        prefill_tokens: New tokens of one forward pass at most, over all rows.
        beside_tokens: The same while other rows are being decoded, which wait that long for their next token.
    """

    refills = True

    def __init__(
        self,
        model: Any,
        sessions: SessionCache,
        *,
        arena_bytes: int,
        prefill_tokens: int,
        beside_tokens: int | None = None,
    ) -> None:
        config = model.config.get_text_config()
        self.model, self.sessions, self.config = model, sessions, config
        self.arena_bytes, self.prefill_tokens = arena_bytes, prefill_tokens
        self.beside_tokens = beside_tokens or prefill_tokens
        self.device, self.dtype = place_of(model), model.dtype
        self.residual = Residual(model)
        self.arena = Arena(config.num_hidden_layers)
        self._rows: list[_Slot] = []
        self._coming: list[_Slot] = []  # rows of the admission in work, from slot ``_gate`` on
        self._gate = 0
        self._prompts = PrefixIndex()  # of the rows in work
        self.bytes_per_token = 0
        self._extra: dict[str, Any] = {"use_cache": True, "return_dict": True}
        self._keeps = accepts(model, "logits_to_keep")
        kinds = list(dict.fromkeys(getattr(config, "layer_types", None) or ()))
        if not kinds:
            kinds = ["sliding_attention" if getattr(config, "sliding_window", None) else "full_attention"]
            if hasattr(config, "use_sliding_window") and not config.use_sliding_window:
                kinds = ["full_attention"]
        unknown = set(kinds) - {"full_attention", "sliding_attention", "chunked_attention"}
        if unknown:
            raise NotImplementedError(f"layers of the kind {', '.join(sorted(unknown))}")
        self._kinds = kinds

    @property
    def count(self) -> int:
        """Rows in work."""
        return len(self._rows)

    # -- memory

    def room(self, prompts: Sequence[Prompt]) -> int:
        """How many of the prompts fit, counting every row at the length that it may grow to."""
        longest, fitting = max((r.need for r in self._rows), default=0), 0
        for i, prompt in enumerate(prompts):
            longest = max(longest, prompt.need)
            if (self.count + i + 1) * round_up(longest + 1) * self.bytes_per_token > self.arena_bytes:
                break
            fitting = i + 1
        return max(fitting, 0 if self.count else min(1, len(prompts)))

    def _make_room(self, slots: int, longest: int) -> None:
        """Have the arena hold so many slots of so many tokens; what any row has in it stays."""
        used = self._gate + len(self._coming) if self._coming else self.count
        lengths = [r.length for r in (*self._rows, *self._coming)]
        self.arena.ensure(max(slots, used), longest, used, max(lengths, default=0))

    # -- rows

    def admission(self, prompts: Sequence[Prompt]) -> Generator[None, None, Admitted]:
        """Take rows in. Prompts that begin like another of them wait for that one, and copy from it."""
        budget = self.beside_tokens if self._rows else self.prefill_tokens
        family = self._family(prompts)
        order = family.order
        place = {i: k for k, i in enumerate(order)}
        first = self._gate = self.count
        slots = first + len(prompts)
        if slots > self.arena.slots:
            slots = max(slots, min(2 * self.arena.slots, slots + 8))
        coming = [_Slot(prompts[i].tokens, len(prompts[i].tokens), prompts[i].need, prompts[i].steering) for i in order]
        self._make_room(
            slots, max([min(r.need, r.length + _HEADROOM) for r in coming] + [r.length for r in self._rows])
        )
        self._coming = coming
        try:
            for i, (n, source) in family.leaders.items():
                self._copy(source, first + place[i], n)
            starts = [n for n, _ in family.leaders.values()]
            logits = yield from self._prefill(first, coming[: len(starts)], starts, budget)
            if family.followers:
                yield
                a = len(starts)
                for i, (n, leader) in family.followers.items():
                    self.arena.move(first + place[leader], first + place[i], n)
                    starts.append(n)
                more = yield from self._prefill(first + a, coming[a : len(starts)], starts[a:], budget)
                logits = torch.cat([logits, more])
            for i, twin in family.twins.items():
                self.arena.move(first + place[twin], first + place[i], len(prompts[i].tokens))
                starts.append(len(prompts[i].tokens))
            standing = self._close_ranks()
        finally:
            self._coming = []
        for k in standing:
            self._rows.append(coming[k])
            self._prompts.add(coming[k], coming[k].prompt, kind_of(coming[k].steering))
        computed = [place[family.twins.get(order[k], order[k])] for k in standing]
        if computed != list(range(len(logits))):
            logits = logits[torch.tensor(computed, device=logits.device)]
        return Admitted([order[k] for k in standing], [starts[k] for k in standing], logits)

    def _close_ranks(self) -> list[int]:
        """Move new rows down into the slots of rows that have left since; returns who stands in which new slot."""
        standing = list(range(len(self._coming)))
        for hole in range(min(self._gate - self.count, len(standing))):
            last = standing.pop()
            self.arena.move(self._gate + last, self.count + hole, self._coming[last].length)
            standing.insert(hole, last)
        return standing

    def _family(self, prompts: Sequence[Prompt]) -> _Family:
        """Find where each prompt begins to be new, and who has what comes before."""
        leaders: dict[int, tuple[int, _Source]] = {}
        followers: dict[int, tuple[int, int]] = {}
        twins: dict[int, int] = {}
        led = PrefixIndex()
        seen: dict[tuple[bytes, tuple[str, ...]], int] = {}
        for i, prompt in enumerate(prompts):
            size, kind = len(prompt.tokens), kind_of(prompt.steering)
            twin = seen.setdefault((prompt.tokens.tobytes(), kind), i)
            if twin != i:
                twins[i] = twin
                continue
            n, source = self._source(prompt)
            leader, m = led.find(prompt.tokens, kind)
            m = min(m, size - 1)
            if m >= n + _WORTH:
                assert isinstance(leader, int)
                followers[i] = m, leader
            else:
                leaders[i] = n, source
                led.add(i, prompt.tokens, kind)

        def most_to_compute_first(found: dict[int, Any]) -> dict[int, Any]:
            return dict(sorted(found.items(), key=lambda x: x[1][0] - len(prompts[x[0]].tokens)))

        return _Family(most_to_compute_first(leaders), most_to_compute_first(followers), twins)

    def _source(self, prompt: Prompt) -> tuple[int, _Source]:
        """How many of a prompt's tokens somebody has computed, and who."""
        kind = kind_of(prompt.steering)
        source: _Source
        source, n = self.sessions.find(prompt.session, prompt.tokens, kind)
        if 2 * n < len(prompt.tokens):
            row, m = self._prompts.find(prompt.tokens, kind)
            if m > n:
                assert isinstance(row, _Slot)
                source, n = row, m
        n = min(n, len(prompt.tokens) - 1)  # one token is left to give logits
        return n, source if n else None

    def _copy(self, source: _Source, slot: int, n: int) -> None:
        """Copy the first tokens' keys and values from where they are."""
        if isinstance(source, Kept):
            self.arena.put(slot, source.pairs, n)
        elif source is not None:
            self.arena.move(self._rows.index(source), slot, n)

    def _prefill(
        self, first: int, rows: Sequence[_Slot], starts: Sequence[int], budget: int
    ) -> Generator[None, None, torch.Tensor]:
        """Compute the prompts from their starts, in groups of similar length; returns the last tokens' logits."""
        logits = []
        left = [r.length - s for r, s in zip(rows, starts, strict=True)]
        a = 0
        while a < len(rows):
            b = a + 1
            while b < len(rows) and left[b] * 2 >= left[a] - 16 and (b + 1 - a) * min(left[a], 64) <= budget:
                b += 1
            if a:
                yield
            for block in self._columns(first + a, rows[a:b], [r.prompt for r in rows[a:b]], starts[a:b], 1, budget):
                if block is None:
                    yield
                else:
                    logits.append(block[2][:, -1])
            a = b
        return torch.cat(logits) if len(logits) > 1 else logits[0]

    def _columns(
        self,
        first: int,
        rows: Sequence[_Slot],
        wholes: Sequence[np.ndarray],
        starts: Sequence[int],
        wanted: int,
        budget: int,
    ) -> Generator[tuple[int, int, torch.Tensor] | None, None, None]:
        """Feed rows, sorted by falling number of new tokens, aligned at their ends, chunk by chunk.

        Yields:
            For chunks with some of the last ``wanted`` columns: rows taking part, first such column (counted from the
            end, negative) and their logits. None between two forward passes.
        """
        left = np.array([len(r) - s for r, s in zip(wholes, starts, strict=True)])
        width = int(left[0])
        chunk = int(min(_CHUNK, max(16, budget // len(rows))))
        edges = [0, *range(width % chunk or chunk, width + 1, chunk)]
        ends = np.array([len(r) for r in wholes])
        for a, b in pairwise(edges):
            if a:
                yield None
            part = int(np.count_nonzero(left > width - b))
            at = ends[:part, None] - width + np.arange(a, b)[None, :]  # the token's position; below start is padding
            real = at >= np.asarray(starts[:part])[:, None]
            ids = np.zeros(at.shape, dtype=np.int64)
            for i in range(part):
                ids[i, real[i]] = wholes[i][at[i][real[i]]]
            keep = min(b - a, max(0, wanted - (width - b)))
            seen = np.where(real, at, 0)
            target = np.where(real, at, self.arena.capacity - 1)
            logits = self._forward(first, rows[:part], ids, seen, target, int(at[:, -1].max()) + 1, max(keep, 1))
            if keep:
                yield part, a - width + (b - a - keep), logits

    def step(self, tokens: Sequence[int]) -> torch.Tensor:
        """One token for every row."""
        longest = max(r.length for r in self._rows) + 1
        self._make_room(self.count, longest)
        at = np.array([r.length for r in self._rows], dtype=np.int64)[:, None]
        ids = np.array(tokens, dtype=np.int64)[:, None]
        logits = self._forward(0, self._rows, ids, at, at, longest, 1)[:, -1]
        for row in self._rows:
            row.length += 1
        return logits

    def remove(self, slot: int, session: str, tokens: Callable[[], np.ndarray]) -> None:
        """End a row."""
        row = self._rows[slot]
        self._prompts.remove(row)
        length = row.length
        if any(s.where == "reply" for s in row.steering):
            length = min(length, len(row.prompt))  # in the next turn's prompt this reply is not steered
        if session and self.sessions.fits(length * self.bytes_per_token):
            kept = Kept(tokens()[:length], self.arena.take(slot, length), kind_of(row.steering))
            self.sessions.keep(session, kept)
        last = self._rows.pop()
        if last is not row:
            self.arena.move(self.count, slot, last.length)
            self._rows[slot] = last

    def clear(self) -> None:
        """Drop all rows and give their memory back."""
        self._rows, self._coming = [], []
        self._prompts.clear()
        self.arena.free()

    # -- forward

    def _forward(
        self,
        first: int,
        rows: Sequence[_Slot],
        ids: np.ndarray,
        seen: np.ndarray,
        target: np.ndarray,
        length: int,
        keep: int,
    ) -> torch.Tensor:
        """Run the model.

        Args:
            first: Slot of the first row.
            rows: The rows.
            ids: Tokens, ``[rows, columns]``.
            seen: Their positions; each sees the positions up to its own.
            target: Where their keys and values go.
            length: Positions in use after this pass.
            keep: Columns, from the end, whose logits are wanted.
        """
        length = min(round_up(length), self.arena.capacity)
        packed = torch.from_numpy(np.stack([ids, seen, target])).to(self.device, non_blocking=True)
        slots = torch.arange(first, first + len(rows), device=self.device)[:, None]
        self.arena.aim(first, first + len(rows), length, slots, packed[2])
        parts = spans([min(round_up(int(n) + 1), length) for n in seen.max(axis=1)])
        extra = dict(self._extra)
        if self._keeps:
            extra["logits_to_keep"] = keep
        addends = {}
        if any(r.steering for r in rows):
            steered = [(r.steering, len(r.prompt)) for r in rows]
            addends = self.residual.addends(steered, packed[1], self.dtype)
        with self.residual.adding(addends):
            out = self.model(
                input_ids=packed[0],
                position_ids=packed[1],
                attention_mask=self._mask(packed[1], length, parts),
                past_key_values=self.arena,
                **extra,
            )
        if not self.bytes_per_token:
            self._measure()
        return out.logits[:, -keep:]

    def _measure(self) -> None:
        for layer in self.arena.layers:
            for x in (layer.keys, layer.values):  # type: ignore[union-attr]  # our own layers have both
                if x is None:  # the layer uses another's
                    continue
                self.bytes_per_token += x.shape[1] * x.shape[3] * x.element_size()

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
        columns = max(map(len, continuations))
        targets = np.zeros((len(prompts), columns), dtype=np.int64)
        for i, continuation in enumerate(continuations):
            targets[i, columns - len(continuation) :] = continuation
        goal = torch.from_numpy(targets).to(self.device)
        scores = np.zeros(targets.shape)
        greedy = np.zeros(targets.shape, dtype=bool)
        for which, a, b, logits in self._along(prompts, continuations, closing):
            values, best = gathered(logits, goal[which, a:b].to(logits.device))
            scores[which, a:b], greedy[which, a:b] = values.cpu().numpy(), best.cpu().numpy()
        begins = [columns - len(continuation) for continuation in continuations]
        return [(scores[i, a:], greedy[i, a:]) for i, a in enumerate(begins)]

    def logits(
        self, prompts: Sequence[Prompt], continuations: Sequence[np.ndarray], closing: Callable[[], bool]
    ) -> list[torch.Tensor]:
        """Logits that predict each token of continuations of at least one token, as :meth:`score` computes them."""
        columns = max(map(len, continuations))
        found: list[list[torch.Tensor]] = [[] for _ in prompts]
        for which, a, b, logits in self._along(prompts, continuations, closing):
            for k, i in enumerate(which):
                begins = columns - len(continuations[i])
                if b > begins:
                    found[i].append(logits[k, max(0, begins - a) :])
        return [torch.cat(parts) for parts in found]

    def _along(
        self, prompts: Sequence[Prompt], continuations: Sequence[np.ndarray], closing: Callable[[], bool]
    ) -> Generator[tuple[list[int], int, int, torch.Tensor], None, None]:
        """Feed prompts and continuations.

        Yields:
            Which prompts take part, the first column and the one behind the last, and their logits. There are as many
            columns as the longest continuation has tokens, and all end together: column -j of a row predicts the j-th
            token from the end of its continuation, and what lies before its first token is of no use.
        """
        first = self._gate + len(self._coming) if self._coming else self.count
        wholes = [np.concatenate([p.tokens, c[:-1]]) for p, c in zip(prompts, continuations, strict=True)]
        found = [self._source(p) for p in prompts]
        head = self._heads(prompts, [n for n, _ in found])
        # Prompts that several continuations share are computed once, in slots behind those of the rows.
        heads = sorted(set(head.values()), key=lambda i: found[i][0] - len(prompts[i].tokens))
        aside = {i: first + len(prompts) + k for k, i in enumerate(heads)}
        starts = [len(prompts[i].tokens) - 1 if i in head else found[i][0] for i in range(len(prompts))]
        order = sorted(range(len(prompts)), key=lambda i: starts[i] - len(wholes[i]))
        self._make_room(first + len(prompts) + len(heads), max(map(len, wholes)))
        for i in heads:
            self._copy(found[i][1], aside[i], found[i][0])
        if heads:
            rows = [_Slot(prompts[i].tokens, starts[i], starts[i], prompts[i].steering) for i in heads]
            parts, there = [prompts[i].tokens[: starts[i]] for i in heads], [found[i][0] for i in heads]
            for _ in self._columns(first + len(prompts), rows, parts, there, 1, self.prefill_tokens):
                if closing():
                    raise Interrupted
        for slot, i in enumerate(order, start=first):
            if i in head:
                self.arena.move(aside[head[i]], slot, starts[i])
            else:
                self._copy(found[i][1], slot, starts[i])
        columns = max(map(len, continuations))
        rows = [_Slot(prompts[i].tokens, len(wholes[i]), len(wholes[i]), prompts[i].steering) for i in order]
        there, parts = [starts[i] for i in order], [wholes[i] for i in order]
        for block in self._columns(first, rows, parts, there, columns, self.prefill_tokens):
            if closing():
                raise Interrupted
            if block is not None:
                part, column, logits = block
                yield order[:part], columns + column, columns + column + logits.shape[1], logits

    @staticmethod
    def _heads(prompts: Sequence[Prompt], spared: Sequence[int]) -> dict[int, int]:
        """By prompt the first one equal to it, where several are equal and computing them once is worth it."""
        groups: dict[tuple[bytes, tuple[str, ...]], list[int]] = {}
        for i, prompt in enumerate(prompts):
            groups.setdefault((prompt.tokens.tobytes(), kind_of(prompt.steering)), []).append(i)
        found: dict[int, int] = {}
        for members in groups.values():
            first = members[0]
            if len(members) > 1 and len(prompts[first].tokens) - 1 - spared[first] >= _WORTH:
                found.update(dict.fromkeys(members, first))
        return found
