"""`tidegate try …`: JSON lines in and out by contract, and the forms for people."""

import io
import json

import click
import pytest

from tidegate.cli import (
    try_common,
    try_duration,
    try_envsubst,
    try_filter,
    try_reference,
    try_render,
    try_select,
    try_update,
)
from tidegate.cli.main import run
from tidegate.cli.try_common import answer_lines, answer_one


def lines(answer, *requests):
    source = io.BytesIO(b"".join(json.dumps(request).encode() + b"\n" for request in requests))
    sink = io.BytesIO()
    answer_lines(answer, source, sink)
    return [json.loads(line) for line in sink.getvalue().splitlines()]


def test_answers_come_line_by_line_in_order():
    found = lines(try_duration.answer, {"duration": "1.5h"}, {"duration": "x"}, {"duration": "-1ms"})
    assert found[0] == {"ok": True, "result": {"nanoseconds": 5_400_000_000_000, "text": "1h30m0s"}}
    assert found[1] == {
        "ok": False,
        "error": {"code": "InvalidInput", "message": "'x' is no duration", "where": None},
    }
    assert found[2]["result"]["text"] == "-1ms"


@pytest.mark.parametrize(
    ("request_", "where", "told"),
    [
        ({}, "duration", "is missing"),
        ({"duration": 5}, "duration", "must be a string"),
        ({"duration": "1s", "more": 1}, "more", "is no field of this decision"),
    ],
)
def test_a_request_of_another_shape_is_an_error(request_, where, told):
    assert answer_one(try_duration.answer, request_) == {
        "ok": False,
        "error": {"code": "InvalidInput", "message": told, "where": where},
    }


def test_a_broken_stream_is_answered_to_its_end_and_exits_1():
    sink = io.BytesIO()
    with pytest.raises(click.exceptions.Exit) as caught:
        answer_lines(try_duration.answer, io.BytesIO(b'not json\n\n[1]\n{"duration":"1s"}\n'), sink)
    assert caught.value.exit_code == 1
    assert [json.loads(line)["ok"] for line in sink.getvalue().splitlines()] == [False, False, True]


def test_a_fault_of_ours_costs_one_answer():
    def answer(request):
        raise KeyError("x") if request["n"] == 1 else InvalidInputNever

    class InvalidInputNever(Exception):
        pass

    reply = answer_one(answer, {"n": 1})
    assert reply["error"]["code"] == "Internal"


def test_a_reference():
    assert try_reference.answer({"reference": "web"}) == {
        "registry": "index.docker.io",
        "repository": "library/web",
        "tag": "latest",
        "digest": None,
        "name": "index.docker.io/library/web:latest",
    }


def test_selecting():
    assert try_select.answer({"semver": "^1", "input": ["1.0.0", "1.1.0", "x"]}) == {
        "tag": "1.1.0",
        "rejected": [
            {"tag": "1.0.0", "reason": "lower than 1.1.0"},
            {"tag": "x", "reason": "not a semantic version: three numbers are needed, as 1.2.3"},
        ],
    }
    assert try_select.answer({"semver": "^2", "input": ["1.0.0"]}) is None
    assert try_select.answer({"numerical": "asc", "semver": None, "input": ["1", "2"]})["tag"] == "2"


@pytest.mark.parametrize(
    ("asked", "tags", "tag"),
    [
        ({"semver": "*"}, ["1.0.0", "1.0.0+b", "v1.0.0"], "v1.0.0"),
        ({"numerical": "asc"}, ["7", "07", "7.0"], "07"),
        ({"numerical": "asc", "filter": r"-(\d+)$", "extract": "$1"}, ["a-7", "b-7"], "a-7"),
    ],
)
def test_of_equal_tags_in_descending_order_that_of_a_policy_is_selected(asked, tags, tag):
    """As `tidegate try select --help` says, and the table of ties in docs/scan-and-select.md."""
    assert try_select.answer({**asked, "input": sorted(tags, reverse=True)})["tag"] == tag


@pytest.mark.parametrize("request_", [{"input": []}, {"semver": "*", "numerical": "asc", "input": []}, {"semver": "*"}])
def test_selecting_needs_one_policy_and_tags(request_):
    assert answer_one(try_select.answer, request_)["ok"] is False


