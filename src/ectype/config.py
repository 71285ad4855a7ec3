"""Settings: frozen dataclasses, loaded and saved strictly. Imports neither torch nor numpy.

Every component owns one dataclass; `Config` holds them all. `None` stands for "chosen by
`fit`"; what was chosen is written back into the run's `config.json`.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import operator
import re
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, dataclass, field
from typing import Any, Literal, TypeVar, cast, get_args, get_origin, get_type_hints

from ectype.errors import UsageError

Family = Literal["auto", "gan", "vae"]
#: Strength of augmentation at which all changes are as probable as they may be (`nets/augment.py`).
MOST_AUGMENT = 1.6
T = TypeVar("T")


def setting(
    default: Any,
    doc: str,
    *,
    least: float | None = None,
    above: float | None = None,
    most: float | None = None,
) -> Any:
    """A dataclass field with a default and the line that `ectype settings` prints.

    Numbers may be bounded: `least` and `most` are allowed themselves, `above` is not.
    """
    bounds = {"at least": least, "more than": above, "at most": most}
    bounds = {words: bound for words, bound in bounds.items() if bound is not None}
    return field(default=default, metadata={"doc": doc, "bounds": bounds})


@dataclass(frozen=True, kw_only=True)
class GanSettings:
    """The adversarial game. Defaults: docs/benchmarks.md, "the search for the default GAN"."""

    loss: Literal["relativistic", "non_saturating", "hinge", "least_squares", "wasserstein"] = (
        setting("relativistic", "the game's loss; non_saturating is the classical GAN")
    )
    penalty: Literal["r1", "r2", "r1+r2", "gp", "none"] = setting(
        "r1+r2", "gradient penalty on the discriminator"
    )
    penalty_form: Literal["exact", "finite_difference"] = setting(
        "exact", "exact uses a double backward; finite_difference needs none"
    )
    penalty_every: int = setting(
        4, "steps between penalties; the weight is multiplied to match", least=1
    )
    gamma: float | None = setting(
        None, "penalty weight at the start; chosen from the resolution", least=0
    )
    augment: Literal["adaptive", "off"] | float = setting(
        "adaptive",
        "random changes to what the discriminator sees: adaptive, off, or a fixed strength",
        above=0,
        most=MOST_AUGMENT,
    )
    latent: int = setting(64, "length of the noise vector", least=1)
    learning_rate: float | None = setting(
        None, "Adam's rate at the start, of the discriminator; chosen from the capacity", above=0
    )
    generator_rate: float | None = setting(
        None, "the generator's, as a multiple of learning_rate; chosen from the capacity", above=0
    )
    beta1: float = setting(0.0, "Adam's first-moment decay", least=0, most=0.999)
    beta2: float = setting(0.99, "Adam's second-moment decay", least=0, most=0.9999)


@dataclass(frozen=True, kw_only=True)
class VaeSettings:
    """The variational autoencoder and its prior."""

    likelihood: Literal["auto", "gaussian", "bernoulli", "logistic_mixture"] = setting(
        "auto", "distribution of the decoder's output; auto asks the domain"
    )
    prior: Literal["local", "mixture", "flow", "normal"] = setting(
        "local", "what latents are drawn from; all but normal follow where the data are put"
    )
    latent: int = setting(128, "length of a latent vector", least=1)
    beta: float = setting(1.0, "weight of the KL", least=0)
    adversarial: float = setting(
        0.0,
        "weight of a discriminator that joins halfway, and plays as gan.* says; 0 for none",
        least=0,
    )
    free_bits: float = setting(0.0, "nats of KL per latent dimension that cost nothing", least=0)
    learning_rate: float = setting(3e-3, "AdamW's rate at the start, of the autoencoder", above=0)
    prior_learning_rate: float = setting(
        2e-3, "AdamW's rate at the start, of the flow prior", above=0
    )
    autoencoder_share: float = setting(
        0.85, "share of the budget for the autoencoder, rest prior", least=0.05, most=0.95
    )
    flow_steps: int = setting(20, "Heun steps when sampling from the flow prior", least=1)
    nucleus: float = setting(
        1.0,
        "words are drawn from the likeliest that hold this share of the probability",
        above=0,
        most=1,
    )


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """The loop, for either family."""

    capacity: int | None = setting(None, "the networks' one dial of size (their width)", least=1)
    batch: int | None = setting(None, "items a step", least=1)
    ema: float = setting(
        0.05, "half-life of the averaged weights, as a share of the items seen", least=0, most=1
    )
    precision: Literal["auto", "fp32", "bf16"] = setting("auto", "arithmetic of the networks")
    checkpoint_seconds: float = setting(30.0, "seconds between checkpoints", least=0)
    keep: int = setting(2, "checkpoints kept", least=1)
    select: Literal["frechet", "last"] = setting(
        "frechet", "weights that the run keeps: the best by Fréchet distance, or the last"
    )


@dataclass(frozen=True, kw_only=True)
class EvaluationSettings:
    """How a result is measured. Of a trained run, too, these can change."""

    features: str | None = setting(None, "feature space of the measures; the domain's own first")
    inception: str | None = setting(
        None, "file with the Inception-v3 weights that the feature space inception needs"
    )


@dataclass(frozen=True, kw_only=True)
class Budget:
    """How long to train: wall-clock seconds or steps, exactly one of them."""

    seconds: float | None = None
    steps: int | None = None

    def __post_init__(self) -> None:
        if (self.seconds is None) == (self.steps is None):
            raise UsageError("a budget is either a time or a number of steps")
        if not 0 < (self.seconds or self.steps or 0) < math.inf:
            raise UsageError("a budget must be more than nothing", hint="for instance 10m")

    def __str__(self) -> str:
        return f"{self.steps:,} steps" if self.steps else format_seconds(self.seconds or 0)


@dataclass(frozen=True, kw_only=True)
class Config:
    """Everything that decides what a run learns, besides the data."""

    family: Family
    domain: str
    budget: Budget
    seed: int = 0
    labels: str = "auto"
    #: Folder of the earlier run whose weights it begins with.
    start: str | None = None
    data: Any = None
    gan: GanSettings = GanSettings()
    vae: VaeSettings = VaeSettings()
    training: TrainingSettings = TrainingSettings()
    evaluation: EvaluationSettings = EvaluationSettings()


def parse_seconds(text: str | float) -> float:
    """A duration as seconds.

    >>> parse_seconds("10m"), parse_seconds("1h30m"), parse_seconds("90")
    (600.0, 5400.0, 90.0)

    Raises:
        UsageError: the text is no duration.
    """
    if isinstance(text, int | float):
        return float(text)
    match = _DURATION.fullmatch(text.strip())
    if not match or not match[0]:
        raise UsageError(f"“{text}” is no duration", hint="for instance 90s, 10m or 1h30m")
    plain, hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return plain + hours * 3600 + minutes * 60 + seconds


def format_seconds(seconds: float) -> str:
    """Seconds as people write them.

    >>> format_seconds(45), format_seconds(600), format_seconds(7500), format_seconds(0.5)
    ('45s', '10m', '2h05m', '0.5s')
    """
    if seconds < 9.95:
        return f"{seconds:.1f}".removesuffix(".0") + "s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes:02d}m"
    if minutes:
        return f"{minutes}m{rest:02d}s" if rest else f"{minutes}m"
    return f"{rest}s"


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that the given one was probably meant to be."""
    matches = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return matches[0] if matches else None


