"""After names have changed: every field that named an object by its old name gets the new one. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from tidegate.base.errors import InvalidInput
from tidegate.deploy.kustomize.fieldspecs import FieldSpec, set_fields
from tidegate.deploy.kustomize.identity import Gvk
from tidegate.deploy.kustomize.reference_specs import NameReferences
from tidegate.deploy.kustomize.resource import Resource, text_of

Same = Callable[[Resource], object]


def fix_references(resources: Sequence[Resource], references: Iterable[NameReferences]) -> None:
    """Update the names; InvalidInput where a name may mean several objects."""
    index, by_kind = _Index(resources), _by_kind(references)
    for referrer in resources:
        original = referrer.original_id.gvk
        fields = [
            one
            for kind in dict.fromkeys((original.kind, ""))
            for one in by_kind.get(kind, [])
            if original.selected_by(one[0].selector)
        ]
        if fields:
            reach = _Reach(referrer)
            for spec, target in fields:
                _Referral(referrer, spec.path, target, reach, index).update()


class _Index:
    """What has been renamed, by each of its earlier names, and where objects were at first and are now."""

    def __init__(self, resources: Sequence[Resource]):
        self._named: dict[str, list[Resource]] = {}
        self._places: dict[str, list[Resource]] = {}
        for resource in resources:
            for name in {known.name for known in resource.earlier}:
                self._named.setdefault(name, []).append(resource)
            if not resource.gvk.cluster_scoped:
                places = self._places.setdefault(resource.original_id.effective_namespace, [])
                if all(resource.namespace != other.namespace for other in places):
                    places.append(resource)

    def named(self, name: str) -> list[Resource]:
        """Those that once had this name."""
        return self._named.get(name, [])

    def moved_from(self, namespace: str) -> list[Resource]:
        """One object of each namespace to which objects of `namespace` have moved."""
        return self._places.get(namespace, [])


class _Reach:
    """What an object may refer to: everything of its namespace and what has none; without one itself, everything."""

    def __init__(self, referrer: Resource):
        self._own = referrer.id
        self._everything = self._own.gvk.cluster_scoped
        self._accounts = _account_namespaces(referrer)

    def __call__(self, resource: Resource) -> bool:
        if self._everything or resource.gvk.cluster_scoped:
            return True
        return resource.id.same_namespace(self._own) or resource.namespace in self._accounts


def _by_kind(references: Iterable[NameReferences]) -> dict[str, list[tuple[FieldSpec, Gvk]]]:
    found: dict[str, list[tuple[FieldSpec, Gvk]]] = {}
    for entry in references:
        for spec in entry.referrers:
            found.setdefault(spec.selector.kind, []).append((spec, entry.target))
    return found


def _account_namespaces(referrer: Resource) -> set[str]:
    """The namespaces of the service accounts that a RoleBinding names."""
    if referrer.kind != "RoleBinding":
        return set()
    subjects = referrer.data.get("subjects") or []
    return {
        text_of(subject["namespace"])
        for subject in subjects
        if isinstance(subject, dict) and subject.get("kind") == "ServiceAccount" and subject.get("namespace")
    }


class _Referral:
    """One field of one object that may name an object of one kind."""

    def __init__(self, referrer: Resource, path: str, target: Gvk, reach: _Reach, index: _Index):
        self._referrer = referrer
        self._path = path
        self._target = target
        self._reach = reach
        self._index = index

    def update(self) -> None:
        set_fields(self._referrer, [FieldSpec(self._path)], self._updated, make=None)

    def _updated(self, value: Any) -> Any:
        if isinstance(value, list):
            return [item if item is None else self._updated_one(item) for item in value]
        return value if value is None else self._updated_one(value)

    def _updated_one(self, value: Any) -> Any:
        if isinstance(value, dict):
            return self._updated_mapping(value)
        if isinstance(value, list):
            raise InvalidInput(f"{self._path} must hold a name", where=self._referrer.where(self._path))
        found = self._referral(text_of(value), lambda one: one.name)
        return value if found is None or found.name == text_of(value) else found.name

    def _updated_mapping(self, value: dict[str, Any]) -> dict[str, Any]:
        if "name" not in value:
            raise InvalidInput(f"{self._path} needs a name", where=self._referrer.where(self._path))
        name = text_of(value["name"])
        namespace = text_of(value["namespace"]) if "namespace" in value else None
        found = self._referral(name, lambda one: (one.name, one.namespace), namespace)
        if found is not None and (found.name != name or found.namespace):
            value["name"] = found.name
            if found.namespace:
                value["namespace"] = found.namespace
        return value

    def _candidates(self, name: str, namespace: str | None) -> list[Resource]:
        """Those of a name that can be reached. Of a namespace: those that were in it at first; where nothing was,
        those that are in it now.
        """
        found = [one for one in self._index.named(name) if self._reach(one)]
        if namespace is None:
            return found
        found = [one for one in found if not one.gvk.cluster_scoped]
        if any(self._reach(one) for one in self._index.moved_from(namespace)):
            return [one for one in found if one.original_id.effective_namespace == namespace]
        return [one for one in found if one.id.effective_namespace == namespace]

    def _referral(self, name: str, same: Same, namespace: str | None = None) -> Resource | None:
        found = self._candidates(name, namespace)
        found = [one for one in found if any(known.gvk.selected_by(self._target) for known in one.earlier)]
        role = self._role()
        if role is not None:
            found = [one for one in found if any(known.gvk.selected_by(role) for known in one.earlier)]
        found = [one for one in found if self._visible(one)]
        if len(found) > 1:
            found = [one for one in found if self._same_affixes(one, allow_empty=True)]
        if len(found) > 1:
            found = [one for one in found if self._same_affixes(one, allow_empty=False)]
        if len({same(one) for one in found}) > 1:
            ids = ", ".join(str(one.id) for one in found)
            message = f"{self._referrer.id} names {name!r} in {self._path}, which may be any of {ids}"
            raise InvalidInput(message, where=self._referrer.where(self._path))
        return found[0] if found else None

    def _role(self) -> Gvk | None:
        """The kind that a roleRef says beside the name."""
        if not self._path.endswith("roleRef/name"):
            return None
        role = self._referrer.data.get("roleRef")
        if not isinstance(role, dict) or "apiGroup" not in role or "kind" not in role:
            return None
        return Gvk(group=text_of(role["apiGroup"]), kind=text_of(role["kind"]))

    def _visible(self, candidate: Resource) -> bool:
        own = self._referrer.id
        if own.gvk.cluster_scoped or candidate.gvk.cluster_scoped or candidate.kind == "ServiceAccount":
            return True
        return own.same_namespace(candidate.id)

    def _same_affixes(self, candidate: Resource, *, allow_empty: bool) -> bool:
        pairs = (
            (candidate.prefixes, self._referrer.prefixes),
            (candidate.suffixes, self._referrer.suffixes),
        )
        return all((allow_empty and not (one and other)) or _same_end(one, other) for one, other in pairs)


def _same_end(one: list[str], other: list[str]) -> bool:
    shorter, longer = sorted((one, other), key=len)
    if not shorter:
        return not longer
    return longer[-len(shorter) :] == shorter
