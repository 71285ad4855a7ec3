"""Where arithmetic must not be rounded to 16 bits."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import torch

R = TypeVar("R")


def full_precision(function: Callable[..., R]) -> Callable[..., R]:
    """Run a function in fp32 even where autocast is on; tensor arguments must be fp32."""

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> R:
        device = next(a.device.type for a in args if isinstance(a, torch.Tensor))
        with torch.autocast(device, enabled=False):
            return function(*args, **kwargs)

    return wrapped
