"""The demo of texts: real names, written as somebody's own would lie."""

import pytest

import ectype
from ectype.demo import text
from ectype.errors import UsageError


def test_names_are_written_once(tmp_path):
    pytest.importorskip("names")
    learned, unseen = text.write(tmp_path)
    names, others = (path.read_text().split() for path in (learned, unseen))
    assert len(names) == 16_000
    assert len(others) == 32
    assert not set(names) & set(others)
    assert all(name.istitle() for name in names[:1000])
    before = learned.stat().st_mtime_ns
    assert text.write(tmp_path) == (learned, unseen)
    assert learned.stat().st_mtime_ns == before
    assert ectype.inspect(learned).dataset.spec.domain == "text"


def test_a_missing_package_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match="package names"):
        text.write(tmp_path)
