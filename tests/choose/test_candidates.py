import pytest

from ectype.choose.candidates import candidates
from ectype.config import Budget, Config, VaeSettings, with_changes
from ectype.request import LITTLE_DATA

CONFIG = Config(family="auto", domain="image", budget=Budget(seconds=60))


def settings_of(found):
    return {candidate.name: candidate.settings for candidate in found}


def test_little_data_is_held_back():
    assert settings_of(candidates(CONFIG, [], items=LITTLE_DATA - 1, gamma=2.0)) == {
        "gan": {},
        "vae": {},
        "gan-strict": {"gan.gamma": 8.0},
        "vae-narrow": {"vae.latent": VaeSettings().latent // 4},
    }


def test_much_data_is_given_freedom():
    assert settings_of(candidates(CONFIG, [], items=LITTLE_DATA, gamma=2.0)) == {
        "gan": {},
        "vae": {},
        "gan-free": {"gan.gamma": 0.5},
        "vae-wide": {"vae.latent": 2 * VaeSettings().latent},
    }


@pytest.mark.parametrize("items", [100, 100_000])
@pytest.mark.parametrize(("key", "left"), [("gan.gamma", "vae"), ("vae.latent", "gan")])
def test_what_the_user_set_is_not_varied(items, key, left):
    found = candidates(CONFIG, [key, "training.batch"], items=items, gamma=2.0)
    assert [c.family for c in found if c.settings] == [left]
    assert len(found) == 3


@pytest.mark.parametrize("items", [100, 100_000])
def test_candidates_can_be_built(items):
    for candidate in candidates(CONFIG, [], items=items, gamma=2.0):
        config = with_changes(CONFIG, candidate.changes)
        assert (config == CONFIG) == (not candidate.settings)
        assert candidate.name.startswith(candidate.family)
        assert all(f"{key}={value}" in candidate.about for key, value in candidate.settings.items())
