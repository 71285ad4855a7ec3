"""Convolutions whose weights get their gradient as one matrix product where that is quicker.

On a processor the gradient of a convolution's weights takes several times as long as its forward
pass where maps are small, as they are at the coarse end of a network. The same numbers are the
product of one map with the patches of the other: in bf16 2.5 to 4 times as fast for 4×4 pixels and
1.2 to 1.6 times for 7×7. For larger maps, and in fp32 for most, it is no gain.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

Context = Any

#: The product is used where the smaller of both maps has at most so many pixels.
MOST_PIXELS = 49


class Conv2d(nn.Conv2d):
    """`nn.Conv2d` with square kernels, zeros around and no groups."""

    def forward(self, input: Tensor) -> Tensor:
        """(n, inputs, h, w) to (n, outputs, h', w')."""
        height, width = input.shape[2] // self.stride[0], input.shape[3] // self.stride[1]
        if not _is_quicker(input, height * width):
            return super().forward(input)
        x, weight, bias = _cast(input, self.weight, self.bias)
        return _apply(x, weight, bias, self.stride[0], _side(self.padding), False)


class ConvTranspose2d(nn.ConvTranspose2d):
    """`nn.ConvTranspose2d` with square kernels and no groups."""

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """(n, inputs, h, w) to (n, outputs, h', w')."""
        height, width = input.shape[2:]
        if output_size or not _is_quicker(input, height * width):
            return super().forward(input, output_size)
        x, weight, bias = _cast(input, self.weight, self.bias)
        return _apply(x, weight, bias, self.stride[0], _side(self.padding), True)


class _Convolution(torch.autograd.Function):
    """A convolution (or its transpose) as torch computes it, but for the weights' gradient."""

    @staticmethod
    def forward(
        ctx: Context,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        stride: int,
        padding: int,
        transposed: bool,
    ) -> Tensor:
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(x, weight)
        ctx.how = (stride, padding, transposed, None if bias is None else len(bias))
        return torch.convolution(
            x, weight, bias, [stride] * 2, [padding] * 2, [1, 1], transposed, [0, 0], 1
        )

    @staticmethod
    def backward(ctx: Context, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        (slope,) = gradients
        nothing = (None, None, None)
        if slope is None:
            return (None, None, None, *nothing)
        x, weight = ctx.saved_tensors
        stride, padding, transposed, outputs = ctx.how
        of_x, of_weight, of_bias = ctx.needs_input_grad[:3]
        # what may be differentiated once more is left to torch, which knows how
        ours = not torch.is_grad_enabled()
        left = [of_x, of_weight and not ours, of_bias and not ours]
        how = ([stride] * 2, [padding] * 2, [1, 1], transposed, [0, 0], 1)
        sizes = None if outputs is None else [outputs]
        found = torch.ops.aten.convolution_backward(slope, x, weight, sizes, *how, left)
        if ours:
            large, small = (slope, x) if transposed else (x, slope)
            found = (
                found[0],
                weight_gradient(large, small, weight, stride, padding) if of_weight else None,
                slope.sum((0, 2, 3)) if of_bias else None,
            )
        return (*found, *nothing)


def weight_gradient(
    large: Tensor, small: Tensor, weight: Tensor, stride: int, padding: int
) -> Tensor:
    """The gradient of a convolution's weights, (a, b, k, k), in the memory order of `weight`.

    Args:
        large: (n, b, h, w), what the convolution reads; of a transposed one, its output's gradient.
        small: (n, a, h', w'), its output's gradient; of a transposed one, what it reads.
        weight: gives the kernel's size and the order in memory.
        stride: pixels of the large map for one of the small map.
        padding: zeros around the large map.
    """
    side = weight.shape[2]
    rows = small.permute(0, 2, 3, 1)
    n, height, width, channels = rows.shape
    lying = pad(large, (padding,) * 4).permute(0, 2, 3, 1).contiguous()
    of_item, of_row, of_pixel, of_channel = lying.stride()
    patches = lying.as_strided(
        (n, height, width, side, side, large.shape[1]),
        (of_item, stride * of_row, stride * of_pixel, of_row, of_pixel, of_channel),
    )
    product = rows.reshape(-1, channels).t() @ patches.reshape(n * height * width, -1)
    gradient = product.view(channels, side, side, -1).permute(0, 3, 1, 2)
    return gradient if gradient.stride() == weight.stride() else gradient.contiguous()


def _is_quicker(x: Tensor, pixels: int) -> bool:
    if x.device.type != "cpu" or not torch.is_grad_enabled():
        return False
    in_16_bits = torch.is_autocast_enabled("cpu") or x.element_size() == 2
    return in_16_bits and pixels <= MOST_PIXELS


def _cast(*tensors: Tensor | None) -> tuple[Any, ...]:
    """Tensors in the precision of autocast, which does not see into the function above."""
    if not torch.is_autocast_enabled("cpu"):
        return tensors
    dtype = torch.get_autocast_dtype("cpu")
    return tuple(None if tensor is None else tensor.to(dtype) for tensor in tensors)


def _apply(*arguments: Any) -> Tensor:
    return _Convolution.apply(*arguments)  # pyright: ignore[reportReturnType]


def _side(padding: Any) -> int:
    return padding[0]
