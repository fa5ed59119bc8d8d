"""Levels: what is fixed in one episode after another, drawn from a seed, and split by their own hash."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from ...suite.canonical import content_hash
from ...suite.errors import UsageError
from ...suite.seeds import generator

if TYPE_CHECKING:
    import numpy as np

__all__ = ["SPLITS", "Generator", "Level", "Preset", "Split", "split_of"]

Split = Literal["train", "validation", "test"]

SPLITS: Mapping[str, int] = {"test": 10, "validation": 5, "train": 100}
"""How many levels each split of a world has unless one asks for others."""

# Of 16 first digits of a hash: which split a level belongs to, whoever draws it.
_HOMES: dict[str, Split] = {
    **dict.fromkeys("01234", "test"),
    **dict.fromkeys("567", "validation"),
    **dict.fromkeys("89abcdef", "train"),
}


@dataclass(frozen=True)
class Preset:
    """A difficulty of a core.

    Args:
        name: One word.
        summary: One line.
        settings: What the core's generator reads; plain data.
    """

    name: str
    summary: str
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Level:
    """One level of a core. Worlds that differ in reward, observation or skin share it, and so compare in pairs.

    Args:
        core: The core's name.
        version: The generator's.
        preset: The preset's name.
        params: All that defines the level; plain data.
        seed: The path that it was drawn by, for the record: it defines nothing.
    """

    core: str
    version: int
    preset: str
    params: Mapping[str, Any]
    seed: tuple[str | int, ...] = ()

    @cached_property
    def hash(self) -> str:
        """Content hash of core, version and parameters, 16 hexadecimal digits: floats count to 6 decimals.

        The seed is left out, so that the same level drawn twice is found out.
        """
        return content_hash({"core": self.core, "version": self.version, "params": dict(self.params)}, digits=16)

    def data(self) -> dict[str, Any]:
        """The level as plain data, with its hash."""
        return {
            "core": self.core,
            "version": self.version,
            "preset": self.preset,
            "params": dict(self.params),
            "seed": list(self.seed),
            "hash": self.hash,
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Level:
        """Make a level of :meth:`data`.

        Raises:
            UsageError: A part is missing, or the hash is another's.
        """
        try:
            level = cls(data["core"], data["version"], data["preset"], dict(data["params"]), tuple(data["seed"]))
        except (KeyError, TypeError, ValueError) as error:
            raise UsageError(f"This is no level: {type(error).__name__}: {error}. Level.data() makes one.") from None
        if data.get("hash", level.hash) != level.hash:
            raise UsageError(f"The level says hash {data['hash']}, but its content has {level.hash}: it was changed.")
        return level


def split_of(level: Level) -> Split:
    """The split that a level belongs to, by the first digit of its hash: 5/16 test, 3/16 validation, 8/16 train.

    A hash knows no difficulty, so all splits have the same distribution; and no level is in two of them, whatever seed
    it is drawn by, ever.
    """
    return _HOMES[level.hash[0]]


class Generator(abc.ABC):
    """Draws a core's levels.

    Attributes:
        version: Raise it with any change that changes a level.
        presets: Difficulties by name.
        attempts: The most draws for one level; after that :meth:`levels` raises.
    """

    version: int = 1
    presets: Mapping[str, Preset]
    attempts: int = 5_000

    @abc.abstractmethod
    def draw(self, settings: Mapping[str, Any], rng: np.random.Generator) -> dict[str, Any] | None:
        """Draw a level's parameters.

        Args:
            settings: Of the preset.
            rng: Where all that is random comes from.

        Returns:
            Plain data as the dynamics' ``load`` takes it, or None where the draw is of no use: it cannot be solved, or
            is too easy.
        """

    def keep(self, settings: Mapping[str, Any], params: Mapping[str, Any]) -> bool:
        """Whether a drawn level is of use: the place for costly searches.

        It is asked only for levels of the wanted split that are new, so that :meth:`draw` can be cheap and reject what
        is cheap to reject.
        """
        return True

    def alternatives(
        self, settings: Mapping[str, Any], params: Mapping[str, Any], observation: str
    ) -> Sequence[tuple[float, Mapping[str, Any]]] | None:
        """All levels that may stand behind what is seen before the first step, with their probabilities.

        What a player may believe at the start: the level itself is among them, weighted as the preset would draw them.
        Those that do look different are dropped by the audit, so that listing too many is fine.

        Args:
            settings: Of the preset.
            params: The level's.
            observation: The name of the observation through which the player sees.

        Returns:
            Pairs of probability and parameters, the probabilities summing to 1, or None where they cannot be listed.
            By default the level alone: nothing is hidden.
        """
        return ((1.0, params),)

    def preset(self, name: str) -> Preset:
        """The preset of a name.

        Raises:
            UsageError: There is none.
        """
        if name not in self.presets:
            raise UsageError(f"There is no preset {name!r}. There are: {', '.join(self.presets)}.")
        return self.presets[name]

    def levels(self, core: str, preset: str, split: Split, count: int | None = None, seed: int = 0) -> list[Level]:
        """Draw a split's first levels: all different, and in no other split.

        Args:
            core: The core's name.
            preset: The preset's.
            split: ``train``, ``validation`` or ``test``.
            count: How many; None: as many as :data:`SPLITS` says. The first n of more are the same levels.
            seed: Another seed, other levels; the splits stay apart.

        Raises:
            UsageError: The preset or split is unknown, or no new level was found within the generator's attempts.
        """
        if split not in SPLITS:
            raise UsageError(f"There is no split {split!r}. There are: {', '.join(SPLITS)}.")
        settings = self.preset(preset).settings
        found: dict[str, Level] = {}
        for index in range(SPLITS[split] if count is None else count):
            path = ("worlds", core, self.version, preset, split, seed, index)
            rng = generator(*path)
            for _ in range(self.attempts):
                params = self.draw(settings, rng)
                if params is None:
                    continue
                level = Level(core, self.version, preset, params, path)
                if split_of(level) == split and level.hash not in found and self.keep(settings, params):
                    found[level.hash] = level
                    break
            else:
                raise UsageError(
                    f"No new {split} level of {core}/{preset} after {self.attempts} draws; there are {len(found)}. "
                    "Ask for fewer, or widen the preset: its levels are too few or hardly ever of use."
                )
        return list(found.values())
