"""Starting from an earlier run: what it decides, and what it hands over (`fit --from RUN`)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ectype.config import Config, with_changes
from ectype.errors import UsageError
from ectype.folder import RunFolder
from ectype.run import Run, exported

if TYPE_CHECKING:
    from torch import Tensor

    from ectype.domains.base import Domain
    from ectype.models.base import Model

#: Settings that decide the shapes of a family's networks: they are those of the earlier run.
SHAPING = {
    "gan": ("training.capacity", "gan.latent"),
    "vae": ("training.capacity", "vae.latent", "vae.likelihood"),
}
#: How many of the tensors that are not taken over are named.
NAMED = 5


def start_path(start: str | Path | None, folder: RunFolder) -> str | None:
    """The folder to start from as it is kept in the configuration.

    Raises:
        UsageError: it is the very run that is to be trained.
    """
    if start is None:
        return None
    path = Path(start).expanduser().resolve()
    if path == folder.path.resolve():
        raise UsageError(
            "a run cannot start from itself",
            where=f"--from {start}",
            hint="give the new run another folder with --out, or extend it: --budget +10m",
        )
    return str(path)


def earlier_run(path: str | Path, domain: Domain) -> Run:
    """The run to start from; it may be unfinished, but must have weights.

    Raises:
        UsageError: it cannot be read, or is of another kind of data.
    """
    folder = RunFolder(path)
    folder.require()
    name = folder.read_config()["resolved"]["domain"]
    if name != domain.name:
        raise UsageError(
            f"a run of the domain “{name}” is no start for data of the domain “{domain.name}”",
            where=f"--from {path}",
        )
    return Run(path, domain=domain, device="cpu")


def decide(asked: Config, changes: Iterable[str], domain: Domain) -> Config:
    """What was asked, with what it must have in common with the run to start from, if any.

    Family and shapes of the networks are taken over; so are settings of the data such as the
    size of pictures, unless they were given.

    Args:
        asked: the configuration as it was asked for.
        changes: the settings in it that were given, as `key=value`.
        domain: of the data.

    Raises:
        UsageError: there is no such run, or something else was asked for explicitly.
    """
    if asked.start is None:
        return asked
    earlier = earlier_run(asked.start, domain)
    explicit = {change.partition("=")[0].strip() for change in changes}
    family = earlier.config.family
    if asked.family not in ("auto", family):
        raise UsageError(
            f"a {asked.family} cannot start from a {family}",
            where=f"--from {asked.start}",
            hint=f"leave out --model, or name a run of a {asked.family}",
        )
    adopted = []
    for key in SHAPING[family]:
        value = _at(earlier.config, key)
        if key in explicit and _at(asked, key) != value:
            raise UsageError(
                f"{key} is {value} in the run to start from",
                where=f"--set {key}={_at(asked, key)}",
                hint="leave it out: networks of other shapes cannot take over weights",
            )
        adopted.append(f"{key}={value}")
    pinned = {f"data.{k}": v for k, v in earlier.domain.pinned(earlier.spec).items()}
    adopted += [f"{key}={value}" for key, value in pinned.items() if key not in explicit]
    return dataclasses.replace(with_changes(asked, adopted), family=family)


def hand_over(start: str, domain: Domain, model: Model, labels: tuple[str, ...]) -> list[str]:
    """Give a new model every tensor of an earlier run whose name and shape fit.

    Networks that sampling needs have their averaged weights; all others, the discriminator for
    one, come from the newest checkpoint, if it is there. What follows from the data (shares of
    labels, where a local prior found latents) is not taken.

    Args:
        start: folder of the earlier run.
        domain: of the data.
        model: the new one, with fresh weights; changed in place.
        labels: names of its labels.

    Returns:
        What was taken and what was not, a plain sentence each.

    Raises:
        UsageError: there is no such run, or nothing of it fits.
    """
    import torch

    earlier = earlier_run(start, domain)
    given = _weights_of(earlier)
    own_data = ("label_share", *(f"{name}." for name in model.settled()))
    wanted = {k: v for k, v in model.state_dict().items() if not k.startswith(own_data)}
    fitting = {k: given[k] for k in wanted if k in given and given[k].shape == wanted[k].shape}
    if not fitting:
        raise UsageError("nothing of it fits these data", where=f"--from {earlier.path}")
    with torch.no_grad():
        for name, value in fitting.items():
            wanted[name].copy_(value)
    counts = []
    for network, _ in model.named_children():
        names = [name for name in wanted if name.startswith(f"{network}.")]
        if names:
            counts.append(f"{network} {sum(n in fitting for n in names)} of {len(names)} tensors")
    step = earlier.folder.kept_step()
    said = [f"starting from {earlier.path}, step {step:,}: {', '.join(counts)}"]
    left = [_why_not(k, v, given.get(k)) for k, v in wanted.items() if k not in fitting]
    if left:
        more = f" and {len(left) - NAMED} more" if len(left) > NAMED else ""
        said.append(f"not taken over, so learned anew: {', '.join(left[:NAMED])}{more}")
    before = earlier.spec.labels
    if labels and before != labels and len(before) == len(labels):
        pairs = [(a, b) for a, b in zip(labels, before, strict=True) if a != b]
        said.append(
            f"labels keep their places: “{pairs[0][0]}” begins as what “{pairs[0][1]}” was"
            + (", and so on" if len(pairs) > 1 else "")
        )
    return said


def _weights_of(run: Run) -> dict[str, Tensor]:
    """All weights of a run by their names in its model."""
    from ectype.training.checkpoint import Checkpoints
    from ectype.training.learned import part

    averaged = exported(run.model)
    checkpoint, _ = Checkpoints(run.path / "checkpoints").latest()
    if checkpoint is None:
        return averaged
    return {**part(checkpoint.tensors, "model."), **averaged}


def _why_not(name: str, wanted: Tensor, given: Tensor | None) -> str:
    if given is None:
        return f"{name} (not in that run)"
    there, here = ("×".join(map(str, t.shape)) for t in (given, wanted))
    return f"{name} ({there} there, {here} here)"


def _at(config: Config, key: str) -> Any:
    """The value of a dotted key."""
    return reduce(getattr, key.split("."), config)
