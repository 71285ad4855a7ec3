"""Inception-v3 of December 2015, in whose features the usual FID is computed.

"Rethinking the Inception Architecture for Computer Vision" (https://arxiv.org/abs/1512.00567).
The weights are not shipped: they are large and not ours to pass on. The file that PyTorch users
have is `pt_inception-2015-12-05-6726825d.pth`, a release of https://github.com/mseitzer/pytorch-fid.
Its key names are torchvision's; the network has three peculiarities of the TensorFlow original:

- average pools within blocks divide by the pixels that there are, not by the padding;
- the last block pools maxima where the others pool averages;
- pictures are resized to 299 x 299 bilinearly, without antialiasing.

What is tested is the structure, with random weights: key names, shapes and the peculiarities. The
file itself was not at hand. A space is named after the SHA-256 of its file, so `6726825d` in the
name says that the weights are those above, and figures compare under one name only.
"""

from __future__ import annotations

import functools
import hashlib
import pickle
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from ectype.errors import UsageError
from ectype.measures.features import Features, FeatureSpace, rgb_batches

FEATURES = 2048
SIDE = 299

_NORM_EPSILON = 1e-3  # as in the original; torch's default is 1e-5
_WHERE = "--set evaluation.inception=FILE"
_DAMAGES = (
    *(AttributeError, EOFError, RuntimeError, TypeError),
    *(pickle.UnpicklingError, safetensors.SafetensorError),
)
_USUAL = "the usual file is pt_inception-2015-12-05-6726825d.pth of mseitzer/pytorch-fid"


class Unit(nn.Module):
    """Convolution, batch normalisation with fixed statistics, ReLU."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int | tuple[int, int],
        stride: int = 1,
        padding: int | tuple[int, int] = 0,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=_NORM_EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, inputs, h, w) to (n, outputs, h', w')."""
        return F.relu(self.bn(self.conv(x)), inplace=True)


def average_pool(x: Tensor) -> Tensor:
    """Means of 3 x 3 neighbourhoods, at the border of those pixels that there are."""
    return F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)


def _line(length: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Arguments of a unit that filters rows, and of one that filters columns, keeping the size."""
    half = length // 2
    row = {"kernel": (1, length), "padding": (0, half)}
    return row, {"kernel": (length, 1), "padding": (half, 0)}


class BlockA(nn.Module):
    """35 x 35: 1x1, 5x5, two 3x3, pool."""

    def __init__(self, inputs: int, pooled: int) -> None:
        super().__init__()
        self.branch1x1 = Unit(inputs, 64, 1)
        self.branch5x5_1 = Unit(inputs, 48, 1)
        self.branch5x5_2 = Unit(48, 64, 5, padding=2)
        self.branch3x3dbl_1 = Unit(inputs, 64, 1)
        self.branch3x3dbl_2 = Unit(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = Unit(96, 96, 3, padding=1)
        self.branch_pool = Unit(inputs, pooled, 1)

    def forward(self, x: Tensor) -> Tensor:
        """All branches side by side."""
        five = self.branch5x5_2(self.branch5x5_1(x))
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch1x1(x), five, double, self.branch_pool(average_pool(x))], 1)


class BlockB(nn.Module):
    """35 x 35 to 17 x 17: 3x3, two 3x3, pool, the last of each at stride 2."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.branch3x3 = Unit(inputs, 384, 3, stride=2)
        self.branch3x3dbl_1 = Unit(inputs, 64, 1)
        self.branch3x3dbl_2 = Unit(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = Unit(96, 96, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """All branches side by side."""
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch3x3(x), double, F.max_pool2d(x, 3, stride=2)], 1)


class BlockC(nn.Module):
    """17 x 17: 1x1, 7x7 and two 7x7 as pairs of 1x7 and 7x1, pool."""

    def __init__(self, inputs: int, inner: int) -> None:
        super().__init__()
        row, column = _line(7)
        self.branch1x1 = Unit(inputs, 192, 1)
        self.branch7x7_1 = Unit(inputs, inner, 1)
        self.branch7x7_2 = Unit(inner, inner, **row)
        self.branch7x7_3 = Unit(inner, 192, **column)
        self.branch7x7dbl_1 = Unit(inputs, inner, 1)
        self.branch7x7dbl_2 = Unit(inner, inner, **column)
        self.branch7x7dbl_3 = Unit(inner, inner, **row)
        self.branch7x7dbl_4 = Unit(inner, inner, **column)
        self.branch7x7dbl_5 = Unit(inner, 192, **row)
        self.branch_pool = Unit(inputs, 192, 1)

    def forward(self, x: Tensor) -> Tensor:
        """All branches side by side."""
        seven = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x)))
        double = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(x)))
        double = self.branch7x7dbl_5(self.branch7x7dbl_4(double))
        return torch.cat([self.branch1x1(x), seven, double, self.branch_pool(average_pool(x))], 1)


