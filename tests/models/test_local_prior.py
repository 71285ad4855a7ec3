import pytest
import torch

from ectype.models import local_prior
from ectype.models.local_prior import NEIGHBOURS, SPREAD, LocalPrior


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def fitted(z, label=None, classes=0):
    prior = LocalPrior(z.shape[1], classes)
    prior.fit(z, label)
    return prior


def slow_neighbours(z, i, others):
    distance = (z - z[i]).norm(dim=1)
    return sorted((j for j in others if j != i), key=lambda j: float(distance[j]))[:NEIGHBOURS]


def test_neighbours_are_the_nearest_others_of_the_same_label():
    z = torch.randn(90, 5, generator=generator())
    prior = fitted(z, torch.arange(90) % 3, classes=3)
    z = torch.cat([z[::3], z[1::3], z[2::3]])
    assert torch.equal(prior.latents, z.half())
    for i in range(90):
        others = range(30 * (i // 30), 30 * (i // 30) + 30)
        assert prior.neighbours[i].tolist() == slow_neighbours(z, i, others)


def test_draws_have_the_moments_of_the_definition():
    """Mean and covariance of 1/n Σ N(z_i, s² C_i): those of the latents, plus the mean s² C_i."""
    z = torch.randn(60, 3, generator=generator(1)) * torch.tensor([1.0, 2.0, 0.5])
    prior = fitted(z)
    steps = z[prior.neighbours.long()] - z[:, None]
    local = SPREAD**2 * torch.einsum("nki,nkj->ij", steps, steps) / (60 * NEIGHBOURS)
    expected = torch.cov(z.T, correction=0) + local
    draws = prior.draw(200_000, None, generator())
    torch.testing.assert_close(draws.mean(0), z.mean(0), atol=0.02, rtol=0)
    torch.testing.assert_close(torch.cov(draws.T), expected, atol=0.04, rtol=0.02)
    cold = prior.draw(200_000, None, generator(), temperature=0.5)
    expected -= 0.75 * local
    torch.testing.assert_close(torch.cov(cold.T), expected, atol=0.04, rtol=0.02)


def test_draws_stay_on_the_plane_that_the_latents_lie_in():
    basis = torch.randn(2, 10, generator=generator())
    z = torch.randn(300, 2, generator=generator(1)) @ basis
    draws = fitted(z).draw(500, None, generator())
    outside = draws - draws @ torch.linalg.pinv(basis) @ basis
    assert outside.norm() < 1e-3 * draws.norm()  # half precision


def test_a_label_gives_only_its_own():
    z = torch.randn(200, 4, generator=generator()) + 100 * (torch.arange(200) % 2)[:, None]
    prior = fitted(z, torch.arange(200) % 2, classes=2)
    label = torch.arange(64) % 2
    draws = prior.draw(64, label, generator())
    assert ((draws.mean(1) > 50) == label.bool()).all()


@pytest.mark.parametrize("n", [1, 2, 7])
def test_few_items_serve(n):
    z = torch.randn(n, 4, generator=generator())
    draws = fitted(z).draw(50, None, generator())
    assert torch.isfinite(draws).all()
    spread = draws - draws @ torch.linalg.pinv(z - z[0]) @ (z - z[0])
    torch.testing.assert_close(spread, spread[:1].expand(50, -1), atol=5e-3, rtol=0)


def test_a_label_without_items_draws_from_all():
    z = torch.randn(30, 4, generator=generator())
    prior = fitted(z, torch.zeros(30, dtype=torch.int64), classes=2)
    label = torch.ones(20, dtype=torch.int64)
    assert torch.isfinite(prior.draw(20, label, generator())).all()


def test_more_than_it_keeps_are_cut(monkeypatch):
    monkeypatch.setattr(local_prior, "MOST_ITEMS", 40)
    prior = fitted(torch.randn(100, 4, generator=generator()))
    assert prior.counts.tolist() == [40]
    assert prior.neighbours.max() < 40


def test_it_is_the_same_after_saving():
    prior = fitted(torch.randn(50, 4, generator=generator()))
    again = LocalPrior(4, 0)
    again.load_state_dict(prior.state_dict())
    a, b = (p.draw(9, None, generator(3)) for p in (prior, again))
    assert torch.equal(a, b)


def test_without_spread_the_latents_themselves_are_drawn():
    z = torch.randn(30, 4, generator=generator())
    prior = LocalPrior(4, 0, spread=0.0)
    prior.fit(z, None)
    draws = prior.draw(200, None, generator())
    assert torch.cdist(draws, z.half().float()).min(1).values.max() < 1e-6
    assert len(draws.unique(dim=0)) == 30
