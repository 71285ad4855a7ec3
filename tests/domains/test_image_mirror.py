"""Whether left and right matter: on pictures where it is known."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from ectype.domains.image.mirror import choose_mirror, told

N = 400


def shapes(n: int, side: int = 32, seed: int = 0) -> np.ndarray:
    """Smooth colour pictures, as likely as their mirror images."""
    rng = np.random.default_rng(seed)
    items = np.empty((n, side, side, 3), np.uint8)
    for item in items:
        small = Image.fromarray(rng.integers(0, 256, (5, 5, 3), dtype=np.uint8))
        item[:] = np.asarray(small.resize((side, side), Image.Resampling.BICUBIC))
    return items


def letters(n: int, seed: int = 0) -> np.ndarray:
    """Letters with a left and a right, anywhere, light on dark and dark on light."""
    rng = np.random.default_rng(seed)
    items = np.empty((n, 24, 24, 1), np.uint8)
    for item in items:
        dark, light = sorted(rng.choice(256, 2, replace=False).tolist())
        ground, ink = (dark, light) if rng.random() < 0.5 else (light, dark)
        picture = Image.new("L", (24, 24), ground)
        corner = tuple(rng.integers(-1, 5, 2).tolist())
        ImageDraw.Draw(picture).text(corner, str(rng.choice([*"EFRLBP"])), ink, font_size=20)
        item[..., 0] = np.asarray(picture)
    return items


def every(items: np.ndarray) -> np.ndarray:
    return np.arange(len(items))


def test_of_pictures_as_likely_as_their_mirror_images_nothing_can_be_told():
    share = told(items := shapes(N), every(items))
    assert share == pytest.approx(0.5, abs=4 * 0.5 / N**0.5)
    assert choose_mirror(items, every(items), "auto", 0)[0]


def test_letters_are_told_from_mirrored_ones_also_in_both_colours():
    items = letters(N)
    assert told(items, every(items)) > 0.8
    assert choose_mirror(items, every(items), "auto", 0) == (False, "")


def test_pictures_that_are_their_own_mirror_images_count_half():
    items = shapes(40)
    same = np.concatenate([items[:, :, :16], items[:, :, 15::-1]], axis=2)
    assert told(same, every(same)) == 0.5


@pytest.mark.parametrize("side", [9, 33, 65, 100])
def test_all_sizes_are_pooled_about_the_middle(side):
    items = shapes(60, side)
    ramp = np.minimum(items // 2 + np.linspace(0, 127, side)[:, None], 255).astype(np.uint8)
    assert told(ramp, every(ramp)) > 0.9
    both = np.concatenate([ramp, ramp[:, :, ::-1]])
    mixed = np.random.default_rng(0).permutation(len(both))
    assert told(both, mixed) < 0.65


def test_a_few_pictures_are_not_enough_to_say_so():
    items = shapes(N)
    for few in (0, 1, 3, 10, 40):
        assert not choose_mirror(items, every(items)[:few], "auto", 0)[0]


def test_it_can_be_asked_for_and_forbidden_and_says_so(prepare, tmp_path):
    folder = tmp_path / "shapes"
    folder.mkdir()
    for number, item in enumerate(shapes(N)):
        Image.fromarray(item).save(folder / f"{number:03d}.png")
    data = prepare(folder)
    assert data.spec.mirror
    assert any("Left and right do not matter" in note for note in data.notes)
    forbidden = prepare(folder, mirror="no")
    assert not forbidden.spec.mirror
    assert not any("mirror" in note for note in forbidden.notes)
    assert forbidden.fingerprint != data.fingerprint
    asked = prepare(folder, mirror="yes")
    assert asked.spec.mirror
    assert any("data.mirror=yes" in note for note in asked.notes)


def test_only_training_pictures_are_asked():
    items = np.concatenate([np.repeat(letters(N), 3, axis=3)[:, :24, :24], shapes(N, 24)])
    train = np.arange(N)
    assert not choose_mirror(items, train, "auto", 0)[0]
    assert choose_mirror(items, train + N, "auto", 0)[0]
