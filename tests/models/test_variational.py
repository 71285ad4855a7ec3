"""Variational inference against torch.distributions and slow formulas."""

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Normal, kl_divergence

from ectype.models.base import Batch, Turn
from ectype.models.likelihoods import Gaussian
from ectype.models.variational import (
    kl_to_normal,
    latents,
    log_normal,
    posterior,
    reparameterise,
    variational_loss,
)
from tests.models.numeric import seeded


class Moments(nn.Module):
    """An encoder whose output for every item is given."""

    def __init__(self, mean: Tensor, log_variance: Tensor):
        super().__init__()
        self.mean, self.log_variance = nn.Parameter(mean), nn.Parameter(log_variance)

    def forward(self, x: Tensor, label: Tensor | None) -> tuple[Tensor, Tensor]:
        return self.mean.expand(len(x), -1), self.log_variance.expand(len(x), -1)


class Linear(nn.Module):
    """A linear decoder."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.layer = nn.Linear(inputs, outputs)

    def forward(self, z: Tensor, label: Tensor | None) -> Tensor:
        return self.layer(z)


def moments(n: int = 6, size: int = 4) -> tuple[Tensor, Tensor]:
    mean, log_variance = torch.randn(2, n, size, generator=seeded()).unbind()
    return mean, 2 * log_variance


def test_kl_and_density_are_those_of_torch_distributions():
    mean, log_variance = moments()
    own = Normal(mean, (0.5 * log_variance).exp())
    torch.testing.assert_close(
        kl_to_normal(mean, log_variance), kl_divergence(own, Normal(torch.tensor(0.0), 1.0))
    )
    z = torch.randn(6, 4, generator=seeded(1))
    torch.testing.assert_close(log_normal(z, mean, log_variance), own.log_prob(z).sum(1))
    shaped = log_normal(z.view(6, 2, 2), mean.view(6, 2, 2), log_variance.view(6, 2, 2))
    torch.testing.assert_close(shaped, own.log_prob(z).sum(1))


def test_posterior_bounds_the_log_variance_smoothly():
    raw = torch.tensor([[-1e6, -20.0, -0.1, 0.0, 0.1, 20.0, 1e6]], requires_grad=True)
    mean, bounded = posterior(lambda x, label: (raw, raw), raw, None)  # pyright: ignore[reportArgumentType]
    torch.testing.assert_close(mean, raw)
    torch.testing.assert_close(bounded, (5 * torch.tanh(raw.double() / 5)).float())
    assert bounded.abs().max() <= 5
    (slope,) = torch.autograd.grad(bounded.sum(), raw)
    assert slope.isfinite().all()
    assert slope[0, 3] == 1


def test_reparameterised_draws_have_the_moments_and_lead_back_to_them():
    mean, log_variance = (t[:1].expand(100_000, -1).clone().requires_grad_() for t in moments())
    z = reparameterise(mean, log_variance, seeded(1))
    sigma = (0.5 * log_variance).exp()
    noise = (z - mean) / sigma
    torch.testing.assert_close(noise.mean(0), torch.zeros(4), atol=0.02, rtol=0)
    torch.testing.assert_close(noise.T.cov(), torch.eye(4), atol=0.02, rtol=0)
    by_mean, by_log_variance = torch.autograd.grad(z.sum(), (mean, log_variance))
    torch.testing.assert_close(by_mean, torch.ones_like(mean))
    torch.testing.assert_close(by_log_variance, 0.5 * sigma * noise, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("beta", "free_bits"), [(1.0, 0.0), (0.3, 0.0), (1.0, 0.5), (2.0, 100.0)])
def test_loss_is_the_bound_a_dimension(beta: float, free_bits: float):
    encoder, decoder, likelihood = Moments(*moments()), Linear(4, 10), Gaussian()
    x = torch.randn(6, 10, generator=seeded(2))
    turn = Turn(Batch(x, None), 0.0, 0, seeded(3))
    loss, log = variational_loss(encoder, decoder, likelihood, turn, beta=beta, free_bits=free_bits)
    mean, log_variance = posterior(encoder, x, None)
    z = reparameterise(mean, log_variance, seeded(3))
    reconstruction = Gaussian().training_loss(x, decoder(z, None))
    kl = kl_to_normal(mean, log_variance)
    costs = sum(max(free_bits, kl[:, i].mean().item()) for i in range(4))
    assert loss.item() == pytest.approx((reconstruction.item() + beta * costs) / 10, rel=1e-5)
    assert log["kl"].item() == pytest.approx(kl.sum(1).mean().item(), rel=1e-5)
    assert log["reconstruction"].item() == pytest.approx(reconstruction.item(), rel=1e-5)


def test_free_bits_stop_the_gradient_of_the_dimensions_below_them():
    encoder, decoder = Moments(torch.tensor([[0.1, 3.0]]), torch.zeros(1, 2)), Linear(2, 5)
    nn.init.zeros_(decoder.layer.weight)  # so that the reconstruction knows nothing of z
    turn = Turn(Batch(torch.randn(4, 5, generator=seeded()), None), 0.0, 0, seeded())
    loss, _ = variational_loss(encoder, decoder, Gaussian(), turn, beta=1.0, free_bits=0.5)
    (gradient,) = torch.autograd.grad(loss, encoder.mean)
    torch.testing.assert_close(gradient, torch.tensor([[0.0, 3.0 / 5]]))  # d ½μ² = μ


@pytest.mark.parametrize("labels", [False, True])
def test_latents_are_the_mean_of_every_item_in_order(labels: bool):
    x = torch.arange(50.0)[:, None]
    batches = [Batch(b, b[:, 0].long() % 3 if labels else None) for b in x.split(20)]

    def encoder(x: Tensor, label: Tensor | None) -> tuple[Tensor, Tensor]:
        return 2 * x, torch.zeros_like(x)

    z, label = latents(encoder, batches)  # pyright: ignore[reportArgumentType]
    assert torch.equal(z, 2 * x)
    expected = (torch.arange(50) % 3).tolist() if labels else None
    assert (None if label is None else label.tolist()) == expected
    z, label = latents(encoder, batches, most=21)  # pyright: ignore[reportArgumentType]
    assert torch.equal(z, 2 * x[:40])
    assert (None if label is None else label.tolist()) == (expected[:40] if expected else None)
