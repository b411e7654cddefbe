"""Leaves values alone that a person has rolled back: asks the history where, and only where, a value would change."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

from tidegate.base.errors import NotFound
from tidegate.base.frozen import frozen
from tidegate.git.files import CommitFiles
from tidegate.git.lineage import Lineage, lineage
from tidegate.git.repository import HISTORY_LIMIT, Repository
from tidegate.git.values import Commit
from tidegate.update.edit import Change, Edited
from tidegate.update.marker import FileMarkers
from tidegate.update.markers import find_markers
from tidegate.update.reverts import Kept, Place, Setting, is_older, last_setting, leave_out

STAGES = (256, HISTORY_LIMIT)
"""How many commits back it looks, in turn: most values were set not long ago."""
SETTINGS_LIMIT = 100
"""How many times a value may have been set between somebody's going back and what was there before."""
ANSWERS_LIMIT = 4096
_BLOCKS = ("|", ">")


@frozen
class Asker:
    """Whose changes they are: a name for the automation, and which commits are its own."""

    name: str
    is_own: Callable[[Commit], bool]


@frozen
class _Answer:
    """Of a change on top of a commit. Not `decided` where more of the history is needed for that."""

    commit: str
    kept: Kept | None = None
    decided: bool = True


_Key = tuple[str, str, Place, str, str]


class History:
    """Asks the history of values, and remembers the last answer about each, to look at newer commits alone."""

    def __init__(self) -> None:
        self._exact: dict[tuple[str, Change], _Answer] = {}
        self._last: dict[_Key, _Answer] = {}

    async def kept(
        self, repository: Repository, commit: str, changes: Sequence[Change], asker: Asker
    ) -> tuple[Kept, ...]:
        """Which changes on top of a commit would undo a rollback of somebody's."""
        told = {change: self._exact.get((asker.name, change)) for change in changes}
        answers = {change: one for change, one in told.items() if one is not None and one.commit == commit}
        for limit in STAGES:
            if asked := [change for change in changes if change not in answers]:
                paths = list(dict.fromkeys(change.path for change in asked))
                past = await lineage(repository, commit, paths, limit)
                look = _Look(repository, commit, past, asker, self._last, last=limit == STAGES[-1])
                found = {change: await look.at(change) for change in asked}
                answers |= {change: one for change, one in found.items() if one.decided}
        for known in (self._exact, self._last):
            if len(known) > ANSWERS_LIMIT:
                known.clear()
        self._exact |= {(asker.name, change): one for change, one in answers.items()}
        kept = [(change, answers[change].kept) for change in changes]
        return tuple(replace(one, change=change) for change, one in kept if one is not None)


async def without(repository: Repository, commit: str, edited: Edited, kept: Sequence[Kept]) -> Edited:
    """What an update on top of a commit comes to when these stay."""

    def left() -> Edited:
        with repository.files(commit) as files:
            return leave_out(edited, [one.change for one in kept], lambda path: _read(files, path))

    return await asyncio.to_thread(left)


