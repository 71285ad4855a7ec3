"""A plain perceptron with residual blocks, for whatever is a vector: rows or latents."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

_SLOPE = 0.2


class Perceptron(nn.Module):
    """Vectors (n, inputs) and labels (n,) to vectors (n, outputs).

    A linear map in, residual blocks h + B·f(A·f(h)) with f the leaky ReLU, a linear map out. B is
    zero at the start, so that a network of any depth begins as a shallow one. A label is added
    where the vector enters and before every block.

    Args:
        inputs: length of a vector.
        outputs: length of what comes out.
        width: of the hidden layers.
        blocks: residual blocks.
        classes: number of labels, 0 for none.
        normalise: normalise what enters a block over its width (layer normalisation). Leave it
            out in a discriminator whose gradient is penalised.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        width: int,
        blocks: int = 2,
        classes: int = 0,
        normalise: bool = False,
    ):
        super().__init__()
        self.enter = nn.Linear(inputs, width)
        self.norms = nn.ModuleList(
            nn.LayerNorm(width) if normalise else nn.Identity() for _ in range(blocks)
        )
        self.firsts = nn.ModuleList(nn.Linear(width, width) for _ in range(blocks))
        self.seconds = nn.ModuleList(nn.Linear(width, width) for _ in range(blocks))
        self.labels = nn.Embedding(classes, (blocks + 1) * width) if classes else None
        self.leave = nn.Linear(width, outputs)
        for parameter in self.seconds.parameters():
            nn.init.zeros_(parameter)
        if self.labels is not None:
            nn.init.normal_(self.labels.weight, std=0.1)

    def forward(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        """(n, inputs) and, where there are classes, labels (n,) to (n, outputs)."""
        h = self.enter(x)
        shifts: list[Tensor | float] = [0.0] * (len(self.firsts) + 1)
        if self.labels is not None and label is not None:
            shifts = [*self.labels(label).chunk(len(shifts), 1)]
        h = h + shifts[0]
        layers = zip(self.norms, self.firsts, self.seconds, shifts[1:], strict=True)
        for norm, first, second, shift in layers:
            h = h + second(leaky_relu(first(leaky_relu(norm(h), _SLOPE)) + shift, _SLOPE))
        return self.leave(leaky_relu(h, _SLOPE))


class HalvedPerceptron(Perceptron):
    """A perceptron whose output is a pair, as an encoder's mean and log-variance are.

    Args:
        inputs: length of a vector.
        outputs: length of each half.
        options: see `Perceptron`.
    """

    def __init__(self, inputs: int, outputs: int, **options: Any):
        super().__init__(inputs, 2 * outputs, **options)

    def forward(self, x: Tensor, label: Tensor | None = None) -> tuple[Tensor, Tensor]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """(n, inputs) to two tensors (n, outputs)."""
        first, second = super().forward(x, label).chunk(2, 1)
        return first, second


class JudgingPerceptron(Perceptron):
    """A perceptron with one number for each vector, as a discriminator has."""

    def __init__(self, inputs: int, **options: Any):
        super().__init__(inputs, 1, **options)

    def forward(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        """(n, inputs) to (n,)."""
        return torch.squeeze(super().forward(x, label), 1)
