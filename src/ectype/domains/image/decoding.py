"""One picture, from an open file to an array of the working size.

Whatever the file holds becomes one of four forms: grey (`L`), grey with alpha (`LA`), `RGB` or
`RGBA`, 8 bits a channel, upright.
"""

from __future__ import annotations

import contextlib
import struct
import warnings
import zlib
from collections.abc import Iterator
from typing import IO, Literal

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from ectype.errors import EctypeError

Fit = Literal["crop", "pad", "stretch"]
CHANNELS = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4}
#: Formats that are read; others, such as EPS, would start foreign programs.
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "DIB", "GIF", "TIFF", "PPM", "AVIF")
_GREY_MODES = {"1", "L", "LA", "La", "I", "F", "I;16", "I;16B", "I;16L", "I;16N"}
_ORIENTATION = 0x0112
#: What Pillow raises on damaged files.
_DAMAGE = (
    *(OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, OverflowError),
    *(struct.error, zlib.error, Image.DecompressionBombError),
)


class BadPictureError(EctypeError):
    """A picture that cannot be used; the message is the reason that the user reads."""


@contextlib.contextmanager
def pillow_ready() -> Iterator[None]:
    """Within it, Pillow neither warns nor limits sizes: damage and size are judged here.

    Both are settings of the whole process, so this stands around a pool, not in its threads.
    """
    limit = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = None
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="PIL")
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def read_header(file: IO[bytes], max_pixels: int) -> tuple[int, int, str]:
    """Upright width, height and form (`L`, `LA`, `RGB`, `RGBA`) of a picture, without decoding it.

    Raises:
        BadPictureError: an empty file, no picture, or one of more than `max_pixels`.
    """
    with _opened(file) as image:
        width, height = image.size
        if width * height > max_pixels:
            raise BadPictureError(
                f"{width:,}×{height:,} pixels are absurdly large (data.max_pixels={max_pixels:,})"
            )
        # Asking a PNG for its EXIF data would decode it, unless they came with the header; the
        # size of a TIFF is upright already.
        may_lie = image.format != "TIFF" and (image.format != "PNG" or "exif" in image.info)
        if may_lie and image.getexif().get(_ORIENTATION, 1) >= 5:
            width, height = height, width
        return width, height, _form_of(image)


def decode(file: IO[bytes], max_pixels: int, least: int) -> Image.Image:
    """A picture in its form, upright, first frame only.

    Args:
        file: positioned at the start.
        max_pixels: larger pictures are refused before they are decoded.
        least: a JPEG may be decoded at a fraction of its size, with sides no shorter than this.

    Raises:
        BadPictureError: it cannot be decoded, or is too large.
    """
    with _opened(file) as image:
        if image.width * image.height > max_pixels:
            raise BadPictureError("absurdly large")
        if image.format == "JPEG":
            image.draft(None, (least, least))  # type: ignore[arg-type]  # None keeps the mode
        image.load()
        ImageOps.exif_transpose(image, in_place=True)
        return _in_form(image, _form_of(image))


def fitted(picture: Image.Image, width: int, height: int, fit: Fit, form: str) -> np.ndarray:
    """A picture as a stored item, uint8 (height, width, channels).

    - crop: scaled to cover the size, then cut evenly at both ends.
    - pad: scaled to lie within the size, the rest filled with the colour of its own border.
    - stretch: scaled to the size, whatever becomes of its proportions.

    Scaling weighs colours by alpha, so that hidden colours do not bleed into the edges; colours
    that are fully transparent are stored as white.
    """
    if picture.mode != form:
        picture = _in_form(picture, form)
    box = (0.0, 0.0, float(picture.width), float(picture.height))
    size = (width, height)
    if fit == "crop":
        box = crop_box(picture.size, size)
    elif fit == "pad":
        scale = (width / picture.width, height / picture.height)
        size = (
            max(1, min(width, round(picture.width * min(scale)))),
            max(1, min(height, round(picture.height * min(scale)))),
        )
    if picture.size != size or box != (0.0, 0.0, *map(float, picture.size)):
        # Pillow multiplies by alpha before it resizes, and divides afterwards.
        picture = picture.resize(size, Image.Resampling.LANCZOS, box=box, reducing_gap=3.0)
    item = np.asarray(picture).reshape(size[1], size[0], CHANNELS[form]).copy()
    if form in ("LA", "RGBA"):
        item[item[..., -1] == 0, :-1] = 255
    return item if size == (width, height) else _padded(item, width, height)


