"""Every kind of file ends up as the right pixels."""

import io

import numpy as np
import pytest
from PIL import Image

from ectype.domains.image.decoding import (
    BadPictureError,
    crop_box,
    decode,
    fitted,
    on_white,
    pillow_ready,
    read_header,
)

RAMP = np.linspace(0, 255, 16).astype(np.uint8)
GREY = np.tile(RAMP, (12, 1))
MOST = 10**8


def saved(picture: Image.Image, form: str, **options) -> io.BytesIO:
    file = io.BytesIO()
    picture.save(file, form, **options)
    file.seek(0)
    return file


def decoded(file: io.BytesIO) -> Image.Image:
    with pillow_ready():
        header = read_header(file, MOST)
        file.seek(0)
        picture = decode(file, MOST, least=1_000)
    assert (*picture.size, picture.mode) == header
    return picture


def colours() -> Image.Image:
    picture = Image.new("RGB", (16, 12), (200, 30, 60))
    picture.paste((10, 120, 240), (8, 0, 16, 12))
    return picture


@pytest.mark.parametrize(
    ("form", "options", "tolerance"),
    [
        ("PNG", {}, 0),
        ("BMP", {}, 0),
        ("TIFF", {"compression": "tiff_lzw"}, 0),
        ("WEBP", {"lossless": True}, 0),
        ("JPEG", {"quality": 95, "subsampling": 0}, 6),
        ("GIF", {}, 0),
        ("PPM", {}, 0),
    ],
)
def test_formats(form, options, tolerance):
    picture = decoded(saved(colours(), form, **options))
    assert picture.mode == "RGB"
    difference = np.asarray(picture).astype(int) - np.asarray(colours())
    assert np.abs(difference).max() <= tolerance


def test_sixteen_bits_are_scaled():
    deep = (np.linspace(0, 65535, 16).astype(np.uint16) * np.ones((12, 1), np.uint16)).astype("u2")
    for form in ("PNG", "TIFF"):
        picture = decoded(saved(Image.fromarray(deep), form))
        assert picture.mode == "L"
        np.testing.assert_allclose(np.asarray(picture), np.rint(deep / 257), atol=0)


def test_floats_are_scaled_when_they_run_to_one():
    for most in (1.0, 255.0):
        values = (GREY / 255 * most).astype(np.float32)
        picture = decoded(saved(Image.fromarray(values), "TIFF"))
        np.testing.assert_array_equal(np.asarray(picture), GREY)
    with pytest.raises(BadPictureError, match="values run from"):
        decoded(saved(Image.fromarray(GREY.astype(np.float32) - 100), "TIFF"))


def test_one_bit():
    picture = decoded(saved(Image.fromarray(GREY).convert("1", dither=Image.Dither.NONE), "PNG"))
    assert set(np.unique(np.asarray(picture))) == {0, 255}


def test_cmyk():
    ink = Image.new("CMYK", (16, 12), (255, 0, 0, 0))
    picture = decoded(saved(ink, "JPEG", quality=95))
    np.testing.assert_allclose(np.asarray(picture)[6, 8], (0, 255, 255), atol=3)


def test_palette_with_transparency():
    picture = Image.new("P", (16, 12), 0)
    picture.putpalette([255, 0, 0, 0, 255, 0])
    picture.paste(1, (8, 0, 16, 12))
    for form in ("PNG", "GIF"):
        seen = decoded(saved(picture, form, transparency=0))
        assert seen.mode == "RGBA"
        pixels = np.asarray(seen)
        assert pixels[6, 2, 3] == 0
        assert pixels[6, 12].tolist() == [0, 255, 0, 255]


def test_the_first_frame_of_a_film():
    frames = [Image.new("RGB", (16, 12), colour) for colour in ("red", "blue")]
    for form in ("GIF", "WEBP", "TIFF"):
        film = saved(frames[0], form, save_all=True, append_images=frames[1:])
        np.testing.assert_allclose(np.asarray(decoded(film))[6, 8], (255, 0, 0), atol=4)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_exif_rotation(form):
    """Orientation 6: the picture must be turned clockwise, so its left side comes to the top."""
    exif = Image.Exif()
    exif[0x0112] = 6
    file = saved(colours(), form, exif=exif, quality=95)
    with pillow_ready():
        picture = decode(file, MOST, least=1_000)
        file.seek(0)
        assert read_header(file, MOST)[:2] == (12, 16)
    assert picture.size == (12, 16)
    pixels = np.asarray(picture).astype(int)
    np.testing.assert_allclose(pixels[2, 6], (200, 30, 60), atol=12)
    np.testing.assert_allclose(pixels[13, 6], (10, 120, 240), atol=12)


