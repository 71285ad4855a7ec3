"""A VAE whose decoder also has an opponent in the last part of its training.

A likelihood can only ask for what it measures; a discriminator finds what it leaves out. Larsen et
al., "Autoencoding beyond pixels" (arXiv 1512.09300), with the likelihood kept as it is, and the
discriminator joining once there is something to judge, as in Esser et al. (arXiv 2012.09841).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ectype.models.base import Player, Turn
from ectype.models.gan import Gan, Log
from ectype.models.schedules import within
from ectype.models.vae import Vae
from ectype.models.variational import Decoder, posterior, reparameterise

#: Progress at which the opponent joins.
BEGIN = 0.5


class Opponent(Gan):
    """A discriminator, and its side of the game against what another model draws.

    Args:
        source: draws items for a turn's batch, with its labels.
        others: see `Gan`.
    """

    begin = BEGIN

    def __init__(self, source: Callable[[Turn], Tensor], *args: Any, **others: Any):
        super().__init__(nn.Identity(), *args, **others)
        self.source = source

    def discriminator_loss(self, turn: Turn) -> tuple[Tensor, Log]:
        """Its side of the game against what the other model draws."""
        with torch.no_grad():
            fake = self.source(turn)
        return self.loss_between(fake, turn)

    def fakes(self, turn: Turn) -> Tensor:
        """What the other model draws."""
        return self.source(turn)


class AdversarialVae(Vae):
    """A VAE whose redrawn items a discriminator tells from real ones.

    From half of the training on, the autoencoder's loss is the bound's negative plus
    `vae.adversarial` times the generator's side of the game, which judges items drawn from
    p(x|z), z ~ q(z|x). The game, its penalty and its augmentation are those of `Gan`.

    Args:
        args: those of `Vae`.
        opponent: called with what draws items for it.
        others: those of `Vae`.
    """

    def __init__(
        self, *args: Any, opponent: Callable[[Callable[[Turn], Tensor]], Opponent], **others: Any
    ):
        super().__init__(*args, **others)
        self.game = opponent(self.redrawn)
        self.dials.update(self.game.dials)
        self.game.dials = self.dials  # the guard turns the model's, the game reads its own

    @property
    def players(self) -> Sequence[Player]:
        """The discriminator, from half of the training on; the autoencoder; its prior."""
        discriminator, _ = self.game.players
        judging = dataclasses.replace(
            discriminator,
            loss=lambda turn: self._game().discriminator_loss(in_game(turn)),
            learning_rate=within(BEGIN, 1.0, discriminator.learning_rate),
            plays=lambda progress, step: progress >= BEGIN,
        )
        return (judging, *super().players)

    def redrawn(self, turn: Turn) -> Tensor:
        """Items drawn from p(x|z), z ~ q(z|x), of a turn's items x."""
        x, label = turn.batch.x, turn.batch.label
        mean, log_variance = posterior(partial(self.through, self.encoder), x, label)
        z = reparameterise(mean, log_variance, turn.generator)
        return self._drawn(self.training_decoder(turn)(z, label), turn)

    def autoencoder_loss(self, turn: Turn) -> tuple[Tensor, Log]:
        """The bound's negative, and from half of the training on the generator's loss beside it."""
        if turn.progress < BEGIN:
            return super().autoencoder_loss(turn)
        parameters: list[Tensor] = []
        loss, log = self.bound_loss(turn, _keeping(self.training_decoder(turn), parameters))
        fake = self._drawn(parameters[0], turn)
        against, _ = self._game().loss_against(fake, in_game(turn))
        return loss + self.settings.adversarial * against, {**log, "adversarial": against}

    def _drawn(self, parameters: Tensor, turn: Turn) -> Tensor:
        # a likelihood's own noise comes from a CPU generator; it need only differ from step to step
        return self.likelihood.draw(parameters.float(), torch.Generator().manual_seed(turn.step))

    def _game(self) -> Opponent:
        self.game.pieces = self.pieces
        return self.game


def in_game(turn: Turn) -> Turn:
    """A turn as far into the game as it is into its part of the training."""
    return dataclasses.replace(turn, progress=(turn.progress - BEGIN) / (1 - BEGIN))


def _keeping(decoder: Decoder, found: list[Tensor]) -> Decoder:
    """A decoder whose outputs are kept."""

    def keeping(z: Tensor, label: Tensor | None) -> Tensor:
        found.append(decoder(z, label))
        return found[-1]

    return keeping
