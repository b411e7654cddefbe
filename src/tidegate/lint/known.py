"""What several rules ask of a repository: which images its workflows may push, whenever they run. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from tidegate.kinds.image_policy import ImagePolicy
from tidegate.lint.building import Build
from tidegate.lint.catalogue import Catalogue
from tidegate.lint.facts import Facts
from tidegate.lint.repository import Found, Repository
from tidegate.lint.selecting import is_image, may_be_image
from tidegate.lint.starting import Starts
from tidegate.workflow.model import PushTrigger, Workflow


@dataclass(frozen=True)
class Known:
    """A repository, and what its workflows do."""

    repository: Repository
    starts: Starts
    catalogue: Catalogue

    @cached_property
    def builds(self) -> Mapping[str, tuple[Build, ...]]:
        """By workflow file, what its runs may push, by whatever they are started. What is only called is with its
        callers.
        """
        return {file: self._builds(workflow) for file, workflow in self.repository.workflows.items()}

    def _builds(self, workflow: Workflow) -> tuple[Build, ...]:
        found = [build for facts in _facts(workflow) for build in self.starts.doings(workflow, facts).builds]
        return tuple(dict.fromkeys(found))

    def builds_for(self, policy: Found[ImagePolicy]) -> list[Build]:
        """Every build that may be of the image that a policy selects from; empty where none surely is."""
        images = self.catalogue.scanned_by(policy)
        builds = [build for found in self.builds.values() for build in found]
        if not any(is_image(build.reference, image.model.image) for build in builds for image in images):
            return []
        return [build for build in builds if any(may_be_image(build.reference, image.model.image) for image in images)]


def _facts(workflow: Workflow) -> Iterator[Facts]:
    """The events that start a workflow; a push to each branch that its filter names, where it only names some."""
    for name, trigger in workflow.triggers.items():
        if name == "workflow_call":
            continue
        if not isinstance(trigger, PushTrigger):
            yield Facts(name)
        elif trigger.tags is None and trigger.branches is not None and not trigger.branches.ignore:
            wanted = [pattern for pattern in trigger.branches.patterns if not pattern.negated]
            names = [pattern.glob.prefix if pattern.glob.is_literal else None for pattern in wanted]
            yield from (Facts("push", branch) for branch in names)
        else:
            yield Facts("push")
