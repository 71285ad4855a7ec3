"""The counting in the benchmarks of modes and of many seeds; their trainings are not tested."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from benchmarks import many_seeds, modes


class ReadsFirstPixel(nn.Module):
    """A classifier of pictures whose first pixel is their digit."""

    def forward(self, x: Tensor) -> Tensor:
        digit = ((x[:, 0, 0, 0] + 1) * 127.5).round().long()
        return nn.functional.one_hot(digit, 10)


def stacks(numbers: np.ndarray) -> np.ndarray:
    """Pictures (n, 28, 28, 3) that show these numbers of three digits."""
    pictures = np.zeros((len(numbers), 28, 28, 3), np.uint8)
    for channel, unit in enumerate((100, 10, 1)):
        pictures[:, 0, 0, channel] = numbers // unit % 10
    return pictures


def test_every_number_of_three_digits_is_a_mode():
    whole = modes.modes(ReadsFirstPixel(), stacks(np.arange(1000)))
    assert whole == {"modes": 1000, "KL": pytest.approx(0.0, abs=1e-12)}
    half = modes.modes(ReadsFirstPixel(), stacks(np.arange(0, 1000, 2).repeat(2)))
    assert half == {"modes": 500, "KL": pytest.approx(math.log(2))}
    # a quarter of the samples in one mode, the rest in another
    uneven = modes.modes(ReadsFirstPixel(), stacks(np.array([7, 8, 8, 8])))
    entropy = -(0.25 * math.log(0.25) + 0.75 * math.log(0.75))
    assert uneven == {"modes": 2, "KL": pytest.approx(math.log(1000) - entropy)}


def test_centres_are_as_far_apart_as_said():
    for centres, n, deviations in (
        (modes.grid(), 25, 20),
        (modes.ring(25), 25, 10),
        (modes.ring(8), 8, 30.6),
    ):
        assert len(centres) == n
        apart = torch.pdist(torch.from_numpy(centres)).min().item()
        assert apart == pytest.approx(deviations * modes.DEVIATION, rel=0.01)


def test_a_run_has_failed_if_it_diverged_or_collapsed():
    floor = {"kinds": 0.9, "Fréchet": 5.0, "coverage": 0.9, "diversity": 100.0}
    well = {**floor, "kinds": 0.8, "coverage": 0.5, "events": ["augment"]}
    parts = [
        well,
        {**well, "coverage": 0.08},  # samples are poor, but not few in kind
        {**well, "kinds": 0.44},
        {"diverged": "the generator's loss is no number", "events": ["given_up"]},
        {**well, "kinds": 0.46, "events": ["not_finite", "mended"]},
    ]
    row = many_seeds.summary("digits", "gan", parts, floor)
    assert (row["seeds"], row["failed"], row["guard stepped in"]) == (5, 2, 2)
    assert row["kinds (least, median, most)"] == "0.44 0.63 0.8"


def test_kinds_are_those_of_real_pictures():
    noise = np.random.default_rng(0)
    spots = np.zeros((200, 8, 8, 1), np.uint8)
    spots.reshape(200, 64)[np.arange(200), np.arange(200) % many_seeds.KINDS] = 200
    spots += noise.integers(0, 20, spots.shape, np.uint8)
    assert many_seeds.share_of_kinds(spots, spots) == 1.0
    few = spots[np.arange(200) % many_seeds.KINDS < 10]
    assert many_seeds.share_of_kinds(few, spots) == pytest.approx(0.2)
