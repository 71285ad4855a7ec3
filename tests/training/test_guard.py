"""What the guard's detectors see, and that its decisions repeat."""

import json
import math
import os
import signal

import pytest
import torch
from torch import nn

from ectype.config import Budget
from ectype.errors import DivergedError, InterruptedRun
from ectype.models.base import Batch
from ectype.training.guard import Guard, symptoms
from ectype.training.guard import guard as module
from ectype.training.guard.symptoms import Figures, Typical
from tests.contract.points import ring
from tests.training.game import Duel, Notes, differing, make_trainer, weights_of


def turns(step=0, n=5, player="autoencoder", **values):
    return [Figures(player, step + i, 0, values) for i in range(n)]


def events(folder):
    path = folder / "events.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


#: KL in nats of a VAE on 300 emoji whose samples became garbage while its reconstruction stayed
#: finite, about every 32 steps; and of healthy ones, from the first windows to the last.
EXPLODED = [75, 25, 13, 22, 170, 390, 480, 577, 580, 600, 4e3, 6e4, 1e6, 4e8, 2e10]
HEALTHY = [
    [0.004, 0.02, 0.7, 3.9, 11.7, 11.5],
    [75, 25, 13, 22, 60, 158, 230, 401],
    [57, 46, 30, 14, 1.1, 0.58, 2, 88],
]


def first_alarm(figure, series):
    typical = Typical()
    for i, value in enumerate(series):
        _, orders = typical.excess(turns(**{figure: value}))[f"autoencoder/{figure}"]
        if orders >= symptoms.EXPLODED:
            return i
    return None


def test_an_explosion_is_seen_while_it_rises():
    assert first_alarm("kl", EXPLODED) == EXPLODED.index(6e4)
    assert first_alarm("kl", [3e5]) == 0, "a rate that is too high from the first step on"


@pytest.mark.parametrize("series", HEALTHY)
def test_a_healthy_rise_is_no_explosion(series):
    assert first_alarm("kl", series) is None


def test_a_penalty_explodes_from_smaller_numbers():
    """Medians of a discriminator at ten times its rate, on pictures; and of healthy games."""
    assert first_alarm("penalty", [0.4, 2.4e3]) == 1
    assert first_alarm("penalty", [0.4, 29, 13]) is None
    assert first_alarm("kl", [0.4, 2.4e3]) is None


def test_a_reconstruction_is_taken_as_it_comes():
    """Pictures of 256 by 256 have two hundred thousand values; a bound also passes through 0."""
    assert first_alarm("reconstruction", [2.8e5, 1.1e5, 900, 0.01, -4e4, -2e5]) is None


def test_one_odd_batch_is_no_alarm():
    typical = Typical()
    window = [*turns(kl=9.0, n=31), *turns(kl=1e30, n=1)]
    assert typical.excess(window)["autoencoder/kl"][1] == 0


#: The longest gradients of a discriminator in its first 64 turns on pictures and their median: at
#: ten times its rate with three seeds, and at its own.
OVERSHOT = [
    ([4532.6, 753.9, 711.8, 409.8, 184.6], 6.8),
    ([1639.8, 818.8, 280.8, 241.6, 226.8], 6.5),
    ([15556.0, 1541.1, 792.8, 734.5, 693.3], 12.8),
]
SOUND = ([19.5, 18.6, 10.5, 9.1, 8.9], 2.9)


def game(longest, typical, n=64):
    lengths = [*longest, *[typical] * (n - len(longest))]
    return [t for length in lengths for t in turns(n=1, margin=0.3, gradient=length)]


def test_a_discriminator_that_overshoots_is_seen():
    for longest, typical in OVERSHOT:
        assert symptoms.overshot(game(longest, typical)) == (longest[0], typical)
    assert symptoms.overshot(game(*SOUND)) is None


def test_a_few_odd_steps_or_large_gradients_throughout_are_no_overshooting():
    assert symptoms.overshot(game([1e6] * 4, 5.0)) is None
    assert symptoms.overshot(game([4e4] * 9, 1e4)) is None
    assert symptoms.overshot(turns(n=64, gradient=1.0) + turns(n=9, gradient=1e6)) is None
    assert symptoms.overshot(game([1e6] * 5, 5.0, n=8)) is None, "too few turns to say"


def test_the_first_figure_that_is_not_finite_is_named():
    found = symptoms.not_finite(
        [
            *turns(0, gradient=1.0, loss=1.0),
            *turns(7, n=1, gradient=math.inf, loss=2.0),
            *turns(8, n=1, gradient=math.nan, loss=math.nan),
        ]
    )
    assert found is not None
    assert (found[0].step, found[1]) == (7, "gradient")
    (turn,) = turns(3, n=1, gradient=math.nan, loss=math.nan)
    assert symptoms.not_finite([turn]) == (turn, "loss"), "its gradient follows from it"


def test_where_a_tensor_belongs():
    assert symptoms.place_of("model.generator.0.weight") == "a weight of the generator"
    assert symptoms.place_of("ema.decoder.bias") == "an averaged weight of the decoder"
    place = symptoms.place_of("optimiser.discriminator.1.weight.exp_avg")
    assert place == "a moment of the discriminator's optimiser"


def test_spread_is_the_mean_distance():
    items = torch.tensor([[0.0, 0.0], [3.0, 4.0], [0.0, 0.0]])
    assert symptoms.spread(items) == pytest.approx(10 / 3)


def test_items_are_alike_by_their_distance_against_their_length():
    noise = torch.randn(60, 100, generator=torch.Generator().manual_seed(0))
    one = noise[0]
    assert symptoms.are_alike(one + 0.01 * noise)
    assert not symptoms.are_alike(one + 0.2 * noise)
    assert not symptoms.are_alike(noise)
    assert symptoms.are_alike(noise[:1]), "there is nothing it could differ from"


