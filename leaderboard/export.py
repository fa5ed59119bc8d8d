"""Standings as a CSV file that is the same, byte for byte, for the same runs."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .text import encode

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["to_csv", "write_csv"]

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""With these, full-width ones too, a spreadsheet begins a formula (OWASP, "CSV injection")."""


def write_csv(table: pd.DataFrame, path: Path) -> Path:
    """Write standings to a file: UTF-8, line feeds, six decimals.

    Args:
        table: From :func:`.standings.standings`.
        path: The file; its folder exists.

    Returns:
        ``path``.
    """
    path.write_bytes(encode(to_csv(table)))
    return path


def to_csv(table: pd.DataFrame) -> str:
    """Write standings as text. Missing numbers are empty; truth is ``true`` or ``false``."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(table.columns)
    for row in table.itertuples(index=False):
        writer.writerow([_cell(value) for value in row])
    return buffer.getvalue()


def _cell(value: Any) -> str:
    if value is None or type(value).__name__ == "NAType":
        return ""
    if isinstance(value, str):
        # Spreadsheets run a text that begins like a formula; names come from strangers.
        return "'" + value if value.startswith(_FORMULA) else value
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value + 0.0:.6f}".replace("-0.000000", "0.000000")
    if value is True or value is False or type(value).__name__ == "bool":
        return str(bool(value)).lower()
    return str(value)
