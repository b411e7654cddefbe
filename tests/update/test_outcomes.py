"""What is kept of a look that found nothing to do, and what is looked at again."""

from collections.abc import Iterator, Mapping, Sequence

import pytest

from tidegate.base.errors import InvalidInput, NotFound
from tidegate.base.files import MemoryFiles
from tidegate.git.values import TreeEntry
from tidegate.update import outcomes
from tidegate.update.automation import plan_update
from tidegate.update.edit import Edited
from tidegate.update.marker_index import MarkerIndex
from tidegate.update.outcomes import Outcomes

SELECTED = {"ns:web": "ghcr.io/acme/web:2"}
OLD = b'image: ghcr.io/acme/web:1 # {"$imagepolicy": "ns:web"}\n'
NEW = OLD.replace(b"web:1", b"web:2")
UNKNOWN = b'image: ghcr.io/acme/web:1 # {"$imagepolicy": "ns:unknown"}\n'


class Commit(MemoryFiles):
    """Files in the folder `apps`, whose ids say what they hold; how often folders are looked into is counted."""

    def __init__(self, files: Mapping[str, bytes]):
        super().__init__({f"apps/{name}": data for name, data in files.items()})
        self._blobs = {repr(data): data for data in files.values()}
        self._entries = [TreeEntry("100644", "blob", repr(data), name) for name, data in sorted(files.items())]

    def entry(self, path: str) -> TreeEntry | None:
        if path == "apps":
            return TreeEntry("40000", "tree", repr(self._entries), "apps")
        return next((one for one in self._entries if f"apps/{one.path}" == path), None)

    def folders(self, ids: Sequence[str]) -> Mapping[str, Sequence[TreeEntry]]:
        return dict.fromkeys(ids, self._entries)

    def read_blobs(self, blobs: Sequence[str]) -> Iterator[tuple[str, bytes | None]]:
        return ((blob, self._blobs[blob]) for blob in blobs)


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths for which a plan was made, in turn."""
    made: list[str] = []

    def noting(files: Commit, path: str, references: Mapping[str, str], *, index: MarkerIndex) -> Edited:
        made.append(path)
        return plan_update(files, path, references, index=index)

    monkeypatch.setattr(outcomes, "plan_update", noting)
    return made


def test_what_is_right_is_not_looked_at_again(planned: list[str]) -> None:
    kept = Outcomes(MarkerIndex())
    files = {"a.yaml": NEW, "b.yaml": UNKNOWN}
    first = kept.plan(Commit(files), "./apps", SELECTED)
    assert first == plan_update(Commit(files), "./apps", SELECTED)
    assert (first.policies, [one.policy for one in first.missing]) == ({"ns:web", "ns:unknown"}, ["ns:unknown"])
    assert kept.plan(Commit(files), "apps/", dict(SELECTED)) is first
    assert planned == ["./apps"]


def test_another_content_path_or_selection_is_looked_at(planned: list[str]) -> None:
    kept = Outcomes(MarkerIndex())
    kept.plan(Commit({"a.yaml": NEW}), "apps", SELECTED)
    assert kept.plan(Commit({"a.yaml": OLD}), "apps", SELECTED).files == {"apps/a.yaml": NEW}
    assert kept.plan(Commit({"a.yaml": NEW}), "apps/a.yaml", SELECTED).changes == ()
    assert kept.plan(Commit({"a.yaml": NEW}), "apps", {"ns:web": "ghcr.io/acme/web:1"}).files == {"apps/a.yaml": OLD}
    assert [one.policy for one in kept.plan(Commit({"a.yaml": NEW}), "apps", {}).missing] == ["ns:web"]
    assert planned == ["apps", "apps", "apps/a.yaml", "apps", "apps"]


def test_errors_are_those_of_a_plan() -> None:
    kept = Outcomes(MarkerIndex())
    commit = Commit({"a.yaml": NEW})
    kept.plan(commit, "apps", SELECTED)
    for _ in range(2):
        with pytest.raises(NotFound, match="gone"):
            kept.plan(commit, "gone", SELECTED)
        with pytest.raises(InvalidInput, match="leaves the repository"):
            kept.plan(commit, "../apps", SELECTED)
        with pytest.raises(InvalidInput):
            kept.plan(commit, "apps", SELECTED | {"ns:other": "no reference"})


def test_what_changes_something_is_planned_each_time(planned: list[str]) -> None:
    kept = Outcomes(MarkerIndex())
    for _ in range(2):
        assert kept.plan(Commit({"a.yaml": OLD}), "apps", SELECTED).files == {"apps/a.yaml": NEW}
    assert len(planned) == 2


def test_only_those_asked_for_last_are_kept(planned: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcomes, "KEPT_WORDS", 4)  # two plans that name one policy each
    kept = Outcomes(MarkerIndex())
    one, two, three = (Commit({"a.yaml": NEW + b"#" * number}) for number in range(3))
    for commit in (one, two, one, three, one):
        kept.plan(commit, "apps", SELECTED)
    assert len(planned) == 3
    kept.plan(two, "apps", SELECTED)
    assert len(planned) == 4, "it was asked for the longest ago"
