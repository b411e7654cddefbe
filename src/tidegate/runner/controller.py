"""Reconciles Runner: which pushes of its repository were not handled yet, and which workflows do they start?

What to do is derived from two things that are stored: the refs handled last and the refs that are there. A lost hint, a
repeated one or a crash at any point changes nothing: names of runs are derived too, and a second creation fails.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tidegate.base.errors import AlreadyExists, InvalidInput, NotFound, TidegateError
from tidegate.base.frozen import frozen
from tidegate.base.steps import Step, reach
from tidegate.engine.clock import rfc3339
from tidegate.engine.outcome import Context, Outcome, Ready, Stalled, Trigger, Waiting
from tidegate.git.repository import Repository
from tidegate.kinds.conditions import Condition, find
from tidegate.kinds.not_deployed import NOT_DEPLOYED, not_deployed
from tidegate.kinds.objects import Object, ObjectKey, annotation, key_of
from tidegate.kinds.runner import GROUP, KIND, Runner
from tidegate.kinds.workflow_run import KIND as RUN_KIND
from tidegate.runner.feed import PushKey, RunFeed
from tidegate.runner.linking import workflows_at
from tidegate.runner.names import of_repository
from tidegate.runner.pushes import REF_KINDS, TAGS_AT_ONCE, RefChange, changes, many_tags, push_event
from tidegate.runner.repositories import Repositories, is_url_of
from tidegate.runner.request_desk import Seen, see_requests
from tidegate.runner.request_watch import RequestWatch
from tidegate.runner.requested import admission, default_branch, is_admitted
from tidegate.runner.run_objects import due_run, pushed_run
from tidegate.runner.standing import Standing, Timed, due_schedules, follow, standing_of, timed
from tidegate.workflow.model import Workflow
from tidegate.workflow.triggers import Event, matches

INTERVAL = 60.0
SOONEST = 0.5
WORKFLOWS_VALID = "WorkflowsValid"
_CONDITION_FIELDS = ("type", "status", "reason", "message")


@frozen
class _Start:
    """A workflow that a push starts; `problems` where its file can't be read."""

    file: str
    problems: str = ""


@dataclass(slots=True)
class _Progress:
    """What one reconciliation has come to: the refs handled, the last number of each workflow, pushes in all."""

    refs: dict[str, str | None]
    numbers: dict[str, int]
    sequence: int
    invalid: dict[str, str] | None = None


@frozen
class _Stands:
    """What was started without a push, what the status keeps of it, and when to look again, in seconds."""

    created: list[str] = field(default_factory=list)
    status: Mapping[str, Any] = field(default_factory=dict)
    requeue_after: float = INTERVAL


