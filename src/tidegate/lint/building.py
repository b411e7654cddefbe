"""Which images a run of a workflow may push: through every job and step that may run, with all that is known. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from tidegate.base.errors import TidegateError, Where
from tidegate.base.frozen import frozen
from tidegate.lint.facts import REPOSITORY, Facts
from tidegate.lint.holes import ANY, is_known
from tidegate.lint.scripts import Script, environment_of, read_script
from tidegate.lint.static import OPEN, Known, Open, Scope, as_value, data, holds, says, text, texts
from tidegate.lint.tagging import metadata_tags
from tidegate.workflow.matrix import combine
from tidegate.workflow.model import Job, Step, Table, Template, Tree, Workflow

DEEPEST_CALL = 4
"""Workflows that call one another are followed this deep; of what is deeper anything is expected."""

_HARMLESS = re.compile(
    r"actions/(?!github-script)[\w.-]+|docker/(?:setup-[\w-]+|login-action)|github/codeql-action|sigstore/cosign-installer|"
    r"hadolint/[\w-]+|golangci/[\w-]+|codecov/[\w-]+|astral-sh/[\w-]+|pre-commit/[\w-]+|aquasecurity/trivy-action|"
    r"dorny/paths-filter|tj-actions/changed-files|fluxcd/flux2"
)
_HINTS = re.compile(r"push|docker|image|container|registry|buildah|podman|kaniko|buildpack|oci|\bko\b|jib|bake")
_STARTERS = re.compile(r"release|tag|commit|push|dispatch|version|create-pull-request")
_PUSHERS = re.compile(r"docker|podman|buildah|skopeo|crane|kaniko|oras|push|uses:|using:\s*['\"]?(?:docker|node)")

_OTHERS = re.compile(r"\./|\.sh\b|action_path|ACTION_PATH|\b(?:make|just|gradlew?|mvnw?|bazel)\b")


@frozen
class Build:
    """An image that a run may push: its reference with holes, where that is said, the platforms (None where they are
    not known), the job's id, and why anything is expected where little is known.
    """

    reference: str
    where: Where
    job: str
    platforms: tuple[str, ...] | None = None
    note: str = ""


@frozen
class Doings:
    """What a run may do: images that it pushes, and whether it may start other workflows (by a push, a release or a
    dispatch of its own).
    """

    builds: tuple[Build, ...] = ()
    starts: Where | None = None


@dataclass(slots=True)
class _Walk:
    """One job with one combination of its matrix, step by step."""

    workflow: Workflow
    job: Job
    facts: Facts
    scope: Scope
    actions: Mapping[str, bytes]
    env: dict[str, str] = field(default_factory=dict)
    env_is_open: bool = False
    logged_in: bool = False
    steps: dict[str, Known] = field(default_factory=dict)
    builds: list[Build] = field(default_factory=list)
    starts: Where | None = None

    def run(self) -> None:
        """All steps that may run, in order."""
        self._enter(texts(self.workflow.env, self.scope))
        self._enter(texts(self.job.env, self._now()))
        for step in self.job.steps:
            runs = holds(step.condition, self._now())
            if runs is not False:
                self._step(step, certain=runs is True)

    def _enter(self, more: Mapping[str, str] | None) -> None:
        self.env_is_open = self.env_is_open or more is None
        self.env |= more or {}

    def _now(self) -> Scope:
        env = {name: as_value(value) for name, value in self.env.items()}
        known: Known = Open(fields={name.lower(): value for name, value in env.items()}) if self.env_is_open else env
        return self.scope.having(env=known, steps=Open(fields=self.steps))

    def _step(self, step: Step, *, certain: bool) -> None:
        """One step; of what it hands on nothing is known where it may be passed over."""
        outer = self.env
        own = texts(step.env, self._now())
        self.env = {**self.env, **(own or {})}
        handed: Known = OPEN
        variables: Mapping[str, str] | None = {}
        if step.run is not None:
            script = self._script(step)
            self._take_script(step, script)
            outputs = script.outputs if script.outputs is not None else {}
            handed = Open(fields={name.lower(): as_value(value) for name, value in outputs.items()})
            variables = script.variables
        elif step.uses is not None:
            handed, variables = self._uses(step, step.uses.partition("@")[0].lower())
        handed = handed if certain else OPEN
        self.env = {**outer, **({name: found if certain else ANY for name, found in (variables or {}).items()})}
        if variables is None:
            self.env = dict.fromkeys(self.env, ANY)
            self.env_is_open = True
        if step.id is not None:
            self.steps[step.id.lower()] = Open(fields={"outputs": handed})

    def _script(self, step: Step) -> Script:
        known = {**environment_of(REPOSITORY, self.facts.ref), **({} if self.env_is_open else self.env)}
        shell = step.shell or _shell(self.job, self.workflow)
        return read_script(text(step.run, self._now()), known, shell)

    def _take_script(self, step: Step, script: Script) -> None:
        self.logged_in = self.logged_in or script.logs_in or _reads_secret(step.run)
        self.starts = self.starts or (step.where if script.starts else None)
        for pushed in script.pushes:
            self._add(pushed.reference, self._line(step, pushed.line))
        if script.runs_others and self._may_push(step):
            self._add(ANY, self._line(step, 0), "the script starts other programs, which may push any image")

    def _line(self, step: Step, number: int) -> Where:
        """Where a script's line is; lines count from 0."""
        source = step.run.source if isinstance(step.run, Template) else str(getattr(step.run, "value", ""))
        where = step.run.where if step.run is not None else step.where
        lines = source.split("\n")
        if self.workflow.source is None or number >= len(lines):
            return where
        return self.workflow.source.within(where, source, sum(len(line) + 1 for line in lines[:number]))

    def _may_push(self, step: Step) -> bool:
        """Whether something unknown may push: with a login, with `packages: write`, or with a secret handed to it."""
        if (self.job.permissions or self.workflow.permissions) and _writes_packages(self.job, self.workflow):
            return True
        tables = (self.workflow.env, self.job.env, step.env, step.inputs)
        return self.logged_in or any(map(_holds_secret, tables))

    def _uses(self, step: Step, name: str) -> tuple[Known, Mapping[str, str] | None]:
        """What a used action may push; its outputs, and the variables that it sets."""
        inputs = texts(step.inputs, self._now())
        given = {key.lower(): value for key, value in (inputs or {}).items()}
        if name == "docker/build-push-action":
            self._build(step, given if inputs is not None else None)
        elif name == "docker/metadata-action":
            return self._metadata(given)
        elif name.startswith(("./", "$/")):
            return OPEN, self._local(step)
        elif name == "docker/login-action" or _HARMLESS.fullmatch("/".join(name.split("/")[:2])):
            self.logged_in = self.logged_in or name == "docker/login-action"
        else:
            self.logged_in = self.logged_in or "login" in name
            hinted = bool(_HINTS.search(name) or any(_HINTS.search(key) for key in given))
            if "login" not in name and (hinted or self._may_push(step)):
                self._add(ANY, step.uses_where, f"{step.uses} is not known here, and may push any image")
            if _STARTERS.search(name):
                self.starts = self.starts or step.uses_where
        return OPEN, {}

    def _local(self, step: Step) -> Mapping[str, str] | None:
        """An action of this repository: read only for words of something that pushes. The variables that it sets."""
        folder = (step.uses or "")[2:].strip("/")
        found = next(
            (self.actions[path] for end in ("yml", "yaml") if (path := f"{folder}/action.{end}") in self.actions), None
        )
        if found is not None and b"git push" in found:
            self.starts = self.starts or step.uses_where
        said = found.decode("utf-8", "replace") if found is not None else ""
        if found is None or _PUSHERS.search(said) or (_OTHERS.search(said) and self._may_push(step)):
            self._add(ANY, step.uses_where, f"{step.uses} may push any image")
        return None if found is None or "GITHUB_ENV" in said else {}

    def _build(self, step: Step, given: Mapping[str, str] | None) -> None:
        if given is None:
            self._add(ANY, step.uses_where, "an expression gives all inputs of the build")
            return
        outputs = given.get("outputs", "")
        exported = any(word in outputs for word in ("push=true", "registry", ANY))
        entry = step.inputs.entries.get("push") if isinstance(step.inputs, Table) else None
        if says(entry, self._now()) is False and not exported:
            return
        where = step.uses_where
        if isinstance(step.inputs, Table) and "tags" in step.inputs.entries:
            where = step.inputs.entries["tags"].where
        platforms = given.get("platforms", "")
        wanted = tuple(_items(platforms)) if is_known(platforms) and platforms.strip() else None
        for item in _items(given.get("tags", "")):
            self._add(item, where, "", wanted)
        for name in re.findall(r"name=([^,\n\"]+)", outputs):
            self._add(f"{name}{ANY}", where, "", wanted)

    def _metadata(self, given: Mapping[str, str]) -> tuple[Known, Mapping[str, str] | None]:
        made = metadata_tags(
            given.get("images", ""), given.get("tags", ""), given.get("flavor", ""), self.facts.event, self.facts.branch
        )
        joined = "\n".join(made)
        return Open(fields={"tags": as_value(joined)}), {"DOCKER_METADATA_OUTPUT_TAGS": joined}

    def _add(self, reference: str, where: Where, note: str = "", platforms: tuple[str, ...] | None = None) -> None:
        build = Build(reference, where, self.job.id, platforms, note)
        if build not in self.builds:
            self.builds.append(build)