def test_a_large_jpeg_is_decoded_at_a_fraction():
    large = colours().resize((1600, 1200))
    with pillow_ready():
        picture = decode(saved(large, "JPEG"), MOST, least=64)
    assert picture.size == (200, 150)


def test_bad_content_is_named():
    whole = saved(colours().resize((200, 200)), "JPEG").getvalue()
    for content, reason in (
        (b"", "empty"),
        (b"just text", "no picture of a known format"),
        (whole[: len(whole) // 2], "truncated"),
    ):
        with pytest.raises(BadPictureError, match=reason):
            decoded(io.BytesIO(content))


def test_a_bomb_is_not_decoded(monkeypatch, bomb):
    file = io.BytesIO(bomb)
    monkeypatch.setattr(Image.Image, "load", lambda _: pytest.fail("it was decoded"))
    with pillow_ready(), pytest.raises(BadPictureError, match="30,000×30,000 pixels are absurdly"):
        read_header(file, MOST)


def test_pillow_keeps_its_own_limit():
    before = Image.MAX_IMAGE_PIXELS
    with pillow_ready():
        assert Image.MAX_IMAGE_PIXELS is None
    assert before == Image.MAX_IMAGE_PIXELS


@pytest.mark.parametrize("form", ["LA", "RGBA"])
def test_hidden_colours_do_not_bleed(form):
    """A white disc whose transparent surroundings are black keeps white edges when scaled."""
    y, x = np.mgrid[:64, :64]
    disc = ((y - 32) ** 2 + (x - 32) ** 2 < 28**2) * 255
    pixels = np.repeat(disc[..., None], len(form), axis=2).astype(np.uint8)
    item = fitted(Image.fromarray(pixels), 16, 16, "crop", form)
    edge = (item[..., -1] > 8) & (item[..., -1] < 247)
    assert edge.sum() > 20
    assert item[edge][:, :-1].min() >= 245
    assert (item[item[..., -1] == 0][:, :-1] == 255).all()


def test_scaling_averages():
    checks = np.indices((64, 64)).sum(axis=0) % 2 * 255
    item = fitted(Image.fromarray(checks.astype(np.uint8)), 8, 8, "crop", "L")
    assert np.abs(item[2:-2, 2:-2].astype(int) - 128).max() <= 2


@pytest.mark.parametrize("size", [(28, 28), (64, 64), (64, 48), (20, 33)])
def test_a_cut_lies_within_the_picture(size):
    """Also where rounding would place it a hair outside, as at 55x110 for 28x28."""
    for width in range(1, 400):
        for height in (width, width + 1, 2 * width, 3 * width + 1):
            for picture in ((width, height), (height, width)):
                left, top, right, bottom = crop_box(picture, size)
                assert 0 <= left < right <= picture[0]
                assert 0 <= top < bottom <= picture[1]
                assert left == 0 or top == 0, "it is as large as can be"
    for picture in ((55, 110), (110, 55), (95, 190), (98, 196)):
        item = fitted(Image.new("L", picture, 7), size[0], size[1], "crop", "L")
        assert (item == 7).all()


def test_on_white():
    items = np.array([[[10, 20, 30, 0], [10, 20, 30, 255], [0, 100, 200, 128]]], np.uint8)
    assert on_white(items).tolist() == [[[255, 255, 255], [10, 20, 30], [127, 177, 227]]]


def test_every_form_becomes_every_other():
    transparent = Image.new("RGBA", (8, 8), (100, 100, 100, 0))
    for form, pixel in (
        ("L", [255]),
        ("RGB", [255] * 3),
        ("LA", [255, 0]),
        ("RGBA", [255] * 3 + [0]),
    ):
        assert fitted(transparent, 8, 8, "crop", form)[0, 0].tolist() == pixel
    for mode in ("1", "L", "P", "RGB", "CMYK"):
        for form in ("L", "LA", "RGB", "RGBA"):
            item = fitted(Image.new(mode, (8, 8)), 8, 8, "crop", form)
            assert item.shape == (8, 8, len(form))
            assert "A" not in form or (item[..., -1] == 255).all()
