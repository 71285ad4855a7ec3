"""How networks lie in memory."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor, nn

M = TypeVar("M", bound=nn.Module)


def place(module: M, device: torch.device) -> M:
    """Move a module to a device, its convolutions channels last: what they compute fastest in."""
    module.to(device)
    for parameter in module.parameters():
        if parameter.ndim == 4:
            parameter.data = channels_last(parameter.data)
    return module


def channels_last(x: Tensor) -> Tensor:
    """The same numbers (n, c, h, w) with c next to one another in memory, and strides that say so.

    With one channel the order in memory is the same either way, so torch leaves the strides as
    they are; a convolution goes by them and would put out contiguous maps, which all that comes
    after would mix with others that are channels last.
    """
    n, c, h, w = x.shape
    strides = (h * w * c, 1, w * c, c)
    if x.stride() == strides:
        return x
    return torch.empty_strided((n, c, h, w), strides, dtype=x.dtype, device=x.device).copy_(x)
