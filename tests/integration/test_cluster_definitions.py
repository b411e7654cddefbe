"""Tidegate's definitions in a real API server: accepted, served in every version, strict, printed as in the guide."""

import copy
import json

import pytest
import yaml
from tests.install.schemas import full, schema_of
from tests.integration.kubernetes_server import columns

from tidegate.install.crds import definitions

pytestmark = pytest.mark.integration
IMAGE = "image.toolkit.fluxcd.io"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
ID = {"ids": lambda definition: definition["spec"]["names"]["kind"]}

GUIDE = """\
apiVersion: image.toolkit.fluxcd.io/v1beta2
kind: ImageRepository
metadata:
  name: smartbiz-api
spec:
  image: ghcr.io/seadavdic/smartbiz-api
  interval: 1m
---
apiVersion: image.toolkit.fluxcd.io/v1beta2
kind: ImagePolicy
metadata:
  name: smartbiz-api
spec:
  imageRepositoryRef:
    name: smartbiz-api
  policy:
    semver:
      range: ">=1.0.0"
---
apiVersion: image.toolkit.fluxcd.io/v1beta2
kind: ImageUpdateAutomation
metadata:
  name: smartbiz-api
spec:
  interval: 1m
  sourceRef:
    kind: GitRepository
    name: flux-system
  git:
    checkout:
      ref:
        branch: main
    commit:
      author:
        name: Flux Image Automation
        email: flux@raspberrypi-cluster.local
    push:
      branch: main
  update:
    path: ./apps/smartbiz-api
    strategy: Setters
"""
TODAY = """\
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata:
  name: flux-system
spec:
  interval: 1m0s
  ref:
    branch: main
  secretRef:
    name: flux-system
  url: ssh://git@github.com/seadavdic/cluster
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata:
  name: apps
spec:
  interval: 10m
  path: ./apps
  prune: true
  sourceRef:
    kind: GitRepository
    name: flux-system
  postBuild:
    substitute:
      region: home
---
apiVersion: notification.toolkit.fluxcd.io/v1
kind: Receiver
metadata:
  name: ghcr
spec:
  type: generic
  secretRef:
    name: token
  resources:
    - kind: ImageRepository
      name: smartbiz-api
---
apiVersion: tidegate.dev/v1alpha1
kind: Runner
metadata:
  name: smartbiz
spec:
  repository: seadavdic/smartbiz
"""
OBSERVED = {
    "imagerepositories": {"lastScanResult": {"scanTime": "2026-01-15T12:00:00Z", "tagCount": 15}},
    "imagepolicies": {"latestImage": "ghcr.io/seadavdic/smartbiz-api:1.0.1330"},
    "imageupdateautomations": {"lastAutomationRunTime": "2026-01-15T12:01:00Z", "suspended": "False"},
}
REFUSED = [
    ("ImageRepository", ["interval"], "often", "spec.interval"),
    ("ImageRepository", ["interval"], None, "spec.interval"),
    ("ImageRepository", ["timeout"], "1h", "spec.timeout"),
    ("ImageRepository", ["provider"], "acme", "spec.provider"),
    ("ImageRepository", ["exclusionList"], ["a"] * 26, "spec.exclusionList"),
    ("ImagePolicy", ["imageRepositoryRef"], None, "spec.imageRepositoryRef"),
    ("ImagePolicy", ["policy"], {"semver": {}}, "spec.policy.semver.range"),
    ("ImagePolicy", ["policy"], {"numerical": {"order": "up"}}, "spec.policy.numerical.order"),
    (
        "ImagePolicy",
        ["interval"],
        "1m",
        "spec.interval is only accepted when spec.digestReflectionPolicy is set to 'Always'",
    ),
    ("ImagePolicy", ["digestReflectionPolicy"], "Always", "spec.interval must be set when"),
    ("ImageUpdateAutomation", ["git", "commit", "author", "email"], None, "spec.git.commit.author.email"),
    ("ImageUpdateAutomation", ["git", "push", "refspec"], "+main:main", "spec.git.push.refspec"),
    ("ImageUpdateAutomation", ["sourceRef", "kind"], "Bucket", "spec.sourceRef.kind"),
    ("ImageUpdateAutomation", ["update", "strategy"], "Guess", "spec.update.strategy"),
    ("GitRepository", ["url"], "git@github.com:a/b", "spec.url"),
    ("GitRepository", ["serviceAccountName"], "me", "serviceAccountName needs the provider aws or azure"),
    ("Kustomization", ["prune"], None, "spec.prune"),
    ("Kustomization", ["targetNamespace"], "n" * 64, "spec.targetNamespace"),
    ("Kustomization", ["kubeConfig"], {}, "exactly one of spec.kubeConfig.configMapRef"),
    ("Kustomization", ["sourceRef", "kind"], "HelmRepository", "spec.sourceRef.kind"),
    ("Receiver", ["type"], "pigeon", "spec.type"),
    ("Receiver", ["secretRef"], None, "secretRef is needed"),
    ("Receiver", ["resources"], [{"kind": "ImageRepository", "name": ""}], "spec.resources[0].name"),
    ("Runner", ["repository"], "nobody", "spec.repository"),
    ("Runner", ["maxJobs"], 0, "spec.maxJobs"),
    ("Runner", ["resources", "limits"], {"memory": "lots"}, "spec.resources.limits.memory"),
    ("Runner", ["resources", "limits"], {"cpu": True}, "spec.resources.limits.cpu"),
    ("Runner", ["timeout"], "soon", "spec.timeout"),
]


