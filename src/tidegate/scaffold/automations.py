"""The automation that writes an application's marker: one that does already, one whose path is widened, or a new one.

A path is widened only where no marker comes into it that another automation writes, and never to the whole repository.
Pure.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence

from tidegate.base.errors import Conflict, InvalidInput, TidegateError
from tidegate.base.text_edits import Insertion, edited, lines_of, scalar_span
from tidegate.base.yaml import load_documents, value_at
from tidegate.kinds.allowing import allows
from tidegate.kinds.image_update_automation import GROUP, ImageUpdateAutomation
from tidegate.lint.repository import Found
from tidegate.lint.writing import certain_skip_word, message_of
from tidegate.scaffold.draft import Draft
from tidegate.scaffold.policies import Policy
from tidegate.scaffold.survey import Survey
from tidegate.scaffold.templates import AUTOMATION, fill
from tidegate.scaffold.yaml_text import block, scalar
from tidegate.update.automation import tree_path

Automation = Found[ImageUpdateAutomation]
AUTHOR = {"name": "Tidegate", "email": "tidegate@users.noreply.github.com"}
MESSAGE = "Update {{range .Changed.Changes}}{{.NewValue}} {{end}}"


def selector_labels(found: Survey, path: str) -> Mapping[str, str]:
    """The labels that a new policy must have so that the automation which covers or may cover a file takes it."""
    for automation in (*_covering(found, path), *_widenable(found, path)):
        selector = automation.model.policy_selector
        return selector.match_labels if selector is not None else {}
    return {}


def cover(draft: Draft, found: Survey, name: str, path: str, policy: Policy, *, own: bool) -> str | None:
    """See to it that an automation writes the marker in the file `path`: a document for a new one, or None where one
    does, or where the path of one was widened in `draft`.

    Raises Conflict where a new one's name is taken, InvalidInput where a path can't be edited.
    """
    if any(_takes(one, policy) for one in _covering(found, path)):
        return None
    if not own:
        for automation in _widenable(found, path):
            if _takes(automation, policy):
                _widen(draft, automation, _common(automation, path))
                return None
    return _new(found, name, path, policy)


def _takes(automation: Automation, policy: Policy) -> bool:
    model = automation.model
    selected = model.policy_selector is None or model.policy_selector.matches(policy.labels)
    return selected and (model.key.namespace in ("", policy.namespace) or allows(policy.raw, model.key.namespace))


def _covering(found: Survey, path: str) -> list[Automation]:
    return [one for one in found.automations if _is_below(path, _root(one))]


def _widenable(found: Survey, path: str) -> list[Automation]:
    """The automations whose path may be widened, the one that needs the least first."""
    near = [one for one in found.automations if _common(one, path) and _root(one) is not None]
    chosen = [one for one in near if not _crowds(found, one, _common(one, path))]
    return sorted(chosen, key=lambda one: -len(_common(one, path)))


def _crowds(found: Survey, automation: Automation, wider: str) -> bool:
    """Whether a wider path takes in markers that another automation writes."""
    marked = found.known.repository.markers
    others = [_root(one) for one in found.automations if one is not automation]
    taken_in = [path for path in marked if _is_below(path, wider) and not _is_below(path, _root(automation))]
    return any(_is_below(path, root) for path in taken_in for root in others)


def _root(automation: Automation) -> str | None:
    """The folder of an automation; None where it can't be said."""
    try:
        return tree_path(automation.model.update_path)
    except InvalidInput:
        return None


def _is_below(path: str, root: str | None) -> bool:
    return root is not None and (not root or path == root or path.startswith(f"{root}/"))


def _common(automation: Automation, path: str) -> str:
    """The nearest folder that holds both; empty for the root."""
    root = _root(automation) or ""
    return posixpath.commonpath([root, posixpath.dirname(path)]) if root else ""


def _widen(draft: Draft, automation: Automation, wider: str) -> None:
    """Another text for `spec.update.path`, and no other byte."""
    where = automation.place.at("spec", "update", "path")
    file = str(where.file)
    lines = lines_of(draft.read(file))
    span = scalar_span(lines, where)
    old = automation.model.update_path
    text = f"{'./' if old.startswith('./') else ''}{wider}{'/' if old.endswith('/') else ''}"
    line = where.line or 1
    written = lines[line - 1][slice(*span)] if span else ""
    quote = written[:1] if written[:1] in ("'", '"') else ""
    length = len(written)
    content = edited(lines, [Insertion(line, (where.column or 1), f"{quote}{text}{quote}", length)] if span else ())
    if not _says(content, file, automation, text):
        remedy = f"write {text} there by hand, or use --own-automation"
        raise InvalidInput("this path can't be edited without changing more", where=where, remedy=remedy)
    draft.edit(file, content)


def _says(content: bytes, file: str, automation: Automation, text: str) -> bool:
    try:
        documents = load_documents(content, file=file)
    except TidegateError:
        return False
    key = automation.model.key
    path = (*automation.place.path, "spec", "update", "path")
    same = [
        one for one in documents
        if value_at(one.value, (*automation.place.path, "metadata", "name")) == key.name
        and value_at(one.value, (*automation.place.path, "kind")) == key.kind
    ]  # fmt: skip
    return any(value_at(one.value, path) == text for one in same)


def _new(found: Survey, name: str, path: str, policy: Policy) -> str:
    taken = [one for one in found.automations if one.model.key.name == name]
    if taken:
        raise Conflict(
            f"{taken[0].where}: an ImageUpdateAutomation {name} is there, and does not write {path}",
            remedy="choose another name, or widen its spec.update.path by hand",
        )
    return fill(
        AUTOMATION, version=found.version("ImageUpdateAutomation", GROUP), name=name, namespace=policy.namespace,
        source=source_text(found), git=block(_git(found), 4).rstrip("\n"), path=posixpath.dirname(path),
    )  # fmt: skip


def source_text(found: Survey) -> str:
    """A `sourceRef` for the repository's own GitRepository."""
    source = found.source
    lines = [f"    kind: {source.kind}", f"    name: {scalar(source.name)}"]
    if source.namespace and source.namespace != found.namespace:
        lines.append(f"    namespace: {scalar(source.namespace)}")
    return "\n".join(lines)


def _git(found: Survey) -> Mapping[str, object]:
    """How the other automations commit and push (branches, author, signing key); a skip word of theirs is kept."""
    ways: Sequence[Automation] = found.automations
    if not ways:
        return {"checkout": {"ref": {"branch": found.branch}}, "commit": {"author": AUTHOR, "messageTemplate": MESSAGE}}
    git = dict(ways[0].raw["spec"]["git"])
    word = certain_skip_word(message_of(ways[0].model.message_template))
    commit = {key: value for key, value in git["commit"].items() if not key.startswith("messageTemplate")}
    return {**git, "commit": {**commit, "messageTemplate": f"{MESSAGE}{word}" if word else MESSAGE}}
