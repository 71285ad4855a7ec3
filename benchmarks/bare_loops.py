"""Training loops written straight down: the limit that our trainer is held against.

No players, no checkpoints, no log, no guard: index, to float, forward, backward, step, average.
The mathematics is the trainer's, and `loop_overhead` checks that both meet the same gradients.
The networks, the likelihood and the prior's regression are the model's own.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus
from torch.optim.swa_utils import get_ema_multi_avg_fn

from ectype.config import TrainingSettings
from ectype.models.base import Batch, Model, Player
from ectype.models.gan import Gan
from ectype.models.vae import Vae
from ectype.nets.memory import place
from ectype.training.precision import Precision

ITEMS_PREPARING = 512  # a batch when a prior is fitted before its first turn


class BareLoop:
    """What both families share: batches, optimisers, the average.

    Args:
        model: as the trainer gets it, with fresh weights.
        items: uint8 (n, h, w, c), n a multiple of the batch.
        settings: batch and average.
        precision: device and arithmetic.
        seed: of order and noise.
    """

    def __init__(
        self,
        model: Model,
        items: Tensor,
        settings: TrainingSettings,
        precision: Precision,
        seed: int,
    ):
        self.model: Any = place(model, precision.device).train()
        self.items = items
        self.batch = settings.batch or 1
        self.precision = precision
        self.seed = seed
        self.generator = torch.Generator(precision.device).manual_seed(seed)
        self.players = {player.name: player for player in model.players}
        self.optimisers = {name: _adam(player) for name, player in self.players.items()}
        self.live = nn.ModuleDict(dict(model.averaged()))
        self.average = copy.deepcopy(self.live).requires_grad_(False)
        self.half_life = settings.ema
        self.order: Sequence[Tensor] = []
        self.epoch = 0
        self.step = 0

    def next(self) -> Tensor:
        """The next batch as floats."""
        if not self.order:
            shuffle = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
            self.order = [*torch.randperm(len(self.items), generator=shuffle).split(self.batch)]
            self.order.reverse()
            self.epoch += 1
        return to_float(self.items[self.order.pop()])

    def descend(self, name: str, loss: Tensor, progress: float) -> None:
        """One step of one optimiser."""
        player, optimiser = self.players[name], self.optimisers[name]
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        if player.max_gradient_norm is not None:
            nn.utils.clip_grad_norm_(player.module.parameters(), player.max_gradient_norm)
        optimiser.param_groups[0]["lr"] = player.learning_rate(progress)
        optimiser.step()

    @torch.no_grad()
    def follow(self) -> None:
        """Move the average towards the weights, its half-life a share of the steps so far."""
        self.step += 1
        weight = 1 - 0.5 ** (1 / max(self.half_life * self.step, 1e-3))
        averages: list[Tensor] = [*self.average.parameters()]
        lives: list[Tensor] = [*self.live.parameters()]
        get_ema_multi_avg_fn(1 - weight)(averages, lives, self.step)  # one fused lerp
        for average, live in zip(self.average.buffers(), self.live.buffers(), strict=True):
            average.copy_(live)


class BareGan(BareLoop):
    """The relativistic game with both penalties in exact form, every few steps."""

    def round(self, progress: float) -> None:
        """The discriminator's step and the generator's."""
        model: Gan = self.model
        discriminator, generator = model.discriminator, model.generator

        discriminator.requires_grad_(True)
        generator.requires_grad_(True)
        real = self.next()
        with self.precision.autocast():
            made = generator(self.noise(), None).float()
            fake = made.detach()
            judged = discriminator(torch.cat([real, fake]), None).float()
            loss = softplus(judged[len(real) :] - judged[: len(real)]).mean()
        every = model.settings.penalty_every
        if self.step % every == 0:
            x = torch.cat([real, fake]).requires_grad_()
            (slope,) = torch.autograd.grad(discriminator(x, None).sum(), x, create_graph=True)
            loss = loss + every * 0.5 * model.gamma(progress) * slope.square().sum() / len(real)
        self.descend("discriminator", loss, progress)

        discriminator.requires_grad_(False)
        with self.precision.autocast():
            with torch.no_grad():
                judged = discriminator(real, None).float()
            loss = softplus(judged - discriminator(made, None).float()).mean()
        self.descend("generator", loss, progress)
        self.follow()

    def noise(self) -> Tensor:
        """Standard normal noise for a batch."""
        size = (self.batch, self.model.settings.latent)
        return torch.randn(size, generator=self.generator, device=self.precision.device)


class BareVae(BareLoop):
    """The autoencoder's loop; with `fit_prior` behind it, the prior's."""

    prior_fitted = False

    def round(self, progress: float) -> None:
        """A step of whoever's turn it is."""
        if self.prior_fitted:
            self.prior_round(progress)
        else:
            self.autoencoder_round(progress)
        self.follow()

    def autoencoder_round(self, progress: float) -> None:
        """−log p(x|z) + β·KL, a dimension."""
        model: Vae = self.model
        x = self.next()
        with self.precision.autocast():
            mean, log_variance = self.posterior(x)
            decoded = model.decoder(self.draw(mean, log_variance), None).float()
        kl = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance)
        loss = model.likelihood.training_loss(x, decoded) + model.settings.beta * kl.mean(0).sum()
        self.descend("autoencoder", loss / x[0].numel(), progress)

    def prior_round(self, progress: float) -> None:
        """Flow matching on posterior means of the finished encoder."""
        x = self.next()
        with self.precision.autocast():
            with torch.no_grad():
                z, _ = self.posterior(x)
            loss = self.model.prior.loss(z, None, self.generator)
        self.descend("prior", loss, progress)

    def fit_prior(self) -> None:
        """What comes before the prior's first step, as the trainer does it; not timed."""
        prepare = self.players["prior"].prepare
        assert prepare is not None
        order = torch.Generator().manual_seed(self.seed)
        chosen = torch.randperm(len(self.items), generator=order).split(ITEMS_PREPARING)
        with self.precision.autocast():
            prepare((Batch(to_float(self.items[c]), None) for c in chosen), self.generator)
        self.model.requires_grad_(False)
        self.model.prior.requires_grad_(True)
        self.prior_fitted = True

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance, bounded to ±5."""
        mean, log_variance = self.model.encoder(x, None)
        return mean.float(), 5 * torch.tanh(log_variance.float() / 5)

    def draw(self, mean: Tensor, log_variance: Tensor) -> Tensor:
        """z ~ q(z|x)."""
        noise = torch.randn(mean.shape, generator=self.generator, device=mean.device)
        return mean + torch.exp(0.5 * log_variance) * noise


def to_float(items: Tensor) -> Tensor:
    """uint8 (n, h, w, c) to (n, c, h, w) in −1 to 1, channels last in memory."""
    return items.permute(0, 3, 1, 2).float().div(127.5).sub(1)


def _adam(player: Player) -> torch.optim.Optimizer:
    return torch.optim.AdamW(
        player.module.parameters(),
        betas=player.betas,
        weight_decay=player.weight_decay,
        fused=True,
    )
