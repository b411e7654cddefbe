"""The flags of `tidegate build`, as docker buildx has them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tidegate.base.errors import InvalidInput, NotFound, TidegateError
from tidegate.build.request import CacheSpec
from tidegate.cli import build_inputs as inputs
from tidegate.cli.build_source import public_url
from tidegate.kinds.platform import Platform


def test_platforms_are_repeated_or_joined() -> None:
    found = inputs.platforms(["linux/arm/v7,linux/amd64", "linux/amd64"])
    assert [str(one) for one in found] == ["linux/arm/v7", "linux/amd64"]
    assert inputs.platforms([]) == (Platform.of_machine(),)


def test_an_argument_without_a_value_takes_it_from_the_environment() -> None:
    assert inputs.pairs(["A=1", "B", "C"], "build-arg", {"B": "2"}) == {"A": "1", "B": "2"}
    with pytest.raises(InvalidInput, match="--label 'A' is not NAME=VALUE"):
        inputs.pairs(["A"], "label")


@pytest.mark.parametrize(
    ("text", "manifest", "index"),
    [
        ("a=b:c", {"a": "b:c"}, {"a": "b:c"}),
        ("index:a=b", {}, {"a": "b"}),
        ("manifest:a=b", {"a": "b"}, {}),
        ("index,manifest:a=b", {"a": "b"}, {"a": "b"}),
    ],
)
def test_annotations_have_a_type(text: str, manifest: dict[str, str], index: dict[str, str]) -> None:
    assert inputs.annotated([text]) == (manifest, index)


def test_secrets_come_from_files_and_variables(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"from file\n")
    given = ["id=a,src=f", "id=b,env=B", "type=env,id=B", "id=C"]
    found = inputs.secrets(given, {"B": "from b", "C": "from c"}, tmp_path)
    assert found == {"a": b"from file\n", "b": b"from b", "B": b"from b", "C": b"from c"}


@pytest.mark.parametrize(
    ("given", "error"),
    [("src=f", InvalidInput), ("id=a,src=none", NotFound), ("id=a,env=NONE", NotFound), ("id", InvalidInput)],
)
def test_a_secret_that_is_not_there_is_named(tmp_path: Path, given: str, error: type[TidegateError]) -> None:
    with pytest.raises(error):
        inputs.secrets([given], {}, tmp_path)


@pytest.mark.parametrize(
    ("text", "value"),
    [("oci:d", "oci:d"), ("type=oci,dest=f.tar", "oci-archive:f.tar"), ("type=oci,dest=d,tar=false", "oci:d")],
)
def test_an_output_is_a_layout(text: str, value: str) -> None:
    assert inputs.output([text]) == value


def test_another_output_is_refused() -> None:
    with pytest.raises(InvalidInput, match="type=docker"):
        inputs.output(["type=docker"])


def test_caches_are_in_a_registry_or_a_folder() -> None:
    assert inputs.caches(["ghcr.io/me/cache:x"], "cache-from") == (CacheSpec("registry", "ghcr.io/me/cache:x"),)
    (spec,) = inputs.caches(["type=local,dest=d,mode=max"], "cache-to")
    assert (spec.type, Path(spec.place).name, spec.mode) == ("local", "d", "max")
    with pytest.raises(InvalidInput, match="'s3'"):
        inputs.caches(["type=s3"], "cache-to")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://user:pass@host/a/b.git?x=1", "https://host/a/b"),
        ("git@github.com:me/web.git", "https://github.com/me/web"),
        ("ssh://git@host:22/a.git", "ssh://host:22/a"),
    ],
)
def test_a_remote_is_shown_without_what_is_secret(url: str, shown: str) -> None:
    assert public_url(url) == shown