def from_dict(cls: type[T], values: Mapping[str, Any], where: str = "") -> T:
    """Build a settings dataclass from plain values.

    Raises:
        UsageError: an unknown key (with the nearest known one), or a value of the wrong kind.
    """
    hints = get_type_hints(cls)
    known = {f.name: f for f in dataclasses.fields(cast(Any, cls))}
    arguments: dict[str, Any] = {}
    for key, value in values.items():
        dotted = f"{where}{key}"
        if key not in known:
            guess = nearest(key, known)
            hint = f"did you mean {where}{guess}?" if guess else f"known: {', '.join(known)}"
            raise UsageError(f"there is no setting “{dotted}”", hint=hint)
        arguments[key] = _bounded(_convert(value, hints[key], dotted), known[key], dotted)
    missing = [n for n, f in known.items() if n not in arguments and _is_required(f)]
    if missing:
        raise UsageError(f"a value is missing for {', '.join(where + name for name in missing)}")
    return cls(**arguments)


def to_dict(config: Any) -> dict[str, Any]:
    """A settings dataclass as plain values that JSON can hold."""
    return dataclasses.asdict(config)


def with_changes(config: T, changes: Iterable[str]) -> T:
    """Apply `key=value` texts (dotted keys) to a nested settings dataclass.

    Raises:
        UsageError: a text without `=`, an unknown key, or a value of the wrong kind.
    """
    for change in changes:
        key, equals, value = change.partition("=")
        if not equals:
            raise UsageError(f"“{change}” is not of the form key=value")
        config = _with_change(config, key.strip().split("."), value.strip(), key.strip())
    return config


def listing(config: Any, prefix: str = "") -> list[dict[str, str]]:
    """Every setting below a dataclass instance: its dotted key, kind, default and meaning."""
    rows: list[dict[str, str]] = []
    hints = get_type_hints(type(config))
    for f in dataclasses.fields(config):
        value = getattr(config, f.name)
        if dataclasses.is_dataclass(value):
            rows += listing(value, f"{prefix}{f.name}.")
        elif "doc" in f.metadata:
            rows.append(
                {
                    "key": f"{prefix}{f.name}",
                    "kind": _kind(hints[f.name]),
                    "default": "chosen" if value is None else str(value),
                    "doc": f.metadata["doc"],
                }
            )
    return rows


