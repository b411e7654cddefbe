"""Edits as another YAML parser sees them: py-yaml12, whose scanner shares nothing with libyaml's, and PyYAML's values.

Parsing before and after differs in the marked values alone, these are texts, and every other byte is equal.
"""

from collections.abc import Iterator
from typing import Any

import pytest
import yaml
import yaml12
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from tests.update.test_edit_properties import REFERENCES as PROPERTY_REFERENCES
from tests.update.test_edit_properties import documents

from tidegate.update.edit import Edited, edit_files
from tidegate.update.markers import find_markers

NEW = {"ns:web": "ghcr.io/acme/web:1.10", "ns:db": "postgres:17"}
WEB, TAG, NAME = (f'# {{"$imagepolicy": "ns:web{part}"}}' for part in ("", ":tag", ":name"))
DB = '# {"$imagepolicy": "ns:db"}'


def judged(data: bytes) -> list[Any]:
    """The documents of a file, by the other parser. ValueError where it does not take them."""
    parsed = yaml12.parse_yaml(data.decode().removeprefix("\ufeff"), multi=True)
    return list(parsed) if isinstance(parsed, list | tuple) else [parsed]


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Every value that is no collection, with the way to it."""
    if isinstance(value, dict):
        for number, (key, below) in enumerate(value.items()):
            yield from leaves(below, (*path, number, repr(key)))
    elif isinstance(value, list | tuple):
        for number, below in enumerate(value):
            yield from leaves(below, (*path, number))
    else:
        yield path, value


def differing(before: Any, after: Any) -> list[tuple[Any, Any]]:
    """The leaves that differ, old and new; both have the same shape."""
    old, new = list(leaves(before)), list(leaves(after))
    assert [path for path, _ in old] == [path for path, _ in new]
    pairs = zip((value for _, value in old), (value for _, value in new), strict=True)
    return [(one, other) for one, other in pairs if (type(one), one) != (type(other), other)]


def compare(before: Any, after: Any, edited: Edited, aliases: int = 0) -> None:
    """What differs are the changes, as texts; an alias of a changed value shows the new one too."""
    found = differing(before, after)
    assert len(found) == len(edited.changes) + aliases
    wanted = {change.new for change in edited.changes}
    for old, new in found:
        assert isinstance(new, str)
        assert new.strip() in wanted
        assert not isinstance(old, str) or old.strip() in {change.old.strip() for change in edited.changes}


def other_bytes(data: bytes) -> list[bytes]:
    parts, position = [], 0
    for marker in find_markers(data).markers:
        parts.append(data[position : marker.start])
        position = marker.end
    return [*parts, data[position:]]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(documents(), st.sampled_from(["", "\r\n"]))
def test_the_other_parser_sees_the_marked_values_differ_and_nothing_else(text: str, ending: str) -> None:
    data = (text.replace("\r\n", "\n").replace("\n", ending) if ending else text).encode()
    edited = edit_files({"f.yaml": data}, PROPERTY_REFERENCES)
    assume(edited.files)
    after = edited.files["f.yaml"]
    assert other_bytes(after) == other_bytes(data)
    try:
        before = judged(data)
    except ValueError:
        return  # it is stricter here; test_edit_properties looks at such a file with PyYAML
    compare(before, judged(after), edited)


FILES = {
    ".gitlab-ci.yml": f"""\
image: registry.example/web:1.9 {WEB}

stages: [build,  deploy]   # two

build:
  stage: build
  services:
    - name: postgres:16  {DB}
      alias: db
    - postgres:16 {DB}
  script:
    - |
      echo "a: b # c"
    - 'echo {{{{ x }}}}'
  rules: [ {{if: '$CI' }} ]
""",
    "docker-compose.yml": f"""\
version: "3.9"
x-base: &base
  restart: always


services:
  web:
    <<: *base
    image: 'web:1.9'    {WEB}
    ports: ["80:80", 22:22]
  db: {{image: postgres:16, {DB}
    restart: no}}
""",
    "values.yaml": f"""\
# Helm values
image:
  repository: old/web {NAME}
  tag: 1.9 {TAG}
  pullPolicy:   IfNotPresent

sidecar:
    image: "old/web:1.9"\t{WEB}
    args:
    - --x={{{{ .Values.y }}}}
    # kept
""",
    "list.yaml": f"- web:1 {WEB}\n-   name: x\n    image: postgres:16 {DB}\n- [a, web:2 {WEB}\n  ]\n",
    "crlf.yaml": f"\ufeff# head\r\na: é😀\r\n\r\nimage: web:1  {WEB}\r\nb: |\r\n  x\r\n\r\n\r\nc: 'ü'\r\n",
    "documents.yaml": f"%YAML 1.2\n---\na: web:1 {WEB}\n---\n# no more\n---\nb: >- {WEB}\n  web:1\n...\n---\nc: 1",
    "anchors.yaml": f"""\
a: &i web:1 {WEB}
b: *i
c: [*i, {{d: *i}}]
e: &t !!str 1.9 {TAG}
f: *t
g: {{<<: {{image: &j web:2}}}}
""",
    "quoted.yaml": f"""\
a: 'it''s:1' {WEB}
b: "\\u0041\\tb" {TAG}
c: "web\\
  :1" {WEB}
d: 'two

  lines' {TAG}
e: last""",
    "blocks.yaml": f"a: | {WEB}\n  web:1\nb: |2- {WEB}\n  web:1\nc: >+ {TAG}\n   1.9\n\n\nd:\n- |- {DB}\n  x\n- end\n",
    "unusual.yaml": f"""\
? web
: web:1 {WEB}
'q: k': {{a: [{{b: web:1 {WEB}
  }}]}}
"\\x41": !!str web:1 {WEB}
long: {"x" * 100_000}
""",
}
ALIASES = {"anchors.yaml": 4}
"""How many values are shown once more by aliases."""


@pytest.mark.parametrize("name", FILES)
def test_files_of_every_kind(name: str) -> None:
    data = FILES[name].encode()
    edited = edit_files({name: data}, NEW)
    assert edited.problems == edited.missing == ()
    assert len(edited.changes) == data.count(b"$imagepolicy")
    after = edited.files[name]
    assert other_bytes(after) == other_bytes(data)
    compare(judged(data), judged(after), edited, ALIASES.get(name, 0))
    texts = (one.decode().removeprefix("\ufeff").replace("\t", " ") for one in (data, after))  # PyYAML refuses tabs
    old, new = (list(yaml.safe_load_all(text)) for text in texts)
    compare(old, new, edited, ALIASES.get(name, 0))
    assert edit_files({name: after}, NEW).files == {}


@pytest.mark.parametrize(
    "tag", ["1.10", "1e3", "on", "No", "null", "0x10", "1_0", "2024-01-02", "0o7", "0b1", "y", "TRUE", "5."]
)
@pytest.mark.parametrize("style", ["{}", "'{}'", '"{}"'])
def test_a_tag_is_a_text_for_every_reader(tag: str, style: str) -> None:
    reference = {"ns:web": f"ghcr.io/acme/web:{tag}"}
    data = f"a: {style.format('old')} {TAG}\nb: [{style.format('old')} {TAG}\n  ]\n".encode()
    after = edit_files({"f.yaml": data}, reference).files["f.yaml"]
    assert yaml.safe_load(after) == yaml12.parse_yaml(after.decode()) == {"a": tag, "b": [tag]}
