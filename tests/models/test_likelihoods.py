"""Likelihoods against scipy, explicit covariances and slow loops over pixels and values."""

from typing import Any

import numpy as np
import pytest
import scipy.stats
import torch
from torch import Tensor

from ectype.models import likelihoods
from ectype.models.likelihoods import Bernoulli, Gaussian, LogisticMixture, haar_bands
from tests.models.numeric import seeded

STATS: Any = scipy.stats  # whose classes change shape when they are called


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=seeded(seed))


def haar_rows(side: int, levels: int) -> list[np.ndarray]:
    """The Haar bands of a square picture as matrices (coefficients, side²), pixel by pixel."""
    bands, patterns = [], ([1, 1, -1, -1], [1, -1, 1, -1], [1, -1, -1, 1], [1, 1, 1, 1])
    low = np.eye(side * side)  # row (i, j) of the grid that is left says which pixels it weighs
    for _ in range(levels):
        half = side // 2
        matrices = []
        for pattern in patterns:
            matrix = np.zeros((half * half, low.shape[1]))
            for i in range(half):
                for j in range(half):
                    cells = [(2 * i, 2 * j), (2 * i, 2 * j + 1), (2 * i + 1, 2 * j)]
                    cells.append((2 * i + 1, 2 * j + 1))
                    for sign, (y, x) in zip(pattern, cells, strict=True):
                        matrix[i * half + j] += sign / 2 * low[y * side + x]
            matrices.append(matrix)
        bands += matrices[:3]
        low, side = matrices[3], half
    return [*bands, low]


@pytest.mark.parametrize(("side", "levels"), [(4, 0), (4, 1), (4, 2), (8, 3)])
def test_haar_bands_are_the_orthonormal_matrix(side: int, levels: int):
    pixels = torch.eye(side * side).view(-1, 1, side, side)
    bands = [band.flatten(1).T.numpy() for band in haar_bands(pixels, levels)]
    for band, rows in zip(bands, haar_rows(side, levels), strict=True):
        np.testing.assert_allclose(band, rows, atol=1e-6)
    matrix = np.concatenate(bands)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(side * side), atol=1e-6)


def test_gaussian_is_a_normal_density_of_vectors_and_maps():
    likelihood = Gaussian()
    likelihood.variances.fill_(0.3)
    for shape in ((5, 7), (5, 2, 3, 3)):
        x, mean = normal(*shape), normal(*shape, seed=1)
        expected = STATS.norm(mean, 0.3**0.5).logpdf(x).reshape(5, -1).sum(1)
        np.testing.assert_allclose(likelihood.log_prob(x, mean), expected, rtol=1e-5)


#: Brightness, and the two differences of colours that are left.
COLOUR = np.array([[1, 1, 1], [1, 0, -1], [1, -2, 1]]) / np.sqrt([[3], [2], [6]])


def group_rows(channels: int, groups: tuple[int, ...]) -> list[np.ndarray]:
    """For each group, the channels (or mixtures of them) that it is made of, as rows."""
    mixing = np.eye(channels)
    if groups[:2] == (1, 2):
        mixing[:3, :3] = COLOUR
    return np.split(mixing, np.cumsum(groups)[:-1]) if groups else [mixing]


GROUPS = [(1, ()), (2, ()), (2, (1, 1)), (3, (1, 2)), (4, (1, 2, 1))]


@pytest.mark.parametrize("levels", [0, 1, 2])
@pytest.mark.parametrize(("channels", "groups"), GROUPS)
def test_gaussian_in_bands_is_a_multivariate_normal_of_the_picture(
    channels: int, groups: tuple[int, ...], levels: int
):
    likelihood = Gaussian(levels, groups=groups)
    rows = [np.kron(g, band) for g in group_rows(channels, groups) for band in haar_rows(4, levels)]
    likelihood.variances.copy_(torch.linspace(0.1, 2, len(rows)))
    bands = zip(rows, likelihood.variances.tolist(), strict=True)
    covariance = sum(variance * matrix.T @ matrix for matrix, variance in bands)
    x, mean = normal(6, channels, 4, 4), normal(6, channels, 4, 4, seed=1)
    error = (x - mean).flatten(1).numpy()
    expected = STATS.multivariate_normal(cov=covariance).logpdf(error)
    np.testing.assert_allclose(likelihood.log_prob(x, mean), expected, rtol=1e-5)


