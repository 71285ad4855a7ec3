"""A convolutional VAE of log-mel spectra, whose samples Griffin and Lim's algorithm makes audible.

What one finds in tutorials: spectra of 80 bands (window 1024, hop 256) in −1 to 1, four strided
convolutions with batch normalisation each way, 64 latents, mean squared error summed over a
spectrum and KL of weight 1, Adam at 1e-3, batches of 32, samples from N(0, I). Mel bands are undone
by the filters' pseudo-inverse; 32 iterations find phases (Griffin and Lim 1984, with the momentum
of 0.99 of Perraudin et al. 2013, as in librosa).
"""

from __future__ import annotations

import math
import time
from itertools import pairwise

import numpy as np
import torch
import torch._dynamo  # the first optimiser would import it, on the clock
from torch import Tensor, nn
from torch.nn.functional import pad

from benchmarks.peers.protocol import (
    Result,
    Task,
    argument_parser,
    read_task,
    write_results,
    write_samples,
)
from ectype.nets.mel import mel_filters

RATE, WINDOW, HOP, BANDS, FLOOR = 16_000, 1024, 256, 80, 1e-3
WIDTH, LATENT, BATCH = 32, 64, 32
ITERATIONS, MOMENTUM = 32, 0.99


class Vae(nn.Module):
    """Spectra (n, 1, 80, frames), frames a multiple of 16."""

    def __init__(self, frames: int) -> None:
        super().__init__()
        widths = [1, WIDTH, 2 * WIDTH, 4 * WIDTH, 4 * WIDTH]
        self.coarse = (4 * WIDTH, BANDS // 16, frames // 16)
        down: list[nn.Module] = []
        up: list[nn.Module] = []
        for a, b in pairwise(widths):
            down += [nn.Conv2d(a, b, 4, 2, 1), nn.BatchNorm2d(b), nn.ReLU()]
            last = [] if a == 1 else [nn.BatchNorm2d(a), nn.ReLU()]
            up = [nn.ConvTranspose2d(b, a, 4, 2, 1), *last, *up]
        self.encoder = nn.Sequential(*down, nn.Flatten())
        self.moments = nn.Linear(math.prod(self.coarse), 2 * LATENT)
        self.enter = nn.Linear(LATENT, math.prod(self.coarse))
        self.decoder = nn.Sequential(*up)

    def decode(self, z: Tensor) -> Tensor:
        return self.decoder(self.enter(z).view(-1, *self.coarse))

    def loss(self, x: Tensor) -> Tensor:
        mean, log_variance = self.moments(self.encoder(x)).chunk(2, 1)
        z = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
        error = (self.decode(z) - x).square().flatten(1).sum(1)
        kl = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1)
        return (error + kl).mean()


def filters() -> Tensor:
    """(80, bins)."""
    return torch.from_numpy(mel_filters(RATE, WINDOW, BANDS).copy())


def spectra(sounds: Tensor) -> Tensor:
    """Sounds (n, length) as spectra (n, 1, 80, frames) in −1 to 1."""
    hann = torch.hann_window(WINDOW)
    cells = torch.stft(sounds, WINDOW, HOP, window=hann, return_complex=True, pad_mode="constant")
    mel = torch.log(filters() @ (cells.abs() * 4 / WINDOW) + FLOOR) / -math.log(FLOOR)
    return pad(2 * mel + 1, (0, -mel.shape[-1] % 16), value=-1.0)[:, None]


def sounds_of(x: Tensor, length: int) -> Tensor:
    """Spectra (n, 1, 80, frames) as sounds (n, length), by Griffin and Lim."""
    mel = torch.exp((x[:, 0] - 1) / 2 * -math.log(FLOOR)) - FLOOR
    magnitude = (torch.linalg.pinv(filters()) @ mel.clamp_min(0)).clamp_min(0) * WINDOW / 4
    magnitude = magnitude[..., : 1 + length // HOP]
    hann = torch.hann_window(WINDOW)
    phase = torch.exp(2j * math.pi * torch.rand(magnitude.shape))
    before = torch.zeros_like(phase)
    for _ in range(ITERATIONS):
        sound = torch.istft(magnitude * phase, WINDOW, HOP, window=hann, length=length)
        now = torch.stft(sound, WINDOW, HOP, window=hann, return_complex=True, pad_mode="constant")
        moved = now - MOMENTUM / (1 + MOMENTUM) * before
        phase = moved / moved.abs().clamp_min(1e-12)
        before = now
    return torch.istft(magnitude * phase, WINDOW, HOP, window=hann, length=length)


def train(task: Task, start: float) -> tuple[Vae, int]:
    """Train until the wall clock ends; gives the model and the sounds seen."""
    torch.manual_seed(task.seed)
    x = spectra(torch.from_numpy(task.train[:, :, 0].astype(np.float32) / 32767))
    model = Vae(x.shape[-1])
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
    seen = 0
    while True:
        for index in torch.randperm(len(x)).split(BATCH):
            if time.perf_counter() - start >= task.seconds:
                return model.eval(), seen
            if len(index) < 2:
                continue
            optimiser.zero_grad()
            model.loss(x[index]).backward()
            optimiser.step()
            seen += len(index)


def main() -> None:
    """Train and sample."""
    task = read_task(argument_parser(__doc__).parse_args())
    start = time.perf_counter()
    model, items = train(task, start)
    trained = time.perf_counter()
    length = task.train.shape[1]
    with torch.no_grad():
        blocks = [
            sounds_of(model.decode(torch.randn(min(64, task.samples - i), LATENT)), length)
            for i in range(0, task.samples, 64)
        ]
    samples = torch.cat(blocks).clamp(-1, 1).mul(32767).round().to(torch.int16)[..., None].numpy()
    result = Result(
        train_seconds=trained - start,
        sample_seconds=time.perf_counter() - trained,
        items=items,
        note=f"{sum(p.numel() for p in model.parameters()):,} parameters",
    )
    write_samples(task, result, samples)
    write_results(task, [result])


if __name__ == "__main__":
    main()
