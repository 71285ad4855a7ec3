"""What a call asks for: which domain, which budget, which settings, which arithmetic."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ectype.config import Budget, Config, Family, parse_seconds, with_changes
from ectype.domains import by_name, recognise
from ectype.domains.base import Dataset, Domain, PrepareOptions
from ectype.errors import UsageError

if TYPE_CHECKING:
    from ectype.training.precision import Precision

DEFAULT_BUDGET = "10m"

Settings = Iterable[str] | Mapping[str, Any]


def choose_family(asked: Family) -> tuple[Family, str]:
    """What `auto` means, and why."""
    if asked != "auto":
        return asked, "as asked"
    return "vae", "auto: of the two families it is the better one at small budgets so far"


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
    if isinstance(settings, Mapping):
        settings = [f"{key}={value}" for key, value in settings.items()]
    config = Config(
        family=family,
        domain=domain.name,
        budget=budget,
        seed=seed,
        labels=labels,
        data=domain.Settings(),
    )
    return with_changes(config, settings)


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
