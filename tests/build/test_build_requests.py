"""What crosses to the build's process and back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tidegate.base.errors import (
    CommandFailed,
    Denied,
    InvalidInput,
    LimitExceeded,
    MissingTool,
    NotFound,
    RateLimited,
    TidegateError,
    Unavailable,
    Where,
)
from tidegate.build.dockerfile import InvalidDockerfile, Problem
from tidegate.build.errors_json import error_from_json, error_json
from tidegate.build.request import BuildRequest, BuildResult, RegistrySettings
from tidegate.build.spawn import child_argv, child_environment
from tidegate.kinds.platform import Platform
from tidegate.kinds.reference import parse
from tidegate.oci.auth import Endpoint
from tidegate.oci.credentials import Login


def test_a_request_survives_its_json() -> None:
    request = BuildRequest(
        Path("/c"),
        (Platform("linux", "arm", "v7"),),
        (parse("ghcr.io/acme/web:1.0"), parse(f"ghcr.io/acme/web@sha256:{'a' * 64}")),
        Path("/cache"),
        5,
        "x/Dockerfile",
        Path("/root"),
        {"l": "1"},
        {"a": "2"},
        {"V": "3"},
        "stage",
        {"python:3.11-slim": "debian:bookworm"},
        "apps/web/Dockerfile",
    )
    assert BuildRequest.from_json(json.loads(json.dumps(request.as_json()))) == request


def test_settings_and_results_survive_their_json() -> None:
    login = Login("user", "secret")
    endpoints = {"ghcr.io": Endpoint("http://127.0.0.1:5000", login)}
    settings = RegistrySettings(endpoints, {"docker.io": Login("a", "b")}, {"quay.io": "https://mirror.example"})
    assert RegistrySettings.from_json(json.loads(json.dumps(settings.as_json()))) == settings
    assert "secret" not in repr(settings)
    assert settings.sources["quay.io"] == Endpoint("https://mirror.example")
    assert settings.sources["ghcr.io"] == settings.endpoints["ghcr.io"]
    assert "quay.io" not in settings.endpoints
    result = BuildResult("sha256:a", {"linux/amd64": "sha256:b"})
    assert BuildResult.from_json(result.as_json()) == result


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (InvalidInput("m", where=Where("f", 3), remedy="r"), InvalidInput),
        (InvalidDockerfile("D", [Problem(2, "x"), Problem(1, "y")]), InvalidInput),
        (NotFound("m"), NotFound),
        (Denied("m"), Denied),
        (Unavailable("m"), Unavailable),
        (RateLimited("m", retry_after=3), Unavailable),
        (LimitExceeded("m"), LimitExceeded),
        (MissingTool("m", remedy="r"), MissingTool),
        (CommandFailed("m", exit_code=2), CommandFailed),
    ],
)
def test_an_error_says_the_same_on_the_other_side(error: TidegateError, kind: type[TidegateError]) -> None:
    again = error_from_json(json.loads(json.dumps(error_json(error))))
    assert type(again) is kind
    assert again.explain() == error.explain()
    if kind is not CommandFailed:
        assert again.code == error.code


def test_an_error_of_no_known_kind_is_still_one() -> None:
    assert isinstance(error_from_json({"message": "m", "type": "Strange"}), CommandFailed)


def test_the_child_is_told_nothing_by_arguments_or_the_servers_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVER_SECRET", "x")
    monkeypatch.setenv("HTTPS_PROXY", "http://p:1")
    assert child_argv()[1:] == ["-P", "-m", "tidegate.build.child"]
    environment = child_environment()
    assert "SERVER_SECRET" not in environment
    assert environment["HTTPS_PROXY"] == "http://p:1"
    assert environment["PYTHONHASHSEED"] == "0"
