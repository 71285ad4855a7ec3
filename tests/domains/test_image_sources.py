"""Pictures from wherever people keep them, broken ones among them."""

import io
import os
import pathlib
import tarfile
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from ectype.domains import recognise
from ectype.domains.base import PrepareOptions
from ectype.domains.image.domain import ImageDomain
from ectype.errors import DataError, UsageError
from tests.domains.conftest import noise

RNG = np.random.default_rng(0)
COLOUR = RNG.integers(0, 256, (30, 10, 14, 3), np.uint8)
GREY = COLOUR[..., 0]


@pytest.fixture
def messy(photos, bomb):
    """A folder with good pictures of odd kinds, and bad ones of every kind."""
    folder = photos(12)
    rng = np.random.default_rng(5)
    noise(rng).save(folder / "whole.jpg")
    whole = (folder / "whole.jpg").read_bytes()
    (folder / "truncated.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.png").write_bytes(b"")
    (folder / "text.png").write_text("these are not the pixels you are looking for")
    (folder / "copy.png").write_bytes((folder / "000.png").read_bytes())
    (folder / "bomb.png").write_bytes(bomb)
    (folder / "phone.heic").write_bytes(b"heic")
    Image.fromarray(rng.integers(0, 65535, (16, 16), np.uint16)).save(folder / "deep.png")
    noise(rng).convert("CMYK").save(folder / "print.jpg")
    film = noise(rng).convert("P")
    film.save(folder / "film.gif", transparency=0)
    (folder / "notes.txt").write_text("notes")
    (folder / ".DS_Store").write_bytes(b"hidden")
    return folder


def test_bad_files_are_named_and_left_out(prepare, messy):
    data = prepare(messy)
    assert len(data.items) == 16
    assert {reject.item: reject.reason for reject in data.rejects} == {
        "bomb.png": "30,000×30,000 pixels are absurdly large (data.max_pixels=100,000,000)",
        "copy.png": "it is a duplicate of 000.png",
        "empty.png": "the file is empty",
        "phone.heic": ".heic files cannot be read; convert them to PNG or JPEG",
        "text.png": "its content is no picture of a known format",
        "truncated.jpg": "the file is truncated",
    }
    assert "1 other files are no pictures: 1 .txt." in data.notes
    assert "Left out: 5 cannot be used and 1 are duplicates." in data.notes


def test_names_that_are_no_text(prepare, photos):
    folder = photos()
    for name in (b"caf\xe9.png", b"th\xe9.png"):
        with open(os.path.join(os.fsencode(folder), name), "wb") as file:  # noqa: PTH118, PTH123
            file.write((folder / "000.png").read_bytes() if name[0] == ord("c") else b"bad")
    data = prepare(folder)
    assert len(data.items) == 12
    assert [reject.item for reject in data.rejects] == ["th?.png", "caf?.png"]
    assert prepare(folder).fingerprint == data.fingerprint


def test_a_folder_with_none_left(prepare, tmp_path):
    folder = tmp_path / "broken"
    folder.mkdir()
    for number in range(5):
        (folder / f"{number}.png").write_text("no picture")
    with pytest.raises(DataError, match=r"0\.png: its content is no picture.*and 2 more") as error:
        prepare(folder)
    assert error.value.exit_code == 3


def test_a_folder_without_pictures(prepare, tmp_path):
    (tmp_path / "notes.txt").write_text("notes")
    with pytest.raises(DataError, match=r"there are no pictures here.*1 \.txt"):
        prepare(tmp_path)


def test_a_path_that_is_not_there(prepare, photos):
    folder = photos()
    with pytest.raises(UsageError, match="no such file or folder") as error:
        prepare(folder.with_name("fotos"))
    assert str(folder) in str(error.value.hint)


def test_runs_inside_the_folder_are_not_data(prepare, photos):
    folder = photos()
    photos(3, name="photos/runs/photos/samples", seed=9)
    for name in ("config.json", "spec.json"):
        (folder / "runs/photos" / name).write_text("{}")
    data = prepare(folder)
    assert len(data.items) == 12
    assert any("is a run of ectype" in note for note in data.notes)


def without_rights(monkeypatch, name):
    """Files of a name cannot be opened, even by root."""
    opened = pathlib.Path.open

    def refuse(path, *args, **more):
        if path.name == name:
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *args, **more)

    monkeypatch.setattr(pathlib.Path, "open", refuse)


