"""Pictures of worlds: rows of characters as an image."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["draw"]

_WIDE, _HIGH = 12, 20
_PAPER = (238, 238, 238)
_INK = (20, 20, 20)


@lru_cache(maxsize=1)
def _font() -> Any:
    import matplotlib
    from PIL import ImageFont

    # matplotlib's own fonts are the same wherever matplotlib is, which a system's are not.
    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSansMono.ttf"), 15)


@lru_cache(maxsize=1024)
def _cell(character: str, colour: tuple[int, int, int]) -> NDArray[np.uint8]:
    import numpy as np
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (_WIDE, _HIGH), colour)
    if not character.isspace():
        dark = 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2] < 110
        ImageDraw.Draw(image).text((_WIDE / 2, _HIGH / 2), character, (250, 250, 250) if dark else _INK, _font(), "mm")
    cell = np.asarray(image, dtype=np.uint8)
    cell.setflags(write=False)
    return cell


def draw(text: str, colours: Mapping[str, tuple[int, int, int]] | None = None) -> NDArray[np.uint8]:
    """Draw rows of characters, a cell of 12 x 20 pixels each.

    Args:
        text: The rows, separated by line breaks; short ones are filled up with blanks.
        colours: Background by character, red, green and blue from 0 to 255; others are light grey.

    Returns:
        Shape (20 x rows, 12 x columns, 3), of uint8, writable and the caller's own.
    """
    import numpy as np

    rows = text.split("\n")
    columns = max(1, *map(len, rows))
    canvas = np.empty((_HIGH * len(rows), _WIDE * columns, 3), dtype=np.uint8)
    for y, row in enumerate(rows):
        for x, character in enumerate(row.ljust(columns)):
            colour = _PAPER if colours is None else colours.get(character, _PAPER)
            canvas[y * _HIGH : (y + 1) * _HIGH, x * _WIDE : (x + 1) * _WIDE] = _cell(character, colour)
    return canvas
