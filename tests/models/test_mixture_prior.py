"""A mixture that is fitted, not trained, stands for all that the decoder has seen latents of."""

import pytest
import torch
from torch import nn

from ectype.config import VaeSettings
from ectype.models.base import Batch
from ectype.models.likelihoods import Gaussian
from ectype.models.prior import MixturePrior
from ectype.models.vae import Vae


class Known(nn.Module):
    """Means that are the items themselves, and one variance."""

    def forward(self, x, label):
        del label
        return x, torch.full_like(x, 5 * torch.atanh(torch.tensor(-2.0 / 5)).item())


class Same(nn.Module):
    def forward(self, z, label):
        del label
        return z


def settled(x):
    prior = MixturePrior(2, 0)
    model = Vae(Known(), Same(), Gaussian(), prior, VaeSettings(latent=2), classes=0)
    model.settle([Batch(block, None) for block in x.split(100)])
    return model


def test_it_has_the_width_of_the_posteriors_too():
    x = torch.randn(4000, 2, generator=torch.Generator().manual_seed(0)) * torch.tensor([1.0, 3.0])
    model = settled(x)
    z = model.draw(40_000, None, torch.Generator().manual_seed(1))
    expected = torch.tensor([1.0, 9.0]) + torch.exp(torch.tensor(-2.0))
    assert z.var(0).tolist() == pytest.approx(expected.tolist(), rel=0.08)
    assert set(model.settled()) == {"prior"}
    assert "prior" not in model.averaged()


def test_equal_weights_give_an_equal_mixture():
    x = torch.randn(500, 2, generator=torch.Generator().manual_seed(0))
    draws = [settled(x).draw(9, None, torch.Generator().manual_seed(1)) for _ in range(2)]
    assert torch.equal(*draws)
