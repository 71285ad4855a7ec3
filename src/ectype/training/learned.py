"""What training has made so far: weights, averaged weights and the optimisers' moments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from ectype.models.base import Model, Player
from ectype.training.ema import ExponentialAverage

Optimisers = Mapping[str, torch.optim.Optimizer]


def optimiser(player: Player) -> torch.optim.Optimizer:
    """The player's Adam with decoupled weight decay, in one fused kernel."""
    return torch.optim.AdamW(
        player.module.parameters(),
        lr=player.learning_rate(0.0),
        betas=player.betas,
        eps=1e-8,
        weight_decay=player.weight_decay,
        fused=True,
    )


def learned(
    model: Model, ema: ExponentialAverage, players: Iterable[Player], optimisers: Optimisers
) -> dict[str, Tensor]:
    """All of it by name; not what `Model.settle` makes anew. The tensors are those in use."""
    made_anew = tuple(f"{name}." for name in model.settled())
    weights = model.state_dict().items()
    tensors = {f"model.{k}": v for k, v in weights if not k.startswith(made_anew)}
    tensors |= {f"ema.{k}": v for k, v in ema.state().items()}
    for player in players:
        states = optimisers[player.name].state
        for name, parameter in player.module.named_parameters():
            for key, value in states.get(parameter, {}).items():
                tensors[f"optimiser.{player.name}.{name}.{key}"] = value
    return tensors


def load_learned(
    tensors: dict[str, Tensor],
    model: Model,
    ema: ExponentialAverage,
    players: Iterable[Player],
    optimisers: Optimisers,
) -> None:
    """Put back what `learned` gave; other tensors are left alone."""
    model.load_state_dict({**model.state_dict(), **part(tensors, "model.")})
    ema.average.load_state_dict(part(tensors, "ema."))
    for player in players:
        saved = part(tensors, f"optimiser.{player.name}.")
        states = optimisers[player.name].state
        for name, parameter in player.module.named_parameters():
            entries = part(saved, f"{name}.")
            # moments must lie in memory as their parameter does: fused steps rely on it
            states[parameter] = {
                key: torch.empty_like(parameter).copy_(value)
                if value.shape == parameter.shape and key != "step"
                else value.clone().to(parameter.device)
                for key, value in entries.items()
                if "." not in key
            }


def part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The entries under a prefix, without it."""
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def is_finite(tensors: Iterable[Tensor]) -> bool:
    """Whether no tensor holds an infinity or a NaN."""
    numbers = [t for t in tensors if t.is_floating_point()]
    return bool(torch.isfinite(torch.nn.utils.get_total_norm(numbers)))
