import json
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from ectype import cli
from ectype.demo import image
from ectype.errors import UsageError
from ectype.evaluating import Evaluation
from tests.report.examples import report


@pytest.fixture(scope="module")
def digits():
    return image.read_digits()


def test_the_digits_are_real(digits):
    pictures, labels = digits
    assert pictures.shape == (5000, 28, 28)
    assert pictures.dtype == np.uint8
    assert pictures.max() == 255
    assert np.bincount(labels).tolist() == [500] * 10


def test_the_digits_are_written_as_folders_of_pngs(digits, tmp_path):
    known, unseen = image.write(tmp_path)
    pictures, labels = digits
    assert sorted(p.name for p in known.iterdir()) == list("0123456789")
    assert len(list(known.glob("*/*.png"))) == 4940
    assert len(list(unseen.glob("*/*.png"))) == 60
    of_seven = pictures[labels == 7]
    with Image.open(known / "7" / "0000.png") as written:
        assert (np.asarray(written) == of_seven[6]).all()
    with Image.open(unseen / "7" / "0000.png") as written:
        assert (np.asarray(written) == of_seven[0]).all()
    assert {p.name for p in tmp_path.iterdir()} == {"digits", "unseen"}


def test_what_is_written_stays_as_it_is(tmp_path):
    for name in ("digits", "unseen"):
        (tmp_path / name).mkdir()
    image.write(tmp_path)
    assert not list((tmp_path / "digits").iterdir())


def test_without_the_package_the_error_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError) as error:
        image.write(tmp_path)
    assert error.value.hint == "pip install 'ectype[demo]'"


@pytest.mark.parametrize("family", ["gan", "vae"])
def test_the_tour_calls_the_whole_api(family, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(image, "write", lambda folder: (folder / "digits", folder / "unseen"))
    saves = SimpleNamespace(save=lambda folder: [folder / "grid.png"], rejects=[])
    run = SimpleNamespace(
        path=tmp_path / "run",
        folder=SimpleNamespace(samples=tmp_path / "run" / "samples"),
        config=SimpleNamespace(family=family),
        summary=lambda: {
            "family": family,
            "parameters": 1,
            "items": 1,
            "seconds": 1.0,
            "finished": True,
        },
        sample=lambda n: saves,
        interpolate=lambda: saves,
        reconstruct=lambda source: saves,
    )
    spec = SimpleNamespace(domain="image", shape=(28, 28, 1), labels=())
    dataset = SimpleNamespace(spec=spec, items=[], labels=None, parts={}, rejects=[], notes=[])
    inspection = SimpleNamespace(dataset=dataset, plan=[], to_json=dict)
    monkeypatch.setattr("ectype.inspecting.inspect", lambda *_, **__: inspection)
    asked = {}
    monkeypatch.setattr("ectype.fitting.fit", lambda *_, **given: asked.update(given) or run)
    evaluation = Evaluation(report=report(tmp_path), folder=tmp_path / "run")
    monkeypatch.setattr("ectype.evaluating.evaluate", lambda *_, **__: evaluation)

    assert cli.execute(["demo", "--json"]) == 0
    told = capsys.readouterr()
    own = ["reconstruct"] * (family == "vae")
    walked = ["inspect", "fit", "sample", "interpolate", *own, "evaluate"]
    assert list(json.loads(told.out)) == walked
    commands = [line.split()[2] for line in told.err.splitlines() if line.startswith("$")]
    assert commands == walked

    assert cli.execute(["demo"]) == 0
    printed = capsys.readouterr().out
    assert "grid.png" in printed
    assert "Then try:" in printed
    assert not asked["new"]

    assert cli.execute(["demo", "--new", "--set", "training.batch=8"]) == 0
    assert asked["new"]
    assert asked["settings"] == ["training.batch=8"]
    told = capsys.readouterr().err.splitlines()
    [trained] = [line for line in told if line.startswith("$ ectype fit")]
    assert trained.endswith(f"--set training.batch=8 --out {asked['out']} --new")
