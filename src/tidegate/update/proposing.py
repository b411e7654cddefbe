"""After an update on a branch of its own: one pull request for it, told in the condition PullRequest."""

from __future__ import annotations

import asyncio

from tidegate.base.errors import InvalidInput, NotFound, RateLimited, TidegateError
from tidegate.engine.secrets import read_secret
from tidegate.forge.api import Proposal, forge_of
from tidegate.forge.client import ForgeClient
from tidegate.forge.session import api_client, token_in, token_of
from tidegate.git.names import branch_ref
from tidegate.git.origins import Origins
from tidegate.kinds.common import mapping
from tidegate.kinds.conditions import Condition, find
from tidegate.update.annotations import PULL_REQUEST_SECRET, PullRequestWish
from tidegate.update.planning import Result, Work

PULL_REQUEST = "PullRequest"
AGAIN = 60.0
"""Seconds until what failed is tried again."""
Told = tuple[tuple[Condition, ...], float | None]
"""Conditions to show, and in how many seconds to come again."""


async def propose(origins: Origins, work: Work, result: Result, wish: PullRequestWish) -> Told:
    """See to it that one open pull request shows the automation's branch. An error is told and tried again later: what
    was pushed stays.
    """
    commit, branch = result.pushed or work.last_push, work.target.push_branch
    if branch is None or branch == work.target.branch:
        message = "a pull request needs a branch of its own: name one in spec.git.push.branch"
        return (Condition(PULL_REQUEST, "False", "NoBranch", message),), None
    if commit is None:
        return (), None
    present = find(mapping(work.obj.get("status")).get("conditions") or [], PULL_REQUEST) or {}
    if present.get("status") == "True" and commit in str(present.get("message")):
        return (Condition(PULL_REQUEST, "True", str(present.get("reason")), str(present["message"])),), None
    try:
        said = result.message if result.pushed else await _message_of_open(origins, work, result, commit)
        if said is None:
            return (), None
        return await _proposed(work, wish, commit, Proposal.of(branch, work.target.branch, said))
    except TidegateError as error:
        if error.explain() != present.get("message"):
            await work.ctx.events.warning(work.obj, "PullRequestFailed", error.explain())
        wait = max(AGAIN, error.retry_after) if isinstance(error, RateLimited) else AGAIN
        return (Condition(PULL_REQUEST, "False", error.code, error.explain()),), wait


async def _proposed(work: Work, wish: PullRequestWish, commit: str, proposal: Proposal) -> Told:
    forge = forge_of(work.target.url, wish.api)
    token = await _token(work, wish)
    clock = work.ctx.clock
    async with await asyncio.to_thread(api_client, work.target.credentials) as http:
        client = ForgeClient(http, forge, token, sleep=clock.sleep, now=lambda: clock.now().timestamp())
        found, done = await client.propose(proposal)
    if done != "found":
        await work.ctx.events.normal(work.obj, f"PullRequest{done.capitalize()}", f"{found.url}: {proposal.title}")
    return (Condition(PULL_REQUEST, "True", "Open", f"{found.url} shows commit {commit}"),), None


async def _message_of_open(origins: Origins, work: Work, result: Result, commit: str) -> str | None:
    """The message of a commit that was pushed before, if the branch still shows it on top of what is read; None where
    it was merged, or the branch is gone.
    """
    target = work.target
    assert target.push_branch is not None
    try:
        repository, tip = await origins.read(
            target.url, branch_ref(target.push_branch), credentials=target.credentials, timeout=target.timeout
        )
        if tip == result.source or not await repository.is_ancestor(result.source, tip):
            return None
        return (await repository.log(commit)).message if await repository.is_ancestor(commit, tip) else None
    except NotFound:
        return None


async def _token(work: Work, wish: PullRequestWish) -> str:
    """The token of the Secret that the annotation names, else of the source's."""
    if wish.secret is not None:
        data = await read_secret(work.ctx.store, work.namespace, wish.secret)
        token = token_in(data)
        place = f"the Secret {work.namespace}/{wish.secret}"
    else:
        token = token_of(work.target.credentials)
        place = "the source's Secret"
    if not token:
        remedy = f"name a Secret with the key `token` in the annotation {PULL_REQUEST_SECRET}"
        raise InvalidInput(f"{place} has no token for the API of {_host(work)}", remedy=remedy, code="NoToken")
    return token


def _host(work: Work) -> str:
    return work.target.url.partition("://")[2].partition("/")[0].rpartition("@")[2]
