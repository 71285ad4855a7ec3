"""Turns that need more memory than there is."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import torch

from ectype.errors import DivergedError
from ectype.nets.pieces import batch_norms

if TYPE_CHECKING:
    from ectype.training.trainer import Trainer

Result = TypeVar("Result")

#: What torch says where it raises no error of its own kind: the CPU's allocator, and CUDA's
#: libraries when they find no room for their workspace.
SAYINGS = ("DefaultCPUAllocator", "not enough memory", "STATUS_ALLOC_FAILED")


def within_memory(trainer: Trainer, player: str, attempt: Callable[[], Result]) -> Result:
    """Make an attempt at a player's turn; where memory does not suffice, in smaller pieces.

    Every try begins with the same random numbers and the same statistics of the networks, so it
    comes to the same, up to rounding, in how many pieces soever.

    Raises:
        DivergedError: it does not fit with one item at a time either.
    """
    random = trainer.generator.get_state()
    before = [value.clone() for value in trainer.statistics]
    while True:
        try:
            return attempt()
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
        # out here the error is gone, and with it all that the attempt held
        trainer.generator.set_state(random)
        for value, old in zip(trainer.statistics, before, strict=True):
            value.copy_(old)
        _cut(trainer, player)


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether memory is what was missing, on the CPU or on a GPU."""
    return isinstance(error, torch.OutOfMemoryError) or any(
        saying in str(error) for saying in SAYINGS
    )


def _cut(trainer: Trainer, player: str) -> None:
    """Let batches pass through the networks in twice as many pieces; says so."""
    model, size = trainer.model, trainer.batches.size
    if model.pieces == size:
        trainer.event("given_up", what=f"the {player}'s turn does not fit into memory; gave up")
        raise DivergedError(
            f"out of memory at step {trainer.step:,}: the {player}'s turn does not fit, even "
            "where only one item at a time passes through the networks",
            where=str(trainer.folder),
            hint="the last good checkpoint is kept; try a smaller batch (--set training.batch=…) "
            "or smaller items with --new",
        )
    model.pieces = min(2 * model.pieces, size)
    items = math.ceil(size / model.pieces)
    what = (
        f"the {player}'s turn ran out of memory; batches of {size} now pass through the networks "
        f"{items} at a time, to the same result"
    )
    if whole := [name for name, network in model.named_children() if batch_norms(network)]:
        what += f", except the {' and the '.join(whole)}: normalised over the batch, it stays whole"
    trainer.event("out_of_memory", what=what, player=player, items_at_a_time=items)