def test_generating_for_a_look_leaves_the_model_as_it_was():
    model = Duel().train()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    with torch.inference_mode():
        model.eval()
        made = model.decode(*model.draw_block(0, 0, None, 1.0))
        model.train()
    assert torch.equal(symptoms.generated(model, 20), made[:20])
    assert model.training
    assert differing(before, model.state_dict()) == []


def test_kinds_are_those_of_well_separated_items():
    points, mode = ring(256, modes=16)
    centres = symptoms.kinds(torch.from_numpy(points))
    assert centres.shape == (16, 2)
    near = torch.cdist(torch.from_numpy(points), centres).argmin(1)
    # every kind lies within one mode, so what shows a quarter of the modes shows few kinds
    for kind in near.unique():
        assert len(set(mode[near == kind])) <= 2
    assert symptoms.share_of_kinds(torch.from_numpy(points), centres) == 1.0
    few = torch.from_numpy(points[mode < 2])
    assert symptoms.share_of_kinds(few, centres) <= 0.25
    assert len(symptoms.kinds(torch.from_numpy(points[:20]))) == 5, "four items a kind"


def test_active_units_are_latents_that_differ_between_items():
    class Encoder(nn.Module):
        def encode(self, x, label):
            del label
            return torch.stack([x[:, 0], 0.05 * x[:, 1], torch.ones(len(x))], 1)

    x = torch.randn(64, 2, generator=torch.Generator().manual_seed(0))
    assert symptoms.active_units(Encoder(), Batch(x, None)) == 1


def test_a_discriminator_is_saturated_when_it_no_longer_errs():
    def seen(loss, margin):
        return symptoms.is_saturated(turns(player="discriminator", loss=loss, margin=margin))

    assert seen(1e-5, 11.0)
    assert not seen(0.025, 4.4), "the strongest of a healthy run"
    assert not seen(1e-5, 0.0), "a Wasserstein game at a draw"
    assert not seen(-2.2, 2.2), "and one that the critic is winning, as it should"
    assert not symptoms.is_saturated(turns(kl=1.0, loss=1e-5)), "there is none"


@pytest.fixture
def often(monkeypatch):
    """Checks at every fourth step and looks at every eighth."""
    monkeypatch.setattr(module, "CHECK", 4)
    monkeypatch.setattr(module, "LOOK", 8)


def lost_at(*steps, value=math.nan):
    return lambda name, turn: (
        value if (name, turn.step) in {("left", step) for step in steps} else None
    )


@pytest.mark.parametrize("stop_at", [19, 21, 22, 24, 26, 38])
def test_a_repaired_training_resumes_to_the_bit(stop_at, often, tmp_path):
    """Interrupted before the fault, with a damaged state, and after the repair."""

    def make(folder, on_loss):
        trainer = make_trainer(
            folder, Duel(on_loss=on_loss), budget=Budget(steps=40), controllers=(Guard(),)
        )
        trainer.resume()
        return trainer

    def stopping(name, turn):
        if (name, turn.step) == ("right", stop_at):
            os.kill(os.getpid(), signal.SIGINT)
        return lost(name, turn)

    lost = lost_at(21, 22)
    straight = make(tmp_path / "straight", lost)
    straight.run()
    cut = make(tmp_path / "cut", stopping)
    with pytest.raises(InterruptedRun) as error:
        cut.run()
    damaged = stop_at in (21, 22)
    assert ("and not saved: damaged" in error.value.message) == damaged
    again = make(tmp_path / "cut", lost)
    assert again.step == (0 if damaged else stop_at + 1)
    again.run()
    assert differing(weights_of(straight), weights_of(again)) == []
    assert again.rates == straight.rates == {"left": 0.5, "right": 0.5}
    assert events(tmp_path / "cut") == events(tmp_path / "straight")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_lost_loss_is_undone(value, often, tmp_path):
    notes = Notes()
    model = Duel(on_loss=lost_at(21, value=value))
    trainer = make_trainer(
        tmp_path, model, budget=Budget(steps=32), controllers=(Guard(),), reporter=notes
    )
    healthy = {}

    keep, back = trainer.keep_healthy, trainer.roll_back

    def keeping():
        keep()
        healthy.clear()
        healthy.update(weights_of(trainer))

    def going_back():
        back()
        assert differing(healthy, weights_of(trainer)) == []

    trainer.keep_healthy, trainer.roll_back = keeping, going_back
    trainer.run()
    (event,) = events(tmp_path)
    assert {k: event[k] for k in ("event", "step", "player", "figure", "since", "try")} == {
        "event": "not_finite",
        "step": 24,
        "player": "left",
        "figure": "loss",
        "since": 22,
        "try": 1,
    }
    assert event["what"] in notes.notes, "it is shown"
    assert all(torch.isfinite(value).all() for value in weights_of(trainer).values())


def test_after_three_answers_it_gives_up(often, tmp_path):
    model = Duel(on_loss=lambda name, turn: math.nan if turn.step >= 20 else None)
    trainer = make_trainer(
        tmp_path,
        model,
        budget=Budget(steps=100),
        controllers=(Guard(),),
    )
    with pytest.raises(DivergedError, match="the left's loss became infinite or not a number") as e:
        trainer.run()
    assert e.value.exit_code == 4
    assert e.value.where == str(tmp_path)
    assert "learning rate" in str(e.value.hint)
    kinds = [(event["event"], event.get("try")) for event in events(tmp_path)]
    assert kinds == [*(("not_finite", i) for i in (1, 2, 3)), ("given_up", None)]
    assert trainer.rates == {"left": 1 / 128, "right": 1 / 128}
