"""The vocabulary of kinds: names that don't clash, and what definitions and mere objects add to it."""

import pytest

from tidegate.kinds.resources import (
    FLUX,
    KNOWN,
    guessed,
    is_namespaced,
    known,
    plural_of,
    resource_of_definition,
    serves,
    version_priority,
)


def test_no_two_kinds_share_a_path_or_a_word():
    paths = [(resource.group, resource.plural) for resource in KNOWN]
    assert len(set(paths)) == len(paths)
    words = [word for resource in KNOWN for word in (resource.plural, resource.singular, *resource.short_names)]
    twice = {word for word in words if words.count(word) > 1}
    # A kind whose plural is its singular names itself twice.
    assert twice == {"endpoints"}


@pytest.mark.parametrize(
    ("kind", "plural", "versions"),
    [
        ("GitRepository", "gitrepositories", ("v1", "v1beta2", "v1beta1")),
        ("Kustomization", "kustomizations", ("v1", "v1beta2", "v1beta1")),
        ("ImageRepository", "imagerepositories", ("v1", "v1beta2", "v1beta1")),
        ("ImagePolicy", "imagepolicies", ("v1", "v1beta2", "v1beta1")),
        ("ImageUpdateAutomation", "imageupdateautomations", ("v1", "v1beta2", "v1beta1")),
    ],
)
def test_flux_s_kinds_in_every_version_with_v1_preferred(kind, plural, versions):
    (resource,) = [resource for resource in FLUX if resource.kind == kind]
    assert (resource.plural, resource.versions) == (plural, versions)
    assert resource.api_version.endswith("/v1")
    assert serves(resource, resource.api_version_of("v1beta2"))
    assert not serves(resource, resource.api_version_of("v2"))


@pytest.mark.parametrize(
    ("kind", "plural"), [("Pod", "pods"), ("Policy", "policies"), ("Ingress", "ingresses"), ("GitRepo", "gitrepos")]
)
def test_plurals(kind, plural):
    assert plural_of(kind) == plural


def test_scopes():
    assert is_namespaced("v1", "Pod") is True
    assert is_namespaced("v1", "Namespace") is False
    assert is_namespaced("example.org/v1", "Pod") is None
    assert known("", "Pod") is not None
    assert known("example.org", "Pod") is None


def test_versions_by_kubernetes_priority():
    found = sorted(["foo", "v1alpha1", "v1beta2", "v2", "v10", "v1beta10", "v1", "v11alpha2"], key=version_priority)
    assert found == ["v10", "v2", "v1", "v1beta10", "v1beta2", "v11alpha2", "v1alpha1", "foo"]


def test_a_guess_from_objects_alone():
    resource = guessed("helm.toolkit.fluxcd.io", "HelmRelease", ["v2"], namespaced=True)
    assert (resource.plural, resource.api_version) == ("helmreleases", "helm.toolkit.fluxcd.io/v2")


def test_a_definition_says_everything():
    names = {"kind": "Ox", "plural": "oxen", "shortNames": ["o"]}
    versions = [{"name": "v1beta1"}, {"name": "v1", "subresources": {"status": {}}}, {"name": "v0", "served": False}]
    resource = resource_of_definition(
        {"spec": {"group": "x.y", "scope": "Cluster", "names": names, "versions": versions}}
    )
    assert resource is not None
    assert (resource.plural, resource.singular, resource.short_names) == ("oxen", "ox", ("o",))
    assert resource.versions == ("v1", "v1beta1")
    assert not resource.namespaced
    assert resource.has_status


@pytest.mark.parametrize(
    "definition",
    [{}, {"spec": None}, {"spec": {"names": {}}}, {"spec": {"group": "x", "names": {"kind": "A"}, "versions": []}}],
)
def test_a_definition_that_defines_nothing(definition):
    assert resource_of_definition(definition) is None
