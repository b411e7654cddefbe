"""Whether a policy may select what a workflow pushes: the image's spellings, the filter of its tags, its order. Pure.

The answer is No only where it holds for every text that the open parts of a tag may become.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from functools import lru_cache

from tidegate.base.errors import InvalidInput, TidegateError
from tidegate.base.frozen import frozen
from tidegate.base.regexp.matcher import AnyOf
from tidegate.kinds.image_policy import ImagePolicy
from tidegate.kinds.image_repository import ImageRepository
from tidegate.kinds.reference import DEFAULT_REGISTRY, parse_repository
from tidegate.kinds.semver import RELEASE, parse_tag
from tidegate.kinds.semver_ranges import Range
from tidegate.lint.holes import ANY, DIGITS, HEX, NAME, is_known, literal, may_be, pieces, shown
from tidegate.lint.matching import may_match
from tidegate.select.filters import TagFilter
from tidegate.select.numbers import parse_number
from tidegate.select.policy import Policy

_VARIABLE = re.compile(r"\$\{[^}]*\}")
_MOST_NUMBERS = 4
_NUMBER = re.compile(r"[0-9]+")
_LARGE = 10**9
_SEPARATE = re.compile(rf"(?:[^{ANY}{NAME}{HEX}{DIGITS}]|(?<![0-9{DIGITS}]){DIGITS}(?![0-9{DIGITS}]))*")
"""Tags whose holes are numbers that stand by themselves."""
_IN_NUMBERS = frozenset("0123456789abcdefABCDEFxXpP_+-.infatyINFATY")
_NO_VERSION = "is no semantic version: three numbers are needed, as 1.2.3"


_DIGEST = f"@sha256:{HEX}"
_ENDS = ("", f":{NAME}", _DIGEST, f":{NAME}{_DIGEST}")


@frozen
class Answer:
    """Whether it may be, and why not where it can't."""

    may: bool
    reason: str = ""


YES = Answer(True)


def manifest_text(text: str) -> str:
    """A manifest's text with holes where Flux puts variables (`${cluster_name}`)."""
    return _VARIABLE.sub(ANY, literal(text))


def may_be_image(pushed: str, image: str) -> bool:
    """Whether a reference that a workflow pushes may be of the image that an ImageRepository scans."""
    start = pieces(pushed)[0]
    for spelling in _spellings(manifest_text(image)):
        known = pieces(spelling)[0]
        length = min(len(start), len(known))
        if start[:length] == known[:length] and any(may_be(pushed, spelling + end) for end in _ENDS):
            return True
    return False


def is_image(pushed: str, image: str) -> bool:
    """Whether a reference that a workflow pushes is of the image for certain, whatever its tag."""
    return any(
        pushed == spelling or pushed.startswith((f"{spelling}:", f"{spelling}@")) for spelling in _spellings(image)
    )


def tag_of(pushed: str, image: str) -> str:
    """The tag, with holes, under which a reference is pushed, given that it is of the image."""
    for spelling in _spellings(manifest_text(image)):
        if pushed == spelling:
            return "latest"
        if pushed.startswith(f"{spelling}:"):
            return pushed.removeprefix(f"{spelling}:").partition("@")[0]
    name, colon, tag = pushed.rpartition(":")
    return tag if name and colon and "/" not in tag and ANY not in tag else ANY


@lru_cache(maxsize=4096)
def _spellings(image: str) -> list[str]:
    """How a workflow may write the image's name: Docker Hub's may be left out."""
    if not is_known(image):
        return [image]
    try:
        repository = parse_repository(image)
    except InvalidInput:
        return [image]
    if repository.registry != DEFAULT_REGISTRY:
        return [str(repository)]
    short = repository.path.removeprefix("library/")
    paths = dict.fromkeys((repository.path, short if "/" not in short else repository.path))
    return [f"{host}{path}" for host in ("", "docker.io/", f"{DEFAULT_REGISTRY}/") for path in paths]


def may_select(policy: ImagePolicy, scanned: ImageRepository | None, tag: str) -> Answer:
    """Whether a policy may select a tag with holes, at some time and among some other tags."""
    try:
        tag_filter, order = TagFilter.of(policy), Policy.of(policy)
        if scanned is not None and is_known(tag) and AnyOf(scanned.exclusion_list, field="").test()(tag):
            return Answer(False, f"the ImageRepository's exclusionList leaves out {tag}")
        if tag_filter is None:
            return _ordered(order, tag, shown(tag))
        if not is_known(tag):
            return YES if may_match(tag_filter.pattern, tag) else Answer(False, _unfiltered(policy, tag))
        found = tag_filter.apply([tag]).values
    except TidegateError as error:
        return Answer(False, str(error))
    return _ordered(order, found[0], tag) if found else Answer(False, _unfiltered(policy, tag))


def _unfiltered(policy: ImagePolicy, tag: str) -> str:
    return f"{shown(tag)} does not match {policy.filter_pattern}"


def _ordered(order: Policy, tag: str, written: str) -> Answer:
    if order.semver is not None:
        return _by_version(order.semver, tag, written)
    if order.numerical is None:
        return YES
    number = parse_number(tag) is not None if is_known(tag) else _IN_NUMBERS.issuperset("".join(pieces(tag)))
    return YES if number else Answer(False, f"{written} is no number")


def _by_version(wanted: Range, tag: str, written: str) -> Answer:
    if not (is_known(tag) or _SEPARATE.fullmatch(tag)) or tag.count(DIGITS) > _MOST_NUMBERS:
        return YES if _may_be_version(tag) else Answer(False, f"{written} {_NO_VERSION}")
    versions = [version for sample in _samples(wanted, tag) if (version := parse_tag(sample)) is not None]
    if not versions:
        return Answer(False, f"{written} {_NO_VERSION}")
    open_prerelease = not is_known(tag) and wanted.takes_prereleases and versions[0][3] is not RELEASE
    if open_prerelease or any(map(wanted.admits, versions)):
        return YES
    return Answer(False, f"{written} is outside the range {wanted.text}")


def _samples(wanted: Range, tag: str) -> Iterator[str]:
    """A comparison's answer changes only at its own numbers, so with each of them, its neighbours and a large one in
    place of the open numbers, every answer there is comes up.
    """
    parts = pieces(tag)
    numbers = {0, _LARGE}
    for found in _NUMBER.findall(wanted.text):
        numbers |= {max(0, int(found[:18]) + step) for step in (-1, 0, 1)}
    for chosen in itertools.product(sorted(numbers), repeat=len(parts) - 1):
        yield parts[0] + "".join(f"{number}{part}" for number, part in zip(chosen, parts[1:], strict=True))


def _may_be_version(tag: str) -> bool:
    """Whether an open text may have a version's shape at all."""
    ends = ("", f"-{ANY}", f"+{ANY}")
    shapes = (f"{v}{DIGITS}.{DIGITS}.{DIGITS}{end}" for v in ("", "v") for end in ends)
    short = (f"{v}{DIGITS}{rest}" for v in ("", "v") for rest in (f"-{ANY}.{ANY}.{ANY}", f".{DIGITS}-{ANY}.{ANY}"))
    plus = (f"{v}{DIGITS}{rest}" for v in ("", "v") for rest in (f"+{ANY}.{ANY}.{ANY}", f".{DIGITS}+{ANY}.{ANY}"))
    return any(may_be(tag, shape) for shape in (*shapes, *short, *plus))
