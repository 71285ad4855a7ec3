"""A GAN over the latents of an autoencoder: for data that gradients cannot pass through.

A discriminator tells a generator nothing through words: they are chosen, not computed. So an
autoencoder learns first to put texts into vectors and back, and the GAN then makes such vectors.
Zhao et al., "Adversarially regularized autoencoders" (arXiv 1706.04223), with the phases apart.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ectype.config import GanSettings, VaeSettings
from ectype.models.base import Batch, Player, Turn
from ectype.models.gan import RATES_UP_TO, Gan, Log
from ectype.models.likelihoods import Likelihood
from ectype.models.noisy import COOLING, at_level, for_sampling, for_training
from ectype.models.schedules import within
from ectype.models.vae import phase_rate
from ectype.models.variational import posterior, variational_loss
from ectype.nets.autoregressive import Autoregressive


class Standard(nn.Module):
    """Latents with mean 0 and standard deviation 1 in each dimension, and back.

    Args:
        size: length of a latent.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, size: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("deviation", torch.ones(size))

    def fit(self, z: Tensor) -> None:
        """Measure latents (n, size)."""
        self.mean.copy_(z.mean(0))
        self.deviation.copy_(z.std(0).clamp_min(1e-4))

    def forward(self, z: Tensor) -> Tensor:
        """Latents as the GAN sees them."""
        return (z - self.mean) / self.deviation

    def back(self, u: Tensor) -> Tensor:
        """What the GAN makes, as latents."""
        return u * self.deviation + self.mean


class Posteriors(nn.Module):
    """The posteriors of the training items, from which the game draws what is real.

    Args:
        size: length of a latent.
        classes: number of labels, 0 for none.
    """

    means: Tensor  # (n, size), standardised
    deviations: Tensor  # (n, size)
    labels: Tensor  # (n,), 0 without labels

    def __init__(self, size: int, classes: int):
        super().__init__()
        self.classes = classes
        self.register_buffer("means", torch.zeros(0, size))
        self.register_buffer("deviations", torch.zeros(0, size))
        self.register_buffer("labels", torch.zeros(0, dtype=torch.int64))
        self.register_load_state_dict_pre_hook(_as_many)

    def draw(self, n: int, generator: torch.Generator) -> Batch:
        """A latent drawn from each of n of them, with their labels."""
        device = self.means.device
        chosen = torch.randint(len(self.means), (n,), generator=generator, device=device)
        mean, deviation = self.means[chosen], self.deviations[chosen]
        noise = torch.randn(mean.shape, generator=generator, device=device)
        return Batch(mean + deviation * noise, self.labels[chosen] if self.classes else None)


