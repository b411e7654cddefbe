"""The open pull requests (merge requests) of a repository, as the three APIs tell them. Pure.

What they say is a stranger's word: names are checked, texts are cut, and what is no request is passed over.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from tidegate.base.errors import InvalidInput
from tidegate.base.frozen import frozen
from tidegate.forge.api import GITEA, GITLAB, PAGE, Forge, Request, is_page, listed
from tidegate.git.names import branch_ref, check_object_id
from tidegate.kinds.common import mapping

TITLE_LIMIT = 200
NAME_LIMIT = 250
_USER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\[\]-]{0,99}")
_REPOSITORY = re.compile(r"[A-Za-z0-9_./-]{1,200}")


@frozen
class OpenRequest:
    """One that is open: bring the branch `head`, which is at `head_commit`, into the branch `base`. `head_repository`
    is where it lies, empty where that is gone or not told. `url` is its page, empty where that can't be shown.
    """

    number: int
    title: str
    user: str
    head: str
    head_commit: str
    base: str
    head_repository: str = ""
    url: str = ""
    is_draft: bool = False
    is_fork: bool = False


def listing(forge: Forge, page: int) -> Request:
    """Ask for a page of those that are open, the one that was changed last first."""
    if forge.kind == GITLAB:
        query = {"state": "opened", "order_by": "updated_at", "sort": "desc", "per_page": str(PAGE)}
    elif forge.kind == GITEA:
        query = {"state": "open", "sort": "recentupdate", "limit": str(PAGE)}
    else:
        query = {"state": "open", "sort": "updated", "direction": "desc", "per_page": str(PAGE)}
    return Request("GET", f"{forge.path}?{urlencode(query | {'page': str(page)})}")


def read_page(forge: Forge, answer: object) -> list[OpenRequest]:
    """The requests of a page. Raises Unavailable where it is none."""
    found = (_gitlab(forge, one) if forge.kind == GITLAB else _others(forge, one) for one in listed(answer))
    return [one for one in found if one is not None]


def refs_of(forge: Forge, number: int) -> tuple[str, str]:
    """Where the remote has what a request would become when it is merged (not everyone has that), and its head."""
    folder = "merge-requests" if forge.kind == GITLAB else "pull"
    return f"refs/{folder}/{number}/merge", f"refs/{folder}/{number}/head"


def _others(forge: Forge, one: Mapping[str, Any]) -> OpenRequest | None:
    head, base = mapping(one.get("head")), mapping(one.get("base"))
    repository = str(mapping(head.get("repo")).get("full_name") or "")
    return _made(
        number=one.get("number"),
        title=one.get("title"),
        user=mapping(one.get("user")).get("login"),
        head=head.get("ref"),
        commit=head.get("sha"),
        base=base.get("ref"),
        repository=repository,
        url=one.get("html_url"),
        is_draft=one.get("draft") is True,
        # A repository that is gone was a fork.
        is_fork=repository.lower() != forge.repository.lower(),
    )


def _gitlab(forge: Forge, one: Mapping[str, Any]) -> OpenRequest | None:
    is_fork = one.get("source_project_id") != one.get("target_project_id") or one.get("source_project_id") is None
    return _made(
        number=one.get("iid"),
        title=one.get("title"),
        user=mapping(one.get("author")).get("username"),
        head=one.get("source_branch"),
        commit=one.get("sha"),
        base=one.get("target_branch"),
        repository="" if is_fork else forge.repository,
        url=one.get("web_url"),
        is_draft=one.get("draft") is True,
        is_fork=is_fork,
    )


def _made(
    *,
    number: object,
    title: object,
    user: object,
    head: object,
    commit: object,
    base: object,
    repository: str,
    url: object,
    is_draft: bool,
    is_fork: bool,
) -> OpenRequest | None:
    if type(number) is not int or not 0 < number < 2**31 or not isinstance(head, str) or len(head) > NAME_LIMIT:
        return None
    if not isinstance(commit, str) or not isinstance(base, str):
        return None
    try:
        commit, base = check_object_id(commit), branch_ref(base).removeprefix("refs/heads/")
    except InvalidInput:
        return None
    shown = "".join(char if char.isprintable() else " " for char in str(title or ""))
    return OpenRequest(
        number=number,
        title=shown[:TITLE_LIMIT],
        user=user if isinstance(user, str) and _USER.fullmatch(user) else "",
        head="".join(char for char in head if char.isprintable()),
        head_commit=commit,
        base=base,
        head_repository=repository if _REPOSITORY.fullmatch(repository) else "",
        url=url if isinstance(url, str) and is_page(url) else "",
        is_draft=is_draft,
        is_fork=is_fork,
    )
