"""A forge's API beside a Git host, in the shapes that GitHub, Gitea and GitLab answer with; nothing of it is theirs.

The fields are those of GitHub's REST API 2022-11-28 (pulls), Gitea's API v1 (PullRequest) and GitLab's REST API v4
(merge requests), as far as a client may look at them, and the errors those that the three give. Branches are the host's
real ones.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.integration.git_host import GitHost

TOKEN = "forge-token-0123456789"
REPOSITORY = "acme/shop"
Answer = tuple[int, Mapping[str, str], bytes]


@dataclass
class Forge:
    """`kind` is github, gitea or gitlab. `requests` are what was asked; `answers` come once each, before any other."""

    host: GitHost
    kind: str
    pulls: list[dict[str, Any]] = field(default_factory=list)
    requests: list[tuple[str, str]] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    answers: list[Answer] = field(default_factory=list)
    lose_next_creation: bool = False

    def answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """One request."""
        parts = urlsplit(target)
        self.requests.append((method, parts.path))
        word, _, token = headers.get("Authorization", "").partition(" ")
        self.tokens.add(f"{word} {token}")
        if token != TOKEN:
            return self._json(401, {"message": "Bad credentials"})
        if self.answers:
            return self.answers.pop(0)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        below, number = self._below(parts.path)
        if not below:
            return self._json(404, {"message": "404 Project Not Found" if self.kind == "gitlab" else "Not Found"})
        if method == "GET":
            return self._json(200, self._list(query))
        fields = json.loads(body)
        if method == "POST":
            return self._create(fields)
        if method == ("PUT" if self.kind == "gitlab" else "PATCH"):
            return self._update(int(number), fields)
        return self._json(405, {"message": "Method Not Allowed"})

    def add(
        self,
        head: str,
        base: str,
        *,
        owner: str = "acme",
        state: str = "open",
        title: str = "theirs",
        sha: str = "0" * 40,
    ) -> None:
        """Somebody's own, whose head is at the commit `sha`."""
        self.pulls.append(
            {"number": len(self.pulls) + 1, "head": head, "base": base, "title": title, "body": "", "state": state}
            | {"owner": owner, "sha": sha}
        )

    def open_ones(self) -> list[dict[str, Any]]:
        """What is open, as it is kept here."""
        return [one for one in self.pulls if one["state"] == "open"]

    def _below(self, path: str) -> tuple[bool, str]:
        prefix = {
            "github": f"/api/v3/repos/{REPOSITORY}/pulls",
            "gitea": f"/api/v1/repos/{REPOSITORY}/pulls",
            "gitlab": "/api/v4/projects/acme%2Fshop/merge_requests",
        }[self.kind]
        rest = path.removeprefix(prefix)
        return path.startswith(prefix) and (not rest or rest[1:].isdigit()), rest[1:]

    def _list(self, query: Mapping[str, str]) -> list[dict[str, Any]]:
        found = self.open_ones()
        size = int(query.get("limit" if self.kind == "gitea" else "per_page", "30"))
        assert query["state"] == ("opened" if self.kind == "gitlab" else "open")
        if self.kind == "github" and "head" in query:
            owner, _, branch = unquote(query["head"]).partition(":")
            found = [one for one in found if (one["owner"], one["head"]) == (owner, branch)]
            found = [one for one in found if one["base"] == query["base"]]
        elif self.kind == "gitlab" and "source_branch" in query:
            found = [one for one in found if one["head"] == query["source_branch"]]
        start = (int(query.get("page", "1")) - 1) * size
        return [self._shown(one) for one in found[start : start + size]]

    def _create(self, fields: Mapping[str, str]) -> Answer:
        gitlab = self.kind == "gitlab"
        head, base = (fields[name] for name in (("source_branch", "target_branch") if gitlab else ("head", "base")))
        if not self.host.git("for-each-ref", f"refs/heads/{head}"):
            return self._refused(422, f"head {head} is invalid")
        for one in self.open_ones():
            if (one["head"], one["base"], one["owner"]) == (head, base, "acme"):
                return self._exists(one)
        body = fields.get("description" if gitlab else "body", "")
        self.add(head, base, title=fields["title"])
        self.pulls[-1]["body"] = body
        if self.lose_next_creation:
            self.lose_next_creation = False
            return 502, {}, b"<html>Bad Gateway</html>"
        return self._json(201, self._shown(self.pulls[-1]))

    def _update(self, number: int, fields: Mapping[str, str]) -> Answer:
        one = self.pulls[number - 1]
        one |= {"title": fields["title"], "body": fields["description" if self.kind == "gitlab" else "body"]}
        return self._json(200 if self.kind != "gitea" else 201, self._shown(one))

    def _exists(self, one: Mapping[str, Any]) -> Answer:
        if self.kind == "github":
            return self._refused(422, f"A pull request already exists for acme:{one['head']}.")
        if self.kind == "gitlab":
            said = f"Another open merge request already exists for this source branch: !{one['number']}"
            return self._json(409, {"message": [said]})
        said = f"pull request already exists for these targets [id: 7, issue_id: {one['number']}, head_repo_id: 1]"
        return self._json(409, {"message": said, "url": "https://forge.test/api/swagger"})

    def _refused(self, status: int, said: str) -> Answer:
        error = {"resource": "PullRequest", "code": "custom", "message": said}
        return self._json(status, {"message": "Validation Failed", "errors": [error], "documentation_url": "https://d"})

    def _shown(self, one: Mapping[str, Any]) -> dict[str, Any]:
        number = one["number"]
        words = {"id": 1000 + number, "title": one["title"], "user": {"login": "bot"}}
        if self.kind == "gitlab":
            url = f"https://forge.test/acme/shop/-/merge_requests/{number}"
            branches = {"source_branch": one["head"], "target_branch": one["base"]}
            projects = {"source_project_id": 5 if one["owner"] == "acme" else 6, "target_project_id": 5}
            said = {"description": one["body"], "state": "opened", "draft": False, "merge_status": "can_be_merged"}
            author = {"author": {"username": "bot"}, "sha": one["sha"]}
            return {**words, "iid": number, "web_url": url, **branches, **projects, **said, **author}
        repo = {"id": 1, "full_name": f"{one['owner']}/shop"}
        head = {"label": f"{one['owner']}:{one['head']}", "ref": one["head"], "sha": one["sha"], "repo": repo}
        base = {
            "label": f"acme:{one['base']}",
            "ref": one["base"],
            "sha": "1" * 40,
            "repo": repo | {"full_name": REPOSITORY},
        }
        url = f"https://forge.test/acme/shop/pull{'' if self.kind == 'github' else 's'}/{number}"
        # Gitea ends lines as browsers do once somebody has edited there.
        body = one["body"] if self.kind == "github" else one["body"].replace("\n", "\r\n")
        return {**words, "number": number, "html_url": url, "state": "open", "body": body, "head": head, "base": base}

    def _json(self, status: int, value: object) -> Answer:
        return status, {"Content-Type": "application/json"}, json.dumps(value).encode()
