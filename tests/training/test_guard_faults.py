"""Faults put into whole fits, of both families: each is named, and undone where that can be."""

import dataclasses
import json
import math

import numpy as np
import pytest
import torch

from ectype.errors import DataError, DivergedError
from ectype.fitting import fit
from ectype.models.gan import Gan
from ectype.models.vae import Vae
from ectype.training import telling
from ectype.training.ema import ExponentialAverage
from ectype.training.guard import guard as module
from tests.contract.points import Points, ring

FAMILIES = ["gan", "vae"]
#: The player whose loss is tampered with.
PLAYERS = {"gan": "generator", "vae": "autoencoder"}
#: With the KL at its full weight a VAE on two numbers an item does collapse, as the guard says.
WELL = {"vae.beta": 0.1, "training.batch": 32}


@pytest.fixture
def train(tmp_path, monkeypatch):
    """Fit points; returns the run's folder, its events and its last losses."""
    monkeypatch.setattr(module, "CHECK", 32)
    monkeypatch.setattr(module, "LOOK", 32)
    monkeypatch.setattr(telling, "TICK_SECONDS", 0.05)  # the last line is of the last steps

    def train(family, steps=160, source=None, **settings):
        source = ring(400)[0] if source is None else source
        asked = {**WELL, **{k.replace("__", "."): v for k, v in settings.items()}}
        fit(
            source,
            model=family,
            steps=steps,
            out=tmp_path / "run",
            domain=Points(),
            settings=asked,
            device="cpu",
        )
        return tmp_path / "run"

    return train


def events(folder):
    path = folder / "events.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def last_losses(folder):
    return json.loads((folder / "log.jsonl").read_text().splitlines()[-1])["losses"]


def tamper(monkeypatch, family, change):
    """Let `change(turn, loss, player's module)` replace the loss of the family's player."""
    model, name = (Gan, "generator_loss") if family == "gan" else (Vae, "autoencoder_loss")
    original = getattr(model, name)

    def loss(self, turn):
        value, log = original(self, turn)
        part = self.generator if family == "gan" else self.decoder
        value = change(turn, value, part)
        return value, {**log, "loss": value} if family == "gan" else log

    monkeypatch.setattr(model, name, loss)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_healthy_training_raises_no_event(family, train):
    assert events(train(family, steps=512)) == []


@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_no_number_in_the_data_is_named(family, train):
    points = ring(400)[0]
    order = np.random.default_rng(0).permutation(400)
    bad = sorted(order[-2:].tolist())  # of the training part
    points[bad] = math.nan
    with pytest.raises(DataError, match=r"no numbers: items \d+.*counted from 0") as error:
        train(family, source=points)
    named = {int(word) for word in error.value.message.replace(",", " ").split() if word.isdigit()}
    assert named - {0} <= set(bad)
    assert error.value.exit_code == 3


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_no_number_is_undone(family, value, train, monkeypatch):
    tamper(monkeypatch, family, lambda turn, loss, part: loss * value if turn.step == 70 else loss)
    (event,) = events(train(family))
    assert (event["event"], event["step"], event["since"]) == ("not_finite", 96, 71)
    assert (event["player"], event["figure"]) == (PLAYERS[family], "loss")
    assert "went back to the last healthy weights" in event["what"]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_gradient_that_is_no_number_is_undone(family, train, monkeypatch):
    def change(turn, loss, part):
        if turn.step == 70:
            weight = next(part.parameters())
            loss = loss + 0 * weight.sum()  # takes part in the backward pass in any case
            weight.register_hook(lambda gradient: gradient * math.nan)
        return loss

    tamper(monkeypatch, family, change)
    first = events(train(family, steps=96))[0]
    assert (first["event"], first["step"], first["since"]) == ("not_finite", 96, 71)
    assert (first["player"], first["figure"]) == (PLAYERS[family], "gradient")


@pytest.mark.parametrize("family", FAMILIES)
def test_an_average_that_is_no_number_is_undone(family, train, monkeypatch):
    original = ExponentialAverage.update

    def update(self):
        original(self)
        if self.updates == 70:
            with torch.no_grad():
                next(self.average.parameters()).view(-1)[0] = math.nan

    monkeypatch.setattr(ExponentialAverage, "update", update)
    (event,) = events(train(family))
    assert (event["event"], event["step"]) == ("not_finite", 96)
    assert event["weight"].startswith("ema.")
    assert "an averaged weight of the" in event["what"]


@pytest.mark.parametrize("family", FAMILIES)
def test_what_cannot_be_undone_ends_with_a_diagnosis(family, train, monkeypatch, tmp_path):
    tamper(
        monkeypatch, family, lambda turn, loss, part: loss * math.nan if turn.step > 40 else loss
    )
    with pytest.raises(DivergedError, match=f"the {PLAYERS[family]}'s loss became") as error:
        train(family, steps=400)
    assert error.value.exit_code == 4
    assert [event["event"] for event in events(tmp_path / "run")] == [
        *(["not_finite"] * 3),
        "given_up",
    ]


