"""Ratings from pairs: Bradley-Terry with ties (Davidson's model), with standard errors that know the units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["ELO", "PairCounts", "Ratings", "count_pairs", "fit_ratings", "rate_models"]

Array = NDArray[np.float64]

ELO = 400 / float(np.log(10))
"""Points of Elo's scale in one unit of log strength: a gap of 400 points is odds of 10 to 1."""


@dataclass(frozen=True, slots=True, eq=False)
class PairCounts:
    """How often models met, and how it went.

    Attributes:
        wins: ``wins[i, j]``: units on which i scored above j, shape (models, models).
        ties: Units on which they scored alike, symmetric.
    """

    wins: Array
    ties: Array


@dataclass(frozen=True, slots=True, eq=False)
class Ratings:
    """Strengths on the log scale, centred.

    ``exp(rating)`` is Davidson's strength: without ties i beats j with odds ``exp(rating[i] - rating[j])``; times
    :data:`ELO` it is in points.

    Attributes:
        rating: Shape (models,), sum 0.
        standard_error: Of each centred rating.
        low: Lower bound of each rating by the normal distribution, one at a time (not simultaneous).
        high: Upper bound.
        covariance: Of the ratings, shape (models, models); the error of a difference is in it.
        tie: Davidson's nu: 0 without ties; equal models tie with probability ``nu / (2 + nu)``.
        errors: ``units`` (sandwich: pairs of one unit hang together) or ``pairs`` (every pair counts as independent).
        prior: Virtual units per pair of models that were added.
        confidence: Coverage that is aimed at.
    """

    rating: Array
    standard_error: Array
    low: Array
    high: Array
    covariance: Array
    tie: float
    errors: Literal["units", "pairs"]
    prior: float
    confidence: float

    def win_probability(self, i: int, j: int) -> float:
        """Chance that i beats j by this model, ties counted one half."""
        win, _, tie = (float(p) for p in _probabilities(self.rating[i] - self.rating[j], self.tie))
        return win + tie / 2


def count_pairs(scores: ArrayLike, *, tie_within: float = 0.0, higher_is_better: bool = True) -> PairCounts:
    """Count wins and ties of every pair of models over the units that both have.

    Args:
        scores: Shape (models, units), NaN where a model lacks a unit.
        tie_within: Scores that differ by no more than this (and roundings) tie; at least 0.
        higher_is_better: False where the lower score wins.

    Raises:
        ValueError: The shape is not two-dimensional, or the tolerance is negative.
    """
    x = _matrix(scores, tie_within)
    models = x.shape[0]
    slack = _slack(x, tie_within)
    wins, ties = np.zeros((models, models)), np.zeros((models, models))
    for i in range(models):
        d = x[i] - x if higher_is_better else x - x[i]
        wins[i] = (d > slack).sum(axis=1)
        ties[i] = (np.abs(d) <= slack).sum(axis=1)
    np.fill_diagonal(ties, 0.0)
    return PairCounts(wins, ties)


def rate_models(
    scores: ArrayLike,
    *,
    names: Sequence[str] | None = None,
    tie_within: float = 0.0,
    higher_is_better: bool = True,
    prior: float = 0.0,
    confidence: float = 0.95,
) -> Ratings:
    """Rate models by how often they beat each other on the same units.

    As :func:`fit_ratings` on :func:`count_pairs`, but with standard errors over units: one unit gives many pairs, and a
    hard one is hard for all. They are the sandwich of the inverse information around the spread of the units'
    contributions to the score (White 1982, "Maximum likelihood estimation of misspecified models", Econometrica 50,
    1-25; by cluster as Liang and Zeger 1986, Biometrika 73, 13-22), times units / (units - 1), and they hold whether or
    not the model does.

    Args:
        scores: Shape (models, units), NaN where a model lacks a unit.
        names: Names of the models, for messages.
        tie_within: As for :func:`count_pairs`.
        higher_is_better: False where the lower score wins.
        prior: As for :func:`fit_ratings`.
        confidence: In (0, 1).

    Raises:
        ValueError: As for :func:`fit_ratings`, or there are fewer than 2 units.
    """
    x = _matrix(scores, tie_within)
    if x.shape[1] < 2:
        raise ValueError(f"ratings need at least 2 units, not {x.shape[1]}")
    counts = count_pairs(x, tie_within=tie_within, higher_is_better=higher_is_better)
    theta, nu, information = _fit(counts, names, prior)
    models, units = x.shape
    slack = _slack(x, tie_within)
    contributions = np.zeros((units, models + 1))
    for i in range(models):
        for j in range(i + 1, models):
            d = x[i] - x[j] if higher_is_better else x[j] - x[i]
            met = ~np.isnan(d)
            won, tied = d > slack, np.abs(d) <= slack
            win, _, tie = _probabilities(theta[i] - theta[j], nu)
            residual = np.where(met, won + tied / 2 - (win + tie / 2), 0.0)
            contributions[:, i] += residual
            contributions[:, j] -= residual
            contributions[:, models] += np.where(met, tied - tie, 0.0)
    inverse = _inverse(information, models, ties=nu > 0)
    spread = contributions.T @ contributions * units / (units - 1)
    covariance = (inverse @ spread @ inverse)[:models, :models]
    return _ratings(theta, nu, covariance, "units", prior, confidence)


