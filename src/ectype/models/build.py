"""From settings and a network factory to a model: the only place where families are named."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

from torch import Tensor, nn

from ectype.config import Config, GanSettings
from ectype.errors import UsageError
from ectype.models.adversarial import AdversarialVae, Opponent
from ectype.models.base import Model, Turn
from ectype.models.gan import Gan
from ectype.models.latent_gan import LatentGan
from ectype.models.likelihoods import Likelihood
from ectype.models.local_prior import SPREAD, LocalPrior
from ectype.models.mixture import MOST_PARTS
from ectype.models.noisy import NoisyVae
from ectype.models.prior import FlowPrior, MixturePrior
from ectype.models.vae import Vae
from ectype.nets.augment import Augmentation
from ectype.nets.autoregressive import Autoregressive
from ectype.nets.perceptron import JudgingPerceptron, Perceptron
from ectype.nets.velocity import Velocity

#: Width of the networks of a GAN over latents, as a multiple of the capacity.
LATENT_WIDTH = 16

NetworkFactory = Callable[..., nn.Module]


def build(
    config: Config,
    network: NetworkFactory,
    likelihood: Likelihood,
    *,
    classes: int,
    dimensions: int,
    augmentation: Augmentation | None = None,
    differentiable: bool = True,
) -> Model:
    """Build the model that a configuration names, with fresh weights.

    Args:
        config: resolved: its capacity is chosen.
        network: called as network(role, latent=…) or network("decoder", latent=…, likelihood=…).
        likelihood: of the data under a decoder.
        classes: number of labels.
        dimensions: numbers in one item, from which the default penalty weight follows.
        augmentation: random changes that keep a discriminator from learning items by heart.
        differentiable: whether gradients pass through items; if not, a GAN learns latents, and
            decoders are told how noisy a latent is.

    Raises:
        UsageError: the settings would make a model that cannot be sampled or trained.
    """
    if config.family == "gan":
        settings, latent = config.gan, config.gan.latent
        gamma = settings.gamma if settings.gamma is not None else default_gamma(dimensions)
        _check_augmentation(config, augmentation)
        _check_penalty(settings)
        if not differentiable:
            return _latent_gan(config, network, likelihood, classes=classes)
        return Gan(
            network("generator", latent=latent),
            network("discriminator", latent=latent),
            settings,
            classes=classes,
            gamma=gamma,
            capacity=config.training.capacity or 1,
            augmentation=None if settings.augment == "off" else augmentation,
        )
    latent = config.vae.latent
    prior = None
    if config.vae.prior == "normal" and config.vae.beta < 1:
        raise UsageError(
            f"with a KL weight of {config.vae.beta} latents are not normal: samples would be noise",
            where="vae.prior=normal",
            hint="set vae.beta=1, or vae.prior=local, which follows where the latents are",
        )
    if config.vae.prior == "flow":
        width = 8 * (config.training.capacity or 1)
        velocity = Velocity(latent, MOST_PARTS, classes, width)
        prior = FlowPrior(velocity, latent, classes, config.vae.flow_steps)
    elif config.vae.prior == "local":
        # a blurred latent needs no spread besides
        prior = LocalPrior(latent, classes, SPREAD if differentiable else 0.0)
    elif config.vae.prior == "mixture":
        prior = MixturePrior(latent, classes)
    kind, beside = (Vae, 0) if differentiable else (NoisyVae, 1)
    if config.vae.adversarial:
        kind = _adversarial(config, network, likelihood, classes, dimensions, augmentation)
    encoder = network("encoder", latent=latent)
    decoder = network("decoder", latent=latent + beside, likelihood=likelihood)
    if isinstance(decoder, Autoregressive):
        decoder.nucleus = config.vae.nucleus
    return kind(
        encoder,
        decoder,
        likelihood,
        prior,
        config.vae,
        classes=classes,
    )


def _adversarial(
    config: Config,
    network: NetworkFactory,
    likelihood: Likelihood,
    classes: int,
    dimensions: int,
    augmentation: Augmentation | None,
) -> Callable[..., Vae]:
    """What makes a VAE with an opponent."""
    if not likelihood.smooth:
        raise UsageError(
            f"no gradient passes through the items that a VAE of {config.domain} data draws",
            where=f"vae.adversarial={config.vae.adversarial:g}",
            hint="leave it at 0",
        )
    _check_augmentation(config, augmentation)
    settings = config.gan

    def opponent(source: Callable[[Turn], Tensor]) -> Opponent:
        return Opponent(
            source,
            network("discriminator", latent=settings.latent),
            settings,
            classes=classes,
            gamma=settings.gamma if settings.gamma is not None else default_gamma(dimensions),
            capacity=config.training.capacity or 1,
            augmentation=None if settings.augment == "off" else augmentation,
        )

    return partial(AdversarialVae, opponent=opponent)


def _check_augmentation(config: Config, augmentation: Augmentation | None) -> None:
    if augmentation is None and isinstance(config.gan.augment, float):
        raise UsageError(
            f"there is no augmentation for the domain “{config.domain}”",
            where=f"gan.augment={config.gan.augment:g}",
            hint="leave it at adaptive, which does nothing there, or set it to off",
        )


def _check_penalty(settings: GanSettings) -> None:
    if settings.penalty == "gp" and settings.penalty_form == "finite_difference":
        raise UsageError(
            "a difference along one direction says how long a gradient is only in the mean of its "
            "square, and the penalty gp asks for the length",
            where="gan.penalty_form=finite_difference",
            hint="leave it at exact, or take r1, r2 or r1+r2",
        )


def _latent_gan(
    config: Config, network: NetworkFactory, likelihood: Likelihood, *, classes: int
) -> LatentGan:
    """An autoencoder, and a GAN of perceptrons over its latents."""
    playing, size = config.gan, config.vae.latent
    decoder = network("decoder", latent=size + 1, likelihood=likelihood)
    assert isinstance(decoder, Autoregressive)
    decoder.nucleus = config.vae.nucleus
    capacity = config.training.capacity or 1
    width = LATENT_WIDTH * capacity
    return LatentGan(
        network("encoder", latent=size),
        decoder,
        likelihood,
        Perceptron(playing.latent, size, width=width, classes=classes, normalise=True),
        JudgingPerceptron(size, width=width, classes=classes),
        autoencoding=config.vae,
        playing=playing,
        classes=classes,
        gamma=playing.gamma if playing.gamma is not None else default_gamma(size),
        capacity=capacity,
    )


def default_gamma(dimensions: int) -> float:
    """Penalty weight from the numbers in an item: 2 up to 64² pixels in colour, 150 at 256².

    The points at 64² and 256² are those of Huang et al. (arXiv 2501.05441), table 6, joined on a
    log-log scale; below, the search in docs/benchmarks.md found the same 2 to serve.
    """
    (x0, y0), (x1, y1) = (3 * 64**2, 2.0), (3 * 256**2, 150.0)
    share = max(0.0, math.log(dimensions / x0) / math.log(x1 / x0))
    return y0 * (y1 / y0) ** share
