import json
from dataclasses import dataclass

import pytest

from ectype.config import (
    Budget,
    Config,
    VaeSettings,
    format_seconds,
    from_dict,
    listing,
    parse_seconds,
    setting,
    to_dict,
    with_changes,
)
from ectype.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class DataSettings:
    side: int = setting(8, "an integer")
    cut: float | None = setting(None, "a number that may be chosen")
    grey: bool = setting(False, "yes or no")
    name: str | None = setting(None, "a text that may be missing")


@pytest.fixture
def config():
    return Config(family="vae", domain="image", budget=Budget(seconds=60), data=DataSettings())


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("10m", 600),
        ("10min", 600),
        ("1h30m", 5400),
        ("2h", 7200),
        ("90s", 90),
        ("1h2m3s", 3723),
        ("0.5h", 1800),
        (" 90 ", 90),
        ("90", 90),
        (90, 90),
    ],
)
def test_durations(text, seconds):
    assert parse_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", " ", "m", "ten", "-5m", "1.2.3m", "30m1h", "1h30", "nan"])
def test_no_durations(text):
    with pytest.raises(UsageError, match="is no duration"):
        parse_seconds(text)


@pytest.mark.parametrize("text", ["0.5s", "9s", "10s", "45s", "10m", "10m05s", "2h05m"])
def test_durations_survive_being_written(text):
    assert format_seconds(parse_seconds(text)) in (text, text.replace("05s", "5s"))


def test_seconds_are_rounded_up_into_minutes():
    assert format_seconds(59.7) == "1m"
    assert format_seconds(3599.7) == "1h00m"


@pytest.mark.parametrize(
    "amounts",
    [
        {},
        {"seconds": 1.0, "steps": 1},
        {"seconds": 0.0},
        {"steps": 0},
        {"steps": -1},
        {"seconds": float("nan")},
        {"seconds": float("inf")},
    ],
)
def test_a_budget_is_one_positive_amount(amounts):
    with pytest.raises(UsageError):
        Budget(**amounts)


def test_settings_survive_json(config):
    config = with_changes(config, ["vae.beta=0.5", "training.batch=32"])
    values = json.loads(json.dumps(to_dict(config)))
    values["data"] = from_dict(DataSettings, values["data"])
    assert from_dict(Config, values) == config


def test_a_large_seed_stays_as_it_is(config):
    values = {**to_dict(config), "seed": 2**62 + 1}
    assert from_dict(Config, values).seed == 2**62 + 1


def test_what_is_missing_is_named(config):
    values = to_dict(config)
    del values["family"]
    with pytest.raises(UsageError, match="a value is missing for family"):
        from_dict(Config, values)


@pytest.mark.parametrize(
    ("values", "hint"),
    [
        ({"lerning_rate": 1.0}, "did you mean learning_rate?"),
        ({"xyzzy": 1.0}, "known: likelihood"),
    ],
)
def test_unknown_keys_are_errors(values, hint):
    with pytest.raises(UsageError) as error:
        from_dict(VaeSettings, values)
    assert error.value.hint is not None
    assert error.value.hint.startswith(hint)


def test_unknown_keys_are_named_with_their_place(config):
    values = {**to_dict(config), "vae": {"bta": 1}}
    with pytest.raises(UsageError, match=r"there is no setting “vae\.bta”") as error:
        from_dict(Config, values)
    assert error.value.hint == "did you mean vae.beta?"


@pytest.mark.parametrize(
    ("change", "value"),
    [
        ("vae.beta=0.5", 0.5),
        ("vae.beta = 2", 2.0),
        ("data.cut=auto", None),
        ("vae.prior=normal", "normal"),
        ("vae.likelihood=auto", "auto"),
        ("gan.penalty=none", "none"),
        ("gan.augment=off", "off"),
        ("gan.augment=0.3", 0.3),
        ("training.batch=64", 64),
        ("training.batch=1e2", 100),
        ("training.capacity=none", None),
        ("data.side=8", 8),
        ("data.cut=8", 8.0),
        ("data.grey=yes", True),
        ("data.grey=False", False),
        ("data.name=auto", None),
        ("data.name=auto parts", "auto parts"),
    ],
)
def test_changes_become_what_the_field_holds(config, change, value):
    changed = with_changes(config, [change])
    group, name = change.split("=")[0].strip().split(".")
    found = getattr(getattr(changed, group), name)
    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize(
    ("change", "hint"),
    [
        ("vae.bta=1", "did you mean vae.beta?"),
        ("gam.loss=hinge", "did you mean gan.loss?"),
        ("loss=hinge", "did you mean gan.loss?"),
        ("budget.seconds=5", "`ectype settings` lists them all"),
        ("seed=5", "`ectype settings` lists them all"),
        ("gan=5", "`ectype settings` lists them all"),
        ("gan.loss.more=5", "`ectype settings` lists them all"),
        ("gan.loss=hing", "expected: relativistic | non_saturating | hinge"),
        ("gan.augment=on", "expected: adaptive | off or number"),
        ("data.side=1.5", "expected: integer"),
        ("data.side=many", "expected: integer"),
        ("data.cut=nan", "expected: number"),
        ("data.grey=maybe", "expected: yes or no"),
    ],
)
def test_a_change_that_cannot_be_made_says_what_can(config, change, hint):
    with pytest.raises(UsageError) as error:
        with_changes(config, [change])
    assert change.partition("=")[0] in error.value.message
    assert error.value.hint is not None
    assert error.value.hint.startswith(hint)


def test_a_change_needs_an_equals_sign(config):
    with pytest.raises(UsageError, match="not of the form key=value"):
        with_changes(config, ["gan.loss"])


def test_every_listed_setting_takes_its_own_default(config):
    rows = listing(config)
    assert len({row["key"] for row in rows}) == len(rows) > 20
    for row in rows:
        default = "auto" if row["default"] == "chosen" else row["default"]
        assert with_changes(config, [f"{row['key']}={default}"]) == config


@pytest.mark.parametrize(
    ("change", "allowed"),
    [
        ("gan.penalty_every=0", "at least 1"),
        ("vae.learning_rate=0", "more than 0"),
        ("gan.beta1=1", "at least 0 and at most 0.999"),
        ("training.batch=-3", "at least 1"),
        ("gan.augment=0", "more than 0 and at most 1.6"),
        ("gan.augment=1.7", "more than 0 and at most 1.6"),
    ],
)
def test_numbers_outside_their_range_are_refused(config, change, allowed):
    key = change.partition("=")[0]
    with pytest.raises(UsageError, match=key) as error:
        with_changes(config, [change])
    assert error.value.hint == f"allowed: {allowed}"


def test_bounds_hold_in_saved_settings_too(config):
    values = to_dict(config)
    values["training"]["keep"] = 0
    with pytest.raises(UsageError, match=r"training\.keep cannot be 0"):
        from_dict(Config, values)
