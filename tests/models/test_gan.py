"""The adversarial game: what each player's loss is made of, and whom it reaches."""

import copy
import math
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ectype.config import GanSettings
from ectype.models.base import Batch, Turn
from ectype.models.games import GAMES
from ectype.models.gan import SETTLING_BLOCKS, Gan, chosen_rates
from ectype.models.penalties import SIGMA
from ectype.nets.augment import Augmentation, Transform
from tests.models.numeric import Judge, jacobian_norms, seeded

LATENT, CLASSES, GAMMA = 4, 3, 6.0
LABEL = torch.tensor([0, 2, 1, 2, 0])


class Maker(nn.Module):
    """Noise (n, 4) and labels to items (n, 2, 3)."""

    def __init__(self):
        super().__init__()
        self.body, self.label = nn.Linear(LATENT, 6), nn.Embedding(CLASSES, 6)

    def forward(self, z: Tensor, label: Tensor | None) -> Tensor:
        x = self.body(z) if label is None else self.body(z) + self.label(label)
        return torch.tanh(x).unflatten(1, (2, 3))


class NormalisedMaker(nn.Module):
    """Two batch normalisations, the second of which sees what the first put out."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(LATENT, 12),
            nn.Unflatten(1, (3, 2, 2)),
            nn.BatchNorm2d(3),
            nn.LeakyReLU(),
            nn.Conv2d(3, 5, 1),
            nn.BatchNorm2d(5),
        )

    def forward(self, z: Tensor, label: Tensor | None) -> Tensor:
        assert label is not None
        return self.layers(z + label[:, None])


class Scaled(nn.Module):
    """A judge of items that are multiplied by a factor first."""

    def __init__(self, judge: nn.Module, factor: float):
        super().__init__()
        self.judge, self.factor = judge, factor

    def forward(self, x: Tensor, label: Tensor | None) -> Tensor:
        return self.judge(self.factor * x, label)


def game(
    generator: nn.Module | None = None,
    augmentation: Augmentation | None = None,
    **settings: Any,
) -> Gan:
    torch.manual_seed(0)
    return Gan(
        generator or Maker(),
        Judge(),
        GanSettings(latent=LATENT, **settings),
        classes=CLASSES,
        gamma=GAMMA,
        augmentation=augmentation,
    )


def turn(step: int = 0, progress: float = 0.0, label: Tensor | None = LABEL) -> Turn:
    x = torch.randn(len(LABEL), 2, 3, generator=seeded(1))
    return Turn(Batch(x, label), progress, step, seeded(2))


def fakes(gan: Gan, label: Tensor | None = LABEL) -> Tensor:
    """What the generator makes of the noise of `turn`."""
    with torch.no_grad():
        return gan.generator(torch.randn(len(LABEL), LATENT, generator=seeded(2)), label)


def slow_penalty(gan: Gan, kind: str, label: Tensor | None) -> Tensor:
    real, fake = turn().batch.x, fakes(gan, label)
    if kind == "gp":
        generator = seeded(2)
        torch.randn(len(LABEL), LATENT, generator=generator)  # the noise that is drawn before
        share = torch.rand(len(LABEL), 1, 1, generator=generator)
        between = share * real + (1 - share) * fake
        return (jacobian_norms(gan.discriminator, between, label).sqrt() - 1).square().mean()
    parts = {"r1": [real], "r2": [fake], "r1+r2": [real, fake], "none": []}[kind]
    norms = [jacobian_norms(gan.discriminator, x, label).mean() for x in parts]
    return torch.stack([torch.tensor(0.0).double(), *norms]).sum()


@pytest.mark.parametrize("label", [None, LABEL], ids=["unlabelled", "labelled"])
@pytest.mark.parametrize("kind", ["r1", "r2", "r1+r2", "gp", "none"])
@pytest.mark.parametrize("loss", ["relativistic", "hinge"])
def test_discriminator_loss_is_the_game_and_the_lazily_weighted_penalty(
    loss: str, kind: str, label: Tensor | None
):
    every = 4
    gan = game(loss=loss, penalty=kind, penalty_every=every)
    penalty = slow_penalty(gan, kind, label)
    assert (penalty > 0) == (kind != "none")
    judge, real, fake = gan.discriminator, turn().batch.x, fakes(gan, label)
    played = GAMES[loss](judge(real, label).float(), judge(fake, label).float())[0].double()
    for step in range(9):
        for progress in (0.0, 0.5, 1.0):
            weight = GAMMA * (0.1 + 0.9 * (1 + math.cos(math.pi * progress)) / 2)
            due = every * 0.5 * weight * penalty if step % every == 0 else 0.0
            value, log = gan.discriminator_loss(turn(step, progress, label))
            assert value.item() == pytest.approx((played + due).item(), rel=1e-5)
            assert log["loss"].item() == pytest.approx(played.item(), rel=1e-5)
            assert ("penalty" in log) == (kind != "none" and step % every == 0)


def test_both_penalties_together_are_each_one_added():
    real, fake = turn().batch.x, fakes(game())
    penalty = {
        kind: game(penalty=kind).penalty(real, fake, LABEL, seeded())
        for kind in ("r1", "r2", "r1+r2")
    }
    torch.testing.assert_close(penalty["r1+r2"], penalty["r1"] + penalty["r2"])


def test_finite_difference_form_judges_real_and_fake_beside_their_neighbours():
    gan = game(penalty_form="finite_difference")
    real, fake = turn().batch.x, fakes(gan)
    items, label = torch.cat([real, fake]), torch.cat([LABEL, LABEL])
    nearby = items + SIGMA * torch.randn(items.shape, generator=seeded(3))
    slope = (gan.discriminator(nearby, label) - gan.discriminator(items, label)) / SIGMA
    expected = slope[: len(real)].square().mean() + slope[len(real) :].square().mean()
    torch.testing.assert_close(gan.penalty(real, fake, LABEL, seeded(3)), expected)


class Doubling:
    """An augmentation that multiplies items by 1 + p, and counts what it is asked for."""

    def __init__(self):
        self.asked: list[tuple[int, float]] = []

    def __call__(self, n: int, p: float, generator: torch.Generator) -> Transform:
        self.asked.append((n, p))
        return lambda x: (1 + p) * x


@pytest.mark.parametrize("form", ["exact", "finite_difference"])
def test_both_players_see_augmented_items_and_the_penalty_is_with_respect_to_plain_ones(form: str):
    p = 0.5
    plain = game(penalty_form=form)
    augmentation = Doubling()
    gan = game(penalty_form=form, augment=p, augmentation=augmentation)
    real, fake = turn().batch.x, fakes(gan)
    judge = gan.discriminator
    judged = judge(1.5 * real, LABEL).float(), judge(1.5 * fake, LABEL).float()
    losses = GAMES["relativistic"](*judged)
    _, log = gan.discriminator_loss(turn())
    assert log["loss"].item() == pytest.approx(losses[0].item(), rel=1e-5)
    assert log["augment"].item() == p
    assert gan.generator_loss(turn())[0].item() == pytest.approx(losses[1].item(), rel=1e-5)
    of_both, of_each = (2 * len(LABEL), p), (len(LABEL), p)
    assert augmentation.asked == [of_both, of_both, of_each, of_each]

    plain.discriminator = Scaled(plain.discriminator, 1.5)
    expected = plain.penalty(real, fake, LABEL, seeded(3))
    torch.testing.assert_close(gan.penalty(real, fake, LABEL, seeded(3)), expected)


def test_an_augmentation_of_strength_zero_is_left_out():
    augmentation = Doubling()
    gan, plain = game(augmentation=augmentation), game()
    assert gan.settings.augment == "adaptive"
    for mine, theirs in zip(gan.players, plain.players, strict=True):
        loss, log = mine.loss(turn())
        assert torch.equal(loss, theirs.loss(turn())[0])
        assert "augment" not in log
    assert not augmentation.asked
    gan.dials["augment"] = 0.25
    gan.generator_loss(turn())
    assert augmentation.asked == 2 * [(len(LABEL), 0.25)]


def after_the_discriminator(step: int = 0) -> Gan:
    """A game in the middle of a round, its discriminator moved."""
    gan = game()
    gan.requires_grad_(False)
    gan.discriminator.requires_grad_(True)
    gan.discriminator_loss(turn(step))[0].backward()
    with torch.no_grad():
        for weight in gan.discriminator.parameters():
            weight += 0.1 * torch.randn(weight.shape, generator=seeded(4))
    assert all(p.grad is None and not p.requires_grad for p in gan.generator.parameters())
    gan.discriminator.requires_grad_(False)
    gan.generator.requires_grad_(True)
    return gan


def test_the_generator_learns_from_the_items_that_the_discriminator_saw():
    gan = after_the_discriminator()
    judged = gan.discriminator(turn().batch.x, LABEL)
    noise = torch.randn(len(LABEL), LATENT, generator=seeded(2))
    against = gan.discriminator(gan.generator(noise, LABEL), LABEL)
    expected = GAMES["relativistic"](judged, against)[1]
    slopes = torch.autograd.grad(expected, list(gan.generator.parameters()))
    other = Turn(Batch(torch.zeros(2, 2, 3), LABEL[:2]), 0.0, 0, seeded(9))
    for _ in range(2):  # again, as where a turn is repeated: the first graph is spent
        gan.zero_grad()
        loss, _ = gan.generator_loss(other)
        loss.backward()
        torch.testing.assert_close(loss, expected.float())
        for weight, slope in zip(gan.generator.parameters(), slopes, strict=True):
            torch.testing.assert_close(weight.grad, slope, rtol=1e-5, atol=1e-8)


def test_the_items_of_another_round_are_not_taken():
    gan = after_the_discriminator(step=0)
    loss, _ = gan.generator_loss(turn(step=1))
    real = gan.discriminator(turn().batch.x, LABEL)
    expected = GAMES["relativistic"](real, gan.discriminator(fakes(gan), LABEL))[1]
    torch.testing.assert_close(loss, expected.float())


def test_generator_loss_reaches_the_generator_alone_where_the_discriminator_is_frozen():
    gan = game()
    gan.discriminator.requires_grad_(False)
    loss, _ = gan.generator_loss(turn())
    real, fake = gan.discriminator(turn().batch.x, LABEL), gan.discriminator(fakes(gan), LABEL)
    assert loss.item() == pytest.approx(GAMES["relativistic"](real, fake)[1].item(), rel=1e-5)
    loss.backward()
    assert all(p.grad is None for p in gan.discriminator.parameters())
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in gan.generator.parameters())


@pytest.mark.parametrize("kind", ["r1+r2", "gp"])
def test_discriminator_loss_leaves_no_graph_into_the_generator(kind: str):
    gan = game(penalty=kind, penalty_every=1)
    gan.discriminator_loss(turn())[0].backward()
    assert all(p.grad is None for p in gan.generator.parameters())
    assert all(p.grad is not None for p in gan.discriminator.parameters())


@pytest.mark.parametrize(
    ("capacity", "settings", "rates"),
    [
        (16, {}, (1.5e-3, 6e-3)),
        (48, {}, (1.5e-3, 6e-3)),
        (96, {}, (1.5e-3 / 4, 6e-3 / 2)),
        (96, {"learning_rate": 0.01}, (0.01, 0.08)),
        (96, {"generator_rate": 1.0}, (1.5e-3 / 4, 1.5e-3 / 4)),
        (96, {"learning_rate": 0.01, "generator_rate": 3.0}, (0.01, 0.03)),
    ],
)
def test_rates_left_open_fall_with_the_width(capacity, settings, rates):
    assert chosen_rates(GanSettings(**settings), capacity) == pytest.approx(rates)


def test_players_take_turns_discriminator_first_and_train_one_network_each():
    gan = game(learning_rate=0.01, generator_rate=3.0)
    assert [(p.name, p.module) for p in gan.players] == [
        ("discriminator", gan.discriminator),
        ("generator", gan.generator),
    ]
    for player, rate in zip(gan.players, (0.01, 0.03), strict=True):
        assert player.learning_rate(0.0) == pytest.approx(rate)
        assert player.learning_rate(1.0) == pytest.approx(rate / 20)
    assert gan.gamma(0.0) == pytest.approx(GAMMA)
    assert gan.gamma(1.0) == pytest.approx(GAMMA / 10)


def test_temperature_scales_the_noise():
    gan = game()
    noise = gan.draw(10, None, seeded(1))
    torch.testing.assert_close(gan.draw(10, None, seeded(1), 0.5), 0.5 * noise)


def test_settle_measures_the_statistics_of_the_sampled_blocks():
    gan = game(NormalisedMaker()).eval()
    norms = [m for m in gan.generator.modules() if isinstance(m, nn.BatchNorm2d)]

    def note(noted: list[tuple[Tensor, Tensor]], _: nn.Module, x: tuple[Tensor]) -> None:
        noted.append((x[0].mean((0, 2, 3)), x[0].transpose(0, 1).flatten(1).var(1)))

    slow = copy.deepcopy(gan).train()
    seen: dict[int, list[tuple[Tensor, Tensor]]] = {0: [], 1: []}
    copies = [m for m in slow.generator.modules() if isinstance(m, nn.BatchNorm2d)]
    for i, norm in enumerate(copies):
        norm.register_forward_pre_hook(partial(note, seen[i]))
    with torch.no_grad():
        for block in range(SETTLING_BLOCKS):
            slow.decode(*slow.draw_block(0, block, None, 1.0))

    for wrong in (0.0, 1e6):  # whatever was there before
        for norm in norms:
            assert norm.running_mean is not None
            norm.running_mean.fill_(wrong)
        gan.settle([])
        for i, norm in enumerate(norms):
            means, variances = (torch.stack(t) for t in zip(*seen[i], strict=True))
            torch.testing.assert_close(norm.running_mean, means.mean(0))
            torch.testing.assert_close(norm.running_var, variances.mean(0))
            assert not norm.training
            assert norm.momentum == 0.1
    first = gan.sample(3, seed=1)
    torch.testing.assert_close(gan.sample(70, seed=1)[:3], first, rtol=0, atol=0)
