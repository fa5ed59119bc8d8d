"""A memory of the same size and shape that says nothing about the task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

__all__ = ["PLACEBO_FROM", "filler", "placebo"]

PLACEBO_FROM = 12
"""Texts from this many characters on are replaced. Shorter ones are names and marks that a state's shape rests on."""

_WORDS = (
    "amber autumn bakery barley basin blanket bread breeze bridge bucket butter candle canvas carpet cedar cellar "
    "cherry chimney cider clay cloud clover cotton cousin cradle cream curtain daisy dinner drawer evening fabric "
    "feather fiddle flour garden garlic gentle ginger glove granite guitar hammer harbour harvest hedge honey "
    "kettle kitchen ladder lantern lavender leather lemon letter linen maple market meadow melon mirror morning "
    "mustard napkin needle nutmeg oatmeal olive onion orchard oven paper parsley pebble pepper piano picnic "
    "pillow plum porch potato pottery pumpkin quilt raisin ribbon river rosemary saddle salad sandal scarf shelf "
    "silver soup spoon stable stream street sugar summer table tailor teapot thread thyme tomato travel tulip "
    "turnip valley vanilla velvet village vinegar violin walnut warm weaver wheat willow window winter wooden "
    "wool yellow"
)


def filler(length: int, rng: np.random.Generator) -> str:
    """Plain words about nothing in particular.

    Args:
        length: Characters, at least 0; the text has exactly as many.
        rng: Chooses the words.
    """
    words = _WORDS.split()
    text = ""
    while len(text) < length:
        text += words[int(rng.integers(len(words)))] + " "
    return text[:length]


def placebo(state: Any, rng: np.random.Generator) -> Any:
    """Replace every text of at least :data:`PLACEBO_FROM` characters by as many characters of plain words.

    Keys, numbers and short texts stay, so that the shape does. What is learnt in numbers or in keys alone is therefore
    not taken away: an agent that learns so says itself what its placebo is.

    Args:
        state: Plain data.
        rng: Chooses the words.
    """
    if isinstance(state, str):
        return state if len(state) < PLACEBO_FROM else filler(len(state), rng)
    if isinstance(state, dict):
        return {key: placebo(value, rng) for key, value in state.items()}
    if isinstance(state, (list, tuple)):
        return [placebo(value, rng) for value in state]
    return state
