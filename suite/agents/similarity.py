"""How alike texts are: TF-IDF and the cosine, or vectors of an embedder of the user's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from ..registry import load_target

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Embedder", "clusters", "load_embedder", "similarities", "tfidf"]

Embedder = Callable[[Sequence[str]], Any]
"""Gets n texts and returns n rows of numbers, one vector a text; equal texts must give equal rows in every process."""

_DECIMALS = 6
"""Similarities are rounded, so that no order hangs on the last bits of a platform."""


def load_embedder(target: str) -> Embedder | None:
    """Import ``module:function``; None for an empty name.

    Raises:
        UsageError: There is no such function.
    """
    if not target:
        return None
    if ":" not in target:
        raise UsageError(f"embedder must be given as module:function, not {target!r}.")
    found = load_target(target)
    if not callable(found):
        raise UsageError(f"The embedder {target!r} is no function.")
    return found


def tfidf(texts: Sequence[str], *, shared: bool = True) -> np.ndarray:
    """Vectors of words and single signs, and of pairs of neighbours, weighted by how rare they are among the texts.

    Weights (1 + ln tf) (ln((1 + n) / (1 + df)) + 1), rows of unit length: Salton and Buckley (1988, "Term-weighting
    approaches in automatic text retrieval"), smoothed as scikit-learn's ``TfidfVectorizer(sublinear_tf=True)`` does.
    Signs count because worlds draw with them; pairs because "not red" is another thing than "red". Nothing is random.

    Args:
        texts: n texts.
        shared: Whether terms that are in all texts count. They do where the question is whether two texts say the same
            (the + 1 above); not where it is what tells texts apart: then the + 1 is left out, and what transcripts
            share by their form has no weight.

    Returns:
        Shape (n, terms), float64; a text without a term that counts is a row of zeros.
    """
    import numpy as np
    from sklearn.feature_extraction.text import CountVectorizer

    try:
        found: Any = CountVectorizer(token_pattern=r"\w+|[^\w\s]", ngram_range=(1, 2)).fit_transform(texts)
    except ValueError:
        # Its way to say that no text has a word; an empty list has none either.
        return np.zeros((len(texts), 1))
    counts = found.toarray()
    idf = np.log((1 + len(texts)) / (1 + (counts > 0).sum(axis=0))) + float(shared)
    return _unit(np.where(counts > 0, 1 + np.log(np.maximum(counts, 1)), 0.0) * idf)


def _unit(rows: np.ndarray) -> np.ndarray:
    """Rows of length 1; rows of zeros stay."""
    import numpy as np

    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)


def similarities(texts: Sequence[str], embedder: Embedder | None = None, *, shared: bool = True) -> np.ndarray:
    """The cosine of every pair of texts.

    Args:
        texts: n texts.
        embedder: Makes the vectors; None: :func:`tfidf` over these texts.
        shared: For :func:`tfidf`.

    Returns:
        Shape (n, n), in [-1, 1] and with TF-IDF in [0, 1], to 6 decimals. Equal texts have 1; otherwise a text without
        a vector is like none.

    Raises:
        UsageError: The embedder gave something else than n rows of finite numbers.
    """
    import numpy as np

    if embedder is None:
        rows = tfidf(texts, shared=shared)
    else:
        try:
            rows = np.asarray(embedder(list(texts)), dtype=float)
        except (TypeError, ValueError) as error:
            raise UsageError(f"The embedder gave no array of numbers for {len(texts)} texts: {error}.") from error
        if rows.ndim != 2 or len(rows) != len(texts) or not np.isfinite(rows).all():
            raise UsageError(f"The embedder gave an array of shape {rows.shape} for {len(texts)} texts, or no numbers.")
        rows = _unit(rows)
    near = np.round(np.clip(rows @ rows.T, -1, 1), _DECIMALS)
    first = [texts.index(text) for text in texts]
    near[np.equal.outer(first, first)] = 1.0
    return near


def clusters(texts: Sequence[str], least: float) -> list[list[int]]:
    """Group texts: agglomerative clustering with average linkage, cut where groups are less alike than ``least``.

    Average linkage is UPGMA (Sokal and Michener 1958), as SciPy computes it, on the cosines of :func:`tfidf`. What all
    texts share counts: without it four failures of one kind are as unlike as four of four kinds.

    Args:
        texts: n texts.
        least: Mean cosine of two groups, from 0 to 1, down to which they are joined.

    Returns:
        Indices by group, the largest group first, of equal ones that with the earliest text; inside in their order.
    """
    if len(texts) < 2:
        return [[i] for i in range(len(texts))]
    import numpy as np
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    distances = squareform(np.round(1 - similarities(texts), _DECIMALS), checks=False)
    labels = fcluster(linkage(distances, "average"), 1 - least, "distance")
    groups: dict[int, list[int]] = {}
    for index, label in enumerate(labels.tolist()):
        groups.setdefault(label, []).append(index)
    return sorted(groups.values(), key=lambda group: (-len(group), group[0]))
