"""Reads `jobs:` and their steps."""

from __future__ import annotations

import re
from collections.abc import Mapping

from tidegate.workflow.cursor import Cursor, flag_or_false, scalar_or_none, table_or_empty
from tidegate.workflow.model import (
    ALWAYS_ON_SUCCESS,
    CalledWorkflow,
    Concurrency,
    Container,
    Environment,
    Job,
    Listing,
    Literal,
    Permissions,
    RunDefaults,
    Scalar,
    Strategy,
    Table,
    Template,
)
from tidegate.workflow.parse_steps import ID, ID_HELP, read_steps
from tidegate.workflow.scopes import (
    CALL_SECRETS,
    CONTAINER_ENV,
    CREDENTIALS,
    DEFAULTS,
    ENVIRONMENT_URL,
    JOB,
    JOB_ENV,
    JOB_IF,
    JOB_OUTPUT,
    STRATEGY,
    Available,
)

SCOPES = (
    "actions", "artifact-metadata", "attestations", "checks", "contents", "deployments", "discussions", "id-token",
    "issues", "models", "packages", "pages", "pull-requests", "repository-projects", "security-events", "statuses",
)  # fmt: skip
_COMMON = ("name", "needs", "if", "permissions", "concurrency", "strategy")
_JOB_KEYS = (
    *_COMMON, "runs-on", "environment", "env", "defaults", "outputs", "timeout-minutes", "cancel-timeout-minutes",
    "continue-on-error", "container", "services", "steps", "snapshot",
)  # fmt: skip
_CALL_KEYS = (*_COMMON, "uses", "with", "secrets")


def read_jobs(cursor: Cursor) -> Mapping[str, Job]:
    """The jobs by id; ids, needs and cycles among them are checked."""
    jobs: dict[str, Job] = {}
    for name, entry in cursor.entries().items():
        if not ID.fullmatch(name):
            entry.problem(f"{name!r} is no id of a job", ID_HELP, where=entry.key)
        if name.lower() in {other.lower() for other in jobs}:
            entry.problem(f"the job id {name!r} is used twice (ids ignore case)", where=entry.key)
        jobs[name] = _job(name, entry)
    if not jobs and isinstance(cursor.value, dict):
        cursor.problem("a workflow needs at least one job", where=cursor.key)
    _check_needs(cursor, jobs)
    return jobs


def _job(name: str, cursor: Cursor) -> Job:
    calls = isinstance(cursor.value, dict) and "uses" in cursor.value
    fields = cursor.fields(_CALL_KEYS if calls else _JOB_KEYS, ("uses",) if calls else ("runs-on", "steps"))
    get = fields.get
    if "snapshot" in fields:
        fields["snapshot"].problem("'snapshot' is not supported", "remove it", where=fields["snapshot"].key)
    return Job(
        id=name,
        where=cursor.key,
        name=scalar_or_none(get("name"), JOB),
        needs=fields["needs"].texts() if "needs" in fields else (),
        condition=fields["if"].condition(JOB_IF) if "if" in fields else ALWAYS_ON_SUCCESS,
        runs_on=fields["runs-on"].tree(JOB) if "runs-on" in fields else None,
        env=table_or_empty(get("env"), JOB_ENV),
        defaults=read_defaults(get("defaults"), DEFAULTS),
        outputs=_outputs(get("outputs")),
        strategy=_strategy(get("strategy")),
        timeout_minutes=fields["timeout-minutes"].setting(JOB, "number") if "timeout-minutes" in fields else None,
        continue_on_error=flag_or_false(get("continue-on-error"), JOB),
        permissions=read_permissions(get("permissions")),
        concurrency=read_concurrency(get("concurrency"), JOB),
        environment=_environment(get("environment")),
        container=_container(fields["container"]) if "container" in fields else None,
        services=_services(get("services")),
        steps=read_steps(fields["steps"]) if "steps" in fields else (),
        calls=_called(cursor, fields) if calls else None,
    )


def _outputs(cursor: Cursor | None) -> Mapping[str, Scalar]:
    if cursor is None:
        return {}
    return {name: entry.scalar(JOB_OUTPUT) for name, entry in cursor.entries().items()}


def read_defaults(cursor: Cursor | None, available: Available) -> RunDefaults:
    """`defaults`, of which only `run` is defined."""
    run = cursor.fields(("run",)).get("run") if cursor is not None else None
    if run is None:
        return RunDefaults()
    fields = run.fields(("shell", "working-directory"))
    shell, folder = (scalar_or_none(fields.get(name), available) for name in ("shell", "working-directory"))
    return RunDefaults(shell, folder)


def read_permissions(cursor: Cursor | None) -> Permissions | None:
    """`permissions`; None where nothing is written."""
    if cursor is None:
        return None
    if isinstance(cursor.value, str):
        word = cursor.choice(("read-all", "write-all"))
        return Permissions(word.removesuffix("-all") or "none", {}, cursor.key)
    scopes = {}
    for name, entry in cursor.fields(SCOPES).items():
        scopes[name] = entry.choice(("read", "write", "none"))
        if (name, scopes[name]) in (("id-token", "read"), ("models", "write")):
            entry.problem(f"{name!r} can't be {scopes[name]!r}")
    return Permissions("none", scopes, cursor.key)


def read_concurrency(cursor: Cursor | None, available: Available) -> Concurrency | None:
    """`concurrency`: a group's name, or a mapping."""
    if cursor is None:
        return None
    if not isinstance(cursor.value, dict):
        return Concurrency(cursor.scalar(available), where=cursor.key)
    fields = cursor.fields(("group", "cancel-in-progress"), ("group",))
    group = fields["group"].scalar(available) if "group" in fields else Literal("")
    return Concurrency(group, flag_or_false(fields.get("cancel-in-progress"), available), cursor.key)


