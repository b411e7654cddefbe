"""What a host allows: its headers in every form, and who is held back by them until when."""

from __future__ import annotations

from datetime import UTC
from email.utils import format_datetime

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tidegate.base.errors import RateLimited
from tidegate.oci.budget import DEFAULT_WAIT, HOSTS_KEPT, LONGEST_WAIT, Budget, Budgets, retry_after

NAMES = ("limit", "remaining", "reset")
DATE = "Wed, 21 Oct 2026 07:28:00 GMT"
MOMENT = 1792567680  # DATE, as Unix time


class Time:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def budget(time: Time) -> Budget:
    return Budgets(time).of(httpx2.URL("https://registry.example/v2/"))


def asked(budget: Budget, status: int = 200, kind: str = "tags", **headers: str) -> RateLimited | None:
    """A request that went and was answered so."""
    budget.take(kind)
    budget.done(kind)
    return budget.note(kind, status, httpx2.Headers({name.replace("_", "-"): text for name, text in headers.items()}))


def wait(budget: Budget, kind: str | None = "tags") -> float:
    """How long the next request has to wait; it goes where that is no time."""
    try:
        budget.take(kind)
    except RateLimited as error:
        return error.retry_after
    budget.done(kind)
    return 0.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "120"}, 120),
        ({"Retry-After": " 120 "}, 120),
        ({"RETRY-AFTER": "0"}, 0),
        ({"retry-after": "99999999999999"}, LONGEST_WAIT),
        ({"retry-after": "Wed, 21 Oct 2026 07:30:00 GMT", "date": DATE}, 120),
        ({"retry-after": "Wednesday, 21-Oct-26 07:30:00 GMT", "date": DATE}, 120),
        ({"retry-after": "Wed, 21 Oct 2026 07:20:00 GMT", "date": DATE}, 0),
        ({"retry-after": "Wed, 21 Oct 2026 07:30:00 GMT"}, None),
        ({"x-retry-after": str(MOMENT + 90), "date": DATE}, 90),
        ({"x-retry-after": "30"}, 30),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "1.5"}, None),
        ({"retry-after": "soon"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_seconds_or_a_date_against_the_answers_own(headers: dict[str, str], seconds: float) -> None:
    assert retry_after(httpx2.Headers(headers)) == seconds


def test_retry_after_holds_every_kind_of_request_back_until_it_is_over(budget: Budget, time: Time) -> None:
    refused = asked(budget, 429, retry_after="120")
    assert refused is not None
    assert (refused.retry_after, refused.remedy is not None) == (120, True)
    assert (wait(budget), wait(budget, "manifests"), wait(budget, None)) == (120, 120, 120)
    time.now += 119
    assert wait(budget) == 1
    time.now += 1
    assert wait(budget) == 0


def test_a_shorter_wait_that_comes_later_does_not_end_the_longer_one(budget: Budget) -> None:
    budget.note("tags", 429, httpx2.Headers({"retry-after": "120"}))
    budget.note("tags", 503, httpx2.Headers({"retry-after": "5"}))
    assert wait(budget) == 120


def test_refusal_that_names_no_time_holds_its_kind_back_for_a_minute(budget: Budget) -> None:
    refused = asked(budget, 429)
    assert refused is not None
    assert (refused.retry_after, wait(budget), wait(budget, "manifests")) == (DEFAULT_WAIT, DEFAULT_WAIT, 0)


@pytest.mark.parametrize("status", [200, 304, 401, 404, 500, 503])
def test_only_a_refusal_is_one(budget: Budget, status: int) -> None:
    assert asked(budget, status) is None
    assert wait(budget) == 0


def test_docker_hubs_window_is_shared_out_when_nothing_is_left(budget: Budget, time: Time) -> None:
    limit = {"ratelimit_limit": "100;w=21600"}
    asked(budget, kind="manifests", ratelimit_remaining="76;w=21600", **limit)
    assert wait(budget, "manifests") == 0
    asked(budget, kind="manifests", ratelimit_remaining="0;w=21600", **limit)
    assert wait(budget, "manifests") == 216
    assert (wait(budget, "tags"), wait(budget, None)) == (0, 0)
    time.now += 216
    assert wait(budget, "manifests") == 0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"ratelimit_reset": "30"}, 30),
        ({"ratelimit_limit": "10, 10;w=1, 50;w=60", "ratelimit_reset": "30"}, 30),
        ({"ratelimit_reset": str(MOMENT + 30), "date": DATE}, 30),
        ({"ratelimit_reset": str(MOMENT + 30)}, DEFAULT_WAIT),
        ({"ratelimit_reset": "soon"}, DEFAULT_WAIT),
        ({"ratelimit_limit": "10;w=50"}, 5),
        ({"ratelimit_limit": "0;w=50"}, 50),
        ({}, DEFAULT_WAIT),
    ],
)
def test_nothing_left_is_held_until_the_reset(budget: Budget, headers: dict[str, str], seconds: float) -> None:
    asked(budget, ratelimit_remaining="0", **headers)
    assert wait(budget) == seconds


