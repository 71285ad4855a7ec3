"""The GAN: a generator and a discriminator, trained in turn."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from ectype.config import GanSettings
from ectype.models import penalties
from ectype.models.base import Batch, Model, Player, Turn
from ectype.models.games import GAMES
from ectype.models.schedules import cosine
from ectype.nets.augment import Augmentation, Transform, unchanged
from ectype.nets.precision import full_precision

Log = Mapping[str, Tensor]

#: Adam's rates of pictures' discriminator and generator up to a capacity; beyond it they fall, the
#: discriminator's with its square. From docs/benchmarks.md, "The search for the default GAN".
RATES = (1.5e-3, 6e-3)
RATES_UP_TO = 48

#: Blocks of samples from which the statistics of batch normalisation are measured.
SETTLING_BLOCKS = 16


def chosen_rates(settings: GanSettings, capacity: int) -> tuple[float, float]:
    """The rates of discriminator and generator, from the capacity where the settings leave them.

    The same rate turns a wide network further than a narrow one (Yang et al., arXiv 2203.03466):
    at a rate that serves at width 48 a discriminator of 64 overshoots.
    """
    narrower = min(1.0, RATES_UP_TO / capacity)
    judging, making = RATES[0] * narrower**2, RATES[1] * narrower
    rate, multiple = settings.learning_rate, settings.generator_rate
    rate = judging if rate is None else rate
    return rate, rate * (making / judging if multiple is None else multiple)


@dataclass
class Round:
    """What the discriminator's turn leaves to the generator's of the same round.

    Attributes:
        step: of which round.
        batch: the real items and the labels.
        noise: of the generated items.
        fake: G(noise, label) with its graph, until the generator has learned from it.
    """

    step: int
    batch: Batch
    noise: Tensor
    fake: Tensor | None


class Gan(Model):
    """A generative adversarial network.

    The default game is relativistic with both zero-centred penalties (R3GAN, arXiv 2501.05441);
    every game of `games.GAMES` and every penalty can be chosen by name.

    Args:
        generator: (noise (n, latent), label) → items.
        discriminator: (items, label) → (n,).
        settings: which game, and its rates.
        capacity: of the networks, from which rates that the settings leave open are chosen.
        classes: number of labels, 0 for none.
        gamma: weight of the penalty at the start; it falls tenfold over training.
        augmentation: draws what is done to items before the discriminator judges them, real and
            generated alike; None for nothing.

    The dial `augment` is the augmentation's strength. At 0 it is left out, and costs nothing.
    """

    #: Progress at which its discriminator begins to learn.
    begin: ClassVar[float] = 0.0

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        settings: GanSettings,
        *,
        classes: int,
        gamma: float,
        capacity: int = RATES_UP_TO,
        augmentation: Augmentation | None = None,
    ):
        super().__init__(classes)
        self.generator = generator
        self.discriminator = discriminator
        self.settings = settings
        self.rates = chosen_rates(settings, capacity)
        self.game = GAMES[settings.loss]
        self.gamma = cosine(gamma, gamma / 10)
        if settings.penalty != "none":
            self.dials["penalty"] = 1.0
        self.augmentation = augmentation
        self.dials["augment"] = 0.0 if isinstance(settings.augment, str) else settings.augment
        self._round: Round | None = None

    @property
    def players(self) -> Sequence[Player]:
        """The discriminator, then the generator, each at a rate of its own.

        Two rates: Heusel et al. (arXiv 1706.08500); which ones was found in docs/benchmarks.md.
        """
        rate, faster = self.rates
        betas = (self.settings.beta1, self.settings.beta2)
        return (
            Player(
                name="discriminator",
                module=self.discriminator,
                loss=self.discriminator_loss,
                learning_rate=cosine(rate, rate / 20),
                betas=betas,
            ),
            Player(
                name="generator",
                module=self.generator,
                loss=self.generator_loss,
                learning_rate=cosine(faster, faster / 20),
                betas=betas,
                draws=False,
            ),
        )

    def averaged(self) -> Mapping[str, nn.Module]:
        """The generator."""
        return {"generator": self.generator}

    @torch.no_grad()
    def settle(self, items: Iterable[Batch]) -> None:
        """Measure the statistics of batch normalisation anew, always from the same noise.

        Averaged weights do not have the statistics of the weights that they average.
        """
        del items
        norms = [m for m in self.generator.modules() if isinstance(m, nn.BatchNorm2d)]
        if not norms:
            return
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # a plain mean over the blocks
            norm.train()
        for block in range(SETTLING_BLOCKS):
            self.decode(*self.draw_block(0, block, None, 1.0))
        for norm in norms:
            norm.momentum = 0.1
            norm.eval()

    def draw(
        self, n: int, label: Tensor | None, generator: torch.Generator, temperature: float = 1.0
    ) -> Tensor:
        """Standard normal noise (n, latent)."""
        del label
        size = self.settings.latent
        noise = torch.randn(n, size, generator=generator, device=generator.device)
        return (temperature * noise).to(self.label_share.device)

    def decode(self, z: Tensor, label: Tensor | None) -> Tensor:
        """G(z, c)."""
        return self.generator(z, label)

    def discriminator_loss(self, turn: Turn) -> tuple[Tensor, Log]:
        """The discriminator's side of the game, and every few steps the gradient penalty."""
        self._round = None  # that of the turn before, or of one that failed
        label = turn.batch.label
        noise = self.draw(len(turn.batch.x), label, turn.generator)
        with _learning(self.generator):
            fake = self._made(noise, label)
        self._round = Round(turn.step, turn.batch, noise, fake)
        return self.loss_between(fake.detach(), turn)

    def loss_between(self, fake: Tensor, turn: Turn) -> tuple[Tensor, Log]:
        """The discriminator's loss for given items in the place of generated ones."""
        real, label = turn.batch.x, turn.batch.label
        labels = None if label is None else torch.cat([label, label])
        judged = self._judge(torch.cat([real, fake]), labels, turn.generator)
        judged_real, judged_fake = judged.chunk(2)
        loss, _ = self.game(judged_real, judged_fake)
        log = {"loss": loss, "margin": (judged_real - judged_fake).mean()}
        every = self.settings.penalty_every
        if self.settings.penalty != "none" and turn.step % every == 0:
            penalty = self.penalty(real, fake, label, turn.generator)
            gamma = self.dials["penalty"] * self.gamma(turn.progress)
            loss = loss + every * 0.5 * gamma * penalty
            log["penalty"] = penalty
        if self.dials["augment"]:
            log["augment"] = torch.full_like(loss, self.dials["augment"])
        return loss, log

    def generator_loss(self, turn: Turn) -> tuple[Tensor, Log]:
        """The generator's side of the game, on the items of the discriminator's turn."""
        left = self._round
        if left is None or left.step != turn.step:
            return self.loss_against(self.fakes(turn), turn)
        fake, left.fake = left.fake, None  # a graph serves once
        if fake is None:  # a repeated turn; `settle` measures anew what now moves twice
            fake = self._made(left.noise, left.batch.label)
        return self.loss_against(fake, dataclasses.replace(turn, batch=left.batch))

    def loss_against(self, fake: Tensor, turn: Turn) -> tuple[Tensor, Log]:
        """The generator's loss for given items in the place of generated ones."""
        with torch.no_grad():  # apart from the others: nothing of the generator is in them
            judged_real = self._judge(turn.batch.x, turn.batch.label, turn.generator)
        judged_fake = self._judge(fake, turn.batch.label, turn.generator)
        _, loss = self.game(judged_real, judged_fake)
        return loss, {"loss": loss}

    @full_precision
    def penalty(
        self, real: Tensor, fake: Tensor, label: Tensor | None, generator: torch.Generator
    ) -> Tensor:
        """The chosen gradient penalty, mean over items (R1 and R2 added).

        With respect to items before they are augmented: ‖∇ₓ D(T(x))‖².
        """
        kind = self.settings.penalty
        if kind == "gp":
            x = penalties.interpolated(real, fake, generator)
        elif kind == "r1+r2":
            x = torch.cat([real, fake])
            label = None if label is None else torch.cat([label, label])
        else:
            x = real if kind == "r1" else fake
        transform = self.transform(len(x), generator)
        if self.settings.penalty_form == "exact":
            pieces = self.pieces_of(self.discriminator)
            squared = penalties.squared_gradient_norm(
                self.discriminator, x, label, transform=transform, pieces=pieces
            )
        else:

            def judge(x: Tensor, label: Tensor | None) -> Tensor:
                return self.through(self.discriminator, transform(x), label)

            squared = penalties.finite_difference_norm(judge, x, label, generator)
        if kind == "gp":
            squared = penalties.one_centred(squared)
        return squared.sum() / len(real)

    @torch.no_grad()
    def gaps(self, turn: Turn, held_out: Batch) -> Tensor:
        """E D(train) − E D(held out), E D(train) − E D(generated), the variance of the first, (3,).

        All items are augmented. `turn` brings the training items; as many are generated, with
        their labels.
        """
        train = turn.batch
        items = torch.cat([train.x, self.fakes(turn), held_out.x])
        labels = None
        if train.label is not None and held_out.label is not None:
            labels = torch.cat([train.label, train.label, held_out.label])
        judged = self._judge(items, labels, turn.generator)
        seen, fake, unseen = judged.split([len(train.x), len(train.x), len(held_out.x)])
        uncertain = seen.var(correction=0) / len(seen) + unseen.var(correction=0) / len(unseen)
        return torch.stack([seen.mean() - unseen.mean(), seen.mean() - fake.mean(), uncertain])

    def transform(self, n: int, generator: torch.Generator) -> Transform:
        """What is done to n items before they are judged, drawn anew."""
        if self.augmentation is None or not self.dials["augment"]:
            return unchanged
        return self.augmentation(n, self.dials["augment"], generator)

    def fakes(self, turn: Turn) -> Tensor:
        """As many generated items as there are in a turn's batch, with its labels."""
        label = turn.batch.label
        return self._made(self.draw(len(turn.batch.x), label, turn.generator), label)

    def _made(self, z: Tensor, label: Tensor | None) -> Tensor:
        """G(z, c) in training, in full precision."""
        return self.through(self.generator, z, label).float()

    def _judge(self, x: Tensor, label: Tensor | None, generator: torch.Generator) -> Tensor:
        """Items, augmented, through the discriminator; outputs (n,) in full precision."""
        x = self.transform(len(x), generator)(x)
        return self.through(self.discriminator, x, label).float()


@contextmanager
def _learning(network: nn.Module) -> Iterator[None]:
    """A context in which gradients of a network's weights are kept track of."""
    frozen = [weight for weight in network.parameters() if not weight.requires_grad]
    for weight in frozen:
        weight.requires_grad_(True)
    try:
        yield
    finally:
        for weight in frozen:
            weight.requires_grad_(False)
