"""Batches that pass through a network piece by piece, where memory is short.

What a network keeps for its backward pass is most of what training needs memory for. In pieces it
keeps this for one piece at a time, and computes it again when its gradient is due: Chen et al.
(arXiv 1604.06174). The outputs of all pieces are put together again, so a loss sees the whole
batch, with its noise and its statistics, and gradients are those of the whole batch up to rounding.
What is itself as large as a batch of items or of outputs is still held whole.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint


def in_pieces(
    function: Callable[..., Any],
    pieces: int,
    *inputs: Tensor | None,
) -> Any:
    """A function of tensors (n, ...), or None, computed in so many pieces.

    The first input is a tensor. It gives a tensor (n, ...), or several of them as a tuple.

    The function must treat every item by itself, draw no random numbers and keep nothing from call
    to call. It may take gradients within, also such as are differentiated again.
    """
    if pieces == 1:
        return function(*inputs)
    first, *others = inputs
    assert first is not None
    firsts = first.chunk(pieces)
    parts = [[None] * len(firsts) if x is None else x.chunk(pieces) for x in others]
    outputs = [
        checkpoint(function, *piece, use_reentrant=False, preserve_rng_state=False)
        for piece in zip(firsts, *parts, strict=True)
    ]
    if isinstance(outputs[0], tuple):
        return tuple(torch.cat(part) for part in zip(*outputs, strict=True))
    return torch.cat(outputs)


def batch_norms(network: nn.Module) -> list[_BatchNorm]:
    """Where a network mixes items, so that it cannot take a batch in pieces."""
    return [module for module in network.modules() if isinstance(module, _BatchNorm)]
