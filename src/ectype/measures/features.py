"""Named feature spaces: what a figure of quality is measured in.

A Fréchet distance or a recall means nothing without its feature space, so a space's name states
everything that changes figures, and two figures compare only under one name. Further spaces join
by `register`.

See also: `ectype.measures.frechet` and `ectype.measures.neighbours`, which take the features.
"""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from ectype.measures.efficientnet import FEATURES, EfficientNetLite0, load_efficientnet_lite0

Features: TypeAlias = NDArray[np.float32]

_BATCH = 16  # more do not fit into a core's cache, and take longer an image
_MID_GREY = 128.0


class Extract(Protocol):
    """Turns n items into (n, dim) float32 features."""

    def __call__(self, items: NDArray[Any], /, *, device: str = "cpu") -> Features:
        """Extract on `device`, which changes features by no more than rounding."""
        ...


@dataclass(frozen=True, kw_only=True)
class FeatureSpace:
    """A named map from items to vectors.

    Attributes:
        name: states all that changes figures: the network and the side it sees, for example.
        dim: length of a feature vector; None where it follows from the items (pixels, values).
        extract: the map.
    """

    name: str
    dim: int | None
    extract: Extract


_spaces: dict[str, FeatureSpace] = {}


def register(space: FeatureSpace) -> FeatureSpace:
    """Add a space under its name.

    Raises:
        ValueError: if the name is taken: one name must never stand for two spaces.
    """
    if space.name in _spaces:
        raise ValueError(f"a feature space named {space.name!r} is already registered")
    _spaces[space.name] = space
    return space


def feature_space(name: str) -> FeatureSpace:
    """Look a space up by its name.

    Raises:
        ValueError: if there is none of that name.
    """
    if name not in _spaces:
        raise ValueError(f"no feature space is named {name!r}; known: {', '.join(sorted(_spaces))}")
    return _spaces[name]


def efficientnet_lite0_128(images: NDArray[Any], /, *, device: str = "cpu") -> Features:
    """Pooled EfficientNet-Lite0 features of images resized to 128 x 128 pixels.

    The resize is bilinear with antialiasing and does not keep the aspect ratio: nothing is cropped
    away, and images of one dataset share one shape, so all are stretched alike.

    Args:
        images: (n, height, width, c) uint8; c is 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA.
        device: where the network runs.

    Returns:
        (n, 1280) float32.

    Raises:
        TypeError: if the images are not uint8.
        ValueError: if their shape is another.
    """
    network = _network(device)
    batches: list[Tensor] = []
    with torch.inference_mode():
        for x in rgb_batches(images, device):
            x = F.interpolate(x, (128, 128), mode="bilinear", antialias=True)
            x = ((x - 127) / 128).expand(-1, 3, -1, -1)
            batches.append(network(x).cpu())
    return torch.cat(batches).numpy()


def pixels(images: NDArray[Any], /, *, device: str = "cpu") -> Features:
    """Pixel values in 0..1 as they are stored, all channels, flattened.

    Args:
        images: (n, height, width, c) uint8 with c in 1..4.
        device: unused; every space takes it.

    Returns:
        (n, height * width * c) float32.

    Raises:
        TypeError: if the images are not uint8.
        ValueError: if their shape is another.
    """
    del device
    _check(images)
    return images.reshape(len(images), -1).astype(np.float32) / np.float32(255)


def pixels_32(images: NDArray[Any], /, *, device: str = "cpu") -> Features:
    """Pixel values in 0..1, averaged over areas where a side is longer than 32 pixels.

    Args:
        images: (n, height, width, c) uint8 with c in 1..4.
        device: unused; every space takes it.

    Returns:
        (n, min(height, 32) * min(width, 32) * c) float32.

    Raises:
        TypeError: if the images are not uint8.
        ValueError: if their shape is another.
    """
    del device
    _check(images)
    height, width = images.shape[1:3]
    size = (min(height, 32), min(width, 32))
    x = torch.from_numpy(images.astype(np.float32) / np.float32(255)).permute(0, 3, 1, 2)
    return F.adaptive_avg_pool2d(x, size).permute(0, 2, 3, 1).flatten(1).numpy()


def values(items: NDArray[Any], /, *, device: str = "cpu") -> Features:
    """The numbers of an item as they are stored, flattened.

    Args:
        items: (n, ...) of any number type.
        device: unused; every space takes it.

    Returns:
        (n, numbers in an item) float32.

    Raises:
        TypeError: if the items are not numbers.
    """
    del device
    if items.dtype.kind not in "biuf":
        raise TypeError(f"the space “values” takes numbers, not {items.dtype}")
    return items.reshape(len(items), -1).astype(np.float32)


@functools.cache
def _network(device: str) -> EfficientNetLite0:
    return load_efficientnet_lite0(device)


def _check(images: NDArray[Any]) -> None:
    if images.dtype != np.uint8:
        raise TypeError(
            f"image features take uint8 images in 0..255, not {images.dtype}; "
            "convert them first, a value in 0..1 with (x * 255).round().astype('uint8')"
        )
    if images.ndim != 4 or images.shape[3] not in (1, 2, 3, 4) or 0 in images.shape:
        raise ValueError(
            "image features take an array (n, height, width, channels) with 1 to 4 channels and "
            f"nothing empty, not {images.shape}"
        )


def rgb_batches(images: NDArray[Any], device: str) -> Iterator[Tensor]:
    """Yield images without alpha, (at most 16, 1 or 3, height, width) float32 in 0..255.

    Raises:
        TypeError: if the images are not uint8.
        ValueError: if they are not (n, height, width, c) with c in 1..4.
    """
    _check(images)
    for start in range(0, len(images), _BATCH):
        # A copy, because torch warns about arrays that it may not write to (memory maps).
        batch = torch.from_numpy(images[start : start + _BATCH].copy()).permute(0, 3, 1, 2)
        yield _rgb(batch.to(device, torch.float32))


def _rgb(x: Tensor) -> Tensor:
    """Remove alpha: (n, c, height, width) in 0..255 to (n, 1 or 3, height, width).

    Composed over mid-grey. Over white, a white drawing on transparent ground would leave no trace,
    over black a black one; both are common in icons, and a wrong alpha must show in the figures.
    Mid-grey drawings are the rarest. It is also the network's zero, nearly: the ground itself adds
    no contrast of its own. Colour hidden under zero alpha does not count.
    """
    if x.shape[1] in (1, 3):
        return x
    colour, alpha = x[:, :-1], x[:, -1:] / 255
    return colour * alpha + _MID_GREY * (1 - alpha)


register(FeatureSpace(name="efficientnet-lite0@128", dim=FEATURES, extract=efficientnet_lite0_128))
register(FeatureSpace(name="pixels", dim=None, extract=pixels))
register(FeatureSpace(name="pixels@32", dim=None, extract=pixels_32))
register(FeatureSpace(name="values", dim=None, extract=values))
