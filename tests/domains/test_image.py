"""The whole way of pictures, from a folder to a dataset, to networks and back to files."""

import dataclasses
import itertools
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from ectype.config import MOST_AUGMENT, Budget
from ectype.domains.base import PrepareOptions
from ectype.domains.image import files as image_files
from ectype.domains.image.domain import ImageDomain, ImageSettings, ImageSpec
from ectype.errors import DataError, UsageError
from tests.domains.conftest import noise

MODES = ("L", "LA", "RGB", "RGBA")


@pytest.mark.parametrize("mode", MODES)
def test_a_folder_of_each_form(prepare, photos, mode):
    data = prepare(photos(mode=mode, size=(24, 16)))
    assert data.spec.shape == (16, 24, len(mode))
    assert (data.spec.form, data.spec.width, data.spec.height) == (mode, 24, 16)
    assert {name: len(part) for name, part in data.parts.items()} == {
        "train": 10,
        "validation": 1,
        "test": 1,
    }
    assert data.rejects == []


def test_pixels_are_those_of_the_files(prepare, photos):
    folder = photos()
    data = prepare(folder)
    for item, path in zip(data.items, sorted(folder.iterdir()), strict=True):
        np.testing.assert_array_equal(item, np.asarray(Image.open(path)))


def test_a_second_start_decodes_nothing(prepare, photos, monkeypatch):
    folder = photos()
    first = prepare(folder)
    calls: list[int] = []
    decode, read_header = image_files.decode, image_files.read_header
    monkeypatch.setattr(image_files, "decode", lambda *a: calls.append(1) or decode(*a))
    monkeypatch.setattr(image_files, "read_header", lambda *a: calls.append(1) or read_header(*a))
    second = prepare(folder)
    assert not calls
    assert second.fingerprint == first.fingerprint
    np.testing.assert_array_equal(second.items, first.items)
    assert second.notes == first.notes

    noise(np.random.default_rng(99)).save(folder / "003.png")
    third = prepare(folder)
    assert len(calls) == 24
    assert third.fingerprint != first.fingerprint
    assert (third.items[3] != first.items[3]).any()


def test_the_seed_decides_the_parts_and_the_fingerprint(prepare, photos):
    folder = photos(40)
    datasets = [prepare(folder, PrepareOptions(seed=seed)) for seed in (0, 0, 1)]
    assert datasets[0].fingerprint == datasets[1].fingerprint != datasets[2].fingerprint
    assert list(datasets[0].parts["test"]) == list(datasets[1].parts["test"])
    assert list(datasets[0].parts["test"]) != list(datasets[2].parts["test"])


def test_grey_pictures_in_colour_files_become_one_channel(prepare, photos):
    folder = photos(mode="L")
    for path in folder.iterdir():
        Image.open(path).convert("RGBA").save(path)
    data = prepare(folder)
    assert data.spec.form == "L"
    first = Image.open(folder / "000.png").convert("L")
    np.testing.assert_array_equal(data.items[0, ..., 0], np.asarray(first))


def test_mixed_forms_take_the_richest_that_is_used(prepare, photos):
    folder = photos(mode="L")
    noise(np.random.default_rng(7), mode="RGB").save(folder / "colour.png")
    assert prepare(folder).spec.form == "RGB"
    noise(np.random.default_rng(8), mode="LA").save(folder / "alpha.png")
    assert prepare(folder).spec.form == "RGBA"


def test_a_stray_transparent_picture_is_laid_on_white(prepare, photos):
    folder = photos(120)
    stray = Image.new("RGBA", (16, 16), (0, 0, 255, 0))
    stray.paste((255, 0, 0, 255), (0, 0, 8, 16))
    stray.save(folder / "zzz.png")
    data = prepare(folder)
    assert data.spec.form == "RGB"
    assert data.items[-1, 0, [0, 15]].tolist() == [[255, 0, 0], [255, 255, 255]]
    assert any("laid on white" in note for note in data.notes)
    assert prepare(folder, alpha="keep").spec.form == "RGBA"


def test_alpha_can_be_dropped_or_kept(prepare, photos):
    assert prepare(photos(mode="RGBA"), alpha="drop").spec.form == "RGB"
    assert prepare(photos(mode="RGB", name="opaque"), alpha="keep").spec.form == "RGBA"


def test_fits(prepare, tmp_path):
    """A wide picture, red left, green in the middle, blue right, brought to a square."""
    folder = tmp_path / "wide"
    folder.mkdir()
    stripes = Image.new("RGB", (48, 16), (0, 255, 0))
    stripes.paste((255, 0, 0), (0, 0, 16, 16))
    stripes.paste((0, 0, 255), (32, 0, 48, 16))
    stripes.save(folder / "stripes.png")
    crop, pad, stretch = (prepare(folder, size="16", fit=fit).items[0] for fit in FITS)
    assert (crop == (0, 255, 0)).all()
    rows = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255]])
    np.testing.assert_allclose(stretch[8, [0, 8, 15]], rows, atol=8)
    np.testing.assert_allclose(pad[7, [0, 8, 15]], rows, atol=8)
    assert (pad[0] == pad[0, 0]).all()
    assert (pad[15] == pad[0, 0]).all()