def fit_ratings(
    counts: PairCounts, *, names: Sequence[str] | None = None, prior: float = 0.0, confidence: float = 0.95
) -> Ratings:
    """Fit Davidson's model to a table of pairs, by maximum likelihood.

    With strengths p_i, i beats j with probability ``p_i / (p_i + p_j + nu sqrt(p_i p_j))`` and ties with
    ``nu sqrt(p_i p_j)`` over the same sum: Davidson (1970), "On extending the Bradley-Terry model to accommodate ties
    in paired comparison experiments", J. Am. Stat. Assoc. 65, 317-328, eq. 2.7. Without ties it is Bradley and Terry
    (1952, Biometrika 39, 324-345). The log-likelihood is concave in log p and log nu; Newton's method with halved steps
    climbs it. Standard errors take every pair for independent: right for games played apart, too small where one unit
    gives several pairs (:func:`rate_models`).

    Args:
        counts: Wins and ties.
        names: Names of the models, for messages.
        prior: Virtual units per pair of models, half of them won by either. 0: none. A small number such as 0.1 gives
            ratings where the table is not connected, and draws all of them together.
        confidence: In (0, 1).

    Raises:
        ValueError: The table is not one, a number is out of its range, all pairs tie, or the maximum does not exist
            because the models fall apart into groups, one of which never lost or tied against the other (Ford 1957, Am.
            Math. Mon. 64, 28-33): the message names them.
    """
    theta, nu, information = _fit(counts, names, prior)
    covariance = _inverse(information, theta.size, ties=nu > 0)[: theta.size, : theta.size]
    return _ratings(theta, nu, covariance, "pairs", prior, confidence)


def _ratings(
    theta: Array, nu: float, covariance: Array, errors: Literal["units", "pairs"], prior: float, confidence: float
) -> Ratings:
    from scipy.special import ndtri

    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, not {confidence!r}")
    error = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    reach = float(ndtri((1 + confidence) / 2)) * error
    return Ratings(theta, error, theta - reach, theta + reach, covariance, nu, errors, prior, confidence)