class RunnerController:
    """Creates the runs of a repository. `watch` looks at the open requests of its forge, None where it has none."""

    name = "runner-controller"
    group = GROUP
    kind = KIND

    def __init__(self, repositories: Repositories, feed: RunFeed, watch: RequestWatch | None = None):
        self._repositories = repositories
        self._watch = watch
        self._feed = feed
        self.triggers: Sequence[Trigger] = (
            Trigger("source.toolkit.fluxcd.io", "GitRepository", _followers, _revision_seen),
            Trigger(GROUP, RUN_KIND, self._runners_of, _run_state),
        )
        self._standing: dict[ObjectKey, Standing] = {}
        # Every run is seen at each start, so none is missed; to list all of them at each look would be too much.
        self._asked: dict[tuple[str, str], set[ObjectKey]] = {}

    async def reconcile(self, obj: Object, ctx: Context) -> Outcome:
        """Handle every ref that moved, and remember where each is."""
        if obj["metadata"].get("deletionTimestamp"):
            self._standing.pop(key_of(obj), None)
            if self._watch is not None:
                self._watch.forget(key_of(obj))
            return Ready("deleted")
        try:
            runner = Runner.from_object(obj)
        except InvalidInput as error:
            return Stalled("InvalidSpec", str(error))
        repository = await self._repositories(runner)
        if repository is None:
            return Waiting(f"a push to {runner.repository}, or a GitRepository of it", requeue_after=INTERVAL)
        status = obj.get("status") or {}
        present = await repository.refs()
        progress = _Progress({}, dict(status.get("runNumbers") or {}), int(status.get("pushes") or 0))
        moved = changes(runner.refs, present)
        # The same for all refs of one look: after a crash another look may find more of them, and names must not move.
        progress.sequence += 1 if moved else 0
        created: list[str] = []
        for change in moved:
            created += await self._handle(obj, runner, repository, change, progress, ctx)
        for number, change in enumerate(many_tags(runner.refs, present)):
            notes = () if number else (f"more than {TAGS_AT_ONCE} new tags at once start nothing",)
            self._feed.handled(PushKey(runner.repository, change.ref, change.new), notes)
        await self._admit(runner, repository, progress, ctx)
        stands = await self._stand(obj, runner, repository, present, progress, ctx)
        created += stands.created
        seen = await self._see_requests(obj, runner, progress, ctx)
        created += seen.created
        for ref in runner.refs.keys() | present.keys():
            if ref.startswith(REF_KINDS):
                progress.refs[ref] = present.get(ref)
        handled = sum(1 for commit in progress.refs.values() if commit)
        return Ready(
            f"{handled} refs of {runner.repository} are handled",
            status={
                "refs": progress.refs,
                "runNumbers": progress.numbers,
                "pushes": progress.sequence,
                **stands.status,
                **seen.status,
            },
            requeue_after=SOONEST if seen.more else stands.requeue_after,
            event=f"started {', '.join(created)}" if created else None,
            conditions=[*_conditions(status, progress.invalid), *await _deployed(obj, ctx), *seen.conditions],
        )

    async def _handle(
        self,
        obj: Object,
        runner: Runner,
        repository: Repository,
        change: RefChange,
        progress: _Progress,
        ctx: Context,
    ) -> list[str]:
        """Create the runs of one ref's move; the names of those that are new."""
        key = PushKey(runner.repository, change.ref, change.new)
        try:
            head = await repository.head()
            workflows = await asyncio.to_thread(workflows_at, repository, change.new)
            if not workflows:
                self._feed.handled(key)
                progress.invalid = {} if change.ref == head else progress.invalid
                return []
            known = runner.refs.get(head or "")
            event = await push_event(repository, change, name=runner.repository, known=known)
            starts, reasons = await asyncio.to_thread(_starts, workflows, event)
            author = await repository.log(change.new)
            if change.ref == head:
                progress.invalid = _invalid(workflows)
                self._standing[runner.key] = standing_of(head, change.new, workflows)
            created = []
            for start in starts:
                run = pushed_run(obj, runner, change, start.file, start.problems, author, progress.sequence)
                if await self._create(run, key, start, progress, ctx):
                    created.append(run["metadata"]["name"])
        except TidegateError as error:
            told = f"error: the workflows of {runner.repository} can't be started yet: {error.explain()}"
            self._feed.put_off(key, told.splitlines())
            raise
        self._feed.handled(key, () if starts else reasons)
        return created

    async def _admit(self, runner: Runner, repository: Repository, progress: _Progress, ctx: Context) -> None:
        """Give the runs that were asked for what they need to begin."""
        asked = self._asked.get((runner.key.namespace, runner.repository.lower()), set())
        for key in sorted(asked):
            with contextlib.suppress(NotFound):  # it was deleted meanwhile
                run = await ctx.store.get(key)
                if not is_admitted(run):
                    await self._admit_one(run, repository, progress, ctx)
            asked.discard(key)

    async def _admit_one(self, run: Object, repository: Repository, progress: _Progress, ctx: Context) -> None:
        patch = await admission(repository, run)
        if spec := patch.get("spec"):
            whole = {**run, "spec": {**run["spec"], **spec}}
            spec["runNumber"] = await _next_number(ctx, whole, progress, spec["workflow"])
            progress.numbers[spec["workflow"]] = spec["runNumber"]
        await ctx.store.patch(key_of(run), patch, manager=self.name)

    def _runners_of(self, run: Object, runners: Sequence[Object]) -> list[ObjectKey]:
        """The Runners of a run that waits to be admitted, or that other workflows follow."""
        namespace = str(run["metadata"].get("namespace", ""))
        repository = str((run.get("spec") or {}).get("repository", ""))
        if not is_admitted(run):
            self._asked.setdefault((namespace, repository.lower()), set()).add(key_of(run))
        keys = [key_of(one) for one in runners if of_repository(one, repository)]
        return [key for key in keys if key.namespace == namespace and (not is_admitted(run) or self._follows(key))]

    def _follows(self, key: ObjectKey) -> bool:
        """Whether workflows of a Runner follow runs, as far as it was looked at: it is, soon after every start."""
        standing = self._standing.get(key)
        return standing is not None and bool(standing.followers)

    async def _stand(
        self,
        obj: Object,
        runner: Runner,
        repository: Repository,
        present: Mapping[str, str],
        progress: _Progress,
        ctx: Context,
    ) -> _Stands:
        """Start what is due without a push: schedules, and what follows other runs."""
        status, head = obj.get("status") or {}, default_branch(await repository.head(), present)
        if head is None:
            return _Stands()
        standing = self._standing.get(runner.key)
        if standing is None or (standing.ref, standing.commit) != (head, present[head]):
            workflows = await asyncio.to_thread(workflows_at, repository, present[head])
            standing = self._standing[runner.key] = standing_of(head, present[head], workflows)
        now = ctx.clock.now().replace(microsecond=0)
        since = _moment(status.get("scheduledUntil"))
        missed = await self._scheduled_before(runner, repository, standing)
        due, following = await asyncio.to_thread(due_schedules, standing, since or now, now, missed)
        # Moved on only where it matters: a status is not written for a mere look.
        until = rfc3339(now) if due or since is None or missed is not None else str(status.get("scheduledUntil"))
        marks: Mapping[str, Any] | None = None
        if standing.followers:
            listing = await ctx.store.list(GROUP, RUN_KIND, namespace=runner.key.namespace)
            runs = [run for run in listing.items if of_repository(run, runner.repository) and is_admitted(run)]
            found = follow(standing, runs, status.get("followed"))
            due, marks = [*due, *found.due], found.marks
        created = []
        author = await repository.log(standing.commit) if due else None
        for one in due:
            assert author is not None
            run = due_run(obj, runner, standing, one, author)
            if await self._create(run, None, _Start(one.file), progress, ctx):
                created.append(run["metadata"]["name"])
        wait = (following - now).total_seconds() if following else INTERVAL
        moments = {"scheduledUntil": until if standing.schedules else None, "followed": marks}
        return _Stands(created, moments, min(INTERVAL, max(wait, SOONEST)))

    async def _see_requests(self, obj: Object, runner: Runner, progress: _Progress, ctx: Context) -> Seen:
        """Start what open requests start, where the default branch has a workflow for them."""
        standing = self._standing.get(runner.key)
        if self._watch is None or standing is None or not standing.wants_requests:
            return Seen()

        async def create(run: Object, file: str, problems: str) -> bool:
            return await self._create(run, None, _Start(file, problems), progress, ctx)

        return await see_requests(self._watch, obj, runner, ctx, create)

    async def _scheduled_before(
        self, runner: Runner, repository: Repository, standing: Standing
    ) -> frozenset[Timed] | None:
        """Where the default branch has moved, the schedules that it had before: only these can have missed a time. None
        where it has not.
        """
        old = runner.refs.get(standing.ref)
        if old == standing.commit or not standing.schedules:
            return None
        if old is None or await repository.resolve(old) is None:
            return frozenset()
        return timed(standing_of(standing.ref, old, await asyncio.to_thread(workflows_at, repository, old)))

    async def _create(self, run: Object, key: PushKey | None, start: _Start, progress: _Progress, ctx: Context) -> bool:
        """Create one run with the next number of its workflow; False where it is there already. `key` is its push."""
        name, namespace = run["metadata"]["name"], run["metadata"]["namespace"]
        run["spec"]["runNumber"] = await _next_number(ctx, run, progress, start.file)
        if key is not None:
            self._feed.expect(key, name)
        try:
            stored = await ctx.store.create(run, manager=self.name)
            created = True
        except AlreadyExists:
            stored = await ctx.store.get(ObjectKey(GROUP, RUN_KIND, namespace, name))
            created = False
        progress.numbers[start.file] = max(progress.numbers.get(start.file, 0), int(stored["spec"]["runNumber"]))
        if (stored.get("status") or {}).get("status") == "completed":
            self._feed.close(name)
        if created:
            reach(Step.RUN_CREATED)
        return created