FITS = ("crop", "pad", "stretch")


def test_data_size_is_width_by_height(prepare, photos):
    data = prepare(photos(size=(100, 100)), size="64x48")
    assert (data.spec.width, data.spec.height, data.items.shape[1:3]) == (64, 48, (48, 64))


def test_the_size_follows_the_budget(prepare, photos):
    folder = photos(size=(200, 200))
    for seconds, device, side in ((600, "cpu", 32), (3600, "cpu", 64), (600, "cuda:0", 64)):
        options = PrepareOptions(budget=Budget(seconds=seconds), device=device)
        assert prepare(folder, options).spec.shape[:2] == (side, side)


def test_variants_of_a_group_stay_in_one_part(prepare, photos):
    folder = photos(60)
    for path in sorted(folder.iterdir()):
        number = int(path.stem)
        path.rename(folder / f"{number // 3:02d}-{number % 3}.png")
    data = prepare(folder, group=r"^(\d+)-")
    of = {index // 3: name for name, part in data.parts.items() for index in part}
    for name, part in data.parts.items():
        assert all(of[index // 3] == name for index in part)
    assert any("20 groups" in note for note in data.notes)


@pytest.mark.parametrize(
    ("group", "message"),
    [("(", "no regular expression"), ("nowhere", "matches no path"), (r"\d", "into 1 group")],
)
def test_a_group_that_makes_no_sense(prepare, photos, group, message):
    folder = photos(9)
    with pytest.raises(UsageError, match=message):
        prepare(folder, group=group)


def test_near_identical_pictures_share_a_part_and_recoloured_ones_need_not(prepare, tmp_path):
    folder = tmp_path / "near"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(40):
        picture = noise(rng, (32, 32))
        picture.save(folder / f"{number:02d}-a.png")
        picture.save(folder / f"{number:02d}-b.jpg", quality=95, subsampling=0)
    data = prepare(folder)
    for part in data.parts.values():
        assert {index ^ 1 for index in part} == set(part)
    assert data.summary["near_identical"] == 40

    flat = tmp_path / "flat"
    flat.mkdir()
    for number, colour in enumerate(itertools.product((0, 80, 160, 240), repeat=3)):
        icon = Image.new("RGBA", (32, 32))
        icon.paste((*colour, 255), (8, 8, 24, 24))
        icon.save(flat / f"{number:02d}.png")
    assert prepare(flat).summary["near_identical"] == 0


def test_pictures_that_are_all_alike_are_still_parted(prepare, tmp_path):
    folder = tmp_path / "alike"
    folder.mkdir()
    base = np.asarray(noise(np.random.default_rng(0), (32, 32)))
    for number in range(30):
        frame = base.copy()
        frame[number, number] ^= 255
        Image.fromarray(frame).save(folder / f"{number:02d}.png")
    data = prepare(folder)
    assert min(len(part) for part in data.parts.values()) >= 1
    assert any("flatter" in note for note in data.notes)


def test_labels_from_folders(prepare, photos):
    for seed, name in enumerate(("cats", "dogs")):
        photos(8, name=f"pets/{name}", seed=seed)
    data = prepare(photos(0, name="pets"))
    assert data.spec.labels == ("cats", "dogs")
    assert data.labels is not None
    assert data.labels.tolist() == [0] * 8 + [1] * 8
    without = prepare(photos(0, name="pets"), PrepareOptions(labels="none"))
    assert without.labels is None
    assert without.spec.labels == ()
    assert without.fingerprint != data.fingerprint


def test_folders_of_a_few_or_beside_loose_pictures_are_no_labels(prepare, photos):
    photos(8, name="pets/cats", seed=1)
    photos(2, name="pets/dogs", seed=2)
    folder = photos(0, name="pets")
    data = prepare(folder)
    assert data.labels is None
    assert any("“dogs” has only 2" in note for note in data.notes)
    insisted = prepare(folder, PrepareOptions(labels="folder"))
    assert insisted.spec.labels == ("cats", "dogs")
    photos(1, name="pets", seed=3)
    assert any("1 items have none" in note for note in prepare(folder).notes)
    with pytest.raises(DataError, match="no label"):
        prepare(folder, PrepareOptions(labels="folder"))


def test_folders_named_train_and_test_are_parts(prepare, photos):
    for seed, name in enumerate(("train/cats", "train/dogs", "test/cats", "test/dogs")):
        photos(8, name=f"pets/{name}", seed=seed)
    data = prepare(photos(0, name="pets"))
    assert data.spec.labels == ("cats", "dogs")
    assert len(data.parts["test"]) == 16
    assert len(data.parts["train"]) == 15
    assert data.labels is not None
    assert set(data.labels[data.parts["train"]]) == {0, 1}


@pytest.mark.parametrize("mode", MODES)
def test_networks_see_what_is_stored(prepare, photos, mode):
    domain, data = ImageDomain(), prepare(photos(mode=mode, size=(24, 16)))
    stored = torch.from_numpy(np.array(data.items))
    seen = domain.to_network(stored, data.spec)
    assert seen.shape == (12, len(mode), 16, 24)
    assert seen.dtype == torch.float32
    assert seen.is_contiguous(memory_format=torch.channels_last)
    assert seen.min() >= -1
    assert seen.max() <= 1
    assert seen[3, 0, 5, 7] == pytest.approx(data.items[3, 5, 7, 0] / 127.5 - 1)
    np.testing.assert_array_equal(domain.from_network(seen, data.spec), data.items)
    beyond = domain.from_network(torch.full((1, len(mode), 8, 8), 3.0), data.spec)
    assert (beyond == 255).all()


@pytest.mark.parametrize("mode", MODES)
def test_samples_are_written_as_pictures(tmp_path, mode):
    spec = ImageSpec(domain="image", shape=(8, 12, len(mode)), form=mode)
    samples = np.random.default_rng(0).integers(0, 256, (5, *spec.shape), np.uint8)
    paths = ImageDomain().write(samples, spec, tmp_path / "out", None)
    assert [p.name for p in paths] == [f"0000{i}.png" for i in range(5)]
    for path, sample in zip(paths, samples, strict=True):
        with Image.open(path) as picture:
            assert picture.mode == mode
            np.testing.assert_array_equal(np.asarray(picture).reshape(spec.shape), sample)


def test_a_spec_survives_json(prepare, photos):
    spec = prepare(photos()).spec
    assert ImageSpec.from_json(spec.to_json()) == spec


def test_reading_in_the_form_of_a_spec(prepare, photos):
    spec = prepare(photos(mode="RGB", size=(16, 16))).spec
    folder = photos(3, mode="LA", size=(40, 50), name="others")
    (folder / "bad.png").write_text("no picture")
    further = ImageDomain().read(folder, spec)
    assert further.items.shape == (3, 16, 16, 3)
    assert [reject.item for reject in further.rejects] == ["bad.png"]
    assert ImageDomain().read(folder / "000.png", spec).items.shape == (1, 16, 16, 3)


def test_further_pictures_bring_their_labels(prepare, photos):
    for seed, name in enumerate(("ants", "bees", "cats")):
        photos(8, name=f"all/{name}", seed=seed)
        photos(3, name=f"more/{name}", seed=10 + seed)
    spec = prepare(photos(0, name="all")).spec
    more = photos(0, name="more")
    (more / "bees" / "000.png").write_text("no picture")
    further = ImageDomain().read(more, spec)
    assert further.labels is not None
    assert further.labels.tolist() == [0] * 3 + [1] * 2 + [2] * 3
    photos(1, name="more/dogs")
    assert ImageDomain().read(more, spec).labels is None
    unlabelled = dataclasses.replace(spec, labels=())
    assert ImageDomain().read(more, unlabelled).labels is None


def test_inspecting_does_not_wait_for_torch(photos, tmp_path):
    code = (
        "import sys; from ectype.domains.image.domain import *; from ectype.domains.base import *;"
        f"d = ImageDomain(); s = ImageSettings(cache={str(tmp_path / 'cache')!r});"
        f"assert d.recognises({str(photos())!r});"
        f"d.prepare({str(photos())!r}, s, PrepareOptions()); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("size", ["banana", "4", "512", "64x", "64x4"])
def test_sizes_that_cannot_be(prepare, photos, size):
    with pytest.raises(UsageError, match=r"data\.size"):
        prepare(photos(), size=size)


@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.9, 0.2)])
def test_shares_that_leave_nothing(prepare, photos, shares):
    with pytest.raises(UsageError, match="leave some for training"):
        prepare(photos(), validation=shares[0], test=shares[1])


def test_settings_say_what_they_mean():
    from ectype.config import listing

    assert all(row["doc"] for row in listing(ImageSettings()))


@pytest.mark.parametrize(("mode", "colours"), [("L", 1), ("LA", 1), ("RGB", 3), ("RGBA", 3)])
def test_augmentation_takes_transparency_for_no_colour(mode, colours):
    spec = ImageSpec(domain="image", shape=(8, 8, len(mode)), form=mode)
    augmentation = ImageDomain().augmentation(spec)
    assert augmentation is not None
    transform = augmentation(200, MOST_AUGMENT, torch.Generator().manual_seed(0))
    opaque = torch.ones(200, len(mode), 8, 8)
    changed = transform(opaque)
    assert not torch.equal(changed[:, :colours], opaque[:, :colours])
    if len(mode) > colours:  # 0 where a square was cut out
        assert changed[:, colours].unique().tolist() == [0.0, 1.0]