class _Look:
    """One look at a part of the history; where it is not the `last`, what lies further back stays undecided. `answers`
    are those that were found on top of other commits.
    """

    def __init__(
        self,
        repository: Repository,
        commit: str,
        past: Lineage,
        asker: Asker,
        answers: dict[_Key, _Answer],
        *,
        last: bool,
    ):
        self._repository = repository
        self._commit = commit
        self._past = past
        self._asker = asker
        self._answers = answers
        self._is_last = last

    async def at(self, change: Change) -> _Answer:
        """The answer about a change."""
        scalar = await asyncio.to_thread(_Scalar.at, self._repository, self._commit, change)
        if scalar is None:
            return _Answer(self._commit)
        key = (self._asker.name, change.path, scalar.place, change.old, change.new)
        answer = await self._of(change, scalar, self._answers.get(key))
        if answer.kept is not None:
            self._answers[key] = answer
        return answer

    async def _of(self, change: Change, scalar: _Scalar, before: _Answer | None) -> _Answer:
        first = await self._setting(scalar, self._commit, scalar.blob, before.commit if before is not None else None)
        if first is None:
            return _Answer(self._commit, decided=self._is_last)
        if isinstance(first, str):
            assert before is not None
            return replace(before, commit=self._commit)
        author = await self._repository.log(first.commit)
        if self._asker.is_own(author):
            return _Answer(self._commit)
        went_back = await self._went_back(change, scalar, first)
        if went_back is None:
            return _Answer(self._commit, decided=False)
        kept = Kept(change, first.commit, author.author.name or author.author.email)
        return _Answer(self._commit, kept if went_back else None)

    async def _went_back(self, change: Change, scalar: _Scalar, last: Setting) -> bool | None:
        """Whether the last setting went back, from what the automation has written and would write again; None where
        more of the history is needed.
        """
        written = False
        for _ in range(SETTINGS_LIMIT):
            if last.parent is None:
                break
            older = await self._setting(scalar, last.parent, last.blob)
            if older is None and not self._is_last and scalar.value_in(last.blob) is not None:
                return None
            if not isinstance(older, Setting):
                break
            last = older
            if last.value == change.old:
                return written
            if last.value == change.new:
                written = written or self._asker.is_own(await self._repository.log(last.commit))
        # The value has not stood there before: somebody's own choice, and a rollback only where it is an older one.
        return written and is_older(change.old, change.new)

    async def _setting(
        self, scalar: _Scalar, commit: str, blob: str | None, known: str | None = None
    ) -> Setting | str | None:
        def found() -> Setting | str | None:
            with scalar:
                return last_setting(self._past, commit, scalar.path, blob, scalar.value_in, known=known)

        return await asyncio.to_thread(found)


class _Scalar:
    """The value of one place in versions of its file. Only those are parsed in which a line with the marker is another:
    of a file that changes often that are few.
    """

    def __init__(self, repository: Repository, commit: str, path: str, place: Place, blob: str):
        self.path = path
        self.place = place
        self.blob = blob
        self._repository = repository
        self._commit = commit
        self._files: CommitFiles | None = None
        self._by_blob: dict[str, str | None] = {}
        self._by_lines: dict[tuple[bytes, ...], str | None] = {}

    @classmethod
    def at(cls, repository: Repository, commit: str, change: Change) -> _Scalar | None:
        """That of a change on top of a commit."""
        with repository.files(commit) as files:
            place = Place.at(find_markers(files.read(change.path)), change.line)
            entry = files.entry(change.path)
        return None if place is None or entry is None else cls(repository, commit, change.path, place, entry.id)

    def __enter__(self) -> None:
        self._files = self._repository.files(self._commit)

    def __exit__(self, *_: object) -> None:
        if self._files is not None:
            self._files.close()
            self._files = None

    def value_in(self, blob: str | None) -> str | None:
        """What stands there in a blob that was read, or, inside a `with` block, in any; None where nothing does."""
        if blob is None:
            return None
        if blob not in self._by_blob:
            self._by_blob[blob] = self._parsed(blob)
        return self._by_blob[blob]

    def _parsed(self, blob: str) -> str | None:
        assert self._files is not None
        try:
            (_, data), *_ = self._files.read_blobs([blob])
        except NotFound:
            return None
        if data is None:
            return None
        word = self.place.setter.encode()
        lines = tuple(line for line in data.split(b"\n") if word in line)
        if lines in self._by_lines:
            return self._by_lines[lines]
        found = find_markers(data)
        value = self.place.value(found)
        if not any(marker.style in _BLOCKS for marker in found.markers):  # whose values are on other lines
            self._by_lines[lines] = value
        return value


def _read(files: CommitFiles, path: str) -> tuple[bytes, FileMarkers]:
    data = files.read(path)
    return data, find_markers(data)