def test_updating():
    text = 'image: a/b:1 # {"$imagepolicy": "ns:web"}\n'
    found = try_update.answer({"files": {"x.yaml": text, "y.yaml": "a: 1\n"}, "set": {"ns:web": "a/b:2"}})
    assert found == {
        "files": {"x.yaml": text.replace("b:1", "b:2")},
        "changes": [{"path": "x.yaml", "line": 1, "old": "a/b:1", "new": "a/b:2"}],
    }


def test_rendering():
    files = {"app/kustomization.yaml": "resources: [x.yaml]\n", "app/x.yaml": "kind: A\nmetadata: {name: a}\n"}
    assert try_render.answer({"files": files, "path": "app"}) == [{"kind": "A", "metadata": {"name": "a"}}]
    assert answer_one(try_render.answer, {"files": files, "path": "none"})["error"]["code"] == "NotFound"


def people(arguments, capsys, monkeypatch, stdin=""):
    monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
    code = run(["try", *arguments])
    shown = capsys.readouterr()
    return code, shown.out, shown.err


def test_filtering():
    request = {"pattern": "^v(.*)$", "extract": "$1", "input": ["v1", "x", "v2"]}
    assert try_filter.answer(request) == [{"tag": "v1", "extracted": "1"}, {"tag": "v2", "extracted": "2"}]
    assert try_filter.answer({"pattern": "^v", "extract": None, "input": ["v1", "x"]}) == [
        {"tag": "v1", "extracted": "v1"}
    ]
    assert try_filter.answer({"pattern": "-(.)", "extract": "$1", "input": ["a-1", "b-1"]}) == [
        {"tag": "a-1", "extracted": "1"},
        {"tag": "b-1", "extracted": "1"},
    ]


def test_what_is_no_expression_is_an_error_with_its_field():
    assert answer_one(try_filter.answer, {"pattern": "(", "input": []})["error"] == {
        "code": "InvalidInput",
        "message": "error parsing regexp: missing closing ): `(`",
        "where": "pattern",
    }
    refused = answer_one(try_select.answer, {"semver": "*", "exclude": "[", "input": ["1.0.0"]})["error"]
    assert refused["where"] == "exclude[0]"
    assert answer_one(try_filter.answer, {"input": []})["error"]["message"] == "is missing"


def test_half_a_surrogate_pair_is_read_as_go_reads_it():
    (reply,) = lines(try_filter.answer, {"pattern": "^\ud800$", "extract": "$0", "input": ["\udc00", "x"]})
    assert reply["result"] == [{"tag": "\ufffd", "extracted": "\ufffd"}]


def test_selecting_with_a_filter():
    tags = ["main-1-3", "main-2-1", "dev-3-9", "main-4-5"]
    request = {"numerical": "asc", "filter": "-([0-9]+)$", "extract": "$1", "input": tags}
    assert try_select.answer({**request, "exclude": ["^dev-", "-5$"]})["tag"] == "main-1-3"
    assert try_select.answer({**request, "exclude": "^dev-"})["tag"] == "main-4-5"
    assert try_select.answer(request)["tag"] == "dev-3-9"
    assert try_select.answer({**request, "filter": "^v"}) is None
    assert answer_one(try_select.answer, {**request, "exclude": 5})["error"]["where"] == "exclude"


def test_filtering_for_people(capsys, monkeypatch):
    tags = "v1.0.0\nlatest\n"
    code, out, _ = people(["filter", "--pattern", "^v(.*)", "--extract", "${1}x"], capsys, monkeypatch, tags)
    assert (code, json.loads(out)) == (0, [{"tag": "v1.0.0", "extracted": "1.0.0x"}])
    assert people(["filter"], capsys, monkeypatch)[0] == 2
    arguments = ["select", "--semver", "*", "--filter", "^v", "--exclude", "^v9", "--exclude", "rc"]
    assert people(arguments, capsys, monkeypatch, "9.9.9\nv1.0.0\nv9.0.0\n") == (0, "v1.0.0\n", "")
    code, _, err = people([*arguments, "--exclude", "v1"], capsys, monkeypatch, "9.9.9\nv1.0.0\n")
    assert (code, err) == (1, "none of 2 tags qualifies: 1 is excluded, 1 does not match the filter\n")


