"""An automation that pushes to a branch which nothing here deploys."""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.lint.findings import Finding, Level, Rule
from tidegate.lint.known import Known
from tidegate.lint.writing import targets

RULE = Rule("branch-not-deployed", "A push branch that nothing deploys", "lint.md#branch-not-deployed")


def check(known: Known) -> Iterator[Finding]:
    """A warning for each such branch, where the repository holds what deploys at all: a person may merge it."""
    repository = known.repository
    deployed = set()
    for kustomization in repository.kustomizations:
        reference = kustomization.model.source_ref
        sources = known.catalogue.sources.named(
            reference.namespace or kustomization.model.key.namespace, reference.name
        )
        deployed |= {source.model.branch for source in sources}
    if not deployed:
        return
    for automation in repository.automations:
        for target in targets(automation, known.catalogue):
            if target.branch is not None and target.branch not in deployed:
                message = f"the automation {automation.name} pushes to {target.branch}, which nothing here deploys"
                branches = ", ".join(sorted(deployed))
                remedy = f"push to what is deployed ({branches}), or merge the branch there, by a pull request say"
                yield Finding(RULE, Level.WARNING, target.where, message, remedy)
