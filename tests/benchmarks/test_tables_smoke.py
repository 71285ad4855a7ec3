"""The comparison of tables runs and its rows are whole; what it measures is not tested."""

import json

import numpy as np
import pytest

from benchmarks import equal_time_tables


@pytest.mark.slow
def test_rows_are_complete(tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    random = np.random.default_rng(0)
    size = random.normal(size=400)
    lines = [f"{s:.2f},{'ab'[int(s > 0)]},{random.integers(9)}" for s in size]
    data, file = tmp_path / "data.csv", tmp_path / "figures.json"
    data.write_text("\n".join(["size,kind,count", *lines]) + "\n")
    arguments = ["--table", f"{data}:kind", "--seconds", "3", "--only", "ours-vae", "ours-gan"]
    arguments += ["--set", "training.capacity=32", "--json", str(file)]
    equal_time_tables.main(arguments)
    rows = json.loads(file.read_text())["rows"]
    assert [row["candidate"] for row in rows] == ["real", "shuffled", "ours-vae", "ours-gan"]
    for row in rows:
        assert 0 <= row["shapes"] <= 1
        assert 0 <= row["trends"] <= 1
        assert 0 <= row["coverage"] <= 1
    assert all(row["rows/s sampling"] > 0 for row in rows[2:])
