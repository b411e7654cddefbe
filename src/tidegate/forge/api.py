"""Which API a Git remote's host has, where, and what it is asked: GitHub's, Gitea's and Forgejo's, GitLab's. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from tidegate.base.errors import InvalidInput, Unavailable
from tidegate.base.frozen import frozen
from tidegate.git.remote import is_loopback
from tidegate.kinds.common import mapping
from tidegate.kinds.forges import FORGES

GITHUB, GITEA, GITLAB = "github", "gitea", "gitlab"
_HOSTS = {
    "github.com": GITHUB,
    "ssh.github.com": GITHUB,
    "gitlab.com": GITLAB,
    "altssh.gitlab.com": GITLAB,
    "codeberg.org": GITEA,
    "gitea.com": GITEA,
}
_WEB_HOSTS = {"ssh.github.com": "github.com", "altssh.gitlab.com": "gitlab.com"}
TITLE_LIMIT, BODY_LIMIT = 240, 60_000
"""Characters; GitHub takes 256 and 65536, the others about as many."""
URL_LIMIT = 1000
_PAGE = re.compile(r"https?://[!-~]+")
PAGE = 50


@frozen
class Request:
    """A request to the API: `path` lies below its address, with the query."""

    method: str
    path: str
    body: Mapping[str, str] | None = None


@frozen
class Proposal:
    """What a pull request says: bring `head` into `base`, two branches of one repository."""

    head: str
    base: str
    title: str
    body: str

    @classmethod
    def of(cls, head: str, base: str, message: str) -> Proposal:
        """From a commit's message: its first line, and the rest."""
        title, _, body = message.strip().partition("\n")
        return cls(head, base, _cut(title.strip() or f"Update {base}", TITLE_LIMIT), _cut(body.strip(), BODY_LIMIT))


@frozen
class PullRequest:
    """One that is open: its number within the repository, its page, and its words."""

    number: int
    url: str
    title: str
    body: str

    def says(self, proposal: Proposal) -> bool:
        """Whether its words are those of a proposal; a forge may end lines in its own way."""
        same_body = self.body.replace("\r\n", "\n").strip() == proposal.body
        return self.title.strip() == proposal.title and same_body


@frozen
class Forge:
    """An API: whose it is (`kind`), its address, and the repository as it names it (`OWNER/NAME`, for GitLab with all
    groups).
    """

    kind: str
    api: str
    repository: str

    def headers(self, token: str) -> dict[str, str]:
        """What goes with every request, without a token what anybody may ask; InvalidInput where a line break would
        start another header.
        """
        if not token.isprintable() or not token.isascii():
            raise InvalidInput("the token holds a character that no token has", remedy="write the Secret anew")
        if self.kind == GITHUB:
            more = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
            return {**({"Authorization": f"Bearer {token}"} if token else {}), **more}
        word = "token" if self.kind == GITEA else "Bearer"
        return {**({"Authorization": f"{word} {token}"} if token else {}), "Accept": "application/json"}

    def listing(self, proposal: Proposal, page: int) -> Request:
        """Ask for the open ones of the two branches; Gitea can't narrow it down, so its pages are looked through."""
        query = {"state": "opened" if self.kind == GITLAB else "open", "page": str(page)}
        if self.kind == GITHUB:
            owner = self.repository.partition("/")[0]
            query |= {"head": f"{owner}:{proposal.head}", "base": proposal.base, "per_page": str(PAGE)}
        elif self.kind == GITLAB:
            query |= {"source_branch": proposal.head, "target_branch": proposal.base, "per_page": str(PAGE)}
        else:
            query |= {"limit": str(PAGE)}
        return Request("GET", f"{self.path}?{urlencode(query)}")

    def creating(self, proposal: Proposal) -> Request:
        """Ask for a new one."""
        if self.kind == GITLAB:
            branches = {"source_branch": proposal.head, "target_branch": proposal.base}
        else:
            branches = {"head": proposal.head, "base": proposal.base}
        return Request("POST", self.path, branches | self._words(proposal))

    def updating(self, number: int, proposal: Proposal) -> Request:
        """Ask for other words of an open one."""
        method = "PUT" if self.kind == GITLAB else "PATCH"
        return Request(method, f"{self.path}/{number}", self._words(proposal))

    def find(self, answer: object, proposal: Proposal) -> PullRequest | None:
        """The one of these two branches of this very repository in a page of a list; Unavailable where it is none."""
        for one in listed(answer):
            if self._is_of(one, proposal):
                return self.read(one)
        return None

    def is_last(self, answer: object) -> bool:
        """Whether no page follows."""
        return len(listed(answer)) == 0 or (self.kind != GITEA and len(listed(answer)) < PAGE)

    def read(self, answer: object) -> PullRequest:
        """One out of an answer; Unavailable where it is none."""
        found = mapping(answer)
        number = found.get("iid" if self.kind == GITLAB else "number")
        url = found.get("web_url" if self.kind == GITLAB else "html_url")
        if type(number) is not int or not isinstance(url, str) or not is_page(url):
            raise Unavailable(f"{self.api} answered with something that is no pull request")
        body = found.get("description" if self.kind == GITLAB else "body")
        return PullRequest(number, url, str(found.get("title") or ""), str(body or ""))

    @property
    def path(self) -> str:
        """Where its requests are, below the API's address."""
        if self.kind == GITLAB:
            return f"/projects/{quote(self.repository, safe='')}/merge_requests"
        return f"/repos/{quote(self.repository)}/pulls"

    def _words(self, proposal: Proposal) -> dict[str, str]:
        return {"title": proposal.title, "description" if self.kind == GITLAB else "body": proposal.body}

    def _is_of(self, one: Mapping[str, Any], proposal: Proposal) -> bool:
        """A fork may have branches of the same names."""
        if self.kind == GITLAB:
            branches = one.get("source_branch"), one.get("target_branch")
            own = one.get("source_project_id") == one.get("target_project_id")
        else:
            head = mapping(one.get("head"))
            branches = head.get("ref"), mapping(one.get("base")).get("ref")
            own = str(mapping(head.get("repo")).get("full_name", "")).lower() == self.repository.lower()
        return own and branches == (proposal.head, proposal.base)


