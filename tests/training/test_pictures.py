"""Folders of pictures, odd ones too, go through the commands from end to end."""

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from ectype import cli
from tests.domains import conftest

bomb = conftest.bomb
SMALL = ["training.capacity=4", "training.batch=4", "gan.latent=8", "vae.latent=8"]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ECTYPE_CACHE", str(tmp_path / "the cache"))


def flags(*settings):
    return [word for setting in (*SMALL, *settings) for word in ("--set", setting)]


def pictures(folder, count, size, mode):
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(count):
        conftest.noise(rng, size, mode).save(folder / f"{number:03d}.png")
    return folder


def command(capsys, *arguments):
    """Run a command with `--json`; returns its answer."""
    code = cli.execute([str(argument) for argument in arguments] + ["--json"])
    told = capsys.readouterr()
    assert code == 0, told.err
    return json.loads(told.out)


@pytest.mark.parametrize("family", ["gan", "vae"])
@pytest.mark.parametrize(
    ("count", "size", "mode"),
    [(24, (64, 48), "RGB"), (24, (64, 48), "L"), (24, (48, 64), "RGBA"), (12, (20, 20), "RGB")],
    ids=["RGB 64x48", "grey 64x48", "RGBA 48x64", "12 pictures"],
)
def test_pictures_of_all_forms(count, size, mode, family, tmp_path, capsys):
    data = pictures(tmp_path / "data", count, size, mode)
    run, out = tmp_path / "run", tmp_path / "out"
    width, height = size
    given = flags(f"data.size={width}x{height}")
    command(capsys, "fit", data, "--model", family, "--steps", 2, "--out", run, *given)
    command(capsys, "sample", run, "-n", 5, "-o", out, "--seed", 3)
    paths = sorted(path for path in out.glob("*.png") if path.name != "grid.png")
    assert len(paths) == 5
    samples = []
    for path in paths:
        with Image.open(path) as picture:
            assert (picture.size, picture.mode) == (size, mode)
            samples.append(np.asarray(picture))
    assert len({sample.tobytes() for sample in samples}) == 5, "no two are the same"
    with Image.open(out / "grid.png") as grid:
        assert grid.width * grid.height >= 5 * width * height


def odd_folder(folder, bomb):
    """Six good pictures, three odd but good ones, four bad ones; says why those are bad."""
    pictures(folder, 6, (32, 32), "RGB")
    rng = np.random.default_rng(1)
    deep = rng.integers(0, 2**16, (32, 32), np.uint16)
    Image.fromarray(deep).save(folder / "deep.png")
    conftest.noise(rng, (32, 32), "RGB").convert("CMYK").save(folder / "ink.jpg")
    film = conftest.noise(rng, (32, 32), "RGB").quantize(8)
    film.save(folder / "clear.gif", transparency=0)
    conftest.noise(rng, (300, 300), "RGB").save(folder / "cut.jpg")
    content = (folder / "cut.jpg").read_bytes()
    (folder / "cut.jpg").write_bytes(content[: len(content) // 2])
    (folder / "empty.png").touch()
    (folder / "text.png").write_text("Dear diary,\n" * 20)
    (folder / "bomb.png").write_bytes(bomb)
    return {
        "cut.jpg": "truncated",
        "empty.png": "empty",
        "text.png": "no picture of a known format",
        "bomb.png": "30,000×30,000 pixels",
    }


@pytest.mark.slow
@pytest.mark.parametrize("family", ["gan", "vae"])
def test_a_folder_with_bad_files(family, bomb, tmp_path):
    bad = odd_folder(tmp_path / "photos", bomb)
    arguments = ["fit", "photos", "--model", family, "--steps", "2", "--out", "run", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "ectype", *arguments, *flags()],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["finished"]
    rejects = json.loads((tmp_path / "run/config.json").read_text())["rejects"]
    found = {reject["item"]: reject["reason"] for reject in rejects}
    assert found.keys() == bad.keys()
    for name, reason in bad.items():
        assert reason in found[name]
        assert f"left out: {name}: {found[name]}" in done.stderr
    inspected = subprocess.run(
        [sys.executable, "-m", "ectype", "inspect", "photos", "--json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    answer = json.loads(inspected.stdout)
    assert answer["count"] == 9, "all good ones are learned, the odd ones among them"
    assert answer["rejects"] == rejects
