"""The leaky ReLU, made for gradient penalties.

A gradient penalty differentiates a discriminator twice. Between two kinks the leaky ReLU is
linear, so its slope does not depend on its input and nothing comes back that way; torch sends
zeros, and a whole backward pass through the network with them. Here nothing is sent.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import leaky_relu as _leaky_relu

Context = Any


def leaky_relu(x: Tensor, slope: float) -> Tensor:
    """max(x, slope · x), to be differentiated as often as wanted."""
    return _LeakyRelu.apply(x, slope)  # pyright: ignore[reportReturnType]


class _LeakyRelu(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Context, x: Tensor, slope: float) -> Tensor:
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(x)
        ctx.slope = slope
        return _leaky_relu(x, slope)

    @staticmethod
    def backward(ctx: Context, *gradients: Tensor | None) -> tuple[Tensor | None, None]:
        (x,) = ctx.saved_tensors
        return _slope(gradients[0], x.detach(), ctx.slope), None


class _Slope(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Context, gradient: Tensor, x: Tensor, slope: float) -> Tensor:
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(x)
        ctx.slope = slope
        return torch.ops.aten.leaky_relu_backward(gradient, x, slope, False)

    @staticmethod
    def backward(ctx: Context, *gradients: Tensor | None) -> tuple[Tensor | None, None, None]:
        (x,) = ctx.saved_tensors
        return _slope(gradients[0], x, ctx.slope), None, None


def _slope(gradient: Tensor | None, x: Tensor, slope: float) -> Tensor | None:
    """gradient · (1 where x > 0, else the slope): linear in the gradient, x a constant."""
    return None if gradient is None else _Slope.apply(gradient, x, slope)  # pyright: ignore[reportReturnType]
