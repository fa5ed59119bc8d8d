"""Keys and values: of the rows in work (:class:`Arena`), and of sessions between turns (:class:`SessionCache`)."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from transformers.cache_utils import Cache, CacheLayerMixin

from .prefix_index import PrefixIndex, common_prefix

__all__ = ["Arena", "Kept", "SessionCache"]

_STEP = 16  # lengths are rounded up to it, so that kernels meet few shapes and aligned masks
_RELEASED = 4  # how many sessions whose episodes have ended stay, for the next samples of the same items

Pair = tuple[torch.Tensor, torch.Tensor]


def round_up(length: int, step: int = _STEP) -> int:
    """Round up to a multiple of ``step``."""
    return -(-length // step) * step


class _Layer(CacheLayerMixin):
    """One layer's keys and values, ``[slots, kv_heads, capacity, dim]``; the arena says where a forward writes."""

    is_compileable = False
    is_sliding = False

    def __init__(self, arena: Arena) -> None:
        super().__init__()
        self.is_initialized = False  # transformers 4 leaves it out
        self.arena = arena

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor | None = None) -> None:
        """Allocate. Zeros, since a masked NaN would still spoil the sum."""
        assert value_states is not None
        self.keys, self.values = (
            torch.zeros(self.arena.slots, x.shape[1], self.arena.capacity, x.shape[3], dtype=x.dtype, device=x.device)
            for x in (key_states, value_states)
        )
        self.is_initialized = True

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write the new keys and values at their rows' positions and give back the view that the mask is for."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        assert self.keys is not None
        assert self.values is not None
        a = self.arena
        rows, positions = a.write_rows, a.write_positions
        if rows.device != self.keys.device:
            rows, positions = rows.to(self.keys.device), positions.to(self.keys.device)
        self.keys[rows, :, positions] = key_states.transpose(1, 2)
        self.values[rows, :, positions] = value_states.transpose(1, 2)
        return self.keys[a.first : a.last, :, : a.length], self.values[a.first : a.last, :, : a.length]

    def get_mask_sizes(self, query_length: Any) -> tuple[int, int]:
        """Length and offset of the keys that :meth:`update` gives back."""
        return self.arena.length, 0

    def get_seq_length(self, cache_position: Any = None) -> int:
        """Tokens seen. Rows differ; only asked where no positions are given."""
        return 0

    def get_max_length(self) -> int:
        """Tokens that fit at most; -1 is no bound."""
        return -1

    get_max_cache_shape = get_max_length  # its name before transformers 5


