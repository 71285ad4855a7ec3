"""How large a model: so that the budget is well used.

A network twice as wide costs about four times as much an item and needs more items to become
better than a narrow one. The rule balances the two: it takes the widest network that still sees
`items_needed(width)` items within the budget, at the speed measured on this machine. Under a
budget of steps nothing is measured, so that runs repeat.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch

from ectype.config import Budget
from ectype.training.trainer import Trainer

#: A width, and the items that a network of it should see. From docs/benchmarks.md.
NEEDS = {"gan": (48, 90_000), "vae": (16, 200_000)}
#: The need grows with this power of the width: as fast as the cost of an item.
GROWTH = 2.0
#: Share of a time budget that measuring may take.
MEASURING_SHARE = 0.03
#: A multiple of the interval between penalties, so that they are counted in.
MEASURED_ROUNDS = 8


@dataclass(frozen=True)
class Plan:
    """The chosen capacity, and a sentence that says why."""

    capacity: int
    reason: str


def items_needed(family: str, capacity: int) -> float:
    """Items that a network of this capacity should see before it is worth its cost."""
    width, items = NEEDS[family]
    return items * (capacity / width) ** GROWTH


def plan_capacity(
    family: str,
    capacities: Sequence[int],
    default: int,
    budget: Budget,
    measure: Callable[[int], float],
) -> Plan:
    """Choose a capacity.

    Args:
        family: gan or vae.
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
        if items < items_needed(family, capacity) and capacity != capacities[0]:
            break
        chosen, seen = capacity, items
        if time.perf_counter() > deadline:
            break
    return Plan(
        chosen,
        f"capacity {chosen}: at the measured speed it sees about {seen:,.0f} items in {budget}",
    )


def seconds_per_item(trainer: Trainer) -> float:
    """Time a few rounds at the start of training, after a warm-up one."""
    device = trainer.precision.device
    wait = partial(torch.cuda.synchronize, device) if device.type == "cuda" else lambda: None
    trainer.round(0.0)
    wait()
    start = time.perf_counter()
    for _ in range(MEASURED_ROUNDS):
        trainer.round(0.0)
    wait()
    return (time.perf_counter() - start) / MEASURED_ROUNDS / trainer.batches.size
