"""One automation's commit on a branch of its own, or to another ref: not on the branch that people share.

The branch is made anew on top of what is read whenever that has moved. Until then it is kept, with whatever was added
to it: a fix of a person's, or the commit of another automation that pushes there.
"""

from __future__ import annotations

from dataclasses import replace

from tidegate.base.errors import NotFound
from tidegate.base.frozen import frozen
from tidegate.base.steps import Step, reach
from tidegate.git.names import branch_ref
from tidegate.git.origins import Origins
from tidegate.git.repository import Repository
from tidegate.update.planning import Plan, Planner, Result, Work, signed, untold
from tidegate.update.selections import Policies
from tidegate.update.target import Target

HEADS = "refs/heads/"


@frozen
class Apart:
    """What is to be pushed: a plan on top of `base`, which is `head` (what is read), or what is on the automation's
    branch (`present`, None where there is none) where that is built on it.
    """

    repository: Repository
    head: str
    present: str | None
    base: str
    plan: Plan


async def plan_apart(
    origins: Origins, planner: Planner, work: Work, policies: Policies, *, ahead: bool = False
) -> Apart:
    """Plan for the automation's branch or ref; what is on the remote is asked for. `ahead` as in `Planner.prepared`."""
    target = work.target
    repository, head = await origins.read(
        target.url, target.ref, credentials=target.credentials, timeout=target.timeout
    )
    present = await _present(origins, target, head)
    base = present if present and await repository.is_ancestor(head, present) else head
    (planned,) = await planner.planned([work], policies, repository, base)
    return Apart(repository, head, present, base, await planner.prepared(planned, repository, head, ahead=ahead))


async def update_apart(origins: Origins, planner: Planner, work: Work, policies: Policies) -> Result:
    """Bring the automation's branch or ref to what is selected. Raises Conflict where somebody pushed first."""
    target, apart = work.target, await plan_apart(origins, planner, work, policies)
    repository, plan = apart.repository, apart.plan
    result = plan.result(apart.head)
    if not plan.is_due:
        result = await untold(repository, apart.base, work, result)
        if result.pushed:
            await _push_to_ref(origins, repository, target, result.pushed)  # which may have died before this push
        return result
    commit = await plan.write(repository, apart.base)
    if target.push_branch is None and await was_pushed(origins, repository, work, commit):
        return result
    commit = await signed(repository, work, commit)
    reach(Step.COMMIT_WRITTEN)
    await _push(origins, repository, target, commit, apart.present)
    reach(Step.COMMIT_PUSHED)
    return replace(result, pushed=commit, message=plan.message)


async def _present(origins: Origins, target: Target, head: str) -> str | None:
    """Where the branch is to which is pushed, its commit fetched; None where there is none."""
    if target.push_branch == target.branch:
        return head
    if target.push_branch is None:
        return None
    try:
        found = await origins.read(
            target.url, branch_ref(target.push_branch), credentials=target.credentials, timeout=target.timeout
        )
    except NotFound:
        return None
    return found[1]


async def was_pushed(origins: Origins, repository: Repository, work: Work, commit: str) -> bool:
    """Whether what the automation pushed last is the same as a commit, and went to its ref, which no remote need show
    (Gerrit's). What stands on a branch now is from before the automation had this ref.
    """
    last, target = work.last_push, work.target
    if last is None or not await _says_the_same(repository, commit, last):
        return False
    shown = await origins.refs(target.url, HEADS, credentials=target.credentials, timeout=target.timeout)
    return last not in shown.values() or shown.get(target.push_ref or "") == last


async def _says_the_same(repository: Repository, commit: str, other: str) -> bool:
    """Whether another commit has the same files on top of the same commit; author, message and signature may differ."""
    try:
        one, two = await repository.log(commit), await repository.log(other)
    except NotFound:
        return False
    return (one.tree, one.parents) == (two.tree, two.parents)


async def _push(origins: Origins, repository: Repository, target: Target, commit: str, expected: str | None) -> None:
    if target.push_branch is not None:
        await origins.push(
            target.url,
            repository,
            commit,
            target.push_branch,
            expected,
            credentials=target.credentials,
            owned=target.push_branch != target.branch,
            options=target.options,
            timeout=target.timeout,
        )
    await _push_to_ref(origins, repository, target, commit)


async def _push_to_ref(origins: Origins, repository: Repository, target: Target, commit: str) -> None:
    if target.push_ref is not None:
        await origins.push_to(
            target.url,
            repository,
            commit,
            target.push_ref,
            credentials=target.credentials,
            options=target.options,
            timeout=target.timeout,
        )
