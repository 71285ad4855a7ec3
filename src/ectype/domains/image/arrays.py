"""Pictures in arrays: `.npy` and `.npz` files, and numpy arrays and torch tensors in memory."""

from __future__ import annotations

import contextlib
import hashlib
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import IO, Any

import numpy as np
from PIL import Image

from ectype.config import nearest
from ectype.domains.base import Part
from ectype.domains.cache import Cache
from ectype.domains.image.decoding import CHANNELS, BadPictureError
from ectype.domains.image.files import Pictures, Read, Scan
from ectype.domains.labels import names_in
from ectype.errors import DataError, UsageError

#: Names that pictures and labels go by in `.npz` files, most telling first.
_TRAIN = ("x_train", "train_images", "train_x", "images", "x", "data", "samples")
_VALIDATION = ("x_validation", "x_valid", "x_val", "validation_images", "val_images", "val_x")
_TEST = ("x_test", "test_images", "test_x")
_LABELS = {
    "train": ("y_train", "train_labels", "train_y", "labels", "y", "targets"),
    "validation": ("y_validation", "y_valid", "y_val", "validation_labels", "val_labels", "val_y"),
    "test": ("y_test", "test_labels", "test_y"),
}
_NAMES = ("label_names", "class_names", "names")
_FORMS = {channels: form for form, channels in CHANNELS.items()}
_CHUNK = 1024
_PLAIN = "save it as plain numbers with numpy.save or numpy.savez"


@dataclass(frozen=True)
class Block:
    """One array of pictures (n, h, w), (n, h, w, c) or (n, c, h, w), loaded when it is needed."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    load: Callable[[], np.ndarray]
    part: Part | None = None
    labels: np.ndarray | None = None

    @property
    def upright(self) -> tuple[int, int, int, int]:
        """Shape as (n, h, w, c)."""
        n, *rest = self.shape
        if len(rest) == 2:
            return n, rest[0], rest[1], 1
        first, second, third = rest
        return (n, first, second, third) if third <= 4 else (n, second, third, first)


class ArrayPictures(Pictures):
    """Pictures that are arrays already.

    Values: 8 and 16 bit integers over their whole range, bool, other integers from 0 to 255;
    floats from 0 to 1, from -1 to 1, or from 0 to 255, judged over all of the data.
    """

    has_paths = False

    def __init__(
        self, blocks: Sequence[Block], where: str, identity: str | None = None, names: Any = None
    ) -> None:
        self.where = where
        self._identity = identity
        self._blocks = list(blocks)
        self._names = None if names is None else names_in(names)
        for block in blocks:
            if not looks_like_pictures(block.shape, block.dtype.kind) or block.shape[0] == 0:
                raise DataError(
                    f"{block.name} is {block.dtype} of shape {block.shape}, which are no pictures",
                    where=where,
                    hint="expected (n, h, w), (n, h, w, c) or (n, c, h, w)",
                )
        shapes = sorted({block.upright[1:] for block in blocks})
        if len(shapes) > 1:
            raise DataError(f"the arrays differ in the shape of a picture: {shapes}", where=where)

    @cached_property
    def identity(self) -> str:
        """Hash of the arrays, or the file's path, size and time."""
        if self._identity:
            return self._identity
        digest = hashlib.sha256()
        for block, pixels in zip(self._blocks, self._pixels, strict=True):
            digest.update(f"{block.name}{block.shape}{block.dtype}".encode())
            for start in range(0, len(pixels), _CHUNK):
                digest.update(np.ascontiguousarray(pixels[start : start + _CHUNK]).data)
        return digest.hexdigest()

    def scan(self, cache: Cache | None, max_pixels: int, workers: int) -> Scan:
        """Shapes and labels; the arrays need not be loaded for it, unless they are floats."""
        del cache, workers  # nothing to look up
        _, height, width, channels = self._blocks[0].upright
        if height * width > max_pixels:
            raise DataError(
                f"pictures of {width:,}×{height:,} are absurdly large", where=self.where
            )
        names = [f"{b.name}[{i}]" for b in self._blocks for i in range(b.shape[0])]
        scaling = self._scale[2]
        return Scan(
            names=names,
            sizes=np.full((len(names), 2), (width, height), np.int64),
            forms=[_FORMS[channels]] * len(names),
            labels=self._labels(),
            parts=[block.part for block in self._blocks for _ in range(block.shape[0])],
            notes=[f"The values, {scaling}."] if scaling else [],
        )

    @contextlib.contextmanager
    def reading(self, scan: Scan, max_pixels: int) -> Iterator[Read]:
        """See `Pictures.reading`."""
        del scan, max_pixels
        starts = np.cumsum([0, *(block.shape[0] for block in self._blocks)])
        arrays = self._pixels  # before threads ask for them

        def read(index: int, least: int) -> Image.Image:
            del least
            number = int(np.searchsorted(starts, index, side="right")) - 1
            item = self._eight_bits(arrays[number][index - starts[number]])
            return Image.fromarray(item[..., 0] if item.shape[-1] == 1 else item)

        yield read

    @cached_property
    def _pixels(self) -> list[np.ndarray]:
        """The arrays, each as a view (n, h, w, c)."""
        arrays: list[np.ndarray] = []
        for block in self._blocks:
            pixels = block.load()
            if pixels.ndim == 4 and pixels.shape[3] > 4:
                pixels = np.moveaxis(pixels, 1, 3)
            arrays.append(pixels.reshape(block.upright))
        return arrays

    def _labels(self) -> list[str | None]:
        """Label of each picture as text; numbers are looked up among the names, where given."""
        labels: list[str | None] = []
        for block in self._blocks:
            if block.labels is None:
                labels += [None] * block.shape[0]
            elif block.labels.dtype.kind in "iu" and self._names is not None:
                if not 0 <= block.labels.min() <= block.labels.max() < len(self._names):
                    message = f"labels run from {block.labels.min()} to {block.labels.max()}, "
                    message += f"but {len(self._names)} names are given"
                    raise DataError(message, where=self.where)
                labels += [self._names[int(label)] for label in block.labels]
            else:
                labels += names_in(block.labels)
        return labels

    @cached_property
    def _scale(self) -> tuple[float, float, str]:
        """Factor and offset that bring values to 0…255, and a sentence about it."""
        kinds = {block.dtype for block in self._blocks}
        if kinds == {np.dtype(np.uint8)}:
            return 1, 0, ""
        if kinds == {np.dtype(np.bool_)}:
            return 255, 0, ""
        if kinds == {np.dtype(np.uint16)}:
            return 255 / 65535, 0, "16 bit integers, are scaled to 8 bits"
        low, high = np.inf, -np.inf
        for pixels in self._pixels:
            for start in range(0, len(pixels), _CHUNK):
                values = pixels[start : start + _CHUNK]
                values = values[np.isfinite(values)]
                if values.size:
                    low, high = min(low, values.min()), max(high, values.max())
        whole = all(kind.kind in "iu" for kind in kinds)
        if not whole and low >= 0 and high <= 1:
            return 255, 0, "from 0 to 1, are scaled to 8 bits"
        if not whole and low >= -1 and high <= 1:
            return 127.5, 127.5, "from -1 to 1, are scaled to 8 bits"
        if low >= 0 and high <= 255:
            return 1, 0, "from 0 to 255, are rounded to 8 bits"
        message = f"values run from {low:g} to {high:g}, which is no range of pictures"
        hint = "give uint8, uint16, or floats from 0 to 1, -1 to 1 or 0 to 255"
        raise DataError(message, where=self.where, hint=hint)

    def _eight_bits(self, item: np.ndarray) -> np.ndarray:
        if item.dtype == np.uint8:
            return np.ascontiguousarray(item)
        if not np.isfinite(item).all():
            raise BadPictureError("it holds values that are not numbers")
        factor, offset, _ = self._scale
        return np.rint(item * factor + offset).astype(np.uint8)


