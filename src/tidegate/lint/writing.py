"""What an automation can commit: the marked files below its path, where they go, and with which message. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from tidegate.base.errors import InvalidInput, Where
from tidegate.base.frozen import frozen
from tidegate.kinds.allowing import ALLOW_FROM, allows
from tidegate.kinds.image_policy import ImagePolicy
from tidegate.kinds.image_update_automation import ImageUpdateAutomation
from tidegate.kinds.objects import annotation
from tidegate.lint.catalogue import Catalogue
from tidegate.lint.holes import ANY, is_known, literal, may_be, pieces
from tidegate.lint.repository import Found, Repository
from tidegate.lint.selecting import manifest_text
from tidegate.update.automation import chosen, tree_path
from tidegate.update.marker import Marker
from tidegate.update.message import DEFAULT_TEMPLATE
from tidegate.workflow.triggers import SKIP_WORDS, skip_word

_ACTION = re.compile(r"\{\{(?:\"(?:\\.|[^\"\\])*\"|`[^`]*`|/\*.*?\*/|[^}]|\}(?!\}))*\}\}", re.DOTALL)
_OPENING = ("if", "range", "with", "block", "define")
_HEADS = "refs/heads/"


@frozen
class Mark:
    """A marker that an automation may write, and the policies that it names (several clusters may have one each)."""

    path: str
    marker: Marker
    policies: tuple[Found[ImagePolicy], ...]

    @property
    def where(self) -> Where:
        """Its line."""
        return Where(self.path, self.marker.line)


@frozen
class Target:
    """A ref that an automation pushes to, None where that is not known; whether it is the branch that is read, too;
    and where that is said.
    """

    ref: str | None
    is_read: bool
    where: Where

    @property
    def branch(self) -> str | None:
        """The branch, None where it is not known or is none."""
        return self.ref.removeprefix(_HEADS) if self.ref and self.ref.startswith(_HEADS) else None

    @property
    def shown(self) -> str:
        """The ref for people."""
        return "a branch that is not known here" if self.ref is None else self.ref.removeprefix(_HEADS)


def marks(automation: Found[ImageUpdateAutomation], repository: Repository, catalogue: Catalogue) -> list[Mark]:
    """The markers that an automation may write: below its path, naming a policy of its own namespace, or one that
    allows it.
    """
    return [
        Mark(path, marker, policies)
        for path in _below(automation.model.update_path, repository)
        for marker in repository.markers[path].markers
        if (policies := tuple(_named(marker, automation, catalogue)))
    ]


def _below(update_path: str, repository: Repository) -> Sequence[str]:
    if not is_known(manifest_text(update_path)):
        return list(repository.markers)
    try:
        return chosen(repository.markers, tree_path(update_path))
    except InvalidInput:
        return []


def _named(
    marker: Marker, automation: Found[ImageUpdateAutomation], catalogue: Catalogue
) -> Sequence[Found[ImagePolicy]]:
    namespace, _, name = marker.policy.partition(":")
    own = automation.model.key.namespace
    if own and namespace not in catalogue.moved and not may_be(manifest_text(own), literal(namespace)):
        return [found for found in catalogue.policies.named(namespace, name) if _may_allow(found, own)]
    return catalogue.policies.named(namespace, name)


def _may_allow(policy: Found[ImagePolicy], namespace: str) -> bool:
    """Whether a policy of another namespace may let automations of one write it. A variable may stand for anything."""
    value = annotation(policy.raw, ALLOW_FROM)
    if value is None:
        return False
    return not is_known(manifest_text(value) + manifest_text(namespace)) or allows(policy.raw, namespace)


def targets(automation: Found[ImageUpdateAutomation], catalogue: Catalogue) -> list[Target]:
    """Where an automation pushes: its push branch, else the branch that it reads; and what its refspec names."""
    spec, git = automation.model, ("spec", "git")
    read = _read_branches(automation, catalogue)
    if spec.push_branch is not None:
        branch = _branch(spec.push_branch)
        where = automation.place.at(*git, "push", "branch")
        found = [Target(branch, branch in {ref for ref, _ in read} or branch is None, where)]
    else:
        found = [Target(ref, True, where) for ref, where in read]
    if spec.push_refspec is not None:
        ref = spec.push_refspec.rpartition(":")[2]
        known = ref if is_known(manifest_text(ref)) and ref.startswith("refs/") else None
        found.append(Target(known, known in {one for one, _ in read}, automation.place.at(*git, "push", "refspec")))
    return list({target.ref: target for target in reversed(found)}.values())[::-1]


def _read_branches(automation: Found[ImageUpdateAutomation], catalogue: Catalogue) -> list[tuple[str | None, Where]]:
    """The branches that are checked out, with where that is said; several clusters may each have a source."""
    spec = automation.model
    if spec.checkout_branch is not None:
        return [(_branch(spec.checkout_branch), automation.place.at("spec", "git", "checkout", "ref", "branch"))]
    reference = spec.source_ref
    sources = catalogue.sources.named(reference.namespace or spec.key.namespace, reference.name)
    if not sources:
        return [(None, automation.place.at("spec", "sourceRef"))]
    first = {source.model.branch: source for source in reversed(sources)}
    return [(_branch(branch), source.place.at("spec", "ref", "branch")) for branch, source in reversed(first.items())]


def _branch(name: str) -> str | None:
    return f"{_HEADS}{name}" if is_known(manifest_text(name)) else None


def message_of(template: str | None) -> str:
    """The commit message with holes: what a template says whatever it is about."""
    source = template or DEFAULT_TEMPLATE
    parts: list[str] = []
    depth, place = 0, 0
    for action in _ACTION.finditer(source):
        if not depth:
            parts.append(_trimmed(source[place : action.start()], source[:place].endswith("-}}"), action[0]))
        parts.append(ANY)
        word = re.match(r"\{\{-?\s*(\w+)", action[0])
        depth += (word[1] in _OPENING) - (word[1] == "end") if word else 0
        place = action.end()
    if not depth:
        parts.append(_trimmed(source[place:], source[:place].endswith("-}}"), ""))
    return "".join(parts)


def _trimmed(text: str, trim_before: bool, following: str) -> str:
    text = text.lstrip() if trim_before else text
    return literal(text.rstrip() if following.startswith("{{-") else text)


def certain_skip_word(message: str) -> str | None:
    """The skip word that a message with holes holds for certain."""
    if is_known(message):
        return skip_word(message)
    return next((word for word in SKIP_WORDS if any(word in piece for piece in pieces(message))), None)


def by_path(found: Sequence[Mark]) -> Mapping[str, list[Mark]]:
    """Markers by their file."""
    files: dict[str, list[Mark]] = {}
    for mark in found:
        files.setdefault(mark.path, []).append(mark)
    return files
