"""What kustomizations change in Flux's objects: patches are told, because lint looks at objects as they are written;
namespaces are taken into account.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tidegate.base.errors import TidegateError, Where
from tidegate.base.frozen import frozen
from tidegate.base.yaml import Document, load_documents
from tidegate.lint.findings import Finding, Level, Rule

RULE = Rule(
    "patched-object", "A patch changes an object of Flux's, which lint does not apply", "lint.md#patched-object"
)
NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
KINDS = ("GitRepository", "ImagePolicy", "ImageRepository", "ImageUpdateAutomation")
_LISTS = ("patches", "patchesStrategicMerge", "patchesJson6902")


@frozen
class Patches:
    """The files that are patches, and so no objects; what is told of patches; and the namespaces that kustomizations
    put objects into, whatever is written.
    """

    files: frozenset[str]
    findings: tuple[Finding, ...]
    namespaces: frozenset[str] = frozenset()


def find_patches(paths: Sequence[str], read: Callable[[str], bytes]) -> Patches:
    """The patches of all kustomizations of a tree. A kustomization that can't be read has none."""
    files: set[str] = set()
    findings: list[Finding] = []
    known = frozenset(paths)
    namespaces: set[str] = set()
    for path in paths:
        if posixpath.basename(path) not in NAMES:
            continue
        try:
            documents = load_documents(read(path), file=path)
        except TidegateError:
            continue
        for document in documents:
            if isinstance(document.value, dict) and isinstance(document.value.get("namespace"), str):
                namespaces.add(document.value["namespace"])
            for file, said, where in _patches(document, posixpath.dirname(path)):
                files |= {file} & known
                text = said + (read(file).decode("utf-8", "replace") if file in known else "")
                kinds = [kind for kind in KINDS if kind in text]
                if kinds:
                    findings.append(_told(kinds, where))
    return Patches(frozenset(files), tuple(findings), frozenset(namespaces))


def _told(kinds: Sequence[str], where: Where) -> Finding:
    message = f"a patch changes an {' and '.join(kinds)}: lint looks at what stands before the patch"
    return Finding(
        RULE, Level.WARNING, where, message, "render the folder (tidegate try render), and lint what comes out"
    )


def _patches(document: Document, folder: str) -> Iterator[tuple[str, str, Where]]:
    """Each patch: its file (empty for none), the text that says what it changes, and its place."""
    if not isinstance(document.value, dict):
        return
    for name in _LISTS:
        items = document.value.get(name)
        for number, item in enumerate(items if isinstance(items, list) else ()):
            found = document.where((name, number))
            file, text = _patch(item)
            path = posixpath.normpath(posixpath.join(folder, file)) if file else ""
            yield path, text, Where(found.file, found.line, found.column)


def _patch(item: Any) -> tuple[str, str]:
    if isinstance(item, str):
        return ("", item) if "\n" in item else (item, "")
    if not isinstance(item, dict):
        return "", ""
    return str(item.get("path") or ""), f"{item.get('target') or ''}\n{item.get('patch') or ''}"