class LatentGan(Gan):
    """An autoencoder, and a GAN that plays for its latents once it has learned.

    For the first share of training (`vae.autoencoder_share`) the autoencoder plays alone; then it
    is frozen, and the players of `Gan` take over, who see latents in the place of items.

    Args:
        encoder: (items, label) → mean and log-variance, each (n, latent).
        decoder: latents, and the level of their noise beside them, to items.
        likelihood: the distribution of items given the decoder's output.
        generator: (noise (n, gan.latent), label) → latents, standardised.
        discriminator: (latents, label) → (n,).
        autoencoding: the autoencoder's settings.
        playing: the game's.
        classes: number of labels, 0 for none.
        gamma: weight of the penalty at the start; it falls tenfold over the game.
        capacity: from which rates of the game that are left open are chosen.
    """

    def __init__(
        self,
        encoder: nn.Module,
        decoder: Autoregressive,
        likelihood: Likelihood,
        generator: nn.Module,
        discriminator: nn.Module,
        *,
        autoencoding: VaeSettings,
        playing: GanSettings,
        classes: int,
        gamma: float,
        capacity: int = RATES_UP_TO,
    ):
        super().__init__(
            generator, discriminator, playing, classes=classes, gamma=gamma, capacity=capacity
        )
        self.encoder = encoder
        self.decoder = decoder
        self.likelihood = likelihood
        self.standard = Standard(autoencoding.latent)
        self.posteriors = Posteriors(autoencoding.latent, classes)
        self.autoencoding = autoencoding

    @property
    def players(self) -> Sequence[Player]:
        """The autoencoder; after it the discriminator and the generator."""
        share = self.autoencoding.autoencoder_share
        autoencoder = Player(
            name="autoencoder",
            module=nn.ModuleList([self.encoder, self.decoder]),
            loss=self.autoencoder_loss,
            learning_rate=phase_rate(self.autoencoding.learning_rate, 0.0, share),
            betas=(0.9, 0.99),
            weight_decay=0.01,
            max_gradient_norm=1.0,
            plays=lambda progress, step: progress < share,
        )
        discriminator, generator = (
            dataclasses.replace(
                player,
                loss=partial(self._play, player),
                learning_rate=within(share, 1.0, player.learning_rate),
                plays=lambda progress, step: progress >= share,
            )
            for player in super().players
        )
        prepared = dataclasses.replace(discriminator, prepare=self.prepare)
        return (autoencoder, prepared, generator)

    def averaged(self) -> Mapping[str, nn.Module]:
        """The generator, and what brings its latents back to items."""
        own = {"encoder": self.encoder, "decoder": self.decoder, "standard": self.standard}
        return {**super().averaged(), **own}

    def ready(self, progress: float) -> bool:
        """Once the generator has begun to learn."""
        return progress > self.autoencoding.autoencoder_share

    def early_view(self, batch: Batch) -> Tensor:
        """What the autoencoder makes of items, before there is a generator."""
        z = posterior(self.encoder, batch.x, batch.label)[0]
        return self.decoder.generate(at_level(z, 0.0), batch.label, None)

    def decode(self, z: Tensor, label: Tensor | None) -> Tensor:
        """The likeliest item at G(z, c)."""
        return self.decoder.generate(at_level(self._latents_of(z, label), 0.0), label, None)

    def render(
        self, z: Tensor, label: Tensor | None, generator: torch.Generator, temperature: float = 1.0
    ) -> Tensor:
        """An item drawn from p(x | G(z, c)), the latent blurred as in `NoisyVae`."""
        latent = for_sampling(self._latents_of(z, label), generator)
        return self.decoder.generate(latent, label, generator, COOLING * temperature)

    def autoencoder_loss(self, turn: Turn) -> tuple[Tensor, Log]:
        """The variational bound's negative, with its KL weighted."""

        def decoder(z: Tensor, label: Tensor | None) -> Tensor:
            return self.through(self.decoder, z, label, turn.batch.x)

        return variational_loss(
            partial(self.through, self.encoder),
            for_training(decoder, turn),
            self.likelihood,
            turn,
            beta=self.autoencoding.beta,
            free_bits=self.autoencoding.free_bits,
        )

    @torch.no_grad()
    def prepare(self, batches: Iterable[Batch], generator: torch.Generator) -> None:
        """Encode the training items, once: the game is on latents alone, and is quick."""
        del generator
        found: list[tuple[Tensor, Tensor]] = []
        labels: list[Tensor] = []
        for batch in batches:
            found.append(posterior(self.encoder, batch.x, batch.label))
            labels += [] if batch.label is None else [batch.label]
        means, log_variances = (torch.cat(parts) for parts in zip(*found, strict=True))
        self.standard.fit(means)
        own = self.posteriors
        own.means = self.standard(means)
        own.deviations = torch.exp(0.5 * log_variances) / self.standard.deviation
        own.labels = torch.cat(labels) if labels else own.labels.new_zeros(len(means))

    def _play(self, player: Player, turn: Turn) -> tuple[Tensor, Log]:
        """A player's loss on latents, as far into the game as it is into its phase."""
        share = self.autoencoding.autoencoder_share
        batch = self.posteriors.draw(len(turn.batch.x), turn.generator)
        progress = (turn.progress - share) / (1 - share)
        return player.loss(dataclasses.replace(turn, batch=batch, progress=progress))

    def _latents_of(self, z: Tensor, label: Tensor | None) -> Tensor:
        return self.standard.back(self.generator(z, label).float())


def _as_many(posteriors: Posteriors, state: dict[str, Tensor], prefix: str, *rest: Any) -> None:
    """Make room for as many items as there are in a saved state."""
    del rest
    for name in ("means", "deviations", "labels"):
        if prefix + name in state:
            shape = state[prefix + name].shape
            setattr(posteriors, name, getattr(posteriors, name).new_empty(shape))
