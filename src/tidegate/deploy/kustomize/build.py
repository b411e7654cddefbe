"""A folder → its objects: resources are read, bases built first, then every transformer of the file does its part, in
kustomize's order. Pure: files come from the tree that is given, and nothing else is reached.
"""

from __future__ import annotations

from collections.abc import Sequence

from tidegate.base.errors import InvalidInput, LimitExceeded, NotFound, TidegateError, Where
from tidegate.base.files import Files
from tidegate.deploy.kustomize.absorbing import absorb
from tidegate.deploy.kustomize.configs import Configuration
from tidegate.deploy.kustomize.fieldspecs import FieldSpec
from tidegate.deploy.kustomize.files import Folder, is_remote
from tidegate.deploy.kustomize.generators import generate
from tidegate.deploy.kustomize.images import replace_images
from tidegate.deploy.kustomize.kustfile import COMPONENT, Kustfile, read_kustfile
from tidegate.deploy.kustomize.labels import label_specs, set_entries, set_replicas
from tidegate.deploy.kustomize.names import add_prefix, add_suffix
from tidegate.deploy.kustomize.namespaces import set_namespace
from tidegate.deploy.kustomize.ordering import sort
from tidegate.deploy.kustomize.overlay import Overlay
from tidegate.deploy.kustomize.patches import apply_json6902, apply_patches_entry, apply_strategic
from tidegate.deploy.kustomize.plugins import add_hashes, generated, transform
from tidegate.deploy.kustomize.reading import read_resources
from tidegate.deploy.kustomize.references import fix_references
from tidegate.deploy.kustomize.replacements import read_replacements, replace_all
from tidegate.deploy.kustomize.resource import Resource, ResourceMap
from tidegate.kinds.objects import Object

DEEPEST = 50
BUILD_ANNOTATIONS = frozenset(
    (
        *("config.kubernetes.io/index", "config.kubernetes.io/path", "config.k8s.io/id"),
        *(
            f"internal.config.kubernetes.io/{name}"
            for name in (
                "index", "path", "id", "seqindent", "annotations-migration-resource-id", "helm-generated",
                "previousKinds", "previousNames", "previousNamespaces", "prefixes", "suffixes", "refBy",
                "generatorBehavior", "needsHashSuffix", "allowNameChange", "allowKindChange",
            )
        ),
    )
)  # fmt: skip
"""What kustomize notes down in annotations while it builds; no result keeps them, whoever has set them."""
NOT_SUPPORTED = ("vars", "buildMetadata", "validators")


def build(files: Files, path: str, *, restricted: bool = True, plain_folders: bool = False) -> list[Object]:
    """The objects of the folder `path`, in kustomize's order: see `build_resources`."""
    return [found.data for found in build_resources(files, path, restricted=restricted, plain_folders=plain_folders)]


def build_resources(
    files: Files, path: str, *, restricted: bool = True, plain_folders: bool = False, overlay: Overlay | None = None
) -> list[Resource]:
    """The objects of the folder `path`, in kustomize's order, each with the file that it was read from.

    `restricted` keeps a kustomization's files in or below its folder, as `kustomize build` does. With `plain_folders`
    a folder without a kustomization file stands for the YAML files below it, as Flux takes it; `overlay` is what its
    Kustomization says on top. InvalidInput and NotFound name the file, line and field at fault.
    """
    folder = Folder(files, path.strip("/"), restricted=restricted)
    if folder.path and not files.is_dir(folder.path):
        raise NotFound(f"there is no folder {path!r}")
    kustfile = _load(folder, plain_folders=plain_folders)
    if overlay is not None:
        kustfile = overlay.over(kustfile, folder.has_folder)
    resources = ResourceMap()
    configuration = Configuration()
    _Target(folder, kustfile).accumulate(resources, configuration)
    add_hashes(resources.resources)
    fix_references(resources.resources, configuration.references())
    kept = [resource for resource in resources.resources if not resource.local]
    resources = ResourceMap(kept)
    options = kustfile.fields.get("sortOptions")
    if options is not None:
        sort(resources, options, kustfile.where("sortOptions"))
    for resource in resources.resources:
        _finish(resource)
    return resources.resources


def _finish(resource: Resource) -> None:
    for field, value in (("kind", resource.kind), ("metadata.name", resource.name)):
        if not value and not resource.kind.endswith("List"):
            raise InvalidInput(f"a patch has left {resource.id} without {field}", where=resource.where(field))
    if "annotations" in resource.metadata:
        kept = {name: text for name, text in resource.annotations().items() if name not in BUILD_ANNOTATIONS}
        resource.set_texts("annotations", kept)


def _load(folder: Folder, *, plain_folders: bool = False) -> Kustfile:
    name = folder.kustomization_file()
    if name is not None:
        return read_kustfile(folder.read(name), folder.full_name(name))
    place = folder.path or "the root"
    if not plain_folders:
        raise NotFound(f"there is no kustomization.yaml in {place}", remedy="write one that lists the resources")
    manifests = folder.manifests()
    if not manifests:
        raise NotFound(f"there are no manifests in {place}")
    return Kustfile(folder.full_name("kustomization.yaml"), {"resources": manifests})


