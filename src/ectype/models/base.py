"""The contract between what is learned and how it is trained: a game of players.

A model is a set of networks and the players who train them. The trainer lets the players take
their turns; it knows nothing else about the model.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ectype.errors import UsageError
from ectype.nets.pieces import batch_norms, in_pieces

#: Samples are computed in blocks of this many, always whole, so that sample i of a seed does
#: not depend on how many are asked for: both the noise and the arithmetic stay the same. A model
#: may have blocks of another size.
SAMPLE_BLOCK = 64


@dataclass(frozen=True)
class Batch:
    """Network items (n, ...) and their label indices (n,), or None for unlabelled data."""

    x: Tensor
    label: Tensor | None


@dataclass(frozen=True)
class Turn:
    """What a player is given when it plays.

    `progress` is how far training is, 0 to 1; `step` counts the rounds of the game from 0;
    `generator` is the only source of randomness that a loss may use.
    """

    batch: Batch
    progress: float
    step: int
    generator: torch.Generator


def always(progress: float, step: int) -> bool:
    """Play at every step."""
    del progress, step
    return True


@dataclass(frozen=True, kw_only=True)
class Player:
    """One side of the game.

    Attributes:
        name: how logs and checkpoints call it.
        module: holds the parameters that this player trains; all others are frozen in its turn.
        loss: the turn's scalar to minimise, and further scalars for the log.
        learning_rate: a pure function of progress.
        betas: Adam's decay of the first and the second moment.
        weight_decay: decoupled (AdamW).
        max_gradient_norm: gradients are scaled down to this Euclidean norm, if given.
        plays: whether it takes its turn, a pure function of progress and step.
        draws: whether its turn has a batch of its own, or that of the turn before in the round.
        prepare: called before this player's first turn, and before the first after it has not
            played for a while, with all training items or many of them.
    """

    name: str
    module: nn.Module
    loss: Callable[[Turn], tuple[Tensor, Mapping[str, Tensor]]]
    learning_rate: Callable[[float], float]
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.0
    max_gradient_norm: float | None = None
    plays: Callable[[float, int], bool] = always
    draws: bool = True
    prepare: Callable[[Iterable[Batch], torch.Generator], None] | None = None


class Model(nn.Module, ABC):
    """Networks and the game that trains them.

    `dials` are numbers in the losses that a controller may turn while training goes on, by name.
    `pieces` is how many pieces a batch of training is cut into where it passes through a network.
    `block` is how many samples are computed at a time.

    Every model generates in two steps: it draws latents (a GAN: noise, a VAE: from its prior)
    and decodes them. Sampling, temperature and interpolation are the same for all.
    """

    #: Whether `encode` and `decode` exist.
    has_encoder: ClassVar[bool] = False

    def __init__(self, classes: int):
        super().__init__()
        self.classes = classes
        self.dials: dict[str, float] = {}
        self.pieces = 1
        self.block = SAMPLE_BLOCK
        self.label_share: Tensor
        self.register_buffer("label_share", torch.full((classes,), 1 / max(classes, 1)))

    @property
    @abstractmethod
    def players(self) -> Sequence[Player]:
        """The players, in the order of their turns."""

    @abstractmethod
    def averaged(self) -> Mapping[str, nn.Module]:
        """The networks that sampling needs, by name: their averaged weights are the result."""

    @abstractmethod
    def draw(
        self, n: int, label: Tensor | None, generator: torch.Generator, temperature: float = 1.0
    ) -> Tensor:
        """Latents (n, *latent) from what the model samples from: noise, or a learned prior.

        All randomness comes from `generator`, a CPU one, so that every device draws the same.
        """

    @abstractmethod
    def decode(self, z: Tensor, label: Tensor | None) -> Tensor:
        """The expected, or likeliest, network items (n, ...) at latents (n, *latent)."""

    def render(
        self, z: Tensor, label: Tensor | None, generator: torch.Generator, temperature: float = 1.0
    ) -> Tensor:
        """Latents (n, *latent) to network items that are drawn where items have a distribution.

        By default the items of `decode`. All randomness comes from `generator`, a CPU one.
        """
        del generator, temperature
        return self.decode(z, label)

    def path(self, start: Tensor, end: Tensor, share: Tensor) -> Tensor:
        """Latents (steps, *latent) on the way between two, at shares (steps,) of it.

        By default a great circle: a point on the straight line between two normal vectors is
        shorter than any vector that the model has seen.
        """
        return slerp(start, end, share)

    def pieces_of(self, network: nn.Module) -> int:
        """How many pieces a batch of training passes through a network in; one if it mixes them."""
        return 1 if self.pieces == 1 or batch_norms(network) else self.pieces

    def through(self, network: nn.Module, *inputs: Tensor | None) -> Any:
        """What a network makes of a batch of training, in pieces: items or latents, labels, …."""
        return in_pieces(network, self.pieces_of(network), *inputs)

    def statistics(self) -> Sequence[Tensor]:
        """What a loss changes without learning it: running statistics, the tensors in use."""
        return [value for norm in batch_norms(self) for value in norm.buffers()]

    def settled(self) -> Mapping[str, nn.Module]:
        """What `settle` makes and sampling needs beside the averaged networks, by name."""
        return {}

    def settle(self, items: Iterable[Batch]) -> None:
        """Called after averaged weights are put in place: bring along what depends on them.

        `items` are the training items, or many of them, read only if they are iterated.
        """
        del items

    def ready(self, progress: float) -> bool:
        """Whether `sample` gives anything yet; before, a preview shows `early_view`."""
        del progress
        return True

    def early_view(self, batch: Batch) -> Tensor:
        """What there is to see before the model can sample: items passed through it."""
        return self.reconstruct(batch)

    def reconstruct(self, batch: Batch) -> Tensor:
        """Pass network items through the model and back.

        Raises:
            UsageError: the model has no encoder.
        """
        del batch
        raise UsageError(
            "a GAN cannot reconstruct: it has a generator and no encoder",
            hint="train with --model vae to pass data through the model",
        )

    def explains(self, batch: Batch) -> Tensor:
        """How well each network item is explained under its label, (n,): more is better.

        Raises:
            UsageError: the model has no encoder.
        """
        return self.reconstruct(batch)  # raises, with the reason

    @torch.inference_mode()
    def sample(
        self,
        n: int,
        *,
        seed: int = 0,
        label: int | None = None,
        temperature: float = 1.0,
        start: int = 0,
    ) -> Tensor:
        """Samples `start` to `start + n` of a seed, as network items on the CPU.

        Sample i of a seed is the same for every `n` and `start`. Without a `label`, labels are
        drawn as often as they stand in the training data. `temperature` scales the noise.
        """
        first, last = start // self.block, (start + n - 1) // self.block
        blocks = [
            self.sample_block(seed, block, label, temperature)[0]
            for block in range(first, last + 1)
        ]
        offset = start - first * self.block
        return torch.cat(blocks)[offset : offset + n]

    @torch.inference_mode()
    def sample_block(
        self, seed: int, block: int, label: int | None = None, temperature: float = 1.0
    ) -> tuple[Tensor, Tensor | None]:
        """The samples of one block of a seed, on the CPU, and their labels."""
        generator = self._generator(seed, block)
        z, labels = self._latents(label, generator, temperature)
        return self.render(z, labels, generator, temperature).float().cpu(), labels

    @torch.inference_mode()
    def interpolate(
        self, rows: int, steps: int, *, seed: int = 0, label: int | None = None
    ) -> Tensor:
        """Walks between two latents, one walk a row, as (rows · steps, ...)."""
        walks = []
        for row in range(rows):
            z, labels = self.draw_block(seed, row, label, 1.0)
            if label is None and labels is not None:  # both ends of a walk have one label
                z, labels = self.draw_block(seed, row, int(labels[0]), 1.0)
            share = torch.linspace(0, 1, steps, device=z.device)
            labels = None if labels is None else labels[:1].expand(steps)
            walks.append(self.decode(self.path(z[0], z[1], share), labels).float().cpu())
        return torch.cat(walks)

    def draw_block(
        self, seed: int, block: int, label: int | None, temperature: float
    ) -> tuple[Tensor, Tensor | None]:
        """Latents and labels of one block of samples."""
        return self._latents(label, self._generator(seed, block), temperature)

    def _generator(self, seed: int, block: int) -> torch.Generator:
        return torch.Generator().manual_seed((seed * 2_147_483_647 + block) % 2**63)

    def _latents(
        self, label: int | None, generator: torch.Generator, temperature: float
    ) -> tuple[Tensor, Tensor | None]:
        labels = None
        if self.classes:
            share = self.label_share.float().cpu()
            labels = torch.multinomial(share, self.block, replacement=True, generator=generator)
            if label is not None:
                labels.fill_(label)
            labels = labels.to(self.label_share.device)
        return self.draw(self.block, labels, generator, temperature), labels


def slerp(start: Tensor, end: Tensor, share: Tensor) -> Tensor:
    """Spherical interpolation between two tensors of equal shape (...) at shares (steps,).

    Shoemake, "Animating rotation with quaternion curves" (1985), on the flattened vectors:
    sin((1−t)ω)/sin ω · a + sin(tω)/sin ω · b, ω the angle between a and b.
    """
    a, b = start.flatten().double(), end.flatten().double()
    cosine = (a @ b / (a.norm() * b.norm()).clamp_min(1e-12)).clamp(-1 + 1e-7, 1 - 1e-7)
    angle = torch.acos(cosine)
    t = share.double()[:, None]
    path = (torch.sin((1 - t) * angle) * a + torch.sin(t * angle) * b) / torch.sin(angle)
    return path.to(start.dtype).reshape(len(share), *start.shape)