@pytest.mark.parametrize("levels", [0, 2])
@pytest.mark.parametrize(("channels", "groups"), GROUPS[1:])
def test_training_loss_is_that_of_the_likeliest_variances(
    channels: int, groups: tuple[int, ...], levels: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(likelihoods, "LEAST_VARIANCE", 0.0)
    likelihood = Gaussian(levels, groups=groups).eval()
    x, mean = normal(6, channels, 8, 8), normal(6, channels, 8, 8, seed=1)
    loss = likelihood.training_loss(x, mean)
    torch.testing.assert_close(likelihood.variances, torch.ones_like(likelihood.variances))

    error = (x - mean).flatten(1).double().numpy()
    rows = [np.kron(g, band) for g in group_rows(channels, groups) for band in haar_rows(8, levels)]
    best = torch.tensor([np.square(error @ matrix.T).mean() for matrix in rows])
    likelihood.variances.copy_(best)
    assert loss.item() == pytest.approx(-likelihood.log_prob(x, mean).mean().item(), rel=1e-5)
    for i in range(len(best)):
        for factor in (0.9, 1.1):
            likelihood.variances.copy_(best)
            likelihood.variances[i] *= factor
            assert -likelihood.log_prob(x, mean).mean() > loss


def test_variances_follow_the_batch_in_training():
    likelihood = Gaussian()
    x, mean = 3 * normal(50, 4), normal(50, 4, seed=1)
    error = (x - mean).square().mean().item() + likelihoods.LEAST_VARIANCE
    for _ in range(3):
        likelihood.training_loss(x, mean)
    followed = error + (1 - error) * 0.98**3
    assert likelihood.variances.item() == pytest.approx(followed, rel=1e-5)


def test_perfect_reconstruction_costs_a_finite_loss():
    x = normal(4, 1, 4, 4).requires_grad_()
    loss = Gaussian(1).training_loss(x.detach(), x)
    (gradient,) = torch.autograd.grad(loss, x)
    density = STATS.norm(scale=likelihoods.LEAST_VARIANCE**0.5).logpdf(0.0) + 0.5
    assert loss.item() == pytest.approx(-16 * (density - 1), rel=1e-5)
    assert gradient.abs().max() == 0


def unbent(bent: torch.Tensor) -> torch.Tensor:
    """The output that a limit of 1 bends to these values, 3 tanh(output / 3)."""
    return (3 * torch.atanh(bent / 3)).requires_grad_()


def test_limit_cuts_off_the_output_and_leads_it_back():
    """No error and no gradient beyond the end where x lies; elsewhere the gradient goes through."""
    likelihood = Gaussian(limit=1.0)
    cases = [  # x, output after it is bent, error, gradient of log p
        (1.0, 1.7, 0.0, 0.0),
        (-1.0, -1.2, 0.0, 0.0),
        (1.0, 0.4, 0.6, 0.6),
        (1.0, -2.9, 2.0, 2.0),
        (-1.0, 2.9, -2.0, -2.0),
        (0.2, 1.5, -0.8, -0.8),
        (0.2, -1.5, 1.2, 1.2),
        (0.2, 0.5, -0.3, -0.3),
    ]
    x, bent, error, slope = torch.tensor(cases)[:, :, None].unbind(1)
    output = unbent(bent)
    log_prob = likelihood.log_prob(x, output)
    expected = STATS.norm().logpdf(error[:, 0])
    np.testing.assert_allclose(log_prob.detach(), expected, rtol=1e-5)
    (gradient,) = torch.autograd.grad(log_prob.sum(), output)
    torch.testing.assert_close(gradient, slope * (1 - (bent / 3) ** 2))
    torch.testing.assert_close(likelihood.mean(output), bent.clamp(-1, 1))


def test_limit_holds_pixel_by_pixel_where_bands_mix_pixels():
    """The error of a pixel's neighbours does not pull it back from beyond its end."""
    likelihood = Gaussian(levels=1, limit=1.0)
    likelihood.variances.copy_(torch.tensor([0.1, 0.4, 0.7, 2.0]))
    x = torch.tensor([1.0, 0.2, -1.0, -1.0])
    bent = torch.tensor([1.5, -0.4, -1.3, 1.4])
    output = unbent(bent)
    error = torch.tensor([0.0, 0.6, 0.0, -2.0])
    bands = torch.from_numpy(np.concatenate(haar_rows(2, 1))).float()
    precision = bands.T @ torch.diag(1 / likelihood.variances) @ bands
    log_prob = likelihood.log_prob(x.view(1, 1, 2, 2), output.view(1, 1, 2, 2))
    (gradient,) = torch.autograd.grad(log_prob.sum(), output)
    slope = (precision @ error) * torch.tensor([0.0, 1, 0, 1])
    torch.testing.assert_close(gradient, slope * (1 - (bent / 3) ** 2))


def test_bernoulli_is_scipys():
    bits, logits = (normal(5, 2, 3, 3) > 0).float(), 4 * normal(5, 2, 3, 3, seed=1)
    coin = STATS.bernoulli(1 / (1 + np.exp(-logits.double().numpy())))
    log_prob = Bernoulli().log_prob(2 * bits - 1, logits)
    expected = coin.logpmf(bits.numpy()).reshape(5, -1).sum(1)
    np.testing.assert_allclose(log_prob, expected, rtol=1e-5)
    np.testing.assert_allclose(Bernoulli().mean(logits), 2 * coin.mean() - 1, atol=1e-6)


# --- the mixture of discretised logistics -------------------------------------------------

VALUES = torch.arange(256) / 127.5 - 1


def slow_log_prob(x: np.ndarray, parameters: np.ndarray, mixtures: int) -> float:
    """One pixel x (c,), its parameters (outputs,), component by component."""
    channels = len(x)
    logits, means, scales, coefficients = np.split(
        parameters, np.cumsum([mixtures, mixtures * channels, mixtures * channels])
    )
    total = 0.0
    for k in range(mixtures):
        p = np.exp(logits[k]) / np.exp(logits).sum()
        pair = k * channels * (channels - 1) // 2
        for c in range(channels):
            mean = means[k * channels + c]
            for before in range(c):
                mean += np.tanh(coefficients[pair]) * x[before]
                pair += 1
            logistic = STATS.logistic(mean, np.exp(max(scales[k * channels + c], -7)))
            upper = 1.0 if x[c] > 0.999 else logistic.cdf(x[c] + 1 / 255)
            lower = 0.0 if x[c] < -0.999 else logistic.cdf(x[c] - 1 / 255)
            p *= upper - lower
        total += p
    return np.log(total)


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_logistic_mixture_is_the_slow_one(channels: int):
    likelihood = LogisticMixture(3)
    x = VALUES[torch.randint(256, (4, channels, 2, 3), generator=seeded())]
    x[0, :, 0, 0], x[1, :, 0, 0] = -1, 1
    parameters = normal(4, likelihood.outputs(channels), 2, 3) - 0.5
    slow = [
        sum(
            slow_log_prob(x[n, :, i, j].numpy(), parameters[n, :, i, j].double().numpy(), 3)
            for i in range(2)
            for j in range(3)
        )
        for n in range(4)
    ]
    np.testing.assert_allclose(likelihood.log_prob(x, parameters), slow, rtol=1e-4)


@pytest.mark.parametrize("scale", [-9.0, -4.0, 0.0, 2.0])
def test_logistic_mixture_sums_to_one_over_all_values_of_each_channel(scale: float):
    """Σ over the last channel gives the probability of the channels before it, down to one."""
    k, given = 2, VALUES[[40, 200, 0]]
    logits, means, coefficients = normal(k), normal(k, 3, seed=1), normal(k, 3, seed=2)
    before = torch.zeros(())  # log-probability of no channels
    for channels in (1, 2, 3):
        pairs = channels * (channels - 1) // 2
        parts = (logits, means[:, :channels].flatten(), torch.full((k * channels,), scale))
        parameters = torch.cat([*parts, coefficients[:, :pairs].flatten()])[None, :, None, None]
        x = given[:channels].repeat(256, 1)
        x[:, -1] = VALUES
        likelihood = LogisticMixture(k)
        log_prob = likelihood.log_prob(x[:, :, None, None], parameters.expand(256, -1, -1, -1))
        torch.testing.assert_close(log_prob.logsumexp(0), before, rtol=1e-4, atol=1e-4)
        before = likelihood.log_prob(given[None, :channels, None, None], parameters)[0]


@pytest.mark.parametrize("size", [30.0, 1000.0])
def test_logistic_mixture_is_finite_far_from_the_data(size: float):
    likelihood = LogisticMixture(2)
    x = VALUES[[0, 100, 255]].view(3, 1, 1, 1)
    parameters = normal(3, likelihood.outputs(1), 1, 1)
    parameters[:, 2:4] *= size
    parameters.requires_grad_()
    log_prob = likelihood.log_prob(x, parameters)
    (gradient,) = torch.autograd.grad(log_prob.sum(), parameters)
    assert log_prob.isfinite().all()
    assert gradient.isfinite().all()


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_logistic_mixture_shows_the_mean_of_its_likeliest_component(channels: int):
    likelihood = LogisticMixture(3)
    parameters = normal(4, likelihood.outputs(channels), 2, 3)
    mean = likelihood.mean(parameters)
    assert mean.shape == (4, channels, 2, 3)
    assert mean.abs().max() <= 1
    pairs = channels * (channels - 1) // 2
    for n, i, j in np.ndindex(4, 2, 3):
        pixel = parameters[n, :, i, j]
        k = int(pixel[:3].argmax())
        weights = iter(torch.tanh(pixel[3 + 6 * channels :][k * pairs :][:pairs]).tolist())
        shown: list[float] = []
        for own in pixel[3 + k * channels :][:channels].tolist():
            value = own + sum(next(weights) * before for before in shown)
            shown.append(min(1.0, max(-1.0, value)))
        np.testing.assert_allclose(mean[n, :, i, j], shown, atol=1e-6)