def looks_like_pictures(shape: Sequence[int], kind: str) -> bool:
    """Whether an array of this shape and dtype kind may hold pictures."""
    if kind not in "uifb" or len(shape) not in (3, 4):
        return False
    sides = shape[1:]
    if len(shape) == 4:
        sides = shape[1:3] if shape[3] <= 4 else shape[2:] if shape[1] <= 4 else (0,)
    return min(sides) >= 4


def pictures_in_memory(source: Any) -> ArrayPictures:
    """Pictures from an array or tensor, or from a pair of one and its labels."""
    pixels, labels = source if isinstance(source, tuple) else (source, None)
    array = _as_numpy(pixels)
    checked = _checked_labels(labels, len(array))
    block = Block("item", array.shape, array.dtype, lambda: array, labels=checked)
    return ArrayPictures([block], "the array given")


def pictures_in_npy(path: Path) -> ArrayPictures:
    """Pictures from a `.npy` file, mapped rather than read."""
    with _no_pickles(path):
        pixels = np.load(path, mmap_mode="r", allow_pickle=False)
    block = Block(path.stem, pixels.shape, pixels.dtype, lambda: pixels)
    return ArrayPictures([block], str(path), _file_identity(path))


def pictures_in_npz(path: Path, labels: str) -> ArrayPictures:
    """Pictures from a `.npz` file.

    Keys such as `x_train, y_train, x_test, y_test, label_names` or `images, labels` are known;
    otherwise the file must hold one single array of pictures.

    Args:
        path: the file.
        labels: `auto`, `none`, or the key of the labels.
    """
    archive = _Npz(path)
    names = next((archive.load(key) for key in _NAMES if key in archive.headers), None)
    blocks: list[Block] = []
    for key, part in archive.picture_keys():
        shape, dtype = archive.headers[key]
        found = None if labels == "none" else archive.labels_of(part, labels)
        checked = _checked_labels(found, shape[0])
        prescribed = None if part == "train" else part
        blocks.append(Block(key, shape, dtype, partial(archive.load, key), prescribed, checked))
    return ArrayPictures(blocks, str(path), f"{labels}:{_file_identity(path)}", names)


