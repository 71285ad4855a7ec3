"""Which weights are kept: when they are scored, what that may cost, and that nothing else moves."""

from __future__ import annotations

import itertools
import json
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from ectype.config import Budget
from ectype.measures.features import feature_space
from ectype.measures.frechet import frechet_distance
from ectype.training import clock as clock_module
from ectype.training import trainer as trainer_module
from ectype.training.selection import (
    COST_SHARE,
    ESTIMATE_SECONDS,
    MOMENTS,
    FrechetScore,
    Scored,
    Selection,
)
from tests.contract.points import ring
from tests.training.game import Duel, make_trainer

CPU = torch.device("cpu")


@pytest.fixture
def now(monkeypatch):
    """The time in seconds, which only the test moves: `now.seconds += 1`."""
    now = SimpleNamespace(seconds=100.0)
    for module in (trainer_module, clock_module):
        monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=lambda: now.seconds))
    return now


class Script:
    """Scores that were written before; each takes a while where a clock is given."""

    space, n = "a script", 500

    def __init__(self, values, now=None, cost=0.0, set_up_cost=0.0):
        self.values, self.now = iter(values), now
        self.cost, self.set_up_cost = cost, set_up_cost

    def estimate(self):
        self._take((self.cost + self.set_up_cost) / 10)
        return self.set_up_cost, self.cost

    def set_up(self):
        self._take(self.set_up_cost)
        self.set_up_cost = 0.0

    def __call__(self):
        self._take(self.cost)
        return next(self.values)

    def _take(self, seconds):
        if self.now is not None:
            self.now.seconds += seconds


class Watching(Selection):
    """Also keeps a copy of all weights that were scored, by step."""

    def __init__(self, score, model):
        super().__init__(score, lambda: {"w": model.left[0].weight})
        self.seen = {}

    def consider(self, step, clock, in_place):
        with in_place():
            self.seen[step] = self.weights()["w"].detach().clone()
        return super().consider(step, clock, in_place)


def scored_training(folder, values, *, model=None, score=None, **more):
    """A trainer of the game whose weights are scored as the script says."""
    model = model or Duel()
    selection = Watching(score or Script(values), model)
    return make_trainer(folder, model, selection=selection, ema=0.3, **more), selection


# --- which weights ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "kept"),
    [
        ([8, 7, 6, 5, 4, 3, 2, 1], 10),
        ([1, 2, 3, 4, 5, 6, 7, 8], 3),
        ([8, 7, 3, 5, 4, 3.5, 4, 3.1], 5),
        ([8, 7, 3, 3.05, 4, 5, 6, 7], 6),  # within 2 %: the later one
        ([5] * 8, 10),
        # each within 2 % of the one before, but only the second of the lowest
        ([100, 101.5, 103, 104.5, 106, 108, 110, 112], 4),
        ([math.inf, 9, math.inf, 9.1, math.inf, math.inf, math.inf, math.inf], 6),
        ([3, 0, 1e-9, 0, 1, 1, 1, 1], 6),
    ],
)
def test_the_latest_of_the_best_is_kept(values, kept, tmp_path):
    trainer, selection = scored_training(tmp_path, values)
    trainer.run()
    assert [scored.step for scored in selection.scores] == list(range(3, 11))
    assert [scored.value for scored in selection.scores] == values
    assert selection.kept is not None
    assert selection.kept.step == kept
    assert torch.equal(selection.best["w"], selection.seen[kept])
    assert len({tuple(w.flatten().tolist()) for w in selection.seen.values()}) == 8
    assert torch.equal(selection.seen[10], trainer.ema.state()["left.0.weight"])


@pytest.mark.parametrize(("n", "most"), [(500, 102.0), (125, 104.0), (50, 106.32)])
def test_few_items_must_tell_earlier_weights_apart_more_clearly(n, most, tmp_path):
    """What chance does to a score falls as the root of the number of items."""
    for last, kept in [(most, 10), (most + 0.01, 3)]:
        score = Script([100.0, *[200.0] * 6, last])
        score.n = n
        trainer, selection = scored_training(tmp_path / f"{last}", [], score=score)
        trainer.run()
        assert selection.kept is not None
        assert selection.kept.step == kept


def test_scores_that_are_no_numbers_keep_nothing(tmp_path):
    trainer, selection = scored_training(tmp_path, [math.inf] * 8)
    trainer.run()
    assert selection.kept is None
    assert selection.best == {}


