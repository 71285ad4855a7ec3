"""What is chosen where a configuration leaves it open."""

import pytest
from torch import nn

from ectype.config import Budget, Config, GanSettings, VaeSettings
from ectype.errors import UsageError
from ectype.models.build import build, default_gamma
from ectype.models.gan import Gan
from ectype.models.likelihoods import Gaussian


@pytest.mark.parametrize(
    ("dimensions", "gamma"),
    [(2, 2.0), (28 * 28, 2.0), (3 * 64**2, 2.0), (3 * 256**2, 150.0), (3 * 128**2, 300**0.5)],
)
def test_the_default_penalty_weight_joins_the_published_points(dimensions, gamma):
    assert default_gamma(dimensions) == pytest.approx(gamma)


def test_the_penalty_gp_has_no_form_of_differences():
    gan = GanSettings(penalty="gp", penalty_form="finite_difference")
    config = Config(family="gan", domain="points", budget=Budget(steps=1), gan=gan)
    with pytest.raises(UsageError, match="asks for the length"):
        build(config, lambda *_, **__: nn.Identity(), Gaussian(), classes=0, dimensions=2)


def test_a_light_kl_needs_a_learned_prior():
    vae = VaeSettings(prior="normal", beta=0.1)
    config = Config(family="vae", domain="points", budget=Budget(steps=1), vae=vae)
    with pytest.raises(UsageError, match="samples would be noise"):
        build(config, lambda *_, **__: nn.Identity(), Gaussian(), classes=0, dimensions=2)


def test_augmentation_can_be_asked_for_only_where_there_is_one():
    def made(augment, augmentation=None):
        gan = GanSettings(augment=augment)
        config = Config(family="gan", domain="points", budget=Budget(steps=1), gan=gan)
        return build(
            config,
            lambda *_, **__: nn.Linear(1, 1),
            Gaussian(),
            classes=0,
            dimensions=2,
            augmentation=augmentation,
        )

    def draw(n, p, generator):
        return lambda x: x

    with pytest.raises(UsageError, match="no augmentation for the domain “points”"):
        made(0.3)
    for augment, kept, strength in (("adaptive", draw, 0.0), ("off", None, 0.0), (0.3, draw, 0.3)):
        model = made(augment, draw)
        assert isinstance(model, Gan)
        assert model.augmentation is kept
        assert model.dials["augment"] == strength
    assert made("adaptive").dials["augment"] == 0.0
