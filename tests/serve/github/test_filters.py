from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.serve.github.failures import Unprocessable
from tidegate.serve.github.filters import Page, created_between, page_of

DAY, NEXT = datetime(2026, 1, 15, tzinfo=UTC), datetime(2026, 1, 16, tzinfo=UTC)
FIRST, LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "begin", "end"),
    [
        ("2026-01-15", DAY, NEXT),
        (">=2026-01-15", DAY, LAST),
        (">2026-01-15", NEXT, LAST),
        ("<2026-01-15", FIRST, DAY),
        ("<=2026-01-15", FIRST, NEXT),
        ("2026-01-15..2026-01-15", DAY, NEXT),
        ("*..2026-01-15", FIRST, NEXT),
        ("2026-01-15..*", DAY, LAST),
        ("2026-01-15T12:00:00Z", datetime(2026, 1, 15, 12, tzinfo=UTC), datetime(2026, 1, 15, 12, 0, 1, tzinfo=UTC)),
        (">=2026-01-15T12:00:00+02:00", datetime(2026, 1, 15, 10, tzinfo=UTC), LAST),
        (">=2026-01-15T12:00:00 02:00", datetime(2026, 1, 15, 10, tzinfo=UTC), LAST),
    ],
)
def test_a_search_for_dates_means_a_span(text, begin, end):
    assert created_between(text) == (begin, end)


@pytest.mark.parametrize("text", ["", ">", "..", "2026-13-01", "9999-12-31", "a..b", "0001-01-01T00:00:00+23:00"])
def test_what_is_no_date_is_refused(text):
    with pytest.raises(Unprocessable):
        created_between(text)


@pytest.mark.parametrize(
    ("query", "page"),
    [
        ({}, Page(1, 30)),
        ({"per_page": "7", "page": "3"}, Page(3, 7)),
        ({"per_page": "1000"}, Page(1, 100)),
        ({"per_page": "0", "page": "0"}, Page(1, 30)),
        ({"per_page": "-1", "page": "x"}, Page(1, 30)),
        ({"page": "9" * 50}, Page(1, 30)),
    ],
)
def test_a_page_is_read_as_github_does(query, page):
    assert page_of(query) == page


@given(st.integers(0, 500), st.integers(1, 100))
def test_all_pages_together_are_the_listing(total, size):
    items, seen, number = list(range(total)), [], 1
    while True:
        page = Page(number, size)
        seen += page.of(items)
        if 'rel="next"' not in page.links("https://x", {}, total):
            break
        number += 1
    assert seen == items


def test_a_parameter_can_not_break_out_of_the_link_header():
    links = Page(1, 1).links("https://x", {"branch": 'a>; rel="next", <https://evil'}, 2)
    assert links.count("<") == links.count(">") == 2
