"""A model that learns its data by heart is named as copying, end to end; one that cannot is not."""

import numpy as np
import pytest

import ectype
from ectype.demo.image import read_digits


@pytest.mark.slow
@pytest.mark.parametrize(("items", "copying"), [(200, True), (4_500, False)])
def test_copying_is_named(items, copying, tmp_path):
    digits, _ = read_digits()
    order = np.random.default_rng(0).permutation(len(digits))
    run = ectype.fit(
        digits[order[:items], :, :, None],
        model="vae",
        steps=1000,
        out=tmp_path / "run",
        device="cpu",
        settings={
            "training.capacity": 16,
            "training.select": "last",
            "data.cache": str(tmp_path / "cache"),
        },
    )
    assert run.evaluate().report.verdict.copying == copying
