import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st

from finchmark.suite.seeds import generator
from finchmark.suite.stats.ratings import ELO, PairCounts, count_pairs, fit_ratings, rate_models

choix = pytest.importorskip("choix")


def table(name, models=5, games=40, nu=0.5):
    """Wins and ties of all pairs, drawn from Davidson's model."""
    rng = generator(name)
    theta = np.linspace(-0.8, 0.8, models)
    wins, ties = np.zeros((models, models)), np.zeros((models, models))
    for i in range(models):
        for j in range(i + 1, models):
            p, q = np.exp(theta[[i, j]])
            t = nu * np.sqrt(p * q)
            wins[i, j], wins[j, i], ties[i, j] = rng.multinomial(games, np.array([p, q, t]) / (p + q + t))
            ties[j, i] = ties[i, j]
    return PairCounts(wins, ties)


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_without_ties_it_is_choixs_bradley_terry(seed):
    counts = table(f"choix {seed}", nu=0.0)
    pairs = [(i, j) for i in range(5) for j in range(5) for _ in range(int(counts.wins[i, j]))]
    theirs = choix.ilsr_pairwise(5, pairs, max_iter=1000)
    r = fit_ratings(counts)
    assert r.rating == pytest.approx(theirs - np.mean(theirs), abs=1e-5)
    assert r.tie == 0


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_with_ties_it_is_the_log_linear_model_of_statsmodels(seed):
    # Davidson's model is a Poisson regression of the counts: an intercept a pair, strengths, and log nu for ties.
    counts = table(f"glm {seed}")
    rows, y = [], []
    pairs = [(i, j) for i in range(5) for j in range(i + 1, 5)]
    for k, (i, j) in enumerate(pairs):
        for count, weights, tie in (
            (counts.wins[i, j], (1, 0), 0),
            (counts.wins[j, i], (0, 1), 0),
            (counts.ties[i, j], (0.5, 0.5), 1),
        ):
            row = np.zeros(5 + 1 + len(pairs))
            row[i], row[j], row[5], row[6 + k] = *weights, tie, 1
            rows.append(row[1:])  # the first strength is 0
            y.append(count)
    fit = sm.GLM(y, np.array(rows), family=sm.families.Poisson()).fit(tol=1e-12)
    theirs = np.r_[0, fit.params[:4]]
    r = fit_ratings(counts)
    assert r.rating == pytest.approx(theirs - theirs.mean(), abs=1e-6)
    assert np.log(r.tie) == pytest.approx(fit.params[4], abs=1e-6)
    against_first = r.covariance.diagonal() + r.covariance[0, 0] - 2 * r.covariance[0]
    assert np.sqrt(against_first[1:]) == pytest.approx(fit.bse[:4], rel=1e-5)


def test_two_models_have_a_closed_form():
    r = fit_ratings(PairCounts(np.array([[0, 30], [10, 0]]), np.array([[0, 20], [20, 0]])))
    assert r.rating[0] - r.rating[1] == pytest.approx(np.log(3))
    assert r.tie == pytest.approx(20 / np.sqrt(30 * 10))
    assert r.win_probability(0, 1) == pytest.approx(40 / 60)
    assert r.win_probability(1, 0) == pytest.approx(20 / 60)
    assert (r.rating[0] - r.rating[1]) * ELO == pytest.approx(400 * np.log10(3))


def test_pairs_are_counted_over_common_units():
    counts = count_pairs([[1, 0, 0.5, np.nan], [0, 0, 0.6, 1]])
    assert counts.wins.tolist() == [[0, 1], [1, 0]]
    assert counts.ties.tolist() == [[0, 1], [1, 0]]
    assert count_pairs([[0.5], [0.6]], tie_within=0.1).ties[0, 1] == 1
    assert count_pairs([[0.5], [0.6]], higher_is_better=False).wins[0, 1] == 1


def test_scores_that_differ_by_a_rounding_tie():
    assert count_pairs([[0.1 + 0.2], [0.3]]).ties[0, 1] == 1


def test_a_model_that_always_wins_is_named():
    with pytest.raises(ValueError, match=r"no finite rating: champion never lost or tied against"):
        rate_models([[1, 1, 1], [0, 0.5, 0], [0.5, 0, 0.5]], names=["champion", "b", "c"])


def test_a_model_that_always_loses_is_named():
    with pytest.raises(ValueError, match=r"loser never beat or tied"):
        rate_models([[0, 0, 0], [1, 0.5, 1], [0.5, 1, 0.5]], names=["loser", "b", "c"])


