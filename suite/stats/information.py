"""Policy information: how much of what a society was given at the start can still be read from what it does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..seeds import generator
from .bounds import clopper_pearson_bounds
from .naive_bayes import Folds, guess_classes, stratified_folds
from .tango import tango_bounds

__all__ = [
    "InformationContrast",
    "LearntFrom",
    "PolicyInformation",
    "fano_information",
    "forgetful_error",
    "forgetful_information",
    "information_contrast",
    "largest_fano_information",
    "policy_information",
    "table_information",
]

Array = NDArray[np.float64]
Whole = NDArray[np.intp]

LearntFrom = Literal["first", "each"]
"""Where the guess of a policy is learnt: ``first``, in round 0, so that it says whether behaviour still shows it as it
did; ``each``, in the round itself, so that a policy that is shown in another way is read too. With few societies
the second reads much less where policies fade, since it learns from societies that no longer follow theirs."""

_AT_ONCE = 4_000_000
"""Numbers that are held at once while labels are permuted."""


@dataclass(frozen=True, slots=True, eq=False)
class PolicyInformation:
    """How much can be read, by round; all information in nats. The unit is the society.

    Attributes:
        error: Share of societies whose policy was guessed wrongly, shape (rounds,).
        error_low: Lower confidence limit of the error.
        error_high: Upper one.
        fano: What any predictor with an error of ``error_high`` at most proves: a lower bound of the information that
            behaviour holds, in each round with the confidence given. 0 where permuted policies are guessed as well.
        at_error: The same at ``error``: an estimate where all wrong guesses are equally likely, else too low.
        at_least_error: The same at ``error_low``: an upper limit where all wrong guesses are equally likely and
            behaviour says no more than the guess, as of :func:`forgetful_information`; else none.
        plug_in: Mutual information of policies and guesses, from their table as it stands: too high.
        corrected: The same, corrected after Miller and Madow; still too high where cells are sparse.
        baseline: Mean of ``corrected`` when policies are permuted among societies: what is read where nothing is there.
        p_value: That there is any, by round: share of permutations with as large a ``corrected``.
        adjusted: The same for all rounds together: against the largest of any round.
        guesses: Shape (societies, rounds).
        policies: How many policies there are.
        societies: How many societies.
        permutations: How many permutations, the observed labels among them.
        confidence: Of the limits.
    """

    error: Array
    error_low: Array
    error_high: Array
    fano: Array
    at_error: Array
    at_least_error: Array
    plug_in: Array
    corrected: Array
    baseline: Array
    p_value: Array
    adjusted: Array
    guesses: Whole
    policies: int
    societies: int
    permutations: int
    confidence: float


@dataclass(frozen=True, slots=True, eq=False)
class InformationContrast:
    """Isolated societies less open ones, by round.

    Attributes:
        information: Difference of the corrected mutual information, shape (rounds,).
        read: Difference of the shares of societies whose policy was guessed.
        read_low: Lower limit of that, by Tango's score for pairs; the predictors are taken as they are.
        read_high: Upper limit.
        p_value: That the arms differ in ``information``, by round, two-sided, by exchanging the arms of whole pairs.
        adjusted: The same for all rounds together: against the largest difference of any round.
        pairs: How many.
        permutations: How many exchanges, the observed one among them.
        confidence: Of the limits.
    """

    information: Array
    read: Array
    read_low: Array
    read_high: Array
    p_value: Array
    adjusted: Array
    pairs: int
    permutations: int
    confidence: float


def fano_information(error: ArrayLike, policies: int) -> Array:
    """Compute the information that a predictor with such an error proves, where all policies are equally likely.

    ``I >= ln K - h(e) - e ln(K - 1)``, in nats; 0 from the error of chance on, (K - 1)/K. The right side is also the
    information itself of a channel that gets a policy wrong with probability e and then says any other one equally
    often.

    Source: Fano's inequality (Cover and Thomas 2006, "Elements of information theory", 2nd edition, theorem 2.10.1)
    with a uniform prior.

    Args:
        error: In [0, 1], any shape. An upper confidence limit gives a lower confidence limit.
        policies: K, from 2 on.

    Raises:
        ValueError: A number is out of range.
    """
    k = _policies(policies)
    e = np.asarray(error, dtype=np.float64)
    if not ((e >= 0) & (e <= 1)).all():
        raise ValueError("errors are shares from 0 to 1")
    value = np.log(k) + _x_log_x(1 - e) + _x_log_x(e) - e * np.log(k - 1)
    return np.where(e < (k - 1) / k, np.maximum(value, 0.0), 0.0)


def largest_fano_information(societies: int, policies: int, *, confidence: float = 0.95) -> float:
    """Compute the most that Fano's bound can prove, in nats: where the policy of every society is guessed.

    What so few societies cannot show at best, no estimate from them shows.

    Args:
        societies: How many, from 1 on.
        policies: K, from 2 on.
        confidence: Of the upper limit of the error, two-sided, as in :func:`policy_information`.

    Raises:
        ValueError: A number is out of range.
    """
    if isinstance(societies, bool) or societies != int(societies) or societies < 1:
        raise ValueError(f"there must be 1 society or more, a whole number, not {societies!r}")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, not {confidence!r}")
    return float(fano_information(clopper_pearson_bounds(0, societies, confidence)[1], policies))


def forgetful_error(keep: float, rounds: ArrayLike, policies: int) -> Array:
    """Compute how often the policy of a forgetful society is no longer the one that it began with.

    ``e_t = (1 - lambda^t)(K - 1)/K``: in each round the stored policy is kept with probability lambda, else drawn anew
    from all K.

    Args:
        keep: lambda, in [0, 1].
        rounds: t, from 0 on, any shape.
        policies: K, from 2 on.

    Raises:
        ValueError: A number is out of range.
    """
    k = _policies(policies)
    t = np.asarray(rounds, dtype=np.float64)
    if not 0 <= keep <= 1:
        raise ValueError(f"keep must lie between 0 and 1, not {keep!r}")
    if not (np.isfinite(t) & (t >= 0)).all():
        raise ValueError("rounds are counted from 0 on")
    return (1 - np.power(float(keep), t)) * (k - 1) / k


def forgetful_information(keep: float, rounds: ArrayLike, policies: int) -> Array:
    """Compute the information, in nats, that a forgetful society's policy holds on the one that it began with.

    ``I_t = ln K + (1 - e_t) ln(1 - e_t) + e_t ln(e_t / (K - 1))``, with :func:`forgetful_error`.

    Args and errors as there.
    """
    return fano_information(forgetful_error(keep, rounds, policies), policies)


def table_information(table: ArrayLike) -> tuple[Array, Array]:
    """Estimate the mutual information of the rows and columns of tables of counts, in nats.

    Miller and Madow add (cells that are not empty - 1) / 2N to each plug-in entropy; so the correction of
    ``H(X) + H(Y) - H(X, Y)`` is ``(rows + columns - cells - 1) / 2N``.

    Source: Miller (1955), "Note on the bias of information estimates", Information theory in psychology II-B, 95-100;
    Paninski (2003), Neural Computation 15, 1191-1253, section 4.

    Args:
        table: Counts, shape (..., rows, columns); no table is empty.

    Returns:
        Plug-in and corrected estimates, shape (...). The corrected one may lie below 0, or a little above the most.

    Raises:
        ValueError: A count is below 0, or a table is empty.
    """
    n = np.asarray(table, dtype=np.float64)
    if n.ndim < 2 or not (np.isfinite(n).all() and (n >= 0).all()):
        raise ValueError("tables must hold counts from 0 on, shape (..., rows, columns)")
    total = n.sum(axis=(-2, -1))
    if not (total > 0).all():
        raise ValueError("a table without any count has no information")
    rows, columns = n.sum(axis=-1) / total[..., None], n.sum(axis=-2) / total[..., None]
    joint = n / total[..., None, None]
    plug_in = _x_log_x(joint).sum(axis=(-2, -1)) - _x_log_x(rows).sum(axis=-1) - _x_log_x(columns).sum(axis=-1)
    full = (rows > 0).sum(axis=-1) + (columns > 0).sum(axis=-1) - (joint > 0).sum(axis=(-2, -1)) - 1
    plug_in = np.maximum(plug_in, 0.0)
    return plug_in, plug_in + full / (2 * total)


def policy_information(
    features: ArrayLike,
    policies: ArrayLike,
    *,
    learnt_from: LearntFrom = "first",
    folds: int = 8,
    permutations: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> PolicyInformation:
    """Estimate how much of the policy that each society was given can be read from its behaviour, round by round.

    Policies are guessed by :func:`.naive_bayes.guess_classes`, learnt from other societies. The
    limits of the error are Clopper and Pearson's, as if the guesses were independent: they are nearly so about the mean
    error of the predictors that were learnt (Bayle, Bayle, Janson and Mackey 2020, "Cross-validation confidence
    intervals for test error", theorem 1), and Fano's bound is convex, so that the mean error proves no more than
    the predictors do one by one. Where societies differ, and not by their policies, they are not: the upper limit
    lies below chance in .036 to .059 of cases instead of .025 (``tests/benchmarks/bench_information.py``). So the bound
    is 0 unless the error is also lower than in all but (1 - confidence)/2 of the permutations, and then it is too high
    in at most .021. Fewer than 40 permutations prove nothing at .95.

    Args:
        features: Counts of acts, shape (societies, rounds, features): what each society did in each round.
        policies: What each was given at the start, whole numbers from 0, as many societies of each; shape (societies,).
        learnt_from: In which round the guess is learnt; to be fixed beforehand.
        folds: In how many turns policies are guessed; fewer where a policy has fewer societies.
        permutations: Labellings in all, the observed one among them, from 1 on.
        confidence: Of the limits in each single round, in (0, 1).
        seed: Of folds and permutations.

    Raises:
        ValueError: A shape does not fit, policies differ in their numbers of societies, or a number is out of range.
    """
    x = _checked(features)
    dealt = _deal(policies, len(x), folds, seed)
    _in_range(confidence, permutations)
    n, rounds = x.shape[:2]
    guesses = _guess(np.swapaxes(x, 0, 1), dealt, learnt_from)
    wrong = (guesses != dealt.classes).sum(axis=1)
    plug_in, corrected = table_information(_tables(guesses, dealt))
    rng = generator("finchmark.stats", "information", seed)
    drawn, missed = np.empty((permutations, rounds)), np.empty((permutations, rounds))
    drawn[0], missed[0] = corrected, wrong
    for part in _parts(permutations, x.size):
        # Behaviour is permuted under labels and folds that stay: the same as permuting labels, and folds stay even.
        order = rng.permuted(np.broadcast_to(np.arange(n), (len(part), n)).copy(), axis=1)
        shuffled = _guess(np.swapaxes(x[order], 1, 2), dealt, learnt_from)
        drawn[part] = table_information(_tables(shuffled, dealt))[1]
        missed[part] = (shuffled != dealt.classes).sum(axis=2)
    error_low, error_high = clopper_pearson_bounds(wrong, n, confidence)
    k = dealt.class_count
    p, adjusted = _shares(drawn)
    read = (missed <= wrong).mean(axis=0) <= (1 - confidence) / 2 + 1e-12
    return PolicyInformation(
        error=wrong / n,
        error_low=error_low,
        error_high=error_high,
        fano=np.where(read, fano_information(error_high, k), 0.0),
        at_error=fano_information(wrong / n, k),
        at_least_error=fano_information(error_low, k),
        plug_in=plug_in,
        corrected=corrected,
        baseline=drawn[1:].mean(axis=0) if permutations > 1 else np.full(rounds, np.nan),
        p_value=p,
        adjusted=adjusted,
        guesses=guesses.T,
        policies=k,
        societies=n,
        permutations=permutations,
        confidence=confidence,
    )


def information_contrast(
    isolated: ArrayLike,
    opened: ArrayLike,
    policies: ArrayLike,
    *,
    learnt_from: LearntFrom = "first",
    folds: int = 8,
    permutations: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> InformationContrast:
    """Hold isolated societies against open ones.

    Society i of both arms is a pair: it was given the same policy. Where openness makes no difference, the two
    may be exchanged, rounds and all; policies are guessed anew, in each arm from its own societies, after every
    exchange. Only this contrast is claimed (validity, section 4): information that rises in either arm is no violation
    of anything, since behaviour may show more of what was there all along.

    Args:
        isolated: Counts of acts, shape (societies, rounds, features).
        opened: The same of their twins.
        policies: As for :func:`policy_information`, of both.
        learnt_from: Likewise.
        folds: Likewise.
        permutations: Exchanges in all, the observed one among them.
        confidence: Of the limits in each single round.
        seed: Of folds and exchanges.

    Raises:
        ValueError: As there, or the arms' shapes differ.
    """
    a, b = _checked(isolated), _checked(opened)
    if a.shape != b.shape:
        raise ValueError(f"both arms must have one shape (societies, rounds, features), not {a.shape} and {b.shape}")
    dealt = _deal(policies, len(a), folds, seed)
    _in_range(confidence, permutations)
    n, rounds = a.shape[:2]
    both = np.stack([np.swapaxes(a, 0, 1), np.swapaxes(b, 0, 1)])
    guesses = _guess(both, dealt, learnt_from)
    found = table_information(_tables(guesses, dealt))[1]
    rng = generator("finchmark.stats", "information contrast", seed)
    drawn = np.empty((permutations, rounds))
    drawn[0] = found[0] - found[1]
    for part in _parts(permutations, 2 * a.size):
        swap = rng.random((len(part), 1, n, 1)) < 0.5
        sides = np.stack([np.where(swap, both[1], both[0]), np.where(swap, both[0], both[1])])
        of_side = table_information(_tables(_guess(sides, dealt, learnt_from), dealt))[1]
        drawn[part] = of_side[0] - of_side[1]
    right = guesses == dealt.classes
    more, less = (right[0] & ~right[1]).sum(axis=1), (right[1] & ~right[0]).sum(axis=1)
    low, high = tango_bounds(more, less, n, confidence)
    p, adjusted = _shares(np.abs(drawn))
    return InformationContrast(
        information=drawn[0].copy(),
        read=(more - less) / n,
        read_low=low,
        read_high=high,
        p_value=p,
        adjusted=adjusted,
        pairs=n,
        permutations=permutations,
        confidence=confidence,
    )


def _x_log_x(x: Array) -> Array:
    return np.where(x > 0, x * np.log(np.where(x > 0, x, 1.0)), 0.0)


def _policies(number: int) -> int:
    if isinstance(number, bool) or number != int(number) or number < 2:
        raise ValueError(f"there must be 2 policies or more, a whole number, not {number!r}")
    return int(number)


def _checked(features: ArrayLike) -> Array:
    x = np.asarray(features, dtype=np.float64)
    if x.ndim != 3 or 0 in x.shape:
        raise ValueError(f"features must have shape (societies, rounds, features), none of them 0, not {x.shape}")
    return x


def _deal(policies: ArrayLike, societies: int, folds: int, seed: int) -> Folds:
    labels = np.asarray(policies)
    if labels.shape != (societies,):
        raise ValueError(f"policies must be one number a society, shape ({societies},), not {labels.shape}")
    sizes = np.bincount(labels.astype(np.intp)) if labels.min() >= 0 else np.zeros(1, dtype=np.intp)
    if len(set(sizes.tolist())) > 1:
        # Fano's ln K is that of equally likely policies.
        raise ValueError(
            f"every policy must have as many societies, not {sizes.tolist()}: leave out societies of the others too"
        )
    return stratified_folds(labels, min(folds, int(sizes[0])) if sizes[0] >= 2 else folds, seed=seed)


def _in_range(confidence: float, permutations: int) -> None:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, not {confidence!r}")
    if isinstance(permutations, bool) or permutations != int(permutations) or permutations < 1:
        raise ValueError(f"permutations must be a whole number from 1 on, not {permutations!r}")


def _guess(x: Array, dealt: Folds, learnt_from: LearntFrom) -> Whole:
    """Guesses from counts of shape (..., rounds, units, features)."""
    if learnt_from not in ("first", "each"):
        raise ValueError(f"learnt_from is first or each, not {learnt_from!r}")
    return guess_classes(x, dealt, x[..., :1, :, :] if learnt_from == "first" else None)


def _tables(guesses: Whole, dealt: Folds) -> Array:
    """Policies by guesses, shape (..., units) to (..., K, K)."""
    k, n = dealt.class_count, guesses.shape[-1]
    flat = guesses.reshape(-1, n)
    cells = (np.arange(len(flat))[:, None] * k + dealt.classes) * k + flat
    counts = np.bincount(cells.ravel(), minlength=len(flat) * k * k)
    return counts.reshape(*guesses.shape[:-1], k, k).astype(np.float64)


def _parts(permutations: int, size: int) -> Iterator[NDArray[np.intp]]:
    """Rows after the observed one, in parts of bounded memory."""
    step = max(1, _AT_ONCE // max(size, 1))
    for start in range(1, permutations, step):
        yield np.arange(start, min(start + step, permutations))


def _shares(drawn: Array) -> tuple[Array, Array]:
    """Shares of rows that reach the first one: by column, and of the rows' largest."""
    reach = drawn[0] - 1e-9
    return (drawn >= reach).mean(axis=0), (drawn.max(axis=1)[:, None] >= reach).mean(axis=0)
