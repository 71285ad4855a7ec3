"""The strength of augmentation: what it follows, and that it is part of training's state."""

import json
import signal
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ectype.config import MOST_AUGMENT, Budget, GanSettings
from ectype.errors import InterruptedRun
from ectype.models.base import Batch, Turn
from ectype.models.gan import Gan
from ectype.nets.augment import MOST_PROBABILITY
from ectype.training.augment import (
    EVERY,
    FEWEST,
    LITTLE_DATA,
    PASSES,
    RISE,
    SCHEDULED,
    SEVERE,
    TARGET,
    WEIGHT,
    AdaptiveAugmentation,
    ScheduledAugmentation,
    augmentation_controllers,
)
from ectype.training.clock import Clock
from tests.contract.test_contract import CASES, StopAt, assert_same_weights, fit, weights
from tests.models.numeric import seeded
from tests.training.game import FP32, Duel, batches, make_trainer

TRAIN, VALIDATION = np.arange(30), np.arange(30, 30 + FEWEST)
LATENT = 3


class Reading(nn.Module):
    """A discriminator of items (n, 3): their mean, plus the label."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor, label: Tensor | None) -> Tensor:
        judged = self.scale * x.mean(1)
        return judged if label is None else judged + label


class Constant(nn.Module):
    """A generator of items that are all one value."""

    def __init__(self, value: float):
        super().__init__()
        self.value = nn.Parameter(torch.tensor(value))

    def forward(self, z: Tensor, label: Tensor | None) -> Tensor:
        return self.value.expand(len(z), 3)


def tripled(n, p, generator):
    return lambda x: 3 * x


def gan(augment: Any = "adaptive", generated=0.0, augmentation: Any = tripled) -> Gan:
    settings = GanSettings(latent=LATENT, augment=augment)
    return Gan(
        Constant(generated), Reading(), settings, classes=0, gamma=1.0, augmentation=augmentation
    )


class Watched:
    """What a controller sees of a trainer whose discriminator reads given means."""

    def __init__(self, seen: float, unseen: float, generated: float, steps: int = 10 * EVERY):
        self.items = np.full((30 + FEWEST, 3), seen, np.float32)
        self.items[VALIDATION] = unseen
        self.gan = gan(generated=generated)
        self.controller: Any = AdaptiveAugmentation(self.gan, VALIDATION, seed=0)
        self.events = []
        self.trainer: Any = SimpleNamespace(
            batches=batches(items=self.items, index=TRAIN),
            precision=FP32,
            clock=Clock(Budget(steps=steps)),
            event=lambda kind, **facts: self.events.append((kind, facts)),
        )

    def after(self, step: int, passes: float = PASSES) -> float:
        self.trainer.step = step
        self.trainer.batches.drawn = round(passes * len(self.trainer.batches))
        self.controller.after_round(self.trainer)
        return self.gan.dials["augment"]


def test_strength_rises_where_validation_items_look_generated_and_falls_where_not():
    steps = round(2 * EVERY / RISE)  # two measurements from 0 to 1
    watched = Watched(seen=1.0, unseen=0.6, generated=0.0, steps=steps)  # r_v = 0.4
    assert watched.after(EVERY) == pytest.approx(0.5)
    assert watched.after(EVERY + 1) == pytest.approx(0.5)  # nothing between measurements
    assert watched.after(2 * EVERY) == pytest.approx(MOST_PROBABILITY)  # no more for so little
    assert [kind for kind, _ in watched.events] == ["augment"]
    assert watched.events[0][1]["over_fitting"] == pytest.approx(0.4)

    watched.items[VALIDATION] = 9.0  # as if it had unlearned the others
    assert watched.after(3 * EVERY) == pytest.approx(MOST_PROBABILITY - 0.5)
    assert watched.after(4 * EVERY) == 0.0  # never less than that
    watched.items[VALIDATION] = -99.0
    assert watched.after(5 * EVERY) == pytest.approx(0.5)
    assert len(watched.events) == 1  # told once


def test_changes_that_are_not_gentle_are_for_much_over_fitting_and_leave_first():
    steps = round(8 * EVERY / RISE)  # eight measurements from 0 to 1
    watched = Watched(seen=1.0, unseen=0.99 - SEVERE, generated=0.0, steps=steps)
    strengths = [watched.after(step * EVERY) for step in range(1, 15)]
    assert strengths[6] == pytest.approx(7 / 8)
    assert strengths[-1] == pytest.approx(MOST_AUGMENT)  # never more than that

    watched = Watched(seen=1.0, unseen=1.01 - SEVERE, generated=0.0, steps=steps)
    watched.gan.dials["augment"] = 1.2
    strengths = [watched.after(step * EVERY) for step in range(1, 6)]
    assert strengths[0] == pytest.approx(1.2 - 1 / 8)
    assert strengths[-1] == pytest.approx(MOST_PROBABILITY)


@pytest.mark.parametrize(
    ("seen", "unseen", "generated"),
    [
        (1.0, 1.01 - TARGET, 0.0),  # just below the target
        (1.0, 1.0, 0.0),  # no over-fitting
        (1.0, 1.2, 0.0),  # validation items look more real
        (0.0, -1.0, 0.5),  # generated items look more real than all
        (float("nan"), 0.0, 0.0),
    ],
)
def test_strength_stays_at_zero(seen, unseen, generated):
    watched = Watched(seen, unseen, generated)
    assert [watched.after(step * EVERY) for step in range(1, 6)] == [0.0] * 5
    assert not watched.events
    assert np.isfinite([watched.controller.gap, watched.controller.margin]).all()


def test_gaps_are_differences_of_means_of_augmented_items():
    model = gan(augment=0.5, generated=0.25)
    train = torch.randn(4, 3, generator=seeded(1))
    held_out = torch.randn(6, 3, generator=seeded(2))
    turn = Turn(Batch(train, None), 0.0, 0, seeded())
    expected = [3 * (train.mean() - held_out.mean()), 3 * (train.mean() - 0.25)]
    expected.append(
        9 * (train.mean(1).var(correction=0) / 4 + held_out.mean(1).var(correction=0) / 6)
    )
    gaps = model.gaps(turn, Batch(held_out, None))
    torch.testing.assert_close(gaps, torch.stack(expected))
    assert not gaps.requires_grad

    def labelled(x: Tensor, label: int) -> Batch:
        return Batch(x, torch.full((len(x),), label))

    turn = Turn(labelled(train, 2), 0.0, 0, seeded())
    shifted = model.gaps(turn, labelled(held_out, 1))  # generated ones have the labels of `train`
    torch.testing.assert_close(shifted, torch.stack([expected[0] + 1, *expected[1:]]))


def test_differences_by_chance_are_not_taken_for_over_fitting():
    def share(shift: float) -> float:
        """Of measurements that say so, where items vary three times as much as the margin."""
        found = []
        for seed in range(5):
            watched = Watched(0.0, 0.0, generated=-0.2, steps=40 * EVERY)
            items = np.random.default_rng(seed).standard_normal((2_000, 3)).astype(np.float32)
            items[1_000:] -= shift
            watched.trainer.batches = batches(items=items, index=np.arange(1_000), seed=seed)
            validation = np.arange(1_000, 2_000)
            watched.controller = AdaptiveAugmentation(watched.gan, validation, seed)
            for measurement in range(1, 41):
                watched.after(measurement * EVERY)
                found.append(watched.controller.over_fits(TARGET))
        return float(np.mean(found))

    assert share(shift=0.0) < 0.04  # 0.015; 0.07 with one error, 0.2 with none
    assert share(shift=0.5) > 0.9


def test_uncertainty_is_that_of_an_average_of_independent_measurements():
    watched = Watched(0.0, 0.0, generated=-0.2)
    measured = np.random.default_rng(0).standard_normal((100_000, 5)) * [3.0, 1.0, 2.0, 1.0, 4.0]
    averages = np.zeros(len(measured))
    for k, gaps in enumerate(measured.T, 1):
        averages += WEIGHT * (gaps - averages)
        variance = float(gaps.var())
        watched.controller._measure = lambda _, v=variance: torch.tensor([0.0, 1.0, v])
        watched.after(k * EVERY)
        assert watched.controller.variance == pytest.approx(averages.var(), rel=0.02)


def test_nothing_is_known_by_heart_before_it_has_been_seen_a_few_times():
    watched = Watched(seen=1.0, unseen=0.3, generated=0.0)
    assert watched.after(EVERY, passes=PASSES - 0.1) == 0.0
    assert not watched.events
    assert watched.after(2 * EVERY, passes=PASSES) > 0.0
    assert [kind for kind, _ in watched.events] == ["augment"]


def test_controllers_are_made_where_there_is_something_to_steer():
    def kinds(model, train=TRAIN, validation=VALIDATION):
        return [type(c) for c in augmentation_controllers(model, train, validation, 0)]

    assert kinds(gan()) == [AdaptiveAugmentation]
    assert kinds(gan(), validation=VALIDATION[1:]) == [ScheduledAugmentation]
    assert kinds(gan(), np.arange(LITTLE_DATA), VALIDATION[1:]) == []
    assert kinds(gan(augment="off")) == []
    assert kinds(gan(augment=0.3)) == []
    assert kinds(gan(augmentation=None)) == []
    assert kinds(Duel()) == []


def test_without_validation_items_the_strength_rises_evenly():
    watched = Watched(1.0, 1.0, 1.0)
    watched.controller = ScheduledAugmentation(watched.gan)
    assert watched.after(5 * EVERY) == pytest.approx(SCHEDULED / 2)
    assert watched.after(5 * EVERY + 9) == pytest.approx(SCHEDULED / 2)
    assert watched.after(10 * EVERY) == pytest.approx(SCHEDULED)


def trained(folder, steps, resume=False):
    """A real trainer of a GAN whose strength only rises, after so many steps."""
    model = gan(generated=-0.5)
    controller = AdaptiveAugmentation(model, np.arange(16, 20), seed=0)
    trainer = make_trainer(folder, model, budget=Budget(steps=20 * EVERY), controllers=[controller])
    if resume:
        assert trainer.resume()
    trainer.clock.start()
    while trainer.step < steps:
        trainer.round(trainer.clock.progress(trainer.step))
        controller.after_round(trainer)
    return trainer, controller


def test_an_interrupted_training_goes_on_with_the_same_strength(tmp_path, monkeypatch):
    monkeypatch.setattr(AdaptiveAugmentation, "over_fits", lambda *_: True)
    straight, expected = trained(tmp_path / "straight", 3 * EVERY + 5)
    first, _ = trained(tmp_path / "cut", EVERY + 5)
    first.save()
    second, resumed = trained(tmp_path / "cut", 3 * EVERY + 5, resume=True)
    strengths = [trainer.model.dials["augment"] for trainer in (first, second, straight)]
    assert strengths == pytest.approx([0.05 / RISE, 0.15 / RISE, 0.15 / RISE])
    assert resumed.state() == expected.state()
    state = straight.model.state_dict()
    assert all(torch.equal(v, state[k]) for k, v in second.model.state_dict().items())


@pytest.mark.parametrize(
    ("family", "settings", "first"),
    [("gan", {}, 3), ("vae", {"vae.adversarial": 0.5}, 9)],  # an opponent joins after step 7
)
def test_a_run_with_changing_strength_repeats_and_resumes_to_the_bit(
    tmp_path, monkeypatch, family, settings, first
):
    monkeypatch.setenv("ECTYPE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("ectype.training.telling.TICK_SECONDS", 0.0)
    monkeypatch.setattr("ectype.training.augment.EVERY", 3)
    monkeypatch.setattr("ectype.training.augment.FEWEST", 1)
    monkeypatch.setattr("ectype.training.augment.PASSES", 0)
    monkeypatch.setattr(AdaptiveAugmentation, "over_fits", lambda *_: True)
    case = CASES["labelled pictures"]
    # scores take time, and in long runs not every step is told
    asked = {"steps": 14, "settings": {**settings, "training.select": "last"}}
    straight = fit(case, family, tmp_path / "straight", **asked)
    with pytest.raises(InterruptedRun):
        fit(case, family, tmp_path / "cut", reporter=StopAt(10, signal.SIGINT), **asked)
    resumed = fit(case, family, tmp_path / "cut", **asked)
    assert_same_weights(weights(straight), weights(resumed))
    for run in (straight, resumed):
        lines = [json.loads(line) for line in (run.path / "log.jsonl").read_text().splitlines()]
        strengths = {x["step"]: x["losses"].get("discriminator/augment", 0.0) for x in lines}
        rise = 3 / 14 / RISE
        told = [strengths[step] for step in (first, first + 3, 14)]
        rises = (14 - first) // 3 + 1
        assert told == pytest.approx([0.0, rise, min(rises * rise, MOST_AUGMENT)])
        events = [json.loads(line) for line in (run.path / "events.jsonl").read_text().splitlines()]
        assert [e["step"] for e in events if e["event"] == "augment"] == [first]
