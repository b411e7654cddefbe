"""What a run takes from other repositories, actions and workflows, each pinned to a commit before anything runs.

A repository that is hosted here comes first, then the host that the Runner (or `tidegate up`) names. A host gets its
own credential alone, and is asked once for each ref of a run: a run that is run again has the same commits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack

from tidegate.base.errors import Denied, InvalidInput, LimitExceeded, NotFound, TidegateError
from tidegate.base.frozen import frozen
from tidegate.engine.ports import Store
from tidegate.engine.secrets import read_secret
from tidegate.git.names import is_object_id
from tidegate.git.pinned import PinnedCommits, chosen, measure
from tidegate.git.remote import Credentials, Remote
from tidegate.git.repository import Repository
from tidegate.git.secrets import credentials_of
from tidegate.kinds.runner import Runner
from tidegate.runner.containers.check import Lack
from tidegate.runner.linking import linked_workflow
from tidegate.runner.pins import Pin, Pins
from tidegate.workflow.calls import Linked
from tidegate.workflow.elsewhere import Elsewhere, Read
from tidegate.workflow.problems import InvalidWorkflow

MOST_REPOSITORIES = 50
"""Refs of other repositories that one run may take something from."""
AT_ONCE = 4


@frozen
class Host:
    """Where repositories that are not hosted here are fetched: the address before `/OWNER/NAME`, and its credential.
    Without an address nothing is; `unset` says what to set then. What is not `trusted` gets nothing that is hosted
    here: whoever wrote it may not read that.
    """

    url: str = ""
    credentials: Credentials | None = None
    unset: str = "spec.actions.url of the Runner"
    trusted: bool = True

    def url_of(self, repository: str) -> str:
        """The URL of a repository of this host. Raises InvalidInput where none is named."""
        if not self.url:
            raise InvalidInput(
                f"{repository} is not hosted here, and no host is named to fetch it from",
                remedy=f"set {self.unset}, as https://github.com, or push {repository} here",
            )
        return f"{self.url.rstrip('/')}/{repository}.git"


async def host_of(runner: Runner, store: Store, default_url: str, *, trusted: bool = True) -> Host:
    """The host that a Runner names, else the default one. What is not `trusted`, as the request of a fork, gets no
    credential: it could name any repository that this reads. Raises NotFound where the Secret is missing.
    """
    unset = f"spec.actions.url of the Runner {runner.key.name}"
    if runner.actions is None:
        return Host(default_url, unset=unset, trusted=trusted)
    credentials = None
    if runner.actions.secret_ref is not None and trusted:
        credentials = credentials_of(await read_secret(store, runner.key.namespace, runner.actions.secret_ref.name))
    return Host(runner.actions.url, credentials, unset, trusted)


class Borrowing:
    """`hosted` opens a repository of this home by OWNER/NAME; `answered` says of a URL whether this home answers for
    its host, so that nobody else is asked.
    """

    def __init__(
        self,
        commits: PinnedCommits,
        hosted: Callable[[str], Repository | None],
        answered: Callable[[str], bool] = lambda _url: False,
        default_url: str = "",
    ):
        self._commits = commits
        self._hosted = hosted
        self._answered = answered
        self.default_url = default_url

    def open(self, pin: Pin) -> Repository:
        """The repository that has a pinned commit, which was brought before. NotFound where it is gone."""
        found = self._commits.open(pin.url) if pin.url else self._hosted(pin.repository)
        if found is None or not found.exists():
            raise NotFound(f"{pin.repository} is not here any more", remedy="run it again")
        return found

    def holding(self, pins: Collection[Pin]) -> AbstractContextManager[None]:
        """Keep what is pinned from being deleted while the context lasts."""
        return self._commits.holding([pin.url for pin in pins if pin.url])

    async def retire(self) -> None:
        """Delete what nobody has used for long."""
        await self._commits.retire()

    async def pin(self, place: Elsewhere, host: Host, known: Pins) -> tuple[Pin, Repository]:
        """The commit that a place's ref stands for, and a repository that has it; the one that is `known` already,
        where it comes from the same place. Raises what keeps it from being had.
        """
        hosted = self._hosted(place.repository)
        if hosted is not None and not host.trusted:
            raise Denied(f"{place.repository} is hosted here, and the request of a fork gets nothing of it")
        url = "" if hosted is not None else host.url_of(place.repository)
        if url and self._answered(url):
            message = f"{place.repository} is not hosted here, and this Tidegate answers for its host"
            raise NotFound(message, remedy=f"push {place.repository} here")
        before = known.get(place.key)
        commit = before.commit if before is not None and before.url == url else ""
        if hosted is not None:
            pin = Pin(place.repository, place.ref, commit or await _commit_of(hosted, place))
            if await hosted.resolve(pin.commit) is None:
                raise NotFound(f"{place.repository} has no commit {pin.commit} any more")
            await measure(hosted, pin.commit)
            return pin, hosted
        remote = Remote(url, host.credentials)
        full = place.ref
        if not commit:
            commit, full = await self._commits.resolve(remote, place.ref)
        repository = await self._commits.bring(remote, commit, full)
        await measure(repository, commit)
        return Pin(place.repository, place.ref, commit, url), repository


async def _commit_of(repository: Repository, place: Elsewhere) -> str:
    if is_object_id(place.ref):
        return place.ref
    found = chosen(place.ref, await repository.refs())
    if found is None:
        raise NotFound(f"{place.repository}, which is hosted here, has no tag and no branch {place.ref!r}")
    return found[1]


async def planned(
    repository: Repository,
    commit: str,
    path: str,
    *,
    borrowing: Borrowing,
    host: Host,
    known: Pins,
    name: str,
    lacking: Collection[str] = (),
    lack: Lack | None = None,
) -> tuple[Linked, tuple[Pin, ...]]:
    """A workflow with all that it calls and uses, and the commits that it takes from other repositories.

    What is not known yet is asked for, and then everything is looked at again: an action may use further ones. Raises
    as `linked_workflow`; what can't be had is told at the line of its first use.
    """
    shelf = _Shelf()
    with shelf:
        while True:
            try:
                linked = await asyncio.to_thread(
                    linked_workflow, repository, commit, path, lacking, shelf.lookup, name, lack
                )
            except InvalidWorkflow:
                if not shelf.wanted:
                    raise
            else:
                if not shelf.wanted:
                    return linked, tuple(shelf.pins())
            await shelf.fetch(borrowing, host, known)


class _Shelf(ExitStack):
    """The other repositories of one run, as far as they are known; closes what it has opened."""

    def __init__(self) -> None:
        super().__init__()
        self._found: dict[str, tuple[Pin, Read] | TidegateError] = {}
        self.wanted: dict[str, Elsewhere] = {}

    def lookup(self, place: Elsewhere) -> Read | TidegateError | None:
        """As `Lookup`; what is not known is wanted from now on."""
        found = self._found.get(place.key)
        if found is None:
            self.wanted[place.key] = place
        return found[1] if isinstance(found, tuple) else found

    def pins(self) -> Iterator[Pin]:
        """What was had."""
        return (found[0] for found in self._found.values() if isinstance(found, tuple))

    async def fetch(self, borrowing: Borrowing, host: Host, known: Pins) -> None:
        """Ask for all that is wanted, a few at once."""
        places, self.wanted = list(self.wanted.values()), {}
        if len(self._found) + len(places) > MOST_REPOSITORIES:
            message = (
                f"the run takes actions and workflows from more than {MOST_REPOSITORIES} refs of other repositories"
            )
            raise LimitExceeded(message, remedy="use fewer of them")
        for start in range(0, len(places), AT_ONCE):
            await self._fetch(places[start : start + AT_ONCE], borrowing, host, known)

    async def _fetch(self, places: Sequence[Elsewhere], borrowing: Borrowing, host: Host, known: Pins) -> None:
        asked = (borrowing.pin(place, host, known) for place in places)
        for place, answer in zip(places, await asyncio.gather(*asked, return_exceptions=True), strict=True):
            if isinstance(answer, TidegateError):
                self._found[place.key] = answer
            elif isinstance(answer, BaseException):
                raise answer
            else:
                pin, repository = answer
                self._found[place.key] = pin, self._reader(repository, pin.commit)

    def _reader(self, repository: Repository, commit: str) -> Read:
        files = self.enter_context(repository.files(commit))

        def read(path: str) -> bytes | None:
            try:
                return files.read(path)
            except NotFound:
                return None

        return read