class BlockD(nn.Module):
    """17 x 17 to 8 x 8: 3x3, 7x7 and 3x3, pool, the last of each at stride 2."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        row, column = _line(7)
        self.branch3x3_1 = Unit(inputs, 192, 1)
        self.branch3x3_2 = Unit(192, 320, 3, stride=2)
        self.branch7x7x3_1 = Unit(inputs, 192, 1)
        self.branch7x7x3_2 = Unit(192, 192, **row)
        self.branch7x7x3_3 = Unit(192, 192, **column)
        self.branch7x7x3_4 = Unit(192, 192, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """All branches side by side."""
        three = self.branch3x3_2(self.branch3x3_1(x))
        seven = self.branch7x7x3_3(self.branch7x7x3_2(self.branch7x7x3_1(x)))
        return torch.cat([three, self.branch7x7x3_4(seven), F.max_pool2d(x, 3, stride=2)], 1)


class BlockE(nn.Module):
    """8 x 8: 1x1, 3x3 and two 3x3 that end in a 1x3 beside a 3x1, pool."""

    def __init__(self, inputs: int, *, pools_maximum: bool) -> None:
        super().__init__()
        row, column = _line(3)
        self.pool = nn.MaxPool2d(3, 1, 1) if pools_maximum else average_pool
        self.branch1x1 = Unit(inputs, 320, 1)
        self.branch3x3_1 = Unit(inputs, 384, 1)
        self.branch3x3_2a = Unit(384, 384, **row)
        self.branch3x3_2b = Unit(384, 384, **column)
        self.branch3x3dbl_1 = Unit(inputs, 448, 1)
        self.branch3x3dbl_2 = Unit(448, 384, 3, padding=1)
        self.branch3x3dbl_3a = Unit(384, 384, **row)
        self.branch3x3dbl_3b = Unit(384, 384, **column)
        self.branch_pool = Unit(inputs, 192, 1)

    def forward(self, x: Tensor) -> Tensor:
        """All branches side by side."""
        three = self.branch3x3_1(x)
        double = self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        branches = [self.branch1x1(x), self.branch3x3_2a(three), self.branch3x3_2b(three)]
        branches += [self.branch3x3dbl_3a(double), self.branch3x3dbl_3b(double)]
        return torch.cat([*branches, self.branch_pool(self.pool(x))], 1)


class Inception(nn.Module):
    """The network, up to its last pool and with its classifier of 1,008 classes."""

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = Unit(3, 32, 3, stride=2)
        self.Conv2d_2a_3x3 = Unit(32, 32, 3)
        self.Conv2d_2b_3x3 = Unit(32, 64, 3, padding=1)
        self.Conv2d_3b_1x1 = Unit(64, 80, 1)
        self.Conv2d_4a_3x3 = Unit(80, 192, 3)
        self.Mixed_5b = BlockA(192, 32)
        self.Mixed_5c = BlockA(256, 64)
        self.Mixed_5d = BlockA(288, 64)
        self.Mixed_6a = BlockB(288)
        self.Mixed_6b = BlockC(768, 128)
        self.Mixed_6c = BlockC(768, 160)
        self.Mixed_6d = BlockC(768, 160)
        self.Mixed_6e = BlockC(768, 192)
        self.Mixed_7a = BlockD(768)
        self.Mixed_7b = BlockE(1280, pools_maximum=False)
        self.Mixed_7c = BlockE(2048, pools_maximum=True)
        self.fc = nn.Linear(FEATURES, 1008)

    def forward(self, x: Tensor) -> Tensor:
        """Pooled features (n, 2048) of pictures (n, 3, 299, 299), RGB in -1..1."""
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(F.max_pool2d(x, 3, stride=2)))
        x = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(F.max_pool2d(x, 3, stride=2))))
        x = self.Mixed_6e(self.Mixed_6d(self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(x)))))
        x = self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(x)))
        return x.mean((2, 3))


def inception_space(path: str | Path | None) -> FeatureSpace:
    """The space of pooled features of the network with a file's weights.

    Args:
        path: the file, a state dict of tensors (`.pth`) or safetensors.

    Raises:
        UsageError: no file is named, it is not there, or it holds other weights.
    """
    if path is None:
        raise UsageError(
            "the feature space inception needs the weights of Inception-v3, which are not shipped",
            where=_WHERE,
            hint=_USUAL,
        )
    file = Path(path).expanduser()
    if not file.is_file():
        raise UsageError("there is no such file of weights", where=str(file), hint=_WHERE)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()[:8]

    def extract(images: NDArray[Any], /, *, device: str = "cpu") -> Features:
        network = load_inception(file, device)
        batches: list[Tensor] = []
        with torch.inference_mode():
            for x in rgb_batches(images, device):
                x = F.interpolate(x / 255, (SIDE, SIDE), mode="bilinear", align_corners=False)
                batches.append(network(2 * x.expand(-1, 3, -1, -1) - 1).cpu())
        return torch.cat(batches).numpy()

    return FeatureSpace(name=f"inception-v3@{digest}", dim=FEATURES, extract=extract)


@functools.cache
def load_inception(path: Path, device: str = "cpu") -> Inception:
    """Build the network with a file's weights: eval mode, frozen.

    Raises:
        UsageError: the file holds something else; code in it is never run.
    """
    try:
        if path.suffix == ".safetensors":
            weights = safetensors.torch.load_file(path)
        else:
            weights = torch.load(path, map_location="cpu", weights_only=True)
        with torch.device("meta"):
            network = Inception()
        network.load_state_dict(weights, assign=True)
    except _DAMAGES as error:
        raise UsageError(
            "the file does not hold the weights of the Inception-v3 that the FID is computed with",
            where=str(path),
            hint=_USUAL,
        ) from error
    return network.to(device).eval().requires_grad_(False)
