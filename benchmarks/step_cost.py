"""What a step of the GAN costs: penalties, their form and interval, layout, precision, groups.

A step is a turn of the discriminator and one of the generator, through `Gan`'s own losses with
fused Adam, without the trainer. Columns are the penalties: none, or R1 and R2 in exact form
(double backward) or as a finite difference (two forward passes), at every step or every fourth.
Rows are what the networks are made of:

- convolutions: as the image networks have them, or with each spatial convolution of the
  discriminator that can be so cut into groups of 16 channels, followed by a 1×1 convolution, as
  in ResNeXt (Xie et al., arXiv 1611.05431);
- layout in memory: channels last or contiguous, for weights and activations alike;
- precision: fp32 or bf16 by autocast (exact penalties stay fp32, as in training). On a GPU, "fp32"
  rounds nothing, and "TF32" gives the products of fp32 numbers to tensor cores, which round each
  factor to 10 bits; penalties in the rows of bf16 are in TF32 as far as they are convolutions,
  which is torch's default and that of training.
- execution: eager, and with `--compile` the first layout of the first networks also with both
  compiled by `torch.compile`. The penalty stays eager: what is compiled cannot be differentiated
  twice.

Every cell is the median over repetitions, each timing four steps, with all cells taken in turn,
so that a slow moment of the machine falls on all. Milliseconds only: what a cheaper step learns
is another question.
"""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn

from benchmarks.common import machine, parser, tell, write_json
from ectype.config import GanSettings
from ectype.domains.image.domain import ImageDomain, ImageSpec
from ectype.models.base import Batch, Turn
from ectype.models.gan import Gan
from ectype.nets.memory import place
from ectype.training.learned import optimiser
from ectype.training.precision import Precision

SEED = 0
GROUP = 16
#: A multiple of the intervals between penalties.
STEPS = 4

PENALTIES: dict[str, dict[str, Any]] = {
    "no penalty": {"penalty": "none"},
    "exact": {"penalty_form": "exact", "penalty_every": 1},
    "exact, every 4th": {"penalty_form": "exact", "penalty_every": 4},
    "difference": {"penalty_form": "finite_difference", "penalty_every": 1},
    "difference, every 4th": {"penalty_form": "finite_difference", "penalty_every": 4},
}
CONVOLUTIONS = ("dense", "grouped")
LAYOUTS = ("channels last", "contiguous")
PRECISIONS = {"fp32": torch.float32, "TF32": torch.float32, "bf16": torch.bfloat16}


@dataclass(frozen=True)
class Build:
    """What the networks of a row are made of."""

    convolutions: str
    layout: str
    precision: str
    execution: str = "eager"
    device: str = "cpu"

    @property
    def is_default(self) -> bool:
        """Whether its networks are as they are in training, but for the precision."""
        return (self.convolutions, self.layout) == (CONVOLUTIONS[0], LAYOUTS[0])


class Step:
    """A GAN of one row and one column, ready to be stepped.

    Args:
        build: the row.
        penalty: the column, settings of the GAN.
        shape: (h, w, c) of the pictures.
        width: capacity of the networks.
        batch: items a turn.
    """

    def __init__(
        self,
        build: Build,
        penalty: dict[str, Any],
        shape: tuple[int, int, int],
        width: int,
        batch: int,
    ):
        torch.manual_seed(SEED)
        self.build = build
        device = torch.device(build.device)
        self.precision = Precision(device, PRECISIONS[build.precision], "as asked")
        settings = GanSettings(**penalty)
        generator = network("generator", shape, width, settings.latent)
        discriminator = network("discriminator", shape, width, settings.latent)
        if build.convolutions == "grouped" and not group_convolutions(discriminator):
            raise SystemExit(f"width {width} leaves no convolution to cut into groups of {GROUP}")
        self.model = Gan(generator, discriminator, settings, classes=0, gamma=1.0).train()
        self.x = torch.rand(batch, shape[2], *shape[:2], device=device) * 2 - 1
        if build.layout == "channels last":
            place(self.model, device)
            self.x = self.x.contiguous(memory_format=torch.channels_last)
        else:
            keep_contiguous(self.model.to(device))
        if build.execution == "compiled":
            generator.compile(dynamic=False)
            discriminator.compile(dynamic=False)
            self.model.penalty = torch.compiler.set_stance("force_eager")(self.model.penalty)
        self.players = [(player, optimiser(player)) for player in self.model.players]
        self.generator = torch.Generator(device).manual_seed(SEED)

    def milliseconds(self) -> float:
        """Time a step takes, mean of a few."""
        with rounding(self.build.precision):
            self.wait()
            start = time.perf_counter()
            for step in range(STEPS):
                self.take(step)
            self.wait()
            return 1_000 * (time.perf_counter() - start) / STEPS

    def wait(self) -> None:
        """Return when the device has computed all that it was given."""
        if self.x.is_cuda:
            torch.cuda.synchronize()

    def take(self, step: int) -> None:
        """The discriminator's turn and the generator's."""
        for player, adam in self.players:
            self.model.requires_grad_(False)
            player.module.requires_grad_(True)
            with self.precision.autocast():
                loss, _ = player.loss(Turn(Batch(self.x, None), 0.0, step, self.generator))
            adam.zero_grad(set_to_none=True)
            loss.backward()
            adam.step()


