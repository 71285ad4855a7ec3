"""What a call asks for: which domain, which budget, which settings, which arithmetic."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ectype.config import Budget, Config, Family, format_seconds, parse_seconds, with_changes
from ectype.domains import by_name, recognise
from ectype.domains.base import Dataset, Domain, PrepareOptions
from ectype.errors import UsageError

if TYPE_CHECKING:
    from ectype.training.precision import Precision

DEFAULT_BUDGET = "10m"
#: How many items are looked at to see whether a likelihood allows them.
LIKELIHOOD_ITEMS = 1_000

Settings = Iterable[str] | Mapping[str, Any]


#: Fewer training items than this are little data.
LITTLE_DATA = 5_000
#: Seconds of budget from which on a GAN has overtaken a VAE on pictures.
LONG = 600


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the choice of a family rests on.

    Attributes:
        domain: kind of data.
        items: training items.
        labels: how many there are.
        budget: of the training.
    """

    domain: str
    items: int
    labels: int
    budget: Budget


@dataclass(frozen=True)
class Rule:
    """A family, when it is taken, and why."""

    family: Family
    applies: Callable[[Facts], bool]
    reason: str


#: What `auto` takes: the first rule that applies. The evidence for each is in docs/choosing.md.
RULES = (
    Rule(
        "vae",
        lambda facts: facts.domain != "image",
        "auto: of sounds, texts and tables a VAE comes nearer to the data in the same time",
    ),
    Rule(
        "vae",
        lambda facts: facts.labels > 0 and (facts.budget.seconds or 0) < LONG,
        f"auto: until a GAN has {format_seconds(LONG)}, a VAE comes nearer to labelled pictures",
    ),
    Rule(
        "gan",
        lambda facts: facts.items < LITTLE_DATA,
        f"auto: of fewer than {LITTLE_DATA:,} pictures a VAE's samples keep close to some of them",
    ),
    Rule(
        "gan",
        lambda facts: (facts.budget.seconds or 0) >= LONG,
        f"auto: in {format_seconds(LONG)} or more a GAN comes nearer to pictures than a VAE",
    ),
    Rule(
        "vae",
        lambda facts: True,
        f"auto: until a GAN has {format_seconds(LONG)} to learn, a VAE comes nearer to pictures",
    ),
)


def facts_of(dataset: Dataset, budget: Budget) -> Facts:
    """The facts of prepared data and a budget."""
    spec = dataset.spec
    return Facts(
        domain=spec.domain,
        items=len(dataset.parts["train"]),
        labels=spec.classes,
        budget=budget,
    )


def choose_family(asked: Family, facts: Facts) -> tuple[Family, str]:
    """What `auto` means for these data and this budget, and why."""
    if asked != "auto":
        return asked, "as asked"
    rule = next(rule for rule in RULES if rule.applies(facts))
    return rule.family, rule.reason


def find_domain(source: Any, domain: str | Domain | None) -> Domain:
    """The domain that was named or given, else the one that recognises the source."""
    if isinstance(domain, Domain):
        return domain
    if domain is None or domain == "auto":
        return recognise(source)
    return by_name(domain)


def parse_budget(budget: str | float | None, steps: int | None) -> tuple[Budget, bool]:
    """The budget that was asked for, and whether it is to be added to a run's own."""
    if budget is not None and steps is not None:
        raise UsageError("a budget is either a time or a number of steps", hint="leave out one")
    if steps is not None:
        return Budget(steps=steps), False
    text = str(budget if budget is not None else DEFAULT_BUDGET).strip()
    return Budget(seconds=parse_seconds(text.removeprefix("+"))), text.startswith("+")


def asked_config(
    domain: Domain, family: Family, budget: Budget, seed: int, labels: str, settings: Settings
) -> Config:
    """The configuration as it was asked for; what is left open stays open."""
    if family not in ("auto", "gan", "vae"):
        raise UsageError(f"there is no model “{family}”", hint="auto, gan or vae")
    config = Config(
        family=family,
        domain=domain.name,
        budget=budget,
        seed=seed,
        labels=labels,
        data=domain.Settings(),
    )
    return with_changes(config, [*as_changes(domain.defaults), *as_changes(settings)])


def as_changes(settings: Settings) -> list[str]:
    """Settings in either form as `key=value` texts."""
    if isinstance(settings, Mapping):
        return [f"{key}={value}" for key, value in settings.items()]
    return list(settings)


def choose_precision(config: Config, device: str, domain: Domain) -> Precision:
    """Device and arithmetic for a configuration."""
    from ectype.training.precision import choose

    return choose(device, config.training.precision, tolerant=domain.tolerates_bf16)


def prepare_data(domain: Domain, source: Any, config: Config, device: str) -> Dataset:
    """The dataset of a configuration; `device` is cpu or cuda."""
    options = PrepareOptions(
        seed=config.seed, labels=config.labels, budget=config.budget, device=device
    )
    return domain.prepare(source, config.data, options)


def check_likelihood(domain: Domain, dataset: Dataset, name: str) -> None:
    """See that the data are possible at all under the likelihood of that name.

    Raises:
        UsageError: they are not.
    """
    import torch

    items = torch.from_numpy(np.array(dataset.items[:LIKELIHOOD_ITEMS]))
    likelihood = domain.likelihood(dataset.spec, name)
    if not likelihood.allows(domain.to_network(items, dataset.spec)):
        raise UsageError(
            f"the data have values that are impossible under the likelihood “{name}”",
            where=f"vae.likelihood={name}",
            hint="bernoulli is for data of two values, such as black and white; leave it at auto",
        )