async def _next_number(ctx: Context, run: Object, progress: _Progress, file: str) -> int:
    """One more than any run of the workflow has had, also one whose number was not recorded before a crash."""
    listing = await ctx.store.list(GROUP, RUN_KIND, namespace=run["metadata"]["namespace"])
    taken = [
        int(found["spec"].get("runNumber", 0))
        for found in listing.items
        if of_repository(found, run["spec"]["repository"]) and found["spec"].get("workflow") == file
    ]
    return max([progress.numbers.get(file, 0), *taken]) + 1


def _starts(workflows: Mapping[str, Workflow | str], event: Event) -> tuple[list[_Start], list[str]]:
    """What the event starts, and for the others why not. A file that can't be read is reported when it changes."""
    starts, reasons = [], []
    for file, workflow in workflows.items():
        if isinstance(workflow, str):
            if event.changed is None or file in event.changed:
                starts.append(_Start(file, workflow))
            continue
        match = matches(workflow, event)
        if match.runs:
            starts.append(_Start(file))
        else:
            reasons.append(f"{file} does not run: {match.reason}")
    return starts, reasons


def _invalid(workflows: Mapping[str, Workflow | str]) -> dict[str, str]:
    """The workflows that can't be read, with what is wrong."""
    return {file: text for file, text in workflows.items() if isinstance(text, str)}


