"""The proof against loops: the way from a marker round to a marker, through push, workflow, image and policy. Pure.

An edge leads from a policy to a policy: a new tag of the first is written into a file whose commit may start a workflow
that may push a tag which the second may select. A circle of edges is a loop. Whatever is not known is taken to be so
that the loop closes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tidegate.base.errors import Where
from tidegate.base.frozen import frozen
from tidegate.kinds.image_update_automation import ImageUpdateAutomation
from tidegate.lint.building import Build
from tidegate.lint.catalogue import Selected
from tidegate.lint.findings import Finding, Level, Rule, Safe, Step
from tidegate.lint.holes import ANY, NAME, shown
from tidegate.lint.known import Known
from tidegate.lint.parts import parts
from tidegate.lint.remedies import remedy
from tidegate.lint.repository import Found
from tidegate.lint.starting import Started, pull_match, push_match
from tidegate.lint.writing import Mark, Target, by_path, certain_skip_word, marks, message_of, targets
from tidegate.workflow.model import Workflow

FEEDBACK_LOOP = Rule("feedback-loop", "An automation's commit starts the build that caused it", "loops.md")


@frozen
class Edge:
    """From the policies of a marker to a policy."""

    automation: Found[ImageUpdateAutomation]
    target: Target
    mark: Mark
    started: Started
    selected: Selected

    @property
    def key(self) -> tuple[object, ...]:
        """What one change breaks: the filter of the workflow that is started first."""
        return self.started.first.file, self.started.event


@frozen
class Proof:
    """What was found out about the loops of a repository."""

    findings: tuple[Finding, ...]
    proven: tuple[Safe, ...]
    loops: tuple[tuple[Edge, ...], ...] = ()
    turning: tuple[Edge, ...] = ()


def prove(known: Known) -> Proof:
    """Every loop that is possible, and for the automations without one the filters that hold. Each loop's remedy breaks
    all loops through that workflow; all of them together leave none.
    """
    edges = list(_edges(known))
    turning = _turning(edges)
    circles = _circles(turning)
    findings = tuple(_finding(circle, turning) for circle in circles)
    looping = {id(edge.automation) for edge in turning}
    rest = [automation for automation in known.repository.automations if id(automation) not in looping]
    return Proof(findings, tuple(_safe(automation, known) for automation in rest), tuple(circles), tuple(turning))


def _edges(known: Known) -> Iterator[Edge]:
    for automation in known.repository.automations:
        files = by_path(marks(automation, known.repository, known.catalogue))
        for target in targets(automation, known.catalogue) if files else ():
            for path, found in files.items():
                for started in known.starts.of_commit(automation, target, path):
                    for build in started.doings.builds:
                        for selected in known.catalogue.selected(build):
                            yield from (Edge(automation, target, mark, started, selected) for mark in found)


def _turning(edges: Sequence[Edge]) -> list[Edge]:
    """The edges that lie on a circle: those within a strongly connected part of the policies."""
    following: dict[int, set[int]] = {}
    for edge in edges:
        for policy in edge.mark.policies:
            following.setdefault(id(policy), set()).add(id(edge.selected.policy))
    part = parts(following)
    return [
        edge
        for edge in edges
        if any(part[id(policy)] == part[id(edge.selected.policy)] for policy in edge.mark.policies)
    ]


def _circles(edges: Sequence[Edge]) -> list[tuple[Edge, ...]]:
    """A circle for each workflow whose filter must change: those first that need nothing besides."""
    circles = _broken([edge for edge in edges if not edge.started.perhaps])
    keys = {circle[0].key for circle in circles}
    return circles + _broken([edge for edge in edges if edge.key not in keys])


def _broken(edges: Sequence[Edge]) -> list[tuple[Edge, ...]]:
    """Circles such that with the first edge of each broken none is left; circles of one edge come first."""
    circles: dict[tuple[object, ...], tuple[Edge, ...]] = {}
    for edge in edges:
        if any(policy is edge.selected.policy for policy in edge.mark.policies):
            circles.setdefault(edge.key, (edge,))
    left = _turning([edge for edge in edges if edge.key not in circles])
    while left:
        circles[left[0].key] = _shortest(left[0], left)
        left = _turning([edge for edge in left if edge.key not in circles])
    return list(circles.values())


def _shortest(first: Edge, edges: Sequence[Edge]) -> tuple[Edge, ...]:
    """The shortest circle through an edge that lies on one, breadth first."""
    from_policy: dict[int, list[Edge]] = {}
    for edge in edges:
        for policy in edge.mark.policies:
            from_policy.setdefault(id(policy), []).append(edge)
    wanted = {id(policy) for policy in first.mark.policies}
    ways: list[tuple[Edge, ...]] = [(first,)]
    seen: set[int] = set()
    for way in ways:
        end = id(way[-1].selected.policy)
        if end in wanted:
            return way
        if end not in seen:
            seen.add(end)
            ways += [(*way, edge) for edge in from_policy.get(end, [])]
    raise AssertionError("the edge lies on no circle")


def written_files(first: Edge, edges: Sequence[Edge]) -> list[str]:
    """The files that a workflow's filter must leave out, so that no loop begins with it."""
    return sorted({edge.mark.path for edge in edges if edge.key == first.key})


