"""Strategic merge patches: lists of known kinds merge by key, those of others are replaced; directives."""

import pytest

PATCH = "resources: [dep.yaml, svc.yaml, cm.yaml, w.yaml]\npatches:\n- patch: |\n{}\n"


def patched(build, text, kind="Deployment", target=""):
    indented = "\n".join(f"    {line}" for line in text.splitlines())
    objects = build(PATCH.format(indented) + target)
    return next((one for one in objects if one["kind"] == kind), None)


def deployment(spec):
    return f"apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web}}\nspec: {spec}"


def containers(found):
    return found["spec"]["template"]["spec"]["containers"]


def test_containers_merge_by_name_and_patched_ones_come_first(build):
    text = deployment("{template: {spec: {containers: [{name: side, image: x}, {name: new, image: y}]}}}")
    found = containers(patched(build, text))
    assert [(one["name"], one["image"]) for one in found] == [
        ("side", "x"),
        ("new", "y"),
        ("web", "ghcr.io/acme/web:1.0.0"),
    ]


def test_env_merges_by_name_inside(build):
    text = deployment(
        "{template: {spec: {containers: [{name: web, env: [{name: LEVEL, value: x, valueFrom: null}]}]}}}"
    )
    assert containers(patched(build, text))[0]["env"] == [{"name": "LEVEL", "value": "x"}]


def test_service_ports_merge_by_port(build):
    text = (
        "apiVersion: v1\nkind: Service\nmetadata: {name: web}\n"
        "spec: {ports: [{port: 80, name: http}, {port: 443, name: https}], selector: {extra: one}}"
    )
    found = patched(build, text, "Service")
    assert found["spec"]["ports"] == [{"port": 80, "name": "http"}, {"port": 443, "name": "https"}]
    assert found["spec"]["selector"] == {"app": "web", "extra": "one"}


def test_null_removes(build):
    assert "replicas" not in patched(build, deployment("{replicas: null}"))["spec"]


def test_directives_of_mappings(build):
    config_map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: "
    assert patched(build, config_map + "{$patch: replace, only: x}", "ConfigMap")["data"] == {"only": "x"}
    assert "data" not in patched(build, config_map + "{$patch: delete}", "ConfigMap")
    assert patched(build, config_map + "{$patch: merge, new: x}", "ConfigMap")["data"] == {"level": "info", "new": "x"}


def test_directives_of_lists_and_items(build):
    text = deployment("{template: {spec: {containers: [{name: side, $patch: delete}]}}}")
    assert [one["name"] for one in containers(patched(build, text))] == ["web"]
    text = deployment("{template: {spec: {containers: [{name: only, image: x}, {$patch: replace}]}}}")
    assert containers(patched(build, text)) == [{"name": "only", "image": "x"}]


def test_the_whole_object_can_be_deleted(build):
    text = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\n$patch: delete"
    assert patched(build, text) is None


def test_lists_of_other_kinds_are_replaced(build):
    text = "apiVersion: example.test/v1\nkind: Widget\nmetadata: {name: first}\nspec: {items: [{name: a, n: 9}]}"
    assert patched(build, text, "Widget")["spec"] == {"size": 3, "items": [{"name": "a", "n": 9}]}


def test_finalizers_are_a_set(build):
    account = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: sa, finalizers: [a, b]}\n"
    text = (
        "resources: [sa.yaml]\npatches:\n- patch: |\n"
        "    {apiVersion: v1, kind: ServiceAccount, metadata: {name: sa, finalizers: [b, c]}}\n"
    )
    (found,) = build(text, {"app/sa.yaml": account})
    assert found["metadata"]["finalizers"] == ["b", "c", "a"]


def test_a_patch_with_a_target_may_mean_many(build):
    text = "kind: any\nmetadata: {name: any, labels: {l: m}}"
    found = patched(build, text, "Service", "  target: {kind: Service|Deployment}\n")
    assert found["metadata"] == {"name": "web", "labels": {"l": "m"}}


def test_name_and_kind_stay_unless_they_may_change(build):
    text = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: other}"
    assert patched(build, text, target="  target: {name: web, kind: Deployment}\n")["metadata"]["name"] == "web"
    allowed = "  target: {name: web, kind: Deployment}\n  options: {allowNameChange: true}\n"
    assert patched(build, text, target=allowed)["metadata"]["name"] == "other"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (deployment("{$patch: bogus}"), "there is no patch directive 'bogus'"),
        (deployment("{replicas: {a: 1}}"), "the patch has a mapping where the object has a scalar"),
        (deployment("[]"), "the patch has a list where the object has a mapping"),
        ("apiVersion: v1\nkind: Pod\nmetadata: {name: p}", "no object is meant by the patch of v1 Pod p"),
        ("just text", "neither a strategic merge patch nor a JSON patch"),
    ],
)
def test_faults_are_told_at_the_patch(refusal, text, told):
    indented = "\n".join(f"    {line}" for line in text.splitlines())
    message = refusal(PATCH.format(indented))
    assert told in message
    assert message.startswith("app/kustomization.yaml:3:3 (patches[0])")


def test_a_patch_comes_from_a_file_or_in_place(refusal, build):
    more = {"app/p.yaml": deployment("{replicas: 4}")}
    assert build("resources: [dep.yaml]\npatches: [{path: p.yaml}]", more)[0]["spec"]["replicas"] == 4
    assert build("resources: [dep.yaml]\npatchesStrategicMerge: [p.yaml]", more)[0]["spec"]["replicas"] == 4
    assert "either patch or path" in refusal("resources: [dep.yaml]\npatches: [{path: p.yaml, patch: x}]", more)
    assert "either patch or path" in refusal("resources: [dep.yaml]\npatches: [{target: {kind: X}}]", more)


def test_several_patches_in_one_entry_cannot_have_a_target(refusal):
    more = {"app/p.yaml": deployment("{replicas: 4}") + "\n---\n" + deployment("{replicas: 5}")}
    assert "cannot have a target" in refusal(
        "resources: [dep.yaml]\npatches: [{path: p.yaml, target: {name: web}}]", more
    )


def test_replacing_the_whole_object_changes_nothing(build):
    """kustomize merges into the object in place, and so loses what was to replace it."""
    before = patched(build, deployment("{}"))
    assert patched(build, deployment("{replicas: 9}") + "\n$patch: replace") == before
