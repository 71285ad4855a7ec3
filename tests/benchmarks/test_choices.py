"""What the study of choices says about its figures, and that it does nothing twice."""

import json

import numpy as np
import pytest

from benchmarks import choices
from tests.choose.figures import measures


def part(frechet, spread=0.0):
    found = measures(frechet, spread=spread)
    return {"measures": {name: measure.to_json() for name, measure in found.items()}}


def rows_of(chosen, **alone):
    compared = {"winner": chosen, **part(120.0)}
    rows = choices.told("data", 0, "gan", {choices.COMPARED: compared, **alone})
    return {row["run"]: row for row in rows}


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ("gan", "chosen: best; auto"),
        ("vae", "chosen: 10% behind, within its interval"),
        ("vae-wide", "chosen: 41% behind, beyond its interval"),
    ],
)
def test_whether_the_choice_was_right(chosen, said):
    alone = {"gan": part(100.0), "vae": part(121.0, 0.11), "vae-wide": part(200.0, 0.1)}
    rows = rows_of(chosen, **alone)
    assert rows[f"{chosen} alone"]["verdict"] == said
    assert rows[f"compare → {chosen}"]["verdict"].startswith("10% behind")


def test_a_candidate_that_failed_has_a_row():
    rows = rows_of("vae", gan={"error": "it diverged"}, vae=part(100.0))
    assert rows["gan alone"]["note"] == "it diverged"
    assert rows["vae alone"]["verdict"] == "chosen: best"


@pytest.mark.slow
def test_the_study_is_done_once(tmp_path, capsys):
    random = np.random.default_rng(0)
    file = tmp_path / "fashion.npz"
    np.savez(
        file,
        x_train=random.integers(0, 256, (400, 28, 28), np.uint8),
        y_train=np.arange(400) % 3,
        x_test=random.integers(0, 256, (60, 28, 28), np.uint8),
    )
    arguments = ["--fashion", str(file), "--seconds", "8", "--seeds", "0", "--samples", "30"]
    arguments += ["--work", str(tmp_path / "work"), "--threads", "1"]
    arguments += ["--json", str(tmp_path / "figures.json")]
    choices.main(arguments)
    rows = json.loads((tmp_path / "figures.json").read_text())["rows"]
    assert len(rows) == 5
    assert sum("chosen" in row["verdict"] for row in rows) == 1
    capsys.readouterr()
    choices.main(arguments)
    assert capsys.readouterr().err == "", "no part was done again"
    assert json.loads((tmp_path / "figures.json").read_text())["rows"] == rows