def crop_box(picture: tuple[int, int], size: tuple[int, int]) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of the largest box in the middle that has a size's proportions."""
    # By way of a scale, rounding may place it outside by a hair, which Pillow refuses.
    width = min(picture[0], picture[1] * size[0] / size[1])
    height = min(picture[1], picture[0] * size[1] / size[0])
    left, top = (picture[0] - width) / 2, (picture[1] - height) / 2
    return left, top, left + width, top + height


def on_white(items: np.ndarray) -> np.ndarray:
    """Items (..., channels with alpha last) laid on white: (..., channels without alpha)."""
    alpha = items[..., -1:].astype(np.uint16)
    blended = items[..., :-1] * alpha + 255 * (255 - alpha) + 127
    return (blended // 255).astype(np.uint8)


@contextlib.contextmanager
def _opened(file: IO[bytes]) -> Iterator[Image.Image]:
    """Open a picture; whatever goes wrong with it inside becomes a `BadPictureError`."""
    try:
        with Image.open(file, formats=FORMATS) as image:
            yield image
    except UnidentifiedImageError as error:
        file.seek(0, 2)
        empty = file.tell() == 0
        reason = "the file is empty" if empty else "its content is no picture of a known format"
        raise BadPictureError(reason) from error
    except _DAMAGE as error:
        if "truncated" in str(error).lower():
            raise BadPictureError("the file is truncated") from error
        raise BadPictureError(f"it cannot be decoded: {error}") from error


def _form_of(image: Image.Image) -> str:
    colour = "L" if image.mode in _GREY_MODES else "RGB"
    return colour + "A" if image.has_transparency_data else colour


def _in_form(image: Image.Image, form: str) -> Image.Image:
    if image.mode == form:
        return image
    if image.mode.startswith(("I", "F")):
        image = Image.fromarray(_eight_bits(np.asarray(image)))
    elif "A" not in form and image.has_transparency_data:
        return Image.fromarray(on_white(np.asarray(image.convert("RGBA")))).convert(form)
    elif form == "LA" and image.mode != "L":
        return image.convert("RGBA").convert("LA")  # keeps the transparency that `info` may hold
    return image if image.mode == form else image.convert(form)


def _eight_bits(values: np.ndarray) -> np.ndarray:
    """Grey values of 16 bits, or of floating point, as 8 bits: scaled, never clipped."""
    if not np.isfinite(values).all():
        raise BadPictureError("it holds values that are not numbers")
    low, high = float(values.min()), float(values.max())
    if values.dtype.kind == "f":
        if low < 0 or high > 255:
            raise BadPictureError(
                f"its values run from {low:g} to {high:g}, expected 0 to 1 or 255"
            )
        return np.rint(values * (255 if high <= 1 else 1)).astype(np.uint8)
    if low < 0 or high > 65535:
        raise BadPictureError(f"its values run from {low:g} to {high:g}, expected 16 bits")
    return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _padded(item: np.ndarray, width: int, height: int) -> np.ndarray:
    border = np.concatenate([item[0], item[-1], item[:, 0], item[:, -1]])
    padded = np.empty((height, width, item.shape[-1]), np.uint8)
    padded[:] = np.median(border, axis=0)
    top, left = (height - item.shape[0]) // 2, (width - item.shape[1]) // 2
    padded[top : top + item.shape[0], left : left + item.shape[1]] = item
    return padded
