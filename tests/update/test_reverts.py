"""Who set a value, by commits and blobs alone, and what an update is without a change."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.git.lineage import Lineage, parse_differences
from tidegate.update.edit import edit_files
from tidegate.update.markers import find_markers
from tidegate.update.reverts import Kept, Place, Setting, condition, is_older, last_setting, leave_out

PATH = "a.yaml"


def history(text):
    """`d<c:1.1 c<b+a:1.2 b<a:1.1 a:1.1`: commits, newest first, their parents, and their blobs; a blob is a value."""
    parents, blobs = {}, {}
    for word in text.split():
        names, _, blob = word.partition(":")
        commit, _, above = names.partition("<")
        parents[commit] = tuple(filter(None, above.split("+")))
        blobs[commit] = blob or None
    pairs = [(child, one) for child, above in parents.items() for one in above]
    before = {
        (child, one): {PATH: blobs.get(one)} for child, one in pairs if one in blobs and blobs[child] != blobs[one]
    }
    return Lineage(parents, before), blobs


def setting(text, commit, known=None):
    lineage, blobs = history(text)
    # What stands after a dash is somewhere else in the file.
    return last_setting(lineage, commit, PATH, blobs[commit], lambda blob: blob and blob.partition("-")[0], known=known)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("c<b:1 b<a:2 a:1", Setting("1", "c", "b", "2")),
        ("c<b:1 b<a:1 a:2", Setting("1", "b", "a", "2")),
        ("c<b:1-x b<a:1-y a:1", Setting("1", "a", None, None)),
        ("c<b:1 b<a: a:1", Setting("1", "c", "b", None)),
        # Further back than the lineage.
        ("c<b:1 b<a:1", None),
        # A side branch that brought it, as the first parent and as the second.
        ("m<b+s:1 s<a:1 b<a:2 a:2", Setting("1", "s", "a", "2")),
        ("m<s+b:1 s<a:1 b<a:2 a:2", Setting("1", "s", "a", "2")),
        # Both sides have it: who set it last, whichever side that is.
        ("m<s+r:1 r<b:1 b<a:2 s<a:1 a<z:1 z:2", Setting("1", "r", "b", "2")),
        ("m<r+s:1 r<b:1 b<a:2 s<a:1 a<z:1 z:2", Setting("1", "r", "b", "2")),
        # The merge itself.
        ("m<a+b:3 a<z:1 b<z:2 z:0", Setting("3", "m", "a", "1")),
        # One side goes on beyond the lineage, the other was newer.
        ("m<r+s:1 r<b:1 b<a:2 s<y:1", Setting("1", "r", "b", "2")),
    ],
)
def test_who_set_a_value(text, expected):
    assert setting(text, text.partition("<")[0]) == expected


def test_a_commit_of_which_it_is_known_ends_the_search():
    assert setting("d<c:1 c<b:1 b<a:1", "d", known="b") == "b"
    assert setting("d<c:1 c<b:2 b<a:1 a:1", "d", known="b") == Setting("1", "d", "c", "2")


def test_differences_are_read_with_what_is_no_file():
    old, new = "1" * 40, "2" * 40
    text = (
        f"{'a' * 40}\0{'b' * 40}\0:100644 100644 {old} {new} M\0x/é.yaml\0:120000 100644 {old} {new} T\0link\0"
        f"{'c' * 40}\0:000000 100644 {'0' * 40} {new} A\0:odd\0"
    )
    assert list(parse_differences(text.encode())) == [{}, {"x/é.yaml": old, "link": None}, {":odd": None}]
    assert list(parse_differences(b"")) == []


@pytest.mark.parametrize(
    ("one", "two", "older"),
    [
        ("1.0.0", "1.0.1", True),
        ("1.0.1", "1.0.0", False),
        ("1.0.0", "1.0.0", False),
        ("1.9.0", "1.10.0", True),
        ("2.0.0-rc.1", "2.0.0", True),
        ("v1.0.0", "1.1.0", True),
        ("registry.test:5000/web:1.0.0", "registry.test:5000/web:1.0.1@sha256:abc", True),
        ("main-abc-1700000000", "main-abc-1700000001", True),
        ("main-abc-1700000000", "main-def-1700000001", False),
        ("20260101", "20260102", True),
        ("9", "10", True),
        ("latest", "stable", False),
        ("abc", "1.0.0", False),
    ],
)
def test_a_tag_is_older(one, two, older):
    assert is_older(one, two) is older


TAGS = st.from_regex(r"[a-z]{0,2}[0-9]{1,3}(\.[0-9]{1,2}){0,2}", fullmatch=True)


@pytest.mark.parametrize("tag", ["9" * 5000, "1.0." + "9" * 5000, "b1.0." + "9" * 5000])
def test_a_number_that_no_tag_has_is_neither_older_nor_an_error(tag):
    assert not is_older(f"web:{tag}", "web:1.0.2")
    assert not is_older("web:1.0.2", f"web:{tag}")


@given(TAGS, TAGS)
def test_of_two_tags_at_most_one_is_older(one, two):
    assert not (is_older(one, two) and is_older(two, one))
    assert not is_older(one, one)


TEXT = b"""kind: Deployment
metadata: {name: a}
spec:
  - image: r.test/web:1.0.0 # {"$imagepolicy": "ns:web"}
  - image: r.test/web:1.1.0 # {"$imagepolicy": "ns:web"}
  - tag: "2" # {"$imagepolicy": "ns:api:tag"}
