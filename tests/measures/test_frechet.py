"""The Fréchet distance against scipy's matrix square root and against closed forms."""

import numpy as np
import pytest
import scipy.linalg
from numpy.typing import NDArray

from ectype.measures import frechet
from ectype.measures.frechet import frechet_distance, moments


def correlated(n: int, d: int, seed: int) -> NDArray[np.float64]:
    """Features whose covariance has a spectrum over six decades, as those of networks have."""
    generator = np.random.default_rng(seed)
    mixing = generator.standard_normal((d, d)) * np.logspace(0, -3, d)
    return generator.standard_normal((n, d)) @ mixing + generator.standard_normal(d) * 0.1


def slow_distance(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    a, b = np.atleast_2d(np.cov(x.T)), np.atleast_2d(np.cov(y.T))
    overlap = np.trace(scipy.linalg.sqrtm(a @ b)).real
    shift = np.square(x.mean(0) - y.mean(0)).sum()
    return float(shift + np.trace(a) + np.trace(b) - 2 * overlap)


def traces(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    return float(x.var(0).sum() + y.var(0).sum())


@pytest.mark.parametrize(("n", "m", "d"), [(300, 200, 40), (41, 41, 40), (2, 3, 1)])
def test_agrees_with_the_matrix_square_root(n: int, m: int, d: int):
    x, y = correlated(n, d, 0), correlated(m, d, 1)
    difference = frechet_distance(x, y) - slow_distance(x, y)
    assert abs(difference) <= 1e-9 * traces(x, y)


@pytest.mark.parametrize(("n", "m", "d"), [(20, 30, 100), (20, 300, 100), (300, 20, 100)])
def test_agrees_with_the_matrix_square_root_of_singular_covariances(n: int, m: int, d: int):
    """Where n < d, sqrtm of a singular product is itself only good to about 1e-7."""
    x, y = correlated(n, d, 0), correlated(m, d, 1)
    difference = frechet_distance(x, y) - slow_distance(x, y)
    assert abs(difference) <= 1e-6 * traces(x, y)


def test_closed_form_of_axis_aligned_gaussians():
    """Symmetric points +-a on each axis have diagonal covariances, known exactly."""
    d = 6
    a, b = np.arange(1.0, d + 1), np.arange(1.0, d + 1)[::-1] ** 2
    x = np.concatenate([np.diag(a), -np.diag(a)])
    y = np.concatenate([np.diag(b), -np.diag(b)]) + 3
    scale = 2 / (2 * d - 1)  # variance of one axis is 2 a^2 / (n - 1)
    expected = 9 * d + scale * np.square(a - b).sum()
    assert frechet_distance(x, y) == pytest.approx(expected, rel=1e-12)


def test_sampled_gaussians_approach_the_distance_of_their_distributions():
    generator = np.random.default_rng(0)
    x = generator.standard_normal((40_000, 3))
    y = 2 * generator.standard_normal((40_000, 3)) + 1
    assert frechet_distance(x, y) == pytest.approx(3 * 1 + 3 * (2 - 1) ** 2, rel=0.02)


def test_a_set_is_at_no_distance_from_itself_and_a_shift_counts_squared():
    x = correlated(30, 100, 0)
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(x, x) >= 0
    assert frechet_distance(x, x + 0.5) == pytest.approx(25, rel=1e-9)


def test_symmetric_and_invariant_under_order_and_rotation():
    x, y = correlated(80, 20, 0), correlated(90, 20, 1)
    turn = np.linalg.qr(np.random.default_rng(2).standard_normal((20, 20))).Q
    expected = frechet_distance(x, y)
    assert frechet_distance(y, x) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(x[::-1] @ turn, y @ turn) == pytest.approx(expected, rel=1e-9)


def test_moments_stand_for_their_features_whatever_the_block(monkeypatch: pytest.MonkeyPatch):
    x, y = correlated(300, 12, 0), correlated(200, 12, 1)
    expected = frechet_distance(x, y)
    for block in (5, 12, 64):
        monkeypatch.setattr(frechet, "_BLOCK", block)
        summed = moments(x)
        covariance = (summed.root.T @ summed.root).numpy()
        np.testing.assert_allclose(covariance, np.cov(x.T), rtol=1e-9, atol=1e-14)
        assert summed.root.shape == (12, 12)
        assert frechet_distance(summed, y) == pytest.approx(expected, rel=1e-9)


def test_float32_features_are_summed_up_in_float64():
    x = correlated(100, 8, 0).astype(np.float32)
    x += np.float32(1000)  # a large mean would drown the variance in float32
    summed = moments(x)
    expected = np.cov(x.T.astype(np.float64))
    np.testing.assert_allclose((summed.root.T @ summed.root).numpy(), expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros((1, 3)), "n >= 2"),
        (np.zeros(3), "n >= 2"),
        (np.full((4, 3), np.nan), "NaN or infinity"),
        (np.array([[np.inf, 0, 0], [-np.inf, 0, 0]]), "NaN or infinity"),
        (np.zeros((4, 2)), "2 and of 3 dimensions"),
    ],
)
def test_what_has_no_distance_is_named(x: NDArray[np.float64], message: str):
    with pytest.raises(ValueError, match=message):
        frechet_distance(x, np.ones((4, 3)))
