"""How large a model, and how large a batch: so that the budget is well used.

A network twice as wide costs about four times as much an item and needs more items to become
better than a narrow one. The rule balances the two: it takes the widest network that still sees
`items_needed(width)` items within the budget, at the speed measured on this machine. Under a
budget of steps nothing is measured, so that runs repeat.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from ectype.config import Budget
from ectype.training.trainer import Trainer

#: Items that a network of width 32 should see, and how the need grows with the width. From the
#: search in docs/benchmarks.md.
ITEMS_AT_32 = 100_000
GROWTH = 2.0
#: Share of a time budget that measuring may take.
MEASURING_SHARE = 0.03
#: A multiple of the interval between penalties, so that they are counted in.
MEASURED_ROUNDS = 4


@dataclass(frozen=True)
class Plan:
    """The chosen capacity, and a sentence that says why."""

    capacity: int
    reason: str


def items_needed(capacity: int) -> float:
    """Items that a network of this capacity should see before it is worth its cost."""
    return ITEMS_AT_32 * (capacity / 32) ** GROWTH


def plan_capacity(
    capacities: Sequence[int],
    default: int,
    budget: Budget,
    measure: Callable[[int], float],
) -> Plan:
    """Choose a capacity.

    Args:
        capacities: allowed values, ascending.
        default: the choice under a budget of steps.
        measure: seconds an item takes at a capacity; called for ever larger ones.
    """
    if budget.seconds is None:
        return Plan(default, f"capacity {default}, the fixed choice for a budget of steps")
    deadline = time.perf_counter() + MEASURING_SHARE * budget.seconds
    chosen, seen = capacities[0], 0.0
    for capacity in capacities:
        items = budget.seconds / measure(capacity)
        if items < items_needed(capacity) and capacity != capacities[0]:
            break
        chosen, seen = capacity, items
        if time.perf_counter() > deadline:
            break
    return Plan(
        chosen,
        f"capacity {chosen}: at the measured speed it sees about {seen:,.0f} items in {budget}",
    )


def default_batch(device: str) -> int:
    """Items a step: small where arithmetic is scarce, since more steps then learn more."""
    return 64 if device == "cpu" else 256


def seconds_per_item(trainer: Trainer) -> float:
    """Time a few rounds of a fresh trainer, early and late in training, after warm-up ones."""
    phases = (0.0, 0.99)
    total = 0.0
    for progress in phases:
        trainer.round(progress)
        start = time.perf_counter()
        for _ in range(MEASURED_ROUNDS):
            trainer.round(progress)
        if trainer.precision.device.type == "cuda":
            torch.cuda.synchronize()
        total += (time.perf_counter() - start) / MEASURED_ROUNDS
    return total / len(phases) / trainer.batches.size