def written():
    return [*yaml.safe_load_all(GUIDE), *yaml.safe_load_all(TODAY)]


async def test_every_definition_is_established_and_its_names_are_free(cluster):
    for definition in definitions():
        found = await cluster.get(f"{CRDS}/{definition['metadata']['name']}")
        conditions = {one["type"]: one["status"] for one in found["status"]["conditions"]}
        assert conditions["Established"] == conditions["NamesAccepted"] == "True"
        assert "NonStructuralSchema" not in conditions


@pytest.mark.parametrize("text", [GUIDE, TODAY], ids=["the guide's, v1beta2", "today's, v1"])
async def test_manifests_as_people_write_them_are_taken_without_a_warning(cluster, text):
    namespace = await cluster.namespace("written")
    done = await cluster.kubectl("apply", "-n", namespace, "-f", "-", stdin=text, check=False)
    assert (done.exit_code, done.stderr.decode()) == (0, "")
    assert done.text.count(" created") == text.count("apiVersion:")
    again = await cluster.kubectl("apply", "-n", namespace, "-f", "-", stdin=text)
    assert again.count(" unchanged") == text.count("apiVersion:")


@pytest.mark.parametrize("definition", definitions(), **ID)
async def test_what_one_version_wrote_is_read_whole_in_every_other(cluster, definition):
    group, plural = definition["spec"]["group"], definition["spec"]["names"]["plural"]
    namespace = await cluster.namespace("versions")
    spec, status = valid(definition), full(schema_of(definition, "status"))
    for version in [version["name"] for version in definition["spec"]["versions"]]:
        name = f"of-{version}"
        root = f"/apis/{group}/{{}}/namespaces/{namespace}/{plural}"
        kind = definition["spec"]["names"]["kind"]
        obj = {"apiVersion": f"{group}/{version}", "kind": kind, "metadata": {"name": name}, "spec": spec}
        await cluster.create(f"{root.format(version)}?fieldValidation=Strict", obj)
        await cluster.merge(f"{root.format(version)}/{name}/status?fieldValidation=Strict", {"status": status})
        for other in [version["name"] for version in definition["spec"]["versions"]]:
            found = await cluster.get(f"{root.format(other)}/{name}")
            assert found["apiVersion"] == f"{group}/{other}"
            assert found["spec"] == spec
            assert found["status"] == status


@pytest.mark.parametrize(("kind", "path", "value", "words"), REFUSED, ids=lambda value: None)
async def test_a_wrong_value_is_refused_by_the_name_of_its_field(cluster, kind, path, value, words):
    obj = copy.deepcopy(next(found for found in written() if found["kind"] == kind))
    *above, last = path
    place = obj["spec"]
    for name in above:
        place = place.setdefault(name, {})
    if value is None:
        del place[last]
    else:
        place[last] = value
    done = await cluster.kubectl("apply", "--dry-run=server", "-f", "-", stdin=json.dumps(obj), check=False)
    assert done.exit_code == 1
    assert words in done.stderr.decode()