@pytest.mark.parametrize(
    ("family", "rate", "lost", "recovered"),
    [
        # both stand a rate that is a hundred times too high: there are but two numbers an item
        (
            "gan",
            {"gan__learning_rate": 1.0, "gan__generator_rate": 1.0},
            "discriminator",
            ("discriminator/margin", 3),
        ),
        ("vae", {"vae__learning_rate": 3.0}, "autoencoder", ("autoencoder/kl", 30)),
    ],
)
def test_a_rate_that_is_too_high_is_lowered(family, rate, lost, recovered, train):
    folder = train(family, steps=480, **rate)
    found = events(folder)
    assert {event["event"] for event in found} == {"explosion"}
    assert found[0]["player"] == lost
    slower = {"gan": "discriminator ×0.1, generator ×0.33", "vae": "autoencoder ×0.1"}
    assert f"lowered learning rates ({slower[family]}" in found[0]["what"]
    figure, most = recovered
    assert abs(last_losses(folder)[figure]) < most


@pytest.mark.parametrize("family", FAMILIES)
def test_items_that_are_nearly_identical_are_named(family, train):
    noise = np.random.default_rng(0).standard_normal((60, 2))
    points = (ring(1)[0] + 0.001 * noise).astype(np.float32)
    (event,) = events(train(family, source=points))
    assert event["event"] == "alike"
    assert "nearly identical" in event["what"]


def test_a_collapsed_posterior_is_opened_again(train):
    folder = train("vae", steps=900, vae__beta=100.0)
    first = events(folder)[0]
    assert (first["event"], first["step"]) == ("posterior_collapse", 128)
    assert "raised free bits to 0.1" in first["what"]
    assert last_losses(folder)["autoencoder/reconstruction"] < 2.5, "3.53 without any information"


def strong_discriminator(monkeypatch, factor, generator=1.0):
    """Multiply the players' learning rates."""
    original = Gan.players.fget
    assert original is not None

    def players(self):
        factors = (factor, generator)
        return tuple(
            dataclasses.replace(
                player, learning_rate=lambda p, f=f, rate=player.learning_rate: f * rate(p)
            )
            for player, f in zip(original(self), factors, strict=True)
        )

    monkeypatch.setattr(Gan, "players", property(players))


def test_the_default_game_weathers_a_strong_discriminator(train, monkeypatch):
    strong_discriminator(monkeypatch, 10)
    assert events(train("gan", steps=320)) == []


def test_a_discriminator_that_always_overshoots_is_slowed_three_times_and_watched_on(
    train, monkeypatch
):
    monkeypatch.setattr(module.symptoms, "overshot", lambda turns: (1640.0, 6.5))
    monkeypatch.setattr(module.symptoms, "LOST", 1e9)
    found = events(train("gan", steps=256))
    assert [event["event"] for event in found] == [*["overshoot"] * 3, "lost_diversity"]
    assert [event["step"] for event in found] == [32, 64, 96, 224]
    assert "its gradient was as long as 1,640 in single steps" in found[0]["what"]
    assert "lowered learning rates (discriminator ×0.016, generator ×1)" in found[2]["what"]


def test_a_generator_that_does_not_follow_ends_with_a_diagnosis(train, monkeypatch, tmp_path):
    strong_discriminator(monkeypatch, 1, generator=0.0)
    with pytest.raises(DivergedError, match="the same item from every noise"):
        train("gan", steps=600)
    found = events(tmp_path / "run")
    assert [event["event"] for event in found] == [*(["lost_diversity"] * 3), "given_up"]
    assert "raised the gradient penalty (×64)" in found[2]["what"]


def test_a_generator_that_makes_two_of_eight_modes_is_named(train, monkeypatch):
    """Two opposite ones: the distance between items is as large as that of real ones."""
    decode = Gan.decode

    def collapsed(self, z, label):
        side = torch.sign(decode(self, z, label)[:, :1])
        return torch.cat([2 * side, torch.zeros_like(side)], 1) + 0.01 * z[:, :2]

    monkeypatch.setattr(Gan, "decode", collapsed)
    with pytest.raises(DivergedError, match="lost most kinds of items"):
        train("gan", steps=600)


def test_a_saturated_discriminator_is_held_back(train, monkeypatch):
    """Its penalty is too light to keep it from winning against a generator that lags behind."""
    strong_discriminator(monkeypatch, 30, generator=0.01)
    monkeypatch.setattr(module.symptoms, "LOST", 0.0)
    monkeypatch.setattr(module.symptoms, "FEW", 0.0)
    folder = train("gan", steps=900, gan__gamma=1e-9)
    found = events(folder)
    assert {event["event"] for event in found} == {"saturation"}
    assert [event["try"] for event in found] == [*range(1, len(found) + 1)]
    assert len(found) <= 3, "then it lets it be"
    assert "raised the gradient penalty (×4)" in found[0]["what"]
    assert (folder / "model.safetensors").exists()
