"""The VAE: its bounds against the evidence of a linear-Gaussian model, and who plays when."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import MultivariateNormal

from ectype.config import VaeSettings
from ectype.models.base import Batch, Turn, slerp
from ectype.models.likelihoods import Bernoulli, Gaussian, LogisticMixture
from ectype.models.prior import FlowPrior
from ectype.models.vae import Vae
from ectype.nets.velocity import Velocity
from tests.models.numeric import seeded

SIZE, LATENT, VARIANCE = 5, 2, 0.5
#: x = W z + b + √VARIANCE · ε; the columns of W are orthogonal, so p(z|x) has no correlations.
W = torch.linalg.qr(torch.randn(SIZE, LATENT, generator=seeded(4)))[0] * torch.tensor([2.0, 0.7])
B = torch.randn(SIZE, generator=seeded(5))
POSTERIOR_VARIANCE = 1 / (1 + W.square().sum(0) / VARIANCE)


class Posterior(nn.Module):
    """The true posterior of the linear-Gaussian model, or one that is wrong by factors."""

    def __init__(self, shift: float = 0.0, stretch: float = 1.0):
        super().__init__()
        self.shift = nn.Parameter(torch.tensor(shift))
        self.variance = stretch * POSTERIOR_VARIANCE

    def forward(self, x: Tensor, label: Tensor | None) -> tuple[Tensor, Tensor]:
        mean = (x - B) @ W / VARIANCE * POSTERIOR_VARIANCE + self.shift
        raw = 5 * torch.atanh(self.variance.log() / 5)  # what the bound makes the log-variance of
        return mean, raw.expand_as(mean)


class Affine(nn.Module):
    """W z + b."""

    def __init__(self):
        super().__init__()
        self.w, self.b = nn.Parameter(W.clone()), nn.Parameter(B.clone())

    def forward(self, z: Tensor, label: Tensor | None) -> Tensor:
        return z @ self.w.T + self.b


def linear_vae(prior: bool = False, shift: float = 0.0, stretch: float = 1.0, **settings: Any):
    likelihood = Gaussian()
    likelihood.variances.fill_(VARIANCE)
    flow = FlowPrior(Velocity(LATENT, 64, 0, 16), LATENT, 0, 10) if prior else None
    chosen = VaeSettings(latent=LATENT, **settings)
    return Vae(Posterior(shift, stretch), Affine(), likelihood, flow, chosen, classes=0)


def items(n: int = 4) -> Tensor:
    return 2 * torch.randn(n, SIZE, generator=seeded(6)) + B


def model_items(n: int) -> Tensor:
    """Items that the model itself makes."""
    z, noise = (torch.randn(n, k, generator=seeded(k)) for k in (LATENT, SIZE))
    return z @ W.T + B + math.sqrt(VARIANCE) * noise


EVIDENCE = MultivariateNormal(B, W @ W.T + VARIANCE * torch.eye(SIZE)).log_prob(items())


@pytest.mark.parametrize("samples", [1, 2, 20])
def test_iwae_with_the_true_posterior_is_the_evidence_for_any_number_of_samples(samples: int):
    bound = linear_vae().iwae(Batch(items(), None), samples, seeded(samples))
    torch.testing.assert_close(bound, EVIDENCE, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(("shift", "stretch"), [(0.0, 1.0), (0.2, 1.0), (0.1, 2.0)])
def test_elbo_is_the_closed_form_in_the_mean_over_draws(shift: float, stretch: float):
    """E_q log p(x|z) = −‖x − b − Wm‖²/2σ² − tr(W S Wᵀ)/2σ² − D/2 · log 2πσ²; and the gap to the
    evidence is KL(q ‖ p(z|x)).
    """
    vae, draws = linear_vae(shift=shift, stretch=stretch), 20_000
    x = items().repeat_interleave(draws, 0)
    terms = vae.elbo(Batch(x, None), seeded(1))
    mean = {name: term.view(-1, draws).mean(1) for name, term in terms.items()}

    m, s = vae.encode(items(), None).detach(), stretch * POSTERIOR_VARIANCE
    squared = (items() - B - m @ W.T).square().sum(1) + (W.square() * s).sum()
    reconstruction = -0.5 * (squared / VARIANCE + SIZE * math.log(2 * math.pi * VARIANCE))
    torch.testing.assert_close(mean["reconstruction"], reconstruction, atol=0.05, rtol=0)
    kl = 0.5 * (m.square() + s - 1 - s.log()).sum(1)
    torch.testing.assert_close(mean["kl"], kl, rtol=1e-4, atol=1e-4)
    ratio = torch.tensor(stretch)
    gap = 0.5 * (shift**2 / POSTERIOR_VARIANCE + ratio - 1 - ratio.log()).sum()
    torch.testing.assert_close(mean["elbo"], EVIDENCE - gap, atol=0.05, rtol=0)


def test_iwae_rises_from_the_elbo_to_the_evidence():
    vae, repeats = linear_vae(shift=0.3, stretch=1.5), 2_000
    batch = Batch(items().repeat_interleave(repeats, 0), None)
    bounds = [vae.elbo(batch, seeded(1))["elbo"]]
    bounds += [vae.iwae(batch, samples, seeded(samples)) for samples in (1, 5, 50)]
    elbo, one, few, many = (bound.view(-1, repeats).mean(1) for bound in bounds)
    torch.testing.assert_close(one, elbo, atol=0.1, rtol=0)
    assert (elbo + 0.1 < few).all()
    assert (few < many).all()
    torch.testing.assert_close(many, EVIDENCE, atol=0.05, rtol=0)


@pytest.mark.parametrize("shift", [-0.3, 0.0, 0.3])
def test_slope_of_the_loss_leads_to_the_true_posterior(shift: float):
    """On items of the model, and per dimension: shift · (‖W‖² / σ² + latents), σ² the error's."""
    vae = linear_vae(shift=shift)
    loss, _ = vae.autoencoder_loss(Turn(Batch(model_items(50_000), None), 0.0, 0, seeded()))
    (slope,) = torch.autograd.grad(loss, vae.encoder.get_parameter("shift"))
    error = VARIANCE + shift**2 * W.square().sum() / SIZE
    expected = shift * (W.square().sum() / error + LATENT) / SIZE
    torch.testing.assert_close(slope, expected, atol=0.02, rtol=0)


