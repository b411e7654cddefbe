"""The metadata action's decision: from its inputs and the event to its outputs. The time comes from outside."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import field
from datetime import UTC, datetime
from typing import Any

from tidegate.base.errors import InvalidInput
from tidegate.base.frozen import frozen
from tidegate.base.zones import zone_named
from tidegate.workflow.metadata.entries import Flavor, Tag, entries, read_flavor, read_images, read_tags
from tidegate.workflow.metadata.handlebars import Helper, is_only, render
from tidegate.workflow.metadata.matching import match_group
from tidegate.workflow.metadata.moments import moment_format
from tidegate.workflow.metadata.versions import Version, parse_pep440, parse_semver

OUTPUTS = (
    "version", "tags", "tag-names", "labels", "annotations", "json", "bake-file-tags", "bake-file-labels",
    "bake-file-annotations", "bake-file",
)  # fmt: skip
"""The outputs; those that are files on GitHub come as the files' content here."""

INPUTS = (
    "context", "images", "tags", "flavor", "labels", "annotations", "sep-tags", "sep-labels", "sep-annotations",
    "bake-target", "github-token",
)  # fmt: skip
_HEADS, _TAGS, _PULLS = "refs/heads/", "refs/tags/", "refs/pull/"
_LATEST_BY_DEFAULT = {"tag", "match"}


@frozen
class Source:
    """What the image is made from.

    `event` is the event's name, `payload` its content (`github.event`); `committed` is the commit's time where the
    payload does not tell it. `now` is the time of the run. `settings` are the DOCKER_METADATA_* variables.
    """

    event: str
    ref: str
    sha: str
    now: datetime
    payload: Mapping[str, Any] = field(default_factory=dict)
    committed: datetime | None = None
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def repository(self) -> Mapping[str, Any]:
        """The repository as the payload describes it."""
        found = self.payload.get("repository")
        return found if isinstance(found, Mapping) else {}

    def ref_name(self, kind: str) -> str | None:
        """The name behind `refs/heads/` and the like; None for another kind of ref."""
        return self.ref.removeprefix(kind) if self.ref.startswith(kind) else None


@frozen
class Metadata:
    """What the action came to. `tags` are full references, `version` is the first tag's name (empty for none)."""

    version: str
    tags: tuple[str, ...]
    tag_names: tuple[str, ...]
    labels: Mapping[str, str]
    annotations: tuple[str, ...]
    outputs: Mapping[str, str]
    warnings: tuple[str, ...]


def metadata(inputs: Mapping[str, str], source: Source) -> Metadata:
    """Tags, labels, annotations and outputs for an event, as docker/metadata-action 5 makes them.

    Raises InvalidInput for an input or an entry that the action does not know, or a value that it refuses.
    """
    for name in inputs:
        if name not in INPUTS:
            raise InvalidInput(f"the input {name!r} is unknown", remedy=f"known: {', '.join(INPUTS)}")
    if inputs.get("context", "") not in ("", "workflow", "git"):
        raise InvalidInput("the input 'context' is workflow or git")
    images = read_images(inputs.get("images", ""))
    flavor = read_flavor(inputs.get("flavor", ""))
    run = _Run(source, flavor)
    names = run.names(read_tags(inputs.get("tags", "")))
    tags = tuple(f"{image}:{name}" for image in images for name in names) if images else names
    version = names[0] if names else ""
    labels = run.labels(inputs.get("labels", ""), version)
    levels = source.settings.get("DOCKER_METADATA_ANNOTATIONS_LEVELS", "") or "manifest"
    plain = [f"{name}={value}" for name, value in run.labels(inputs.get("annotations", ""), version).items()]
    annotations = tuple(f"{level}:{one}" for level in levels.split(",") for one in plain)
    outputs = _outputs(inputs, images, names, tags, labels, annotations)
    return Metadata(version, tags, names, labels, annotations, outputs, tuple(run.warnings))


def _outputs(
    inputs: Mapping[str, str],
    images: list[str],
    names: tuple[str, ...],
    tags: tuple[str, ...],
    labels: Mapping[str, str],
    annotations: tuple[str, ...],
) -> dict[str, str]:
    version = names[0] if names else ""
    arguments = {"DOCKER_META_IMAGES": ",".join(images), **({"DOCKER_META_VERSION": version} if version else {})}
    target = inputs.get("bake-target", "") or "docker-metadata-action"

    def bake(**parts: object) -> str:
        return json.dumps({"target": {target: parts}}, indent=2, ensure_ascii=False)

    everything = {"tags": tags, "labels": labels, "annotations": annotations}
    return {
        "version": version,
        "tags": (inputs.get("sep-tags") or "\n").join(tags),
        "tag-names": (inputs.get("sep-tags") or "\n").join(names),
        "labels": (inputs.get("sep-labels") or "\n").join(f"{name}={value}" for name, value in labels.items()),
        "annotations": (inputs.get("sep-annotations") or "\n").join(annotations),
        "json": json.dumps(everything, ensure_ascii=False, separators=(",", ":")),
        "bake-file-tags": bake(tags=tags, args=arguments),
        "bake-file-labels": bake(labels=labels),
        "bake-file-annotations": bake(annotations=annotations),
        "bake-file": bake(tags=tags, labels=labels, args=arguments),
    }