def main(arguments: Sequence[str] | None = None) -> None:
    """Time all cells and print a table."""
    cli = parser("step_cost", __doc__)
    cli.add_argument("--size", type=int, default=32, help="side of the pictures")
    cli.add_argument("--channels", type=int, default=3)
    cli.add_argument("--width", type=int, default=48, help="capacity of the networks")
    cli.add_argument("--batch", type=int, default=64)
    cli.add_argument("--repetitions", type=int, default=7)
    cli.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    cli.add_argument("--compile", action="store_true", help="compiled networks, too")
    options = cli.parse_args(arguments)
    facts = {
        **machine(),
        "seed": SEED,
        "pictures": f"{options.size}×{options.size}×{options.channels}",
        "width": options.width,
        "batch": options.batch,
        "device": torch.cuda.get_device_name() if options.device == "cuda" else "cpu",
        "unit": "ms a step",
    }
    shape = (options.size, options.size, options.channels)
    precisions = [name for name in PRECISIONS if name != "TF32" or options.device == "cuda"]
    builds = [
        Build(*build, device=options.device)
        for build in itertools.product(CONVOLUTIONS, LAYOUTS, precisions)
    ]
    if options.compile:
        builds += [replace(build, execution="compiled") for build in builds if build.is_default]
        # every cell has networks of its own, compiled for every use with and without gradients
        torch._dynamo.config.recompile_limit = 512
        torch._dynamo.config.accumulated_recompile_limit = 512
    steps = {
        (build, name): Step(build, penalty, shape, options.width, options.batch)
        for build in builds
        for name, penalty in PENALTIES.items()
    }
    for step in steps.values():
        step.milliseconds()  # warm-up
    times: dict[tuple[Build, str], list[float]] = {cell: [] for cell in steps}
    for _ in range(options.repetitions):
        for cell, step in steps.items():
            times[cell].append(step.milliseconds())
    rows = [
        {
            "discriminator": build.convolutions,
            "layout": build.layout,
            "precision": build.precision,
            "execution": build.execution,
            **{name: statistics.median(times[build, name]) for name in PENALTIES},
        }
        for build in builds
    ]
    print(tell("Cost of a step", "step_cost", arguments, facts, rows))
    write_json(options.json, facts, rows)


def network(
    role: Literal["generator", "discriminator"],
    shape: tuple[int, int, int],
    width: int,
    latent: int,
) -> nn.Module:
    """One of the image networks."""
    form = "L" if shape[2] == 1 else "RGB"
    spec = ImageSpec(domain="image", shape=shape, form=form)
    return ImageDomain().network(role, spec, capacity=width, latent=latent)


@contextmanager
def rounding(precision: str) -> Iterator[None]:
    """A context in which a GPU rounds the factors of fp32 products as a row's precision says."""
    flags: list[tuple[Any, bool]] = [
        (torch.backends.cuda.matmul, precision == "TF32"),
        (torch.backends.cudnn, precision != "fp32"),
    ]
    before = [backend.allow_tf32 for backend, _ in flags]
    for backend, allowed in flags:
        backend.allow_tf32 = allowed
    try:
        yield
    finally:
        for (backend, _), allowed in zip(flags, before, strict=True):
            backend.allow_tf32 = allowed


def group_convolutions(module: nn.Module) -> int:
    """Replace spatial convolutions by grouped ones and a 1×1 after each; gives how many."""
    replaced = 0
    for name, child in [*module.named_children()]:
        if not isinstance(child, nn.Conv2d):
            replaced += group_convolutions(child)
        elif max(child.kernel_size) > 1 and child.in_channels % GROUP == 0:
            inputs = child.in_channels
            grouped = nn.Conv2d(
                inputs,
                inputs,
                child.kernel_size,  # pyright: ignore[reportArgumentType]
                child.stride,  # pyright: ignore[reportArgumentType]
                child.padding,  # pyright: ignore[reportArgumentType]
                groups=inputs // GROUP,
                bias=False,
            )
            setattr(module, name, nn.Sequential(grouped, nn.Conv2d(inputs, child.out_channels, 1)))
            replaced += 1
    return replaced


def keep_contiguous(module: nn.Module) -> None:
    """Let every convolution see contiguous activations, whatever came out of the layer before."""

    def contiguous(_: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return tuple(x.contiguous() for x in inputs)

    for child in module.modules():
        if isinstance(child, nn.Conv2d | nn.ConvTranspose2d):
            child.register_forward_pre_hook(contiguous)


if __name__ == "__main__":
    main()
