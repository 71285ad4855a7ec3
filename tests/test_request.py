"""What `auto` takes, and why; docs/choosing.md has the evidence."""

from dataclasses import replace

import numpy as np
import pytest

from ectype.config import Budget
from ectype.domains.base import Dataset, Spec
from ectype.request import (
    LITTLE_DATA,
    LONG,
    Facts,
    as_changes,
    choose_family,
    facts_of,
)

MANY_SMALL = Facts(domain="image", items=51_000, labels=0, budget=Budget(seconds=600))


@pytest.mark.parametrize(
    ("changes", "family", "reason"),
    [
        ({}, "gan", "in 10m or more"),
        ({"budget": Budget(seconds=LONG - 1)}, "vae", "until a GAN has 10m"),
        ({"budget": Budget(steps=5_000)}, "vae", "until a GAN has 10m"),
        ({"items": 850}, "gan", "keep close to some"),
        ({"items": LITTLE_DATA - 1, "budget": Budget(seconds=120)}, "gan", "keep close to some"),
        ({"items": LITTLE_DATA, "budget": Budget(seconds=120)}, "vae", "until a GAN has 10m"),
        ({"labels": 10}, "gan", "in 10m or more"),
        ({"labels": 10, "items": 850}, "gan", "keep close to some"),
        (
            {"labels": 10, "items": 850, "budget": Budget(seconds=120)},
            "vae",
            "nearer to labelled pictures",
        ),
        ({"domain": "text"}, "vae", "nearer to the data"),
    ],
)
def test_auto_says_what_it_takes_and_why(changes, family, reason):
    chosen, said = choose_family("auto", replace(MANY_SMALL, **changes))
    assert chosen == family
    assert said.startswith("auto: ")
    assert reason in said


@pytest.mark.parametrize("family", ["gan", "vae"])
def test_what_is_asked_for_is_taken(family):
    assert choose_family(family, MANY_SMALL) == (family, "as asked")


def test_facts_come_from_the_data():
    dataset = Dataset(
        spec=Spec(domain="image", shape=(8, 6, 3), labels=("cat", "dog")),
        items=np.zeros((5, 8, 6, 3), np.uint8),
        labels=np.array([0, 0, 0, 1, 1]),
        parts={"train": np.arange(4), "validation": np.array([4]), "test": np.array([], int)},
        fingerprint="abc",
    )
    assert facts_of(dataset, Budget(seconds=60)) == Facts(
        domain="image", items=4, labels=2, budget=Budget(seconds=60)
    )


@pytest.mark.parametrize(
    "settings", [{"gan.gamma": 3, "vae.latent": 8}, ("gan.gamma=3", "vae.latent=8")]
)
def test_settings_come_in_two_forms(settings):
    assert as_changes(settings) == ["gan.gamma=3", "vae.latent=8"]
