"""Which value a marker marks."""

import random

import pytest
import yaml

from tidegate.update import yaml_text
from tidegate.update.marker import read_comment
from tidegate.update.marker_lines import in_blocks
from tidegate.update.markers import find_markers

MARK = '# {"$imagepolicy": "ns:app"}'


@pytest.fixture(params=["libyaml", "python"])
def _scanner(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test here runs with libyaml and, as on machines that lack it, with PyYAML's own scanner."""
    if request.param == "python":
        for module in ("markers", "objects"):
            monkeypatch.setattr(f"tidegate.update.{module}.loader", lambda: yaml.SafeLoader)
        monkeypatch.setattr(yaml_text, "loader", lambda: yaml.SafeLoader)


pytestmark = pytest.mark.usefixtures("_scanner")


def marked(text: str) -> list[str]:
    """The characters of the marked values, after a check that nothing was complained about."""
    data = text.encode()
    found = find_markers(data)
    assert found.problems == ()
    return [data[marker.start : marker.end].decode() for marker in found.markers]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (f"image: web:1 {MARK}\n", "web:1"),
        (f"image: 'web:1' {MARK}\n", "'web:1'"),
        (f'image: "web:1" {MARK}\n', '"web:1"'),
        (f'image: "web:1"{MARK}\n', '"web:1"'),
        (f"image: web:1\t {MARK}\n", "web:1"),
        (f"image:\tweb:1\t{MARK}\n", "web:1"),
        (f"image: web:1 {MARK}", "web:1"),
        (f"\ufeffimage: web:1 {MARK}\n", "web:1"),
        (f"a: é 😀\r\nimage: web:1 {MARK}\r\nb: c\r\n", "web:1"),
        (f"image:\n  web:1 {MARK}\n", "web:1"),
        (f"image: &i web:1 {MARK}\nother: *i\n", "web:1"),
        (f"image: !!str web:1 {MARK}\n", "web:1"),
        (f"- web:1 {MARK}\n- b\n", "web:1"),
        (f"web:1 {MARK}\n", "web:1"),
        (f"--- web:1 {MARK}\n", "web:1"),
        (f"%YAML 1.1\n---\nimage: web:1 {MARK}\n", "web:1"),
        (f"{{a: b, image: web:1 {MARK}\n}}\n", "web:1"),
        (f"{{image: web:1, {MARK}\nb: c}}\n", "web:1"),
        (f"a: [x, web:1 {MARK}\n]\n", "web:1"),
        (f"a: [web:1, {MARK}\n x]\n", "web:1"),
        (f"image: | {MARK}\n  web:1\nb: c\n", "web:1"),
        (f"image: >2- {MARK}\n\n  web:1\n\n\nb: c\n", "web:1"),
        (f"image: |+ {MARK}\r\n    web:1\r\n", "web:1"),
        (f"image: |\n  {MARK}\n  web:1\nb: web:2 {MARK}\n", "web:2"),
        (f"image: web\n  :1 {MARK}\n", "web\n  :1"),
        (f"? a\n: web:1 {MARK}\n", "web:1"),
        (f"a:\n  {MARK}\n  - web:1\n", "web:1"),
        (f"a:\n- {MARK}\n  web:1\n", "web:1"),
        (f"a:\n  - x\n  {MARK}\n  - &i web:1\n", "web:1"),
        (f"image: web:1 {MARK}\n  # more\nb: c\n", "web:1"),
        (f"x: {'y' * 200_000}\nimage: web:1 {MARK}\n", "web:1"),
        ('image: web:1 ##{"x": "y", "$imagepolicy":"ns:app"}  \n', "web:1"),
    ],
)
def test_a_comment_marks_the_value_before_it(text: str, value: str) -> None:
    assert marked(text) == [value]


@pytest.mark.parametrize(
    "text",
    [
        f"image: {MARK}\n",
        f"{MARK}\nimage: web:1\n",
        f"a:\n  {MARK}\n  image: web:1\n",
        f"image: {MARK}\n  web:1\n",
        f"i: &i web:1\nimage: *i {MARK}\n",
        f"? key {MARK}\n: value\n",
        f"a: {{image: web:1}} {MARK}\n",
        f"a: [web:1] {MARK}\n",
        f"image: |\n  web:1\n{MARK}\nb: c\n",
        f"image: | {MARK}\nb: c\n",
        f"a:\n  - web:1\n  {MARK}\n",
        f"a:\n  - web:1\n  {MARK}\n\n  - b\n",
        f"--- {MARK}\nimage: web:1\n",
        f"a:\n  {MARK}\n  &i web:1\n",
    ],
)
def test_a_marker_without_a_value_is_reported(text: str) -> None:
    found = find_markers(text.encode())
    assert found.markers == ()
    assert [problem.message for problem in found.problems] == ["the marker belongs to no value"]


@pytest.mark.parametrize(
    "text",
    [
        'text: "# {\\"$imagepolicy\\": 1}"\nother: \'# {"$imagepolicy": "ns:app"}\'\n',
        f"text: |\n  image: web:1 {MARK}\n",
        f"# image: web:1 {MARK}\n",
        'image: web:1 # see {"$imagepolicy": "ns:app"}\n',
        f"image: web{MARK.replace(': ', ':')}\n",
    ],
)
def test_what_is_no_marker_is_left_alone_in_silence(text: str) -> None:
    assert marked(text) == []


