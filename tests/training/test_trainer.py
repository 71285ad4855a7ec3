"""The game: whose turn it is, what changes in it, and how long it goes on."""

import signal
from types import SimpleNamespace

import pytest
import torch

from ectype.config import Budget
from ectype.errors import InterruptedRun
from ectype.training import clock as clock_module
from ectype.training import trainer as module
from ectype.training.clock import Clock
from tests.training.game import ITEMS, Duel, Notes, differing, make_trainer, weights_of


@pytest.fixture
def now(monkeypatch):
    """The time in seconds, which only the test moves: `now.seconds += 1`."""
    now = SimpleNamespace(seconds=100.0)
    for each in (module, clock_module):
        monkeypatch.setattr(each, "time", SimpleNamespace(perf_counter=lambda: now.seconds))
    return now


def parameters(network):
    return {name: p.detach().clone() for name, p in network.named_parameters()}


def gradients(network):
    return {n: p.grad.clone() for n, p in network.named_parameters() if p.grad is not None}


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


@pytest.mark.parametrize(("own", "other"), [("left", "right"), ("right", "left")])
def test_a_turn_changes_only_its_players_parameters(own, other, tmp_path):
    flags = {}

    def on_loss(name, turn):
        flags[name] = {n for n, p in model.named_parameters() if p.requires_grad}

    model = Duel(on_loss=on_loss)
    trainer = make_trainer(tmp_path, model)
    players = {player.name: player for player in trainer.players}
    networks = {"left": model.left, "right": model.right}
    for rounds in range(3):
        before = parameters(networks[other]), gradients(networks[other])
        moved = parameters(networks[own])
        trainer.turn(players[own], 0.5)
        assert flags[own] == {n for n, _ in model.named_parameters() if n.startswith(own)}
        assert same(before[0], parameters(networks[other]))
        assert same(before[1], gradients(networks[other])), "it is spared the backward pass, too"
        if rounds == 0:
            assert gradients(networks[other]) == {}
        assert not any(torch.equal(moved[k], v) for k, v in parameters(networks[own]).items())
        trainer.turn(players[other], 0.5)


def test_a_gradient_is_of_this_turn_alone(tmp_path):
    model = Duel(asked={"right": {"learning_rate": lambda progress: 0.0}})
    trainer = make_trainer(tmp_path, model)
    right = trainer.players[1]
    trainer.turn(right, 0.0)
    state = trainer.generator.get_state(), trainer.batches.drawn
    trainer.turn(right, 0.0)
    second = gradients(model.right)
    trainer.turn(right, 0.0)  # whatever was before: the same noise and items, the same gradient
    trainer.generator.set_state(state[0])
    trainer.batches.drawn = state[1]
    trainer.turn(right, 0.0)
    assert same(second, gradients(model.right))


def test_the_learning_rate_follows_its_schedule(tmp_path):
    rate = {"learning_rate": lambda progress: max(0.0, 0.2 - 0.4 * progress)}
    trainer = make_trainer(tmp_path, Duel(asked={"left": rate}))
    used = []
    for step in range(10):
        before = parameters(trainer.model.left)
        trainer.round(step / 10)
        used.append([trainer.optimisers[name].param_groups[0]["lr"] for name in ("left", "right")])
        assert same(before, parameters(trainer.model.left)) == (step >= 5)
    assert used == [[pytest.approx(max(0.0, 0.2 - 0.04 * step)), 0.1] for step in range(10)]


@pytest.mark.parametrize(("most", "expected"), [(1e-3, 1e-3), (1e6, None), (None, None)])
def test_gradients_are_scaled_to_a_norm(most, expected, tmp_path):
    free = make_trainer(tmp_path / "free")
    free.turn(free.players[1], 0.0)
    bound = make_trainer(tmp_path, Duel(asked={"right": {"max_gradient_norm": most}}))
    bound.turn(bound.players[1], 0.0)
    was, now = (
        torch.cat(
            [gradient.flatten() for gradient in gradients(trainer.players[1].module).values()]
        )
        for trainer in (free, bound)
    )
    scale = 1.0 if expected is None else expected / was.norm()
    torch.testing.assert_close(now, was * scale, rtol=1e-4, atol=1e-12)


