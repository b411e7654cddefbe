"""Which pods are made and ended, and that no step breaks what a rolling update promises."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.base.errors import InvalidInput
from tidegate.runtime.rollout import Actions, Pod, Wanted, amount, decide


def pod(name: str, revision: str = "new", *, ready: bool = True, ending: bool = False, created: str = "") -> Pod:
    return Pod(name, revision, created or name, ready, ready, ending)


def test_the_first_pods_are_all_made_at_once() -> None:
    assert decide(Wanted("new", 3), []) == Actions(create=3)


def test_a_new_revision_starts_beside_the_old_one() -> None:
    assert decide(Wanted("new", 1), [pod("a", "old")]) == Actions(create=1)


def test_the_old_one_stays_while_the_new_one_is_not_ready() -> None:
    assert decide(Wanted("new", 1), [pod("a", "old"), pod("b", ready=False)]) == Actions()


def test_the_old_one_ends_once_the_new_one_is_ready() -> None:
    assert decide(Wanted("new", 1), [pod("a", "old"), pod("b")]) == Actions(end=("a",))


def test_a_revision_that_never_got_ready_makes_room_for_the_one_that_mends_it() -> None:
    """Kubernetes: unhealthy old replicas are scaled down first, as far as none that serves is missed."""
    good, crashing = pod("a", "good"), pod("b", "bad", ready=False)
    assert decide(Wanted("new", 1), [good, crashing]) == Actions(end=("b",))
    assert decide(Wanted("new", 1), [good, pod("b", "bad", ready=False, ending=True)]) == Actions(create=1)
    assert decide(Wanted("new", 1), [good, pod("c", ready=False)]) == Actions()
    assert decide(Wanted("new", 1), [good, pod("c")]) == Actions(end=("a",))


def test_of_several_idle_revisions_only_as_many_end_as_are_too_many() -> None:
    pods = [pod("a", "bad", ready=False), pod("b", "worse", ready=False)]
    assert decide(Wanted("new", 1), pods) == Actions(end=("a",))
    wanted = Wanted("new", 4, surge=1, unavailable=1)
    pods = [pod(name, "good") for name in "abc"] + [pod(name, "bad", ready=False) for name in "de"]
    assert decide(wanted, pods) == Actions(end=("d", "e"))


def test_an_old_pod_that_may_yet_come_up_stays_until_its_successor_is_available() -> None:
    assert decide(Wanted("new", 1), [pod("a", "old", ready=False)]) == Actions(create=1)
    assert decide(Wanted("new", 1), [pod("a", "old", ready=False), pod("b", ready=False)]) == Actions()
    assert decide(Wanted("new", 1), [pod("a", "old", ready=False), pod("b")]) == Actions(end=("a",))


def test_with_max_unavailable_old_pods_make_place_first() -> None:
    wanted = Wanted("new", 2, surge=0, unavailable=1)
    assert decide(wanted, [pod("a", "old"), pod("b", "old")]) == Actions(end=("a",))
    assert decide(wanted, [pod("a", "old", ending=True), pod("b", "old")]) == Actions(create=1)


def test_recreate_waits_until_the_old_one_is_gone() -> None:
    wanted = Wanted("new", 1, recreate=True)
    assert decide(wanted, [pod("a", "old")]) == Actions(end=("a",))
    assert decide(wanted, [pod("a", "old", ending=True)]) == Actions()
    assert decide(wanted, []) == Actions(create=1)


def test_scaling_down_ends_those_that_are_not_ready_and_then_the_youngest() -> None:
    pods = [pod("a"), pod("b"), pod("c", ready=False), pod("d")]
    assert decide(Wanted("new", 2), pods) == Actions(end=("c", "d"))


def test_scaling_to_zero_ends_all() -> None:
    assert decide(Wanted("new", 0), [pod("a"), pod("b", "old")]) == Actions(end=("b", "a"))


def test_paused_it_scales_but_does_not_roll() -> None:
    pods = [pod("a", "old"), pod("b", "old")]
    assert decide(Wanted("new", 2, paused=True), pods) == Actions()
    assert decide(Wanted("new", 1, paused=True), pods) == Actions(end=("b",))


pods_there = st.lists(
    st.builds(
        pod,
        st.uuids().map(str),
        st.sampled_from(["new", "old", "older"]),
        ready=st.booleans(),
        ending=st.booleans(),
    ),
    max_size=8,
)
numbers = st.builds(
    Wanted,
    st.just("new"),
    st.integers(0, 4),
    st.booleans(),
    surge=st.integers(0, 3),
    unavailable=st.integers(0, 3),
)


@given(numbers, pods_there)
def test_no_step_goes_beyond_the_surge_or_below_what_must_be_available(wanted: Wanted, pods: list[Pod]) -> None:
    actions = decide(wanted, pods)
    staying = [item for item in pods if not item.ending]
    assert set(actions.end) <= {item.name for item in staying}
    assert len(set(actions.end)) == len(actions.end)
    if actions.create:
        assert len(staying) + actions.create <= max(wanted.replicas + wanted.surge, wanted.replicas)
    available = sum(item.available for item in staying)
    left = sum(item.available for item in staying if item.name not in actions.end)
    if not wanted.recreate:
        assert left >= min(available, max(0, wanted.replicas - wanted.unavailable))


@given(numbers.filter(lambda wanted: bool(wanted.surge or wanted.unavailable or wanted.recreate)), pods_there)
def test_step_by_step_it_always_arrives(wanted: Wanted, pods: list[Pod]) -> None:
    """Every pod becomes ready, every ending pod goes: then only wanted pods are left, and nothing more to do."""
    made = 0
    for _ in range(60):
        actions = decide(wanted, pods)
        if actions == Actions() and all(item.ready and not item.ending for item in pods):
            break
        pods = [pod(item.name, item.revision) for item in pods if not item.ending and item.name not in actions.end]
        pods += [pod(f"made-{made + at}") for at in range(actions.create)]
        made += actions.create
    assert [item.revision for item in pods] == ["new"] * wanted.replicas


@given(numbers.filter(lambda wanted: bool(wanted.surge or wanted.unavailable or wanted.recreate)), pods_there)
def test_it_arrives_though_no_old_pod_ever_becomes_ready(wanted: Wanted, pods: list[Pod]) -> None:
    made = 0
    for _ in range(60):
        actions = decide(wanted, pods)
        left = [item for item in pods if not item.ending and item.name not in actions.end]
        pods = [pod(item.name, item.revision, ready=item.ready or item.revision == "new") for item in left]
        pods += [pod(f"made-{made + at}") for at in range(actions.create)]
        made += actions.create
    assert [item.revision for item in pods] == ["new"] * wanted.replicas


@pytest.mark.parametrize(
    ("value", "replicas", "up", "result"),
    [(1, 9, True, 1), ("25%", 1, True, 1), ("25%", 1, False, 0), ("50%", 3, True, 2), ("50%", 3, False, 1)],
)
def test_amounts(value: object, replicas: int, up: bool, result: int) -> None:
    assert amount(value, replicas, up=up, field="maxSurge") == result


@pytest.mark.parametrize("value", [-1, "x%", "1", None, True, 1.5])
def test_bad_amounts_name_the_field(value: object) -> None:
    with pytest.raises(InvalidInput, match="maxSurge"):
        amount(value, 1, up=True, field="maxSurge")