class _Npz:
    """A `.npz` file, of which only the headers are read until an array is asked for."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.headers: dict[str, tuple[tuple[int, ...], np.dtype]] = {}
        with _no_pickles(path), zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if name.endswith(".npy"):
                    with archive.open(name) as member:
                        self.headers[name.removesuffix(".npy")] = _npy_header(member)

    def load(self, key: str) -> np.ndarray:
        with _no_pickles(self.path), np.load(self.path, allow_pickle=False) as arrays:
            return arrays[key]

    def picture_keys(self) -> list[tuple[str, Part]]:
        """Keys that hold pictures, each with its part."""
        keys = list(self.headers)
        main = next((key for key in _TRAIN if key in keys), None)
        if main is None:
            likely = [
                key
                for key, (shape, dtype) in self.headers.items()
                if looks_like_pictures(shape, dtype.kind)
            ]
            if len(likely) != 1:
                message = f"no key tells which are the pictures: {', '.join(keys)}"
                hint = "name them “images”, or “x_train” and “x_test”"
                raise DataError(message, where=str(self.path), hint=hint)
            main = likely[0]
        found: list[tuple[str, Part]] = [(main, "train")]
        found.extend((key, "validation") for key in _VALIDATION if key in keys)
        found.extend((key, "test") for key in _TEST if key in keys)
        return found

    def labels_of(self, part: Part, labels: str) -> np.ndarray | None:
        """Labels of a part, under the key asked for or under a known one."""
        keys = list(self.headers)
        if labels == "auto":
            return next((self.load(key) for key in _LABELS[part] if key in keys), None)
        if labels not in keys:
            guess = nearest(labels, keys)
            hint = f"did you mean {guess}?" if guess else f"keys: {', '.join(keys)}"
            message = f"there is no key “{labels}” for the labels"
            raise UsageError(message, where=str(self.path), hint=hint)
        if part == "train":
            return self.load(labels)
        key = labels.replace("train", part) if "train" in labels else f"{labels}_{part}"
        return self.load(key) if key in keys else None


def _npy_header(member: IO[bytes]) -> tuple[tuple[int, ...], np.dtype]:
    version = np.lib.format.read_magic(member)
    read = np.lib.format.read_array_header_1_0
    if version != (1, 0):
        read = np.lib.format.read_array_header_2_0
    shape, _, dtype = read(member)
    return shape, dtype


def _checked_labels(labels: Any, count: int) -> np.ndarray | None:
    """Labels as integers or text, one a picture; one-hot rows become the index they mark."""
    if labels is None:
        return None
    array = _as_numpy(labels)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim == 2 and np.isin(array, (0, 1)).all() and (array.sum(axis=1) == 1).all():
        array = array.argmax(axis=1)
    if array.ndim != 1 or len(array) != count:
        message = f"labels of shape {array.shape} do not fit {count:,} pictures"
        raise DataError(message, hint="give one label a picture")
    if array.dtype.kind == "f" and np.isfinite(array).all() and (array == np.rint(array)).all():
        array = array.astype(np.int64)
    if array.dtype.kind not in "iubUSO":
        raise DataError("the labels are no kinds but measurements", hint="use --labels none")
    return array.astype(np.int64) if array.dtype.kind == "b" else array


def _as_numpy(values: Any) -> np.ndarray:
    if hasattr(values, "detach"):  # a tensor, recognised without importing torch
        values = values.detach().cpu()
        if values.is_floating_point():
            values = values.float()  # numpy has no bfloat16
        return values.numpy()
    return np.asarray(values)


def _file_identity(path: Path) -> str:
    status = path.stat()
    return f"{path.resolve()}:{status.st_size}:{status.st_mtime_ns}"


@contextlib.contextmanager
def _no_pickles(path: Path) -> Iterator[None]:
    try:
        yield
    except (ValueError, EOFError, OSError, zipfile.BadZipFile) as error:
        if "pickle" in str(error) or "Python objects" in str(error):
            message = "the file holds Python objects, which are never loaded: they can run code"
            raise DataError(message, where=str(path), hint=_PLAIN) from error
        message = f"the file cannot be read: {error}"
        raise DataError(message, where=str(path), hint=_PLAIN) from error