def forge_of(url: str, named: str | None = None) -> Forge:
    """The API of a remote's host, by its name or what the annotation says. InvalidInput where neither tells, or where
    the API could only be asked in the clear.
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    kind = FORGES.get(named or "") or _HOSTS.get(host) or FORGES.get(host.partition(".")[0])
    if kind is None or parts.scheme not in ("https", "http", "ssh"):
        raise InvalidInput(
            f"nothing says which API {host or url!r} has",
            remedy=f"name it by the annotation tidegate.dev/pull-request-api: {', '.join(FORGES)}",
        )
    if parts.scheme == "http" and not is_loopback(host):
        raise InvalidInput(f"the token would go to {host} in the clear", remedy="give the source an https URL")
    names = [part for part in parts.path.removesuffix("/").removesuffix(".git").split("/") if part]
    if len(names) < 2 or (kind == GITHUB and len(names) != 2) or {".", ".."} & set(names):
        raise InvalidInput(f"the URL of the source names no repository of an owner: {parts.path}")
    web_host = _WEB_HOSTS.get(host, host) if parts.scheme == "ssh" else parts.netloc.lower()
    return _forge(kind, parts.scheme, web_host, names)


def _forge(kind: str, scheme: str, host: str, names: Sequence[str]) -> Forge:
    root = f"{'http' if scheme == 'http' else 'https'}://{host}"
    if kind == GITLAB:
        return Forge(kind, f"{root}/api/v4", "/".join(names))
    repository = "/".join(names[-2:])
    if kind == GITHUB:
        return Forge(kind, "https://api.github.com" if host == "github.com" else f"{root}/api/v3", repository)
    below = "".join(f"/{name}" for name in names[:-2]) if scheme != "ssh" else ""
    return Forge(kind, f"{root}{below}/api/v1", repository)


def is_page(url: str) -> bool:
    """Whether it may be shown as the address of a page."""
    return len(url) <= URL_LIMIT and _PAGE.fullmatch(url) is not None


def listed(answer: object) -> list[Mapping[str, Any]]:
    """The entries of a page; Unavailable where it is none."""
    if not isinstance(answer, list):
        raise Unavailable("the answer is no list of pull requests")
    return [mapping(one) for one in answer]


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
