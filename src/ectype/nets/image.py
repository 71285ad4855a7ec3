"""Networks for pictures, all four from one family of blocks.

- `Down`: a 4×4 convolution of stride 2, which halves the resolution;
- `Up`: a 4×4 transposed convolution, which doubles it and starts as bilinear interpolation;
- `Residual`: two 3×3 convolutions added to their input, for depth.

Each activates what comes in, not what it puts out, so that sums of residuals stay free.

The discriminator and the encoder are a shrinking trunk with a head; the generator and the
decoder are a growing trunk. `width` is the one dial of capacity: channels at half resolution,
doubled at each coarser grid. The game wants a plain, fast discriminator and a normalised
generator that draws at full resolution; an autoencoder learns most from residual blocks at a
half and a quarter of it. How this was found: docs/benchmarks.md.

Shapes: pictures (n, channels, height, width) in [−1, 1]; labels (n,) or None.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.functional import pad, pixel_shuffle

from ectype.nets.convolution import Conv2d, ConvTranspose2d
from ectype.nets.piecewise import leaky_relu

Shape = tuple[int, int, int]
Layer = TypeVar("Layer", nn.Conv2d, nn.Linear)

SLOPE = 0.2
#: Channels are multiples of this: what matrix units of today's processors are made for.
CHANNEL_STEP = 8
#: Length of a label's embedding beside the latent vector: short, so that the vector still decides
#: most of what a picture of the label looks like.
LABEL_SIZE = 8
#: Channels grow to at most this multiple of the width.
MOST = 4
#: Grids are halved while the shorter side is at least this. 28 and 32 end at 4 …
GAME_LIMIT = 7
#: … and here at 7 and 8.
AUTOENCODER_LIMIT = 14


class Discriminator(nn.Module):
    """Pictures to one number each, (n,): a linear reading of the features.

    With labels, plus the inner product of the features with an embedding of the label
    (projection: Miyato and Koyama, arXiv 1802.05637).
    """

    def __init__(self, shape: Shape, width: int, classes: int):
        super().__init__()
        grids = resolutions(*shape[1:], GAME_LIMIT)
        self.trunk = ShrinkingTrunk(shape[0], grids, width, depth=0)
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


class Generator(nn.Module):
    """Noise (n, latent) and labels to pictures.

    Batch normalisation here, and only here: the averaged weights need its statistics measured
    anew (`Gan.settle`). A tanh at the end: pictures have hard black and hard white, which a
    linear end reaches late.
    """

    def __init__(self, shape: Shape, width: int, classes: int, latent: int):
        super().__init__()
        grids = resolutions(*shape[1:], GAME_LIMIT)
        widths = [_round(4 / 3 * width * min(2**k, 3)) for k in range(len(grids) - 1)]
        widths.insert(0, _round(width / 3))  # a channel costs most at full resolution
        self.labels = nn.Embedding(classes, LABEL_SIZE) if classes else None
        inputs = latent + LABEL_SIZE if classes else latent
        self.trunk = GrowingTrunk(inputs, grids, widths[::-1], depth=0, norm=True)
        self.leave = initialise(nn.Conv2d(widths[0], shape[0], 3, 1, 1), gain=math.sqrt(0.5))

    def forward(self, z: Tensor, label: Tensor | None) -> Tensor:
        """Pictures, fp32: the 8 bits of bf16 would show in smooth greys."""
        x = self.trunk(with_label(z, label, self.labels))
        return torch.tanh(self.leave(x).float())


class Encoder(nn.Module):
    """Pictures to the mean and the log-variance of their latents, each (n, latent)."""

    def __init__(self, shape: Shape, width: int, classes: int, latent: int):
        super().__init__()
        grids = resolutions(*shape[1:], AUTOENCODER_LIMIT)
        self.trunk = ShrinkingTrunk(shape[0], grids, width, depth=1)
        self.head = initialise(nn.Linear(self.trunk.features, 2 * latent))
        self.labels = zero_embedding(classes, 2 * latent)

    def forward(self, x: Tensor, label: Tensor | None) -> tuple[Tensor, Tensor]:
        """The moments of q(z|x)."""
        moments = self.head(self.trunk(x))
        if self.labels is not None and label is not None:
            moments = moments + self.labels(label)
        mean, log_variance = moments.chunk(2, 1)
        return mean, log_variance


class Decoder(nn.Module):
    """Latents (n, latent) and labels to a likelihood's parameters (n, outputs, height, width).

    Works at half resolution. Every grid adds to the picture what it has to say, as the bands of a
    Haar transform of the next finer one: a rest, which corrects the picture so far, and three bands
    of detail. Were all made by one layer at the end, as rearranged pixels (Shi et al., arXiv
    1609.05158), the many gradients of fine detail would drown those of large shapes in each of its
    weights, and a white ground stays grey for thousands of steps.
    """

    def __init__(self, outputs: int, size: tuple[int, int], width: int, classes: int, latent: int):
        super().__init__()
        self.size = size
        grids = resolutions(*size, AUTOENCODER_LIMIT)[1:]
        widths = [width * min(2**k, MOST) for k in range(len(grids))][::-1]
        self.labels = nn.Embedding(classes, LABEL_SIZE) if classes else None
        inputs = latent + LABEL_SIZE if classes else latent
        self.trunk = GrowingTrunk(inputs, grids, widths, depth=1, norm=False)
        self.heads = nn.ModuleList(
            initialise(nn.Conv2d(channels, 4 * outputs, 3, 1, 1), gain=math.sqrt(0.5))
            for channels in widths
        )

    def forward(self, z: Tensor, label: Tensor | None) -> Tensor:
        """Parameters, fp32, unbounded."""
        picture = None
        stages = self.trunk.stages(with_label(z, label, self.labels))
        for x, head in zip(stages, self.heads, strict=True):
            rest, *details = head(activation(x)).float().unflatten(1, (-1, 4)).unbind(2)
            if picture is not None:  # what exceeds an odd side is cut off
                rest = rest + 2 * picture[:, :, : x.shape[2], : x.shape[3]]
            picture = inverse_haar(rest, *details)
        assert picture is not None
        return picture[:, :, : self.size[0], : self.size[1]]


class ShrinkingTrunk(nn.Module):
    """Pictures to features (n, features): the coarsest grid, flattened.

    Without normalisation: items must not see one another, or a gradient penalty would mix them.

    Args:
        channels: of the pictures.
        grids: as `resolutions` gives them.
        width: channels after the first halving.
        depth: residual blocks a grid.
    """

    def __init__(self, channels: int, grids: list[tuple[int, int]], width: int, depth: int):
        super().__init__()
        layers: list[nn.Module] = []
        before = channels
        for level in range(len(grids) - 1):
            after = width * min(2**level, MOST)
            layers.append(Down(before, after, activate=level > 0))
            layers += [Residual(after) for _ in range(depth)]
            before = after
        self.layers = nn.Sequential(*layers)
        self.features = before * math.prod(grids[-1])

    def forward(self, x: Tensor) -> Tensor:
        """Features, in the memory order of channels last, so that nothing is copied."""
        return activation(self.layers(x)).permute(0, 2, 3, 1).flatten(1)


class GrowingTrunk(nn.Module):
    """Vectors (n, inputs) to maps (n, widths[-1], *grids[0]), activated.

    Args:
        inputs: length of the vectors.
        grids: as `resolutions` gives them.
        widths: channels at each grid, coarse to fine.
        depth: residual blocks a grid.
        norm: normalise over the batch.
    """

    def __init__(
        self,
        inputs: int,
        grids: list[tuple[int, int]],
        widths: list[int],
        depth: int,
        norm: bool,
    ):
        super().__init__()
        self.coarsest = (*grids[-1], widths[0])
        enter = nn.Linear(inputs, math.prod(self.coarsest), bias=not norm)
        self.enter = initialise(enter, gain=math.sqrt(2) if norm else 1.0)
        layers: list[nn.Module] = []
        for level, (grid, after) in enumerate(zip(grids[::-1], widths, strict=True)):
            if level:
                layers.append(Up(widths[level - 1], after, grid, norm))
            layers += [Residual(after) for _ in range(depth)]
        self.layers = nn.Sequential(*layers)
        self.norm = nn.BatchNorm2d(widths[-1]) if norm else nn.Identity()

    def forward(self, z: Tensor) -> Tensor:
        """Maps from vectors."""
        *_, x = self.stages(z)
        return activation(self.norm(x))

    def stages(self, z: Tensor) -> Iterator[Tensor]:
        """The maps of every grid, coarse to fine, neither normalised nor activated."""
        x = self.enter(z).unflatten(1, self.coarsest).permute(0, 3, 1, 2)
        for layer in self.layers:
            if isinstance(layer, Up):
                yield x
            x = layer(x)
        yield x


class Down(nn.Module):
    """(n, inputs, h, w) to (n, outputs, ⌈h/2⌉, ⌈w/2⌉): W · act(x), or W · x for a picture."""

    def __init__(self, inputs: int, outputs: int, activate: bool):
        super().__init__()
        self.activate = activate
        self.convolution = initialise(Conv2d(inputs, outputs, 4, 2, 1), gain=math.sqrt(2))

    def forward(self, x: Tensor) -> Tensor:
        """Halve the resolution; an odd side gets a row of zeros, as all sides do."""
        height, width = x.shape[-2:]
        x = activation(x) if self.activate else x
        if height % 2 or width % 2:
            x = pad(x, (0, width % 2, 0, height % 2))
        return self.convolution(x)


class Up(nn.Module):
    """(n, inputs, ⌈h/2⌉, ⌈w/2⌉) to (n, outputs, h, w), `size` being (h, w): W · act(norm(x))."""

    def __init__(self, inputs: int, outputs: int, size: tuple[int, int], norm: bool):
        super().__init__()
        self.size = size
        self.norm = nn.BatchNorm2d(inputs) if norm else nn.Identity()
        self.convolution = ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=not norm)
        # bilinear interpolation times a random mixing of channels: no checkerboard to unlearn
        line = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 4
        mixing = torch.randn(inputs, outputs, 1, 1) * math.sqrt(2 / inputs)
        with torch.no_grad():
            self.convolution.weight.copy_(mixing * line[:, None] * line)
            if self.convolution.bias is not None:
                self.convolution.bias.zero_()

    def forward(self, x: Tensor) -> Tensor:
        """Double the resolution; what exceeds an odd side is cut off."""
        x = self.convolution(activation(self.norm(x)))
        height, width = x.shape[-2:]
        beyond = (0, self.size[1] - width, 0, self.size[0] - height)
        # not by slicing: what follows is quicker on maps without gaps in memory
        return pad(x, beyond) if any(beyond) else x


class Residual(nn.Module):
    """x + W2 · act(W1 · act(x)); W2 starts at zero, so the block starts as nothing."""

    def __init__(self, channels: int):
        super().__init__()
        self.first = initialise(nn.Conv2d(channels, channels, 3, 1, 1), gain=math.sqrt(2))
        self.second = initialise(nn.Conv2d(channels, channels, 3, 1, 1), gain=0.0)

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels, h, w) to the same shape."""
        return x + self.second(activation(self.first(activation(x))))