def _conditions(status: Mapping[str, Any], invalid: Mapping[str, str] | None) -> list[Condition]:
    """Whether all workflows of the default branch can be read; as before, where it did not move (None)."""
    if invalid is None:
        before = find(status.get("conditions") or [], WORKFLOWS_VALID)
        return [Condition(*(str(before[name]) for name in _CONDITION_FIELDS))] if before else []
    return [_workflows_condition(invalid)] if invalid else []


async def _deployed(obj: Object, ctx: Context) -> list[Condition]:
    """Why nothing of the repository is deployed, where its first push left that open."""
    if annotation(obj, NOT_DEPLOYED) is None:
        return []
    sources = (await ctx.store.list("source.toolkit.fluxcd.io", "GitRepository")).items
    own = {key_of(source) for source in sources if key_of(obj) in _followers(source, [obj])}
    kustomizations = (await ctx.store.list("kustomize.toolkit.fluxcd.io", "Kustomization")).items
    return not_deployed(obj, own, kustomizations)


def _workflows_condition(invalid: Mapping[str, str]) -> Condition:
    first = next(iter(invalid.values())).split("\n", 1)[0]
    more = f" (and {len(invalid) - 1} more files)" if len(invalid) > 1 else ""
    return Condition(WORKFLOWS_VALID, "False", "InvalidWorkflow", f"{first}{more}")


def _revision_seen(source: Object) -> object:
    """What wakes a source's Runners: a new revision, and somebody's wish to look, as a webhook's."""
    status = source.get("status") or {}
    return (status.get("artifact") or {}).get("revision"), status.get("lastHandledReconcileAt")


def _followers(source: Object, runners: Sequence[Object]) -> list[ObjectKey]:
    """The Runners whose repository a source is, by name or URL: its new revision may be a push that they don't know."""
    return [key_of(runner) for runner in runners if _is_followed(source, runner)]


def _moment(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text)) if text else None
    except ValueError:
        return None


def _run_state(run: Object) -> object:
    status = run.get("status") or {}
    return is_admitted(run), status.get("status"), status.get("attempt")


def _is_followed(source: Object, runner: Object) -> bool:
    spec, found = runner.get("spec") or {}, key_of(source)
    if not (named := spec.get("sourceRef") or {}):
        return is_url_of(str((source.get("spec") or {}).get("url", "")), str(spec.get("repository", "")))
    namespace = named.get("namespace") or key_of(runner).namespace
    return (named.get("name"), namespace) == (found.name, found.namespace)
