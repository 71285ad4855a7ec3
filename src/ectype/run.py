"""A trained model, ready to use. Imports torch only when it is used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ectype.config import Config, with_changes
from ectype.errors import UsageError
from ectype.folder import RunFolder, load_config
from ectype.samples import Samples, Tally, meeting

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from ectype.domains.base import Domain, Reject, Spec
    from ectype.evaluating import Evaluation
    from ectype.models.base import Model
    from ectype.training.precision import Precision


#: Settings that a trained run does not depend on.
CHANGEABLE = (
    *("vae.flow_steps", "vae.nucleus", "training.precision"),
    *("evaluation.features", "evaluation.inception"),
)


@dataclass(frozen=True)
class Reconstructions:
    """Items that went through a model, beside what came out, both as the domain stores them."""

    originals: np.ndarray
    items: np.ndarray
    rejects: list[Reject]
    spec: Spec
    domain: Domain

    @property
    def data(self) -> Any:
        """The results as a user of this kind of data wants them."""
        return self.domain.present(self.items, self.spec)

    def save(self, folder: str | Path) -> list[Path]:
        """Write the reconstructions, and a picture of pairs: original above, result below."""
        from ectype.domains.grids import in_pairs

        target = Path(folder)
        target.mkdir(parents=True, exist_ok=True)
        paths = self.domain.write(self.items, self.spec, target, None)
        columns = self.domain.columns(self.spec)
        pairs = in_pairs(self.originals[:32], self.items[:32], columns)
        return [*paths, self.domain.preview(pairs, self.spec, target / "grid", columns=columns)]


class Run:
    """A run folder with a model in it, finished or still training.

    Weights are read when they are first needed, and stay.

    Attributes:
        source: the data that it was made with: a path, or the object itself that `fit` was
            given; None where neither is known.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        domain: Domain | None = None,
        device: str = "auto",
        settings: Iterable[str] = (),
    ):
        self.folder = RunFolder(path)
        self.folder.require()
        self.device = device
        content = self.folder.read_config()
        resolved = content["resolved"]
        self.source: Any = content.get("source")
        self.domain = domain or _domain_of(resolved["domain"], self.folder)
        trained: Config = load_config(resolved, self.domain.Settings)
        self.config = with_changes(trained, _allowed(settings))
        self.spec: Spec = self.domain.Spec.from_json(self.folder.read_spec())

    @property
    def path(self) -> Path:
        """The run's folder."""
        return self.folder.path

    @property
    def finished(self) -> bool:
        """Whether the budget is spent."""
        return self.folder.finished(self.config.budget)

    def summary(self) -> dict[str, Any]:
        """What the run is and how far it came, as plain values."""
        return {
            "path": str(self.path),
            "domain": self.config.domain,
            "family": self.config.family,
            "capacity": self.config.training.capacity,
            "parameters": sum(p.numel() for p in self.model.parameters()),
            "budget": str(self.config.budget),
            **self.folder.spent(),
            "items": int(self.folder.spent()["step"]) * (self.config.training.batch or 0),
            "finished": self.finished,
            "kept_step": self.folder.kept_step(),
        }

    def sample(
        self,
        n: int = 64,
        *,
        seed: int = 0,
        label: str | None = None,
        temperature: float = 1.0,
        where: str | None = None,
    ) -> Samples:
        """Generate `n` items. Item i of a seed is the same for any `n`.

        Args:
            n: how many.
            seed: other seeds give other items.
            label: generate this label only (labelled runs); else labels as in the data.
            temperature: below 1 more typical, above 1 more varied.
            where: conditions that items must meet, "age>=60,income=>50K" for instance. A
                condition on the label is asked of the model; for the others items are drawn
                until enough meet them.

        Raises:
            UsageError: an unknown label, a condition that is none, or a number that makes no sense.
        """
        if n < 1:
            raise UsageError(f"{n} samples cannot be made", hint="ask for at least 1")
        if not 0 < temperature < float("inf"):
            raise UsageError(f"a temperature of {temperature} makes no sense", hint="around 1.0")
        _ = self.model  # what is wrong with it is said now, not when samples are drawn
        if where is None:
            index = self.label_index(label)

            def blocks() -> Iterator[np.ndarray]:
                return (b for b, _ in self._drawn(n, seed, index, temperature))

            return Samples(blocks, self.spec, self.domain, label)
        conditions = self.domain.conditions(where, self.spec)
        if label is not None and conditions.label not in (None, label):
            raise UsageError(f"the conditions ask for another label than “{label}”")
        label = label or conditions.label
        index, tally = self.label_index(label), Tally()

        def met() -> Iterator[np.ndarray]:
            drawn = (block for block, _ in self._drawn(None, seed, index, temperature))
            return meeting(drawn, n, conditions.meets, tally)

        return Samples(met, self.spec, self.domain, label, tally=tally)

    def sample_blocks(
        self, n: int, *, seed: int = 0
    ) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
        """The items of `sample`, a block at a time, each with its label indices if it has any."""
        return self._drawn(n, seed, None, 1.0)

    def _drawn(
        self, n: int | None, seed: int, label: int | None, temperature: float
    ) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
        """Blocks of items and their labels, n items in all; without end where n is None."""
        size = self.model.block
        for block in count():
            left = size if n is None else n - block * size
            if left <= 0:
                return
            with self.precision.autocast():
                items, labels = self.model.sample_block(seed, block, label, temperature)
            kept = slice(min(size, left))
            yield self._store(items[kept]), None if labels is None else labels[kept].cpu().numpy()

    def interpolate(
        self, *, rows: int = 8, steps: int = 8, seed: int = 0, label: str | None = None
    ) -> Samples:
        """Walk between random points of latent space, a walk a row."""
        if rows < 1 or steps < 2:
            raise UsageError("a walk needs a row and two steps at least")
        index = self.label_index(label)
        with self.precision.autocast():
            items = self.model.interpolate(rows, steps, seed=seed, label=index)
        walks = self._store(items)
        return Samples(
            lambda: iter([walks]), self.spec, self.domain, label, columns=steps, as_grid=True
        )

    def reconstruct(self, source: Any) -> Reconstructions:
        """Pass data through the model and back.

        Raises:
            UsageError: the model is a GAN, which has no encoder.
            DataError: none of the data can be used.
        """
        import torch

        from ectype.models.base import Batch

        if not self.model.has_encoder:
            self.model.reconstruct(Batch(torch.empty(0), None))  # raises, with the reason
        further = self.domain.read(source, self.spec)
        originals = further.items
        blocks = []
        for start in range(0, len(originals), self.model.block):
            stored = torch.from_numpy(originals[start : start + self.model.block])
            x = self.domain.to_network(stored.to(self.precision.device), self.spec)
            with torch.inference_mode(), self.precision.autocast():
                blocks.append(self._reconstruct_unlabelled(x).float().cpu())
        data = self._store(torch.cat(blocks))
        return Reconstructions(originals, data, further.rejects, self.spec, self.domain)

    def between(self, source: Any, *, steps: int = 8, label: str | None = None) -> Samples:
        """Walk in latent space from each item of a source to the next; see `latent_space`."""
        from ectype.latent_space import between

        return between(self, source, steps, label)

    def nearest(
        self, source: Any, among: Any, *, k: int = 1, label: str | None = None
    ) -> np.ndarray:
        """Which items of `among` lie nearest in latent space, (n, k); see `latent_space`."""
        from ectype.latent_space import nearest

        return nearest(self, source, among, k, label)

    def evaluate(
        self, data: Any = None, *, n: int | None = None, features: str | None = None
    ) -> Evaluation:
        """Measure the model on held-out data; see `ectype.evaluate`."""
        from ectype.evaluating import evaluate

        return evaluate(self, data, n=n, features=features)

    @cached_property
    def precision(self) -> Precision:
        """The device and the arithmetic in use."""
        from ectype.training.precision import choose

        asked = self.config.training.precision
        return choose(self.device, asked, tolerant=self.domain.tolerates_bf16)

    @cached_property
    def model(self) -> Model:
        """The model with its averaged weights, in evaluation mode."""
        import safetensors.torch

        from ectype.nets.memory import place

        model = make_model(self.config, self.spec, self.domain)
        try:
            weights = safetensors.torch.load_file(self.folder.weights)
        except safetensors.SafetensorError as error:
            raise UsageError(
                f"the weights are damaged: {error}",
                where=str(self.folder.weights),
                hint="delete this file and run `ectype fit` again: it is written anew",
            ) from None
        model.load_state_dict(weights, strict=False)
        missing = set(exported(model)) - set(weights)
        if missing:
            raise UsageError(
                f"the weights lack {len(missing)} entries, {min(missing)} among them",
                where=str(self.folder.weights),
                hint="delete this file and run `ectype fit` again: it is written anew",
            )
        return place(model, self.precision.device).eval().requires_grad_(False)

    def _reconstruct_unlabelled(self, x: Tensor) -> Tensor:
        """Reconstruct items whose labels are unknown: the label that explains each best."""
        import torch

        from ectype.models.base import Batch

        if not self.spec.classes:
            return self.model.reconstruct(Batch(x, None))
        labels = torch.arange(self.spec.classes, device=x.device)
        batches = [Batch(x, label.expand(len(x))) for label in labels]
        best = torch.stack([self.model.explains(batch) for batch in batches]).argmax(0)
        return self.model.reconstruct(Batch(x, best))

    def label_index(self, label: str | None) -> int | None:
        """The number of a label.

        Raises:
            UsageError: there is none of that name.
        """
        if label is None:
            return None
        if not self.spec.labels:
            raise UsageError("this run has no labels", hint="leave out the label")
        if label not in self.spec.labels:
            known = ", ".join(self.spec.labels[:20])
            raise UsageError(f"there is no label “{label}”", hint=f"known: {known}")
        return self.spec.labels.index(label)

    def _store(self, items: Tensor) -> Any:
        return self.domain.from_network(items, self.spec)

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r}, {self.config.family}, {self.config.domain})"