async def test_a_field_that_no_version_has_is_named_by_kubectl_and_not_kept(cluster):
    namespace = await cluster.namespace("unknown")
    text = GUIDE.partition("---")[0] + "  colour: blue\n"
    done = await cluster.kubectl("apply", "-n", namespace, "-f", "-", stdin=text, check=False)
    assert done.exit_code == 1
    assert 'unknown field "spec.colour"' in done.stderr.decode()
    await cluster.kubectl("apply", "-n", namespace, "--validate=ignore", "-f", "-", stdin=text)
    found = await cluster.get(f"/apis/{IMAGE}/v1/namespaces/{namespace}/imagerepositories/smartbiz-api")
    assert "colour" not in found["spec"]


async def test_get_prints_what_the_guide_shows(cluster):
    namespace = await cluster.namespace("guide")
    await cluster.kubectl("apply", "-n", namespace, "-f", "-", stdin=GUIDE)
    for plural, status in OBSERVED.items():
        path = f"/apis/{IMAGE}/v1/namespaces/{namespace}/{plural}/smartbiz-api/status"
        await cluster.merge(path, {"status": status})

    async def shown(kind):
        return columns(await cluster.kubectl("get", kind, "-n", namespace))

    for version in ("", ".v1.image.toolkit.fluxcd.io", ".v1beta2.image.toolkit.fluxcd.io"):
        assert await shown(f"imagerepository{version}") == [
            ["NAME", "LAST SCAN", "TAGS"],
            ["smartbiz-api", "2026-01-15T12:00:00Z", "15"],
        ]
        assert await shown(f"imagepolicy{version}") == [
            ["NAME", "LATESTIMAGE"],
            ["smartbiz-api", "ghcr.io/seadavdic/smartbiz-api:1.0.1330"],
        ]
        assert await shown(f"imageupdateautomation{version}") == [
            ["NAME", "LAST RUN", "SUSPENDED"],
            ["smartbiz-api", "2026-01-15T12:01:00Z", "False"],
        ]


async def test_wide_tables_add_what_flux_shows(cluster):
    namespace = await cluster.namespace("wide")
    await cluster.kubectl("apply", "-n", namespace, "-f", "-", stdin=GUIDE)
    ready = {"type": "Ready", "status": "True", "reason": "Succeeded", "message": "all good"}
    ready["lastTransitionTime"] = "2026-01-15T12:00:00Z"
    for plural in OBSERVED:
        path = f"/apis/{IMAGE}/v1/namespaces/{namespace}/{plural}/smartbiz-api/status"
        await cluster.merge(path, {"status": {"conditions": [ready]}})
    headings = {
        "imgrepo": ["NAME", "LAST SCAN", "TAGS", "IMAGE", "READY", "STATUS", "AGE"],
        "imgpol": ["NAME", "LATESTIMAGE", "IMAGE", "TAG", "READY", "STATUS", "AGE"],
        "iua": ["NAME", "LAST RUN", "SUSPENDED", "READY", "STATUS", "AGE"],
    }
    for short, wanted in headings.items():
        first, row = columns(await cluster.kubectl("get", short, "-n", namespace, "-o", "wide"))
        assert first == wanted
        assert "all good" in row


async def test_a_new_object_is_seen_as_not_yet_observed(cluster):
    namespace = await cluster.namespace("new")
    await cluster.kubectl("apply", "-n", namespace, "-f", "-", stdin=GUIDE)
    found = await cluster.get(f"/apis/{IMAGE}/v1/namespaces/{namespace}/imagepolicies/smartbiz-api")
    assert found["status"] == {"observedGeneration": -1}


async def test_explain_tells_what_a_field_is_for(cluster):
    text = await cluster.kubectl("explain", "imagepolicy.spec.policy.semver.range")
    assert "The range, as >=1.0.0." in text


def valid(definition):
    """A spec that has every field which can be there together with the others."""
    spec = full(schema_of(definition, "spec"))
    kind = definition["spec"]["names"]["kind"]
    if kind == "GitRepository":
        spec["provider"] = "azure"
    elif kind == "ImagePolicy":
        spec["digestReflectionPolicy"] = "Always"
    elif kind == "Kustomization":
        del spec["kubeConfig"]["configMapRef"]
    elif kind == "Receiver":
        spec |= {"type": "generic-oidc"}
        del spec["secretRef"]
    return spec
