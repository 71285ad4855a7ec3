"""Networks for pictures, all four from one family of blocks.

- `Down`: a 4×4 convolution of stride 2, which halves the resolution;
- `Up`: a 4×4 transposed convolution, which doubles it and starts as bilinear interpolation;
- `Residual`: a 3×3 convolution added to its input, for depth.

The discriminator and the encoder are a shrinking trunk with a head; the generator and the
decoder are a growing trunk. Channels halve each time the resolution doubles, so every resolution
costs about the same. `width` is the one dial of capacity: the channels at half resolution of a
picture that is halved three times. How this family was found: docs/benchmarks.md.

Shapes: pictures (n, channels, height, width) in [−1, 1]; labels (n,) or None.
"""

from __future__ import annotations

import math
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, pad

Layer = TypeVar("Layer", nn.Conv2d, nn.Linear)

SLOPE = 0.2
#: Resolutions are halved while the shorter side is at least this: 28, 14, 7, 4 or 32, 16, 8, 4.
COARSEST = 7
#: Channels are multiples of this: what matrix units of today's processors are made for.
CHANNEL_STEP = 8


def activation(x: Tensor) -> Tensor:
    """Leaky ReLU."""
    return leaky_relu(x, SLOPE)


def resolutions(height: int, width: int) -> list[tuple[int, int]]:
    """Grids from coarse to fine, each side half of the next, rounded up.

    >>> resolutions(28, 28)
    [(4, 4), (7, 7), (14, 14), (28, 28)]
    """
    grids = [(height, width)]
    while min(grids[0]) >= COARSEST:
        grids.insert(0, ((grids[0][0] + 1) // 2, (grids[0][1] + 1) // 2))
    return grids


def shrinking_channels(halvings: int, width: int) -> list[int]:
    """Channels after each halving, fine to coarse: the last has four times the width.

    >>> shrinking_channels(3, 48)
    [48, 96, 192]
    """
    return [_round(4 * width / 2**k) for k in range(halvings)][::-1]


def growing_channels(grids: int, width: int) -> list[int]:
    """Channels at each grid, coarse to fine; few at the finest, where a channel costs most.

    >>> growing_channels(4, 48)
    [192, 128, 64, 16]
    """
    channels = [_round(4 * width)] + [_round(4 * width * 4 / 3 / 2**k) for k in range(1, grids - 1)]
    return [*channels, _round(channels[-1] / 4)] if grids > 1 else channels


class Down(nn.Module):
    """(n, inputs, h, w) to (n, outputs, ⌈h/2⌉, ⌈w/2⌉)."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.convolution = initialise(nn.Conv2d(inputs, outputs, 4, 2, 1), gain=math.sqrt(2))

    def forward(self, x: Tensor) -> Tensor:
        """Halve the resolution; an odd side is padded by repeating its last row."""
        height, width = x.shape[-2:]
        if height % 2 or width % 2:
            x = pad(x, (0, width % 2, 0, height % 2), mode="replicate")
        return activation(self.convolution(x))


class Up(nn.Module):
    """(n, inputs, ⌈h/2⌉, ⌈w/2⌉) to (n, outputs, h, w), `size` being (h, w)."""

    def __init__(self, inputs: int, outputs: int, size: tuple[int, int]):
        super().__init__()
        self.size = size
        self.convolution = nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=False)
        self.norm = nn.BatchNorm2d(outputs)
        # bilinear interpolation times a random mixing of channels: no checkerboard to unlearn
        line = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 4
        mixing = torch.randn(inputs, outputs, 1, 1) * math.sqrt(2 / inputs)
        with torch.no_grad():
            self.convolution.weight.copy_(mixing * line[:, None] * line)

    def forward(self, x: Tensor) -> Tensor:
        """Double the resolution; what exceeds an odd side is cut off."""
        height, width = self.size
        return activation(self.norm(self.convolution(x)))[:, :, :height, :width]


class Residual(nn.Module):
    """x + scale · W · act(norm(x)), shape kept."""

    def __init__(self, channels: int, scale: float, norm: bool):
        super().__init__()
        self.norm = nn.BatchNorm2d(channels) if norm else nn.Identity()
        self.convolution = initialise(nn.Conv2d(channels, channels, 3, 1, 1), gain=math.sqrt(2))
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        """The sum."""
        return x + self.scale * self.convolution(activation(self.norm(x)))


class ShrinkingTrunk(nn.Module):
    """Pictures to features (n, features): the coarsest grid, flattened.

    Without normalisation: items must not see one another, or a gradient penalty would mix them.
    """

    def __init__(self, shape: tuple[int, int, int], width: int, depth: int):
        super().__init__()
        channels, height, side = shape
        grids = resolutions(height, side)
        widths = shrinking_channels(len(grids) - 1, width)
        scale = max(1, depth * len(widths)) ** -0.5
        layers: list[nn.Module] = []
        before = channels
        for after in widths:
            layers.append(Down(before, after))
            layers += [Residual(after, scale, norm=False) for _ in range(depth)]
            before = after
        self.layers = nn.Sequential(*layers)
        self.features = before * math.prod(grids[0])

    def forward(self, x: Tensor) -> Tensor:
        """Features, in the memory order of channels last, so that nothing is copied."""
        return self.layers(x).permute(0, 2, 3, 1).flatten(1)


class GrowingTrunk(nn.Module):
    """Vectors (n, inputs) to maps (n, outputs, height, width)."""

    def __init__(self, inputs: int, outputs: int, size: tuple[int, int], width: int, depth: int):
        super().__init__()
        grids = resolutions(*size)
        widths = growing_channels(len(grids), width)
        self.coarsest = (*grids[0], widths[0])
        start = nn.Linear(inputs, math.prod(self.coarsest), bias=False)
        self.enter = initialise(start, gain=math.sqrt(2))
        self.norm = nn.BatchNorm2d(widths[0])
        scale = max(1, depth * len(widths)) ** -0.5
        layers: list[nn.Module] = []
        for level, channels in enumerate(widths):
            if level:
                layers.append(Up(widths[level - 1], channels, grids[level]))
            if level < len(widths) - 1:  # depth where it is cheap: not at full resolution
                layers += [Residual(channels, scale, norm=True) for _ in range(depth)]
        self.layers = nn.Sequential(*layers)
        self.leave = initialise(nn.Conv2d(widths[-1], outputs, 3, 1, 1), gain=math.sqrt(0.5))

    def forward(self, z: Tensor) -> Tensor:
        """Maps, unbounded."""
        x = self.enter(z).unflatten(1, self.coarsest).permute(0, 3, 1, 2)
        return self.leave(self.layers(activation(self.norm(x))))


class Discriminator(nn.Module):
    """Pictures to one number each, (n,): a linear reading of the features.

    With labels, plus the inner product of the features with an embedding of the label
    (projection: Miyato and Koyama, arXiv 1802.05637).
    """

    def __init__(self, shape: tuple[int, int, int], width: int, classes: int, depth: int = 0):
        super().__init__()
        self.trunk = ShrinkingTrunk(shape, width, depth)
        self.judge = initialise(nn.Linear(self.trunk.features, 1))
        self.labels = zero_embedding(classes, self.trunk.features)

    def forward(self, x: Tensor, label: Tensor | None) -> Tensor:
        """How real each picture is, in logits."""
        features = self.trunk(x)
        judged = self.judge(features).squeeze(1)
        if self.labels is not None and label is not None:
            scale = 1 / math.sqrt(self.trunk.features)
            judged = judged + scale * (features * self.labels(label)).sum(1)
        return judged


class Encoder(nn.Module):
    """Pictures to the mean and the log-variance of their latents, each (n, latent)."""

    def __init__(
        self, shape: tuple[int, int, int], width: int, classes: int, latent: int, depth: int = 0
    ):
        super().__init__()
        self.latent = (latent,)
        self.trunk = ShrinkingTrunk(shape, width, depth)
        self.head = initialise(nn.Linear(self.trunk.features, 2 * latent), gain=0.5)
        self.labels = zero_embedding(classes, 2 * latent)

    def forward(self, x: Tensor, label: Tensor | None) -> tuple[Tensor, Tensor]:
        """The moments of q(z|x)."""
        moments = self.head(self.trunk(x))
        if self.labels is not None and label is not None:
            moments = moments + self.labels(label)
        mean, log_variance = moments.chunk(2, 1)
        return mean, log_variance


class Generator(nn.Module):
    """Vectors (n, latent) and labels to maps (n, outputs, height, width).

    As a generator, or as a decoder of a density, it ends in a tanh: pictures have hard black and
    hard white, which a linear ending reaches late. As a decoder of other parameters it does not.
    """

    def __init__(
        self,
        outputs: int,
        size: tuple[int, int],
        width: int,
        classes: int,
        latent: int,
        *,
        depth: int = 0,
        bounded: bool = True,
    ):
        super().__init__()
        self.latent = (latent,)
        self.labels = nn.Embedding(classes, latent) if classes else None
        self.trunk = GrowingTrunk(2 * latent if classes else latent, outputs, size, width, depth)
        self.bounded = bounded

    def forward(self, z: Tensor, label: Tensor | None) -> Tensor:
        """Maps from vectors, fp32: 8 bits of precision would show in smooth greys."""
        if self.labels is not None and label is not None:
            z = torch.cat([z, self.labels(label)], 1)
        x = self.trunk(z).float()
        return torch.tanh(x) if self.bounded else x


def initialise(layer: Layer, gain: float = 1.0) -> Layer:
    """Weights N(0, (gain / √fan-in)²), biases zero; returns the layer."""
    nn.init.normal_(layer.weight, 0, gain / math.sqrt(layer.weight[0].numel()))
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def zero_embedding(classes: int, size: int) -> nn.Embedding | None:
    """An embedding that begins as nothing; None without labels."""
    if not classes:
        return None
    embedding = nn.Embedding(classes, size)
    nn.init.zeros_(embedding.weight)
    return embedding


def _round(channels: float) -> int:
    return max(2 * CHANNEL_STEP, CHANNEL_STEP * round(channels / CHANNEL_STEP))
