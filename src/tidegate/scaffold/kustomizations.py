"""kustomize's own files: which of them name a file or folder, and an entry more in one. Pure.

An entry goes behind the last one, in that one's style, and no other byte changes.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator, Sequence

from tidegate.base.errors import InvalidInput, TidegateError, Where
from tidegate.base.files import Files
from tidegate.base.frozen import frozen
from tidegate.base.text_edits import Insertion, below, edited, lines_of, more_items
from tidegate.base.yaml import Document, load_document
from tidegate.lint.patched import NAMES
from tidegate.scaffold.draft import Draft
from tidegate.update.marker_index import is_yaml

_LISTS = ("resources", "bases", "components")
DEEPEST = 50
_EMPTY = re.compile(r"""['"]?resources['"]?\s*:\s*(?P<list>\[\s*\])?\s*(?:#.*)?$""")


@frozen
class Entries:
    """A kustomization file, and the files and folders of the repository that its `resources` name."""

    path: str
    document: Document
    targets: tuple[str, ...]

    @property
    def folder(self) -> str:
        """Where it lies; empty for the root."""
        return posixpath.dirname(self.path)


def kustomizations(files: Files) -> Iterator[Entries]:
    """All kustomization files that can be read."""
    for path in files.paths():
        if posixpath.basename(path) in NAMES:
            try:
                yield read_entries(files, path)
            except TidegateError:
                continue  # lint tells of what can't be read, where Flux's objects are in it


def read_entries(files: Files, path: str) -> Entries:
    """One kustomization file. Raises InvalidInput for what is none."""
    document = load_document(files.read(path), file=path)
    if not isinstance(document.value, dict):
        raise InvalidInput("a kustomization is a mapping", where=Where(path, 1))
    folder = posixpath.dirname(path)
    named = [item for key in _LISTS for item in document.value.get(key) or () if isinstance(item, str)]
    return Entries(path, document, tuple(posixpath.normpath(posixpath.join(folder, item)) for item in named))


def kustomization_of(files: Files, folder: str) -> str | None:
    """The kustomization file of a folder."""
    paths = (posixpath.join(folder, name) for name in NAMES)
    return next((path for path in paths if files.is_file(path)), None)


def reached(files: Files, folder: str, depth: int = 0) -> set[str]:
    """The files that are applied where a folder is: what its kustomization names; without one, all manifests below, as
    Flux generates a kustomization.
    """
    path = kustomization_of(files, folder)
    if depth > DEEPEST:
        return set()
    if path is None:
        return _generated(files, folder, depth)
    try:
        targets = read_entries(files, path).targets
    except TidegateError:
        return set()
    found = {path}
    for target in targets:
        found |= {target} if files.is_file(target) else reached(files, target, depth + 1)
    return found


def _generated(files: Files, folder: str, depth: int) -> set[str]:
    prefix = f"{folder}/" if folder else ""
    below_it = [path for path in files.paths() if path.startswith(prefix)]
    own = {posixpath.dirname(path) for path in below_it if posixpath.basename(path) in NAMES}
    found: set[str] = set()
    for path in below_it:
        if is_yaml(path) and not any(path.startswith(f"{inner}/") for inner in own):
            found.add(path)
    for inner in own:
        if not any(inner.startswith(f"{outer}/") for outer in own):
            found |= reached(files, inner, depth + 1)
    return found


def name_beside(draft: Draft, target: str, beside: Callable[[Entries, str], bool]) -> None:
    """An entry for `target` in each kustomization that names something of which `beside` says so."""
    for entries in list(kustomizations(draft)):
        if target not in entries.targets and any(beside(entries, one) for one in entries.targets):
            add_entry(draft, entries.path, target)


def add_entry(draft: Draft, path: str, target: str) -> None:
    """An entry for a file or folder of the repository in one kustomization, unless it is there."""
    entries = read_entries(draft, path)
    if target in entries.targets:
        return
    written = entries.document.value.get("resources") or []
    entry = posixpath.relpath(target, entries.folder or ".")
    if written and all(str(one).startswith(".") for one in written) and not entry.startswith("."):
        entry = f"./{entry}"
    lines = lines_of(draft.read(path))
    content = edited(lines, _insertions(lines, entries.document, entry))
    if not _holds(content, path, [*written, entry]):
        raise InvalidInput(
            f"the entry {entry} can't be added to these resources without changing more",
            where=entries.document.where_key(("resources",)), remedy=f"add it by hand: {entry}",
        )  # fmt: skip
    draft.edit(path, content)


def _holds(content: bytes, path: str, resources: Sequence[str]) -> bool:
    """Whether the edited file, read again, has just these resources."""
    try:
        value = load_document(content, file=path).value
    except TidegateError:
        return False
    return isinstance(value, dict) and value.get("resources") == list(resources)


def _insertions(lines: Sequence[str], document: Document, entry: str) -> Iterator[Insertion]:
    written = document.value.get("resources")
    if written:
        yield from more_items(lines, document.where(("resources", len(written) - 1)), [entry])
    elif "resources" not in document.value:
        yield from below(lines, len(lines), ["resources:", f"  - {entry}"])
    else:
        yield from _first(lines, document, entry)


def _first(lines: Sequence[str], document: Document, entry: str) -> Iterator[Insertion]:
    """The first item of a list that is empty: `resources:` or `resources: []`."""
    key = document.where_key(("resources",))
    line, column = key.line or 1, key.column or 1
    found = _EMPTY.match(lines[line - 1], column - 1)
    if found is None:
        return
    if found["list"] is not None:
        yield Insertion(line, found.start("list") + 1, f"[{entry}]", len(found["list"]))
    else:
        yield from below(lines, line, [f"{' ' * (column - 1)}  - {entry}"])
