import itertools
from types import SimpleNamespace

import pytest

from ectype.config import Budget
from ectype.training import planning
from ectype.training.planning import items_needed, plan_capacity

CAPACITIES = (16, 24, 32, 48, 64, 96, 128, 192)
FAMILIES = ("gan", "vae")
SPEEDS = [10.0**power for power in range(-9, 2)]
TEN_MINUTES = Budget(seconds=600)


def quadratic(seconds):
    """A machine whose time an item grows with the square of the width."""
    return lambda capacity: seconds * (capacity / 16) ** 2


def chosen(family, budget, measure):
    return plan_capacity(family, CAPACITIES, 32, budget, measure).capacity


@pytest.mark.parametrize("family", FAMILIES)
def test_a_budget_of_steps_measures_nothing(family):
    plan = plan_capacity(
        family, CAPACITIES, 32, Budget(steps=1000), lambda capacity: pytest.fail("measured")
    )
    assert plan.capacity == 32
    assert "the fixed choice" in plan.reason


@pytest.mark.parametrize("family", FAMILIES)
def test_a_faster_machine_is_given_a_larger_network(family):
    found = [chosen(family, TEN_MINUTES, quadratic(seconds)) for seconds in SPEEDS]
    assert found == sorted(found, reverse=True)
    assert (found[0], found[-1]) == (CAPACITIES[-1], CAPACITIES[0])
    assert len(set(found)) > 3


@pytest.mark.parametrize("family", FAMILIES)
def test_a_longer_budget_is_given_a_larger_network(family):
    budgets = [Budget(seconds=10.0**power) for power in range(8)]
    found = [chosen(family, budget, quadratic(1e-3)) for budget in budgets]
    assert found == sorted(found)
    assert (found[0], found[-1]) == (CAPACITIES[0], CAPACITIES[-1])


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("seconds", SPEEDS)
def test_the_choice_is_the_widest_that_sees_enough(family, seconds):
    measure = quadratic(seconds)
    enough = [c for c in CAPACITIES if 600 / measure(c) >= items_needed(family, c)]
    assert chosen(family, TEN_MINUTES, measure) == max(enough, default=CAPACITIES[0])


@pytest.mark.parametrize("family", FAMILIES)
def test_wider_networks_need_more_items(family):
    needs = [items_needed(family, capacity) for capacity in CAPACITIES]
    assert all(a < b for a, b in itertools.pairwise(needs))


def test_wider_networks_are_not_measured_than_the_budget_allows():
    measured = []

    def measure(capacity):
        measured.append(capacity)
        return quadratic(1e-3)(capacity)

    capacity = chosen("vae", TEN_MINUTES, measure)
    next_one = CAPACITIES[CAPACITIES.index(capacity) + 1]
    assert measured == [c for c in CAPACITIES if c <= next_one]


def test_measuring_ends_when_it_has_taken_its_share(monkeypatch):
    now = SimpleNamespace(seconds=0.0)
    monkeypatch.setattr(planning, "time", SimpleNamespace(perf_counter=lambda: now.seconds))
    measured = []

    def measure(capacity):
        measured.append(capacity)
        now.seconds += 0.4 * planning.MEASURING_SHARE * 600
        return 1e-12

    assert chosen("gan", TEN_MINUTES, measure) == measured[-1] == CAPACITIES[2]


@pytest.mark.parametrize(("speed", "items"), [(100, "60,000"), (1, "600")])
def test_the_reason_says_what_was_measured(speed, items):
    plan = plan_capacity("gan", (16, 24), 24, TEN_MINUTES, lambda capacity: 1 / speed)
    capacity = plan.capacity
    assert plan.reason == (
        f"capacity {capacity}: at the measured speed it sees about {items} items in 10m"
    )
