"""Durations as Go's time package reads and writes them; the values are what Go answered."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.base.errors import InvalidInput
from tidegate.kinds import duration

READ = {
    "0": (0, "0s"),
    "-0": (0, "0s"),
    "+5s": (5_000_000_000, "5s"),
    "1.5h": (5_400_000_000_000, "1h30m0s"),
    "+.5s": (500_000_000, "500ms"),
    "5.s": (5_000_000_000, "5s"),
    "1.000000001s": (1_000_000_001, "1.000000001s"),
    "1h15m30.918s": (4_530_918_000_000, "1h15m30.918s"),
    "1s500ms": (1_500_000_000, "1.5s"),
    "007m": (420_000_000_000, "7m0s"),
    "3us": (3_000, "3µs"),
    "3µs": (3_000, "3µs"),
    "3μs": (3_000, "3µs"),
    "1ns": (1, "1ns"),
    "-1.5ms": (-1_500_000, "-1.5ms"),
    "2562047h": (9_223_369_200_000_000_000, "2562047h0m0s"),
    "0.9223372036854775807h": (3_320_413_933_267, "55m20.413933267s"),
    "9223372036854775807ns": (2**63 - 1, "2562047h47m16.854775807s"),
    "-9223372036854775808ns": (-(2**63), "-2562047h47m16.854775808s"),
    "0.830103483285477580700h": (2_988_372_539_827, "49m48.372539827s"),
    "0.100000000000000000000h": (360_000_000_000, "6m0s"),
}


@pytest.mark.parametrize("text", READ)
def test_a_duration_is_read_and_written_as_go_does(text):
    nanoseconds = duration.parse(text)
    assert (nanoseconds, duration.render(nanoseconds)) == READ[text]


@pytest.mark.parametrize(
    "text",
    ["", "+", "-", "1", "1.5", "s", ".s", ".", "+-1s", "1 s", " 1s", "1s ", "1d", "1S", "1e3s", "1_0s", "٣s",
     "9223372036854775808ns", "3000000h", "-9223372036854775809ns", "1h2", "--1s", "9" * 5000 + "s"],
)  # fmt: skip
def test_other_text_is_refused(text):
    with pytest.raises(InvalidInput):
        duration.parse(text)


def test_the_error_says_what_is_missing():
    with pytest.raises(InvalidInput) as caught:
        duration.parse("30")
    assert caught.value.message == "duration '30' has a number without a unit"


@given(st.integers(-(2**63), 2**63 - 1))
def test_every_duration_is_read_back_as_it_was_written(nanoseconds):
    assert duration.parse(duration.render(nanoseconds)) == nanoseconds


def test_seconds():
    assert duration.seconds("1m30s") == 90.0
