"""Gradient penalties on the discriminator.

The exact form differentiates through the discriminator's own backward pass; the
finite-difference form estimates the same quantity from two forward passes.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from ectype.nets.augment import Transform, unchanged
from ectype.nets.pieces import in_pieces

Discriminator = Callable[[Tensor, Tensor | None], Tensor]

#: Step of the finite difference, in units of the data (which spans −1 to 1).
SIGMA = 0.01


def squared_gradient_norm(
    discriminator: Discriminator,
    x: Tensor,
    label: Tensor | None,
    *,
    transform: Transform = unchanged,
    pieces: int = 1,
) -> Tensor:
    """‖∇ₓ D(T(x))‖² of each item, (n,), differentiable in the discriminator's weights.

    R1 where x is real, R2 where it is generated. Mescheder et al. (arXiv 1801.04406), eq. 9, 10.
    The discriminator sees the items in so many pieces; T is drawn for all of them at once.
    """
    x = x.detach().requires_grad_()
    changed = transform(x)
    slope = in_pieces(partial(_slope, discriminator), pieces, changed, label)
    (gradient,) = torch.autograd.grad(changed, x, slope, create_graph=True)
    return gradient.square().flatten(1).sum(1)


def _slope(discriminator: Discriminator, x: Tensor, label: Tensor | None) -> Tensor:
    """∇ₓ D(x), shaped like x, which takes part in a graph."""
    return torch.autograd.grad(discriminator(x, label).sum(), x, create_graph=True)[0]


def finite_difference_norm(
    discriminator: Discriminator, x: Tensor, label: Tensor | None, generator: torch.Generator
) -> Tensor:
    """((D(x) − D(x + σε)) / σ)² of each item, (n,), with ε standard normal.

    Its expectation over ε tends to ‖∇ₓ D(x)‖² as σ → 0, without a double backward.
    """
    noise = torch.randn(x.shape, generator=generator, device=x.device)
    nearby = x.detach() + SIGMA * noise
    return ((discriminator(x.detach(), label) - discriminator(nearby, label)) / SIGMA).square()


def interpolated(real: Tensor, fake: Tensor, generator: torch.Generator) -> Tensor:
    """A random point on the segment between each pair, where `gp` is taken."""
    shape = (len(real), *(1,) * (real.ndim - 1))
    share = torch.rand(shape, generator=generator, device=real.device)
    return share * real + (1 - share) * fake


def one_centred(squared_norm: Tensor) -> Tensor:
    """(‖∇‖ − 1)² from ‖∇‖², (n,): the penalty `gp`. Gulrajani et al. (arXiv 1704.00028), eq. 3."""
    return ((squared_norm + 1e-12).sqrt() - 1).square()
