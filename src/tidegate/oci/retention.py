"""What a registry's store may forget: untagged manifests and unreferenced blobs, past an age.

What is tagged, protected, young, or reached from any of these is never taken. The decision is pure; `sweep` does it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from tidegate.base.errors import TidegateError
from tidegate.base.frozen import frozen
from tidegate.oci.blobs import BlobStore, read_document
from tidegate.oci.values import Index


@frozen
class Kept:
    """A manifest in the store: what it names (manifests or blobs), its subject, and its age in seconds."""

    names: frozenset[str]
    subject: str | None
    age: float


@frozen
class Swept:
    """What a sweep took away: manifests, blobs, and bytes of both."""

    manifests: int
    blobs: int
    size: int


def surplus(
    manifests: Mapping[str, Kept], tagged: Collection[str], protected: Collection[str], older_than: float
) -> set[str]:
    """The manifests of one repository that may go.

    A manifest stays that is tagged, protected, younger than `older_than` seconds, named by one that stays, or about one
    (its subject) that stays.
    """
    roots = {digest for digest, one in manifests.items() if one.age < older_than}
    waiting = [digest for digest in roots | set(tagged) | set(protected) if digest in manifests]
    about: dict[str, list[str]] = {}
    for digest, one in manifests.items():
        if one.subject is not None:
            about.setdefault(one.subject, []).append(digest)
    staying: set[str] = set()
    while waiting:
        digest = waiting.pop()
        if digest in staying:
            continue
        staying.add(digest)
        waiting += [name for name in (*manifests[digest].names, *about.get(digest, ())) if name in manifests]
    return set(manifests) - staying


def sweep(store: BlobStore, protected: Collection[str], older_than: float, now: float) -> Swept:
    """Take away what `surplus` names and every blob older than `older_than` seconds that nothing needs any more.

    `protected` are digests of manifests or blobs; `now` is in seconds since the epoch. Blocks, and holds up pushes
    meanwhile: call it in a thread.
    """
    with store.lock:
        ages = {digest: (now - state.st_mtime, state.st_size) for digest, state in store.blobs()}
        needed = set(protected)
        removed = 0
        for repository in store.repositories():
            manifests = _read(store, repository, ages)
            tagged = {store.tag(repository, tag) for tag in store.tags(repository)} if manifests else set()
            going = surplus(manifests, tagged, protected, older_than)
            for digest in going:
                store.delete_manifest(repository, digest)
            removed += len(going)
            for digest in manifests.keys() - going:
                needed |= {digest} | manifests[digest].names
        unneeded = [digest for digest, (age, _) in ages.items() if digest not in needed and age >= older_than]
        store.remove_blobs(unneeded)
        return Swept(removed, len(unneeded), sum(ages[digest][1] for digest in unneeded))


def _read(store: BlobStore, repository: str, ages: Mapping[str, tuple[float, int]]) -> dict[str, Kept]:
    found = {}
    for digest in store.manifests(repository):
        try:
            document = read_document(store.manifest(repository, digest))
        except TidegateError:
            continue  # its bytes are gone or broken; nobody can pull it
        if isinstance(document, Index):
            names = frozenset(one.digest for one in document.manifests)
        else:
            names = frozenset(one.digest for one in (document.config, *document.layers))
        age = ages.get(digest, (0.0, 0))[0]
        found[digest] = Kept(names, document.subject.digest if document.subject else None, age)
    return found
