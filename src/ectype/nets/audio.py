"""Networks for sounds.

The generator and the decoder draw spectra frame by frame: a vector becomes a coarse row of frames,
which is refined three times by ConvNeXt blocks (Liu et al., arXiv 2201.03545) along time, as in
Vocos (arXiv 2306.00814). The encoder sees mel spectra, the discriminator complex spectra in two
resolutions; both are shrinking trunks as for pictures.

`width` is the one dial of capacity: channels of the encoder's and the discriminator's first grid;
frames have `FRAME_CHANNELS` times as many.

Shapes: sounds (n, channels, length) in [−1, 1]; labels (n,) or None.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, gelu, layer_norm, pad

from ectype.nets.image import (
    LABEL_SIZE,
    Down,
    ShrinkingTrunk,
    activation,
    initialise,
    resolutions,
    with_label,
    zero_embedding,
)
from ectype.nets.mel import mel_filters
from ectype.nets.spectrum import InverseSpectrum, SpectrumGrid, spectrum_of

#: Channels of a frame, as a multiple of the width.
FRAME_CHANNELS = 6
#: A coarse frame stands for so many fine ones, and so many blocks refine each of the grids.
COARSEST, DEPTH = 8, 1
#: Frames that a block looks at around each.
KERNEL = 7
#: Bands of the mel spectra that the encoder sees, and the magnitude below which all is silence.
ENCODER_BANDS, SILENCE = 64, 1e-3
#: Windows of the discriminator's spectra, as multiples of the grid's.
CRITIC_WINDOWS = (0.5, 2.0)
#: What the discriminator sees of a cell is S / (|S|² + this²)^¼: loud and soft nearer together.
SOFTEST = 1e-2


class Decoder(nn.Module):
    """Latents (n, latent) and labels to drawn spectra (n, outputs, frames)."""

    def __init__(self, grid: SpectrumGrid, width: int, classes: int, latent: int):
        super().__init__()
        self.labels = nn.Embedding(classes, LABEL_SIZE) if classes else None
        inputs = latent + LABEL_SIZE if classes else latent
        self.frames = FrameTrunk(inputs, grid, FRAME_CHANNELS * width, norm=False)

    def forward(self, z: Tensor, label: Tensor | None) -> Tensor:
        """Spectra, fp32, unbounded."""
        return self.frames(with_label(z, label, self.labels)).float()


class Generator(nn.Module):
    """Noise (n, latent) and labels to sounds.

    Batch normalisation as in the generator of pictures. The noise within a sound is cut from one
    long piece, and where is decided by the latent: the same latent always gives the same sound.
    """

    def __init__(self, grid: SpectrumGrid, width: int, classes: int, latent: int):
        super().__init__()
        self.labels = nn.Embedding(classes, LABEL_SIZE) if classes else None
        inputs = latent + LABEL_SIZE if classes else latent
        self.frames = FrameTrunk(inputs, grid, FRAME_CHANNELS * width, norm=True)
        self.inverse = InverseSpectrum(grid)

    def forward(self, z: Tensor, label: Tensor | None) -> Tensor:
        """Sounds."""
        spectrum = self.frames(with_label(z, label, self.labels)).float()
        return self.inverse(spectrum, self.starts(z))

    def starts(self, z: Tensor) -> Tensor:
        """Where the noise of each channel starts, (n, channels): as good as random, but of z."""
        channels = self.inverse.grid.channels
        numbers = z.detach().double().sum(1, keepdim=True) * 12_345.678
        numbers = numbers * torch.arange(1, channels + 1, device=z.device)
        return (numbers.frac().abs() * self.inverse.pieces).long()


class Encoder(nn.Module):
    """Sounds to the mean and the log-variance of their latents, each (n, latent)."""

    filters: Tensor

    def __init__(self, grid: SpectrumGrid, width: int, classes: int, latent: int):
        super().__init__()
        self.window = 2 * grid.window
        frames = 1 + grid.length // (self.window // 4)
        filters = mel_filters(grid.rate, self.window, ENCODER_BANDS)
        self.register_buffer("filters", torch.from_numpy(filters.copy()), persistent=False)
        grids = coarsened(ENCODER_BANDS, frames)
        self.trunk = ShrinkingTrunk(grid.channels, grids, width, depth=1)
        self.head = initialise(nn.Linear(self.trunk.features, 2 * latent))
        self.labels = zero_embedding(classes, 2 * latent)

    def forward(self, x: Tensor, label: Tensor | None) -> tuple[Tensor, Tensor]:
        """The moments of q(z|x)."""
        n, channels, _ = x.shape
        cells = spectrum_of(x.flatten(0, 1), self.window, self.window // 4)
        mel = (self.filters @ cells.abs().square() + SILENCE**4).sqrt()
        seen = torch.log(mel + SILENCE) / -math.log(SILENCE) + 0.5
        moments = self.head(self.trunk(seen.view(n, channels, *seen.shape[1:])))
        if self.labels is not None and label is not None:
            moments = moments + self.labels(label)
        mean, log_variance = moments.chunk(2, 1)
        return mean, log_variance


class Discriminator(nn.Module):
    """Sounds to one number each, (n,): the sum of what critics of several resolutions say."""

    def __init__(self, grid: SpectrumGrid, width: int, classes: int):
        super().__init__()
        self.critics = nn.ModuleList(
            Critic(grid, round(share * grid.window), width, classes) for share in CRITIC_WINDOWS
        )

    def forward(self, x: Tensor, label: Tensor | None) -> Tensor:
        """How real each sound is, in logits."""
        return torch.stack([critic(x, label) for critic in self.critics]).sum(0)


class Critic(nn.Module):
    """Judges the complex spectrum of one resolution, with its phases; labels by projection."""

    def __init__(self, grid: SpectrumGrid, window: int, width: int, classes: int):
        super().__init__()
        self.window, self.hop = window, window // 2
        rows, columns = window // 8, math.ceil((1 + grid.length // self.hop) / 4)
        self.enter = initialise(nn.Conv2d(2 * grid.channels, width, 4, 4), gain=math.sqrt(2))
        self.place = nn.Parameter(torch.zeros(1, width, rows, 1))
        grids = resolutions(rows, columns, 7)
        layers: list[nn.Module] = []
        before = width
        for _ in grids[1:]:
            after = min(2 * before, 8 * width)
            layers.append(Down(before, after, activate=True))
            before = after
        self.layers = nn.Sequential(*layers)
        features = before * math.prod(grids[-1])
        self.judge = initialise(nn.Linear(features, 1))
        self.labels = zero_embedding(classes, features)

    def forward(self, x: Tensor, label: Tensor | None) -> Tensor:
        """How real each sound is, (n,)."""
        n, channels, _ = x.shape
        cells = spectrum_of(x.flatten(0, 1), self.window, self.hop)[:, 1:]
        parts = torch.view_as_real(cells).movedim(-1, 1)
        seen = parts * (parts.square().sum(1, keepdim=True) + SOFTEST**2) ** -0.25
        seen = seen.reshape(n, 2 * channels, *seen.shape[2:])
        seen = pad(seen, (0, -seen.shape[-1] % 4))
        features = self.layers(self.enter(seen) + self.place)
        features = activation(features).permute(0, 2, 3, 1).flatten(1)
        judged = self.judge(features).squeeze(1)
        if self.labels is not None and label is not None:
            scale = 1 / math.sqrt(features.shape[1])
            judged = judged + scale * (features * self.labels(label)).sum(1)
        return judged


class FrameTrunk(nn.Module):
    """Vectors (n, inputs) to rows of frames (n, grid.outputs, grid.frames).

    The finest frames are told where they are, by a learned row: phases turn from frame to frame.

    Args:
        inputs: length of the vectors.
        grid: of the spectra that are drawn.
        channels: of a frame between.
        norm: normalise over the batch, else each frame by itself.
    """

    def __init__(self, inputs: int, grid: SpectrumGrid, channels: int, norm: bool):
        super().__init__()
        self.grid = grid
        self.coarse = (math.ceil(grid.frames / COARSEST), channels)
        enter = nn.Linear(inputs, math.prod(self.coarse))
        self.enter = initialise(enter)
        layers: list[nn.Module] = []
        for level in range(round(math.log2(COARSEST)) + 1):
            if level:
                layers.append(Finer())
            layers += [Block(channels, norm) for _ in range(DEPTH)]
        self.coarse_layers = nn.Sequential(*layers[:-DEPTH])
        self.place = nn.Parameter(0.1 * torch.randn(1, channels, 1, COARSEST * self.coarse[0]))
        self.layers = nn.Sequential(*layers[-DEPTH:])
        self.norm = nn.BatchNorm2d(channels) if norm else FrameNorm(channels)
        self.leave = initialise(nn.Conv2d(channels, grid.outputs, 1))

    def forward(self, z: Tensor) -> Tensor:
        """Frames from vectors."""
        x = self.enter(z).unflatten(1, (1, *self.coarse)).permute(0, 3, 1, 2)
        x = self.coarse_layers(x) + self.place
        x = self.leave(self.norm(self.layers(x)))
        return x[:, :, 0, : self.grid.frames]


class Finer(nn.Module):
    """Twice as many frames, by linear interpolation: (n, c, 1, t) to (n, c, 1, 2t)."""

    def forward(self, x: Tensor) -> Tensor:
        """A frame at a quarter and at three quarters of the way to each neighbour."""
        before = torch.cat([x[..., :1], x[..., :-1]], -1)
        after = torch.cat([x[..., 1:], x[..., -1:]], -1)
        pair = torch.stack([0.75 * x + 0.25 * before, 0.75 * x + 0.25 * after], -1)
        return pair.flatten(-2).contiguous(memory_format=torch.channels_last)


class Block(nn.Module):
    """x + W2 · gelu(W1 · norm(D · x)), D a convolution along time in each channel by itself."""

    def __init__(self, channels: int, norm: bool):
        super().__init__()
        self.along = nn.Conv2d(channels, channels, (1, KERNEL), groups=channels)
        self.norm = nn.BatchNorm2d(channels) if norm else FrameNorm(channels)
        self.first = initialise(nn.Conv2d(channels, 3 * channels, 1), gain=math.sqrt(2))
        self.second = initialise(nn.Conv2d(3 * channels, channels, 1), gain=0.1)

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels, 1, t) to the same shape; beyond the ends frames are repeated."""
        half = KERNEL // 2
        along = conv2d(
            pad(x, (half, half, 0, 0), mode="replicate"),
            self.along.weight,
            self.along.bias,
            groups=x.shape[1],
        )
        return x + self.second(gelu(self.first(self.norm(along))))


class FrameNorm(nn.Module):
    """Layer normalisation of each frame by itself, over its channels."""

    def __init__(self, channels: int):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels, 1, t) to the same shape."""
        last = x.permute(0, 2, 3, 1)
        return layer_norm(last, last.shape[-1:], self.weight, self.bias).permute(0, 3, 1, 2)


def coarsened(rows: int, columns: int) -> list[tuple[int, int]]:
    """Grids from fine to coarse as the encoder's trunk halves them; the coarsest at most 8 high."""
    return resolutions(rows, columns, 14)
