import pytest

from ectype.demo import table
from ectype.errors import UsageError


def test_flights_are_real_and_none_is_in_both_files(tmp_path):
    learned, unseen = table.write(tmp_path)
    head, *flights = learned.read_text().splitlines()
    assert head.startswith("year,month,day,dep_time")
    assert len(flights) == 10_000
    assert all(flight.startswith("2013,") for flight in flights)
    other, *kept_aside = unseen.read_text().splitlines()
    assert other == head
    assert len(kept_aside) == 32
    assert not set(flights) & set(kept_aside)
    assert {path.name for path in tmp_path.iterdir()} == {"flights.csv", "unseen.csv"}


def test_without_the_package_the_error_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError) as error:
        table.write(tmp_path)
    assert error.value.hint == "pip install 'ectype[demo]'"
