"""From the spectrum of a sound to the sound, as a network can learn to draw it.

A spectrum is drawn in two layers. The first has a magnitude and a phase in every cell of time and
frequency, and is what a short-time Fourier transform of a definite waveform looks like (Vocos:
Siuzdak, arXiv 2306.00814). The second is white noise whose strength is drawn for every frame and
mel band (Engel et al., "DDSP", arXiv 2001.04643): cymbals, snares and breath are noise, no two
moments of it are alike, and a network that must draw every ripple of it draws a buzz.

Shapes: sounds (n, channels, length); spectra (n, channels · (2 · bins + bands), frames).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ectype.nets.mel import mel_filters

#: Length of a window in seconds, to the nearest power of two in samples; a quarter of it is a hop.
WINDOW_SECONDS = 0.032
#: Mel bands in which the strength of noise is drawn.
NOISE_BANDS = 64
#: Noise to cut pieces from, samples.
NOISE_LENGTH = 2**16
#: Natural logarithms of magnitudes (1 is a sine at full scale): where drawing starts, of definite
#: waves and of noise, and where it ends. The waves grow out of the noise.
FIRST_WAVE, FIRST_NOISE, MOST = -9.0, -6.0, 2.0


@dataclass(frozen=True)
class SpectrumGrid:
    """How sounds of `length` samples, at `rate` a second, are cut into frames."""

    rate: int
    length: int
    channels: int

    @property
    def window(self) -> int:
        """Samples of a window, a power of two."""
        return 2 ** round(math.log2(WINDOW_SECONDS * self.rate))

    @property
    def hop(self) -> int:
        """Samples between frames."""
        return self.window // 4

    @property
    def frames(self) -> int:
        """Frames that cover a sound."""
        return 1 + math.ceil(self.length / self.hop)

    @property
    def bins(self) -> int:
        """Frequencies of a frame."""
        return self.window // 2 + 1

    @property
    def outputs(self) -> int:
        """Numbers that a network draws in a frame."""
        return self.channels * (2 * self.bins + NOISE_BANDS)


class InverseSpectrum(nn.Module):
    """Drawn spectra (n, outputs, frames) and pieces of noise to sounds (n, channels, length)."""

    window: Tensor
    turning: Tensor
    noise: Tensor
    spread: Tensor

    def __init__(self, grid: SpectrumGrid):
        super().__init__()
        self.grid = grid
        self.register_buffer("window", torch.hann_window(grid.window), persistent=False)
        # Phases count from the start of the sound, not of the frame: a steady tone in the middle
        # of a bin then has a steady phase. With a hop of a quarter window, bin k turns by k quarter
        # circles a frame; and by k half circles from a frame's first sample to its middle. Each bin
        # has a phase of its own to begin with: from equal ones all waves would add up to clicks.
        turns = torch.arange(grid.bins)[:, None] * (torch.arange(grid.frames) + 2) % 4
        generator = torch.Generator().manual_seed(0)
        own = 2 * math.pi * torch.rand(grid.bins, 1, generator=generator)
        self.register_buffer("turning", turns * (math.pi / 2) + own, persistent=False)
        white = torch.randn(NOISE_LENGTH + 2 * grid.length, generator=generator)
        noise = torch.stft(
            white, grid.window, grid.hop, window=torch.hann_window(grid.window), return_complex=True
        )
        # of unit power in the mean over cells: a drawn strength is then one of the magnitude
        noise = noise / noise.abs().square().mean().sqrt()
        self.register_buffer("noise", torch.view_as_real(noise.T.contiguous()), persistent=False)
        filters = torch.from_numpy(mel_filters(grid.rate, grid.window, NOISE_BANDS).copy())
        filters = filters / filters.amax(1, keepdim=True)
        spread = filters / filters.sum(0, keepdim=True).clamp_min(1e-3)
        spread[0, : int(filters[0].argmax())] = 1.0  # below the first centre and above the last
        spread[-1, int(filters[-1].argmax()) :] = 1.0
        self.register_buffer("spread", spread.T.contiguous(), persistent=False)

    @property
    def pieces(self) -> int:
        """How many places there are in the noise at which a piece can start."""
        return len(self.noise) - self.grid.frames

    def forward(self, spectrum: Tensor, start: Tensor) -> Tensor:
        """Sounds; the noise of channel c of item i starts at frame `start[i, c]`, (n, channels)."""
        grid = self.grid
        n = len(spectrum)
        drawn = spectrum.float().reshape(n * grid.channels, -1, grid.frames)
        level, phase, strength = drawn.split([grid.bins, grid.bins, NOISE_BANDS], 1)
        magnitude = torch.exp((level + FIRST_WAVE).clamp(max=MOST))
        turned = phase + self.turning
        frame = torch.arange(grid.frames, device=start.device)
        noise = self.noise[start.flatten()[:, None] + frame].permute(3, 0, 2, 1)
        strength = self.spread @ torch.exp((strength + FIRST_NOISE).clamp(max=MOST))
        cells = torch.complex(
            magnitude * torch.cos(turned) + strength * noise[0],
            magnitude * torch.sin(turned) + strength * noise[1],
        )
        sound = torch.istft(
            cells * (grid.window / 4),
            grid.window,
            grid.hop,
            window=self.window,
            length=grid.length,
        )
        return sound.view(n, grid.channels, grid.length)


def spectrum_of(x: Tensor, window: int, hop: int) -> Tensor:
    """The complex short-time Fourier transform (n, bins, frames) of (n, length).

    Under a Hann window, scaled so that a sine at full scale has a magnitude of 1.
    """
    hann = torch.hann_window(window, device=x.device)
    padded = torch.nn.functional.pad(x, (window // 2, window // 2))
    cells = torch.stft(padded, window, hop, window=hann, center=False, return_complex=True)
    return cells * (4 / window)
