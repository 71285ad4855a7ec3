"""The games' losses against their formulas, written out item by item."""

import numpy as np
import pytest
import torch

from ectype.models.games import GAMES, relativistic
from tests.models.numeric import seeded


def minus_log_sigmoid(t: float) -> float:
    return -np.log(1 / (1 + np.exp(-t)))


# (discriminator, generator) loss of one pair
FORMULAS = {
    "relativistic": lambda r, f: (minus_log_sigmoid(r - f), minus_log_sigmoid(f - r)),
    "non_saturating": lambda r, f: (
        minus_log_sigmoid(r) - np.log(1 - 1 / (1 + np.exp(-f))),
        minus_log_sigmoid(f),
    ),
    "hinge": lambda r, f: (max(0, 1 - r) + max(0, 1 + f), -f),
    "least_squares": lambda r, f: (((r - 1) ** 2 + f**2) / 2, (f - 1) ** 2 / 2),
    "wasserstein": lambda r, f: (f - r, -f),
}
#: What real and fake must be turned into, in exchange, for the discriminator to lose the same.
MIRRORS = {
    "relativistic": torch.neg,
    "non_saturating": torch.neg,
    "hinge": torch.neg,
    "least_squares": lambda judged: 1 - judged,
    "wasserstein": torch.neg,
}


def judged(n: int = 50, spread: float = 3.0, dtype: torch.dtype = torch.float64):
    generator = seeded(3)
    return (spread * torch.randn(2, n, generator=generator, dtype=dtype)).unbind()


def test_every_game_has_a_formula_here():
    assert set(FORMULAS) == set(GAMES)


@pytest.mark.parametrize("name", GAMES)
def test_losses_are_the_means_of_the_formula(name: str):
    real, fake = judged()
    pairs = [FORMULAS[name](r, f) for r, f in zip(real.tolist(), fake.tolist(), strict=True)]
    losses = [loss.item() for loss in GAMES[name](real, fake)]
    np.testing.assert_allclose(losses, np.mean(pairs, 0), rtol=1e-10)


@pytest.mark.parametrize("name", GAMES)
def test_discriminator_treats_real_and_fake_as_mirror_images(name: str):
    real, fake = judged()
    mirror = MIRRORS[name]
    torch.testing.assert_close(
        GAMES[name](real, fake)[0], GAMES[name](mirror(fake), mirror(real))[0]
    )


@pytest.mark.parametrize("name", GAMES)
def test_gradients_point_where_each_player_wants(name: str):
    """The discriminator wants real up and fake down; the generator wants fake up."""
    real, fake = (torch.rand(2, 20, generator=seeded()) * 0.9 + 0.05).unbind()
    real, fake = real.clone().requires_grad_(), fake.clone().requires_grad_()
    discriminator, generator = GAMES[name](real, fake)
    on_real, on_fake = torch.autograd.grad(discriminator, (real, fake))
    (wanted,) = torch.autograd.grad(generator, fake)
    assert (on_real < 0).all()
    assert (on_fake > 0).all()
    assert (wanted < 0).all()


def test_relativistic_depends_on_differences_of_pairs_only():
    real, fake = judged()
    shift = 10 * torch.randn(len(real), generator=seeded(1), dtype=torch.float64)
    torch.testing.assert_close(relativistic(real + shift, fake + shift), relativistic(real, fake))
    discriminator, generator = relativistic(real, fake)
    torch.testing.assert_close(relativistic(fake, real), (generator, discriminator))


@pytest.mark.parametrize("name", GAMES)
def test_losses_and_gradients_stay_finite_where_one_player_has_won(name: str):
    real = torch.tensor([1e4, -1e4], requires_grad=True)
    fake = torch.tensor([-1e4, 1e4], requires_grad=True)
    for loss in GAMES[name](real, fake):
        gradients = torch.autograd.grad(loss, (real, fake), allow_unused=True, retain_graph=True)
        assert loss.isfinite()
        assert all(g.isfinite().all() for g in gradients if g is not None)
