"""`transformers`, `generators` and `validators`: kustomize's built-in kinds, configured by objects of their own. Pure.

Anything that would run a program or a container is refused by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tidegate.base.errors import InvalidInput, Where
from tidegate.deploy.kustomize.fieldspecs import FieldSpec
from tidegate.deploy.kustomize.files import Folder
from tidegate.deploy.kustomize.generators import generate
from tidegate.deploy.kustomize.hashing import content_hash
from tidegate.deploy.kustomize.images import replace_images
from tidegate.deploy.kustomize.labels import set_entries, set_replicas, spec_of
from tidegate.deploy.kustomize.names import add_prefix, add_suffix
from tidegate.deploy.kustomize.namespaces import MODES, set_namespace
from tidegate.deploy.kustomize.patches import apply_json6902, apply_patches_entry, apply_strategic
from tidegate.deploy.kustomize.replacements import read_replacements, replace_all
from tidegate.deploy.kustomize.resource import Resource, ResourceMap
from tidegate.deploy.kustomize.value_adding import add_value

Config = Mapping[str, Any]
Transform = Callable[[ResourceMap, Config, Folder, Where], None]


def transform(resources: ResourceMap, config: Resource, folder: Folder) -> None:
    """Apply the transformer that an object configures; InvalidInput for a kind that is not built in."""
    function = _TRANSFORMERS.get(config.kind) if _is_builtin(config) else None
    if function is None:
        raise _unknown(config, "transformer", _TRANSFORMERS)
    function(resources, config.data, folder, config.where())
    resources.drop_empty()


def generated(config: Resource, folder: Folder) -> Resource:
    """The object that a generator makes; InvalidInput for a kind that is not built in."""
    kinds = {"ConfigMapGenerator": "ConfigMap", "SecretGenerator": "Secret"}
    if not _is_builtin(config) or config.kind not in kinds:
        raise _unknown(config, "generator", kinds)
    arguments = {"name": config.name, "namespace": config.namespace, **config.data}
    return generate(kinds[config.kind], arguments, {}, folder, config.where())


def add_hashes(resources: Sequence[Resource]) -> None:
    """Put the hash of its content behind the name of each object that asks for it."""
    for resource in resources:
        if resource.add_hash:
            digest = content_hash(resource)
            resource.remember_id()
            resource.data["metadata"]["name"] = f"{resource.name}-{digest}"


def _is_builtin(config: Resource) -> bool:
    return config.data.get("apiVersion") == "builtin"


def _unknown(config: Resource, what: str, known: Mapping[str, Any]) -> InvalidInput:
    remedy = f"built in are: {', '.join(sorted(known))}"
    return InvalidInput(f"the {what} {config.gvk} is not supported", where=config.where("kind"), remedy=remedy)


def _specs(config: Config, default: Sequence[FieldSpec] = ()) -> list[FieldSpec]:
    given = config.get("fieldSpecs")
    return [spec_of(one) for one in given] if given else list(default)


def _metadata(config: Config) -> Config:
    metadata = config.get("metadata")
    return metadata if isinstance(metadata, dict) else {}


def _namespace(resources: ResourceMap, config: Config, _folder: Folder, where: Where) -> None:
    mode = config.get("setRoleBindingSubjects") or MODES[0]
    if mode not in MODES:
        raise InvalidInput(f"setRoleBindingSubjects must be one of {', '.join(MODES)}", where=where)
    if namespace := _metadata(config).get("namespace"):
        set_namespace(
            resources, str(namespace), _specs(config), unset_only=bool(config.get("unsetOnly")), subjects=mode
        )


def _prefix(resources: ResourceMap, config: Config, _folder: Folder, where: Where) -> None:
    add_prefix(resources.resources, str(config.get("prefix") or ""), _required_specs(config, where))


def _suffix(resources: ResourceMap, config: Config, _folder: Folder, where: Where) -> None:
    add_suffix(resources.resources, str(config.get("suffix") or ""), _required_specs(config, where))


def _required_specs(config: Config, where: Where) -> list[FieldSpec]:
    if config.get("fieldSpecs") is None:
        raise InvalidInput("fieldSpecs are required", where=where)
    return _specs(config)


def _labels(resources: ResourceMap, config: Config, _folder: Folder, _where: Where) -> None:
    set_entries(resources.resources, config.get("labels") or {}, _specs(config))


def _annotations(resources: ResourceMap, config: Config, _folder: Folder, _where: Where) -> None:
    set_entries(resources.resources, config.get("annotations") or {}, _specs(config))


def _images(resources: ResourceMap, config: Config, _folder: Folder, _where: Where) -> None:
    replace_images(resources.resources, config.get("imageTag") or {}, _specs(config))


def _replicas(resources: ResourceMap, config: Config, _folder: Folder, _where: Where) -> None:
    replica = config.get("replica") or {}
    set_replicas(resources, str(replica.get("name") or ""), int(replica.get("count") or 0), _specs(config))


def _patch(resources: ResourceMap, config: Config, folder: Folder, where: Where) -> None:
    apply_patches_entry(resources, config, folder, where)


def _json_patch(resources: ResourceMap, config: Config, folder: Folder, where: Where) -> None:
    apply_json6902(resources, {**config, "patch": config.get("jsonOp")}, folder, where)


def _strategic(resources: ResourceMap, config: Config, folder: Folder, where: Where) -> None:
    patches = [*(config.get("paths") or []), *([config["patches"]] if config.get("patches") else [])]
    if not patches:
        raise InvalidInput("paths or patches are required", where=where)
    for patch in patches:
        apply_strategic(resources, str(patch), folder, where)


def _replacements(resources: ResourceMap, config: Config, folder: Folder, where: Where) -> None:
    entries = read_replacements(config.get("replacements") or [], folder, where)
    replace_all(resources.resources, entries, where)


def _hash(resources: ResourceMap, _config: Config, _folder: Folder, _where: Where) -> None:
    add_hashes(resources.resources)


def _prefix_suffix(resources: ResourceMap, config: Config, folder: Folder, where: Where) -> None:
    _prefix(resources, config, folder, where)
    _suffix(resources, config, folder, where)


_TRANSFORMERS: dict[str, Transform] = {
    "AnnotationsTransformer": _annotations,
    "HashTransformer": _hash,
    "ImageTagTransformer": _images,
    "LabelTransformer": _labels,
    "NamespaceTransformer": _namespace,
    "PatchJson6902Transformer": _json_patch,
    "PatchStrategicMergeTransformer": _strategic,
    "PatchTransformer": _patch,
    "PrefixSuffixTransformer": _prefix_suffix,
    "PrefixTransformer": _prefix,
    "ReplacementTransformer": _replacements,
    "ReplicaCountTransformer": _replicas,
    "SuffixTransformer": _suffix,
    "ValueAddTransformer": add_value,
}
