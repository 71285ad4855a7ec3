"""The losses of the adversarial game.

Each game is one function of the discriminator's outputs for real and for generated items, both
(n,), in pairs that share their label. It returns what the discriminator minimises and what the
generator minimises.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor
from torch.nn.functional import relu, softplus

Game = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def relativistic(real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    """Relativistic pairing loss: softplus(−Δ) and softplus(Δ), Δ = D(real) − D(fake).

    Jolicoeur-Martineau (arXiv 1807.00734); Huang et al., "The GAN is dead; long live the GAN!"
    (arXiv 2501.05441), equation 2 with f(t) = −log(1 + exp(−t)).
    """
    difference = real - fake
    return softplus(-difference).mean(), softplus(difference).mean()


def non_saturating(real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    """The classical game: sigmoid cross-entropy, the generator's loss non-saturating.

    Goodfellow et al. (arXiv 1406.2661), equation 1 and section 3.
    """
    return softplus(-real).mean() + softplus(fake).mean(), softplus(-fake).mean()


def hinge(real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    """Hinge loss. Lim and Ye (arXiv 1705.02894); Miyato et al. (arXiv 1802.05957), eq. 16, 17."""
    return relu(1 - real).mean() + relu(1 + fake).mean(), -fake.mean()


def least_squares(real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    """Least squares with targets 1 and 0. Mao et al. (arXiv 1611.04076), equation 9."""
    discriminator = (real - 1).square().mean() + fake.square().mean()
    return 0.5 * discriminator, 0.5 * (fake - 1).square().mean()


def wasserstein(real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    """Wasserstein distance; needs the gradient penalty `gp`. Arjovsky et al. (arXiv 1701.07875)."""
    return fake.mean() - real.mean(), -fake.mean()


GAMES: dict[str, Game] = {
    game.__name__: game
    for game in (relativistic, non_saturating, hinge, least_squares, wasserstein)
}
