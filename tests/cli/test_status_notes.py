from tidegate.cli.status_notes import notes


def an_object(kind, *conditions):
    return {
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": kind,
        "metadata": {"name": "flux-system", "namespace": "flux-system"},
        "status": {"conditions": list(conditions)},
    }


def condition(kind, status, message="why"):
    return {"type": kind, "status": status, "message": message}


def test_what_stands_otherwise_than_in_git_and_what_is_not_deployed_is_said():
    kept = an_object("Kustomization", condition("Ready", "True"), condition("FieldsKept", "True", "keeps its spec.url"))
    left = an_object("Runner", condition("Deployed", "False", "which of a, b?"))
    assert notes([kept, left]) == [
        "Kustomization/flux-system/flux-system: keeps its spec.url",
        "Runner/flux-system/flux-system: which of a, b?",
    ]


def test_where_all_is_as_in_git_nothing_is_said():
    assert notes([an_object("Kustomization", condition("Ready", "True")), an_object("Runner")]) == []