def test_players_play_when_they_say(tmp_path):
    played = []
    asked = {
        "left": {"plays": lambda progress, step: step % 3 == 0},
        "right": {"plays": lambda progress, step: progress >= 0.5},
    }
    model = Duel(asked, on_loss=lambda name, turn: played.append((turn.step, name, turn.progress)))
    trainer = make_trainer(tmp_path, model)
    trainer.run()
    left = [(step, "left", step / 10) for step in (0, 3, 6, 9)]
    right = [(step, "right", step / 10) for step in range(5, 10)]
    assert played == sorted(left + right)
    assert trainer.step == 10
    assert trainer.batches.drawn == 8 * len(played), "each turn draws its own batch"


def test_a_player_may_play_on_the_batch_of_the_one_before(tmp_path):
    seen = {"left": [], "right": []}
    model = Duel(
        {"right": {"draws": False}, "left": {"plays": lambda progress, step: step != 1}},
        on_loss=lambda name, turn: seen[name].append(turn.batch.x),
    )
    trainer = make_trainer(tmp_path, model, budget=Budget(steps=3))
    drawn = []
    for _ in range(3):
        trainer.round(0.0)
        drawn.append([(played.player, played.drawn) for played in trainer.played])
    # where nobody has played before it in the round, it draws one itself
    assert drawn == [[("left", 0), ("right", 0)], [("right", 8)], [("left", 16), ("right", 16)]]
    expected = [trainer.batches.at(trainer.batches.order(start)).x for start in (0, 8, 16)]
    assert all(map(torch.equal, seen["right"], expected))
    assert all(map(torch.equal, seen["left"], expected[::2]))


@pytest.mark.parametrize("stop_at", [2, 7])
def test_preparing_is_done_once_before_the_first_turn(stop_at, tmp_path):
    calls = []

    def make(steps):
        def prepare(items, generator):
            calls.append((trainer.step, torch.cat([batch.x for batch in items])))

        asked = {
            "right": {"prepare": prepare, "plays": lambda progress, step: step >= 5},
        }
        trainer = make_trainer(tmp_path, Duel(asked), budget=Budget(steps=steps))
        return trainer

    make(stop_at).run()
    later = make(10)
    assert later.resume()
    later.run()
    assert [step for step, _ in calls] == [5]
    seen = calls[0][1]
    assert sorted(seen.tolist()) == sorted(ITEMS.tolist()), "every training item, once"


def test_who_had_not_prepared_when_all_was_healthy_prepares_anew(tmp_path):
    calls = []
    asked = {
        "right": {
            "prepare": lambda items, generator: calls.append(trainer.step),
            "plays": lambda progress, step: step >= 3,
        }
    }
    trainer = make_trainer(tmp_path, Duel(asked))
    trainer.keep_healthy()
    for _ in range(5):
        trainer.round(0.0)
    assert calls == [3]
    trainer.roll_back()
    trainer.round(0.0)
    assert calls == [3, 5]
    trainer.keep_healthy()
    trainer.roll_back()
    trainer.round(0.0)
    assert calls == [3, 5], "now it had"


def test_what_is_trained_late_is_averaged_from_then_on(tmp_path):
    asked = {
        "left": {"prepare": lambda items, generator: None, "plays": lambda progress, step: step > 4}
    }
    trainer = make_trainer(tmp_path, Duel(asked), ema=0.5)
    trainer.run()
    assert trainer.ema.begun == {"left": 5}
    late = make_trainer(tmp_path, Duel(asked))
    assert late.resume()
    assert late.ema.begun == {"left": 5}


def test_a_run_goes_on_on_another_kind_of_device(tmp_path):
    first = make_trainer(tmp_path, budget=Budget(steps=4))
    first.run()
    state = first.state()
    state.values["device"] = "cuda"
    state.tensors["random.training"] = torch.zeros(16, dtype=torch.uint8)  # as large as CUDA's
    notes = Notes()
    later = make_trainer(tmp_path, reporter=notes)
    later.load_state(state)
    assert later.step == 4
    assert notes.notes == ["going on on cpu: the noise is not what it would have been"]


def test_a_clock_of_steps(now):
    clock = Clock(Budget(steps=8))
    clock.start()
    assert [clock.progress(step) for step in (0, 2, 8, 9)] == [0, 0.25, 1, 1]
    now.seconds += 1000
    assert clock.progress(2) == 0.25
    assert clock.seconds() == 1000


