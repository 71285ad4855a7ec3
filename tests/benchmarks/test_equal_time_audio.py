"""The benchmark on sounds runs and its table is whole; what it measures is not tested."""

import numpy as np
import pytest

from benchmarks import equal_time_audio
from tests.benchmarks.test_benchmarks_smoke import MEASURES, rows_of

soundfile = pytest.importorskip("soundfile")


@pytest.mark.slow
def test_rows_are_complete(tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    random = np.random.default_rng(0)
    for number in range(220):
        decay = np.exp(-np.arange(4000) / random.uniform(200, 900))
        path = tmp_path / "hits" / f"kit{number % 5}__{number}.wav"
        path.parent.mkdir(exist_ok=True)
        tone = np.sin(random.uniform(0.02, 2.5) * np.arange(4000))
        soundfile.write(path, (0.5 * tone + 0.01 * random.standard_normal(4000)) * decay, 16000)
    arguments = ["--sounds", str(tmp_path / "hits"), "--seconds", "4"]
    arguments += ["--keep", str(tmp_path / "kept"), "--set", "training.capacity=16"]
    rows = rows_of(equal_time_audio.main, arguments, tmp_path)
    assert [row["split"] for row in rows] == ["random"] * 5 + ["kits"] * 5
    for row in rows:
        assert row.get("error") is None
        assert all(np.isfinite(row[m]) for m in MEASURES if row[m] is not None)
    assert (tmp_path / "kept" / "random" / "ours-vae-0.png").exists()
    assert (tmp_path / "kept" / "kits" / "real-0.wav").exists()
