"""What every model shares: samples that depend on their place in a seed alone, and paths."""

import pytest
import torch
from torch import Tensor

from ectype.errors import UsageError
from ectype.models.base import SAMPLE_BLOCK, Batch, Model, slerp
from tests.models.numeric import seeded


class Echo(Model):
    """Noise and its label, side by side: (n, 4). Notes how many items are decoded at once."""

    def __init__(self, classes: int):
        super().__init__(classes)
        self.decoded: list[int] = []

    @property
    def players(self):
        return ()

    def averaged(self):
        return {}

    def draw(self, n, label, generator, temperature=1.0):
        return temperature * torch.randn(n, 3, generator=generator)

    def decode(self, z, label):
        self.decoded.append(len(z))
        last = torch.full((len(z),), -1) if label is None else label
        return torch.cat([z, last[:, None]], 1)


@pytest.mark.parametrize("classes", [0, 3])
@pytest.mark.parametrize(("n", "start"), [(1, 0), (64, 0), (65, 0), (5, 62), (3, 64), (130, 70)])
def test_a_sample_is_the_same_whatever_is_asked_for_beside_it(n: int, start: int, classes: int):
    model = Echo(classes)
    everything = model.sample(256, seed=7)
    model.decoded.clear()
    assert torch.equal(model.sample(n, seed=7, start=start), everything[start : start + n])
    assert set(model.decoded) == {SAMPLE_BLOCK}  # whole blocks: the same arithmetic for any n


def test_seeds_and_blocks_have_noise_of_their_own():
    model = Echo(0)
    blocks = [model.sample(SAMPLE_BLOCK, seed=s, start=b * 64) for s in (0, 1, 2) for b in (0, 1)]
    noise = torch.stack(blocks)[..., :3].flatten(1)
    correlation = torch.corrcoef(noise) - torch.eye(len(blocks))
    assert correlation.abs().max() < 0.3
    noise = model.sample(20_000)[:, :3]
    torch.testing.assert_close(noise.T.cov(), torch.eye(3), atol=0.04, rtol=0)


def test_labels_are_drawn_as_often_as_the_data_have_them():
    model = Echo(3)
    model.label_share.copy_(torch.tensor([0.1, 0.0, 0.9]))
    labels = model.sample(10_000)[:, 3]
    assert labels.eq(0).float().mean().item() == pytest.approx(0.1, abs=0.015)
    assert not labels.eq(1).any()


@pytest.mark.parametrize("classes", [0, 3])
def test_a_label_asked_for_changes_nothing_but_the_label(classes: int):
    model = Echo(classes)
    free, asked = model.sample(100, seed=1), model.sample(100, seed=1, label=2)
    assert torch.equal(free[:, :3], asked[:, :3])
    assert asked[:, 3].eq(2 if classes else -1).all()


def test_temperature_reaches_the_noise():
    model = Echo(0)
    torch.testing.assert_close(
        model.sample(9, temperature=0.3)[:, :3], 0.3 * model.sample(9)[:, :3]
    )


def test_walks_go_from_the_first_latent_of_a_block_to_the_second():
    model = Echo(3)
    walks = model.interpolate(2, 5, seed=4).view(2, 5, 4)
    for row in (0, 1):
        first, second = model.sample(2, seed=4, start=64 * row)
        assert torch.equal(walks[row, [0, -1], :3], torch.stack([first, second])[:, :3])
        assert walks[row, :, 3].eq(first[3]).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_slerp_is_the_great_circle(dtype: torch.dtype):
    start, end = torch.randn(2, 3, 4, generator=seeded(), dtype=dtype).unbind()
    end = end * start.norm() / end.norm()
    share = torch.linspace(0, 1, 9, dtype=dtype)
    path = slerp(start, end, share)
    assert torch.equal(path[0], start)
    assert torch.equal(path[-1], end)
    torch.testing.assert_close(path.flatten(1).norm(dim=1), start.norm().expand(9))
    steps = path.flatten(1).diff(dim=0).norm(dim=1)
    torch.testing.assert_close(steps, steps[0].expand(8), rtol=1e-4, atol=0)

    def angle(a: Tensor, b: Tensor) -> Tensor:
        return torch.acos(torch.cosine_similarity(a.flatten(), b.flatten(), dim=0))

    torch.testing.assert_close(angle(start, path[2]), 0.25 * angle(start, end))


def test_slerp_between_latents_of_one_direction_is_a_line():
    start = torch.randn(6, generator=seeded())
    share = torch.tensor([0.0, 0.5, 1.0])
    expected = torch.stack([start, 1.5 * start, 2 * start])
    torch.testing.assert_close(slerp(start, 2 * start, share), expected)
    torch.testing.assert_close(slerp(start, start, share), start.expand(3, -1))


def test_a_model_without_an_encoder_says_so():
    with pytest.raises(UsageError, match="cannot reconstruct") as caught:
        Echo(0).reconstruct(Batch(torch.zeros(1), None))
    assert "vae" in str(caught.value.hint)
