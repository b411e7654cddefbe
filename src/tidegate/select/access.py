"""Whether an ImagePolicy may use an ImageRepository of another namespace: `spec.accessFrom`. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from tidegate.kinds.image_repository import ImageRepository


def access_refused(repository: ImageRepository, namespace: str, labels: Mapping[str, str]) -> str | None:
    """Why a policy of `namespace`, which has these labels, may not use the repository, in Flux's words; None where it
    may. Its own namespace always may; another one where any selector's labels are all among its own.
    """
    if namespace == repository.key.namespace:
        return None
    name = f"'{repository.key.namespace}/{repository.key.name}'"
    if repository.access_from is None:
        return f"{name} can't be accessed due to missing ACL labels on 'accessFrom'"
    if any(selector.items() <= dict(labels).items() for selector in repository.access_from):
        return None
    return f"{name} can't be accessed due to ACL labels mismatch on namespace '{namespace}'"