def doings(workflow: Workflow, facts: Facts, workflows: Mapping[str, Workflow], actions: Mapping[str, bytes]) -> Doings:
    """What a run of a workflow may do; called workflows of the same repository are followed."""
    return _doings(workflow, facts, workflows, actions, DEEPEST_CALL)


def _doings(
    workflow: Workflow, facts: Facts, workflows: Mapping[str, Workflow], actions: Mapping[str, bytes], depth: int
) -> Doings:
    builds: list[Build] = []
    starts: Where | None = None
    needs: dict[str, Known] = {}
    certain: set[str] = set()
    for job in _in_order(workflow):
        scope = facts.scope().having(needs=Open(fields=needs))
        runs = holds(job.condition, scope)
        if runs is False:
            continue
        if runs and certain.issuperset(name.lower() for name in job.needs):
            certain.add(job.id.lower())
        results: list[Mapping[str, Known]] = []
        for combination in _combinations(job, scope):
            inner = scope.having(matrix=combination)
            if job.calls is not None:
                found = _called(workflow, job, facts, inner, workflows, actions, depth)
            else:
                walk = _Walk(workflow, job, facts, inner, actions)
                walk.run()
                found = Doings(tuple(walk.builds), walk.starts)
                results.append({name: as_value(text(entry, walk._now())) for name, entry in job.outputs.items()})  # noqa: SLF001
            builds += [build for build in found.builds if build not in builds]
            starts = starts or found.starts
        if job.id.lower() in certain:
            needs[job.id.lower()] = Open(fields={"outputs": _agreed(results)})
    return Doings(tuple(builds), starts)