def test_a_clock_of_seconds_counts_all_sessions(now):
    clock = Clock(Budget(seconds=40), seconds=10)
    now.seconds += 1000  # it stands still until it is started
    clock.start()
    assert clock.progress(10**9) == 0.25
    now.seconds += 10
    assert (clock.seconds(), clock.progress(0)) == (20, 0.5)
    now.seconds += 100
    assert clock.progress(0) == 1


def one_second_a_round(now, preview=None):
    """A model whose rounds take a second each."""

    def on_loss(name, turn):
        if name == "right":
            now.seconds += 1

    return Duel(on_loss=on_loss)


def test_a_budget_of_time_is_spent_and_can_be_extended(now, tmp_path):
    first = make_trainer(tmp_path, one_second_a_round(now), budget=Budget(seconds=6))
    first.run()
    assert first.step == 6
    now.seconds += 1000  # between two sessions
    second = make_trainer(tmp_path, one_second_a_round(now), budget=Budget(seconds=8))
    assert second.resume()
    assert differing(weights_of(first), weights_of(second)) == []
    assert second.clock.progress(second.step) == 0.75
    second.run()
    assert second.step == 8
    assert differing(weights_of(first), weights_of(second))


def test_an_extension_of_steps_only_differs_by_its_schedules(tmp_path):
    straight = make_trainer(tmp_path / "straight")
    straight.run()
    make_trainer(tmp_path / "grown", budget=Budget(steps=4)).run()
    grown = make_trainer(tmp_path / "grown", budget=Budget(steps=10))
    assert grown.resume()
    grown.run()
    assert differing(weights_of(straight), weights_of(grown)) == []


def test_previews_show_the_averaged_weights(tmp_path):
    seen = []

    def preview(step):
        training = {m.training for m in trainer.model.modules()}
        seen.append((step, training, parameters(trainer.model.left)))

    trainer = make_trainer(tmp_path, preview=preview, ema=0.5)
    trainer.run()
    assert [step for step, *_ in seen] == list(range(1, 11))
    assert all(training == {False} for _, training, _ in seen)
    assert all(m.training for m in trainer.model.modules())
    shown = seen[-1][2]
    assert same(shown, parameters(trainer.ema.average["left"]))
    assert not same(shown, parameters(trainer.model.left))


def test_previews_of_a_long_run(now, tmp_path):
    """One within the first minute, then at shares of the budget; not again after a resume."""
    steps = []

    def make(seconds):
        def on_loss(name, turn):
            now.seconds += 5

        return make_trainer(
            tmp_path,
            Duel(on_loss=on_loss),
            budget=Budget(seconds=seconds),
            preview=steps.append,
            checkpoint_seconds=1e9,
        )

    make(5000).run()
    # a round takes 10 s: the first after 30 s, then at 1, 2, 5, 10 … 100 %
    assert steps == [4, 5, 10, 25, *range(50, 501, 50)]
    steps.clear()
    extended = make(5100)
    assert extended.resume()
    extended.run()
    assert steps == [510]


def test_a_signal_that_comes_at_the_very_end_is_not_lost(tmp_path):
    def preview(step):
        if step == 10:
            signal.raise_signal(signal.SIGTERM)

    trainer = make_trainer(tmp_path, preview=preview)
    with pytest.raises(InterruptedRun, match="stopped at step 10 and saved"):
        trainer.run()
    assert make_trainer(tmp_path).resume()


@pytest.mark.parametrize("counted", ["seconds", "steps"])
def test_dear_previews_are_left_out_of_a_budget_of_time(now, tmp_path, counted):
    steps = []

    def on_loss(name, turn):
        now.seconds += 0.5

    def preview(step):
        steps.append(step)
        now.seconds += 3

    budget = Budget(**{counted: 400})
    make_trainer(tmp_path, Duel(on_loss=on_loss), budget=budget, preview=preview).run()
    if counted == "steps":
        assert steps == [4, 8, 20, *range(40, 401, 40)]
    else:  # those due after 4, 120, 200, 320 and 400 s; 3, 6 and 9 s are 3% of 100, 200 and 300
        assert steps == [4, 117, 194, 311, 388]
