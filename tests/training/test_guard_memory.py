"""Turns that run out of memory: cut into pieces, to the same result."""

import itertools
import json
import weakref

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from ectype.config import GanSettings, VaeSettings
from ectype.errors import DivergedError
from ectype.fitting import fit
from ectype.models import penalties
from ectype.models.base import Batch, Turn
from ectype.models.gan import Gan
from ectype.models.likelihoods import Gaussian
from ectype.models.vae import Vae
from ectype.nets.augment import PictureAugmentation
from ectype.nets.pieces import in_pieces
from ectype.training.guard.memory import is_out_of_memory
from tests.contract.points import Perceptron, Points, ring
from tests.training.game import make_trainer

N, SIZE = 10, 8


class Critic(nn.Module):
    """Pictures (n, 3, 8, 8) and labels (n,) to a number each."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 4, 3, 2, 1), nn.SiLU(), nn.Conv2d(4, 6, 3, 2, 1), nn.SiLU(), nn.Flatten()
        )
        self.label, self.out = nn.Embedding(3, 24), nn.Linear(24, 1)

    def forward(self, x, label):
        return self.out(self.body(x) + self.label(label)).squeeze(1)


class Painter(nn.Module):
    """Noise or latents (n, 5) to pictures."""

    def __init__(self, norm=False):
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(5, 24),
            nn.Unflatten(1, (6, 2, 2)),
            nn.BatchNorm2d(6) if norm else nn.SiLU(),
            nn.Upsample(scale_factor=4),
            nn.Conv2d(6, 3, 3, 1, 1),
            nn.Tanh(),
        )

    def forward(self, z, label):
        del label
        return self.body(z)


class Reader(nn.Module):
    """Pictures to means and log-variances (n, 5)."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(3 * SIZE * SIZE, 10))

    def forward(self, x, label):
        del label
        return self.body(x).chunk(2, 1)


def turn(step=0):
    generator = torch.Generator().manual_seed(1)
    x = torch.rand(N, 3, SIZE, SIZE, generator=generator) * 2 - 1
    label = torch.randint(3, (N,), generator=generator)
    return Turn(Batch(x, label), 0.2, step, torch.Generator().manual_seed(2))


def gan(norm=False, **settings):
    torch.manual_seed(0)
    return Gan(
        Painter(norm),
        Critic(),
        GanSettings(latent=5, augment=0.5, **settings),
        classes=3,
        gamma=6.0,
        augmentation=PictureAugmentation(3),
    )


def vae(free_bits):
    torch.manual_seed(0)
    settings = VaeSettings(latent=5, free_bits=free_bits)
    likelihood = Gaussian(2, limit=1.0, groups=(1, 2))
    return Vae(Reader(), Painter(), likelihood, None, settings, classes=3)


def outcome(model, index, pieces):
    """Loss, log, gradients, buffers and the state of the noise after a player's turn."""
    model.pieces = pieces
    player = model.players[index]
    model.requires_grad_(False)
    player.module.requires_grad_(True)
    taken = turn()
    loss, log = player.loss(taken)
    loss.backward()
    gradients = [p.grad for p in player.module.parameters()]
    assert None not in gradients
    return [loss, *log.values(), *gradients, *model.buffers(), taken.generator.get_state()]


def assert_same(make, index, atol=1e-6):
    whole = outcome(make(), index, 1)
    for pieces in (2, 4, N):
        cut = outcome(make(), index, pieces)
        torch.testing.assert_close(cut, whole, atol=atol, rtol=1e-5)


@pytest.mark.parametrize("free_bits", [0.0, 0.05])
def test_a_vae_in_pieces_learns_the_same(free_bits):
    """The variances in closed form and free bits are statistics of the whole batch."""
    assert_same(lambda: vae(free_bits), 0)


@pytest.mark.parametrize("index", [0, 1])
@pytest.mark.parametrize("norm", [False, True])
def test_a_gan_in_pieces_learns_the_same(index, norm):
    """A generator that normalises over the batch is not cut; its running statistics agree too."""
    assert_same(lambda: gan(norm), index)


