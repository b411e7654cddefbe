from tidegate.kinds.not_deployed import not_deployed, with_reason
from tidegate.kinds.objects import ObjectKey

SOURCE = ObjectKey("source.toolkit.fluxcd.io", "GitRepository", "flux-system", "flux-system")
RUNNER = with_reason({"metadata": {"name": "acme-shop"}}, "SeveralPaths", "which of a, b? name one: --path")


def kustomization(source):
    return {
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": {"name": "apps", "namespace": "flux-system"},
        "spec": {"sourceRef": {"kind": "GitRepository", "name": source}},
    }


def test_the_reason_and_what_to_do_are_a_condition():
    (found,) = not_deployed(RUNNER, {SOURCE}, [kustomization("other")])
    assert (found.type, found.status, found.reason) == ("Deployed", "False", "SeveralPaths")
    assert found.message == "which of a, b? name one: --path"


def test_the_condition_goes_once_a_kustomization_follows_the_source():
    assert not_deployed(RUNNER, {SOURCE}, [kustomization("flux-system")]) == []


def test_an_object_without_a_reason_has_no_condition():
    assert not_deployed({"metadata": {"name": "acme-shop"}}, {SOURCE}, []) == []