def test_what_could_not_be_read_is_tried_again_once_its_rights_change(prepare, photos):
    folder = photos()
    with pytest.MonkeyPatch.context() as patch:
        without_rights(patch, "000.png")
        assert [reject.item for reject in prepare(folder).rejects] == ["000.png"]
    (folder / "000.png").chmod(0o604)
    assert len(prepare(folder).items) == 12


def test_a_file_that_may_not_be_read_is_a_clear_error(photos, monkeypatch):
    path = archived(photos(), "zip")
    without_rights(monkeypatch, path.name)
    with pytest.raises(DataError, match="cannot be read: Permission denied") as error:
        recognise(path)
    assert error.value.where == str(path)


def test_a_folder_of_linked_folders(prepare, photos, tmp_path):
    links = tmp_path / "links"
    links.mkdir()
    for seed, name in enumerate(("cats", "dogs")):
        (links / name).symlink_to(photos(8, name=name, seed=seed))
    (links / "dogs" / "itself").symlink_to(links)
    assert recognise(links).name == "image"
    assert prepare(links).spec.labels == ("cats", "dogs")


def archived(folder, kind):
    path = folder.parent / f"archive.{kind}"
    files = sorted(folder.rglob("*"), reverse=True)
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            for file in files:
                archive.write(file, file.relative_to(folder.parent))
    else:
        with tarfile.open(path, "w:" + kind.partition(".")[2]) as archive:
            for file in files:
                archive.add(file, file.relative_to(folder.parent), recursive=False)
    return path


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz", "tar.xz"])
def test_an_archive_is_a_folder(prepare, photos, kind):
    for seed, name in enumerate(("cats", "dogs")):
        photos(8, name=f"pets/{name}", seed=seed)
    folder = photos(0, name="pets")
    (folder / "cats/bad.png").write_text("no picture")
    path = archived(folder, kind)
    plain, packed = prepare(folder), prepare(path)
    assert packed.fingerprint == plain.fingerprint == prepare(path).fingerprint
    assert packed.spec.labels == ("cats", "dogs")
    assert [reject.reason for reject in packed.rejects] == [
        "its content is no picture of a known format"
    ]
    assert ImageDomain().recognises(path)


def test_an_archive_is_never_extracted(prepare, photos, tmp_path):
    folder = photos()
    path = tmp_path / "evil.zip"
    content = (folder / "000.png").read_bytes()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../../outside.png", content)
        archive.writestr("/absolute.png", (folder / "001.png").read_bytes())
    data = prepare(path)
    assert len(data.items) == 2
    assert not (tmp_path.parent / "outside.png").exists()


def test_a_damaged_archive(prepare, photos):
    path = archived(photos(), "tar.gz")
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(DataError, match="the archive is damaged"):
        prepare(path)


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (GREY, GREY[..., None]),
        (GREY[..., None], GREY[..., None]),
        (COLOUR, COLOUR),
        (np.moveaxis(COLOUR, 3, 1), COLOUR),
        (torch.from_numpy(COLOUR).permute(0, 3, 1, 2), COLOUR),
        (torch.from_numpy(COLOUR).float() / 255, COLOUR),
        ((COLOUR / 127.5 - 1).astype(np.float32), COLOUR),
        (COLOUR.astype(np.float64), COLOUR),
        (COLOUR.astype(np.int64), COLOUR),
        (COLOUR.astype(np.uint16) * 257, COLOUR),
        (COLOUR > 127, (COLOUR > 127) * np.uint8(255)),
    ],
    ids=lambda value: f"{value.dtype}{tuple(value.shape)}",
)
def test_arrays(prepare, array, expected):
    assert ImageDomain().recognises(array)
    data = prepare(array)
    np.testing.assert_array_equal(data.items, expected)
    assert prepare(array).fingerprint == data.fingerprint


