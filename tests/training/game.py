"""A game small enough to follow by hand, and trainers of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn

from ectype.config import Budget, TrainingSettings
from ectype.files import write_whole
from ectype.models.base import Model, Player
from ectype.run import exported
from ectype.training.batches import Batches
from ectype.training.checkpoint import tensor_bytes
from ectype.training.precision import Precision
from ectype.training.progress import Silent
from ectype.training.trainer import Trainer

CPU = torch.device("cpu")
FP32 = Precision(CPU, torch.float32, "for a test")
ITEMS = np.random.default_rng(0).standard_normal((20, 3)).astype(np.float32)


class Duel(Model):
    """Two players, `left` and `right`, whose losses both depend on both networks.

    `on_loss` is called with the player's name and its turn, and may return a factor for the
    loss; `asked` is what further attributes the players get, by name.
    """

    def __init__(self, asked=None, on_loss=None):
        super().__init__(0)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.left = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
            self.right = nn.Linear(3, 4)
        self.asked = asked or {}
        self.on_loss = on_loss or (lambda name, turn: None)

    @property
    def players(self):
        return [self.player("left", self.left), self.player("right", self.right)]

    def player(self, name, module):
        attributes = {"learning_rate": lambda progress: 0.1, **self.asked.get(name, {})}
        return Player(name=name, module=module, loss=self.loss(name), **attributes)

    def loss(self, name):
        target = {"left": 1.0, "right": -1.0}[name]

        def loss(turn):
            noise = torch.randn(turn.batch.x.shape, generator=turn.generator)
            x = turn.batch.x + 0.1 * noise
            loss = (self.left(x) * self.right(x) - target).square().mean()
            factor = self.on_loss(name, turn)
            loss = loss if factor is None else factor * loss
            return loss, {"loss": loss}

        return loss

    def averaged(self):
        return {"left": self.left}

    def draw(self, n, label, generator, temperature=1.0):
        return temperature * torch.randn(n, 3, generator=generator)

    def decode(self, z, label):
        return self.left(z)[:, :3]


class Notes(Silent):
    """Keeps what it is told."""

    def __init__(self):
        self.notes, self.ticks = [], []

    def note(self, text):
        self.notes.append(text)

    def tick(self, tick):
        self.ticks.append(tick)


def batches(
    size=8, items: np.ndarray = ITEMS, labels=None, index=None, seed=0, to_network=lambda x: x
):
    index = np.arange(len(items)) if index is None else index
    return Batches(items, labels, index, size=size, seed=seed, device=CPU, to_network=to_network)


def make_trainer(
    folder: Path,
    model: Model | None = None,
    *,
    budget=None,
    preview=None,
    reporter=None,
    selection=None,
    controllers=(),
    **settings,
) -> Trainer:
    """A trainer of the game; `settings` are those of `TrainingSettings`."""
    folder.mkdir(parents=True, exist_ok=True)
    model = model or Duel()

    def export():
        write_whole(folder / "model.safetensors", tensor_bytes(exported(model)))

    return Trainer(
        model,
        batches(),
        TrainingSettings(**settings),
        budget or Budget(steps=10),
        folder,
        precision=FP32,
        seed=0,
        reporter=reporter or Notes(),
        preview=preview or (lambda step: None),
        export=export,
        selection=selection,
        controllers=controllers,
    )


def weights_of(trainer: Trainer) -> dict[str, torch.Tensor]:
    """A copy of all weights, trained and averaged."""
    state = {
        **trainer.model.state_dict(),
        **{f"ema.{k}": v for k, v in trainer.ema.state().items()},
    }
    return {name: value.clone() for name, value in state.items()}


def differing(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> list[str]:
    """Names under which two states are not equal to the bit."""
    return sorted(k for k in {*a, *b} if k not in a or k not in b or not torch.equal(a[k], b[k]))
