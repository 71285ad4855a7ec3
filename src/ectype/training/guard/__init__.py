"""The guard: it watches a training, names what goes wrong, answers, and gives up with a reason."""

from ectype.training.guard.guard import Guard

__all__ = ["Guard"]
