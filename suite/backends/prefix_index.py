"""Finds who holds the longest beginning of a sequence of tokens, without comparing it with everyone.

Sequences are cut into blocks, and each block is known by a hash that covers all blocks before it, as in vLLM's
automatic prefix caching (Kwon et al. 2023, "Efficient memory management for large language model serving with
PagedAttention"). A search walks a prompt's blocks until nobody holds the next one; its cost does not grow with the
number of holders. Hashes only propose: whoever is found is compared token by token.
"""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np

__all__ = ["PrefixIndex", "common_prefix"]


def common_prefix(a: np.ndarray, b: np.ndarray) -> int:
    """Count the equal tokens at the beginning of two arrays."""
    n = min(len(a), len(b))
    differs = a[:n] != b[:n]
    first = int(differs.argmax()) if n else 0
    return first if n and differs[first] else n


class PrefixIndex:
    """Who holds which tokens.

    Args:
        block: Tokens in a block. Common beginnings shorter than that are not found.
    """

    def __init__(self, block: int = 16) -> None:
        self.block = block
        self._holders: dict[int, dict[Hashable, None]] = {}
        self._held: dict[Hashable, tuple[np.ndarray, list[int]]] = {}

    def __len__(self) -> int:
        return len(self._held)

    def __contains__(self, holder: Hashable) -> bool:
        return holder in self._held

    def add(self, holder: Hashable, tokens: np.ndarray, kind: Hashable = None) -> None:
        """Note that somebody holds tokens, in the place of what was noted for them before.

        Args:
            holder: Who.
            tokens: ``[n]``.
            kind: Only searches for the same kind find them: keys and values of a steered model are none of the plain
                one.
        """
        self.remove(holder)
        names = self._names(tokens, kind)
        for name in names:
            self._holders.setdefault(name, {})[holder] = None
        self._held[holder] = tokens, names

    def remove(self, holder: Hashable) -> None:
        """Forget somebody."""
        _, names = self._held.pop(holder, (None, ()))
        for name in names:
            holders = self._holders[name]
            del holders[holder]
            if not holders:
                del self._holders[name]

    def clear(self) -> None:
        """Forget everybody."""
        self._holders.clear()
        self._held.clear()

    def find(self, tokens: np.ndarray, kind: Hashable = None) -> tuple[Hashable | None, int]:
        """Find the longest beginning.

        Returns:
            Who holds it, the latest of several, and how many tokens agree; (None, 0) where nobody holds a whole block.
        """
        best: dict[Hashable, None] | None = None
        name = hash((kind, self.block))
        for a in range(0, len(tokens) - self.block + 1, self.block):
            name = hash((name, tokens[a : a + self.block].tobytes()))
            holders = self._holders.get(name)
            if holders is None:
                break
            best = holders
        if best is None:
            return None, 0
        holder = next(reversed(best))
        n = common_prefix(self._held[holder][0], tokens)
        return (holder, n) if n >= self.block else (None, 0)  # a hash that two blocks share

    def _names(self, tokens: np.ndarray, kind: Hashable) -> list[int]:
        names = []
        name = hash((kind, self.block))
        for a in range(0, len(tokens) - self.block + 1, self.block):
            name = hash((name, tokens[a : a + self.block].tobytes()))
            names.append(name)
        return names
