"""Reads `jobs:` and their steps."""

from __future__ import annotations

import re
from collections.abc import Mapping

from tidegate.workflow.cursor import Cursor, table_or_empty
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
    Step,
    Strategy,
    Table,
    Template,
)
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
    STEP,
    STEP_IF,
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
_STEP_KEYS = ("id", "if", "name", "uses", "run", "with", "env", "shell", "working-directory", "timeout-minutes",
              "continue-on-error")  # fmt: skip
_ID = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,99}", re.ASCII)


def read_jobs(cursor: Cursor) -> Mapping[str, Job]:
    """The jobs by id; ids, needs and cycles among them are checked."""
    jobs: dict[str, Job] = {}
    for name, entry in cursor.entries().items():
        if not _ID.fullmatch(name):
            entry.problem(f"{name!r} is no id of a job", _ID_HELP, where=entry.key)
        if name.lower() in {other.lower() for other in jobs}:
            entry.problem(f"the job id {name!r} is used twice (ids ignore case)", where=entry.key)
        jobs[name] = _job(name, entry)
    if not jobs and isinstance(cursor.value, dict):
        cursor.problem("a workflow needs at least one job", where=cursor.key)
    _check_needs(cursor, jobs)
    return jobs


_ID_HELP = "an id begins with a letter or _ and goes on with letters, digits, - and _, 100 at most"


def _job(name: str, cursor: Cursor) -> Job:
    calls = isinstance(cursor.value, dict) and "uses" in cursor.value
    fields = cursor.fields(_CALL_KEYS if calls else _JOB_KEYS, ("uses",) if calls else ("runs-on", "steps"))
    get = fields.get
    if "snapshot" in fields:
        fields["snapshot"].problem("'snapshot' is not supported", "remove it", where=fields["snapshot"].key)
    return Job(
        id=name,
        where=cursor.key,
        name=_optional(get("name"), JOB),
        needs=fields["needs"].texts() if "needs" in fields else (),
        condition=fields["if"].condition(JOB_IF) if "if" in fields else ALWAYS_ON_SUCCESS,
        runs_on=fields["runs-on"].tree(JOB) if "runs-on" in fields else None,
        env=table_or_empty(get("env"), JOB_ENV),
        defaults=read_defaults(get("defaults"), DEFAULTS),
        outputs=_outputs(get("outputs")),
        strategy=_strategy(get("strategy")),
        timeout_minutes=fields["timeout-minutes"].setting(JOB, "number") if "timeout-minutes" in fields else None,
        continue_on_error=_flag(get("continue-on-error"), JOB),
        permissions=read_permissions(get("permissions")),
        concurrency=read_concurrency(get("concurrency"), JOB),
        environment=_environment(get("environment")),
        container=_container(fields["container"]) if "container" in fields else None,
        services=_services(get("services")),
        steps=_steps(fields["steps"]) if "steps" in fields else (),
        calls=_called(cursor, fields) if calls else None,
    )


def _optional(cursor: Cursor | None, available: Available) -> Scalar | None:
    return None if cursor is None else cursor.scalar(available)


def _flag(cursor: Cursor | None, available: Available) -> Scalar:
    return Literal(False) if cursor is None else cursor.setting(available, "boolean")


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
    return RunDefaults(_optional(fields.get("shell"), available), _optional(fields.get("working-directory"), available))


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
    return Concurrency(group, _flag(fields.get("cancel-in-progress"), available), cursor.key)


def _environment(cursor: Cursor | None) -> Environment | None:
    if cursor is None:
        return None
    if not isinstance(cursor.value, dict):
        return Environment(cursor.scalar(JOB), where=cursor.key)
    fields = cursor.fields(("name", "url", "deployment"), ("name",))
    if "deployment" in fields:
        fields["deployment"].setting(JOB, "boolean")
    name = fields["name"].scalar(JOB) if "name" in fields else Literal("")
    return Environment(name, _optional(fields.get("url"), ENVIRONMENT_URL), cursor.key)


def _strategy(cursor: Cursor | None) -> Strategy:
    if cursor is None:
        return Strategy()
    fields = cursor.fields(("matrix", "fail-fast", "max-parallel"))
    limit = fields["max-parallel"].setting(STRATEGY, "number") if "max-parallel" in fields else None
    fail_fast = _flag(fields["fail-fast"], STRATEGY) if "fail-fast" in fields else Literal(True)
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
        options=_optional(fields.get("options"), JOB),
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


def _steps(cursor: Cursor) -> tuple[Step, ...]:
    steps = tuple(_step(place, item) for place, item in enumerate(cursor.items()))
    if not steps and isinstance(cursor.value, list):
        cursor.problem("a job needs at least one step", where=cursor.key)
    seen: set[str] = set()
    for step, item in zip(steps, cursor.items() if steps else (), strict=True):
        if step.id is None:
            continue
        if not _ID.fullmatch(step.id) or step.id.startswith("__"):
            item.child("id").problem(f"{step.id!r} is no id of a step", _ID_HELP)
        if step.id.lower() in seen:
            item.child("id").problem(f"the step id {step.id!r} is used twice in this job (ids ignore case)")
        seen.add(step.id.lower())
    return steps


def _step(place: int, cursor: Cursor) -> Step:
    fields = cursor.fields(_STEP_KEYS)
    get = fields.get
    _check_kind(cursor, fields)
    return Step(
        index=place,
        where=cursor.where,
        id=fields["id"].text() if "id" in fields else None,
        name=_optional(get("name"), STEP),
        condition=fields["if"].condition(STEP_IF) if "if" in fields else ALWAYS_ON_SUCCESS,
        uses=fields["uses"].text() if "uses" in fields else None,
        run=_optional(get("run"), STEP),
        inputs=table_or_empty(get("with"), STEP),
        env=table_or_empty(get("env"), STEP),
        shell=fields["shell"].text() if "shell" in fields else None,
        working_directory=_optional(get("working-directory"), STEP),
        timeout_minutes=fields["timeout-minutes"].setting(STEP, "number") if "timeout-minutes" in fields else None,
        continue_on_error=_flag(get("continue-on-error"), STEP),
        uses_where=fields["uses"].where if "uses" in fields else cursor.where,
    )


_ACTION = re.compile(r"\./.*|\.\\.*|docker://\S+|[^/@\s]+/[^/@\s]+(?:/[^@\s]+)?@\S+")


def _check_kind(cursor: Cursor, fields: Mapping[str, Cursor]) -> None:
    if not isinstance(cursor.value, dict):
        return
    if ("uses" in fields) == ("run" in fields):
        problem = "a step has either 'uses' or 'run', not both" if "uses" in fields else "a step needs 'uses' or 'run'"
        cursor.problem(problem)
        return
    misplaced = ("shell", "working-directory") if "uses" in fields else ("with",)
    for name in misplaced:
        if name in fields:
            other = "run" if "uses" in fields else "uses"
            fields[name].problem(f"{name!r} goes with '{other}' only", where=fields[name].key)
    if "uses" in fields and isinstance(fields["uses"].value, str) and not _ACTION.fullmatch(fields["uses"].value):
        fields["uses"].problem(
            f"{fields['uses'].value!r} names no action", "write OWNER/NAME@REF, OWNER/NAME/PATH@REF or ./PATH"
        )


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