def test_selecting_for_people(capsys, monkeypatch):
    tags = "1.0.0\n1.1.0\nlatest\n"
    assert people(["select", "--semver", "*"], capsys, monkeypatch, tags) == (0, "1.1.0\n", "")
    code, out, err = people(["select", "--semver", "^9"], capsys, monkeypatch, tags)
    assert (code, out) == (1, "")
    assert err == "none of 3 tags qualifies: 1 is no version, 2 are outside the range\n"
    code, out, _ = people(["select", "--alphabetical", "asc", "-o", "json"], capsys, monkeypatch, tags)
    assert (code, json.loads(out)["tag"]) == (0, "latest")
    assert people(["select"], capsys, monkeypatch)[0] == 2


def test_rendering_for_people(capsys, monkeypatch, tmp_path):
    (tmp_path / "a.yaml").write_text("kind: A\nmetadata: {name: a}\n")
    code, out, _ = people(["render", str(tmp_path), "--flux"], capsys, monkeypatch)
    assert (code, out) == (0, "kind: A\nmetadata:\n  name: a\n")
    (tmp_path / "kustomization.yaml").write_text("namePrefix: p-\nresources: [a.yaml]\n")
    code, out, _ = people(["render", str(tmp_path), "-o", "json"], capsys, monkeypatch)
    assert json.loads(out) == [{"kind": "A", "metadata": {"name": "p-a"}}]
    assert people(["render"], capsys, monkeypatch)[0] == 2


def test_updating_for_people(capsys, monkeypatch):
    request = {"files": {"x": 'a: b:1 # {"$imagepolicy": "ns:web"}\n'}, "set": {"ns:web": "b:2"}}
    code, out, _ = people(["update"], capsys, monkeypatch, json.dumps(request))
    assert (code, json.loads(out)["changes"][0]["new"]) == (0, "b:2")
    assert people(["update"], capsys, monkeypatch, "no json")[0] == 1


def test_a_reference_for_people(capsys, monkeypatch):
    code, out, _ = people(["reference", "ghcr.io/acme/web:1"], capsys, monkeypatch)
    assert (code, json.loads(out)["tag"]) == (0, "1")


def test_substituting():
    found = lines(
        try_envsubst.answer,
        {"input": "${a}-${b}", "vars": {"a": "x"}, "strict": False},
        {"input": "${a}-${b}", "vars": {"a": "x"}, "strict": True},
        {"input": "${a:=y}"},
        {"input": "", "vars": {"a": 1}},
    )
    assert [answer.get("result") for answer in found] == ["x-", None, "y", None]
    assert found[1]["error"] == {"code": "InvalidInput", "message": "the variable 'b' is not set", "where": "1:6"}


def test_substituting_for_people(capsys, monkeypatch):
    text = "image: web:${tag}\n"
    assert people(["envsubst", "--vars", "tag=1=2"], capsys, monkeypatch, text) == (0, "image: web:1=2\n", "")
    assert people(["envsubst"], capsys, monkeypatch, text)[:2] == (0, "image: web:\n")
    code, out, err = people(["envsubst", "--strict"], capsys, monkeypatch, text)
    assert (code, out) == (1, "")
    assert "1:12: the variable 'tag' is not set" in err
    assert people(["envsubst", "--vars", "tag"], capsys, monkeypatch, text)[0] == 1


class Endless:
    """Stdin that never ends."""

    def read(self, size=-1):
        assert size >= 0, "all of it was asked for"
        return "1" * size

    def isatty(self):
        return False


@pytest.mark.parametrize(
    "arguments",
    [
        ["select", "--semver", "*"],
        ["filter", "--pattern", "a"],
        ["envsubst"],
        ["expr", "1"],
        ["metadata"],
        ["message", "--template", "x"],
        ["update"],
    ],
)
def test_stdin_without_an_end_is_given_up(arguments, capsys, monkeypatch):
    monkeypatch.setattr(try_common, "LONGEST_LINE", 1000)
    monkeypatch.setattr("sys.stdin", Endless())
    assert run(["try", *arguments]) == 1
    assert "stdin is longer than 1000" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["metadata"], ["message", "--template", "x"], ["update"]])
def test_json_that_nests_too_deeply_is_told(arguments, capsys, monkeypatch):
    code, _, told = people(arguments, capsys, monkeypatch, stdin="[" * 200_000)
    assert (code, "stdin is no JSON" in told) == (1, True)
