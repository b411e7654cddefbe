"""actions/checkout: a checkout with its own .git, made by the server out of the job's reach, then handed to the job.

The token is never written into the checkout.
"""

from __future__ import annotations

import asyncio
import re
import secrets

from tidegate.base.errors import InvalidInput, NotFound
from tidegate.git.repository import Repository
from tidegate.runner.actions.action import Call, Inputs, Outputs
from tidegate.runner.folder import give_away
from tidegate.runner.layout import TEMP
from tidegate.runner.submodules import DETACHED, Submodules

_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
# Empties the target, as the real action does, and moves the checkout in: all as the job's own user.
_MOVE = (
    'set -e; mkdir -p "$2"; find "$2" -mindepth 1 -maxdepth 1 -exec rm -rf {} +; '
    'find "$1" -mindepth 1 -maxdepth 1 -exec mv -t "$2" {} +; rmdir "$1"'
)


class Checkout:
    """Puts a commit of a hosted repository into the workspace."""

    inputs = Inputs(
        "actions/checkout",
        known={
            "repository": "", "ref": "", "path": ".", "fetch-depth": "1", "fetch-tags": "false", "token": "",
            "submodules": "false",
        },
        accepted=frozenset({
            "persist-credentials", "clean", "show-progress", "set-safe-directory", "github-server-url",
        }),
        secret=frozenset({"token"}),
        refused={
            "reference": "a checkout here asks no remote",
            "ssh-key": "a checkout here asks no remote",
            "ssh-known-hosts": "a checkout here asks no remote",
            "ssh-strict": "a checkout here asks no remote",
            "ssh-user": "a checkout here asks no remote",
            "lfs": "Git LFS is not known here",
            "filter": "the whole commit is checked out",
            "sparse-checkout": "the whole commit is checked out",
            "sparse-checkout-cone-mode": "the whole commit is checked out",
        },
    )  # fmt: skip

    async def run(self, call: Call) -> Outputs:
        """Outputs `ref` and `commit`. Raises NotFound where the repository or the ref is not there."""
        bench = call.bench
        name, repository = _repository(call)
        depth = _depth(call)
        commit, ref = await _wanted(call, repository)
        target = bench.layout.in_workspace(call.text("path") or ".")
        staged = bench.layout.staging / f"checkout-{secrets.token_hex(8)}"
        await bench.say(f"Checking out {name} at {commit}", f"Ref: {ref}, depth: {depth or 'all history'}")
        url = f"{call.services.server_url}/{name}"
        await repository.clone_into(staged, commit, ref, depth=depth, tags=call.flag("fetch-tags"), url=url)
        if (wanted := call.text("submodules").lower()) not in ("", "false"):
            if wanted not in ("true", "recursive"):
                raise InvalidInput(f"submodules is {wanted!r}, not true, false or recursive", where=call.where)
            submodules = Submodules(call, depth, recursive=wanted == "recursive")
            await submodules.put_into(staged, repository, commit, name)
        await asyncio.to_thread(give_away, staged, bench.owner)
        taken = bench.folder.take_in(staged, TEMP)
        await bench.must(["sh", "-c", _MOVE, "sh", bench.layout.inside(taken), target])
        subject = (await repository.log(commit)).subject
        await bench.say(f"HEAD is now at {commit[:7]} {subject}")
        return {"ref": ref, "commit": commit}


def _repository(call: Call) -> tuple[str, Repository]:
    """The run's own repository, or another one of this home that `token` reads: a run's own token does not."""
    own = str(call.bench.github["repository"])
    name = call.text("repository") or own
    is_own = name.lower() == own.lower()
    if not is_own and not call.services.may_read(call.text("token"), name):
        raise NotFound(
            f"{name} can't be checked out: the token of this run reads only its own repository {own}",
            where=call.where,
            remedy="give a secret with a token that reads it: token: ${{ secrets.NAME }}",
        )
    repository = call.services.repository(own if is_own else name)
    if repository is None:
        raise NotFound(f"{name} can't be checked out: it is not hosted here", where=call.where)
    return name, repository


def _depth(call: Call) -> int:
    text = call.text("fetch-depth") or "1"
    if not text.isdecimal():
        raise InvalidInput(f"fetch-depth is {text!r}, not a number", where=call.where)
    return int(text)


async def _wanted(call: Call, repository: Repository) -> tuple[str, str]:
    """The commit and the full ref to check out: the run's own, those of the input `ref`, or of another repository its
    default branch.
    """
    github = call.bench.github
    asked = call.text("ref")
    other = call.text("repository").lower() not in ("", str(github["repository"]).lower())
    if not other and (not asked or asked in (github["ref"], github["ref_name"], github["sha"])):
        return str(github["sha"]), str(github["ref"])
    refs = await repository.refs()
    asked = asked or await repository.head() or ""
    for ref in (asked, f"refs/heads/{asked}", f"refs/tags/{asked}"):
        if ref.startswith("refs/") and ref in refs:
            return refs[ref], ref
    if _COMMIT.fullmatch(asked) and await repository.resolve(asked):
        return asked, DETACHED
    raise NotFound(f"the ref {asked!r} is not in the repository", where=call.where)
