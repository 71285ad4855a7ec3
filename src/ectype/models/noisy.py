"""A VAE whose decoder knows how noisy its latent is, so that one latent serves two ends.

A text is rebuilt only from a latent that says nearly all of it, and such latents are hard to draw
anew: a small error in one is a wrong letter. A language model writes well and needs no latent at
all. So in training half of the latents are blurred, and the decoder is told which: from a clear
latent it learns to rebuild, from a blurred one to write what the latent hints at. Texts are rebuilt
from clear latents, and samples begin at blurred ones.

The blur keeps the variance, as in diffusion: Ho et al. (arXiv 2006.11239), equation 4.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ectype.models.base import Batch, Turn
from ectype.models.vae import Vae
from ectype.models.variational import Decoder

#: Share of the items of a batch whose latents are left as they are.
CLEAR_SHARE = 0.5
#: Share of noise in the other latents, and in those of samples: docs/benchmarks.md, "texts".
BLUR = 0.75
#: Words are drawn at this temperature where 1 is asked for: a network that has learned for minutes
#: gives too much to what is rare.
COOLING = 0.85


def at_level(z: Tensor, level: float) -> Tensor:
    """Latents (n, d) with the level of their noise beside them, (n, d + 1), for a decoder."""
    return torch.cat([z, torch.full_like(z[:, :1], level)], 1)


def blurred(z: Tensor, level: Tensor, noise: Tensor) -> Tensor:
    """√(1 − s²) z + s ε, and the level s beside it: (n, d) to (n, d + 1); `level` is (n, 1)."""
    return torch.cat([(1 - level.square()).sqrt() * z + level * noise, level], 1)


def for_training(decoder: Decoder, turn: Turn) -> Decoder:
    """A decoder that sees some latents clear and the others blurred."""

    def blurring(z: Tensor, label: Tensor | None) -> Tensor:
        chance = torch.rand(len(z), 1, generator=turn.generator, device=z.device)
        noise = torch.randn(z.shape, generator=turn.generator, device=z.device)
        return decoder(blurred(z, BLUR * (chance >= CLEAR_SHARE), noise), label)

    return blurring


def for_sampling(z: Tensor, generator: torch.Generator) -> Tensor:
    """Latents blurred with noise of a CPU generator, (n, d + 1)."""
    noise = torch.randn(z.shape, generator=generator, device=generator.device).to(z.device)
    return blurred(z, torch.full_like(z[:, :1], BLUR), noise)


class NoisyVae(Vae):
    """A VAE with an autoregressive decoder of latents at any level of noise.

    Its bounds on log p(x), its reconstructions and its walks are at level 0.

    Args:
        encoder: (items, label) → mean and log-variance, each (n, d).
        decoder: an `Autoregressive` one of latents (n, d + 1), the level last.
        others: see `Vae`.
    """

    def decode(self, z: Tensor, label: Tensor | None) -> Tensor:
        """The likeliest item at a latent, greedily."""
        return super().decode(at_level(z, 0.0), label)

    def render(
        self, z: Tensor, label: Tensor | None, generator: torch.Generator, temperature: float = 1.0
    ) -> Tensor:
        """An item drawn at a blurred latent."""
        cool = COOLING * temperature
        return super().render(for_sampling(z, generator), label, generator, cool)

    def parameters_of(self, z: Tensor, batch: Batch) -> Tensor:
        """The likelihood's parameters at latents of a batch's items."""
        return super().parameters_of(at_level(z, 0.0), batch)

    def training_decoder(self, turn: Turn) -> Decoder:
        """With half of the latents blurred."""
        return for_training(super().training_decoder(turn), turn)
