import numpy as np
import pytest

from finchmark.suite.seeds import generator
from finchmark.suite.stats.components import components
from finchmark.suite.stats.nested import nested_components


def draw(rng, items=30, wordings=4, samples=5, spread=(1.0, 0.5, 0.7), keep=1.0):
    """Scores of a nested model with known variances, with some samples missing."""
    i, w, s = (np.sqrt(v) for v in spread)
    x = (
        rng.normal(0, i, (items, 1, 1))
        + rng.normal(0, w, (items, wordings, 1))
        + rng.normal(0, s, (items, wordings, samples))
    )
    item, wording, _ = np.indices(x.shape)
    known = rng.random(x.shape) < keep
    return x[known], item[known], wording[known]


def test_balanced_data_give_the_estimates_of_restricted_likelihood():
    """The two agree on balanced data where no estimate is negative (Searle, Casella and McCulloch 1992, chapter 4)."""
    mixed = pytest.importorskip("statsmodels.regression.mixed_linear_model")
    x, item, wording = draw(generator("nested", 1), items=20)
    found = nested_components(x, item, wording)
    model = mixed.MixedLM(
        x,
        np.ones((x.size, 1)),
        groups=item,
        exog_re=np.ones((x.size, 1)),
        exog_vc=mixed.VCSpec(
            ["wording"],
            [[[f"w{k}" for k in range(4)] for _ in range(20)]],
            [[np.kron(np.eye(4), np.ones((5, 1))) for _ in range(20)]],
        ),
    ).fit(reml=True)
    assert found.sample == pytest.approx(model.scale, rel=1e-3)
    assert found.item == pytest.approx(float(model.cov_re[0, 0]), rel=1e-2)
    assert found.wording == pytest.approx(float(model.vcomp[0]), rel=1e-2)


def test_unbalanced_data_are_unbiased():
    runs = [nested_components(*draw(generator("nested", 2, run), keep=0.6)) for run in range(400)]
    for name, truth in (("item", 1.0), ("wording", 0.5), ("sample", 0.7)):
        values = np.array([getattr(run, name) for run in runs])
        assert abs(values.mean() - truth) < 3 * values.std(ddof=1) / np.sqrt(values.size)


def test_with_one_wording_it_is_the_one_way_analysis():
    x, item, _ = draw(generator("nested", 3), wordings=1)
    found, plain = nested_components(x, item, np.zeros_like(item)), components(x, item)
    assert found.sample == pytest.approx(plain.within)
    assert np.isnan(found.wording)


def test_equal_names_in_two_items_are_two_wordings():
    x, item, wording = draw(generator("nested", 4))
    assert nested_components(x, item, wording) == nested_components(x, item, wording + 10 * item)
    assert nested_components(x, item, wording).wordings == 120


def test_shares_sum_to_one_and_nothing_has_none():
    assert sum(nested_components(*draw(generator("nested", 5))).shares) == pytest.approx(1)
    none = nested_components(np.zeros(8), np.repeat([0, 1], 4), np.tile([0, 0, 1, 1], 2))
    assert np.isnan(none.shares).all()


@pytest.mark.parametrize("bad", [([], [], []), ([1.0], [0, 1], [0]), ([np.nan], [0], [0])])
def test_what_is_no_score_is_refused(bad):
    with pytest.raises(ValueError, match="values"):
        nested_components(*bad)
