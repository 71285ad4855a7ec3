"""The VAE with an opponent: its gradients are those of both losses, and who plays when."""

from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ectype.config import Budget, Config, GanSettings, VaeSettings
from ectype.errors import UsageError
from ectype.models.adversarial import BEGIN, AdversarialVae, Opponent
from ectype.models.base import Batch, Turn
from ectype.models.build import build
from ectype.models.likelihoods import Bernoulli, Gaussian
from ectype.models.vae import Vae
from tests.models.numeric import seeded

SIZE, LATENT = 5, 2


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.map = nn.Linear(SIZE, 2 * LATENT)

    def forward(self, x: Tensor, label: Tensor | None) -> tuple[Tensor, Tensor]:
        mean, log_variance = self.map(x).chunk(2, 1)
        return mean, log_variance


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.map = nn.Linear(LATENT, SIZE)

    def forward(self, z: Tensor, label: Tensor | None) -> Tensor:
        return self.map(z)


class Judge(nn.Module):
    def __init__(self):
        super().__init__()
        self.map = nn.Sequential(nn.Linear(SIZE, 8), nn.Tanh(), nn.Linear(8, 1))

    def forward(self, x: Tensor, label: Tensor | None) -> Tensor:
        return self.map(x)[:, 0]


def make(weight: float = 0.5, **playing: Any) -> tuple[AdversarialVae, Vae]:
    """One with an opponent and one without, with the same weights."""
    torch.manual_seed(0)
    settings = VaeSettings(latent=LATENT, adversarial=weight)
    encoder, decoder, likelihood = Encoder(), Decoder(), Gaussian()
    opponent = partial(
        Opponent, discriminator=Judge(), settings=GanSettings(**playing), classes=0, gamma=1.0
    )
    both = AdversarialVae(
        encoder, decoder, likelihood, None, settings, classes=0, opponent=opponent
    )
    return both, Vae(encoder, decoder, likelihood, None, settings, classes=0)


def turn(progress: float, step: int = 3) -> Turn:
    x = 2 * torch.randn(6, SIZE, generator=seeded(1)) + 1
    return Turn(Batch(x, None), progress, step, seeded(2))


def gradients(loss: Tensor, module: nn.Module) -> list[Tensor]:
    return list(torch.autograd.grad(loss, list(module.parameters()), retain_graph=True))


def test_before_it_joins_the_loss_is_that_of_a_vae():
    both, plain = make()
    loss, log = both.autoencoder_loss(turn(BEGIN - 0.01))
    expected, _ = plain.autoencoder_loss(turn(BEGIN - 0.01))
    assert loss.item() == expected.item()
    assert "adversarial" not in log


def test_the_gradient_is_the_sum_of_both():
    both, plain = make(weight=0.5)
    modules = nn.ModuleList([both.encoder, both.decoder])
    loss, log = both.autoencoder_loss(turn(0.9))
    bound, _ = plain.autoencoder_loss(turn(0.9))
    # by hand: q(z|x) drawn with the same noise, decoded, and judged beside the real items
    x = turn(0.9).batch.x
    mean, log_variance = both.encoder(x, None)
    noise = torch.randn(mean.shape, generator=seeded(2))
    z = mean + torch.exp(2.5 * torch.tanh(log_variance / 5)) * noise
    judge = both.game.discriminator
    margin = judge(both.decoder(z, None), None) - judge(x, None)
    against = nn.functional.softplus(-margin).mean()
    torch.testing.assert_close(log["adversarial"], against)
    torch.testing.assert_close(loss, bound + 0.5 * against)
    for found, one, other in zip(
        gradients(loss, modules),
        gradients(bound, modules),
        gradients(against, modules),
        strict=True,
    ):
        torch.testing.assert_close(found, one + 0.5 * other)
    assert all(g.abs().sum() > 0 for g in gradients(against, modules))


def test_the_discriminator_joins_halfway_and_learns_alone():
    both, _ = make()
    judging, autoencoding = both.players
    assert [judging.name, autoencoding.name] == ["discriminator", "autoencoder"]
    assert not judging.plays(BEGIN - 1e-6, 0)
    assert judging.plays(BEGIN, 0)
    assert autoencoding.plays(0.0, 0)
    first = judging.learning_rate(BEGIN)
    assert first == pytest.approx(both.game.rates[0])
    assert judging.learning_rate(1.0) == pytest.approx(first / 20)
    loss, log = judging.loss(turn(0.9, step=0))
    assert log["penalty"] > 0
    assert all(g.abs().sum() > 0 for g in gradients(loss, judging.module))
    with pytest.raises(RuntimeError, match="not have been used"):
        gradients(loss, autoencoding.module)  # what is drawn is given, in its turn


def test_dials_are_one():
    both, _ = make()
    both.dials["penalty"] = 8.0
    one = both.game.discriminator_loss(turn(0.0, step=0))[0]
    both.dials["penalty"] = 1.0
    assert one > both.game.discriminator_loss(turn(0.0, step=0))[0]
    assert "free_bits" in both.dials


def test_what_is_drawn_without_a_gradient_has_no_opponent():
    def network(role: str, **_: Any) -> nn.Module:
        return {"encoder": Encoder, "decoder": Decoder, "discriminator": Judge}[role]()

    asked = partial(Config, domain="table", family="vae", budget=Budget(steps=10))
    config = asked(vae=VaeSettings(latent=LATENT, adversarial=0.1))
    with pytest.raises(UsageError, match="no gradient passes"):
        build(config, network, Bernoulli(), classes=0, dimensions=SIZE)
    model = build(config, network, Gaussian(), classes=0, dimensions=SIZE)
    assert isinstance(model, AdversarialVae)
    plain = build(asked(), network, Gaussian(), classes=0, dimensions=SIZE)
    assert not isinstance(plain, AdversarialVae)


def test_it_draws_what_the_bound_leaves_out():
    """Of round data the bound keeps no direction, and draws their mean alone."""

    def largest_spread(weight: float) -> float:
        both, _ = make(weight)
        generator = seeded(5)
        optimisers = [torch.optim.Adam(p.module.parameters(), 0.01) for p in both.players]
        for step in range(400):
            x = torch.randn(64, SIZE, generator=generator)
            for player, optimiser in zip(both.players, optimisers, strict=True):
                progress = 0.2 if step < 100 else 0.9
                if player.plays(progress, step):
                    optimiser.zero_grad()
                    player.loss(Turn(Batch(x, None), progress, step, generator))[0].backward()
                    optimiser.step()
        x = torch.randn(2000, SIZE, generator=seeded(7))
        with torch.no_grad():
            drawn = both.redrawn(Turn(Batch(x, None), 1.0, 0, seeded(8)))
        return float(torch.linalg.eigvalsh(drawn.T.cov())[-1])

    assert largest_spread(0.0) < 0.1
    assert largest_spread(2.0) > 0.5