def load(
    path: str | Path,
    *,
    domain: Domain | None = None,
    device: str = "auto",
    settings: Iterable[str] = (),
) -> Run:
    """Open a run, finished or still training.

    Args:
        path: the run's folder.
        domain: the domain object, for a run of a domain that ectype does not bring.
        device: auto, cpu or cuda.
        settings: changes such as "vae.flow_steps=50"; only those that do not touch what was
            trained.

    Raises:
        UsageError: there is no run, it has no weights yet, or a setting cannot be changed.
    """
    return Run(path, domain=domain, device=device, settings=settings)


def _allowed(settings: Iterable[str]) -> list[str]:
    """The given settings, if a trained run may still change them."""
    changes = list(settings)
    for change in changes:
        if change.partition("=")[0].strip() not in CHANGEABLE:
            raise UsageError(
                "a trained run keeps the settings that it was trained with",
                where=f"--set {change}",
                hint=f"of a trained run these can change: {', '.join(CHANGEABLE)}",
            )
    return changes


def make_model(config: Config, spec: Spec, domain: Domain) -> Model:
    """Build the model of a resolved configuration, its weights drawn from the seed."""
    import math
    from functools import partial

    import torch

    from ectype.models.build import build

    if config.training.capacity is None:
        raise ValueError("the capacity must be chosen before a model is built")
    likelihood = domain.likelihood(spec, config.vae.likelihood)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed % 2**63)
        model = build(
            config,
            partial(domain.network, spec=spec, capacity=config.training.capacity),
            likelihood,
            classes=spec.classes,
            dimensions=math.prod(spec.shape),
            augmentation=domain.augmentation(spec),
            differentiable=domain.differentiable,
        )
    model.block = domain.sample_block
    return model


def exported(model: Model) -> dict[str, Tensor]:
    """What `model.safetensors` holds: what sampling needs, and the labels' shares."""
    kept = {f"{name}." for name in (*model.averaged(), *model.settled())}
    state = model.state_dict()
    names = [k for k in state if k == "label_share" or any(k.startswith(p) for p in kept)]
    return {name: state[name] for name in names}


def _domain_of(name: str, folder: RunFolder) -> Domain:
    from ectype.domains import by_name

    try:
        return by_name(name)
    except UsageError:
        raise UsageError(
            f"the run is of the domain “{name}”, which ectype does not bring",
            where=str(folder.path),
            hint="pass the domain object: ectype.load(path, domain=…)",
        ) from None
