"""Feature spaces: what they take, what must change them and what must not."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ectype.measures.features import FeatureSpace, feature_space, register


def images(*shape: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def network_features(x: NDArray[np.uint8]) -> NDArray[np.float32]:
    return feature_space("efficientnet-lite0@128").extract(x)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_shape_and_type(channels: int):
    features = network_features(images(3, 20, 28, channels))
    assert features.shape == (3, feature_space("efficientnet-lite0@128").dim)
    assert features.dtype == np.float32


def test_grey_equals_the_same_grey_in_rgb():
    grey = images(2, 28, 28, 1)
    rgb = np.repeat(grey, 3, axis=3)
    np.testing.assert_allclose(network_features(grey), network_features(rgb), atol=1e-4)


def test_features_do_not_depend_on_the_batch():
    x = images(34, 16, 16, 3)  # more than one batch
    parts = np.concatenate([network_features(x[:2]), network_features(x[2:])])
    np.testing.assert_allclose(network_features(x), parts, atol=1e-4)


def test_memory_maps_and_views_are_taken_as_they_are(tmp_path: Path):
    x = images(3, 16, 16, 3)
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    np.testing.assert_array_equal(network_features(mapped), network_features(x))
    np.testing.assert_array_equal(network_features(x[:, ::-1]), network_features(x[:, ::-1].copy()))


def test_opaque_alpha_changes_nothing():
    rgb = images(2, 28, 28, 3)
    opaque = np.concatenate([rgb, np.full((2, 28, 28, 1), 255, np.uint8)], axis=3)
    np.testing.assert_allclose(network_features(opaque), network_features(rgb), atol=1e-4)


@pytest.mark.parametrize("ink", [0, 255])
def test_a_drawing_on_transparent_ground_shows_in_black_and_in_white(ink: int):
    drawing = np.full((1, 28, 28, 4), ink, np.uint8)
    drawing[..., 3] = 0
    blank = drawing.copy()
    drawing[:, 8:20, 8:20, 3] = 255
    assert np.abs(network_features(drawing) - network_features(blank)).max() > 0.1


def test_colour_under_zero_alpha_does_not_count():
    x = images(1, 28, 28, 4)
    x[..., 3] = 0
    y = images(1, 28, 28, 4, seed=1)
    y[..., 3] = 0
    np.testing.assert_array_equal(network_features(x), network_features(y))


def test_pixels_are_the_stored_values():
    x = images(2, 3, 5, 4)
    features = feature_space("pixels").extract(x)
    assert features.dtype == np.float32
    np.testing.assert_array_equal(np.rint(features * 255).reshape(x.shape), x)


def test_values_are_the_stored_numbers():
    x = np.random.default_rng(0).normal(size=(4, 3, 2))
    features = feature_space("values").extract(x)
    assert features.dtype == np.float32
    np.testing.assert_array_equal(features, x.reshape(4, 6).astype(np.float32))
    with pytest.raises(TypeError, match="takes numbers, not <U1"):
        feature_space("values").extract(np.array(["a", "b"]))


@pytest.mark.parametrize("name", ["efficientnet-lite0@128", "pixels"])
@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (np.zeros((2, 8, 8, 3)), TypeError, "uint8 images in 0..255, not float64"),
        (images(2, 8, 8), ValueError, r"not \(2, 8, 8\)"),
        (images(2, 8, 8, 5), ValueError, r"not \(2, 8, 8, 5\)"),
        (images(0, 8, 8, 3), ValueError, "nothing empty"),
    ],
)
def test_wrong_arrays_are_named(
    name: str, wrong: NDArray[np.generic], error: type[Exception], message: str
):
    with pytest.raises(error, match=message):
        feature_space(name).extract(wrong)


def test_an_unknown_space_names_the_known_ones():
    known = "efficientnet-lite0@128, pixels, pixels@32, values"
    with pytest.raises(ValueError, match=f"'nonsense'; known: {known}"):
        feature_space("nonsense")


def test_a_name_stands_for_one_space():
    pixels = feature_space("pixels")
    with pytest.raises(ValueError, match="already registered"):
        register(FeatureSpace(name="pixels", dim=3, extract=pixels.extract))
    assert feature_space("pixels") is pixels


def test_coarse_pixels_are_means_over_areas():
    x = images(2, 64, 96, 3)
    coarse = feature_space("pixels@32").extract(x).reshape(2, 32, 32, 3)
    areas = x.reshape(2, 32, 2, 32, 3, 3).mean((2, 4)) / 255
    np.testing.assert_allclose(coarse, areas, atol=1e-6)
    small = images(2, 20, 28, 4)
    np.testing.assert_array_equal(
        feature_space("pixels@32").extract(small), feature_space("pixels").extract(small)
    )
