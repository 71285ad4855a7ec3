"""The benchmarks run and their tables are whole; what they measure is not tested."""

import json

import numpy as np
import pytest

from benchmarks import (
    equal_time_images,
    equal_time_text,
    evaluation,
    little_data,
    loop_overhead,
    step_cost,
    step_profile,
)
from benchmarks.image_data import split_by_group, variant_group

MEASURES = ("Fréchet", "precision", "recall", "density", "coverage", "nearer to train")


@pytest.fixture(autouse=True)
def one_thread(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def rows_of(main, arguments, tmp_path):
    file = tmp_path / "figures.json"
    try:
        main([*arguments, "--json", str(file)])
    finally:
        figures = json.loads(file.read_text())
    assert {"date", "processor", "cores", "torch"} <= figures["facts"].keys()
    return figures["rows"]


@pytest.fixture
def fashion(tmp_path):
    """A file shaped like Fashion-MNIST."""
    random = np.random.default_rng(0)
    file = tmp_path / "fashion.npz"
    np.savez(
        file,
        x_train=random.integers(0, 256, (96, 28, 28), np.uint8),
        y_train=np.arange(96) % 10,
        x_test=random.integers(0, 256, (48, 28, 28), np.uint8),
        y_test=np.arange(48) % 10,
    )
    return file


@pytest.mark.slow
def test_equal_time_rows_are_complete(fashion, tmp_path):
    arguments = ["--fashion", str(fashion), "--seconds", "2", "--samples", "24"]
    arguments += ["--only", "ours-gan", "ours-vae", "dcgan", "--labelled"]
    arguments += ["--keep", str(tmp_path / "kept"), "--set", "training.capacity=16"]
    real, *trained = rows_of(equal_time_images.main, arguments, tmp_path)
    assert real["candidate"] == "real, held out"
    assert [row["candidate"] for row in trained] == [
        "ours-gan",
        "ours-vae",
        "dcgan",
        "ours-gan with labels",
        "ours-vae with labels",
    ]
    for row in trained:
        assert all(np.isfinite(row[measure]) for measure in MEASURES)
        assert row["n"] == 24
        assert row["pictures seen"] > 0
        assert row["training, s"] > 0
        assert row["sampling, s"] > 0
    assert len([*(tmp_path / "kept").rglob("samples.png")]) == len(trained)


@pytest.mark.slow
def test_a_candidate_that_fails_says_so(fashion, tmp_path):
    environment = tmp_path / "environment"
    environment.mkdir()
    (environment / "installed").touch()  # but without an interpreter
    arguments = ["--fashion", str(fashion), "--seconds", "1", "--samples", "24"]
    arguments += ["--only", "pythae", "--peer-environment", str(environment)]
    with pytest.raises(SystemExit) as stopped:
        rows_of(equal_time_images.main, arguments, tmp_path)
    assert stopped.value.code == 1
    rows = json.loads((tmp_path / "figures.json").read_text())["rows"]
    assert rows[-1]["candidate"] == "pythae"
    assert "FileNotFoundError" in rows[-1]["error"]


@pytest.mark.slow
def test_little_data_rows_are_complete_and_nothing_is_done_twice(fashion, tmp_path, monkeypatch):
    arguments = ["--fashion", str(fashion), "--seconds", "1", "--samples", "24"]
    arguments += ["--work", str(tmp_path / "work"), "--set", "training.capacity=16"]
    rows = rows_of(little_data.main, arguments, tmp_path)
    candidates = ["real, held out", "adaptive", "none", "real, held out"]
    assert [row["candidate"] for row in rows] == [*candidates, "from a run", "from nothing"]
    for row in rows:
        assert all(np.isfinite(row[measure]) for measure in MEASURES)
    assert all(row["items seen"] > 0 for row in rows if row["seed"] == 0)
    monkeypatch.setattr("ectype.fit", None)
    assert rows_of(little_data.main, arguments, tmp_path) == rows


@pytest.mark.slow
def test_evaluation_rows_are_complete(fashion, tmp_path, monkeypatch):
    monkeypatch.setattr(evaluation, "STEPS", 2)
    arguments = ["--fashion", str(fashion), "--n", "24", "--neighbours", "64"]
    rows = rows_of(evaluation.main, arguments, tmp_path)
    names = ["evaluation, the first time", "evaluation, again", "neighbours", "copies"]
    assert [row["what"] for row in rows] == names
    assert all(row["seconds"] > 0 and row["memory, GiB"] > 0 for row in rows)


@pytest.mark.slow
def test_loop_overhead_rows_are_complete(tmp_path):
    arguments = ["--pairs", "1", "--seconds", "1", "--size", "16", "--capacity", "16"]
    rows = rows_of(loop_overhead.main, [*arguments, "--batch", "8"], tmp_path)
    assert [row["loop"] for row in rows] == ["gan", "vae", "prior"]
    assert all(row["median ratio"] > 0 for row in rows)


@pytest.mark.slow
def test_step_cost_rows_are_complete(tmp_path):
    arguments = ["--size", "16", "--width", "16", "--batch", "8", "--repetitions", "1"]
    rows = rows_of(step_cost.main, arguments, tmp_path)
    assert len(rows) == 8
    assert all(row[penalty] > 0 for row in rows for penalty in step_cost.PENALTIES)


def test_the_parts_of_a_step_add_up(tmp_path):
    arguments = ["--size", "16", "--width", "16", "--batch", "8", "--repetitions", "2"]
    rows = {row["part"]: row for row in rows_of(step_profile.main, arguments, tmp_path)}
    assert rows["step"]["share"] == 1
    parts = ("convolution", "convolution, backward", "linear")
    for column in ("ms a step", "by themselves, ms", "share"):
        assert rows["all products"][column] == pytest.approx(sum(rows[p][column] for p in parts))
    whole = rows["all products"]["share"] + rows["rest"]["share"]
    assert whole == pytest.approx(1)
    assert all(rows[part]["in place"] > 0 for part in parts)


@pytest.mark.parametrize(
    ("variant", "base"),
    [
        ("1F44B-1F3FB", "1F44B"),
        ("1F3C3-1F3FC-200D-2640-FE0F-200D-27A1-FE0F", "1F3C3"),
        ("1F469-1F3FF-200D-1F33E", "1F9D1-200D-1F33E"),
        ("1F469-200D-1F469-200D-1F466", "1F46A"),
        ("1F468-1F3FB-200D-1F91D-200D-1F468-1F3FD", "1F46B"),
    ],
)
def test_variants_are_one_group(variant, base):
    assert variant_group(variant) == variant_group(base)


def test_groups_are_not_cut():
    groups = [(str(item // 3),) for item in range(90)]
    drawn, others = split_by_group(groups, 31)
    assert len(drawn) == 30
    assert sorted(drawn + others) == list(range(90))
    assert not {groups[item] for item in drawn} & {groups[item] for item in others}


@pytest.mark.slow
def test_equal_time_text_rows_are_complete(tmp_path):
    syllables = [a + b for a in "bdfgklmnrst" for b in "aeiou"]
    texts = [f"{a}{b}{c}" for a in syllables for b in syllables for c in syllables]
    file = tmp_path / "names.txt"
    file.write_text("\n".join(texts[::6]))
    arguments = ["--names", str(file), "--seconds", "3", "--set", "training.capacity=4"]
    real, *trained = rows_of(equal_time_text.main, arguments, tmp_path)
    assert real["candidate"] == "real"
    assert [row["candidate"] for row in trained] == list(equal_time_text.CANDIDATES)
    for row in trained:
        for measure in ("forward", "reverse", "copies", "unique", "self-BLEU"):
            assert np.isfinite(row[measure])
        assert row["texts seen"] > 0
        assert row["training, s"] > 0
    assert {"nats", "KL", "reconstruction", "active"} <= trained[0].keys() & trained[2].keys()
