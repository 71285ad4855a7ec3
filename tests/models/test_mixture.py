"""The mixture of Gaussians against scipy and against the moments of known parts."""

from typing import Any

import numpy as np
import pytest
import scipy.special
import scipy.stats
import torch
from torch import Tensor

from ectype.models.mixture import ITEMS_A_PART, SHRINKAGE, GaussianMixture
from tests.models.numeric import seeded

STATS: Any = scipy.stats  # whose classes change shape when they are called

CENTRES = torch.tensor([[-9.0, 0.0, 4.0], [8.0, 8.0, 0.0], [5.0, -12.0, -3.0]])
COUNTS = (900, 300, 600)


def clusters() -> tuple[Tensor, Tensor]:
    """Points (n, 3) of three well-separated, skewed Gaussians, and which each belongs to."""
    generator = seeded(1)
    part = torch.arange(3).repeat_interleave(torch.tensor(COUNTS))
    skew = torch.randn(3, 3, 3, generator=generator) * 0.5 + 0.5 * torch.eye(3)
    noise = torch.randn(len(part), 3, generator=generator)
    z = CENTRES[part] + torch.einsum("nij,nj->ni", skew[part], noise)
    order = torch.randperm(len(z), generator=generator)
    return z[order], part[order]


@pytest.fixture(scope="module")
def fitted() -> GaussianMixture:
    mixture = GaussianMixture(3, parts=3)
    mixture.fit(clusters()[0], seeded(1))
    return mixture


def covariances(mixture: GaussianMixture) -> Tensor:
    return mixture.factors @ mixture.factors.mT


def test_fit_recovers_separate_parts(fitted: GaussianMixture):
    """Their weights and means exactly; their covariances with the shrinkage that is stated."""
    z, part = clusters()
    whole = np.cov(z.numpy().T, bias=True)
    for centre, count, k in zip(CENTRES, COUNTS, range(3), strict=True):
        i = int((fitted.means - centre).norm(dim=1).argmin())
        own = z[part == k].double().numpy()
        share = count / len(z)
        assert fitted.weights[i].item() == pytest.approx(share, abs=1e-4)
        np.testing.assert_allclose(fitted.means[i], own.mean(0), atol=2e-3)
        target = whole * share ** (2 / 3)
        blended = (count * np.cov(own.T, bias=True) + SHRINKAGE * target) / (count + SHRINKAGE)
        np.testing.assert_allclose(covariances(fitted)[i], blended, atol=5e-3)


def test_log_joint_is_scipys(fitted: GaussianMixture):
    z = clusters()[0][:50]
    log_weights = np.log(fitted.weights.numpy())
    parts = zip(log_weights, fitted.means, covariances(fitted), strict=True)
    joint = np.stack(
        [w + STATS.multivariate_normal(mean, cov).logpdf(z) for w, mean, cov in parts], 1
    )
    np.testing.assert_allclose(fitted.log_joint(z), joint, rtol=1e-3)
    np.testing.assert_allclose(fitted.log_prob(z), scipy.special.logsumexp(joint, 1), rtol=1e-4)


def test_white_and_place_are_inverses(fitted: GaussianMixture):
    z, _ = clusters()
    part = fitted.log_joint(z).argmax(1)
    white = fitted.white(z, part)
    torch.testing.assert_close(fitted.place(white, part), z, atol=1e-4, rtol=1e-4)
    for k in range(3):
        mean = white[part == k].mean(0)
        torch.testing.assert_close(mean, torch.zeros(3), atol=2e-3, rtol=0)


def test_unfitted_is_one_standard_normal():
    z = torch.randn(20, 5, generator=seeded())
    expected = STATS.norm().logpdf(z).sum(1)
    mixture = GaussianMixture(5)
    np.testing.assert_allclose(mixture.log_prob(z), expected, rtol=1e-5)
    assert mixture.log_joint(z)[:, 1:].eq(-torch.inf).all()


def test_one_part_is_the_normal_of_all_items():
    z = torch.randn(5_000, 4, generator=seeded()) @ torch.randn(4, 4, generator=seeded(1)) + 3
    mixture = GaussianMixture(4, parts=1)
    mixture.fit(z, seeded())
    whole = STATS.multivariate_normal(z.mean(0), np.cov(z.numpy().T, bias=True))
    np.testing.assert_allclose(mixture.log_prob(z), whole.logpdf(z), rtol=1e-3)
    white = mixture.white(z, torch.zeros(5_000, dtype=torch.long))
    torch.testing.assert_close(white.T.cov(correction=0), torch.eye(4), atol=1e-3, rtol=0)


@pytest.mark.parametrize("size", [1, 4, 128])
@pytest.mark.parametrize("n", [2, 3, 50, 127, 700])
def test_few_items_give_a_density_around_them(n: int, size: int):
    z = 5 * torch.randn(n, size, generator=seeded()) + 2
    mixture = GaussianMixture(size)
    mixture.fit(z, seeded())
    assert mixture.weights.sum().item() == pytest.approx(1, abs=1e-5)
    assert (mixture.weights > 0).sum() <= max(1, n // ITEMS_A_PART)
    mean = (mixture.weights[:, None] * mixture.means).sum(0)
    torch.testing.assert_close(mean, z.mean(0), atol=0.05, rtol=0.01)
    assert mixture.log_prob(z).isfinite().all()
    assert (mixture.log_prob(z.mean(0)[None]) > mixture.log_prob(z.mean(0)[None] + 100)).all()


def test_autocast_rounds_nothing():
    z, _ = clusters()
    rounded, exact = GaussianMixture(3, parts=3), GaussianMixture(3, parts=3)
    exact.fit(z, seeded())
    part = exact.log_joint(z).argmax(1)
    with torch.autocast("cpu", torch.bfloat16):
        rounded.fit(z, seeded())
        log_prob = rounded.log_prob(z)
        white = rounded.white(z, part)
        placed = rounded.place(white, part)
    for name, buffer in exact.named_buffers():
        assert torch.equal(rounded.get_buffer(name), buffer), name
    assert torch.equal(log_prob, exact.log_prob(z))
    assert torch.equal(white, exact.white(z, part))
    assert torch.equal(placed, exact.place(white, part))


def test_fit_depends_on_its_generator_alone():
    z, _ = clusters()

    def fit(seed: int, unrelated: int) -> dict[str, Tensor]:
        torch.manual_seed(unrelated)
        mixture = GaussianMixture(3, parts=8)
        mixture.fit(z, seeded(seed))
        return mixture.state_dict()

    first, again, other = fit(0, 1), fit(0, 2), fit(3, 1)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["means"], other["means"])


@pytest.mark.parametrize("places", [1, 2])
def test_copies_of_few_items_are_fitted(places):
    torch.manual_seed(0)
    z = torch.randn(places, 4).repeat(1000, 1)
    mixture = GaussianMixture(4)
    mixture.fit(z, torch.Generator().manual_seed(0))
    assert torch.isfinite(mixture.log_prob(z)).all()
    torch.testing.assert_close(mixture.weights.sum(), torch.tensor(1.0))
