"""How much of a step of the default GAN is arithmetic, and how near that is to what is possible.

A step is that of `step_cost`, with the default penalty. Its products (convolutions forward and
backward, linear layers) are timed where they happen; then each is done again by itself, over and
over, on numbers of the same shape, layout and precision, which is as fast as this machine does it.

- share: of the step's time that is spent in products;
- in place: how long they take by themselves, as a share of what they take within the step.

What is left are normalisations, activations, losses, the optimiser and Python. The timing of
products within the step makes it a little longer, which counts as "rest".
"""

from __future__ import annotations

import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from benchmarks.common import machine, parser, tell, write_json
from benchmarks.step_cost import STEPS, Build, Step
from ectype.training.precision import choose

_PRODUCTS = {
    torch.ops.aten.convolution.default: "convolution",
    torch.ops.aten.convolution_backward.default: "convolution, backward",
    torch.ops.aten.mm.default: "linear",
    torch.ops.aten.addmm.default: "linear",
}
#: Repetitions of a product by itself.
ALONE = 20


class Products(TorchDispatchMode):
    """Times every product that is computed while it is active, and remembers how to repeat it."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.counts: Counter[str] = Counter()
        self.calls: dict[str, tuple[Any, Callable[[], Any]]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Compute, and time it if it is a product."""
        if func not in _PRODUCTS:
            return func(*args, **(kwargs or {}))
        key = f"{func} {[_form(argument) for argument in args]}"
        if key not in self.calls:
            like = [_like(argument) for argument in args]
            self.calls[key] = (func, lambda: func(*like))
        start = time.perf_counter()
        result = func(*args, **(kwargs or {}))
        self.seconds[key] += time.perf_counter() - start
        self.counts[key] += 1
        return result


def main(arguments: Sequence[str] | None = None) -> None:
    """Profile a step and print a table."""
    cli = parser("step_profile", __doc__)
    cli.add_argument("--size", type=int, default=28, help="side of the pictures")
    cli.add_argument("--channels", type=int, default=1)
    cli.add_argument("--width", type=int, default=48, help="capacity of the networks")
    cli.add_argument("--batch", type=int, default=16)
    cli.add_argument("--repetitions", type=int, default=15)
    options = cli.parse_args(arguments)
    precision = choose("cpu")
    kind = "bf16" if precision.dtype == torch.bfloat16 else "fp32"
    build = Build(convolutions="dense", layout="channels last", precision=kind)
    shape = (options.size, options.size, options.channels)
    step = Step(build, {}, shape, options.width, options.batch)
    step.milliseconds()  # warm-up
    whole: list[float] = []
    products: list[Products] = []
    for _ in range(options.repetitions):
        whole.append(step.milliseconds())
        with Products() as found:
            step.milliseconds()
        products.append(found)
    total = statistics.median(whole)
    rows = [_row(name, products, total) for name in dict.fromkeys(_PRODUCTS.values())]
    columns = ("ms a step", "by themselves, ms", "share")
    spent = {column: sum(row[column] for row in rows) for column in columns}
    rows.append({"part": "all products", **spent, **_in_place(spent)})
    rest = total - spent["ms a step"]
    rows.append({"part": "rest", "ms a step": rest, "share": rest / total})
    rows.append({"part": "step", "ms a step": total, "share": 1.0})
    facts = {
        **machine(),
        "pictures": "×".join(map(str, shape)),
        "width": options.width,
        "batch": options.batch,
        "precision": kind,
    }
    print(tell("Where a step's time goes", "step_profile", arguments, facts, rows))
    write_json(options.json, facts, rows)


def _row(name: str, products: Sequence[Products], total: float) -> dict[str, Any]:
    """What products of one name take within a step, and by themselves."""
    first = products[0]
    keys = [key for key, (func, _) in first.calls.items() if _PRODUCTS[func] == name]
    within = [1_000 * sum(found.seconds[key] for key in keys) / STEPS for found in products]
    alone = sum(_alone(first.calls[key][1]) * first.counts[key] / STEPS for key in keys)
    row = {"ms a step": statistics.median(within), "by themselves, ms": alone}
    share = row["ms a step"] / total
    return {"part": name, **row, "share": share, **_in_place(row)}


def _in_place(row: Mapping[str, float]) -> dict[str, float]:
    return {"in place": row["by themselves, ms"] / row["ms a step"]}


def _alone(product: Callable[[], Any]) -> float:
    """Milliseconds that a product takes, median."""
    times: list[float] = []
    with torch.no_grad():
        product()
        for _ in range(ALONE):
            start = time.perf_counter()
            product()
            times.append(time.perf_counter() - start)
    return 1_000 * statistics.median(times)


def _form(argument: Any) -> Any:
    if isinstance(argument, Tensor):
        return (*argument.shape, argument.stride(), str(argument.dtype))
    return argument


def _like(argument: Any) -> Any:
    """The same numbers in memory of their own, in the same order."""
    return argument.detach().clone() if isinstance(argument, Tensor) else argument


if __name__ == "__main__":
    main()