def test_what_is_said_at_the_end():
    selection = Selection(Script([]), dict)
    assert "none could be scored" in selection.verdict()
    first, last = Scored(1200, 60.0, 312.04), Scored(2000, 100.0, 340.0)
    selection.scores, selection.kept = [first, last], first
    assert selection.verdict() == (
        "kept the weights of step 1,200 (Fréchet 312 in a script on 500 validation items; "
        "the last ones 340)"
    )
    selection.kept = last
    assert selection.verdict() == (
        "kept the last weights (Fréchet 340 in a script on 500 validation items; "
        "the lowest of 2 is 312)"
    )


# --- when, and at what cost ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        (20, [6, 8, 10, 12, 14, 16, 18, 20]),
        (7, [3, 4, 5, 6, 7]),
        (2, [1, 2]),
        (1, [1]),
    ],
)
def test_under_a_budget_of_steps_the_steps_are_fixed(steps, expected, now, tmp_path):
    """Whatever the cost; each score is a line of the log."""
    score = Script(itertools.count(), now, cost=1e4)
    trainer, selection = scored_training(tmp_path, [], score=score, budget=Budget(steps=steps))
    trainer.run()
    assert trainer.step == steps
    assert [scored.step for scored in selection.scores] == expected
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    measures = {line["step"]: line["measures"] for line in lines if line["measures"]}
    assert measures == {step: {"frechet a script": i} for i, step in enumerate(expected)}


def test_a_score_that_is_no_number_is_null_in_the_log(tmp_path):
    trainer, _ = scored_training(tmp_path, [math.inf], budget=Budget(steps=1))
    trainer.run()
    assert json.loads((tmp_path / "log.jsonl").read_text())["measures"] == {
        "frechet a script": None
    }


def with_rounds_of(seconds, now, trainer):
    """The trainer, its rounds replaced by ones that only take so long."""

    def play(progress):
        now.seconds += seconds
        trainer.step += 1

    trainer.round = play
    return trainer


@pytest.mark.parametrize("budget", [30, 120, 600])
@pytest.mark.parametrize(
    ("cost", "set_up_cost"), [(0.01, 0), (0.5, 0.3), (1.5, 1), (2.9, 2), (4, 3), (30, 10)]
)
def test_under_a_budget_of_time_scores_are_paid_for(budget, cost, set_up_cost, now, tmp_path):
    spent_at = []

    class Counting(Watching):
        def consider(self, step, clock, in_place):
            began, before = clock.seconds(), self.spent
            found = super().consider(step, clock, in_place)
            assert self.spent - before == pytest.approx(clock.seconds() - began)
            spent_at.append((began, self.spent, clock.progress(step) >= 1))
            return found

    model = Duel()
    score = Script(itertools.count(), now, cost, set_up_cost)
    selection = Counting(score, model)
    trainer = make_trainer(tmp_path, model, selection=selection, budget=Budget(seconds=budget))
    start = now.seconds
    with_rounds_of(0.2, now, trainer).run()
    allowed = COST_SHARE * budget
    needed = ESTIMATE_SECONDS, 1.1 * set_up_cost + 2.1 * cost
    assert bool(selection.scores) == all(seconds <= allowed for seconds in needed)
    assert now.seconds - start == pytest.approx(budget, abs=0.5), "scores are part of the budget"
    assert trainer.clock.seconds() >= budget, "it counts as finished"
    assert selection.spent <= max(allowed, (cost + set_up_cost) / 10) + 1e-6
    for began, spent, is_last in spent_at:
        assert is_last or not selection.scores or spent <= COST_SHARE * began + cost / 10
    if selection.scores:
        assert selection.scores[-1].step == trainer.step, "the last weights are scored, too"
        assert selection.scores[0].seconds >= MOMENTS[0] * budget
        assert 2 <= len(selection.scores) <= len(MOMENTS)
    if MOMENTS[0] * allowed > 20 * (cost + set_up_cost) + ESTIMATE_SECONDS:
        assert len(selection.scores) == len(MOMENTS), "nothing is saved where there is enough"


