"""A whole repository for somebody who has none: Flux's objects in the guide's layout, and one application. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tidegate.base.errors import AlreadyExists, InvalidInput
from tidegate.base.files import Files
from tidegate.lint.repository import read_repository
from tidegate.scaffold.draft import Draft
from tidegate.scaffold.new_app import Plan, plan_app
from tidegate.scaffold.repository_templates import APPS, APPS_LIST, AUTOMATION, FLUX_LIST, README, SYNC
from tidegate.scaffold.templates import fill
from tidegate.scaffold.wish import Wish, check_image, check_name
from tidegate.scaffold.yaml_text import scalar

CLUSTER = "clusters/my-cluster"
FLUX = f"{CLUSTER}/flux-system"


def plan_repository(files: Files, owner: str, name: str, registry: str, branch: str, wish: Wish) -> Plan:
    """The files of a new repository with one application, on top of what a folder holds; a README that is there stays.

    Raises AlreadyExists where Flux's objects are there already, InvalidInput for a name that can't be one.
    """
    image = f"{registry}/{owner.lower()}/{wish.name}"
    check_name(wish.name)
    check_image(image)
    if not owner.replace("-", "").replace("_", "").replace(".", "").isalnum() or not owner.isascii():
        raise InvalidInput(f"{owner!r} is no owner of repositories", remedy="the account's name: --owner OWNER")
    repository = read_repository(files)
    present = [*repository.automations, *repository.kustomizations, *repository.sources, *repository.policies]
    if present:
        raise AlreadyExists(
            f"{present[0].where}: this repository has Flux's objects already",
            remedy="`tidegate new app NAME` adds an application to it",
        )
    draft = Draft(files)
    for path, content in _base(owner, name, registry, branch).items():
        if not (path == "README.md" and draft.is_file(path)):
            draft.create(path, content)
    plan = plan_app(draft, replace(wish, image=image))
    return Plan(
        {**draft.changed, **plan.files}, plan.created | draft.created, plan.executable, plan.warnings, plan.notes
    )


def _base(owner: str, name: str, registry: str, branch: str) -> Mapping[str, bytes]:
    values = {
        "owner": owner, "repository": name, "registry": registry, "branch": scalar(branch), "cluster": CLUSTER
    }  # fmt: skip
    templates = {
        "README.md": README,
        "apps/kustomization.yaml": APPS_LIST,
        f"{CLUSTER}/apps.yaml": APPS,
        f"{FLUX}/gotk-sync.yaml": SYNC,
        f"{FLUX}/image-automation.yaml": AUTOMATION,
        f"{FLUX}/kustomization.yaml": FLUX_LIST,
    }
    return {path: fill(template, **values).encode() for path, template in templates.items()}
