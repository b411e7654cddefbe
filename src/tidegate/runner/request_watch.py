"""Looks at the open pull requests of a source's forge, and brings their commits into its mirror."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from tidegate.base.errors import Denied, InvalidInput, NotFound, RateLimited, TidegateError
from tidegate.base.frozen import frozen
from tidegate.engine.outcome import Context
from tidegate.engine.ports import Store
from tidegate.engine.secrets import read_secret
from tidegate.forge.api import Forge, forge_of
from tidegate.forge.open_requests import OpenRequest, refs_of
from tidegate.git.mirror import Mirrors
from tidegate.git.remote import Remote, ls_remote
from tidegate.git.repository import Repository
from tidegate.git.secrets import credentials_for
from tidegate.kinds.git_repository import GitRepository
from tidegate.kinds.objects import Object, ObjectKey
from tidegate.kinds.runner import Runner
from tidegate.kinds.workflow_run import WorkflowRun
from tidegate.runner.repositories import source_of
from tidegate.runner.request_runs import Brought

LEAST, LEAST_WITHOUT_TOKEN = 60.0, 300.0
"""Seconds between two looks, unless the source has news; a forge answers few questions of somebody without a token."""
SOONEST = 5.0
AFTER_ERROR = 120.0
_NAME_ONE = "name a Secret with a token, under the key `token`, in spec.pullRequests.secretRef of the Runner"


@frozen
class Look:
    """A forge's answer: the requests that are open. `remote` is where their commits are."""

    forge: Forge
    remote: Remote
    requests: tuple[OpenRequest, ...]


@dataclass(slots=True)
class _Turn:
    """When a forge may be asked again, and what the source was like when it was asked last."""

    news: object = None
    at: float | None = None
    not_before: float = 0.0


class RequestWatch:
    """Asks forges, each Runner's as often as its source looks at its own remote."""

    def __init__(self, mirrors: Mirrors):
        self._mirrors = mirrors
        self._turns: dict[ObjectKey, _Turn] = {}

    def forget(self, key: ObjectKey) -> None:
        """A Runner is gone."""
        self._turns.pop(key, None)

    async def look(self, runner: Runner, ctx: Context) -> Look | None:
        """What is open now; None where it is not time to ask, or nothing says which forge it is.

        Raises what keeps it from being known; it is not asked again at once.
        """
        source = await source_of(ctx.store, runner)
        if source is None:
            return None
        spec, wish = GitRepository.from_object(source), runner.pull_requests
        if spec.suspend:
            return None
        try:
            forge = forge_of(spec.url, wish.api if wish else None)
        except InvalidInput:
            if wish is None:
                return None  # a plain Git server: nothing says that it is more
            raise
        turn, now = self._turns.setdefault(runner.key, _Turn()), ctx.clock.monotonic()
        news = _news(source)
        least = SOONEST if turn.news != news else max(LEAST, spec.interval_seconds)
        if now < turn.not_before or (turn.at is not None and now - turn.at < least):
            return None
        turn.at, turn.news = now, news
        if spec.verify_mode is not None:
            raise InvalidInput("the source shows only what was verified (spec.verify), and no request was")
        try:
            return await self._asked(runner, spec, forge, turn, now, ctx)
        except TidegateError as error:
            wait = error.retry_after if isinstance(error, RateLimited) else AFTER_ERROR
            turn.not_before = max(turn.not_before, now + max(AFTER_ERROR, wait))
            raise

    async def _asked(
        self, runner: Runner, spec: GitRepository, forge: Forge, turn: _Turn, now: float, ctx: Context
    ) -> Look:
        # Few Runners have a forge.
        from tidegate.forge.client import ForgeClient  # noqa: PLC0415
        from tidegate.forge.session import api_client, token_in, token_of  # noqa: PLC0415

        credentials = await credentials_for(ctx.store, spec)
        token = token_of(credentials)
        if (wish := runner.pull_requests) is not None and wish.secret_ref is not None:
            data = await read_secret(ctx.store, runner.key.namespace, wish.secret_ref.name)
            if not (token := token_in(data)):
                name = f"{runner.key.namespace}/{wish.secret_ref.name}"
                raise InvalidInput(f"the Secret {name} has no token", remedy="put one there under the key `token`")
        if not token:
            turn.not_before = now + LEAST_WITHOUT_TOKEN
        async with await asyncio.to_thread(api_client, credentials) as http:
            client = ForgeClient(http, forge, token, sleep=ctx.clock.sleep, now=lambda: ctx.clock.now().timestamp())
            try:
                requests = await client.open_requests()
            except (Denied, NotFound) as error:
                if token:
                    raise
                raise Denied(error.message, remedy=_NAME_ONE) from None
        return Look(forge, Remote(spec.url, credentials), tuple(requests))

    async def bring(self, look: Look, request: OpenRequest) -> tuple[Repository, Brought]:
        """A request's commits, in the source's mirror: what it would become when it is merged, where the remote has
        that of its present head, else the head itself. Raises NotFound where the remote has it no more, Unavailable.
        """
        merge, head = refs_of(look.forge, request.number)
        base = f"refs/heads/{request.base}"
        listed = await ls_remote(look.remote, [merge, head, base])
        if head not in listed or base not in listed:
            raise NotFound(f"{look.remote.url} has no {head if head not in listed else base}")
        wanted = [ref for ref in (merge, head) if ref in listed]
        repository = await self._mirrors.fetch(look.remote, wanted)
        if await repository.resolve(listed[base]) is None:
            await self._mirrors.fetch(look.remote, [listed[base]])
        tip = listed[head]
        merged = await repository.resolve(merge) if merge in listed else None
        if merged is not None and (await repository.log(merged)).parents[1:] == (tip,):
            return repository, Brought(merged, tip, listed[base], merge)
        return repository, Brought(tip, tip, listed[base], head)

    async def restore(self, store: Store, runner: Runner, run: WorkflowRun, repository: Repository) -> None:
        """Bring a run's commits again where the mirror has lost them, as after a restart on a new disk."""
        commits = dict.fromkeys((run.commit, run.cause["head"], run.cause["base"]))
        missing = [commit for commit in commits if await repository.resolve(commit) is None]
        if not missing or (source := await source_of(store, runner)) is None:
            return
        spec = GitRepository.from_object(source)
        await self._mirrors.fetch(Remote(spec.url, await credentials_for(store, spec)), missing)

    async def drop(self, look: Look, numbers: Sequence[int]) -> None:
        """Let go of the refs of requests that are open no more; their commits stay for runs that are run again."""
        repository = Repository(self._mirrors.path(look.remote.url))
        for number in numbers:
            for ref in refs_of(look.forge, number) if repository.exists() else ():
                if (commit := await repository.resolve(ref)) is not None:
                    await repository.update_ref(ref, None, commit)


def _news(source: Object) -> object:
    """What says that something may have happened: a new revision, or somebody who asked for a look."""
    status = source.get("status") or {}
    return (status.get("artifact") or {}).get("revision"), status.get("lastHandledReconcileAt")
