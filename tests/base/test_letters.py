"""Letters against Go's unicode package, where Python's full case mapping differs from its simple one."""

import pytest

from tidegate.base.letters import lower, title_char, upper


@pytest.mark.parametrize(
    ("text", "expected"),
    [("straße", "STRAßE"), ("ᾳῃῳ", "ᾼῌῼ"), ("ᾀᾗ", "ᾈᾟ"), ("ŉ", "ŉ"), ("ǆ", "Ǆ"), ("ﬁ", "ﬁ"), ("ı", "I")],
)
def test_upper_case_maps_one_character_to_one(text, expected):
    assert upper(text) == expected


def test_lower_case_maps_one_character_to_one():
    assert lower("İΣ") == "iσ"


def test_title_case_is_its_own_for_digraphs():
    assert title_char("ǆ") == "ǅ"
