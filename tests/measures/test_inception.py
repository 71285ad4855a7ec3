"""Inception-v3 with random weights: names and shapes of the published file, peculiarities."""

import numpy as np
import pytest
import safetensors.torch
import torch
from torch.nn import functional as F

from ectype.errors import UsageError
from ectype.measures.inception import (
    BlockA,
    BlockE,
    Inception,
    average_pool,
    inception_space,
    load_inception,
)

#: (inputs, outputs, kernel height, kernel width) of convolutions of the published file.
SHAPES = {
    "Conv2d_1a_3x3": (3, 32, 3, 3),
    "Conv2d_4a_3x3": (80, 192, 3, 3),
    "Mixed_5b.branch_pool": (192, 32, 1, 1),
    "Mixed_5d.branch3x3dbl_3": (96, 96, 3, 3),
    "Mixed_6a.branch3x3": (288, 384, 3, 3),
    "Mixed_6b.branch7x7_2": (128, 128, 1, 7),
    "Mixed_6c.branch7x7_3": (160, 192, 7, 1),
    "Mixed_6e.branch7x7dbl_2": (192, 192, 7, 1),
    "Mixed_7a.branch7x7x3_4": (192, 192, 3, 3),
    "Mixed_7b.branch1x1": (1280, 320, 1, 1),
    "Mixed_7c.branch3x3_2a": (384, 384, 1, 3),
    "Mixed_7c.branch3x3dbl_3b": (384, 384, 3, 1),
}


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A file with random weights that keep the signal's size, and a network that holds them."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = Inception().eval()
        for parameter in network.parameters():
            if parameter.ndim == 4:
                torch.nn.init.kaiming_normal_(parameter)
    path = tmp_path_factory.mktemp("weights") / "inception.pth"
    torch.save(network.state_dict(), path)
    return path, network


def test_names_and_shapes_are_those_of_the_published_file():
    with torch.device("meta"):
        state = Inception().state_dict()
    assert len({name.split(".")[0] for name in state}) == 17
    units = [name.removesuffix(".conv.weight") for name in state if name.endswith("conv.weight")]
    assert len(units) == 94, "convolutions of Inception-v3"
    assert len(state) == 94 * 6 + 2, "each with five entries of its normalisation; the classifier"
    for unit in units:
        assert {f"{unit}.bn.{entry}" for entry in ("weight", "bias", "running_mean")} <= set(state)
    for unit, (inputs, outputs, height, width) in SHAPES.items():
        assert tuple(state[f"{unit}.conv.weight"].shape) == (outputs, inputs, height, width)
    assert tuple(state["fc.weight"].shape) == (1008, 2048)
    parameters = sum(v.numel() for k, v in state.items() if "running" not in k and "num" not in k)
    # 23,834,568 of torchvision without its second classifier, with 1,008 classes for 1,000
    assert parameters == 23_834_568 + 8 * 2049


def test_pools_leave_the_padding_out():
    x = torch.randn(1, 2, 4, 5, dtype=torch.float64)
    expected = torch.stack(
        [
            x[..., max(i - 1, 0) : i + 2, max(j - 1, 0) : j + 2].mean((2, 3))
            for i in range(4)
            for j in range(5)
        ],
        -1,
    )
    torch.testing.assert_close(average_pool(x).flatten(2), expected)


@pytest.mark.parametrize("pools_maximum", [False, True])
def test_only_the_last_block_pools_maxima(pools_maximum, weights):
    block = BlockE(8, pools_maximum=pools_maximum).eval()
    x = torch.rand(2, 8, 4, 4)
    pooled = F.max_pool2d(x, 3, 1, 1) if pools_maximum else average_pool(x)
    expected = block.branch_pool(pooled)
    with torch.no_grad():
        torch.testing.assert_close(block(x)[:, -192:], expected)
    network = weights[1]
    assert isinstance(network.Mixed_7c.pool, torch.nn.MaxPool2d)
    assert network.Mixed_7b.pool is average_pool


def test_a_unit_normalises_with_the_epsilon_of_the_original():
    unit = BlockA(3, 8).eval().branch1x1
    unit.bn.load_state_dict(
        {
            **unit.bn.state_dict(),
            "running_mean": torch.full((64,), 0.1),
            "running_var": torch.full((64,), 0.5),
        }
    )
    x = torch.rand(1, 3, 2, 2)
    plain = (F.conv2d(x, unit.conv.weight) - 0.1) / (0.5 + 1e-3) ** 0.5
    torch.testing.assert_close(unit(x), plain.relu())


def test_features_of_pictures(weights):
    path, network = weights
    space = inception_space(path)
    assert space.dim == 2048
    images = np.random.default_rng(0).integers(0, 256, (2, 9, 12, 3), dtype=np.uint8)
    # bilinear between pixel centres, without antialiasing, written out
    side = 299
    rows, columns = (
        np.clip((np.arange(side) + 0.5) * count / side - 0.5, 0, count - 1) for count in (9, 12)
    )
    low_row, low_column = rows.astype(int), columns.astype(int)
    high_row, high_column = np.minimum(low_row + 1, 8), np.minimum(low_column + 1, 11)
    down, right = (rows - low_row)[:, None, None], (columns - low_column)[:, None]
    upper = images[:, low_row]
    lower = images[:, high_row]
    upper, lower = (
        half[:, :, low_column] * (1 - right) + half[:, :, high_column] * right
        for half in (upper, lower)
    )
    resized = upper * (1 - down) + lower * down
    x = torch.from_numpy(2 * resized / 255 - 1).permute(0, 3, 1, 2).float()
    with torch.no_grad():
        expected = network(x)
    features = space.extract(images)
    assert features.shape == (2, 2048)
    assert features.dtype == np.float32
    scale = float(expected.abs().max())
    np.testing.assert_allclose(features, expected.numpy(), atol=1e-4 * scale)


def test_a_space_is_named_after_its_file(weights, tmp_path):
    path, network = weights
    other = tmp_path / "other.safetensors"
    safetensors.torch.save_file(network.state_dict(), other)
    names = {inception_space(file).name for file in (path, other)}
    assert len(names) == 2, "two files, two spaces: their figures do not mix"
    assert all(name.startswith("inception-v3@") for name in names)
    loaded, again = (load_inception(file) for file in (path, other))
    for name, value in loaded.state_dict().items():
        assert torch.equal(value, again.state_dict()[name])


def test_without_the_file_it_is_said_which_and_why(tmp_path):
    with pytest.raises(UsageError, match="not shipped") as error:
        inception_space(None)
    assert "pt_inception-2015-12-05-6726825d.pth" in str(error.value.hint)
    assert "evaluation.inception=FILE" in str(error.value.where)
    with pytest.raises(UsageError, match="no such file"):
        inception_space(tmp_path / "nothing.pth")


@pytest.mark.parametrize("name", ["a.pth", "a.safetensors"])
@pytest.mark.parametrize("content", ["text", "other weights"])
def test_other_files_are_refused(name, content, tmp_path):
    path = tmp_path / name
    if content == "text":
        path.write_bytes(b"no weights at all")
    elif path.suffix == ".pth":
        torch.save({"fc.weight": torch.zeros(2, 2)}, path)
    else:
        safetensors.torch.save_file({"fc.weight": torch.zeros(2, 2)}, path)
    with pytest.raises(UsageError, match="does not hold the weights of the Inception-v3"):
        load_inception(path)
