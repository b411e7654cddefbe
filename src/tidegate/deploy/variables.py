"""The variables of `spec.postBuild`, gathered from the ConfigMaps and Secrets that it names."""

from __future__ import annotations

from collections.abc import Mapping

from tidegate.base.errors import InvalidInput, NotFound, Where
from tidegate.deploy.post_build import check_names
from tidegate.engine.ports import Store
from tidegate.engine.secrets import read_secret
from tidegate.kinds.common import mapping
from tidegate.kinds.kustomization import Kustomization, SubstituteFrom
from tidegate.kinds.objects import ObjectKey

ALWAYS = "Always"


async def variables_of(spec: Kustomization, store: Store) -> Mapping[str, str] | None:
    """The variables to put in, or None where nothing is: a later source wins over an earlier one, and what the spec
    says itself over all. NotFound where a source is not there and not optional, InvalidInput for a wrong name.
    """
    if spec.post_build is None:
        return None
    found: dict[str, str] = {}
    for index, source in enumerate(spec.post_build.substitute_from):
        data = await _data(source, spec.key.namespace, store)
        check_names(data, f"spec.postBuild.substituteFrom[{index}]")
        found |= {name: value.replace("\n", "") for name, value in data.items()}
    check_names(spec.post_build.substitute, "spec.postBuild.substitute")
    found |= spec.post_build.substitute
    return found if found or spec.post_build.strategy == ALWAYS else None


async def _data(source: SubstituteFrom, namespace: str, store: Store) -> Mapping[str, str]:
    try:
        if source.kind == "Secret":
            return {
                name: _text(value, source) for name, value in (await read_secret(store, namespace, source.name)).items()
            }
        found = await store.get(ObjectKey("", source.kind, namespace, source.name))
    except NotFound:
        if source.optional:
            return {}
        message = f"substitute from '{source.kind}/{source.name}' error: it does not exist in {namespace}"
        remedy = "make it, or set optional: true"
        raise NotFound(message, where=Where(field="spec.postBuild.substituteFrom"), remedy=remedy) from None
    return {str(name): str(value) for name, value in mapping(found.get("data")).items()}


def _text(value: bytes, source: SubstituteFrom) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise InvalidInput(f"substitute from '{source.kind}/{source.name}' error: a value is no text") from None