@pytest.mark.parametrize(
    ("comment", "word"),
    [
        ('# {"$imagepolicy": "ns:app"} and more', "by itself"),
        ('# {"$imagepolicy": "ns:app"', "by itself"),
        ('# {"$imagepolicy": "ns:app", "n": 1}', "texts"),
        ('# {"$imagepolicy": "app"}', "no policy"),
        ('# {"$imagepolicy": "ns:app:size"}', "no policy"),
        ('# {"$imagepolicy": "ns::tag"}', "no policy"),
        ('# {"$imagepolicy": ""}', "no policy"),
    ],
)
def test_a_misshapen_marker_is_reported(comment: str, word: str) -> None:
    setter, problem = read_comment(comment)
    assert setter is None
    assert problem
    assert word in problem
    found = find_markers(f"a: b\nimage: web:1 {comment}\n".encode())
    assert [(one.line, one.message) for one in found.problems] == [(2, problem)]


def test_the_object_of_each_document_and_of_each_item_of_a_list() -> None:
    text = (
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: shop}\n"
        f"spec:\n  containers:\n  - image: web:1 {MARK}\n"
        f"---\nimage: web:2 {MARK}\n"
        "---\nkind: List\napiVersion: v1\nitems:\n- kind: Pod\n  metadata:\n    name: a\n"
        f"  image: web:3 {MARK}\n- kind: Job\n  image: web:4 {MARK}\n"
        f"---\nkustomize: true\nkind: Kustomization\nimages:\n- newTag: '1' {MARK}\n"
    )
    objects = [marker.object for marker in find_markers(text.encode()).markers]
    assert [(one.api_version, one.kind, one.namespace, one.name) for one in objects] == [
        ("apps/v1", "Deployment", "shop", "web"),
        ("", "", "", ""),
        ("", "Pod", "", "a"),
        ("", "Job", "", ""),
        ("", "Kustomization", "", ""),
    ]


def test_lines_count_from_the_file_s_first() -> None:
    text = f"a: |\n  x\n  y\nimage: web:1 {MARK}\nb:\n  - web:2 {MARK}\n"
    assert [marker.line for marker in find_markers(text.encode()).markers] == [4, 6]


def test_a_file_that_is_no_text_is_reported() -> None:
    found = find_markers(f"a: b\nimage: web:1 {MARK}\n".encode() + b"\xff")
    assert found.markers == ()
    assert [(one.line, one.message) for one in found.problems] == [(3, "it is not UTF-8, so it is not edited")]


HELM = (
    "{{- if .Values.on }}\n"
    "spec:\n"
    f"  image: web:1 {MARK}\n"
    f'  - "image": "web:2" {MARK}\n'
    f"  image: {{{{ .Values.image }}}} {MARK}\n"
    f"  - web:3 {MARK}\n"
    f"  args: [web:4] {MARK}\n"
    "  text: |\n"
    f"    image: web:5 {MARK}\n"
    "      {{ . }}\n"
    f"    image: web:6 {MARK}\n"
    f"  image: web:7 {MARK}\n"
    "{{- end }}\n"
)


def test_in_a_file_that_does_not_parse_only_clear_lines_count() -> None:
    data = HELM.encode()
    found = find_markers(data)
    assert [data[one.start : one.end].decode() for one in found.markers] == ["web:1", '"web:2"', "web:7"]
    assert "does not parse" in found.problems[0].message
    assert [one.line for one in found.problems[1:]] == [5, 6, 7, 9, 11]


def test_a_marker_that_is_itself_too_deep_is_told_and_keeps_no_other_back() -> None:
    found = find_markers(f'a: b # {{"$imagepolicy": {"[" * 100_000}\nb: c {MARK}\n'.encode())
    assert [problem.message for problem in found.problems] == ["the marker is not a JSON object by itself"]
    assert len(found.markers) == 1


def test_brackets_within_brackets_are_given_up_at_some_depth() -> None:
    found = find_markers(f"a: {'[' * 200_000}{']' * 200_000}\nb: c {MARK}\n".encode())
    assert [problem.message for problem in found.problems] == ["it does not parse (it is more than 500 levels deep)"]
    assert [marker.value for marker in found.markers] == ["c"]


@pytest.mark.parametrize("name", ["ns:\\u001b[31mapp", "\\ud800:app", "ns:a b", "ns:app/x", f"ns:{'a' * 254}"])
def test_a_name_that_no_policy_has_is_told_as_far_as_it_can_be_shown(name: str) -> None:
    setter, problem = read_comment(f'# {{"$imagepolicy": "{name}"}}')
    assert setter is None
    assert problem is not None
    assert problem.isprintable()
    assert len(problem) < 300
    assert "names no policy" in problem


@pytest.mark.parametrize("seed", range(20))
def test_whether_a_line_of_a_template_is_in_a_block_is_told_as_by_looking_back(seed: int) -> None:
    draw = random.Random(seed)
    texts = ["a: b", "a: |", "- >-", "{{ if x }}", "", "  ", "- a: |2", "x"]
    lines = [(0, " " * draw.randrange(6) + draw.choice(texts)) for _ in range(60)]
    assert in_blocks(lines) == [looked_back(lines, number) for number in range(len(lines))]


def looked_back(lines: list[tuple[int, str]], number: int) -> bool:
    indent = len(lines[number][1]) - len(lines[number][1].lstrip(" "))
    for _, line in reversed(lines[:number]):
        own = len(line) - len(line.lstrip(" "))
        if line.strip() and not line.lstrip().startswith("{{") and own < indent:
            if line.rstrip().endswith(("|", ">-", "|2")):
                return True
            indent = own
    return False


def test_places_behind_other_letters_are_counted_in_bytes() -> None:
    text = "".join(f"- ä{number}:é {MARK} ö\n" if number % 3 else f"- 'w:{number}' {MARK}\n" for number in range(50))
    data = text.encode()
    values = [data[one.start : one.end].decode() for one in find_markers(data).markers]
    assert values == [f"'w:{number}'" for number in range(0, 50, 3)]
