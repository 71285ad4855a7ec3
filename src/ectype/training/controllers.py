"""What watches training and changes it: the guard, the strength of augmentation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Protocol

if TYPE_CHECKING:
    from ectype.training.trainer import Trainer


class Controller(Protocol):
    """Looks at training after every round, and may change how it goes on.

    What it does is a function of its state and of training's: no clocks, and no waiting for the
    device but on a schedule of steps. Runs under a budget of steps then repeat to the bit.

    Attributes:
        name: key of its state in a checkpoint.
    """

    name: ClassVar[str]

    def after_round(self, trainer: Trainer) -> None:
        """Called after every round, before anything is logged or saved."""
        ...

    def state(self) -> dict[str, Any]:
        """All that it must know to go on, as plain values that JSON can hold."""
        ...

    def load_state(self, values: dict[str, Any]) -> None:
        """Take up what `state` gave."""
        ...