def test_groups_that_never_met_are_named():
    scores = [[1, 0, np.nan, np.nan], [0, 1, np.nan, np.nan], [np.nan, np.nan, 1, 0], [np.nan, np.nan, 0, 1]]
    with pytest.raises(ValueError, match=r"model 0, model 1 did not meet the other models"):
        rate_models(scores)


def test_a_prior_gives_ratings_where_the_table_is_not_connected():
    scores = [[1, 1, 1], [0, 0.5, 0], [0.5, 0, 0.5]]
    small, large = (rate_models(scores, prior=p).rating for p in (0.1, 2.0))
    assert np.isfinite(small).all()
    assert small[0] == max(small)
    assert np.ptp(large) < np.ptp(small)


def test_nothing_but_ties_has_no_rating():
    with pytest.raises(ValueError, match="every pair ties"):
        rate_models(np.ones((3, 10)))


def test_a_hundred_ties_for_each_win_still_converge():
    ties = np.full((3, 3), 500.0)
    np.fill_diagonal(ties, 0)
    wins = np.array([[0, 5, 6], [3, 0, 5], [2, 4, 0.0]])
    r = fit_ratings(PairCounts(wins, ties))
    assert (np.diff(r.rating) < 0).all()
    assert r.tie > 50


def test_errors_over_units_see_that_pairs_of_a_unit_hang_together():
    rng = generator("cluster")
    units = rng.random((4, 60)) < np.array([0.4, 0.5, 0.6, 0.7])[:, None]
    x = np.repeat(units, 5, axis=1).astype(float)  # every unit five times over: no new knowledge
    once, copied = rate_models(units.astype(float)), rate_models(x)
    assert copied.rating == pytest.approx(once.rating)
    assert (copied.standard_error < 0.5 * once.standard_error).all()
    assert once.errors == "units"
    assert fit_ratings(count_pairs(x)).errors == "pairs"


def test_errors_over_units_agree_with_a_bootstrap_over_units_ties_included():
    rng = generator("bootstrap")
    x = np.clip(np.round(rng.normal(np.array([1.0, 1.2, 1.6])[:, None], 0.8, (3, 200))), 0, 3)
    ours = rate_models(x)
    assert 0.5 < ours.tie < 3
    drawn = [rate_models(x[:, rng.integers(0, 200, 200)]).rating for _ in range(300)]
    assert ours.standard_error == pytest.approx(np.std(drawn, axis=0), rel=0.15)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: fit_ratings(PairCounts(np.zeros((1, 1)), np.zeros((1, 1)))), "at least 2 models"),
        (lambda: fit_ratings(PairCounts(np.array([[0, -1], [1, 0]]), np.zeros((2, 2)))), "counts from 0"),
        (lambda: fit_ratings(PairCounts(np.ones((2, 2)), np.array([[0, 1], [2, 0]]))), "same both ways"),
        (lambda: fit_ratings(table("bad"), names=["a"]), "name 5 models, not 1"),
        (lambda: fit_ratings(table("bad"), prior=-1), "prior .* not -1"),
        (lambda: fit_ratings(table("bad"), confidence=2), "confidence"),
        (lambda: count_pairs([1, 2]), "shape"),
        (lambda: count_pairs([[1], [2]], tie_within=-1), "tie_within"),
        (lambda: rate_models([[1], [2]]), "2 units"),
    ],
)
def test_bad_input_is_named(call, text):
    with pytest.raises(ValueError, match=text):
        call()


@pytest.mark.slow
def test_intervals_over_units_cover_where_those_over_pairs_do_not():
    # Items of very different difficulty; the target is what a huge run of the same models would give.
    def scores(rng, units):
        z = rng.normal(0, 2, units)
        skill = np.linspace(-0.6, 0.6, 5)[:, None]
        return (rng.random((5, units)) < 1 / (1 + np.exp(-(skill + z)))).astype(float)

    rng = generator("rating cover")
    target = rate_models(scores(rng, 400_000)).rating
    covered, by_pairs = [], []
    for _ in range(300):
        x = scores(rng, 60)
        r, naive = rate_models(x), fit_ratings(count_pairs(x))
        covered.append((r.low <= target) & (target <= r.high))
        by_pairs.append((naive.low <= target) & (target <= naive.high))
    assert np.mean(covered) >= 0.93
    assert abs(np.mean(covered) - 0.95) <= abs(np.mean(by_pairs) - 0.95)
