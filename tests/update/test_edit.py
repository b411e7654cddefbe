"""What an edit changes, and what it leaves alone."""

import pytest

from tidegate.base.errors import InvalidInput
from tidegate.update.edit import Change, edit_files
from tidegate.update.objects import ObjectIdentity
from tidegate.update.scalars import reads_as_text, write_scalar

DIGEST = "sha256:" + "a" * 64
REFERENCES = {
    "ns:web": "ghcr.io/acme/web:1.10",
    "ns:pin": f"ghcr.io/acme/pin:2.0@{DIGEST}",
    "ns:port": "registry.lan:5000/a/b:v2",
    "ns:only": f"ghcr.io/acme/only@{DIGEST}",
}


def edit(text: str) -> str:
    edited = edit_files({"f.yaml": text.encode()}, REFERENCES)
    assert edited.problems == ()
    return edited.files.get("f.yaml", text.encode()).decode()


def mark(setter: str) -> str:
    return f'# {{"$imagepolicy": "{setter}"}}'


@pytest.mark.parametrize(
    ("setter", "value"),
    [
        ("ns:web", "ghcr.io/acme/web:1.10"),
        ("ns:web:tag", '"1.10"'),
        ("ns:web:name", "ghcr.io/acme/web"),
        ("ns:pin", f"ghcr.io/acme/pin:2.0@{DIGEST}"),
        ("ns:pin:tag", '"2.0"'),
        ("ns:pin:name", "ghcr.io/acme/pin"),
        ("ns:pin:digest", DIGEST),
        ("ns:port:name", "registry.lan:5000/a/b"),
        ("ns:port:tag", "v2"),
        ("ns:only:name", "ghcr.io/acme/only"),
    ],
)
def test_each_suffix_sets_its_part(setter: str, value: str) -> None:
    assert edit(f"a: old {mark(setter)}\n") == f"a: {value} {mark(setter)}\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("'old'", "'1.10'"),
        ('"old"', '"1.10"'),
        ("old", '"1.10"'),
        ("1.9", '"1.10"'),
        ('"o\\u006cd"', '"1.10"'),
        ("&t old", '&t "1.10"'),
        ("!!str old", '!!str "1.10"'),
    ],
)
def test_quotes_stay_and_come_where_they_are_needed(before: str, after: str) -> None:
    comment = mark("ns:web:tag")
    assert edit(f"tag:   {before}   {comment}   \nb: c") == f"tag:   {after}   {comment}   \nb: c"


@pytest.mark.parametrize("header", ["|", ">", "|-", ">+", "|2"])
def test_a_block_stays_a_block(header: str) -> None:
    comment = mark("ns:web")
    before = f"image: {header} {comment}\r\n  old:1\r\n\r\nb: c\r\n"
    assert edit(before) == before.replace("old:1", "ghcr.io/acme/web:1.10")


def test_all_other_bytes_stay() -> None:
    before = (
        '\ufeff# head\r\n\r\n\r\na:    {b:  [1,2 ,3]}   # x\r\nimage:\t"old:1"\t' + mark("ns:web") + "\r\n\r\n"
        "s: '{{ .Values.x }}'\r\n   # odd\r\nt: |\r\n   keep\r\n\r\n---\r\nz: \"é\u2028x\""
    )
    assert edit(before) == before.replace("old:1", "ghcr.io/acme/web:1.10")


def test_a_value_that_is_right_already_changes_nothing() -> None:
    for value in ("ghcr.io/acme/web:1.10", '"ghcr.io/acme/web:1.10"', "'ghcr.io/acme/web:1.10'"):
        edited = edit_files({"f.yaml": f"a: {value} {mark('ns:web')}\n".encode()}, REFERENCES)
        assert edited.files == {}
        assert edited.changes == ()


def test_each_change_is_told() -> None:
    text = (
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  namespace: shop\n"
        f"image: old:1 {mark('ns:web')}\ntag: '0' {mark('ns:web:tag')}\n"
    )
    found = edit_files({"b.yaml": text.encode(), "a.yaml": b"x: y\n"}, REFERENCES)
    identity = ObjectIdentity("apps/v1", "Deployment", "shop", "web")
    reference = REFERENCES["ns:web"]
    assert found.changes == (
        Change("b.yaml", 6, "old:1", reference, "ns:web", "ns:web", reference, identity),
        Change("b.yaml", 7, "0", "1.10", "ns:web", "ns:web:tag", reference, identity),
    )
    assert list(found.files) == ["b.yaml"]


def test_a_policy_that_selected_nothing_is_reported() -> None:
    found = edit_files({"f.yaml": f"a: b\nimage: old:1 {mark('other:x:tag')}\n".encode()}, REFERENCES)
    assert found.files == {}
    assert [(one.path, one.line, one.policy) for one in found.missing] == [("f.yaml", 2, "other:x")]
    assert found.problems == ()
    (missing,) = found.missing
    assert missing.explain({"other:x"}) == "f.yaml:2: the marker names other:x, which has selected nothing yet"
    assert missing.explain({"ns:x"}) == (
        "f.yaml:2: the marker names other:x, and there is no such ImagePolicy in the automation's namespace: "
        "create it, or correct the marker"
    )


@pytest.mark.parametrize("setter", ["ns:web:digest", "ns:only:tag"])
def test_a_part_that_the_reference_lacks_is_reported(setter: str) -> None:
    found = edit_files({"f.yaml": f"image: old:1 {mark(setter)}\n".encode()}, REFERENCES)
    assert found.files == {}
    assert "which the marker asks for" in found.problems[0]


@pytest.mark.parametrize("reference", ["", "UPPER/x:1", "ghcr.io/a:b c", "ghcr.io/acme/web@sha256:12", "a:b@c"])
def test_a_reference_that_is_none_is_refused(reference: str) -> None:
    with pytest.raises(InvalidInput):
        edit_files({}, {"ns:web": reference})


def test_a_file_that_does_not_parse_is_edited_by_line_and_reported() -> None:
    text = "{{ if .x }}\nimage: old:1 " + mark("ns:web") + "\n{{ end }}\n"
    found = edit_files({"t.yaml": text.encode()}, REFERENCES)
    assert found.files == {"t.yaml": text.replace("old:1", REFERENCES["ns:web"]).encode()}
    assert len(found.problems) == 1
    assert "t.yaml:" in found.problems[0]


@pytest.mark.parametrize(
    "value",
    [
        "1", "1.10", "1e3", "1E-3", ".5", "5.", "0x1f", "0b1", "0o7", "017", "1_000", "1:30", "12:30:45", "+1", "-1",
        "1_2.3e+4", ".inf", ".NaN", "2024-01-02", "2024-1-2", "on", "No", "Y", "TRUE", "null", "~", "", "=", "<<",
        "a: b", "a #b", "-", "a:", "é", "a,b", "[a]", "{a", "@x", "`x", "*a", "&a", "!a", "|", ">", "%x", "'", '"',
        " a", "a ",
    ],
)  # fmt: skip
def test_values_that_a_reader_may_take_for_something_else_get_quotes(value: str) -> None:
    assert not reads_as_text(value)
    assert write_scalar(value, "").startswith('"')


@pytest.mark.parametrize(
    "value", ["1.10.0", "v1", "1.0-rc.1", "web:1.10", "a/b:1", "ghcr.io/a:1@sha256:0a", "1.2.3+b", "main-5e3"]
)
def test_other_values_stay_plain(value: str) -> None:
    assert write_scalar(value, "") == value
