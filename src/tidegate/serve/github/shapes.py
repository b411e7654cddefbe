"""Objects as GitHub's REST API shows them. Pure: from a WorkflowRun, a workflow's file, a commit to JSON values.

The fields and their meanings: https://docs.github.com/en/rest/actions (API version 2022-11-28).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from tidegate.base.frozen import frozen
from tidegate.git.values import Commit, Signature
from tidegate.kinds.objects import Object, annotation
from tidegate.kinds.workflow_run import COMPLETED, QUEUED, TITLE
from tidegate.runner.asking import is_asked_again
from tidegate.runner.contexts import ref_parts
from tidegate.runner.names import run_id
from tidegate.serve.github.ids import job_id, node_id, repository_id, user_id, workflow_id

LOGIN = "tidegate"
"""The login of whoever holds the home's token, as `tidegate login` writes it."""
STARTUP_FAILURE = "startup_failure"
Json = dict[str, Any]


@frozen
class Links:
    """Where things are: `base` is this server as the client calls it, `repository` is OWNER/NAME."""

    base: str
    repository: str = ""

    def api(self, path: str = "") -> str:
        """A URL of the API; below the repository where there is one."""
        inside = f"repos/{self.repository}" if self.repository else ""
        return "/".join(part for part in (f"{self.base}/api/v3", inside, path) if part)

    def run(self, run: Object) -> str:
        """The API's URL of a run."""
        return self.api(f"actions/runs/{id_of(run)}")

    def page(self, run: Object) -> str:
        """The page of a run, for people."""
        return f"{self.base}/runs/{run['metadata']['name']}"


@frozen
class WorkflowFile:
    """A workflow: its file, its name, whether the file is on the default branch, and when that branch last moved."""

    path: str
    name: str
    present: bool = True
    changed: str = ""


def id_of(run: Object) -> int:
    """A run's number: its `github.run_id`."""
    return run_id(str(run["metadata"]["name"]))


def as_asked(run: Object) -> Object:
    """A run that is to run again is queued from that moment on, as its next attempt, of which nothing is known yet."""
    if not is_asked_again(run):
        return run
    return {**run, "status": {"status": QUEUED, "attempt": attempt_of(run) + 1}}


def attempt_of(run: Object) -> int:
    """The attempt that a run's status shows; a run that has not begun is at its first."""
    return int((run.get("status") or {}).get("attempt") or 1)


def user(links: Links, login: str) -> Json:
    """Somebody, by login."""
    number = user_id(login)
    return {
        "login": login,
        "id": number,
        "node_id": node_id("User", number),
        "avatar_url": "",
        "url": f"{links.base}/api/v3/users/{quote(login, safe='')}",
        "html_url": f"{links.base}/",
        "type": "User",
        "site_admin": False,
    }


def repository(links: Links, default_branch: str) -> Json:
    """A repository."""
    owner, _, name = links.repository.partition("/")
    number = repository_id(links.repository)
    return {
        "id": number,
        "node_id": node_id("Repository", number),
        "name": name,
        "full_name": links.repository,
        "private": False,
        "owner": user(links, owner),
        "html_url": f"{links.base}/",
        "description": None,
        "fork": False,
        "url": links.api(),
        "clone_url": f"{links.base}/git/{links.repository}.git",
        "default_branch": default_branch,
        "archived": False,
        "disabled": False,
        "visibility": "public",
        "has_issues": False,
        "permissions": {"admin": False, "push": False, "pull": True},
    }


def workflow(links: Links, file: WorkflowFile) -> Json:
    """A workflow. One whose file is gone from the default branch, but has runs, is `deleted`."""
    number = workflow_id(links.repository, file.path)
    url = links.api(f"actions/workflows/{number}")
    return {
        "id": number,
        "node_id": node_id("Workflow", number),
        "name": file.name,
        "path": file.path,
        "state": "active" if file.present else "deleted",
        "created_at": file.changed or None,
        "updated_at": file.changed or None,
        "url": url,
        "html_url": f"{links.base}/",
        "badge_url": "",
    }


def outline(links: Links, obj: Object) -> Json:
    """The fields of a run by which listings are narrowed down."""
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    return {
        **_head(spec),
        "event": str(spec.get("event") or ""),
        "status": status.get("status") or QUEUED,
        "conclusion": _run_conclusion(status),
        "created_at": _created(obj),
        "actor": user(links, str(spec.get("actor") or links.repository.partition("/")[0])),
    }


def run(links: Links, obj: Object, file: WorkflowFile, shown_repository: Json, head: Json | None = None) -> Json:
    """A run, as its last attempt is; `head` is its commit where that is known."""
    number, attempt, url, known = id_of(obj), attempt_of(obj), links.run(obj), outline(links, obj)
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    workflow_number = workflow_id(links.repository, file.path)
    return {
        "id": number,
        "name": file.name,
        "node_id": node_id("WorkflowRun", number),
        **known,
        "path": file.path,
        "display_title": annotation(obj, TITLE) or file.name,
        "run_number": int(spec.get("runNumber") or 0),
        "workflow_id": workflow_number,
        "check_suite_id": number,
        "check_suite_node_id": node_id("CheckSuite", number),
        "url": url,
        "html_url": links.page(obj),
        "pull_requests": [],
        "updated_at": updated_at(obj),
        "triggering_actor": known["actor"],
        "run_attempt": attempt,
        "referenced_workflows": [],
        "run_started_at": status.get("startedAt") or known["created_at"],
        "jobs_url": f"{url}/jobs",
        "logs_url": f"{url}/logs",
        "check_suite_url": links.api(f"check-suites/{number}"),
        "artifacts_url": f"{url}/artifacts",
        "cancel_url": f"{url}/cancel",
        "rerun_url": f"{url}/rerun",
        "previous_attempt_url": f"{url}/attempts/{attempt - 1}" if attempt > 1 else None,
        "workflow_url": links.api(f"actions/workflows/{workflow_number}"),
        "head_commit": head,
        "repository": shown_repository,
        "head_repository": shown_repository,
    }