class _Target:
    """One kustomization file, and what it makes of what is there already."""

    def __init__(self, folder: Folder, kustfile: Kustfile, depth: int = 0):
        if depth > DEEPEST:
            message = f"kustomizations refer to each other more than {DEEPEST} deep"
            raise LimitExceeded(message, where=Where(kustfile.file))
        self._folder = folder
        self._file = kustfile
        self._depth = depth
        self._configuration = Configuration()

    def accumulate(self, resources: ResourceMap, configuration: Configuration) -> None:
        """Add everything that this file and those it refers to come to, and what they add to the built-in field specs.
        A component also changes what was there.
        """
        self._refuse_unsupported()
        self._choose_types()
        self._configuration = configuration
        for index, name in enumerate(self._file.texts("resources")):
            resources.extend(self._resource(name, self._file.where("resources", index)))
        files, crds = self._file.texts("configurations"), self._file.texts("crds")
        configuration.read(files, crds, self._folder, self._file.where)
        self._generate(resources)
        for index, name in enumerate(self._file.texts("components")):
            self._component(resources, name, self._file.where("components", index))
        for transform_step in (self._patch, self._place_and_name, self._label, self._patch_again, self._count_and_copy):
            transform_step(resources)
        for config in self._configs("transformers"):
            transform(resources, config, self._folder)

    def _refuse_unsupported(self) -> None:
        for name in NOT_SUPPORTED:
            if self._file.fields.get(name):
                raise InvalidInput(f"the field {name} is not supported", where=self._file.where(name))

    def _choose_types(self) -> None:
        chosen = self._file.fields.get("openapi") or {}
        path, version = chosen.get("path"), chosen.get("version")
        if path and version:
            raise InvalidInput("give either path or version, not both", where=self._file.where("openapi"))
        if path:
            where = self._file.where("openapi", "path")
            self._folder.types.use_file(self._folder.read(path, where), self._folder.full_name(path))
        elif version:
            self._folder.types.use_built_in(version, self._file.where("openapi", "version"))

    def _resource(self, name: str, where: Where) -> list[Resource]:
        if self._folder.is_file(name):
            return read_resources(self._folder.read(name, where), self._folder.full_name(name))
        if is_remote(name):
            remedy = "copy it into the repository; nothing is fetched while manifests are built"
            raise InvalidInput(f"{name} is a remote resource, which is not supported", where=where, remedy=remedy)
        sub = self._folder.sub(name, where)
        kustfile = _load(sub)
        if kustfile.kind == COMPONENT:
            raise InvalidInput(f"{name} is a Component: list it under components", where=where)
        below, configuration = ResourceMap(), Configuration()
        _Target(sub, kustfile, self._depth + 1).accumulate(below, configuration)
        self._configuration.merge(configuration)
        return below.resources

    def _component(self, resources: ResourceMap, name: str, where: Where) -> None:
        sub = self._folder.sub(name, where)
        kustfile = _load(sub)
        if kustfile.kind != COMPONENT:
            raise InvalidInput(f"{name} is no Component: list it under resources", where=where)
        _Target(sub, kustfile, self._depth + 1).accumulate(resources, self._configuration)

    def _generate(self, resources: ResourceMap) -> None:
        options = self._file.fields.get("generatorOptions") or {}
        for field, kind in (("configMapGenerator", "ConfigMap"), ("secretGenerator", "Secret")):
            for index, arguments in enumerate(self._file.records(field)):
                where = self._file.where(field, index)
                absorb(resources, generate(kind, arguments, options, self._folder, where))
        for config in self._configs("generators"):
            absorb(resources, generated(config, self._folder))

    def _configs(self, field: str) -> list[Resource]:
        """The objects that configure plugins: those written in place come before those in files."""
        inline, elsewhere = ResourceMap(), ResourceMap()
        for index, text in enumerate(self._file.texts(field)):
            try:
                found = read_resources(text.encode(), self._file.file)
            except TidegateError:
                elsewhere.extend(self._resource(text, self._file.where(field, index)))
            else:
                inline.extend(found)
        inline.extend(elsewhere.resources)
        return inline.resources

    def _specs(self, transformer: str) -> Sequence[FieldSpec]:
        return self._configuration.specs(transformer)

    def _patch(self, resources: ResourceMap) -> None:
        for index, text in enumerate(self._file.texts("patchesStrategicMerge")):
            apply_strategic(resources, text, self._folder, self._file.where("patchesStrategicMerge", index))
        for index, entry in enumerate(self._file.records("patches")):
            apply_patches_entry(resources, entry, self._folder, self._file.where("patches", index))

    def _place_and_name(self, resources: ResourceMap) -> None:
        if namespace := self._file.text("namespace"):
            set_namespace(resources, namespace, self._specs("namespace"))
        if prefix := self._file.text("namePrefix"):
            add_prefix(resources.resources, prefix, self._specs("namePrefix"))
        if suffix := self._file.text("nameSuffix"):
            add_suffix(resources.resources, suffix, self._specs("nameSuffix"))

    def _label(self, resources: ResourceMap) -> None:
        for label in self._file.records("labels"):
            own, common, templates = map(self._specs, ("labels", "commonLabels", "templateLabels"))
            where = label_specs(label, own, common, templates)
            set_entries(resources.resources, label.get("pairs") or {}, where)
        set_entries(resources.resources, self._file.fields.get("commonLabels") or {}, self._specs("commonLabels"))
        set_entries(
            resources.resources, self._file.fields.get("commonAnnotations") or {}, self._specs("commonAnnotations")
        )

    def _patch_again(self, resources: ResourceMap) -> None:
        for index, entry in enumerate(self._file.records("patchesJson6902")):
            apply_json6902(resources, entry, self._folder, self._file.where("patchesJson6902", index))

    def _count_and_copy(self, resources: ResourceMap) -> None:
        for one in self._file.records("replicas"):
            set_replicas(resources, str(one.get("name") or ""), int(one.get("count") or 0), self._specs("replicas"))
        for image in self._file.records("images"):
            replace_images(resources.resources, image, self._specs("images"))
        if entries := self._file.records("replacements"):
            where = self._file.where("replacements")
            replace_all(resources.resources, read_replacements(entries, self._folder, where), where)