def test_what_is_left_is_counted_down_among_all_who_ask(budget: Budget, time: Time) -> None:
    asked(budget, ratelimit_remaining="3", ratelimit_reset="60")
    for _ in range(3):
        budget.take("tags")
    with pytest.raises(RateLimited) as caught:
        budget.take("tags")
    assert caught.value.retry_after == 60
    time.now += 60
    assert wait(budget) == 0


def test_requests_under_way_are_not_given_away_twice(budget: Budget) -> None:
    for _ in range(4):
        budget.take("tags")
    budget.done("tags")
    budget.note("tags", 200, httpx2.Headers({"ratelimit-remaining": "3", "ratelimit-reset": "60"}))
    assert wait(budget) == 60


@pytest.mark.parametrize("text", ["", "many", "-1", "1.5", "9999999999999", "0x0", ";w=60"])
def test_header_that_says_nothing_holds_nobody_back(budget: Budget, text: str) -> None:
    asked(budget, ratelimit_remaining=text)
    assert wait(budget) == 0


def test_hosts_have_budgets_of_their_own_and_are_bounded_in_number(time: Time) -> None:
    budgets = Budgets(time)
    one = budgets.of(httpx2.URL("https://a.example/v2/"))
    one.note("tags", 429, httpx2.Headers({"retry-after": "60"}))
    assert wait(budgets.of(httpx2.URL("https://b.example/v2/"))) == 0
    assert wait(budgets.of(httpx2.URL("https://a.example:5000/v2/"))) == 0
    assert wait(budgets.of(httpx2.URL("https://A.example/token"))) == 60
    assert wait(budgets.of(httpx2.URL("https://a.example/v2/"), way="through a proxy")) == 0
    for number in range(HOSTS_KEPT):
        budgets.of(httpx2.URL(f"https://{number}.example/"))
    assert budgets.of(httpx2.URL("https://a.example/")) is not one


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from([200, 304, 429, 503]),
    st.dictionaries(
        st.sampled_from(["retry-after", "x-retry-after", "date", *(f"ratelimit-{one}" for one in NAMES)]),
        st.one_of(
            st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126), max_size=60),
            st.integers(min_value=-1, max_value=10**20).map(str),
            st.datetimes(timezones=st.just(UTC)).map(lambda moment: format_datetime(moment, usegmt=True)),
            st.from_regex(r"[0-9]{1,14};w=[0-9]{1,14}", fullmatch=True),
        ),
    ),
)
def test_no_header_breaks_the_budget_or_holds_anybody_back_for_ever(status: int, headers: dict[str, str]) -> None:
    time = Time()
    budget = Budgets(time).of(httpx2.URL("https://registry.example/v2/"))
    refused = budget.note("tags", status, httpx2.Headers(headers))
    assert refused is None or 0 <= refused.retry_after <= LONGEST_WAIT
    assert 0 <= wait(budget) <= LONGEST_WAIT
    time.now += LONGEST_WAIT
    assert wait(budget) == 0
