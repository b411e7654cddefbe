"""Kubernetes' quantities."""

from fractions import Fraction

import pytest

from tidegate.kinds.quantity import parse, shown, whole


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("64Mi", 2**26), ("1G", 10**9), ("500", 500), ("2Ki", 2048), ("1.5Gi", 3 * 2**29), (".5Ki", 512), ("1.", 1),
        ("500m", 1), ("12e6", 12_000_000), ("1E3", 1000), ("1E", 10**18), (512, 512), (1.5, 2), ("100u", 1),
        (None, None), ("x", None), ("1Q", None), ("-1", None), ("", None), ("1 Mi", None), (True, None), ("1mi", None),
        ("٣", None), ([], None),
    ],
)  # fmt: skip
def test_quantities(text, result):
    assert whole(text) == result


def test_thousandths_are_exact():
    assert parse("250m") == Fraction(1, 4)
    assert parse("1500m") == parse("1.5") == Fraction(3, 2)


@pytest.mark.parametrize(
    ("count", "text"), [(2**29, "512Mi"), (2**30, "1Gi"), (1500, "1500"), (3 * 2**20, "3Mi"), (0, "0")]
)
def test_they_are_shown_as_short_as_they_are_exact(count, text):
    assert shown(count) == text
    assert whole(text) == count
