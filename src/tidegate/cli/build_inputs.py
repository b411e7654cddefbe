"""What `tidegate build`'s flags mean, in docker buildx's spelling: from words to values. Only secrets are read."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from tidegate.base.errors import InvalidInput, NotFound
from tidegate.build.request import CacheSpec, parse_spec
from tidegate.kinds.platform import Platform

SECRET_LIMIT = 500 * 1024
"""Bytes of a build secret, as BuildKit bounds it."""


def platforms(given: Iterable[str]) -> tuple[Platform, ...]:
    """`--platform`, repeated or with commas; this machine's where nothing is given. Raises InvalidInput."""
    words = [word.strip() for text in given for word in text.split(",")]
    return tuple(dict.fromkeys(Platform.parse(word) for word in words if word)) or (Platform.of_machine(),)


def pairs(given: Iterable[str], flag: str, environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """`NAME=VALUE` words. With `environment`, a name alone takes its value from there, and is nothing if it is not set.

    Raises InvalidInput.
    """
    found: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not name or (not equals and environment is None):
            raise InvalidInput(f"--{flag} {text!r} is not NAME=VALUE")
        if equals:
            found[name] = value
        elif environment is not None and name in environment:
            found[name] = environment[name]
    return found


def annotated(given: Iterable[str]) -> tuple[dict[str, str], dict[str, str]]:
    """`[index,manifest:]NAME=VALUE`: the manifests' annotations and the index's. Without a type they are everywhere."""
    manifest: dict[str, str] = {}
    index: dict[str, str] = {}
    for text in given:
        head, colon, rest = text.partition(":")
        kinds = head.split(",") if colon and "=" not in head else ["manifest", "index"]
        if unknown := [kind for kind in kinds if kind.partition("[")[0] not in ("manifest", "index")]:
            raise InvalidInput(f"--annotation {text!r}: {unknown[0]!r} can't be annotated", remedy="manifest or index")
        one = pairs([rest if colon and "=" not in head else text], "annotation")
        if "index" in kinds:
            index |= one
        if any(kind.startswith("manifest") for kind in kinds):
            manifest |= one
    return manifest, index


def fields(text: str, flag: str) -> dict[str, str]:
    """`key=value,key=value`, with CSV's quotes. Raises InvalidInput."""
    words = next(iter(csv.reader([text])), [])
    found = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            raise InvalidInput(f"--{flag} {text!r}: {word!r} is not key=value")
        found[key.strip().lower()] = value
    return found


def secrets(given: Iterable[str], environment: Mapping[str, str], folder: Path) -> dict[str, bytes]:
    """`--secret id=ID[,src=FILE|,env=NAME]`: their values by id. InvalidInput or NotFound, never with a value."""
    found: dict[str, bytes] = {}
    for text in given:
        said = fields(text, "secret")
        name = said.get("id", "")
        if not name:
            raise InvalidInput("--secret needs an id", remedy="write --secret id=NAME,src=FILE")
        source, variable = said.get("src") or said.get("source"), said.get("env")
        if said.get("type") == "env" or (variable is None and source is None and name in environment):
            variable, source = variable or source or name, None
        if variable is not None:
            if variable not in environment:
                raise NotFound(f"the secret {name!r}: the variable {variable} is not set")
            found[name] = environment[variable].encode("utf-8", "surrogateescape")
        else:
            found[name] = _secret_file(name, folder / (source or name))
    return found


def _secret_file(name: str, path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(SECRET_LIMIT + 1)
    except OSError as error:
        raise NotFound(f"the secret {name!r}: {path} can't be read: {error.strerror}") from None
    if len(data) > SECRET_LIMIT:
        raise InvalidInput(f"the secret {name!r} is larger than {SECRET_LIMIT} bytes")
    return data


def output(given: Sequence[str]) -> str | None:
    """`--output oci:FOLDER`, `oci-archive:FILE`, or buildx's `type=oci,dest=FILE[,tar=false]`. Raises InvalidInput."""
    if not given:
        return None
    if len(given) > 1:
        raise InvalidInput("--output is given twice; one build has one output besides --push")
    text = given[0]
    if text.startswith(("oci:", "oci-archive:")):
        return text
    said = fields(text, "output") if "=" in text else {}
    if said.get("type") != "oci" or not said.get("dest"):
        raise InvalidInput(f"--output {text!r} is not made here", remedy="write oci:FOLDER or oci-archive:FILE")
    return f"{'oci' if said.get('tar') == 'false' else 'oci-archive'}:{said['dest']}"


def provenance(text: str) -> str:
    """`--provenance true|false|mode=min|mode=max`: "min", "max", or empty for none. Raises InvalidInput."""
    found = {"true": "min", "mode=min": "min", "mode=max": "max", "false": ""}.get(text.strip().lower())
    if found is None:
        raise InvalidInput(f"--provenance {text!r} is unknown", remedy="true, false, mode=min or mode=max")
    return found


def caches(given: Iterable[str], flag: str) -> tuple[CacheSpec, ...]:
    """`--cache-from` and `--cache-to`; a folder is as seen from here. Raises InvalidInput."""
    found = []
    for text in given:
        spec = parse_spec(fields(text, flag) if "=" in text else {"ref": text}, writes=flag == "cache-to")
        found.append(replace(spec, place=str(Path(spec.place).absolute())) if spec.type == "local" else spec)
    return tuple(found)


def switch(text: str, flag: str) -> bool:
    """`true` or `false`. Raises InvalidInput."""
    if text.strip().lower() not in ("true", "false"):
        raise InvalidInput(f"--{flag} {text!r} is neither true nor false")
    return text.strip().lower() == "true"
