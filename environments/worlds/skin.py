"""The fourth axis of a world: the words and pictures in which a view is shown."""

from __future__ import annotations

import abc
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from ...suite.errors import UsageError

__all__ = ["Skin", "Vocabulary"]

V = TypeVar("V", contravariant=True)
_HOLE = re.compile(r"\{([^{}]+)\}")


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """Words for a core's concepts: its actions, parameters, options and things.

    A concept without a word is called by its own name, so that an aligned vocabulary may be empty. An inverse one
    exchanges words; one with symbols says nothing. Two concepts never share a word.

    Args:
        name: Of this variant, such as ``plain`` or ``inverse``.
        kind: ``aligned``: words mean what they say; ``inverse``: they mislead; ``abstract``: symbols; ``other``:
            another setting or language.
        words: By concept.
    """

    name: str
    kind: Literal["aligned", "inverse", "abstract", "other"]
    words: Mapping[str, str]

    def __post_init__(self) -> None:
        if len(set(self.words.values())) < len(self.words):
            twice = sorted({w for w in self.words.values() if list(self.words.values()).count(w) > 1})
            raise UsageError(f"The vocabulary {self.name!r} uses a word for two concepts: {', '.join(twice)}.")
        object.__setattr__(self, "words", dict(self.words))

    def __getitem__(self, concept: str) -> str:
        return self.words.get(concept, concept)

    def fill(self, template: str) -> str:
        """Replace each ``{concept}`` by its word."""
        return _HOLE.sub(lambda m: self[m.group(1)], template)

    def clashes(self, concepts: Iterable[str]) -> list[str]:
        """Words that stand for two of the concepts, counting those that keep their own names."""
        seen: dict[str, str] = {}
        found = []
        for concept in dict.fromkeys(concepts):
            word = self[concept].casefold()
            if word in seen:
                found.append(f"{self[concept]} ({seen[word]}, {concept})")
            seen[word] = concept
        return found


class Skin(abc.ABC, Generic[V]):
    """Shows views. It gets a view and its own vocabulary, never a state, a level or a reward.

    The text must tell apart any two views that differ (the audit tries); what it says in which words is free.

    Args:
        vocabulary: The words; actions are read and described in them too.
    """

    glyphs: str = ""
    """Characters outside printable ASCII that its texts use besides those of its words."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary

    @property
    def name(self) -> str:
        """The vocabulary's name."""
        return self.vocabulary.name

    @property
    def kind(self) -> Literal["aligned", "inverse", "abstract", "other"]:
        """The vocabulary's kind."""
        return self.vocabulary.kind

    @abc.abstractmethod
    def setting(self) -> str:
        """Where the player is and what is to be seen, in a few sentences. Rules to be found out stay untold."""

    @abc.abstractmethod
    def text(self, view: V) -> str:
        """The view in words. Different views have different texts."""

    def picture(self, view: V) -> str:
        """The view as rows of single characters, for people and for ``rgb_array``; by default the text."""
        return self.text(view)

    def colours(self) -> Mapping[str, tuple[int, int, int]]:
        """Background colours of the picture's characters; those not named are light grey."""
        return {}