class Arena(Cache):
    """The keys and values of all rows in work: row i in slot i, its token j at position j.

    A forward pass covers the slots ``first`` to ``last``. Its tokens go where :meth:`aim` said; the last position of
    the capacity is nobody's, padding is written there. Slots and capacity grow as they are needed.

    Args:
        layers: Number of the model's layers.
    """

    def __init__(self, layers: int) -> None:
        self.slots, self.capacity = 0, 0
        self.first, self.last, self.length = 0, 0, 0
        self.write_rows = self.write_positions = torch.empty(0, dtype=torch.long)
        super().__init__(layers=[_Layer(self) for _ in range(layers)])

    @property
    def _ready(self) -> Iterator[_Layer]:
        return (x for x in self.layers if isinstance(x, _Layer) and x.is_initialized)

    def aim(self, first: int, last: int, length: int, rows: torch.Tensor, positions: torch.Tensor) -> None:
        """Say what the next forward pass covers.

        Args:
            first: First slot.
            last: One past the last slot.
            length: How many positions the queries may see.
            rows: Slot of each row, ``[rows, 1]``.
            positions: Where each token is written, ``[rows, tokens]``.
        """
        self.first, self.last, self.length = first, last, length
        self.write_rows, self.write_positions = rows, positions

    def ensure(self, slots: int, length: int, used_slots: int, used_length: int) -> None:
        """Make room for ``slots`` rows of ``length`` tokens; what lies in the used part stays."""
        if slots <= self.slots and length < self.capacity:
            return
        if length >= self.capacity:
            self.capacity = round_up(max(length + 1, self.capacity + self.capacity // 4))
        self.slots = max(slots, self.slots)
        for layer in self._ready:
            for name in ("keys", "values"):
                old = getattr(layer, name)
                new = old.new_zeros(self.slots, old.shape[1], self.capacity, old.shape[3])
                new[:used_slots, :, :used_length] = old[:used_slots, :, :used_length]
                setattr(layer, name, new)

    def free(self) -> None:
        """Give back all memory."""
        self.slots = self.capacity = 0
        for layer in self._ready:
            layer.keys = layer.values = None
            layer.is_initialized = False

    def move(self, source: int, target: int, length: int) -> None:
        """Copy a row's first ``length`` positions to another slot."""
        for layer in self._ready:
            for x in (layer.keys, layer.values):
                assert x is not None
                x[target, :, :length] = x[source, :, :length]

    def take(self, slot: int, length: int) -> list[Pair | None]:
        """Copy a row's first ``length`` positions out; None for layers that use another's keys and values."""
        taken: list[Pair | None] = []
        for layer in self.layers:
            if not isinstance(layer, _Layer) or layer.keys is None or layer.values is None:
                taken.append(None)
            else:
                taken.append((layer.keys[slot, :, :length].clone(), layer.values[slot, :, :length].clone()))
        return taken

    def put(self, slot: int, pairs: list[Pair | None], length: int) -> None:
        """Copy the first ``length`` positions of what :meth:`take` gave into a slot."""
        for layer, pair in zip(self.layers, pairs, strict=True):
            if pair is None:
                continue
            keys, values = pair
            assert isinstance(layer, _Layer)
            if not layer.is_initialized:
                layer.lazy_initialization(keys[None], values[None])
            assert layer.keys is not None
            assert layer.values is not None
            layer.keys[slot, :, :length] = keys[:, :length]
            layer.values[slot, :, :length] = values[:, :length]


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept for a session.

    Args:
        tokens: Its tokens so far, ``[n]``.
        pairs: Their keys and values, one pair a layer, ``[kv_heads, n, dim]`` each; None where a layer has none.
        kind: What else decides the keys and values: how the model was steered. Only equal kinds share.
    """

    tokens: np.ndarray
    pairs: list[Pair | None]
    kind: Hashable = None

    @property
    def size(self) -> int:
        """Bytes of the keys and values."""
        return sum(x.numel() * x.element_size() for pair in self.pairs if pair is not None for x in pair)


class SessionCache:
    """Keys and values of sessions that are not being decoded now; the least recently used goes first.

    Losing an entry costs time, never a result.

    Args:
        limit: Bytes that all entries may take together.
    """

    def __init__(self, limit: int) -> None:
        self.limit, self.size = limit, 0
        self.evictions = 0
        self._kept: OrderedDict[str, Kept] = OrderedDict()
        self._index = PrefixIndex()
        self._released: deque[str] = deque()

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, session: str, kept: Kept) -> None:
        """Keep something for a session, in the place of what was kept before."""
        self.drop(session)
        size = kept.size
        if size > self.limit:
            return
        while self.size + size > self.limit:
            self.drop(self._released[0] if self._released else next(iter(self._kept)))
            self.evictions += 1
        self._kept[session] = kept
        self._index.add(session, kept.tokens, kept.kind)
        self.size += size

    def fits(self, size: int) -> bool:
        """Whether an entry of ``size`` bytes could be kept at all."""
        return size <= self.limit

    def find(self, session: str, tokens: np.ndarray, kind: Hashable = None) -> tuple[Kept | None, int]:
        """Find keys and values for the longest beginning of a prompt.

        The session's own entry comes first; a session without a good one borrows from the others, which often share
        a system prompt or are samples of the same item.

        Returns:
            The entry and how many of its tokens agree; (None, 0) where there is nothing to reuse.
        """
        best: tuple[Kept | None, int] = None, 0
        own = self._kept.get(session)
        if own is not None and own.kind == kind:
            self._kept.move_to_end(session)
            best = own, common_prefix(own.tokens, tokens)
        if 2 * best[1] < len(tokens):
            holder, n = self._index.find(tokens, kind)
            if holder is not None and n > best[1]:
                assert isinstance(holder, str)
                self._kept.move_to_end(holder)
                best = self._kept[holder], n
        return best if best[1] else (None, 0)

    def release(self, session: str) -> None:
        """Note that a session has ended. The last few that have stay a while; they are the first to be evicted."""
        if session not in self._kept:
            return
        if session in self._released:
            self._released.remove(session)
        self._released.append(session)
        while len(self._released) > _RELEASED:
            self.drop(self._released[0])

    def drop(self, session: str) -> None:
        """Forget a session."""
        kept = self._kept.pop(session, None)
        if kept is None:
            return
        self.size -= kept.size
        self._index.remove(session)
        if session in self._released:
            self._released.remove(session)

    def clear(self) -> None:
        """Forget all sessions."""
        self._kept.clear()
        self._index.clear()
        self._released.clear()
        self.size = 0