def test_arrays_with_labels(prepare):
    names = ["a", "b", "c"] * 10
    for labels in (names, np.array(names)):
        data = prepare((COLOUR, labels))
        assert data.spec.labels == ("a", "b", "c")
        assert data.labels is not None
        assert data.labels.tolist() == [0, 1, 2] * 10
    numbers = torch.arange(30) % 3 + 9
    assert prepare((COLOUR, numbers)).spec.labels == ("9", "10", "11")
    one_hot = np.eye(3)[np.arange(30) % 3]
    assert prepare((COLOUR, one_hot)).spec.labels == ("0", "1", "2")
    with pytest.raises(DataError, match="do not fit 30 pictures"):
        prepare((COLOUR, [1, 2]))


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (COLOUR.astype(np.float32) * 100, "no range of pictures"),
        (np.full((5, 8, 8), np.nan), "values that are not numbers"),
        (np.zeros((5, 8)), "no pictures"),
        (np.zeros((0, 8, 8), np.uint8), "no pictures"),
        (np.zeros((5, 8, 8), complex), "no pictures"),
    ],
)
def test_arrays_that_are_no_pictures(prepare, array, message):
    with pytest.raises(DataError, match=message):
        prepare(array)


def test_an_item_of_no_numbers_is_left_out(prepare):
    values = COLOUR.astype(np.float32) / 255
    values[4, 0, 0, 0] = np.nan
    data = prepare(values)
    assert len(data.items) == 29
    assert [reject.item for reject in data.rejects] == ["item[4]"]


def test_npy(prepare, tmp_path):
    np.save(tmp_path / "pictures.npy", COLOUR)
    assert ImageDomain().recognises(tmp_path / "pictures.npy")
    np.testing.assert_array_equal(prepare(tmp_path / "pictures.npy").items, COLOUR)


def test_npz_with_known_keys(prepare, tmp_path):
    path = tmp_path / "data.npz"
    labels = np.arange(30) % 2
    np.savez_compressed(
        path,
        x_train=GREY[:20],
        y_train=labels[:20],
        x_test=GREY[20:],
        y_test=labels[20:],
        label_names=np.array(["shoe", "bag"]),
    )
    assert ImageDomain().recognises(path)
    data = prepare(path)
    assert list(data.parts["test"]) == list(range(20, 30))
    assert len(data.parts["validation"]) == 1
    assert data.spec.labels == ("bag", "shoe")
    assert data.labels is not None
    assert [data.spec.labels[label] for label in data.labels[:2]] == ["shoe", "bag"]
    assert prepare(path, PrepareOptions(labels="none")).labels is None


def test_npz_with_labels_of_bytes(prepare, tmp_path):
    path = tmp_path / "data.npz"
    kinds = np.array(["café".encode(), b"bar"])
    np.savez(path, images=GREY, labels=kinds[np.arange(30) % 2])
    assert prepare(path).spec.labels == ("bar", "café")
    np.savez(path, images=GREY, labels=np.arange(30) % 2, label_names=kinds)
    assert prepare(path).spec.labels == ("bar", "café")


def test_npz_with_keys_of_its_own(prepare, tmp_path):
    path = tmp_path / "data.npz"
    np.savez(path, faces=COLOUR, mood=np.array(["glad", "sad"] * 15), age=np.arange(30.5))
    assert prepare(path).labels is None
    assert prepare(path, PrepareOptions(labels="mood")).spec.labels == ("glad", "sad")
    with pytest.raises(UsageError, match="no key “moood”") as error:
        prepare(path, PrepareOptions(labels="moood"))
    assert error.value.hint == "did you mean mood?"


def test_pickles_are_never_loaded(prepare, tmp_path):
    objects = np.array([{"a": 1}, None], dtype=object)
    np.save(tmp_path / "objects.npy", objects, allow_pickle=True)
    np.savez(tmp_path / "objects.npz", x_train=GREY, label_names=objects)
    for name in ("objects.npy", "objects.npz"):
        with pytest.raises(DataError, match="can run code"):
            prepare(tmp_path / name)


def test_files_that_are_no_arrays(prepare, tmp_path):
    for name in ("text.npy", "text.npz"):
        (tmp_path / name).write_text("text")
        assert not ImageDomain().recognises(tmp_path / name)
        with pytest.raises(DataError):
            prepare(tmp_path / name)


def test_what_is_not_recognised(tmp_path):
    (tmp_path / "song.wav").write_bytes(b"RIFF")
    (tmp_path / "table.csv").write_text("a,b\n1,2\n")
    for source in (
        tmp_path,
        tmp_path / "song.wav",
        tmp_path / "nothing",
        ["some", "text"],
        np.zeros((100, 2)),
        io.BytesIO(),
    ):
        assert not ImageDomain().recognises(source)