def resolutions(height: int, width: int, limit: int) -> list[tuple[int, int]]:
    """Grids from fine to coarse, each side half of the one before, rounded up; two at least.

    >>> resolutions(28, 28, limit=7)
    [(28, 28), (14, 14), (7, 7), (4, 4)]
    """
    grids = [(height, width)]
    while len(grids) == 1 or min(grids[-1]) >= limit:
        grids.append(((grids[-1][0] + 1) // 2, (grids[-1][1] + 1) // 2))
    return grids


def inverse_haar(rest: Tensor, across: Tensor, along: Tensor, both: Tensor) -> Tensor:
    """Maps (n, c, 2h, 2w) of which these are the bands of an orthonormal Haar transform.

    Args:
        rest: (n, c, h, w), twice the means of 2×2 places.
        across: the differences of their rows,
        along: of their columns,
        both: and of their diagonals, all (n, c, h, w).
    """
    upper, lower = rest + across, rest - across
    left, right = along + both, along - both
    places = torch.stack([upper + left, upper - left, lower + right, lower - right], 2)
    return pixel_shuffle(places.flatten(1, 2) / 2, 2)


def activation(x: Tensor) -> Tensor:
    """Leaky ReLU."""
    return leaky_relu(x, SLOPE)


def with_label(z: Tensor, label: Tensor | None, embedding: nn.Embedding | None) -> Tensor:
    """A vector and the embedding of its label, side by side."""
    if embedding is None or label is None:
        return z
    return torch.cat([z, embedding(label)], 1)


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
