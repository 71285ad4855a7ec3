"""Pictures to test with, and a cache of their own."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from ectype.domains.base import PrepareOptions
from ectype.domains.image.domain import ImageDomain, ImageSettings


@pytest.fixture
def prepare(tmp_path):
    """Prepares a source with settings as keywords, in a cache of the test's own."""

    def prepare(source, options=None, **settings):
        settings = ImageSettings(cache=str(tmp_path / "the cache"), **settings)
        return ImageDomain().prepare(source, settings, options or PrepareOptions())

    return prepare


@pytest.fixture
def photos(tmp_path):
    """Writes a folder of different pictures; gives its path."""

    def photos(count=12, size=(16, 16), mode="RGB", suffix="png", name="photos", seed=0):
        folder = tmp_path / name
        folder.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(seed)
        for number in range(count):
            noise(rng, size, mode).save(folder / f"{number:03d}.{suffix}")
        return folder

    return photos


@pytest.fixture(scope="session")
def bomb():
    """A PNG of 30,000×30,000 black pixels: half a megabyte as a file, 900 MB decoded."""

    def chunk(kind, content):
        return (
            struct.pack(">I", len(content))
            + kind
            + content
            + struct.pack(">I", zlib.crc32(kind + content))
        )

    side = 30_000
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    pixels = zlib.compressobj(level=1)
    rows = b"".join(pixels.compress(bytes(1 + side // 8) * 1000) for _ in range(side // 1000))
    content = chunk(b"IHDR", header) + chunk(b"IDAT", rows + pixels.flush()) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + content


def noise(rng, size=(16, 16), mode="RGB"):
    """A picture of random coarse blocks, unlike any other."""
    channels = len(mode)
    blocks = rng.integers(0, 256, (4, 4, channels), np.uint8)
    picture = Image.fromarray(blocks[..., 0] if channels == 1 else blocks)
    return picture.resize(size, Image.Resampling.BILINEAR)