def _environment(cursor: Cursor | None) -> Environment | None:
    if cursor is None:
        return None
    if not isinstance(cursor.value, dict):
        return Environment(cursor.scalar(JOB), where=cursor.key)
    fields = cursor.fields(("name", "url", "deployment"), ("name",))
    if "deployment" in fields:
        fields["deployment"].setting(JOB, "boolean")
    name = fields["name"].scalar(JOB) if "name" in fields else Literal("")
    return Environment(name, scalar_or_none(fields.get("url"), ENVIRONMENT_URL), cursor.key)


def _strategy(cursor: Cursor | None) -> Strategy:
    if cursor is None:
        return Strategy()
    fields = cursor.fields(("matrix", "fail-fast", "max-parallel"))
    limit = fields["max-parallel"].setting(STRATEGY, "number") if "max-parallel" in fields else None
    fail_fast = flag_or_false(fields["fail-fast"], STRATEGY) if "fail-fast" in fields else Literal(True)
    matrix = _matrix(fields["matrix"]) if "matrix" in fields else None
    return Strategy(matrix, fail_fast, limit, cursor.key)


def _matrix(cursor: Cursor) -> Table | Template | None:
    tree = cursor.tree(STRATEGY)
    if isinstance(tree, Template):
        return tree
    if not isinstance(tree, Table):
        cursor.expected("a mapping, or one expression that gives it")
        return None
    for name, entry in cursor.entries().items():
        value = tree.entries[name]
        if not isinstance(value, Listing | Template):
            entry.expected("a list, or one expression that gives it")
        elif name in ("include", "exclude") and isinstance(value, Listing):
            for item, part in zip(entry.items(), value.items, strict=True):
                if not isinstance(part, Table | Template):
                    item.expected("a mapping")
    return tree


def _container(cursor: Cursor) -> Container | Template:
    if not isinstance(cursor.value, dict):
        return Container(cursor.scalar(JOB), where=cursor.key)
    fields = cursor.fields(("image", "env", "ports", "volumes", "options", "credentials"), ("image",))
    return _container_of(cursor, fields)


def _container_of(cursor: Cursor, fields: Mapping[str, Cursor]) -> Container:
    credentials = fields["credentials"].table(CREDENTIALS) if "credentials" in fields else None
    return Container(
        image=fields["image"].scalar(JOB) if "image" in fields else Literal(""),
        env=table_or_empty(fields.get("env"), CONTAINER_ENV),
        ports=fields["ports"].tree(JOB) if "ports" in fields else Listing(()),
        volumes=fields["volumes"].tree(JOB) if "volumes" in fields else Listing(()),
        options=scalar_or_none(fields.get("options"), JOB),
        credentials=credentials,
        where=cursor.key,
    )


def _services(cursor: Cursor | None) -> Mapping[str, Container] | Template:
    if cursor is None:
        return {}
    if isinstance(cursor.value, str):
        tree = cursor.table(JOB)
        return tree if isinstance(tree, Template) else {}
    services = {}
    keys = ("image", "env", "ports", "volumes", "options", "credentials", "command", "entrypoint")
    for name, entry in cursor.entries().items():
        fields = entry.fields(keys, ("image",))
        for word in ("command", "entrypoint"):
            if word in fields:
                fields[word].problem(f"{word!r} of a service is not supported", where=fields[word].key)
        services[name] = _container_of(entry, fields)
    return services


def _called(cursor: Cursor, fields: Mapping[str, Cursor]) -> CalledWorkflow:
    secrets: str | Table | None = None
    if "secrets" in fields:
        if fields["secrets"].value == "inherit":
            secrets = "inherit"
        else:
            table = fields["secrets"].table(CALL_SECRETS)
            secrets = table if isinstance(table, Table) else None
    uses = fields["uses"].text()
    if uses and not re.fullmatch(r"\./[^@]+\.ya?ml|[^/@\s]+/[^/@\s]+/[^@\s]+\.ya?ml@\S+", uses):
        fields["uses"].problem(
            f"{uses!r} names no reusable workflow", "write ./.github/workflows/FILE.yaml or OWNER/NAME/PATH.yaml@REF"
        )
    return CalledWorkflow(uses, table_or_empty(fields.get("with"), JOB), secrets, cursor.key, fields["uses"].where)


def _check_needs(cursor: Cursor, jobs: Mapping[str, Job]) -> None:
    known = {name.lower(): name for name in jobs}
    for name, job in jobs.items():
        for place, needed in enumerate(job.needs):
            if needed and needed.lower() not in known:
                needs = cursor.child(name).child("needs").one_or_more()[place]
                needs.problem(f"the job {name!r} needs {needed!r}, which is no job", f"jobs here: {', '.join(jobs)}")
    cycle = _cycle({name: [known[n.lower()] for n in job.needs if n.lower() in known] for name, job in jobs.items()})
    if cycle:
        way = " → ".join([*cycle, cycle[0]])
        cursor.problem(f"jobs need each other in a circle: {way}", where=cursor.child(cycle[0]).key)


def _cycle(needs: Mapping[str, list[str]]) -> list[str]:
    """The jobs of one circle, empty where there is none."""
    left = {name: set(others) for name, others in needs.items()}
    while free := [name for name, others in left.items() if not others & left.keys()]:
        for name in free:
            del left[name]
    if not left:
        return []
    way = [next(iter(left))]
    while True:
        following = next(name for name in needs[way[-1]] if name in left)
        if following in way:
            return way[way.index(following) :]
        way.append(following)
