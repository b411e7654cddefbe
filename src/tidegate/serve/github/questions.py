"""The GraphQL questions that this door answers: who asks, and what a repository is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.responses import Response

from tidegate.base.errors import InvalidInput, NotFound
from tidegate.serve.github.call import Call, answer
from tidegate.serve.github.graphql import Node, execute
from tidegate.serve.github.ids import node_id, repository_id, user_id
from tidegate.serve.github.reading import default_branch
from tidegate.serve.github.shapes import LOGIN

Find = Callable[[Call, str], Awaitable[Call]]
"""The call with the repository OWNER/NAME; NotFound."""


async def question(call: Call, find: Find, *, may_write: bool) -> Response:
    """Answer one query."""
    body = await call.body()
    query, variables = body.get("query"), body.get("variables") or {}
    if not isinstance(query, str) or not isinstance(variables, Mapping):
        raise InvalidInput("a question has `query`, a text, and `variables`, an object")
    # A query names at most one repository, by its variables; which one is found before it is answered.
    known = await _repository(call, find, variables, may_write=may_write)

    def repository(arguments: Mapping[str, Any]) -> Node:
        name = f"{arguments.get('owner')}/{arguments.get('name')}"
        if known is None or name.lower() != str(known.fields["nameWithOwner"]).lower():
            raise NotFound(f"Could not resolve to a Repository with the name '{name}'.")
        return known

    return answer(execute(query, variables, Node("Query", {"viewer": _user(LOGIN), "repository": repository})))


async def _repository(call: Call, find: Find, variables: Mapping[str, Any], *, may_write: bool) -> Node | None:
    owner, name = variables.get("owner"), variables.get("name", variables.get("repo"))
    if not isinstance(owner, str) or not isinstance(name, str):
        return None
    try:
        found = await find(call, f"{owner}/{name}")
    except NotFound:
        return None
    own, short = found.repository.split("/", 1)
    number = repository_id(found.repository)
    return Node(
        "Repository",
        {
            "id": node_id("Repository", number),
            "databaseId": number,
            "name": short,
            "nameWithOwner": found.repository,
            "owner": _user(own),
            "description": "",
            "url": f"{call.base}/",
            "isPrivate": False,
            "isFork": False,
            "isArchived": False,
            "hasIssuesEnabled": False,
            "hasWikiEnabled": False,
            "mergeCommitAllowed": False,
            "rebaseMergeAllowed": False,
            "squashMergeAllowed": False,
            "viewerPermission": "ADMIN" if may_write else "READ",
            "defaultBranchRef": Node("Ref", {"name": await default_branch(found), "prefix": "refs/heads/"}),
            "parent": None,
            "pullRequests": Node("PullRequestConnection", {"nodes": [], "totalCount": 0}),
        },
    )


def _user(login: str) -> Node:
    number = user_id(login)
    return Node("User", {"login": login, "name": login, "databaseId": number, "id": node_id("User", number)})
