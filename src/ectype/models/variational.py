"""Variational inference: the posterior, its divergence, and the bound that training maximises."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor

from ectype.models.base import Batch, Turn
from ectype.models.likelihoods import Likelihood
from ectype.nets.precision import full_precision

#: (items, label) to the mean and the log-variance of their latents, before it is bounded.
Encoder = Callable[[Tensor, Tensor | None], tuple[Tensor, Tensor]]
#: (latents, label) to the likelihood's parameters.
Decoder = Callable[[Tensor, Tensor | None], Tensor]


def posterior(encoder: Encoder, x: Tensor, label: Tensor | None) -> tuple[Tensor, Tensor]:
    """Mean and log-variance of q(z|x), each (n, *latent), fp32.

    The log-variance is kept within ±5 by a smooth bound: an unbounded one is the usual way in
    which a VAE becomes NaN.
    """
    mean, log_variance = encoder(x, label)
    return mean.float(), 5 * torch.tanh(log_variance.float() / 5)


def reparameterise(mean: Tensor, log_variance: Tensor, generator: torch.Generator) -> Tensor:
    """Z = μ + σ·ε, differentiable in μ and σ. Kingma and Welling (arXiv 1312.6114), sec. 2.4."""
    noise = torch.randn(mean.shape, generator=generator, device=mean.device)
    return mean + torch.exp(0.5 * log_variance) * noise


def kl_to_normal(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(μ, σ²) ‖ N(0, 1)) of each latent dimension, nats: ½(μ² + σ² − 1 − log σ²)."""
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance)


def log_normal(z: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    """Log N(z; μ, σ²) of each item, (n,)."""
    squared = (z - mean).square() / log_variance.exp()
    return -0.5 * (squared + log_variance + math.log(2 * math.pi)).flatten(1).sum(1)


def variational_loss(
    encoder: Encoder,
    decoder: Decoder,
    likelihood: Likelihood,
    turn: Turn,
    *,
    beta: float,
    free_bits: float,
) -> tuple[Tensor, Mapping[str, Tensor]]:
    """−log p(x|z) + β · KL a dimension of x, z ~ q(z|x); the log is in nats an item.

    `free_bits` is the KL of a latent dimension, mean over the batch, below which it costs
    nothing. Kingma et al. (arXiv 1606.04934), appendix C.8.
    """
    x, label = turn.batch.x, turn.batch.label
    mean, log_variance = posterior(encoder, x, label)
    z = reparameterise(mean, log_variance, turn.generator)
    reconstruction = _training_loss(x, decoder(z, label).float(), likelihood)
    kl = kl_to_normal(mean, log_variance)
    penalty = torch.clamp(kl.mean(0), min=free_bits).sum()
    log = {"reconstruction": reconstruction, "kl": kl.flatten(1).sum(1).mean()}
    return (reconstruction + beta * penalty) / x[0].numel(), log


@torch.no_grad()
def latents(
    encoder: Encoder,
    batches: Iterable[Batch],
    generator: torch.Generator | None = None,
    most: float = math.inf,
) -> tuple[Tensor, Tensor | None]:
    """The posterior mean of every item, (n, *latent), and the items' labels (n,).

    With a generator a draw from every posterior in the mean's place. Of more than `most` items the
    first batches that hold as many.
    """
    found, labels = [], []
    for batch in batches:
        if sum(map(len, found)) >= most:
            break
        mean, log_variance = posterior(encoder, batch.x, batch.label)
        found.append(mean if generator is None else reparameterise(mean, log_variance, generator))
        labels.append(batch.label)
    return torch.cat(found), None if labels[0] is None else torch.cat(labels)


@full_precision
def _training_loss(x: Tensor, parameters: Tensor, likelihood: Likelihood) -> Tensor:
    return likelihood.training_loss(x, parameters)
