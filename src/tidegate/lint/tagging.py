"""What docker/metadata-action makes of its inputs on a branch, as references with holes. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tidegate.base.errors import TidegateError
from tidegate.lint.holes import ANY, DIGITS, HEX, is_known
from tidegate.workflow.metadata.entries import Tag, read_images, read_tags

_EXPRESSION = re.compile(r"\{\{.*?\}\}")
_LIKE_A_TAG = re.compile(r"[^A-Za-z0-9_.-]")


def metadata_tags(images: str, tags: str, flavor: str, event: str, branch: str | None) -> list[str]:
    """The references of `outputs.tags`; `event` is empty and `branch` None where they are not known. Any text where an
    input can't be read.
    """
    if any(line.strip().startswith(ANY) for line in f"{images}\n{tags}".split("\n")):
        return [ANY]
    try:
        names, entries = read_images(images), read_tags(tags)
    except TidegateError:
        return [ANY]
    made = [tag for entry in entries for tag in _tags(entry, event, branch)]
    if made and "latest=false" not in flavor.replace(" ", ""):
        made.append("latest")
    if "prefix" in flavor or "suffix" in flavor or not is_known(flavor):
        made = [f"{ANY}{tag}{ANY}" for tag in made]
    return [f"{name}:{tag}" for name in names for tag in dict.fromkeys(made)]


def _tags(entry: Tag, event: str, branch: str | None) -> Sequence[str]:
    """One entry's tags. On a push to a branch a version or a match of a tag's name gives none, nor does a schedule."""
    attributes = entry.attributes
    if attributes.get("enable", "true") == "false":
        return ()
    value = attributes.get("value", "")
    on_branch = branch is not None and event == "push"
    if on_branch and (entry.type == "schedule" or (entry.type in ("semver", "pep440", "match") and not value)):
        return ()
    bodies = {"raw": value, "sha": HEX, "ref": _ref(attributes.get("event", ""), branch if on_branch else None)}
    body = bodies.get(entry.type, ANY)
    if not body:
        return ()
    written = f"{attributes.get('prefix', '')}{body}{attributes.get('suffix', '')}"
    return (_EXPRESSION.sub(lambda found: _moment(found[0]), written),)


def _moment(expression: str) -> str:
    return (
        HEX if expression == "{{sha}}" else DIGITS if re.fullmatch(r"\{\{date '[YMDHmsX]+'.*\}\}", expression) else ANY
    )


def _ref(event: str, branch: str | None) -> str:
    """`type=ref` gives the branch's name, with `-` for what a tag may not hold; for other events nothing on a push."""
    if branch is None:
        return ANY
    return _LIKE_A_TAG.sub("-", branch) if event == "branch" else ""