---
kind: Deployment
metadata: {name: b}
spec:
  - image: r.test/web:1.0.0 # {"$imagepolicy": "ns:web"}
"""


def test_a_scalar_is_the_same_one_wherever_it_stands():
    found = find_markers(TEXT)
    second, third = Place.at(found, 5), Place.at(found, 11)
    moved = find_markers(b"# a comment\n" + TEXT.replace(b"1.1.0", b"3.0.0").replace(b"kind: D", b"x: y\nkind: D"))
    assert second.value(moved) == "r.test/web:3.0.0"
    assert third.value(moved) == "r.test/web:1.0.0"
    assert third.value(find_markers(TEXT.replace(b"name: b", b"name: c"))) is None
    assert Place.at(found, 1) is None


def test_an_update_without_some_of_its_changes_is_the_others_alone():
    files = {"a.yaml": TEXT, "b.yaml": TEXT}
    references = {"ns:web": "r.test/web:1.2.0", "ns:api": "r.test/api:3"}
    edited = edit_files(files, references)
    assert len(edited.changes) == 8
    left = [one for one in edited.changes if (one.path, one.line) in (("a.yaml", 5), ("a.yaml", 6))]
    made = leave_out(edited, left, lambda path: (files[path], find_markers(files[path])))
    assert made.changes == tuple(one for one in edited.changes if one not in left)
    assert made.files["b.yaml"] == edited.files["b.yaml"]
    assert made.files["a.yaml"] == TEXT.replace(b"web:1.0.0", b"web:1.2.0")
    gone = leave_out(edited, edited.changes, lambda path: (files[path], find_markers(files[path])))
    assert (gone.files, gone.changes) == ({}, ())
    assert gone.policies == edited.policies


def test_what_stays_is_told_with_who_and_until_when():
    (change, *_) = edit_files({"a.yaml": TEXT}, {"ns:web": "r.test/web:1.2.0", "ns:api": "r.test/api:2"}).changes
    kept = Kept(change, "abcdef1234" * 4, f"Ann\n{'x' * 200}")
    assert kept.explain() == (
        f"a.yaml:4: r.test/web:1.0.0 stays, since Ann{'x' * 97} went back to it from r.test/web:1.2.0 in abcdef1, "
        "until something newer is selected, of ns:web"
    )
    told = condition([kept] * 12).message.splitlines()
    assert (told[0], len(told), told[-1]) == ("12 values stay where somebody rolled back", 12, "and 2 more")
