"""The first principal component of differences, and every choice that the paper leaves open."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finchmark.suite.backends.direction import Choices, principal_direction, random_direction
from finchmark.suite.seeds import generator


def _differences(pairs=12, hidden=40, planted=None, seed=0):
    rng = generator("direction test", seed)
    noise = rng.normal(size=(pairs, hidden))
    if planted is None:
        return noise
    return noise * 0.1 + np.outer(rng.uniform(1, 3, size=pairs), planted)


def _unit(seed=1, hidden=40):
    v = generator("direction test unit", seed).normal(size=hidden)
    return v / np.linalg.norm(v)


def test_a_planted_direction_is_found_with_its_sign():
    planted = _unit()
    found = principal_direction(_differences(planted=planted), 5.0)
    assert found.vector @ planted > 0.99
    assert found.held_out == 1.0
    assert found.explained > 0.9
    away = principal_direction(-_differences(planted=planted), 5.0)
    np.testing.assert_allclose(away.vector, -found.vector, atol=1e-6)


@given(st.integers(2, 9), st.integers(2, 30), st.integers(0, 10_000))
def test_it_is_the_first_right_singular_vector(pairs, hidden, seed):
    d = _differences(pairs, hidden, seed=seed) + 0.5
    found = principal_direction(d, 1.0, Choices(sign="largest"))
    _, s, vt = np.linalg.svd(d)
    assert abs(found.vector @ vt[0]) == pytest.approx(1.0, abs=1e-5)
    assert found.explained == pytest.approx(s[0] ** 2 / (s**2).sum())


def test_centred_it_is_the_component_of_scikit_learn():
    from sklearn.decomposition import PCA

    d = _differences() + 2.0
    theirs = PCA(1, svd_solver="full").fit(d)
    found = principal_direction(d, 1.0, Choices(centre=True, sign="largest"))
    assert abs(found.vector @ theirs.components_[0]) == pytest.approx(1.0, abs=1e-5)
    assert found.explained == pytest.approx(float(theirs.explained_variance_ratio_[0]))


def test_centring_takes_off_what_all_pairs_have_in_common():
    common, rest = np.eye(40)[0], np.eye(40)[1]
    d = 5 * common + np.outer([-1.0, 1.0, -2.0, 2.0], rest) + 0.01 * _differences(4)
    assert principal_direction(d, 1.0).vector @ common > 0.99
    assert abs(principal_direction(d, 1.0, Choices(centre=True, sign="largest")).vector @ rest) > 0.99


def test_signs():
    e = np.eye(6)[0]
    d = np.outer([-1.0, -1.0, -1.0, 9.0], e)  # the mean points along e, most rows the other way
    assert principal_direction(d, 1.0, Choices(sign="mean")).vector[0] == pytest.approx(1)
    assert principal_direction(d, 1.0, Choices(sign="majority")).vector[0] == pytest.approx(-1)
    assert principal_direction(-d, 1.0, Choices(sign="largest")).vector[0] == pytest.approx(1)


@pytest.mark.parametrize(("scale", "length"), [("unit", 1.0), ("shift", 2.0), ("stream", 7.0)])
def test_scales(scale, length):
    d = np.outer([1.0, 2.0, 3.0], np.eye(6)[2])
    found = principal_direction(d, 7.0, Choices(scale=scale))
    assert np.linalg.norm(found.vector) == pytest.approx(length)
    assert found.shift == pytest.approx(2.0)
    assert found.stream == 7.0


def test_the_held_out_share_of_noise_is_no_proof():
    shares = [principal_direction(_differences(8, seed=k), 1.0, Choices(sign="mean")).held_out for k in range(200)]
    assert np.mean([s for s in shares if s is not None]) == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize(
    ("d", "choices", "match"),
    [
        (np.zeros((3, 4)), Choices(), "all zero"),
        (np.ones((1, 4)), Choices(centre=True), "all zero"),
        (np.ones(4), Choices(), "matrix"),
        (np.full((2, 4), np.nan), Choices(), "finite"),
        (np.eye(4)[:2], Choices(), "equally long"),
        (np.outer([1.0, -1.0], np.eye(4)[0]), Choices(), "agree on a sign"),
        (np.outer([1.0, -1.0], np.eye(4)[0]), Choices(sign="largest", scale="shift"), "no length"),
    ],
)
def test_what_gives_no_direction_is_refused(d, choices, match):
    with pytest.raises(ValueError, match=match):
        principal_direction(d, 1.0, choices)


def test_unknown_choices_are_refused():
    with pytest.raises(ValueError, match="scale must be one of unit, shift, stream"):
        Choices(scale="loud")  # type: ignore[arg-type]  # on purpose


def test_a_control_is_as_long_and_points_elsewhere():
    found = principal_direction(_differences(planted=_unit()), 3.0, Choices(scale="stream"))
    control = random_direction(found, 1)
    assert np.linalg.norm(control.vector) == pytest.approx(3.0, rel=1e-5)
    assert abs(control.vector @ found.vector) / 9 < 0.6
    np.testing.assert_array_equal(control.vector, random_direction(found, 1).vector)
    assert (control.vector != random_direction(found, 2).vector).any()
