"""The textbook DCGAN with binary cross-entropy, in plain torch with torch's defaults.

Radford et al. (arXiv 1511.06434), section 3: strided convolutions, batch normalisation in both
networks except at the generator's output and the discriminator's input, ReLU and tanh in the
generator, leaky ReLU of slope 0.2 in the discriminator, weights N(0, 0.02²), noise of length 100,
Adam at 2e-4 with β₁ 0.5; batch 64 and width 64 as in PyTorch's own example. The picture is halved
until it is 4×4, which takes three steps at 28 and at 32 pixels. Samples are drawn as in that
example: without a switch to evaluation mode.
"""

from __future__ import annotations

import math
import time

import numpy as np
import torch
import torch._dynamo  # the first optimiser would import it, on the clock
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from benchmarks.peers.protocol import (
    Result,
    Task,
    argument_parser,
    read_task,
    write_results,
    write_samples,
)

NOISE = 100
WIDTH = 64
BATCH = 64
COARSEST = 4


def halvings(side: int) -> list[int]:
    """Sides of the pyramid, from the picture's down to the coarsest: 28, 14, 7, 4."""
    sides = [side]
    while sides[-1] > COARSEST:
        sides.append(math.ceil(sides[-1] / 2))
    return sides


def kernel(larger: int) -> int:
    """The kernel that halves a side exactly, at stride 2 and padding 1: 4 if even, else 3."""
    return 4 if larger % 2 == 0 else 3


def generator(channels: int, side: int) -> nn.Sequential:
    """Noise (n, 100, 1, 1) to pictures (n, c, side, side) in −1 to 1."""
    sides = halvings(side)[::-1]
    width = WIDTH * 2 ** (len(sides) - 2)
    layers: list[nn.Module] = [
        nn.ConvTranspose2d(NOISE, width, sides[0], bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
    ]
    for larger in sides[1:-1]:
        layers += [
            nn.ConvTranspose2d(width, width // 2, kernel(larger), 2, 1, bias=False),
            nn.BatchNorm2d(width // 2),
            nn.ReLU(),
        ]
        width //= 2
    return nn.Sequential(
        *layers, nn.ConvTranspose2d(width, channels, kernel(side), 2, 1), nn.Tanh()
    )


def discriminator(channels: int, side: int) -> nn.Sequential:
    """Pictures (n, c, side, side) to logits (n, 1, 1, 1)."""
    sides = halvings(side)
    layers: list[nn.Module] = [nn.Conv2d(channels, WIDTH, kernel(side), 2, 1), nn.LeakyReLU(0.2)]
    width = WIDTH
    for larger in sides[1:-1]:
        layers += [
            nn.Conv2d(width, 2 * width, kernel(larger), 2, 1, bias=False),
            nn.BatchNorm2d(2 * width),
            nn.LeakyReLU(0.2),
        ]
        width *= 2
    return nn.Sequential(*layers, nn.Conv2d(width, 1, sides[-1]))


def initialise(module: nn.Module) -> None:
    """Weights N(0, 0.02²), those of batch normalisation N(1, 0.02²)."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)


def cross_entropy(logits: Tensor, target: float) -> Tensor:
    """Against one target for all."""
    return binary_cross_entropy_with_logits(logits, torch.full_like(logits, target))


def train(task: Task, start: float) -> tuple[nn.Module, int]:
    """Train until the wall clock ends; gives the generator and the real pictures seen."""
    torch.manual_seed(task.seed)
    _, _, side, channels = task.train.shape
    real_pictures = torch.from_numpy(task.train).permute(0, 3, 1, 2).float().div(127.5).sub(1)
    g, d = (
        generator(channels, side).apply(initialise),
        discriminator(channels, side).apply(initialise),
    )
    g_step = torch.optim.Adam(g.parameters(), lr=2e-4, betas=(0.5, 0.999))
    d_step = torch.optim.Adam(d.parameters(), lr=2e-4, betas=(0.5, 0.999))
    items = 0
    while True:
        for index in torch.randperm(len(real_pictures)).split(BATCH):
            if time.perf_counter() - start >= task.seconds:
                return g, items
            real = real_pictures[index]
            fake = g(torch.randn(len(real), NOISE, 1, 1))
            d_step.zero_grad()
            cross_entropy(d(real), 1.0).backward()
            cross_entropy(d(fake.detach()), 0.0).backward()
            d_step.step()
            g_step.zero_grad()
            cross_entropy(d(fake), 1.0).backward()
            g_step.step()
            items += len(real)


def sample(g: nn.Module, count: int) -> np.ndarray:
    """uint8 (count, h, w, c)."""
    with torch.no_grad():
        pictures = torch.cat(
            [g(torch.randn(BATCH, NOISE, 1, 1)) for _ in range(math.ceil(count / BATCH))]
        )[:count]
    return pictures.add(1).mul(127.5).round().permute(0, 2, 3, 1).to(torch.uint8).numpy()


def main() -> None:
    """Train and sample."""
    task = read_task(argument_parser(__doc__).parse_args())
    start = time.perf_counter()
    g, items = train(task, start)
    trained = time.perf_counter()
    samples = sample(g, task.samples)
    result = Result(
        train_seconds=trained - start,
        sample_seconds=time.perf_counter() - trained,
        items=items,
        note=f"width {WIDTH}",
    )
    write_samples(task, result, samples)
    write_results(task, [result])


if __name__ == "__main__":
    main()