@pytest.mark.parametrize("likelihood", [Bernoulli(), LogisticMixture()])
def test_bits_a_dimension_are_nats_in_base_two(likelihood: Bernoulli | LogisticMixture):
    vae = linear_vae()
    vae.likelihood = likelihood
    eight_bits = torch.tensor([-12 * math.log(256.0)])
    torch.testing.assert_close(vae.bits_per_dimension(eight_bits, 12), torch.tensor([8.0]))


def test_bits_a_dimension_of_a_density_are_refused():
    with pytest.raises(ValueError, match="discrete"):
        linear_vae().bits_per_dimension(torch.zeros(1), 12)


@pytest.mark.parametrize("prior", [False, True])
def test_one_player_plays_at_any_time(prior: bool):
    vae = linear_vae(prior, autoencoder_share=0.3)
    for step, progress in enumerate((0.0, 0.1, 0.29999, 0.3, 0.5, 0.99)):
        playing = [p.name for p in vae.players if p.plays(progress, step)]
        assert playing == ["prior" if prior and progress >= 0.3 else "autoencoder"]
        assert vae.ready(progress) == (not prior or progress > 0.3)
    trained = {id(q) for player in vae.players for q in player.module.parameters()}
    assert trained == {id(q) for q in vae.parameters()}
    averaged = {id(q) for module in vae.averaged().values() for q in module.parameters()}
    assert averaged == trained


def test_prior_learns_the_posterior_means_and_leaves_the_autoencoder_alone():
    """Items from the model itself: latents are standard normal, means less what is uncertain."""
    x = model_items(5_000)
    vae = linear_vae(prior=True, shift=3.0)
    vae.prepare_prior([Batch(b, None) for b in x.split(1000)], seeded(3))
    with torch.no_grad():
        drawn = vae.draw(5_000, None, seeded(4))
    torch.testing.assert_close(drawn.mean(0), torch.full((LATENT,), 3.0), atol=0.08, rtol=0)
    certain = torch.eye(LATENT) * (1 - POSTERIOR_VARIANCE)
    torch.testing.assert_close(drawn.T.cov(), certain, atol=0.08, rtol=0)

    loss, _ = vae.prior_loss(Turn(Batch(x[:100], None), 0.9, 0, seeded(5)))
    loss.backward()
    assert all(p.grad is None for m in (vae.encoder, vae.decoder) for p in m.parameters())
    assert vae.prior is not None
    assert any(p.grad is not None and p.grad.any() for p in vae.prior.parameters())


def test_sampling_a_normal_prior_gives_the_decoders_marginal():
    vae = linear_vae()
    x = vae.sample(20_000, seed=3)
    torch.testing.assert_close(x.mean(0), B, atol=0.06, rtol=0)
    torch.testing.assert_close(x.T.cov(), W @ W.T, atol=0.12, rtol=0)


def test_reconstruction_decodes_the_posterior_mean():
    x = items()
    mean = (x - B) @ W / VARIANCE * POSTERIOR_VARIANCE
    torch.testing.assert_close(linear_vae().reconstruct(Batch(x, None)), mean @ W.T + B)


def test_paths_are_straight_under_a_learned_prior_and_round_under_a_normal_one():
    start, end = torch.randn(2, LATENT, generator=seeded()).unbind()
    share = torch.tensor([0.0, 0.25, 1.0])
    straight = torch.stack([start, 0.75 * start + 0.25 * end, end])
    torch.testing.assert_close(linear_vae(prior=True).path(start, end, share), straight)
    torch.testing.assert_close(linear_vae().path(start, end, share), slerp(start, end, share))
