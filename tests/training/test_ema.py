import copy

import pytest
import torch
from torch import nn

from ectype.training.ema import ExponentialAverage


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))


def disturbed(module):
    """Move all weights and buffers, as training does."""
    with torch.no_grad():
        for tensor in module.parameters():
            tensor += torch.randn_like(tensor)
        for tensor in module.buffers():
            tensor += torch.rand_like(tensor) if tensor.is_floating_point() else 1
    return module


def copied(module):
    return {name: value.clone() for name, value in module.state_dict().items()}


def assert_same(a, b):
    assert a.keys() == b.keys()
    assert [name for name in a if not torch.equal(a[name], b[name])] == []


@pytest.mark.parametrize("share", [0.05, 0.5, 2.0])
def test_against_a_slow_reference(share):
    module = network()
    ema = ExponentialAverage({"net": module}, share)
    reference = {name: value.double() for name, value in copied(module).items()}
    names = {name for name, _ in module.named_parameters()}
    for t in range(1, 60):
        disturbed(module)
        ema.update()
        new = 1 - 0.5 ** (1 / (share * t))
        for name, value in module.state_dict().items():
            old = reference[name] if name in names else value
            reference[name] = (1 - new) * old + new * value.double()
    state = {name.removeprefix("net."): value for name, value in ema.state().items()}
    assert state.keys() == reference.keys()
    for name, value in state.items():
        torch.testing.assert_close(value.double(), reference[name], rtol=1e-5, atol=1e-5)
        if name not in names:
            assert torch.equal(value, module.state_dict()[name]), "buffers are copied"


def test_the_half_life_is_a_share_of_the_updates():
    """After a jump from 0 to 1 at update t, the average is at one half after share · t more."""
    share, before = 0.1, 2000
    module = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(module.weight)
    ema = ExponentialAverage({"net": module}, share)
    for _ in range(before):
        ema.update()
    nn.init.ones_(module.weight)
    updates = 0
    while ema.state()["net.weight"].item() < 0.5:
        ema.update()
        updates += 1
    assert updates == pytest.approx(share * before, rel=0.06)


def test_the_first_update_takes_the_weights_as_they_are():
    module = network()
    ema = ExponentialAverage({"net": module}, 0.05)
    disturbed(module)
    ema.update()
    state = {name.removeprefix("net."): value for name, value in ema.state().items()}
    torch.testing.assert_close(state, copied(module), rtol=0, atol=1e-5)


class UnexpectedError(Exception):
    pass


@pytest.mark.parametrize("fails", [False, True])
def test_within_the_context_the_average_computes(fails):
    module = network()
    ema = ExponentialAverage({"net": module}, 0.5)
    for _ in range(3):
        disturbed(module)
        ema.update()
    live, average = copied(module), copied(ema.average["net"])
    parameters = list(module.parameters())
    expected = copy.deepcopy(ema.average["net"]).eval()
    x = torch.randn(5, 3)
    try:
        with ema.applied():
            assert_same(copied(module), average)
            assert torch.equal(module.eval()(x), expected(x))
            if fails:
                raise UnexpectedError
    except UnexpectedError:
        assert fails
    assert_same(copied(module), live)
    assert_same(copied(ema.average["net"]), average)
    assert all(a is b for a, b in zip(parameters, module.parameters(), strict=True))


def test_the_average_is_not_trained():
    module = network()
    ema = ExponentialAverage({"net": module}, 0.5)
    assert not any(p.requires_grad for p in ema.average.parameters())
    assert all(p.requires_grad for p in module.parameters())
    live = {p.data_ptr() for p in module.parameters()}
    assert not live & {p.data_ptr() for p in ema.average.parameters()}


def test_a_module_that_begins_late_has_an_average_of_its_own():
    """As if there had been no updates before: its first weights leave no trace."""
    early, late, alone = network(), network(), network()
    together = ExponentialAverage({"early": early, "late": late}, 0.5)
    for _ in range(30):
        disturbed(early)
        together.update()
    disturbed(late)
    alone.load_state_dict(late.state_dict())
    together.begin(late)
    reference = ExponentialAverage({"late": alone}, 0.5)
    for _ in range(10):
        for module in (early, late):
            disturbed(module)
        alone.load_state_dict(late.state_dict())
        together.update()
        reference.update()
    state = {k: v for k, v in together.state().items() if k.startswith("late.")}
    assert_same(state, reference.state())
    assert together.begun == {"early": 0, "late": 30}