class _Run:
    """One evaluation: the source, the flavor, and the warnings on the way."""

    def __init__(self, source: Source, flavor: Flavor):
        self._source = source
        self._flavor = flavor
        self.warnings: list[str] = []
        self._kinds: Mapping[str, Callable[[Tag], tuple[str, bool] | None]] = {
            "schedule": self._schedule,
            "semver": lambda tag: self._versioned(tag, parse_semver, "a valid semver"),
            "pep440": lambda tag: self._versioned(tag, parse_pep440, "a version by PEP 440"),
            "match": self._match,
            "ref": self._ref,
            "edge": self._edge,
            "raw": lambda tag: (self.global_text(tag.attributes["value"]), False),
            "sha": self._sha,
        }

    def names(self, tags: list[Tag]) -> tuple[str, ...]:
        """The tags' names, the version first, `latest` last where it applies."""
        found: list[str] = []
        latest: bool | None = None
        for tag in tags:
            if not self._enabled(tag):
                continue
            made = self._kinds[tag.type](tag)
            name = _sanitized(self._decorated(made[0], tag)) if made is not None else ""
            if made is None or not name:
                continue
            found.append(name)
            if latest is None:
                latest = made[1] if self._flavor.latest == "auto" else self._flavor.latest == "true"
        if latest:
            prefix = self._flavor.prefix if self._flavor.prefix_on_latest else ""
            suffix = self._flavor.suffix if self._flavor.suffix_on_latest else ""
            return (*dict.fromkeys(found), _sanitized(f"{prefix}latest{suffix}"))
        return tuple(dict.fromkeys(found))

    def _enabled(self, tag: Tag) -> bool:
        enabled = self.global_text(tag.attributes["enable"])
        if enabled not in ("true", "false"):
            raise InvalidInput(f"a tag's 'enable' must be true or false, not {enabled!r}")
        return enabled == "true"

    def _decorated(self, text: str, tag: Tag) -> str:
        prefix = tag.attributes.get("prefix", self._flavor.prefix)
        suffix = tag.attributes.get("suffix", self._flavor.suffix)
        return f"{self.global_text(prefix)}{text}{self.global_text(suffix)}"

    def _schedule(self, tag: Tag) -> tuple[str, bool] | None:
        if "schedule" not in self._source.event:
            return None
        dates = {"date": self._date(self._source.now), "commit_date": self._date(self._commit_time())}
        return render(tag.attributes["pattern"], dates), False

    def _given(self, tag: Tag) -> str | None:
        """The `value` attribute, else the Git tag's name; None where there is neither."""
        value = tag.attributes["value"]
        return self.global_text(value) if value else self._source.ref_name(_TAGS)

    def _versioned(self, tag: Tag, parse: Callable[[str], Version | None], what: str) -> tuple[str, bool] | None:
        given = self._given(tag)
        if given is None:
            return None
        if not tag.attributes["value"]:
            given = given.replace("/", "-")
        version = parse(given)
        if version is None:
            self.warnings.append(f"{given} is not {what}")
            return None
        pattern = tag.attributes["pattern"]
        if version.stable:
            return render(pattern, version.values()), True
        return (version.raw if is_only(pattern, "raw") else version.version), False

    def _match(self, tag: Tag) -> tuple[str, bool] | None:
        given = self._given(tag)
        if given is None:
            return None
        found = match_group(tag.attributes["pattern"], given, int(tag.attributes["group"]))
        if found is None:
            self.warnings.append(f"{tag.attributes['pattern']} does not match {given}, or has no such group")
            return None
        return found, True

    def _ref(self, tag: Tag) -> tuple[str, bool] | None:
        kind = {"branch": _HEADS, "tag": _TAGS, "pr": _PULLS}[tag.attributes["event"]]
        name = self._source.ref_name(kind)
        if name is None:
            return None
        return name.removesuffix("/merge") if kind == _PULLS else name, kind == _TAGS

    def _edge(self, tag: Tag) -> tuple[str, bool] | None:
        branch = tag.attributes["branch"] or str(self._source.repository.get("default_branch", ""))
        name = self._source.ref_name(_HEADS)
        return ("edge", False) if name is not None and name == branch else None

    def _sha(self, tag: Tag) -> tuple[str, bool] | None:
        sha = self._source.sha
        if not sha:
            return None
        return (self._short_sha() if tag.attributes["format"] == "short" else sha), False

    def _short_sha(self) -> str:
        length = self._source.settings.get("DOCKER_METADATA_SHORT_SHA_LENGTH", "") or "7"
        if not (length.isascii() and length.isdigit() and len(length) < 5):
            raise InvalidInput(f"DOCKER_METADATA_SHORT_SHA_LENGTH is no number: {length!r}")
        return self._source.sha[: int(length)]

    def global_text(self, text: str) -> str:
        """A text with the expressions that stand everywhere."""
        return render(text, self._globals())

    def _globals(self) -> Mapping[str, str | Helper]:
        default = self._is_default_branch()
        return {
            "branch": self._source.ref_name(_HEADS) or "",
            "tag": self._source.ref_name(_TAGS) or "",
            "sha": self._short_sha(),
            "base_ref": self._base_ref(),
            "is_default_branch": "true" if default else "false",
            "is_not_default_branch": "false" if default else "true",
            "date": self._date(self._source.now),
            "commit_date": self._date(self._commit_time()),
        }

    def _base_ref(self) -> str:
        payload = self._source.payload
        if self._source.ref.startswith(_TAGS) and payload.get("base_ref"):
            return str(payload["base_ref"]).removeprefix(_HEADS)
        request = payload.get("pull_request")
        base = request.get("base") if isinstance(request, Mapping) else None
        if self._source.ref.startswith(_PULLS) and isinstance(base, Mapping):
            return str(base.get("ref") or "")
        return ""

    def _is_default_branch(self) -> bool:
        branch = self._source.ref.removeprefix(_HEADS)
        if not branch:
            return False
        always = any(word in self._source.event for word in ("create", "discussion", "issues", "schedule"))
        return always or branch == self._source.repository.get("default_branch")

    def _commit_time(self) -> datetime:
        return self._source.committed or _commit_time(self._source) or self._source.now

    def _date(self, time: datetime) -> Helper:
        def helper(arguments: tuple[str, ...], named: Mapping[str, str]) -> str:
            if len(arguments) != 1 or set(named) - {"tz"}:
                raise InvalidInput("a date is written {{date 'YYYYMMDD' tz='UTC'}}")
            return moment_format(time.astimezone(zone_named(named.get("tz", "UTC"))), arguments[0])

        return helper

    def labels(self, extra: str, version: str) -> dict[str, str]:
        """The standard labels and further ones, which may change them; sorted by name."""
        repository = self._source.repository
        licence = repository.get("license")
        created = self._source.now.astimezone(UTC)
        standard = {
            "title": repository.get("name"),
            "description": repository.get("description"),
            "url": repository.get("html_url"),
            "source": repository.get("html_url"),
            "version": version,
            "created": f"{created:%Y-%m-%dT%H:%M:%S}.{created.microsecond // 1000:03}Z",
            "revision": self._source.sha,
            "licenses": licence.get("spdx_id") if isinstance(licence, Mapping) else None,
        }
        labels = {f"org.opencontainers.image.{name}": str(value or "") for name, value in standard.items()}
        for line in entries(extra):
            name, _, value = self.global_text(line).partition("=")
            labels[name] = value
        return dict(sorted(labels.items(), key=lambda label: _collated(label[0])))


def _commit_time(source: Source) -> datetime | None:
    """The commit's time as the payload of a push tells it."""
    commits = source.payload.get("commits")
    candidates = [*(commits if isinstance(commits, list) else []), source.payload.get("head_commit")]
    for commit in candidates:
        if isinstance(commit, Mapping) and commit.get("id") == source.sha and isinstance(commit.get("timestamp"), str):
            try:
                time = datetime.fromisoformat(commit["timestamp"])
            except ValueError:
                return None
            return time if time.tzinfo else None
    return None


def _sanitized(name: str) -> str:
    return re.sub(r"[^a-zA-Z0-9._-]+", "-", name)


def _collated(name: str) -> tuple[list[tuple[int, str]], str]:
    """The order of localeCompare for such names: punctuation, digits, letters whatever their case, lower case first."""
    classes = [(2 if character.isalpha() else 1 if character.isdigit() else 0, character) for character in name.lower()]
    return classes, name.swapcase()