def _finding(circle: tuple[Edge, ...], edges: Sequence[Edge]) -> Finding:
    first = circle[0]
    files = written_files(first, edges)
    names_ = " and ".join(dict.fromkeys(edge.automation.name for edge in circle))
    workflows = " and ".join(dict.fromkeys(edge.started.workflow.file for edge in circle))
    conditions = list(dict.fromkeys(edge.started.perhaps for edge in circle if edge.started.perhaps))
    message = f"a commit of the automation {names_} starts {workflows}, whose image that automation commits again"
    if len(circle) > 1:
        message = f"commits of {names_} start {workflows}, whose images are committed again, round and round"
    if conditions:
        message += f", where {' and '.join(conditions)}"
    return Finding(
        FEEDBACK_LOOP,
        Level.WARNING if conditions else Level.ERROR,
        first.started.where,
        message,
        remedy(first.automation, first.started.first, first.started.event, files),
        (*(step for edge in circle for step in _way(edge)), _closing(circle)),
        tuple(dict.fromkeys(note for edge in circle for note in _notes(edge))),
    )


def _way(edge: Edge) -> Iterator[Step]:
    said = f"the automation {edge.automation.name} writes this marker and pushes to {edge.target.shown}"
    yield Step(edge.mark.where, said)
    yield from edge.started.way
    yield Step(_line(edge.selected.build.where, edge.started.workflow), f"it pushes {_image(edge.selected.build)}")
    image, policy = edge.selected.image, edge.selected.policy
    if image is not None:
        yield Step(image.place.at("spec", "image"), f"the ImageRepository {image.name} scans {image.model.image}")
    yield Step(policy.where, f"the ImagePolicy {policy.name} may select it")


def _closing(circle: tuple[Edge, ...]) -> Step:
    return Step(circle[0].mark.where, f"this marker names {circle[0].mark.marker.setter}, and is written again")


def _line(where: Where, workflow: Workflow) -> Where:
    return Where(where.file or workflow.file, where.line, where.column)


def _image(build: Build) -> str:
    return "any image" if build.reference == ANY else shown(build.reference)


def _notes(edge: Edge) -> Iterator[str]:
    build = edge.selected.build
    if build.note:
        yield build.note
    elif ANY in build.reference or NAME in build.reference:
        yield f"{_image(build)} is only known when the workflow runs; it is taken for one that the policy selects"
    if edge.selected.image is None:
        name = edge.selected.policy.model.repository_name
        yield f"the ImageRepository {name} is not in this repository; it is taken to scan that image"
    if edge.target.ref is None:
        yield "the branch is not said in this repository; it is taken for one that starts the workflow"


def _safe(automation: Found[ImageUpdateAutomation], known: Known) -> Safe:
    """Why no commit of an automation comes round: for each workflow that could, the filter that holds."""
    found = marks(automation, known.repository, known.catalogue)
    if not found:
        folder = automation.model.update_path
        message = f"the automation {automation.name} writes nothing: no marker below {folder} names a policy of its own"
        return Safe(automation.where, message)
    pushed = targets(automation, known.catalogue)
    reasons = [reason for target in pushed for reason in _reasons(automation, target, found, known)]
    where = " and ".join(dict.fromkeys(target.shown for target in pushed))
    files = ", ".join(by_path(found))
    message = f"no commit of the automation {automation.name} comes round; it writes {files} and pushes to {where}"
    if not reasons:
        reasons = [Step(automation.where, "no workflow here pushes an image that its policies select")]
    return Safe(automation.where, message, tuple(dict.fromkeys(reasons)))


def _reasons(
    automation: Found[ImageUpdateAutomation], target: Target, found: Sequence[Mark], known: Known
) -> Iterator[Step]:
    """For each workflow that the commit starts, why it leads nowhere; for each other one that builds an image of these
    policies, why it does not start.
    """
    files = list(by_path(found))
    started = [one for path in files for one in known.starts.of_commit(automation, target, path)]
    builds: dict[str, dict[Build, None]] = {}
    for one in started:
        builds.setdefault(one.workflow.file, {}).update(dict.fromkeys(one.doings.builds))
    policies = {id(policy) for mark in found for policy in mark.policies}
    for workflow in known.repository.workflows.values():
        if workflow.file in builds:
            pushed = ", ".join(dict.fromkeys(map(_image, builds[workflow.file])))
            said = f"it pushes {pushed}, which leads back to no marker" if pushed else "it pushes no image"
            where = Where(workflow.file, next(iter(workflow.triggers.values())).where.line)
            yield Step(where, f"{workflow.title} starts, but {said}")
        elif _selects(workflow, policies, known):
            yield _not_started(workflow, automation, target, files[0])


def _selects(workflow: Workflow, policies: set[int], known: Known) -> bool:
    """Whether a workflow pushes, on whatever event, what one of the policies may select."""
    selected = (one for build in known.builds[workflow.file] for one in known.catalogue.selected(build))
    return any(id(one.policy) in policies for one in selected)


def _not_started(workflow: Workflow, automation: Found[ImageUpdateAutomation], target: Target, path: str) -> Step:
    message = message_of(automation.model.message_template)
    match = push_match(workflow, target, path, message)
    if "push" not in workflow.triggers:
        match = pull_match(workflow, target, path, message) or match
    word = certain_skip_word(message)
    reason = f"the commit message says {word}" if word and "push" in workflow.triggers else match.reason
    if match.pattern:
        reason += f" ({match.pattern} leaves it out)"
    line = match.line or next(iter(workflow.triggers.values())).where.line
    return Step(Where(workflow.file, line), f"{workflow.title} does not start: {reason}")
