from __future__ import annotations

import base64
import json
import shlex
import urllib.parse
import xml.sax.saxutils

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.base.masking import MASK, Masker

SECRET = "p4ss/wörd+\"x'<&"


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        urllib.parse.quote(SECRET, safe=""),
        urllib.parse.quote(SECRET),
        json.dumps(SECRET),
        json.dumps(SECRET, ensure_ascii=False),
        base64.b64encode(SECRET.encode()).decode(),
        base64.urlsafe_b64encode(SECRET.encode()).decode(),
        shlex.quote(SECRET).replace("'\"'\"'", "'\\''"),
        SECRET.replace("'", "''"),
        xml.sax.saxutils.escape(SECRET, {'"': "&quot;", "'": "&apos;"}),
    ],
)
def test_a_secret_is_hidden_in_its_usual_encodings(form: str) -> None:
    masked = Masker((SECRET,)).mask(f"before {form} after")
    assert masked.startswith("before ")
    assert masked.endswith(" after")
    assert MASK in masked
    assert "rd+" not in masked
    assert len(masked) <= len("before  after") + 2 + len(MASK)


@pytest.mark.parametrize("user", ["", "a:", "me:", "mona:", "octocat:"])
def test_a_secret_is_hidden_inside_base64_of_a_longer_text(user: str) -> None:
    secret = "ghp_0123456789abcdef"
    masked = Masker((secret,)).mask(base64.b64encode(f"{user}{secret}".encode()).decode())
    assert MASK in masked
    assert len(masked) < len(base64.b64encode(user.encode())) + len(MASK) + 4


def test_every_line_of_a_long_secret_is_hidden() -> None:
    masker = Masker(("-----BEGIN KEY-----\nabcdef\n}\n-----END KEY-----\n",))
    assert [masker.mask(line) for line in ("-----BEGIN KEY-----", "x abcdef y", "}")] == [MASK, f"x {MASK} y", "}"]


def test_the_longest_is_hidden_first_and_overlaps_as_one() -> None:
    masker = Masker(("abc", "abcdef", "defghi"))
    assert masker.mask("1abcdefghi2 abc 3") == f"1{MASK}2 {MASK} 3"
    assert masker.mask("abcabc") == MASK


def test_blank_secrets_hide_nothing() -> None:
    assert Masker(("", " ", "\n")).mask("a b  c") == "a b  c"


def test_a_mask_added_later_holds_from_then_on() -> None:
    masker = Masker()
    assert masker.mask("token") == "token"
    masker.add("token")
    assert masker.mask("a token b") == f"a {MASK} b"


@given(st.lists(st.text("abc", min_size=1, max_size=4), min_size=1, max_size=4), st.text("abcx ", max_size=20))
def test_no_secret_is_left_in_any_line(secrets: list[str], line: str) -> None:
    masked = Masker(tuple(secrets)).mask(line)
    assert not any(secret in masked for secret in secrets)
    assert masked == line or MASK in masked
