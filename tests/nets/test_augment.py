"""Changes to pictures: against slow ones that treat pictures, rows and pixels one by one."""

import dataclasses

import pytest
import torch
from torch import Tensor

from ectype.config import MOST_AUGMENT
from ectype.nets.augment import (
    MOST_PROBABILITY,
    PictureAugmentation,
    PictureTransform,
    probabilities,
)
from tests.models.numeric import seeded

OPERATIONS = ("shift", "cut", "brightness", "saturation", "contrast", "flip")


def pictures(n: int, channels: int, height: int, width: int) -> Tensor:
    return 2 * torch.rand(n, channels, height, width, generator=seeded(1)) - 1


def drawn(colours: int, n: int, strength: float = MOST_AUGMENT, seed: int = 0) -> PictureTransform:
    return PictureAugmentation(colours, mirror=True)(n, strength, seeded(seed))


def slow(transform: PictureTransform, x: Tensor) -> Tensor:
    """The same changes, number by number."""
    height, width = x.shape[-2:]
    result = torch.empty_like(x)
    for i, picture in enumerate(x.clone()):
        colours = picture[: transform.colours]
        colours += transform.brightness[i]
        if transform.colours == 3:
            grey = (colours[0] + colours[1] + colours[2]) / 3
            for colour in colours:
                colour.copy_(grey + (1 + transform.saturation[i]) * (colour - grey))
        mean = colours.mean()
        colours.copy_(mean + (1 + transform.contrast[i]) * (colours - mean))
        down = round(transform.shift[0, i].item() * height / 8)
        right = round(transform.shift[1, i].item() * width / 8)
        top = int(transform.centre[0, i].item() * (height + 1)) - round(height / 2) // 2
        left = int(transform.centre[1, i].item() * (width + 1)) - round(width / 2) // 2
        for row in range(height):
            for column in range(width):
                from_row = min(max(row - down, 0), height - 1)
                from_column = min(max(column - right, 0), width - 1)
                if transform.flip[i]:
                    from_column = width - 1 - from_column
                result[i, :, row, column] = picture[:, from_row, from_column]
                in_rows = top <= row < top + round(height / 2)
                in_columns = left <= column < left + round(width / 2)
                if transform.cut[i] and in_rows and in_columns:
                    result[i, :, row, column] = 0
    return result


@pytest.mark.parametrize(
    ("channels", "height", "width"), [(1, 9, 16), (2, 8, 8), (3, 17, 10), (4, 16, 16)]
)
@pytest.mark.parametrize("strength", [0.5, 1.2, MOST_AUGMENT])
def test_pictures_change_as_they_do_number_by_number(channels, height, width, strength):
    colours = 3 if channels >= 3 else 1
    transform = drawn(colours, 12, strength)
    x = pictures(12, channels, height, width)
    torch.testing.assert_close(transform(x), slow(transform, x))
    lying = x.contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(transform(lying), transform(x))


def test_at_strength_zero_nothing_changes_to_the_bit():
    x = pictures(50, 4, 16, 12)
    assert torch.equal(drawn(3, 50, 0.0)(x), x)


@pytest.mark.parametrize(
    ("strength", "moved", "others"),
    [(0.3, 0.3, 0.0), (0.8, 0.8, 0.0), (1.0, 0.8, 0.2), (MOST_AUGMENT, 0.8, 0.8)],
)
def test_moves_come_first_and_each_operation_apart_from_the_others(strength, moved, others):
    n = 20_000
    transform = drawn(3, n, strength)
    on = {name: getattr(transform, name) != 0 for name in OPERATIONS}
    on["shift"] = on["shift"].any(0)
    table = torch.stack([on[name] for name in OPERATIONS]).double()
    probability = {"shift": moved, "flip": moved / 2}
    expected = torch.tensor([probability.get(name, others) for name in OPERATIONS])
    spread = (expected * (1 - expected) / n) ** 0.5
    assert ((table.mean(1) - expected).abs() <= 5 * spread).all()
    varied = table[expected > 0]
    correlation = torch.corrcoef(varied) - torch.eye(len(varied), dtype=torch.float64)
    assert correlation.abs().max() < 5 / n**0.5