def test_what_is_best_stays_so_when_a_run_is_extended(now, tmp_path):
    def train(seconds, values):
        score = Script(values, now, cost=0.1)
        budget = Budget(seconds=seconds)
        trainer, selection = scored_training(tmp_path, [], score=score, budget=budget)
        trainer.resume()
        with_rounds_of(1.0, now, trainer).run()
        return selection

    first = train(100, [50, 10, 30, 30, 30, 30, 30, 30])
    assert first.kept == first.scores[1]
    longer = train(150, [40] * 8)
    assert longer.kept == first.kept
    assert torch.equal(longer.best["w"], first.best["w"])
    # 67 % of the new budget was spent: scores at 70, 80, 90 and 100 %
    assert [scored.value for scored in longer.scores] == [50, 10, 30, 30, 30, 30, 30, 30, *[40] * 4]
    beaten = train(200, [5] * 8)
    assert beaten.kept == beaten.scores[-1]
    assert [round(scored.seconds / 20) * 20 for scored in beaten.scores[12:]] == [160, 180, 200]


@pytest.mark.parametrize("stop", range(1, 10))
def test_a_selection_goes_on_where_it_was(stop, tmp_path):
    """Interrupted at any step: the same scores and the same weights in the end."""

    class Own(Script):
        def __init__(self, model):
            super().__init__([])
            self.model = model

        def __call__(self):
            return self.model.left[0].weight.square().sum().item()

    def make(folder, model=None, **settings):
        model = model or Duel()
        return scored_training(folder, [], model=model, score=Own(model), **settings)

    straight, expected = make(tmp_path / "straight")
    straight.run()

    def die(name, turn):
        if turn.step == stop:
            raise DiedError

    dying, _ = make(tmp_path / "run", Duel(on_loss=die), checkpoint_seconds=0.0)
    with pytest.raises(DiedError):
        dying.run()
    later, selection = make(tmp_path / "run")
    assert later.resume()
    assert later.step == stop
    later.run()
    pairs = [[(s.step, s.value) for s in each.scores] for each in (expected, selection)]
    assert pairs[0] == pairs[1]
    assert selection.kept is not None
    assert expected.kept is not None
    assert selection.kept.step == expected.kept.step
    assert torch.equal(selection.best["w"], expected.best["w"])


class DiedError(Exception):
    pass


# --- the score itself ---------------------------------------------------------------------


def test_the_score_is_the_distance_to_held_out_items():
    points = ring(300)[0]
    held_out = np.arange(100, 230)
    samples = ring(130, seed=1)[0]
    asked = []

    def sample(start, n):
        asked.append((start, n))
        return samples[start : start + n]

    score = FrechetScore(points, held_out, feature_space("values"), sample, 64, CPU)
    score.set_up()
    assert score.n == 130
    assert score() == pytest.approx(frechet_distance(samples, points[100:230]))
    assert asked == [(0, 64), (64, 64), (128, 2)]
    samples[7, 1] = np.nan
    assert score() == math.inf


def test_of_many_held_out_items_the_same_500_are_taken():
    points = np.arange(4000.0, dtype=np.float32).reshape(2000, 2) ** 1.1
    scores = [
        FrechetScore(
            *(points, np.arange(900), feature_space("values")),
            *(lambda start, n: points[start : start + n], 64, CPU),
        )
        for _ in range(2)
    ]
    assert scores[0].n == 500
    assert scores[0]() == scores[1]() > 0
    assert scores[0]._reference.mean[0] == pytest.approx(points[:900, 0].mean(), rel=0.1)


def test_features_are_not_rounded_as_the_networks_are():
    pictures = np.random.default_rng(0).integers(0, 256, (20, 16, 16, 1), np.uint8)
    space = "efficientnet-lite0@128"

    def sample(start, n):
        return pictures[start : start + n]

    score = FrechetScore(pictures[:10], np.arange(10), feature_space(space), sample, 64, CPU)
    expected = feature_space(space).extract(pictures[:10])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        np.testing.assert_array_equal(score._features(pictures[:10]), expected)


def test_an_estimate_is_of_the_whole(monkeypatch):
    """A block of 64 of 320 items: a fifth of the time of both."""
    seconds = iter([0.0, 3.0, 5.0])
    monkeypatch.setattr(
        "ectype.training.selection.time", SimpleNamespace(perf_counter=lambda: next(seconds))
    )
    points = ring(320)[0]
    values = feature_space("values")
    score = FrechetScore(points, np.arange(320), values, lambda start, n: points[:n], 64, CPU)
    assert score.estimate() == (10.0, 25.0)