def _with_change(config: Any, path: list[str], value: str, dotted: str) -> Any:
    name, *rest = path
    known = {f.name: f for f in dataclasses.fields(config)}
    if rest and isinstance(getattr(config, name, None), dict):  # names that a user gives
        return dataclasses.replace(
            config, **{name: {**getattr(config, name), ".".join(rest): value}}
        )
    settable = [n for n, f in known.items() if "doc" in f.metadata or _is_group(config, n)]
    if name not in settable:
        keys = [row["key"] for row in listing(config)]
        guess = nearest(".".join(path), keys) or nearest(name, settable)
        prefix = dotted.removesuffix(".".join(path))
        hint = f"did you mean {prefix}{guess}?" if guess else "`ectype settings` lists them all"
        raise UsageError(f"there is no setting “{dotted}”", hint=hint)
    if bool(rest) != _is_group(config, name):
        raise UsageError(f"“{dotted}” is not one setting", hint="`ectype settings` lists them all")
    if rest:
        new = _with_change(getattr(config, name), rest, value, dotted)
    else:
        converted = _convert(value, get_type_hints(type(config))[name], dotted)
        new = _bounded(converted, known[name], dotted)
    return dataclasses.replace(config, **{name: new})


def _is_group(config: Any, name: str) -> bool:
    return dataclasses.is_dataclass(getattr(config, name))


def _options(hint: Any) -> tuple[Any, ...]:
    """The alternatives of a union; a plain type is its only alternative."""
    return get_args(hint) if get_origin(hint) in (types.UnionType, typing.Union) else (hint,)


def _kind(hint: Any) -> str:
    names = {str: "text", int: "integer", float: "number", bool: "yes or no"}
    kinds = []
    for option in _options(hint):
        if get_origin(option) is Literal:
            kinds.append(" | ".join(map(str, get_args(option))))
        elif get_origin(option) is dict:
            kinds.append("text by name")
        elif option is not type(None):
            kinds.append(names.get(option, str(option)))
    return " or ".join(kinds)


def _convert(value: Any, hint: Any, dotted: str) -> Any:
    """A value from JSON or from a `--set` text as the kind that a field holds."""
    options = _options(hint)
    for option in options:
        if option is Any or (get_origin(option) is Literal and value in get_args(option)):
            return value
        if get_origin(option) is dict and isinstance(value, Mapping):
            return {str(name): str(text) for name, text in value.items()}
    if type(None) in options and value in (None, "auto", "none"):
        return None
    for option in options:
        if dataclasses.is_dataclass(option) and isinstance(value, Mapping):
            return from_dict(cast(type, option), value, f"{dotted}.")
        if option is bool and str(value).lower() in _BOOLEANS:
            return _BOOLEANS[str(value).lower()]
        if option in (int, float) and (number := _number(value, option)) is not None:
            return number
        if option is str and isinstance(value, str):
            return value
    raise UsageError(f"“{value}” is no value for {dotted}", hint=f"expected: {_kind(hint)}")


def _number(value: Any, kind: type[int] | type[float]) -> float | None:
    """The value as a finite number of the kind, if it is one."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int) and kind is int:
        return value  # as it is: a float would round a large seed
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    if not math.isfinite(number) or (kind is int and not number.is_integer()):
        return None
    return kind(number)


def _bounded(value: Any, f: dataclasses.Field[Any], dotted: str) -> Any:
    """The value, if it lies within what the setting allows."""
    is_number = isinstance(value, int | float)
    bounds: dict[str, float] = f.metadata.get("bounds", {}) if is_number else {}
    if not all(_HOLDS[words](value, bound) for words, bound in bounds.items()):
        allowed = " and ".join(f"{words} {bound:g}" for words, bound in bounds.items())
        raise UsageError(f"{dotted} cannot be {value:g}", hint=f"allowed: {allowed}")
    return value


def _is_required(f: dataclasses.Field[Any]) -> bool:
    return f.default is MISSING and f.default_factory is MISSING


_BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}

_HOLDS: dict[str, Callable[[Any, Any], bool]] = {
    "at least": operator.ge,
    "more than": operator.gt,
    "at most": operator.le,
}

_AMOUNT = r"(\d+(?:\.\d+)?)"
_DURATION = re.compile(rf"{_AMOUNT}|(?:{_AMOUNT}h)?(?:{_AMOUNT}m(?:in)?)?(?:{_AMOUNT}s)?")