def _fit(counts: PairCounts, names: Sequence[str] | None, prior: float) -> tuple[Array, float, Array]:
    """Log strengths, nu, and the information matrix over (log strengths, log nu)."""
    wins, ties = (np.asarray(a, dtype=np.float64) for a in (counts.wins, counts.ties))
    models = wins.shape[0] if wins.ndim == 2 else 0
    if wins.shape != (models, models) or ties.shape != wins.shape or models < 2:
        raise ValueError(f"wins and ties must be square, of at least 2 models, not {wins.shape} and {ties.shape}")
    if not np.isfinite([wins, ties]).all() or (wins < 0).any() or (ties < 0).any() or not np.allclose(ties, ties.T):
        raise ValueError("wins and ties must be counts from 0, ties the same both ways")
    if names is not None and len(names) != models:
        raise ValueError(f"names must name {models} models, not {len(names)}")
    if not (np.isfinite(prior) and prior >= 0):
        raise ValueError(f"prior must be at least 0, not {prior!r}")
    wins = wins + prior / 2
    np.fill_diagonal(wins, 0.0)
    if not wins.any():
        raise ValueError("every pair ties: no rating can be told. Lower tie_within, or leave the ratings out.")
    _check_connected(wins + ties, names)
    games = wins + wins.T + ties
    tied = ties.sum() / 2
    points = (wins + ties / 2).sum(axis=1)
    # The gradient is what was observed less what is expected, as in every exponential family.
    theta = np.zeros(models)
    delta = float(np.log(2 * tied / wins.sum())) if tied else -np.inf

    def log_likelihood(theta: Array, delta: float) -> float:
        d = theta[:, None] - theta
        log_sum = np.logaddexp(np.logaddexp(d / 2, -d / 2), delta)
        return float(
            points @ theta
            + (tied * delta if tied else 0.0)
            - (games * (log_sum + (theta[:, None] + theta) / 2)).sum() / 2
        )

    value = log_likelihood(theta, delta)
    information = np.zeros((models + 1, models + 1))
    for _ in range(200):
        win, _, tie = _probabilities(theta[:, None] - theta, float(np.exp(delta)))
        expected = win + tie / 2
        gradient = np.append(points - (games * expected).sum(axis=1), tied - (games * tie).sum() / 2)
        # Of one game: variance of the points, covariance of points and tie, variance of the tie.
        variance, both = win + tie / 4 - expected**2, tie / 2 - expected * tie
        information[:models, :models] = -games * variance
        np.fill_diagonal(information[:models, :models], (games * variance).sum(axis=1))
        information[:models, models] = information[models, :models] = (games * both).sum(axis=1)
        information[models, models] = (games * tie * (1 - tie)).sum() / 2
        if np.abs(gradient).max() < 1e-9 * max(1.0, float(games.max())):
            break
        step = _inverse(information, models, ties=tied > 0) @ gradient
        scale = 1.0
        for _ in range(40):
            new = theta + scale * step[:models], delta + scale * step[models] if tied else delta
            # A step that loses no more than a rounding is taken.
            if log_likelihood(*new) >= value - 1e-12 * abs(value):
                break
            scale /= 2
        else:
            break
        (theta, delta), value = new, log_likelihood(*new)
        if scale * np.abs(step).max() < 1e-13:
            break
    return theta - theta.mean(), float(np.exp(delta)), information


def _probabilities(d: ArrayLike, nu: float) -> tuple[Array, Array, Array]:
    """Chance of a win, a loss and a tie at a difference of log strengths."""
    up = np.exp(-np.abs(np.asarray(d, dtype=np.float64)) / 2)
    total = 1 + up**2 + nu * up
    higher, lower = 1 / total, up**2 / total
    first = np.asarray(d) >= 0
    return np.where(first, higher, lower), np.where(first, lower, higher), nu * up / total


def _inverse(information: Array, models: int, *, ties: bool) -> Array:
    """Inverse of the information on centred ratings (and log nu), zero elsewhere."""
    size = models + 1 if ties else models
    # Adding the square of the mean makes the common shift, which no pair tells, known; then it is taken out.
    padded = information[:size, :size].copy()
    padded[:models, :models] += 1.0 / models
    inverse = np.zeros((models + 1, models + 1))
    inverse[:size, :size] = np.linalg.inv(padded)
    inverse[:models, :models] -= 1.0 / models
    return inverse


def _check_connected(reached: Array, names: Sequence[str] | None) -> None:
    """Raise unless every model can be reached from every other along wins and ties."""
    from scipy.sparse.csgraph import connected_components

    count, label = connected_components(reached > 0, directed=True, connection="strong")
    if count == 1:
        return
    group = label == label[np.argmin(np.bincount(label)[label])]
    names = [f"model {i}" for i in range(label.size)] if names is None else names
    inside = ", ".join(str(name) for name, here in zip(names, group, strict=True) if here)
    won, lost = reached[group][:, ~group].any(), reached[~group][:, group].any()
    how = "did not meet" if not won and not lost else "never lost or tied against" if won else "never beat or tied"
    if won and lost:
        how = "are not connected both ways with"
    raise ValueError(
        f"no finite rating: {inside} {how} the other models. "
        "Rate them apart, add units, or set a prior such as 0.1 (which draws all ratings together)."
    )


def _matrix(scores: ArrayLike, tie_within: float) -> Array:
    x = np.asarray(scores, dtype=np.float64)
    if x.ndim != 2:
        raise ValueError(f"scores must have shape (models, units), not {x.shape}")
    if not (np.isfinite(tie_within) and tie_within >= 0):
        raise ValueError(f"tie_within must be at least 0, not {tie_within!r}")
    return x


def _slack(x: Array, tie_within: float) -> float:
    return tie_within + 1e-12 * max(1.0, float(np.nanmax(np.abs(x), initial=0.0)))
