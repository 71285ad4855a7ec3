"""The velocity network of the flow prior."""

import math

import pytest
import torch
from torch import Tensor, nn

from ectype.nets.velocity import TimeFeatures, Velocity


def arguments(n: int = 6):
    generator = torch.Generator().manual_seed(0)
    part, label = torch.arange(n) % 4, torch.arange(n) % 3
    return torch.randn(n, 5, generator=generator), torch.rand(n, generator=generator), part, label


def awake(classes: int) -> Velocity:
    """A network whose last layer is no longer zero."""
    torch.manual_seed(0)
    velocity = Velocity(5, 4, classes, width=16)
    nn.init.normal_(velocity.leave.weight)
    return velocity


@pytest.mark.parametrize("classes", [0, 3])
def test_starts_as_nothing_and_can_learn(classes: int):
    velocity = Velocity(5, 4, classes, width=16)
    x, t, part, label = arguments()
    y = velocity(x, t, part, label if classes else None)
    assert torch.equal(y, torch.zeros_like(x))
    (y - x).square().sum().backward()
    assert velocity.leave.weight.grad is not None
    assert velocity.leave.weight.grad.any()


@pytest.mark.parametrize("name", ["x", "t", "part", "label"])
def test_depends_on_every_input_item_by_item(name: str):
    velocity = awake(3)
    given: dict[str, Tensor] = dict(zip(("x", "t", "part", "label"), arguments(), strict=True))
    before = velocity(**given)
    changed = given[name].clone()
    changed[2] = (changed[2] + 1) % 3
    after = velocity(**{**given, name: changed})
    assert (before != after).any(1).tolist() == [i == 2 for i in range(6)]


def test_time_features_are_waves_of_octaves():
    t = torch.tensor([0.0, 0.3, 1.0])
    waves = [[math.sin(0.5 * math.pi * 2**k * s) for k in range(8)] for s in t.tolist()]
    others = [[math.cos(0.5 * math.pi * 2**k * s) for k in range(8)] for s in t.tolist()]
    expected = torch.cat([torch.tensor(waves), torch.tensor(others)], 1)
    torch.testing.assert_close(TimeFeatures()(t), expected, atol=1e-5, rtol=0)
    many = TimeFeatures()(torch.linspace(0, 1, 200))
    assert torch.cdist(many, many).fill_diagonal_(1).min() > 0.05  # no two times look alike