@pytest.mark.parametrize("norm", [False, True])
def test_a_generator_whose_turn_is_repeated_learns_the_same(norm):
    """The items that the discriminator's turn left are made anew, in pieces, from their noise."""

    def learned(pieces, failed):
        model = gan(norm)
        outcome(model, 0, 1)
        assert model._round is not None
        left = model._round.fake
        if failed:
            model.generator_loss(turn())
        loss, *others = outcome(model, 1, pieces)
        gradients = others[1 : 1 + len(list(model.generator.parameters()))]
        return [loss, *gradients, left]

    whole = learned(1, failed=False)
    for pieces in (1, 2, N):
        torch.testing.assert_close(learned(pieces, failed=True), whole, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize(
    ("penalty", "form"),
    [*itertools.product(["r1", "r2"], ["exact", "finite_difference"]), ("gp", "exact")],
)
def test_every_penalty_in_pieces_is_the_same(penalty, form, monkeypatch):
    monkeypatch.setattr(penalties, "SIGMA", 1.0)  # differences of near neighbours are rounded
    atol = 1e-6 if form == "exact" else 1e-5
    assert_same(lambda: gan(penalty=penalty, penalty_form=form), 0, atol)


def test_what_mixes_items_is_not_cut():
    model = gan(norm=True)
    model.pieces = 4
    assert (model.pieces_of(model.generator), model.pieces_of(model.discriminator)) == (1, 4)


def test_a_network_in_pieces_keeps_one_piece_at_a_time():
    alive, most = [], [0]

    class Network(nn.Module):
        def forward(self, x, label):
            del label
            hidden = 2 * x  # kept by the sine for its gradient
            alive.append(weakref.ref(hidden))
            held = sum(len(each()) for each in alive if each() is not None)
            most[0] = max(most[0], held)
            return hidden.sin()

    def peak(pieces):
        alive.clear()
        most[0] = 0
        x = torch.ones(16, 3, requires_grad=True)
        in_pieces(Network(), pieces, x, None).sum().backward()
        torch.testing.assert_close(x.grad, 2 * (2 * torch.ones(16, 3)).cos())
        return most[0]

    assert [peak(pieces) for pieces in (1, 2, 4, 16)] == [16, 8, 4, 1]


def test_how_torch_says_that_memory_is_short():
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate"))
    with pytest.raises(RuntimeError) as error:
        torch.empty(2**60, dtype=torch.uint8)
    assert is_out_of_memory(error.value)
    assert not is_out_of_memory(RuntimeError("shape '[2]' is invalid for input of size 3"))


# --- whole fits ------------------------------------------------------------------------------


@pytest.fixture
def limited(monkeypatch):
    """Let networks in training take so many items at a time and no more."""

    def limit(most):
        original = Perceptron.forward

        def forward(self, x, label):
            if torch.is_grad_enabled() and len(x) > most:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
            return original(self, x, label)

        monkeypatch.setattr(Perceptron, "forward", forward)

    return limit


def train(folder, family, steps=6):
    fit(
        ring(400)[0],
        model=family,
        steps=steps,
        out=folder,
        domain=Points(),
        settings={"training.batch": 32, "training.select": "last"},
        device="cpu",
    )
    path = folder / "events.jsonl"
    events = path.read_text().splitlines() if path.exists() else []
    return [json.loads(line) for line in events]


def weights(folder):
    tensors = load_file(folder / "model.safetensors")
    return {name: value for name, value in tensors.items() if not name.startswith("prior.")}


@pytest.mark.parametrize(("family", "halvings"), [("gan", [16, 8, 4]), ("vae", [16, 8])])
def test_a_turn_without_room_is_repeated_in_pieces(family, halvings, limited, tmp_path):
    assert train(tmp_path / "whole", family) == []
    limited(8)  # a discriminator sees a batch of real items and one of generated ones at once
    events = train(tmp_path / "cut", family)
    assert [event["event"] for event in events] == ["out_of_memory"] * len(halvings)
    assert [event["items_at_a_time"] for event in events] == halvings
    assert {event["step"] for event in events} == {0}, "what was found to fit is kept"
    assert "batches of 32 now pass through the networks 16 at a time" in events[0]["what"]
    torch.testing.assert_close(
        weights(tmp_path / "cut"), weights(tmp_path / "whole"), atol=1e-5, rtol=1e-4
    )


@pytest.mark.parametrize("family", ["gan", "vae"])
def test_what_never_fits_ends_with_a_diagnosis(family, limited, tmp_path):
    limited(0)
    with pytest.raises(DivergedError, match=r"out of memory at step 0.*even where only one") as e:
        train(tmp_path, family)
    assert e.value.exit_code == 4
    assert "training.batch" in str(e.value.hint)
    kinds = [
        json.loads(line)["event"] for line in (tmp_path / "events.jsonl").read_text().splitlines()
    ]
    assert kinds == ["out_of_memory"] * 5 + ["given_up"]


def test_the_cut_is_part_of_a_checkpoint(tmp_path):
    trainer = make_trainer(tmp_path)
    trainer.model.pieces = 4
    again = make_trainer(tmp_path)
    again.load_state(trainer.state())
    assert again.model.pieces == 4


def test_another_fault_is_no_lack_of_memory(monkeypatch, tmp_path):
    def forward(self, x, label):
        raise RuntimeError("a fault of another kind")

    monkeypatch.setattr(Perceptron, "forward", forward)
    with pytest.raises(RuntimeError, match="another kind"):
        train(tmp_path, "vae")
