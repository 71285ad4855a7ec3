"""`inspect`: what data is, and what `fit` would do with it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from ectype.config import Family
from ectype.domains.base import Dataset, Domain
from ectype.errors import UsageError
from ectype.request import (
    Settings,
    asked_config,
    choose_family,
    choose_precision,
    facts_of,
    find_domain,
    parse_budget,
    prepare_data,
)


@dataclass(frozen=True)
class Inspection:
    """What data is, and what `fit` would do with it."""

    dataset: Dataset
    plan: list[str]

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        dataset = self.dataset
        counts: dict[str, int] = {}
        if dataset.labels is not None:
            per_label = np.bincount(dataset.labels, minlength=dataset.spec.classes)
            counts = dict(zip(dataset.spec.labels, per_label.tolist(), strict=True))
        return {
            "domain": dataset.spec.domain,
            "count": len(dataset.items),
            "parts": {name: len(index) for name, index in dataset.parts.items()},
            "shape": list(dataset.spec.shape),
            "labels": counts,
            "rejects": [dataclasses.asdict(reject) for reject in dataset.rejects],
            "summary": dataset.summary,
            "notes": dataset.notes,
            "plan": self.plan,
        }


def inspect(
    source: Any,
    *,
    model: Family = "auto",
    budget: str | float | None = None,
    steps: int | None = None,
    seed: int = 0,
    labels: str = "auto",
    domain: str | Domain | None = None,
    device: str = "auto",
    settings: Settings = (),
) -> Inspection:
    """Say what data is and what `fit` would do with it; trains nothing.

    Arguments and errors are those of `fit`.
    """
    kind = find_domain(source, domain)
    asked_budget, extension = parse_budget(budget, steps)
    if extension:
        raise UsageError("an extension needs a run; inspect knows only the data")
    asked = asked_config(kind, model, asked_budget, seed, labels, settings)
    precision = choose_precision(asked, device, kind)
    dataset = prepare_data(kind, source, asked, precision.device.type)
    family, reason = choose_family(asked.family, facts_of(dataset, asked.budget))
    plan = [
        f"train a {family.upper()} ({reason}) for {asked.budget}",
        f"on {precision.device.type}, {precision.reason}",
        "the network's capacity "
        + (
            f"is {asked.training.capacity}, as you set it"
            if asked.training.capacity
            else "is a fixed one"
            if asked.budget.steps
            else "is chosen at the start, from the speed measured on this machine"
        ),
    ]
    return Inspection(dataset, plan)
