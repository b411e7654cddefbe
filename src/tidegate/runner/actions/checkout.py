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
        known={"repository": "", "ref": "", "path": ".", "fetch-depth": "1"},
        accepted=frozenset({
            "token", "persist-credentials", "clean", "show-progress", "set-safe-directory", "fetch-tags",
            "github-server-url",
        }),
        refused={
            "ssh-key": "a checkout here asks no remote",
            "ssh-known-hosts": "a checkout here asks no remote",
            "ssh-strict": "a checkout here asks no remote",
            "ssh-user": "a checkout here asks no remote",
            "lfs": "Git LFS is not known here",
            "submodules": "submodules are not fetched",
            "filter": "the whole commit is checked out",
            "sparse-checkout": "the whole commit is checked out",
            "sparse-checkout-cone-mode": "the whole commit is checked out",
        },
    )  # fmt: skip

    async def run(self, call: Call) -> Outputs:
        """Outputs `ref` and `commit`. Raises NotFound where the repository or the ref is not there."""
        bench = call.bench
        own = str(bench.github["repository"])
        name = call.text("repository") or own
        repository = call.services.repository(name)
        if repository is None or name.lower() != own.lower():
            raise NotFound(f"{name} can't be checked out: only the run's own repository {own} can", where=call.where)
        depth = _depth(call)
        commit, ref = await _wanted(call, repository)
        target = bench.layout.in_workspace(call.text("path") or ".")
        staged = bench.layout.staging / f"checkout-{secrets.token_hex(8)}"
        await bench.say(f"Checking out {name} at {commit}", f"Ref: {ref}, depth: {depth or 'all history'}")
        await repository.clone_into(staged, commit, ref, depth=depth, url=f"{call.services.server_url}/{name}")
        await asyncio.to_thread(give_away, staged, bench.owner)
        taken = bench.folder.take_in(staged, TEMP)
        await bench.must(["sh", "-c", _MOVE, "sh", bench.layout.inside(taken), target])
        subject = (await repository.log(commit)).subject
        await bench.say(f"HEAD is now at {commit[:7]} {subject}")
        return {"ref": ref, "commit": commit}


def _depth(call: Call) -> int:
    text = call.text("fetch-depth") or "1"
    if not text.isdecimal():
        raise InvalidInput(f"fetch-depth is {text!r}, not a number", where=call.where)
    return int(text)


async def _wanted(call: Call, repository: Repository) -> tuple[str, str]:
    """The commit and the full ref to check out: the run's own, or those of the input `ref`."""
    github = call.bench.github
    asked = call.text("ref")
    if not asked or asked in (github["ref"], github["ref_name"], github["sha"]):
        return str(github["sha"]), str(github["ref"])
    refs = await repository.refs()
    for ref in (asked, f"refs/heads/{asked}", f"refs/tags/{asked}"):
        if ref.startswith("refs/") and ref in refs:
            return refs[ref], ref
    if _COMMIT.fullmatch(asked) and await repository.resolve(asked):
        return asked, "refs/tidegate/detached"
    raise NotFound(f"the ref {asked!r} is not in the repository", where=call.where)
