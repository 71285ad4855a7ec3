"""The learned prior: it starts as the mixture, and learns what the mixture lacks."""

import pytest
import torch
from torch import Tensor, nn

from ectype.models import mixture
from ectype.models.prior import FlowPrior, MixturePrior
from ectype.nets.velocity import Velocity
from tests.models.numeric import seeded


def flow_prior(size: int, classes: int = 0, steps: int = 20, seed: int = 0) -> FlowPrior:
    torch.manual_seed(seed)
    return FlowPrior(Velocity(size, 64, classes, width=32), size, classes, steps)


class Slope(nn.Module):
    """A velocity that is a constant times x."""

    def __init__(self, slope: float):
        super().__init__()
        self.slope = slope

    def forward(self, x: Tensor, t: Tensor, part: Tensor, label: Tensor | None) -> Tensor:
        return self.slope * x


def carried(prior: MixturePrior, x: Tensor) -> Tensor:
    with torch.no_grad():
        return prior.carry(x, torch.zeros(len(x), dtype=torch.long), None)


@pytest.mark.parametrize("slope", [0.0, 0.7, -1.0])
def test_carry_integrates_the_velocity_to_second_order(slope: float):
    """With v = (½ d/dt log(t² + (1 − t)²) + s)·x, x(1) = eˢ · x(0)."""
    x = torch.randn(100, 3, generator=seeded(), dtype=torch.float64)
    exact = x * torch.tensor(slope).double().exp()

    def error(steps: int) -> float:
        ended = carried(FlowPrior(Slope(slope), 3, 0, steps), x)
        return ((ended - exact).norm() / exact.norm()).item()

    assert error(20) < 5e-3
    assert error(40) < error(20) / 3 or error(40) < 1e-5
    assert error(640) < 1e-5


def test_flow_starts_as_the_mixture():
    z = torch.randn(300, 3, generator=seeded()) @ torch.randn(3, 3, generator=seeded(1)) + 2
    flow, plain = flow_prior(3), MixturePrior(3, 0)
    flow.fit(z, None, seeded(2))
    plain.fit(z, None, seeded(2))
    with torch.no_grad():
        drawn, expected = (prior.draw(500, None, seeded(3)) for prior in (flow, plain))
    assert (drawn - expected).norm() < 5e-3 * expected.norm()


def test_first_loss_is_what_normal_data_leave_unexplained():
    """For u, ε ~ N(0, 1): Var(u − ε | x_t) = 2 − (2t − 1)² / (t² + (1 − t)²) = 1 / (t² + (1 − t)²),
    whose mean over logit-normal t is found here on a fine grid.
    """
    logit = torch.linspace(-9, 9, 20_001).double()
    weight = torch.exp(-0.5 * logit.square())
    t = torch.sigmoid(logit)
    expected = (weight / (t.square() + (1 - t).square())).sum() / weight.sum()
    z = torch.randn(200_000, 2, generator=seeded())
    loss = flow_prior(2).loss(z, None, seeded(1))
    assert loss.item() == pytest.approx(expected.item(), rel=0.01)


def distance(x: Tensor, y: Tensor) -> float:
    """Wasserstein-1 between two samples of one dimension and equal size."""
    return (x.flatten().sort().values - y.flatten().sort().values).abs().mean().item()


def test_training_learns_what_a_normal_part_lacks(monkeypatch: pytest.MonkeyPatch):
    """Two modes in one part: where the part puts most, there is nothing."""

    def modes(n: int, seed: int) -> Tensor:
        generator = seeded(seed)
        sign = 2.0 * torch.randint(2, (n, 1), generator=generator) - 1
        return 3 * sign + 0.3 * torch.randn(n, 1, generator=generator) + 1

    monkeypatch.setattr(mixture, "ITEMS_A_PART", 10_000)
    prior = flow_prior(1)
    prior.fit(modes(4000, 0), None, seeded(0))
    assert (prior.mixture.weights > 0).sum() == 1
    assert not list(prior.mixture.parameters())
    optimiser = torch.optim.Adam(prior.parameters(), 1e-2)
    generator, data = seeded(2), modes(4000, 1)
    for step in range(400):
        loss = prior.loss(data[torch.randint(4000, (256,), generator=generator)], None, generator)
        optimiser.zero_grad()
        loss.backward()
        optimiser.param_groups[0]["lr"] = 1e-2 * (1 - step / 400)
        optimiser.step()

    true = modes(4000, 3)
    with torch.no_grad():
        drawn = prior.draw(4000, None, seeded(4))
        noise = torch.randn(4000, 1, generator=seeded(4))
        from_mixture = prior.mixture.place(noise, torch.zeros(4000, dtype=torch.long))
    assert distance(drawn, true) < 0.25 * distance(from_mixture, true)
    empty = ((drawn - 1).abs() < 1.5).float().mean()
    assert empty < 0.05 < ((from_mixture - 1).abs() < 1.5).float().mean()


