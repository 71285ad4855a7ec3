"""Ectype: your own data in, a GAN or a VAE out, judged honestly.

>>> import ectype
>>> run = ectype.fit("photos/", budget="10m")        # doctest: +SKIP
>>> run.sample(16, seed=0).save("out/")              # doctest: +SKIP
>>> run.evaluate()["frechet"]                        # doctest: +SKIP
>>> ectype.load("runs/photos").sample(4).data.shape  # doctest: +SKIP
(4, 64, 64, 3)

Names are imported when they are first used, so that `import ectype` and every `--help` page are
there at once, without torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ectype.errors import (
    DataError,
    DivergedError,
    EctypeError,
    InterruptedRun,
    StorageError,
    UsageError,
)

if TYPE_CHECKING:
    from ectype.choose.comparing import compare
    from ectype.evaluating import Evaluation, evaluate
    from ectype.fitting import fit
    from ectype.inspecting import inspect
    from ectype.run import Run, load

    __version__: str

__all__ = [
    "DataError",
    "DivergedError",
    "EctypeError",
    "Evaluation",
    "InterruptedRun",
    "Run",
    "StorageError",
    "UsageError",
    "__version__",
    "compare",
    "evaluate",
    "fit",
    "inspect",
    "load",
]

_LAZY = {
    "compare": "ectype.choose.comparing",
    "evaluate": "ectype.evaluating",
    "Evaluation": "ectype.evaluating",
    "fit": "ectype.fitting",
    "inspect": "ectype.inspecting",
    "load": "ectype.run",
    "Run": "ectype.run",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return importlib.import_module("importlib.metadata").version("ectype")
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
