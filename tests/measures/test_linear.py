"""Logistic regression and the area under its curve against scikit-learn."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import norm
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

from ectype.measures.linear import auc, logistic_regression, two_sample_auc


def features(n: int, d: int, seed: int = 0, shift: float = 0) -> NDArray[np.float32]:
    generator = np.random.default_rng(seed)
    return generator.standard_normal((n, d), dtype=np.float32) + np.float32(shift)


@pytest.mark.parametrize(("n", "d", "ridge"), [(200, 6, 0.1), (40, 100, 1.0)])
def test_multinomial_agrees_with_scikit_learn(n: int, d: int, ridge: float):
    """Its C is a weight of the summed cross-entropy: C = 1 / (n ridge)."""
    scales = np.linspace(0.1, 10, d, dtype=np.float32)
    x = features(n, d) * scales + 3
    labels = features(n, d)[:, :3].argmax(1)
    reference = LogisticRegression(C=1 / (n * ridge), tol=1e-10, max_iter=10_000)
    scaled = StandardScaler().fit(x.astype(np.float64))
    reference.fit(scaled.transform(x.astype(np.float64)), labels)
    fitted = logistic_regression(x, labels, ridge=ridge)
    np.testing.assert_allclose(fitted.weight.numpy().T, reference.coef_, atol=1e-5)
    new = features(50, d, seed=1) * scales + 3
    np.testing.assert_allclose(
        fitted.logits(new).softmax(1).numpy(),
        reference.predict_proba(scaled.transform(new.astype(np.float64))),
        atol=1e-5,
    )


def test_binary_agrees_with_scikit_learn():
    """Two weight vectors w and -w with ridge r cost as much as their difference 2w with r / 2."""
    x, labels = features(150, 10), np.arange(150) % 2
    x[labels == 1] += 0.4
    reference = LogisticRegression(C=2 / 150, tol=1e-10).fit(
        StandardScaler().fit_transform(x.astype(np.float64)), labels
    )
    weight = logistic_regression(x, labels, ridge=1.0).weight.numpy()
    np.testing.assert_allclose(weight[:, 1] - weight[:, 0], reference.coef_[0], atol=1e-5)


def test_a_constant_feature_counts_nothing():
    x, labels = features(60, 3), np.arange(60) % 2
    constant = np.full((60, 1), 0.1, dtype=np.float32)
    fitted = logistic_regression(np.concatenate([x, constant], 1), labels)
    alone = logistic_regression(x, labels)
    np.testing.assert_allclose(fitted.weight[:3], alone.weight, atol=1e-6)
    assert fitted.weight[3].abs().max() < 1e-6


@pytest.mark.parametrize("values", [1000, 3, 1])
def test_area_agrees_with_scikit_learn_with_ties(values: int):
    generator = np.random.default_rng(0)
    positive = generator.integers(0, values, 70) / 7 + (1 if values > 1 else 0)
    negative = generator.integers(0, values, 50) / 7
    labels = np.repeat([1, 0], [70, 50])
    expected = roc_auc_score(labels, np.concatenate([positive, negative]))
    assert auc(positive, negative) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("n", "d"), [(20, 200), (60, 60), (100, 5)])
def test_one_distribution_cannot_be_told_from_itself_whatever_n_and_d(n: int, d: int):
    draws = [
        two_sample_auc(features(n, d, seed=2 * i), features(n, d, seed=2 * i + 1), seed=i)
        for i in range(40)
    ]
    assert np.mean(draws) == pytest.approx(0.5, abs=3 * np.std(draws) / 40**0.5)
    assert np.std(draws) < 2 * (1 / (6 * n)) ** 0.5  # of an area under the curve by chance


def test_a_shift_gives_the_area_of_the_best_classifier():
    """Two unit Gaussians at distance s: Phi(s / sqrt 2)."""
    area = two_sample_auc(features(20_000, 4), features(20_000, 4, seed=1, shift=0.5))
    assert area == pytest.approx(norm.cdf(1 / 2**0.5), abs=0.008)


def test_one_item_repeated_is_told_apart_always():
    x = features(50, 20)
    assert two_sample_auc(np.repeat(x[:1], 50, axis=0), features(50, 20, seed=1)) == 1


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (features(3, 5), "n >= 4"),
        (features(9, 4), "of one d"),
        (np.full((9, 5), np.nan, dtype=np.float32), "NaN or infinity"),
    ],
)
def test_what_cannot_be_classified_is_named(x: NDArray[np.float32], message: str):
    with pytest.raises(ValueError, match=message):
        two_sample_auc(x, features(9, 5))
