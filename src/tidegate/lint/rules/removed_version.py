"""Flux's objects in versions that Flux has dropped. Tidegate reads them; Flux refuses to apply them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tidegate.kinds.common import Model
from tidegate.lint.findings import Finding, Level, Rule
from tidegate.lint.known import Known
from tidegate.lint.repository import Found

RULE = Rule("removed-version", "An object in a version that Flux has dropped", "lint.md#removed-version")
SERVED = "v1"
_DROPPED_FIELDS = (".Updated", ".Changed.ImageResult")


def check(known: Known) -> Iterator[Finding]:
    """A warning at each apiVersion; also where a message's template would not survive the new one."""
    repository = known.repository
    for found in removed(known):
        written = found.raw["apiVersion"]
        group = str(written).partition("/")[0]
        message = f"Flux has dropped {written}, and refuses this {found.model.key.kind}"
        yield Finding(RULE, Level.WARNING, found.place.at("apiVersion"), message, f"write apiVersion: {group}/{SERVED}")
    for automation in repository.automations:
        template = automation.model.message_template or ""
        for field in _DROPPED_FIELDS:
            if field in template and automation.model.version != SERVED:
                where = automation.place.key("spec", "git", "commit", "messageTemplate")
                message = f"the template uses {field}, which {SERVED} does not have"
                yield Finding(RULE, Level.WARNING, where, message, "use .Changed.Changes or .Changed.Objects")


def removed(known: Known) -> Iterator[Found[Model]]:
    """The objects in a dropped version."""
    repository = known.repository
    kinds: tuple[Sequence[Found[Model]], ...] = (
        repository.automations, repository.policies, repository.images, repository.sources, repository.kustomizations,
        repository.receivers,
    )  # fmt: skip
    for objects in kinds:
        yield from (found for found in objects if found.model.version != SERVED)
