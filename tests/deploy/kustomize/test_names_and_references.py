"""Prefixes, suffixes and namespaces, and the references that follow what they rename."""

import pytest

ACCOUNT = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: sa}\n"
ROLE = """\
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: r}
rules: [{resourceNames: [settings, z]}]
"""
BINDING = """\
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: rb}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: r}
subjects:
- {kind: ServiceAccount, name: sa}
- {kind: ServiceAccount, name: default, namespace: old}
- {kind: ServiceAccount, name: other, namespace: old}
"""
MORE = {"app/sa.yaml": ACCOUNT, "app/role.yaml": ROLE, "app/rb.yaml": BINDING}


def by_kind(objects):
    return {one["kind"]: one for one in objects}


def test_a_reference_follows_the_name(build):
    found = by_kind(build("namePrefix: p-\nnameSuffix: -s\nresources: [cm.yaml, dep.yaml]"))
    assert found["ConfigMap"]["metadata"]["name"] == "p-settings-s"
    env = found["Deployment"]["spec"]["template"]["spec"]["containers"][0]["env"]
    assert env[0]["valueFrom"]["configMapKeyRef"]["name"] == "p-settings-s"


def test_a_name_that_is_not_built_here_stays(build):
    found = by_kind(build("namePrefix: p-\nresources: [dep.yaml]"))
    env = found["Deployment"]["spec"]["template"]["spec"]["containers"][0]["env"]
    assert env[0]["valueFrom"]["configMapKeyRef"]["name"] == "settings"


def test_namespaces_definitions_and_api_services_keep_their_names(build):
    crd = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: w.example.test}\n"
    found = by_kind(build("namePrefix: p-\nresources: [ns.yaml, crd.yaml]", {"app/crd.yaml": crd}))
    assert found["Namespace"]["metadata"]["name"] == "shop"
    assert found["CustomResourceDefinition"]["metadata"]["name"] == "w.example.test"


def test_roles_accounts_and_resource_names_follow(build):
    found = by_kind(build("namePrefix: p-\nresources: [cm.yaml, sa.yaml, role.yaml, rb.yaml]", MORE))
    assert found["RoleBinding"]["roleRef"]["name"] == "p-r"
    assert found["RoleBinding"]["subjects"][0] == {"kind": "ServiceAccount", "name": "p-sa"}
    assert found["Role"]["rules"] == [{"resourceNames": ["p-settings", "z"]}]


def test_a_namespace_goes_to_what_can_have_one(build):
    found = by_kind(build("namespace: prod\nresources: [ns.yaml, cm.yaml, sa.yaml, rb.yaml]", MORE))
    assert found["Namespace"]["metadata"] == {"name": "prod"}
    assert found["ConfigMap"]["metadata"]["namespace"] == "prod"
    assert found["RoleBinding"]["subjects"] == [
        {"kind": "ServiceAccount", "name": "sa", "namespace": "prod"},
        {"kind": "ServiceAccount", "name": "default", "namespace": "prod"},
        {"kind": "ServiceAccount", "name": "other", "namespace": "old"},
    ]


def test_a_namespace_that_makes_two_objects_one_is_refused(refusal):
    other = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings, namespace: other}\n"
    assert "makes two objects of one" in refusal("namespace: x\nresources: [cm.yaml, o.yaml]", {"app/o.yaml": other})


def test_two_bases_with_one_name_are_told_apart_by_their_prefix(build):
    files = {}
    for name in ("a", "b"):
        files |= {
            f"{name}/kustomization.yaml": f"namePrefix: {name}-\nresources: [cm.yaml, pod.yaml]",
            f"{name}/cm.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n",
            f"{name}/pod.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\n"
            "spec: {volumes: [{name: v, configMap: {name: c}}]}\n",
        }
    found = build("resources: [../a, ../b]", files)
    names = {one["metadata"]["name"]: one for one in found}
    assert names["a-p"]["spec"]["volumes"][0]["configMap"]["name"] == "a-c"
    assert names["b-p"]["spec"]["volumes"][0]["configMap"]["name"] == "b-c"


def test_the_same_base_twice_is_refused(refusal):
    base = {"base/kustomization.yaml": "resources: [cm.yaml]", "base/cm.yaml": ACCOUNT}
    assert "is given twice" in refusal("resources: [../base, ../base]", base)


@pytest.mark.parametrize("image", ["busybox", "busybox:1.36", "busybox@sha256:" + "a" * 64])
def test_images_are_renamed_wherever_containers_stand(build, image):
    text = f"kind: Widget\nmetadata: {{name: w}}\nspec: {{deep: {{initContainers: [{{image: '{image}'}}]}}}}\n"
    kustomization = "resources: [x.yaml]\nimages: [{name: busybox, newName: alpine, newTag: '3'}]"
    (found,) = build(kustomization, {"app/x.yaml": text})
    assert found["spec"]["deep"]["initContainers"] == [{"image": "alpine:3"}]


@pytest.mark.parametrize(
    ("image", "wanted"),
    [
        ("{newTag: '2'}", "ghcr.io/acme/web:2"),
        ("{newName: 'r:5000/w'}", "r:5000/w:1.0.0"),
        ("{digest: 'sha256:abc'}", "ghcr.io/acme/web@sha256:abc"),
        ("{newTag: '2', digest: 'sha256:abc'}", "ghcr.io/acme/web:2@sha256:abc"),
    ],
)
def test_what_an_image_becomes(build, image, wanted):
    (found,) = build(f"resources: [dep.yaml]\nimages: [{{name: ghcr.io/acme/web, {image[1:]}]")
    assert found["spec"]["template"]["spec"]["containers"][0]["image"] == wanted


def test_an_images_name_must_match_as_a_whole(build):
    (found,) = build("resources: [dep.yaml]\nimages: [{name: acme/web, newTag: '9'}, {name: busy, newTag: '9'}]")
    images = [container["image"] for container in found["spec"]["template"]["spec"]["containers"]]
    assert images == ["ghcr.io/acme/web:1.0.0", "busybox"]


def test_replicas_are_set_by_the_name_before_prefixes(build, refusal):
    (found,) = build("namePrefix: p-\nresources: [dep.yaml]\nreplicas: [{name: web, count: 5}]")
    assert found["spec"]["replicas"] == 5
    assert "named 'nobody'" in refusal("resources: [dep.yaml]\nreplicas: [{name: nobody, count: 5}]")
