"""Velocity fields for a flow prior: (x_t, t, label) to a velocity of x_t's shape."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import silu


class TimeFeatures(nn.Module):
    """Sines and cosines of t (n,) at octave frequencies, (n, 2 · octaves)."""

    def __init__(self, octaves: int = 8):
        super().__init__()
        self.frequencies: Tensor
        frequencies = 2.0 ** torch.arange(octaves) * math.pi / 2
        self.register_buffer("frequencies", frequencies, persistent=False)

    def forward(self, t: Tensor) -> Tensor:
        """Features of the time."""
        angles = t[:, None] * self.frequencies
        return torch.cat([angles.sin(), angles.cos()], 1)


class Velocity(nn.Module):
    """A residual perceptron for latents (n, d); time, part and label enter every block.

    Args:
        size: length d of a latent.
        parts: number of parts that latents may belong to.
        classes: number of labels, 0 for none.
        width: of the hidden layers.
        blocks: residual blocks.
    """

    def __init__(self, size: int, parts: int, classes: int, width: int, blocks: int = 2):
        super().__init__()
        self.time = TimeFeatures()
        self.enter_time = nn.Linear(2 * len(self.time.frequencies), width)
        self.part = nn.Embedding(parts, width)
        self.label = nn.Embedding(classes, width) if classes else None
        self.enter = nn.Linear(size, width)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(blocks))
        self.conditions = nn.ModuleList(nn.Linear(width, width) for _ in range(blocks))
        self.firsts = nn.ModuleList(nn.Linear(width, width) for _ in range(blocks))
        self.seconds = nn.ModuleList(nn.Linear(width, width) for _ in range(blocks))
        self.leave = nn.Linear(width, size)
        nn.init.zeros_(self.leave.weight)  # the first velocity is none
        nn.init.zeros_(self.leave.bias)

    def forward(self, x: Tensor, t: Tensor, part: Tensor, label: Tensor | None) -> Tensor:
        """(n, d), times (n,), parts (n,) and labels (n,) to velocities (n, d)."""
        condition = self.enter_time(self.time(t)) + self.part(part)
        if self.label is not None and label is not None:
            condition = condition + self.label(label)
        condition = silu(condition)
        h = self.enter(x)
        layers = zip(self.norms, self.conditions, self.firsts, self.seconds, strict=True)
        for norm, enter_condition, first, second in layers:
            h = h + second(silu(first(norm(h)) + enter_condition(condition)))
        return self.leave(silu(h))