def jobs(links: Links, obj: Object, workflow_name: str) -> list[Json]:
    """The jobs of a run's last attempt, those that are known so far."""
    found = (obj.get("status") or {}).get("jobs") or []
    return [job(links, obj, one, workflow_name) for one in found if isinstance(one, Mapping)]


def job(links: Links, obj: Object, one: Mapping[str, Any], workflow_name: str) -> Json:
    """One job of a run's last attempt."""
    name, spec = str(one.get("name", "")), obj.get("spec") or {}
    number = job_number(obj, one)
    created = (obj.get("status") or {}).get("startedAt") or _created(obj)
    started = one.get("startedAt") or one.get("completedAt") or created
    return {
        "id": number,
        "run_id": id_of(obj),
        "workflow_name": workflow_name,
        **_head(spec),
        "run_url": links.run(obj),
        "run_attempt": attempt_of(obj),
        "node_id": node_id("CheckRun", number),
        "url": links.api(f"actions/jobs/{number}"),
        "html_url": links.page(obj),
        "status": one.get("status") or QUEUED,
        "conclusion": one.get("conclusion"),
        "created_at": created,
        "started_at": started,
        "completed_at": one.get("completedAt"),
        "name": name,
        "steps": [_step(step) for step in one.get("steps") or () if isinstance(step, Mapping)],
        "check_run_url": links.api(f"check-runs/{number}"),
        "labels": [],
        "runner_id": None,
        "runner_name": None,
        "runner_group_id": None,
        "runner_group_name": None,
    }


def job_number(obj: Object, one: Mapping[str, Any]) -> int:
    """The number of a job of a run's last attempt."""
    return job_id(str(obj["metadata"]["name"]), attempt_of(obj), str(one.get("name", "")))


def notes(one: Mapping[str, Any]) -> list[Json]:
    """What a job says beyond its steps: why it failed, or what it waits for."""
    message = one.get("message")
    if not message:
        return []
    level = "failure" if one.get("conclusion") in ("failure", "timed_out") else "warning"
    return [
        {
            "path": ".github",
            "start_line": 1,
            "end_line": 1,
            "annotation_level": level,
            "title": "",
            "message": str(message),
            "raw_details": "",
        }
    ]


def _head(spec: Mapping[str, Any]) -> Json:
    """Of which branch a run is, and which commit: those of a pull request's own branch, not what would be merged."""
    cause = spec.get("cause") or {}
    if cause.get("number") and cause.get("head"):
        return {"head_branch": str(cause.get("branch", "")), "head_sha": str(cause["head"])}
    return {"head_branch": branch_of(str(spec.get("ref") or "")), "head_sha": str(spec.get("commit") or "")}


def branch_of(ref: str) -> str:
    """A branch or tag by its short name."""
    return ref_parts(ref)[1]


def updated_at(obj: Object) -> str:
    """When a run last changed: its end, or the last time that any part of it tells."""
    status = obj.get("status") or {}
    if status.get("status") == COMPLETED and status.get("completedAt"):
        return str(status["completedAt"])
    jobs_, times = status.get("jobs") or [], [_created(obj), status.get("startedAt")]
    parts = [part for one in jobs_ for part in (one, *(one.get("steps") or ()))]
    times += [part.get(name) for part in parts for name in ("startedAt", "completedAt")]
    return max(str(time) for time in times if time)


def newest_first(runs: Sequence[Object]) -> list[Object]:
    """Runs in the order in which GitHub lists them."""
    return sorted(
        runs, key=lambda one: (_created(one), int((one.get("spec") or {}).get("runNumber") or 0)), reverse=True
    )


def _run_conclusion(status: Mapping[str, Any]) -> str | None:
    """A run that failed before it had any job could not start."""
    conclusion: str | None = status.get("conclusion")
    return STARTUP_FAILURE if conclusion == "failure" and not status.get("jobs") else conclusion


def _step(step: Mapping[str, Any]) -> Json:
    return {
        "name": str(step.get("name", "")),
        "status": step.get("status") or QUEUED,
        "conclusion": step.get("conclusion"),
        "number": int(step.get("number") or 0),
        "started_at": step.get("startedAt"),
        "completed_at": step.get("completedAt"),
    }


def head_commit(commit: Commit) -> Json:
    """The commit of a run."""
    return {
        "id": commit.id,
        "tree_id": commit.tree,
        "message": commit.message.rstrip("\n"),
        "timestamp": rfc3339(commit.time),
        "author": _person(commit.author),
        "committer": _person(commit.committer),
    }


def _person(one: Signature) -> Json:
    return {"name": one.name, "email": one.email}


def rfc3339(seconds: int) -> str:
    """Seconds since 1970 as GitHub writes a time; what no calendar has, as 1970."""
    try:
        moment = datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        moment = datetime.fromtimestamp(0, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _created(obj: Object) -> str:
    return str(obj["metadata"].get("creationTimestamp") or "")
