"""The comparison of tables runs and its rows are whole; what it measures is not tested."""

import json

import numpy as np
import pytest

from benchmarks import equal_time_tables, table_size


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


@pytest.mark.slow
def test_rows_of_sizes_are_complete(tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr(table_size, "ROWS", 2_000)
    monkeypatch.setattr(table_size, "VALUES", 200)
    given, file = tmp_path / "given.csv", tmp_path / "figures.json"
    table_size.made_table(500, 20).to_csv(given, index=False)
    arguments = ["--table", str(given), "--rows", "3000", "--steps", "2", "--json", str(file)]
    table_size.main(arguments)
    rows = json.loads(file.read_text())["rows"]
    assert [row.get("table") for row in rows[:2]] == ["with the category", "without it"]
    assert rows[0]["parameters"] > rows[1]["parameters"]
    assert [row.get("to") for row in rows[2:]] == ["csv", "parquet"]
    assert all(row["rows"] == 3000 for row in rows[2:])
