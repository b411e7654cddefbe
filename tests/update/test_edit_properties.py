"""Whatever a file holds: an edit changes marked values and nothing else, as another YAML parser sees it."""

from typing import Any

import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tidegate.update.edit import edit_files
from tidegate.update.markers import find_markers

REFERENCES = {"ns:web": "ghcr.io/acme/web:1.10", "ns:num": "ghcr.io/acme/num:7"}
MARKS = [
    f'# {{"$imagepolicy": "{setter}"}}' for setter in ("ns:web", "ns:web:tag", "ns:num:tag", "ns:num:name", "no:ne")
]

words = st.sampled_from(
    ["web:1", "a", "1.9", "on", "'q'", '"d"', "é😀", "'it''s'", '"x\\ty"', "a b", "&n v", "!!str v", ""]
)
blanks = st.sampled_from(["", " ", "  ", "\t", " \t "])
breaks = st.sampled_from(["\n", "\n", "\r\n", "\n\n", "\n# c\n"])
marks = st.sampled_from([*MARKS, "", "", "# plain"])


@st.composite
def entries(draw: st.DrawFn, indent: str) -> str:
    """One entry of a mapping or a list, in some style, perhaps marked."""
    key, word, mark = draw(st.sampled_from(["KEY", '"q KEY"'])), draw(words), draw(marks)
    gap = " " + draw(blanks)
    value = draw(
        st.sampled_from(
            [
                f"{key}: {word}{gap}{mark}",
                f"{key}:\n{indent}- {word}{gap}{mark}\n{indent}- {word}",
                f"{key}: [{word or 'x'}, b{gap}{mark}\n{indent} ]",
                f"{key}: {{z: {word or 'x'},{gap}{mark}\n{indent}  y: c}}",
                f"{key}: |{draw(st.sampled_from(['', '-', '+']))} {mark}\n{indent}  text:1\n",
                f"{key}:\n{indent}  - x: {word}{gap}{mark}\n{indent}    y: 1",
                f"{key}:\n{indent}  {mark}\n{indent}  - w",
                f"{key}: a\n{indent}  b{gap}{mark}",
                f"{mark}",
                "---",
            ]
        )
    )
    return indent + value + draw(breaks)


@st.composite
def documents(draw: st.DrawFn) -> str:
    """A stream of documents, most of which parse."""
    indent = draw(st.sampled_from(["", "  "]))
    body = draw(st.lists(entries(indent), max_size=6))
    numbered = [entry.replace("KEY", f"k{number}") for number, entry in enumerate(body)]
    head = draw(st.sampled_from(["", "\ufeff", "# head\n", "%YAML 1.1\n---\n"]))
    return head + "".join(numbered) + draw(st.sampled_from(["", f"{indent}end: x", "...\n"]))


pieces = [
    "\n",
    "\r\n",
    " ",
    "\t",
    "- ",
    ": ",
    ",",
    "k",
    "web:1",
    "é",
    '"',
    "'",
    "|",
    ">",
    "[",
    "]",
    "{",
    "}",
    "#",
    "&a",
    "*a",
]
soup = st.lists(st.sampled_from([*pieces, "---\n", *MARKS]), max_size=25).map("".join)


def events(data: bytes) -> list[tuple[Any, ...]] | None:
    """What a parser in Python reads, without the styles; None where it does not parse."""
    text = data.decode().removeprefix("\ufeff").replace("\t", " ")
    try:
        return [
            (
                type(event).__name__,
                getattr(event, "value", None),
                getattr(event, "anchor", None),
                getattr(event, "tag", None),
            )
            for event in yaml.parse(text, Loader=yaml.SafeLoader)
        ]
    except yaml.YAMLError:
        return None


def between_markers(data: bytes) -> list[bytes]:
    """All bytes but those of the marked values."""
    parts, position = [], 0
    for marker in find_markers(data).markers:
        parts.append(data[position : marker.start])
        position = marker.end
    return [*parts, data[position:]]


def check(text: str) -> None:
    data = text.encode()
    edited = edit_files({"f.yaml": data}, REFERENCES)
    if not edited.files:
        return
    after = edited.files["f.yaml"]
    assert between_markers(after) == between_markers(data)
    before_events, after_events = events(data), events(after)
    if before_events is None:
        return
    assert after_events is not None
    differing = [(a, b) for a, b in zip(before_events, after_events, strict=True) if a != b]
    assert len(differing) == len(edited.changes)
    for (kind, old, *_), (_, new, *_) in differing:
        assert kind == "ScalarEvent"
        told = {(change.old.replace("\t", " ").strip(), change.new) for change in edited.changes}
        assert (old.replace("\t", " ").strip(), new.strip()) in told


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(documents())
def test_only_the_marked_values_differ(text: str) -> None:
    check(text)


@settings(max_examples=400, deadline=None)
@given(soup)
@example(f"k\t- {MARKS[0]}")
def test_nothing_breaks_on_any_text(text: str) -> None:
    check(text)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60))
def test_nothing_breaks_on_any_bytes(data: bytes) -> None:
    edit_files({"f.yaml": data + MARKS[0].encode() + data}, REFERENCES)
    edit_files({"f.yaml": b"image: web:1 " + MARKS[0].encode() + b"\n" + data}, REFERENCES)


@settings(max_examples=200, deadline=None)
@given(documents())
def test_an_edit_twice_is_an_edit_once(text: str) -> None:
    once = edit_files({"f.yaml": text.encode()}, REFERENCES)
    again = edit_files(once.files, REFERENCES)
    assert again.files == {}
