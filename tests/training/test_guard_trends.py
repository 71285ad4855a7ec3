"""Swings that widen, and figures that stand still."""

import dataclasses
import json
import math

import pytest
import torch

from ectype.config import Budget
from ectype.training.guard import Guard
from ectype.training.guard import guard as module
from ectype.training.guard.symptoms import Figures
from ectype.training.guard.trends import FEWEST, Trends, stands_still, swings, widening
from tests.training.game import Duel, make_trainer

#: The margin of healthy runs, about every 64 steps: one whose augmentation set in, one that
#: learned its 300 items by heart, one that came to rest.
HEALTHY = [
    [1.9, 1.3, 1.1, 0.95, 1.1, 1.6, 2.3, 2.7, 2.5, 1.8, 1.2, 1.0, 1.05, 0.98],
    [1.15, 1.3, 1.5, 1.9, 2.4, 2.7, 3.0, 3.4, 3.8, 4.1, 4.4],
    [0.9, 0.53, 0.3, 0.17, 0.13, 0.2, 0.27, 0.25, 0.23, 0.24, 0.22, 0.23, 0.25, 0.22],
]


def wave(growth, n=60, level=0.0):
    return [level + math.exp(growth * i) * math.sin(i / 2) for i in range(n)]


def test_swings_go_from_turning_point_to_turning_point():
    assert swings([0, 2, 1, 3, -1, -0.5, -2, 4], 1) == [2, 1, 2, 5, 6]
    assert swings([0, 2, 1, 3, -1, -0.5, -2, 4], 1.5) == [3, 5, 6], "1 is no turn"
    assert swings([0, 0.5, 0], 1) == []
    assert swings([5.0], 1) == []


@pytest.mark.parametrize("level", [0.0, 2.0])
def test_a_widening_swing_is_seen(level):
    found = widening(wave(0.05, level=level))
    assert found is not None
    assert found == sorted(found)
    assert len(found) == 4


@pytest.mark.parametrize("series", [*HEALTHY, wave(-0.05), wave(0.05, level=100.0), []])
def test_no_other_course_is_a_widening_swing(series):
    """Healthy runs; swings that settle; swings that are small beside the margin itself."""
    assert all(widening(series[:n]) is None for n in range(len(series) + 1))


def test_standing_still_is_a_small_range_over_enough_medians():
    assert stands_still([100.0, 101.0] * 4)
    assert not stands_still([100.0, 104.0] * 4)
    assert not stands_still([100.0] * (FEWEST - 1))
    assert stands_still([0.001, -0.001] * 4), "a margin at 0"
    assert not stands_still([0.2, 0.22] * 4), "a margin at rest, which breathes"


def fed(values, progress, growth=0.0):
    """Trends that were told of a margin, one turn a check, with weights that grow."""
    trends, told = Trends(), []
    for i, (value, share) in enumerate(zip(values, progress, strict=True)):
        weights = {"discriminator": 20 * (1 + growth) ** i}
        trends.add([Figures("discriminator", i, 0, {"margin": value})], share, weights)
        told += trends.events(share)
    return told


def test_only_the_second_quarter_is_asked_whether_it_stands_still():
    shares = [(i + 1) / 40 for i in range(40)]
    moving = [float(i) for i in range(40)]
    still = [5.0 if 10 <= i < 20 else value for i, value in enumerate(moving)]
    assert fed(still, shares) == ["stagnation"]
    assert fed(moving, shares) == []
    late = [5.0 if i >= 16 else value for i, value in enumerate(moving)]
    assert fed(late, shares) == [], "rates are low by then"


def test_a_game_in_balance_whose_weights_go_on_to_move_is_not_standing_still():
    shares = [(i + 1) / 40 for i in range(40)]
    balanced = [0.042 + 0.003 * math.sin(i) for i in range(40)]  # a GAN of a table, at its best
    assert fed(balanced, shares) == ["stagnation"]
    assert fed(balanced, shares, growth=1e-6) == ["stagnation"]
    assert fed(balanced, shares, growth=1e-3) == []


def test_each_trend_is_told_once_also_after_an_interruption():
    trends, told = Trends(), []
    for i, value in enumerate(wave(0.05, n=100)):
        again = Trends()
        again.load_state(json.loads(json.dumps(trends.state())))
        trends = again
        trends.add([Figures("discriminator", i, 0, {"margin": value})], 0.0, {"discriminator": 1.0})
        told += trends.events(0.0)
    assert told == ["oscillation"]


class Swinging(Duel):
    """A duel of which the one side logs a margin as a discriminator does."""

    def __init__(self, margin):
        super().__init__()
        self.margin = margin

    @property
    def players(self):
        def still(progress):
            return 0.0

        sides = self.player("left", self.left), self.player("discriminator", self.right)
        return [dataclasses.replace(side, learning_rate=still) for side in sides]

    def loss(self, name):
        play = super().loss("left" if name == "left" else "right")

        def loss(turn):
            loss, log = play(turn)
            if name == "discriminator":
                log = {**log, "margin": torch.tensor(self.margin(turn.step))}
            return loss, log

        return loss


@pytest.mark.parametrize(
    ("margin", "kind", "words"),
    [
        (lambda step: math.exp(step / 60) * math.sin(step / 8), "oscillation", "swung by"),
        (lambda step: 0.7, "stagnation", "nor any weights have changed for a quarter of the"),
    ],
)
def test_the_guard_tells_and_changes_nothing(margin, kind, words, monkeypatch, tmp_path):
    monkeypatch.setattr(module, "CHECK", 4)
    trainer = make_trainer(
        tmp_path, Swinging(margin), budget=Budget(steps=160), controllers=(Guard(),)
    )
    trainer.run()
    (event,) = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert event["event"] == kind
    assert words in event["what"]
    assert "nothing was changed" in event["what"]
    assert trainer.rates == {"left": 1.0, "discriminator": 1.0}
