"""Likelihood measures against a model whose likelihood is known in closed form."""

import math

import pytest
import torch
from torch import nn

from ectype.config import VaeSettings
from ectype.measures.likelihood import likelihood_measures
from ectype.models.base import Batch
from ectype.models.likelihoods import Bernoulli, Gaussian
from ectype.models.vae import Vae

SLOPE, VARIANCE = 2.0, 0.5


class ExactPosterior(nn.Module):
    """Of x = SLOPE · z₁ + noise, z₁ standard normal; z₂ has nothing to do with x."""

    def forward(self, x, label):
        precision = 1 + SLOPE**2 / VARIANCE
        mean = torch.cat([x * SLOPE / VARIANCE / precision, torch.zeros_like(x)], 1)
        log_variance = torch.tensor([-math.log(precision), 0.0]).expand(len(x), 2)
        return mean, 5 * torch.atanh(log_variance / 5)  # `posterior` bounds it smoothly


class Line(nn.Module):
    def forward(self, z, label):
        return SLOPE * z[:, :1]


@pytest.fixture
def linear():
    likelihood = Gaussian()
    likelihood.variances.fill_(VARIANCE)
    settings = VaeSettings(latent=2, prior="normal")
    return Vae(ExactPosterior(), Line(), likelihood, None, settings, classes=0).eval()


def batches(x):
    return [Batch(part, None) for part in x.split(30)]


def test_the_bounds_meet_the_likelihood_where_the_posterior_is_exact(linear):
    x = 2 * torch.randn(100, 1, generator=torch.Generator().manual_seed(0))
    found = likelihood_measures(linear, batches(x))
    marginal = torch.distributions.Normal(0, math.sqrt(SLOPE**2 + VARIANCE))
    exact = marginal.log_prob(x[:, 0]).double()
    assert found["iwae"].value == pytest.approx(float(exact.mean()), abs=1e-4)
    # the same bound from one draw each: right on average, within its standard error
    low, high = found["elbo"].interval or (0, 0)
    assert low < float(exact.mean()) < high
    error = 1.96 * float(exact.std()) / 10
    low, high = found["iwae"].interval or (0, 0)
    assert (high - low) / 2 == pytest.approx(error, rel=1e-3)
    assert found["iwae"].n == 100
    assert "bits_per_dimension" not in found


def test_reconstruction_and_active_units(linear):
    x = 2 * torch.randn(100, 1, generator=torch.Generator().manual_seed(0))
    found = likelihood_measures(linear, batches(x))
    shrunk = SLOPE**2 / (SLOPE**2 + VARIANCE)
    expected = float(((1 - shrunk) * x).square().mean())
    assert found["reconstruction"].value == pytest.approx(expected, rel=1e-5)
    assert found["reconstruction"].better == "lower"
    assert found["active_units"].value == 1
    assert found["active_units"].note == "of 2 latent dimensions"


def test_bits_where_values_are_discrete(linear):
    class Fair(nn.Module):
        def forward(self, z, label):
            return torch.zeros(len(z), 3)

    class Nothing(nn.Module):
        def forward(self, x, label):
            return torch.zeros(len(x), 2), torch.zeros(len(x), 2)

    settings = VaeSettings(latent=2, prior="normal")
    coins = Vae(Nothing(), Fair(), Bernoulli(), None, settings, classes=0).eval()
    x = torch.randint(0, 2, (40, 3), generator=torch.Generator().manual_seed(0)) * 2.0 - 1
    found = likelihood_measures(coins, batches(x))
    assert found["bits_per_dimension"].value == pytest.approx(1, rel=1e-5)
    assert found["elbo"].value == pytest.approx(-3 * math.log(2), rel=1e-5)
    assert found["active_units"].value == 0


def test_equal_seeds_agree(linear):
    x = torch.randn(40, 1, generator=torch.Generator().manual_seed(0))
    first, again, other = (likelihood_measures(linear, batches(x), seed=s) for s in (1, 1, 2))
    assert first == again
    assert first["elbo"] != other["elbo"]
