"""One code that judges every candidate's samples, beside the floor of real against real."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.image_data import Pictures
from ectype.measures.copying import nearer_to_train
from ectype.measures.features import Features, feature_space
from ectype.measures.frechet import frechet_distance, moments
from ectype.measures.neighbours import neighbourhoods

SPACE = "efficientnet-lite0@128"


class Judge:
    """Measures samples against held-out pictures.

    All figures compare sets of one size, `n`: as many samples as were asked for, or half of the
    held-out pictures, so that the floor comes from pictures that are not in the reference.

    Args:
        pictures: the task.
        samples: how many a candidate gives.
    """

    def __init__(self, pictures: Pictures, samples: int):
        held_out = pictures.held_out
        self.n = min(samples, len(held_out) // 2)
        self.extract = feature_space(SPACE).extract
        self.reference = self.extract(held_out[: self.n])
        self.moments = moments(self.reference)
        self.floor = self.extract(held_out[-self.n :])
        self.train = self.extract(pictures.train[: self.n])

    def floor_row(self) -> dict[str, Any]:
        """The figures of held-out pictures in the place of samples."""
        return self._figures(self.floor)

    def row(self, samples: np.ndarray) -> dict[str, Any]:
        """The figures of samples, uint8 (at least n, h, w, c).

        Raises:
            ValueError: there are too few samples.
        """
        if len(samples) < self.n:
            raise ValueError(f"{len(samples)} samples where {self.n} are judged")
        return self._figures(self.extract(samples[: self.n]))

    def _figures(self, features: Features) -> dict[str, Any]:
        near = neighbourhoods(self.reference, features)
        return {
            "Fréchet": frechet_distance(features, self.moments),
            "precision": near.precision,
            "recall": near.recall,
            "density": near.density,
            "coverage": near.coverage,
            "nearer to train": nearer_to_train(
                features, self.train, self.reference[: len(self.train)]
            ).value,
        }