def test_at_the_most_strength_all_changes_are_as_probable_as_they_may_be():
    assert probabilities(MOST_AUGMENT) == (MOST_PROBABILITY, MOST_PROBABILITY)


def test_what_cannot_have_been_drawn_is_left_out_and_would_change_nothing():
    x = pictures(12, 4, 16, 12)
    moves, all_of_them = drawn(3, 12, MOST_PROBABILITY), drawn(3, 12, MOST_PROBABILITY + 0.01)
    assert moves.only_moves
    assert not all_of_them.only_moves
    assert torch.equal(moves(x), dataclasses.replace(moves, only_moves=False)(x))


def test_changes_stay_within_their_ranges_and_fill_them():
    transform = drawn(3, 20_000)
    for name, most in {"shift": 1, "brightness": 0.5, "saturation": 1, "contrast": 0.5}.items():
        values = getattr(transform, name)
        values = values[values != 0]
        assert values.abs().max() <= most
        assert values.std().item() == pytest.approx(most / 3**0.5, rel=0.03)  # evenly spread
        assert values.mean().abs() < 0.03 * most
    x = torch.arange(32.0).expand(20_000, 1, 8, 32)  # the middle column tells where it is from
    still = torch.zeros(20_000)
    moved = PictureTransform(
        colours=1,
        shift=transform.shift,
        cut=still.bool(),
        centre=transform.centre,
        brightness=still,
        saturation=still,
        contrast=still,
        flip=still.bool(),
    )(x)[:, 0, 0, 16]
    assert moved.unique().tolist() == [12, 13, 14, 15, 16, 17, 18, 19, 20]


def test_pictures_are_mirrored_only_where_they_may_be_and_all_else_is_drawn_the_same():
    x = pictures(40, 3, 12, 10)
    as_they_are, mirrored = PictureAugmentation(3)(40, MOST_AUGMENT, seeded(0)), drawn(3, 40)
    assert not as_they_are.flip.any()
    turned = dataclasses.replace(mirrored, flip=torch.zeros(40, dtype=torch.bool))
    assert torch.equal(turned(x), as_they_are(x))
    assert 0 < mirrored.flip.sum() < 40
    still = torch.zeros(40)
    only = dict.fromkeys(("brightness", "saturation", "contrast"), still)
    shift = torch.zeros(2, 40)
    flipped = dataclasses.replace(mirrored, **only, shift=shift, cut=still.bool())(x)
    assert torch.equal(flipped[mirrored.flip], x[mirrored.flip].flip(3))
    assert torch.equal(flipped[~mirrored.flip], x[~mirrored.flip])


def test_transparency_moves_with_its_picture_and_keeps_its_values():
    x = pictures(30, 4, 16, 16)
    x[:, 3] = x[:, 3].sign()
    changed = drawn(3, 30)(x)
    assert set(changed[:, 3].unique().tolist()) == {-1.0, 0.0, 1.0}  # 0 where a square is cut out
    grey = torch.cat([x[:, :1], x[:, 3:]], 1)
    assert set(drawn(1, 30)(grey)[:, 1].unique().tolist()) == {-1.0, 0.0, 1.0}


def test_a_transform_does_the_same_twice_and_seeds_differ():
    x = pictures(8, 3, 16, 16)
    transform = drawn(3, 8)
    assert torch.equal(transform(x), transform(x))
    assert torch.equal(transform(x), drawn(3, 8)(x))
    assert not torch.equal(transform(x), drawn(3, 8, seed=1)(x))


@pytest.mark.parametrize("channels", [1, 4])
def test_gradients_pass_through_once_and_twice(channels):
    transform = drawn(3 if channels > 2 else 1, 3)
    x = pictures(3, channels, 8, 9).double().requires_grad_()
    assert torch.autograd.gradcheck(transform, x, fast_mode=True)
    assert torch.autograd.gradgradcheck(lambda t: transform(t).pow(3), x, fast_mode=True, atol=1e-4)