CENTRES = torch.tensor([[[-20.0, 0.0], [20.0, 0.0]], [[0.0, 30.0], [0.0, -30.0]]])


def test_draws_of_a_label_lie_where_that_labels_items_do(monkeypatch: pytest.MonkeyPatch):
    """Two labels, two places each, the second twice as often as the first."""
    monkeypatch.setattr(mixture, "ITEMS_A_PART", 100)
    generator = seeded(1)
    label = torch.randint(2, (2000,), generator=generator)
    place = (torch.rand(2000, generator=generator) < 2 / 3).long()
    z = CENTRES[label, place] + torch.randn(2000, 2, generator=generator)
    prior = flow_prior(2, classes=2)
    prior.fit(z, label, seeded(0))
    torch.testing.assert_close(prior.label_parts.sum(1), torch.ones(2))
    for own in (0, 1):
        with torch.no_grad():
            drawn = prior.draw(1000, torch.full((1000,), own), seeded(2))
        distances = torch.cdist(drawn, CENTRES.flatten(0, 1)).view(-1, 2, 2)
        nearest = distances.flatten(1).argmin(1)
        assert (nearest // 2 == own).all()
        assert (nearest % 2).float().mean().item() == pytest.approx(2 / 3, abs=0.05)
        # a part may hold several places until the flow is trained, but few do
        assert (distances[:, own].amin(1) < 4).float().mean() > 0.9


def test_label_without_items_is_drawn_from_the_whole():
    z = torch.randn(300, 2, generator=seeded())
    prior = MixturePrior(2, 3)
    prior.fit(z, torch.zeros(300, dtype=torch.long), seeded())
    torch.testing.assert_close(prior.label_parts[2], prior.mixture.weights)


def test_draws_depend_on_their_generator_alone():
    prior = flow_prior(4)
    nn.init.normal_(prior.velocity.get_parameter("leave.weight"))

    @torch.no_grad()
    def draw(seed: int, unrelated: int, temperature: float = 1.0) -> Tensor:
        torch.manual_seed(unrelated)
        return prior.draw(10, None, seeded(seed), temperature)

    assert torch.equal(draw(0, 1), draw(0, 2))
    assert not torch.equal(draw(0, 1), draw(1, 1))


def test_no_temperature_is_the_centre_of_a_part(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(mixture, "ITEMS_A_PART", 100)
    z = CENTRES.flatten(0, 1).repeat_interleave(100, 0)
    z = z + torch.randn(z.shape, generator=seeded())
    prior = flow_prior(2)
    prior.fit(z, None, seeded(1))
    with torch.no_grad():
        drawn = prior.draw(50, None, seeded(2), temperature=0.0)
    used = prior.mixture.means[prior.mixture.weights > 0]
    assert len(used) == 4
    distance = (drawn[:, None] - used).norm(dim=2).amin(1)
    torch.testing.assert_close(distance, torch.zeros(50))


def test_what_is_no_number_is_left_to_the_guard():
    prior = flow_prior(2, classes=2)
    z, label = torch.randn(50, 2, generator=seeded()), torch.arange(50) % 2
    prior.fit(z, label, seeded(1))
    before = {name: value.clone() for name, value in prior.state_dict().items()}
    lost = z.clone()
    lost[7] = torch.nan
    prior.fit(lost, label, seeded(1))
    assert all(torch.equal(value, before[name]) for name, value in prior.state_dict().items())
    assert prior.loss(lost, label, seeded()).isnan()
