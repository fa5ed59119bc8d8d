"""Columns: how what another harness tells of its samples becomes the frame of a cell."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Literal

from ..records import Metric
from ..results import COLUMNS

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Row", "column_name", "describe", "digest_of", "frame_of", "known_direction", "value_range"]

_LOWER = ("perplexity", "bits_per_byte", "brier", "wer", "cer", "ter", "loss", "error", "mae", "mse", "rmse")
_HIGHER = (
    "acc",
    "accuracy",
    "correct",
    "em",
    "exact_match",
    "f1",
    "match",
    "pass",
    "precision",
    "quasi_exact_match",
    "recall",
    "success",
)


@dataclass(frozen=True)
class Row:
    """One sample: what its columns hold (what is not told keeps its default), and its metrics."""

    columns: Mapping[str, Any]
    metrics: Mapping[str, float]


def known_direction(name: str) -> Literal["higher", "lower", "none"]:
    """Which way a metric of that name is better by common use; ``none`` where the name does not tell.

    The parts of a name count: ``word_perplexity`` is lower, ``acc_norm`` and ``pass@1`` are higher.
    """
    parts = {part for word in (name.lower(), name.lower().replace("@", "_")) for part in (word, *word.split("_"))}
    if parts & set(_LOWER):
        return "lower"
    return "higher" if parts & set(_HIGHER) else "none"


def column_name(name: str) -> str:
    """A name for a metric's column that is not taken by one of :data:`finchmark.suite.results.COLUMNS`."""
    return f"{name} (score)" if name in COLUMNS else name


def value_range(values: Iterable[float], name: str) -> tuple[Literal["binary", "graded"], float | None, float | None]:
    """Kind and range of a metric whose harness states neither.

    Values that are all 0 or 1 are binary. Shares (accuracies, F1, pass@k) are in [0, 1] by their meaning if no value
    is outside; of all else the range is unknown, whatever the values seen.

    Returns:
        The kind, and the lower and the upper end, None where unknown.
    """
    known = [v for v in values if not math.isnan(v)]
    if known and all(v in (0.0, 1.0) for v in known):
        return "binary", 0.0, 1.0
    if known_direction(name) == "higher" and all(0.0 <= v <= 1.0 for v in known):
        return "graded", 0.0, 1.0
    return "graded", None, None


def describe(
    name: str,
    values: Iterable[float],
    *,
    summary: str,
    direction: Literal["higher", "lower", "none"],
    primary: bool,
) -> Metric:
    """What a metric column means, as far as name and values tell.

    A sample that ended as ``invalid`` or ``refused`` without a score of its own gets the worse end of the range.
    """
    kind, low, high = value_range(values, name)
    failure = {"higher": low, "lower": high, "none": None}[direction]
    return Metric(
        name=name,
        summary=summary,
        kind=kind,
        direction=direction,
        low=low,
        high=high,
        failure=failure,
        primary=primary,
    )


def frame_of(rows: Sequence[Row], metrics: Sequence[str]) -> pd.DataFrame:
    """The frame of a cell: one row a sample, sorted by item, sample and place in the stream.

    Returns:
        The columns of :data:`finchmark.suite.results.COLUMNS`, then one of float64 a metric.
    """
    import pandas as pd

    places = ("item", "sample", "stream", "position", "checkpoint")
    order = sorted(rows, key=lambda r: tuple(r.columns.get(name, COLUMNS[name]) for name in places))
    data: dict[str, Any] = {
        name: pd.Series([row.columns.get(name, default) for row in order], dtype=type(default))
        for name, default in COLUMNS.items()
    }
    for name in metrics:
        data[name] = pd.Series([row.metrics.get(name, math.nan) for row in order], dtype=float)
    return pd.DataFrame(data)


def digest_of(texts: Iterable[str]) -> str:
    """Hash texts in their order; 16 hexadecimal digits, empty for no texts.

    Of what a model wrote it tells identical samples, as the hash of a transcript does in our own store.
    """
    digest = blake2b(digest_size=8)
    told = False
    for text in texts:
        raw = text.encode("utf-8", "surrogatepass")
        digest.update(len(raw).to_bytes(8, "big") + raw)
        told = True
    return digest.hexdigest() if told else ""
