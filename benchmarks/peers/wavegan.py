"""The textbook WaveGAN in plain torch: Donahue, McAuley and Puckette (arXiv 1802.04208).

Appendix D: transposed convolutions of length 25 and stride 4 from 16 steps to 16,384 samples, ReLU
and tanh; the discriminator mirrors them with leaky ReLU of slope 0.2 and phase shuffle by up to 2;
Wasserstein loss with gradient penalty of weight 10, five steps of the discriminator to one of the
generator, Adam at 1e-4 with β₁ 0.5 and β₂ 0.9, noise of length 100, uniform in ±1.

Narrower than published (its model size d is 64, its batch 64): at that size a round takes a minute
on two cores and nothing is learned in ten. d = 16 and batches of 16 make the most of the time.
"""

from __future__ import annotations

import time
from itertools import pairwise

import numpy as np
import torch
import torch._dynamo  # the first optimiser would import it, on the clock
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, pad

from benchmarks.peers.protocol import (
    Result,
    Task,
    argument_parser,
    read_task,
    write_results,
    write_samples,
)

LENGTH, NOISE, WIDTH, BATCH = 16_384, 100, 16, 16
CRITIC_STEPS, PENALTY, SHUFFLE = 5, 10.0, 2


class Generator(nn.Module):
    """Noise (n, 100) to sounds (n, 1, 16384)."""

    def __init__(self) -> None:
        super().__init__()
        d = WIDTH
        self.enter = nn.Linear(NOISE, 16 * 16 * d)
        widths = [16 * d, 8 * d, 4 * d, 2 * d, d, 1]
        self.layers = nn.ModuleList(
            nn.ConvTranspose1d(a, b, 25, 4, padding=11, output_padding=1)
            for a, b in pairwise(widths)
        )

    def forward(self, z: Tensor) -> Tensor:
        x = torch.relu(self.enter(z).view(len(z), -1, 16))
        for layer in self.layers[:-1]:
            x = torch.relu(layer(x))
        return torch.tanh(self.layers[-1](x))


class Discriminator(nn.Module):
    """Sounds (n, 1, 16384) to (n, 1)."""

    def __init__(self) -> None:
        super().__init__()
        d = WIDTH
        widths = [1, d, 2 * d, 4 * d, 8 * d, 16 * d]
        self.layers = nn.ModuleList(nn.Conv1d(a, b, 25, 4, padding=11) for a, b in pairwise(widths))
        self.judge = nn.Linear(16 * 16 * d, 1)

    def forward(self, x: Tensor) -> Tensor:
        for i, layer in enumerate(self.layers):
            x = leaky_relu(layer(x), 0.2)
            if i < len(self.layers) - 1:
                x = shuffle(x)
        return self.judge(x.flatten(1))


def shuffle(x: Tensor) -> Tensor:
    """Shift all items by one random number of samples, reflected at the ends."""
    by = int(torch.randint(-SHUFFLE, SHUFFLE + 1, ()))
    padded = pad(x, (max(by, 0), max(-by, 0)), mode="reflect")
    return padded[..., max(-by, 0) : max(-by, 0) + x.shape[-1]]


def penalty(d: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    """(‖∇D‖ − 1)² between real and fake. Gulrajani et al. (arXiv 1704.00028)."""
    share = torch.rand(len(real), 1, 1)
    x = (share * real + (1 - share) * fake).requires_grad_()
    (slope,) = torch.autograd.grad(d(x).sum(), x, create_graph=True)
    return (slope.flatten(1).norm(dim=1) - 1).square().mean()


def noise(n: int) -> Tensor:
    """Uniform in ±1."""
    return 2 * torch.rand(n, NOISE) - 1


def train(task: Task, start: float) -> tuple[nn.Module, int]:
    """Train until the wall clock ends; gives the generator and the sounds seen."""
    torch.manual_seed(task.seed)
    sounds = torch.from_numpy(task.train[:, :, 0].astype(np.float32) / 32767)[:, None]
    sounds = pad(sounds, (0, max(0, LENGTH - sounds.shape[-1])))[..., :LENGTH]
    g, d = Generator(), Discriminator()
    g_step = torch.optim.Adam(g.parameters(), lr=1e-4, betas=(0.5, 0.9))
    d_step = torch.optim.Adam(d.parameters(), lr=1e-4, betas=(0.5, 0.9))
    seen = 0
    while True:
        for _ in range(CRITIC_STEPS):
            if time.perf_counter() - start >= task.seconds:
                return g, seen
            real = sounds[torch.randint(len(sounds), (BATCH,))]
            with torch.no_grad():
                fake = g(noise(BATCH))
            d_step.zero_grad()
            (d(fake).mean() - d(real).mean() + PENALTY * penalty(d, real, fake)).backward()
            d_step.step()
            seen += BATCH
        g_step.zero_grad()
        (-d(g(noise(BATCH))).mean()).backward()
        g_step.step()


def sample(g: nn.Module, count: int, length: int) -> np.ndarray:
    """int16 (count, length, 1)."""
    with torch.no_grad():
        sounds = torch.cat([g(noise(min(BATCH, count - i))) for i in range(0, count, BATCH)])
    cut = pad(sounds, (0, max(0, length - LENGTH)))[:, 0, :length, None]
    return (cut * 32767).round().to(torch.int16).numpy()


def main() -> None:
    """Train and sample."""
    task = read_task(argument_parser(__doc__).parse_args())
    start = time.perf_counter()
    g, items = train(task, start)
    trained = time.perf_counter()
    samples = sample(g, task.samples, task.train.shape[1])
    result = Result(
        train_seconds=trained - start,
        sample_seconds=time.perf_counter() - trained,
        items=items,
        note=f"d {WIDTH}, {sum(p.numel() for p in g.parameters()):,} parameters in G",
    )
    write_samples(task, result, samples)
    write_results(task, [result])


if __name__ == "__main__":
    main()
