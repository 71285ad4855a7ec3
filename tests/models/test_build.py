"""What is chosen where a configuration leaves it open."""

import pytest

from ectype.models.build import default_gamma


@pytest.mark.parametrize(
    ("dimensions", "gamma"),
    [(2, 2.0), (28 * 28, 2.0), (3 * 64**2, 2.0), (3 * 256**2, 150.0), (3 * 128**2, 300**0.5)],
)
def test_the_default_penalty_weight_joins_the_published_points(dimensions, gamma):
    assert default_gamma(dimensions) == pytest.approx(gamma)