def _called(
    workflow: Workflow,
    job: Job,
    facts: Facts,
    scope: Scope,
    workflows: Mapping[str, Workflow],
    actions: Mapping[str, bytes],
    depth: int,
) -> Doings:
    assert job.calls is not None
    called = workflows.get(job.calls.uses.removeprefix("./")) if job.calls.uses.startswith("./") else None
    if called is None and job.calls.secrets is None and not _writes_packages(job, workflow):
        return Doings()
    if called is None or not depth:
        note = f"{job.calls.uses} is not here, and may push any image"
        return Doings((Build(ANY, job.calls.where, job.id, None, note),))
    table = job.calls.inputs
    given = (
        {name.lower(): data(entry, scope) for name, entry in table.entries.items()} if isinstance(table, Table) else {}
    )
    trigger = called.triggers.get("workflow_call")
    for one in getattr(trigger, "inputs", ()):
        if one.default is not None and isinstance(table, Table):
            given.setdefault(one.name.lower(), data(one.default, scope))
    return _doings(called, replace(facts, inputs=given), workflows, actions, depth - 1)


def _agreed(results: list[Mapping[str, Known]]) -> Known:
    """A job's outputs: those of which all combinations of its matrix say the same."""
    if not results:
        return OPEN
    first, *others = results
    return Open(fields={name.lower(): found for name, found in first.items() if all(o[name] == found for o in others)})


def _in_order(workflow: Workflow) -> Iterator[Job]:
    """The jobs, each after those that it needs."""
    done: set[str] = set()
    waiting = list(workflow.jobs.values())
    while waiting:
        ready = [job for job in waiting if all(name.lower() in done for name in job.needs)] or waiting
        yield from ready
        done |= {job.id.lower() for job in ready}
        waiting = [job for job in waiting if job.id.lower() not in done]


def _combinations(job: Job, scope: Scope) -> list[Known]:
    """The matrix contexts; one that is open where an expression gives part of it."""
    matrix = job.strategy.matrix
    if matrix is None:
        return [{}]
    found = data(matrix, scope)
    if _is_open(found):
        return [OPEN]
    try:
        return list(combine(found, job.strategy.where))
    except TidegateError:
        return [OPEN]


def _is_open(found: Known) -> bool:
    if isinstance(found, Mapping):
        return any(map(_is_open, found.values()))
    return any(map(_is_open, found)) if isinstance(found, list) else isinstance(found, Open)


def _writes_packages(job: Job, workflow: Workflow) -> bool:
    """Whether a job's token may write packages; where nothing is written, the repository's settings say so."""
    permissions = job.permissions or workflow.permissions
    return permissions is None or permissions.scopes.get("packages", permissions.every) == "write"


def _shell(job: Job, workflow: Workflow) -> str | None:
    for defaults in (job.defaults, workflow.defaults):
        if defaults.shell is not None:
            return str(getattr(defaults.shell, "value", "")) or "open"
    return None


def _items(listing: str) -> list[str]:
    return [item.strip() for line in listing.splitlines() for item in line.split(",") if item.strip()]


def _holds_secret(table: Table | Template) -> bool:
    """Whether a mapping hands on a secret or the run's token."""
    if isinstance(table, Template):
        return True
    return any(map(_reads_secret, table.entries.values()))


def _reads_secret(tree: Tree | None) -> bool:
    if not isinstance(tree, Template):
        return False
    source = tree.source.lower()
    return "secrets" in source or "github.token" in source
