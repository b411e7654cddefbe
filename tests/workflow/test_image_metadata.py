"""The tables are those of docker/metadata-action's README; versions by node-semver 7 and moment.js 2."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from click.testing import CliRunner

from tidegate.base.errors import InvalidInput, LimitExceeded
from tidegate.cli import try_metadata
from tidegate.workflow.metadata import Source, metadata
from tidegate.workflow.metadata.handlebars import render
from tidegate.workflow.metadata.matching import match_group
from tidegate.workflow.metadata.moments import moment_format
from tidegate.workflow.metadata.versions import parse_pep440, parse_semver

NOW = datetime(2020, 1, 10, 0, 30, 0, 123456, tzinfo=UTC)
SHA = "90dd6032fac8bda1b6c4436a2e65de27961ed071"
REPOSITORY = {
    "name": "Hello-World",
    "description": "This your first repo!",
    "html_url": "https://github.com/octocat/Hello-World",
    "license": {"spdx_id": "MIT"},
    "default_branch": "master",
}


def source(ref: str, event: str = "push", **payload: Any) -> Source:
    return Source(event, ref, SHA, NOW, {"repository": REPOSITORY, **payload})


def names(ref: str, tags: str = "", flavor: str = "", event: str = "push", **payload: Any) -> list[str]:
    return list(metadata({"tags": tags, "flavor": flavor}, source(ref, event, **payload)).tag_names)


@pytest.mark.parametrize(
    ("event", "ref", "expected"),
    [
        ("pull_request", "refs/pull/2/merge", ["pr-2"]),
        ("push", "refs/heads/master", ["master"]),
        ("push", "refs/heads/releases/v1", ["releases-v1"]),
        ("push", "refs/tags/v1.2.3", ["v1.2.3", "latest"]),
        ("push", "refs/tags/v2.0.8-beta.67", ["v2.0.8-beta.67", "latest"]),
        ("schedule", "refs/heads/master", ["nightly", "master"]),
        ("push", "", []),
    ],
)
def test_the_default_tags(event: str, ref: str, expected: list[str]) -> None:
    assert names(ref, event=event) == expected


@pytest.mark.parametrize(
    ("git_tag", "pattern", "expected"),
    [
        ("v1.2.3", "{{raw}}", ["v1.2.3", "latest"]),
        ("v1.2.3", "{{version}}", ["1.2.3", "latest"]),
        ("v1.2.3", "{{major}}.{{minor}}", ["1.2", "latest"]),
        ("v1.2.3", "v{{major}}", ["v1", "latest"]),
        ("v1.2.3", "{{minor}}", ["2", "latest"]),
        ("v1.2.3", "{{patch}}", ["3", "latest"]),
        ("v2.0.8-beta.67", "{{raw}}", ["v2.0.8-beta.67"]),
        ("v2.0.8-beta.67", "{{version}}", ["2.0.8-beta.67"]),
        ("v2.0.8-beta.67", "{{major}}.{{minor}}", ["2.0.8-beta.67"]),
        ("1.2", "{{version}}", []),
    ],
)
def test_semver_patterns(git_tag: str, pattern: str, expected: list[str]) -> None:
    assert names(f"refs/tags/{git_tag}", f"type=semver,pattern={pattern}") == expected


@pytest.mark.parametrize(
    ("git_tag", "pattern", "expected"),
    [
        ("1.2.3", "{{major}}.{{minor}}", ["1.2", "latest"]),
        ("v1.2.3rc2", "{{raw}}", ["v1.2.3rc2"]),
        ("1.2.3rc2", "{{major}}.{{minor}}", ["1.2.3rc2"]),
        ("1.2.3.post1", "{{major}}.{{minor}}", ["1.2.3.post1"]),
        ("1.2.3beta2", "{{version}}", ["1.2.3b2"]),
        ("1.0dev4", "{{major}}.{{minor}}", ["1.0.dev4"]),
        ("nope", "{{version}}", []),
    ],
)
def test_pep440_patterns(git_tag: str, pattern: str, expected: list[str]) -> None:
    assert names(f"refs/tags/{git_tag}", f"type=pep440,pattern={pattern}") == expected


@pytest.mark.parametrize(
    ("git_tag", "entry", "expected"),
    [
        ("v1.2.3", r"pattern=\d.\d.\d", ["1.2.3", "latest"]),
        ("v2.0.8-beta.67", r"pattern=v(.*),group=1", ["2.0.8-beta.67", "latest"]),
        ("v2.0.8-beta.67", r"pattern=v(\d.\d),group=1", ["2.0", "latest"]),
        ("20200110-RC2", r"pattern=\d+", ["20200110", "latest"]),
        ("p1/v1.2.3", r"pattern=p1/v(\d.\d.\d),group=1", ["1.2.3", "latest"]),
        ("V1", r"pattern=/v(\d)/i,group=1", ["1", "latest"]),
        ("v1", r"pattern=v(\d),group=2", []),
        ("v1", "pattern=x", []),
        ("v1", "pattern=b(.*),group=1,value=ab7", ["7", "latest"]),
    ],
)
def test_match_patterns(git_tag: str, entry: str, expected: list[str]) -> None:
    assert names(f"refs/tags/{git_tag}", f"type=match,{entry}") == expected


@pytest.mark.parametrize(
    ("ref", "tags", "expected"),
    [
        ("refs/heads/master", "type=edge", ["edge"]),
        ("refs/heads/dev", "type=edge", []),
        ("refs/heads/dev", "type=edge,branch=dev", ["edge"]),
        ("refs/heads/dev", "type=sha", ["sha-90dd603"]),
        ("refs/heads/dev", "type=sha,format=long,prefix=", [SHA]),
        ("refs/heads/dev", "type=raw,value=foo", ["foo"]),
        ("refs/heads/dev", "foo", ["foo"]),
        ("refs/heads/dev", "type=raw,value={{branch}}-{{sha}}-{{date 'YYYYMMDD'}}", ["dev-90dd603-20200110"]),
        ("refs/heads/dev", "type=raw,value={{date 'DD-HHmm' tz='Asia/Tokyo'}}", ["10-0930"]),
        ("refs/heads/a&b", "type=raw,value={{branch}}", ["a-amp-b"]),
        ("refs/heads/master", "type=raw,value=latest,enable={{is_default_branch}}", ["latest"]),
        ("refs/heads/dev", "type=raw,value=latest,enable={{is_default_branch}}", []),
        ("refs/heads/dev", "type=sha\ntype=ref,event=branch", ["dev", "sha-90dd603"]),
        ("refs/heads/dev", "type=sha,priority=2000\ntype=ref,event=branch", ["sha-90dd603", "dev"]),
        ("refs/heads/dev", "# comment\n\ntype=ref,event=branch,prefix=x-,suffix=-{{sha}}", ["x-dev-90dd603"]),
        ("refs/heads/dev", 'type=raw,"value=a,b"', ["a-b"]),
    ],
)
def test_further_types_and_attributes(ref: str, tags: str, expected: list[str]) -> None:
    assert names(ref, tags) == expected


@pytest.mark.parametrize(
    ("flavor", "expected"),
    [
        ("latest=false", ["v1"]),
        ("latest=true", ["v1", "latest"]),
        ("prefix=p-", ["p-v1", "latest"]),
        ("prefix=p-,onlatest=true", ["p-v1", "p-latest"]),
        ("suffix=-s,onlatest=true\nprefix=p-", ["p-v1-s", "latest-s"]),
    ],
)
def test_flavors(flavor: str, expected: list[str]) -> None:
    assert names("refs/tags/v1", flavor=flavor) == expected


def test_the_base_of_a_pull_request() -> None:
    request = {"base": {"ref": "master"}}
    assert names("refs/pull/1/merge", "type=raw,value={{base_ref}}", pull_request=request) == ["master"]


def test_the_commits_time_comes_from_the_payload() -> None:
    commits = [{"id": SHA, "timestamp": "2019-12-31T23:00:00-02:00"}]
    assert names("refs/heads/x", "type=raw,value={{commit_date 'YYYY-MM-DD'}}", commits=commits) == ["2020-01-01"]


def test_outputs() -> None:
    inputs = {
        "images": "Name/App\nname=ghcr.io/o/app\nx,enable=false",
        "tags": "type=semver,pattern={{version}}\ntype=sha",
        "labels": "maintainer=Café=x\norg.opencontainers.image.title=Other {{branch}}",
    }
    outputs = metadata(inputs, source("refs/tags/v1.2.3")).outputs
    tags = [f"{image}:{name}" for image in ("name/app", "ghcr.io/o/app") for name in ("1.2.3", "sha-90dd603", "latest")]
    assert outputs["version"] == "1.2.3"
    assert outputs["tags"] == "\n".join(tags)
    assert outputs["labels"].splitlines() == [
        "maintainer=Café=x",
        "org.opencontainers.image.created=2020-01-10T00:30:00.123Z",
        "org.opencontainers.image.description=This your first repo!",
        "org.opencontainers.image.licenses=MIT",
        f"org.opencontainers.image.revision={SHA}",
        "org.opencontainers.image.source=https://github.com/octocat/Hello-World",
        "org.opencontainers.image.title=Other ",
        "org.opencontainers.image.url=https://github.com/octocat/Hello-World",
        "org.opencontainers.image.version=1.2.3",
    ]
    assert outputs["annotations"].startswith("manifest:org.opencontainers.image.created=")
    assert json.loads(outputs["json"])["tags"] == tags
    assert json.loads(outputs["bake-file-tags"]) == {
        "target": {
            "docker-metadata-action": {
                "tags": tags,
                "args": {"DOCKER_META_IMAGES": "name/app,ghcr.io/o/app", "DOCKER_META_VERSION": "1.2.3"},
            }
        }
    }


def test_separators_and_settings() -> None:
    inputs = {"images": "a/b,c/d", "tags": "type=sha", "sep-tags": ",", "sep-annotations": ";"}
    settings = {"DOCKER_METADATA_SHORT_SHA_LENGTH": "4", "DOCKER_METADATA_ANNOTATIONS_LEVELS": "manifest,index"}
    made = metadata(inputs, Source("push", "refs/heads/x", SHA, NOW, settings=settings))
    assert made.outputs["tags"] == "a/b:sha-90dd,c/d:sha-90dd"
    assert made.outputs["annotations"].count(";") == 15
    assert ";index:org.opencontainers.image.version=sha-90dd" in made.outputs["annotations"]


@pytest.mark.parametrize(
    "inputs",
    [
        {"tags": "type=nope"},
        {"tags": "type=semver"},
        {"tags": "type=ref,event=x"},
        {"tags": "type=sha,format=x"},
        {"tags": "type=match,pattern=x,group=y"},
        {"tags": "type=raw,value=x,enable=perhaps"},
        {"tags": "type=raw,value={{#if x}}y{{/if}}"},
        {"tags": "type=raw,value={{nope 'x'}}"},
        {"tags": "type=raw,value={{date}}"},
        {"tags": "type=match,pattern=(a+)+b,value=aaaa"},
        {"flavor": "latest=perhaps"},
        {"flavor": "colour=red"},
        {"images": "a,colour=red"},
        {"unknown": "x"},
    ],
)
def test_what_the_action_refuses_is_refused(inputs: dict[str, str]) -> None:
    with pytest.raises(InvalidInput):
        metadata(inputs, source("refs/heads/x"))


def test_a_pattern_that_could_run_away_is_refused() -> None:
    with pytest.raises(LimitExceeded):
        match_group(".*.*.*.*x", "a" * 200, 0)


def test_templates_escape_as_handlebars_does() -> None:
    values = {"a": "<'&\"`=>"}
    assert render("{{a}}", values) == "&lt;&#x27;&amp;&quot;&#x60;&#x3D;&gt;"
    assert render("{{{a}}} {{! c }}{{!-- }} --}}\\{{a}} {{ nope }}", values) == "<'&\"`=> {{a}} "


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("YYYYMMDD-HHmmss", "20200110-003000"),
        ("dddd, MMMM Do YYYY, h:mm:ss a", "Friday, January 10th 2020, 12:30:00 am"),
        ("ddd, hA", "Fri, 12AM"),
        ("[Today is] dddd", "Today is Friday"),
        ("gggg-ww GGGG-WW Q DDDo E d", "2020-02 2020-02 1 10th 5 5"),
        ("X x SSS Z ZZ z LLLL", "1578616200 1578616200123 123 +00:00 +0000 UTC Friday, January 10, 2020 12:30 AM"),
    ],
)
def test_times_are_formatted_as_moment_does(pattern: str, expected: str) -> None:
    assert moment_format(NOW, pattern) == expected


@pytest.mark.parametrize(
    "text", ["1.2", "01.2.3", "1.2.3-01", "1.2.3-", "vv1.2.3", "1.2.3.4", "9007199254740992.0.0", ""]
)
def test_what_is_no_strict_semver(text: str) -> None:
    assert parse_semver(text) is None


def test_pep440_is_normalised() -> None:
    versions = ["1!2.0.RC-1.post2.dev3+Ab_01", "v1.0-3", "1.0.alpha"]
    found = [parse_pep440(text) for text in versions]
    assert [version.version for version in found if version] == ["1!2.0rc1.post2.dev3+ab,1", "1.0.post3", "1.0a0"]


def test_metadata_line_by_line() -> None:
    event = {"event_name": "push", "ref": "refs/tags/v1.2.3", "sha": SHA, "now": "2020-01-10T00:30:00Z", "event": {}}
    requests = [
        {"input": {"inputs": {"images": "a/b", "tags": "type=semver,pattern={{version}}"}, "event": event}},
        {"input": {"inputs": {"tags": "type=x"}, "event": {}}},
        {"input": {"inputs": {}, "event": {"now": "yesterday"}}},
    ]
    text = "".join(json.dumps(request) + "\n" for request in requests)
    result = CliRunner().invoke(try_metadata.command, ["--jsonl"], input=text)
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    assert answers[0]["result"]["tags"] == "a/b:1.2.3\na/b:latest"
    assert [answer["ok"] for answer in answers] == [True, False, False]
