"""The real kubectl against the door: the guide's commands to the letter, and what people do besides."""

import asyncio
import json
import re

import pytest
from tests.integration.kubernetes_server import columns, running

from tidegate.kinds.objects import ObjectKey

pytestmark = pytest.mark.integration

GUIDE = """\
apiVersion: image.toolkit.fluxcd.io/v1beta2
kind: ImageRepository
metadata:
  name: smartbiz-api
  namespace: flux-system
spec:
  image: ghcr.io/seadavdic/smartbiz-api
  interval: 1m
---
apiVersion: image.toolkit.fluxcd.io/v1beta2
kind: ImagePolicy
metadata:
  name: smartbiz-api
  namespace: flux-system
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
  namespace: flux-system
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
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: smartbiz-api
  namespace: smartbiz
  labels: {{app: smartbiz-api}}
spec:
  replicas: 1
  selector:
    matchLabels: {{app: smartbiz-api}}
  template:
    metadata:
      labels: {{app: smartbiz-api}}
    spec:
      containers:
      - name: api
        image: ghcr.io/seadavdic/smartbiz-api:{tag}
        ports:
        - containerPort: 8000
        env:
        - name: {env}
          value: "1"
"""
IMAGE = "image.toolkit.fluxcd.io"
FLUX = ("-n", "flux-system")


@pytest.fixture
async def world(tmp_path):
    async with running(tmp_path) as world:
        yield world


@pytest.fixture
async def guide(world):
    """The guide's three objects, with the status that its outputs show."""
    await world.kubectl("apply", "-f", "-", stdin=GUIDE)

    async def status(kind, value):
        await world.store.patch_status(ObjectKey(IMAGE, kind, "flux-system", "smartbiz-api"), value, manager="test")

    ready = {"type": "Ready", "status": "True", "reason": "Succeeded", "message": "done"}
    ready["lastTransitionTime"] = "2026-01-15T12:00:00Z"
    await status("ImageRepository", {"lastScanResult": {"scanTime": "2026-01-15T12:00:00Z", "tagCount": 15}})
    image = {"name": "ghcr.io/seadavdic/smartbiz-api", "tag": "1.0.1330"}
    await status(
        "ImagePolicy", {"latestRef": image, "latestImage": f"{image['name']}:{image['tag']}", "conditions": [ready]}
    )
    await status("ImageUpdateAutomation", {"lastAutomationRunTime": "2026-01-15T12:01:00Z"})
    return world


async def test_get_prints_the_guide_s_columns(guide):
    assert columns(await guide.reader("get", "imagerepository", *FLUX)) == [
        ["NAME", "LAST SCAN", "TAGS"],
        ["smartbiz-api", "2026-01-15T12:00:00Z", "15"],
    ]
    assert columns(await guide.reader("get", "imagepolicy", *FLUX)) == [
        ["NAME", "LATESTIMAGE"],
        ["smartbiz-api", "ghcr.io/seadavdic/smartbiz-api:1.0.1330"],
    ]
    assert columns(await guide.reader("get", "imageupdateautomation", *FLUX)) == [
        ["NAME", "LAST RUN", "SUSPENDED"],
        ["smartbiz-api", "2026-01-15T12:01:00Z", "False"],
    ]
    old = await guide.reader("get", f"imagepolicies.v1beta2.{IMAGE}", *FLUX)
    assert columns(old)[0] == ["NAME", "LATESTIMAGE"]
    wide = await guide.reader("get", "imgpol", "-A", "-o", "wide")
    assert columns(wide)[0] == ["NAMESPACE", "NAME", "LATESTIMAGE", "IMAGE", "TAG", "READY", "STATUS", "AGE"]


async def test_other_outputs(guide):
    path = "{.items[*].status.lastScanResult.tagCount}"
    assert await guide.reader("get", "imagerepository", *FLUX, "-o", f"jsonpath={path}") == "15"
    found = json.loads(await guide.reader("get", "imagepolicy", "smartbiz-api", *FLUX, "-o", "json"))
    assert found["apiVersion"] == f"{IMAGE}/v1"
    assert "range: '>=1.0.0'" in await guide.reader("get", "imagepolicy", "smartbiz-api", *FLUX, "-o", "yaml")
    assert await guide.reader("get", "imgrepo", *FLUX, "-o", "name") == f"imagerepository.{IMAGE}/smartbiz-api\n"


@pytest.mark.parametrize("kind", ["imagerepository", "imagepolicy", "imageupdateautomation"])
async def test_describe_shows_spec_status_and_events(guide, kind):
    uid = await guide.reader("get", kind, "smartbiz-api", *FLUX, "-o", "jsonpath={.metadata.uid}{' '}{.kind}")
    uid, _, name = uid.partition(" ")
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "smartbiz-api.1", "namespace": "flux-system"},
        "involvedObject": {"kind": name, "name": "smartbiz-api", "namespace": "flux-system", "uid": uid},
        "reason": "Succeeded",
        "message": "pushed commit to main",
        "type": "Normal",
        "source": {"component": "image-automation-controller"},
        "firstTimestamp": "2026-01-15T12:00:00Z",
        "lastTimestamp": "2026-01-15T12:00:00Z",
        "count": 1,
    }
    await guide.store.create(event, manager="test")
    text = await guide.reader("describe", kind, "smartbiz-api", *FLUX)
    assert re.search(r"^Kind:\s+Image", text, re.MULTILINE)
    assert re.search(r"Normal\s+Succeeded\s+\S+\s+image-automation-controller\s+pushed commit to main", text)
    assert "pushed commit to main" in await guide.reader("events", *FLUX)
    assert "pushed commit to main" in await guide.reader("get", "events", *FLUX)


async def test_annotate_and_label(guide):
    await guide.kubectl(
        "annotate", "--overwrite", "imagerepository/smartbiz-api", *FLUX, "reconcile.fluxcd.io/requestedAt=now"
    )
    await guide.kubectl("label", "imagerepository/smartbiz-api", *FLUX, "team=a")
    found = await guide.store.get(ObjectKey(IMAGE, "ImageRepository", "flux-system", "smartbiz-api"))
    assert found["metadata"]["annotations"]["reconcile.fluxcd.io/requestedAt"] == "now"
    assert found["metadata"]["labels"] == {"team": "a"}
    assert found["apiVersion"] == f"{IMAGE}/v1beta2"


async def test_apply_client_side_and_server_side_again_and_again(world):
    async def apply(*flags):
        done = await world.kubectl("apply", *flags, "-f", "-", stdin=GUIDE, check=False)
        assert (done.exit_code, done.stderr) == (0, b"")
        return [line.rpartition(" ")[2] for line in done.text.splitlines()]

    assert await apply() == ["created"] * 3
    assert await apply() == ["unchanged"] * 3
    assert await apply("--server-side") == ["serverside-applied"] * 3
    assert await apply("--server-side") == ["serverside-applied"] * 3
    assert await apply() == ["unchanged"] * 3
    assert await apply("--server-side", "--field-manager=somebody") == ["serverside-applied"] * 3


async def test_a_server_side_conflict_is_explained(world):
    await world.kubectl("apply", "--server-side", "--field-manager=one", "-f", "-", stdin=GUIDE)
    other = GUIDE.replace("interval: 1m", "interval: 2m", 1)
    refused = await world.kubectl("apply", "--server-side", "--field-manager=two", "-f", "-", stdin=other, check=False)
    assert refused.exit_code == 1
    assert b'conflict with "one": .spec.interval' in refused.stderr
    assert b"--force-conflicts" in refused.stderr
    await world.kubectl("apply", "--server-side", "--field-manager=two", "--force-conflicts", "-f", "-", stdin=other)


async def test_the_guide_s_secret(world):
    async def create(value):
        made = await world.kubectl(
            "create",
            "secret",
            "generic",
            "flux-system",
            f"--from-literal=identity={value}",
            *FLUX,
            "--dry-run=client",
            "-o",
            "yaml",
        )
        return await world.kubectl("apply", "-f", "-", stdin=made)

    assert await create("one") == "secret/flux-system created\n"
    key = ObjectKey("", "Secret", "flux-system", "flux-system")
    first = await world.store.get(key)
    # kubectl says "configured" here, as its patch removes the `creationTimestamp: null` that its own dry run wrote.
    assert await create("one") == "secret/flux-system configured\n"
    assert await world.store.get(key) == first
    assert await create("two") == "secret/flux-system configured\n"
    assert (await world.store.get(key))["data"] == {"identity": "dHdv"}
    assert columns(await world.kubectl("get", "secret", *FLUX))[1][:3] == ["flux-system", "Opaque", "1"]
    refused = await world.reader("get", "secret", *FLUX, check=False)
    assert refused.exit_code == 1
    assert b"nauthorized" in refused.stderr or b"logged in" in refused.stderr


async def test_a_deployment_s_life(world):
    first, second = DEPLOYMENT.format(tag="1.0.1", env="A"), DEPLOYMENT.format(tag="1.0.2", env="B")
    await world.kubectl("apply", "-f", "-", stdin=first)
    different = await world.kubectl("diff", "-f", "-", stdin=second, check=False)
    assert different.exit_code == 1
    assert "smartbiz-api:1.0.2" in different.text
    assert await world.kubectl("apply", "-f", "-", stdin=second) == "deployment.apps/smartbiz-api configured\n"
    same = await world.kubectl("diff", "-f", "-", stdin=second, check=False)
    assert (same.exit_code, same.text) == (0, "")
    path = "{.spec.template.spec.containers[0].image} {.spec.template.spec.containers[0].env[*].name}"
    shown = await world.kubectl("get", "deployment", "smartbiz-api", "-n", "smartbiz", "-o", f"jsonpath={path}")
    assert shown == "ghcr.io/seadavdic/smartbiz-api:1.0.2 B"
    await world.kubectl("scale", "deployment", "smartbiz-api", "-n", "smartbiz", "--replicas=2")
    await world.kubectl("set", "image", "deployment/smartbiz-api", "api=x:3", "-n", "smartbiz")
    await world.kubectl("rollout", "restart", "deployment/smartbiz-api", "-n", "smartbiz")
    assert columns(await world.reader("get", "deployment", "smartbiz-api", "-n", "smartbiz"))[0] == [
        "NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE",
    ]  # fmt: skip
    described = await world.reader("describe", "deployment", "smartbiz-api", "-n", "smartbiz")
    assert re.search(r"Replicas:\s+2 desired", described)
    assert await world.kubectl("delete", "deployment", "smartbiz-api", "-n", "smartbiz") == (
        'deployment.apps "smartbiz-api" deleted\n'
    )


async def test_rollout_status_waits_until_the_new_replicas_are_there(world):
    await world.kubectl("apply", "-f", "-", stdin=DEPLOYMENT.format(tag="1.0.1", env="A"))
    key = ObjectKey("apps", "Deployment", "smartbiz", "smartbiz-api")
    waiting = asyncio.ensure_future(
        world.reader("rollout", "status", "deployment/smartbiz-api", "-n", "smartbiz", "--timeout=30s")
    )
    await asyncio.sleep(0.7)
    assert not waiting.done()
    counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), 1)
    await world.store.patch_status(key, counts | {"observedGeneration": 1}, manager="runtime")
    assert "successfully rolled out" in await waiting


async def test_wait_for_a_condition(world):
    await world.kubectl("apply", "-f", "-", stdin=GUIDE)
    waiting = asyncio.ensure_future(
        world.reader("wait", "--for=condition=ready", "imagepolicy/smartbiz-api", *FLUX, "--timeout=30s")
    )
    await asyncio.sleep(0.7)
    assert not waiting.done()
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-15T12:00:00Z"}
    key = ObjectKey(IMAGE, "ImagePolicy", "flux-system", "smartbiz-api")
    await world.store.patch_status(key, {"conditions": [ready | {"reason": "a", "message": "b"}]}, manager="test")
    assert "condition met" in await waiting


async def test_get_watch_prints_changes(world):
    await world.kubectl("apply", "-f", "-", stdin=GUIDE)
    environment = {"KUBECONFIG": str(world.folder / "reader"), "HOME": str(world.folder), "PATH": "/usr/bin:/bin"}
    watching = await asyncio.create_subprocess_exec(
        "kubectl", "get", "imagepolicy", *FLUX, "-w", stdout=asyncio.subprocess.PIPE, env=environment
    )
    async with asyncio.timeout(30):
        assert (await watching.stdout.readline()).split() == [b"NAME", b"LATESTIMAGE"]
        assert (await watching.stdout.readline()).split() == [b"smartbiz-api"]
        key = ObjectKey(IMAGE, "ImagePolicy", "flux-system", "smartbiz-api")
        await world.store.patch_status(key, {"latestImage": "x:1"}, manager="test")
        assert (await watching.stdout.readline()).split() == [b"smartbiz-api", b"x:1"]
    watching.kill()
    await watching.wait()


async def test_logs_of_a_controller_and_of_a_pod(world):
    world.log("image-automation-controller", '{"level":"info","ts":"2026-01-15T12:00:00Z","msg":"pushed"}')
    text = await world.reader("logs", *FLUX, "deployment/image-automation-controller")
    assert json.loads(text)["msg"] == "pushed"
    assert columns(await world.reader("get", "deployment", *FLUX))[1][:2] == ["image-automation-controller", "1/1"]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web-1", "namespace": "smartbiz", "labels": {"app": "smartbiz-api"}},
        "spec": {"containers": [{"name": "api", "image": "x"}]},
    }
    await world.store.create(pod, manager="test")
    assert await world.reader("logs", "-n", "smartbiz", "web-1") == "".join(f"web-1 line {n}\n" for n in range(3))
    followed = await world.reader("logs", "-n", "smartbiz", "-f", "web-1")
    assert followed.endswith("followed\n")
    assert columns(await world.reader("get", "pods", "-n", "smartbiz"))[0] == [
        "NAME", "READY", "STATUS", "RESTARTS", "AGE",
    ]  # fmt: skip


async def test_controllers_can_t_be_deleted(world):
    done = await world.kubectl("delete", "deployment", "source-controller", *FLUX, check=False)
    assert done.exit_code == 1
    assert b"Forbidden" in done.stderr


async def test_a_namespace_goes_with_all_that_is_in_it(world):
    await world.kubectl("apply", "-f", "-", stdin=DEPLOYMENT.format(tag="1.0.1", env="A"))
    await world.kubectl("create", "configmap", "c", "-n", "smartbiz", "--from-literal=a=b")
    assert columns(await world.reader("get", "all", "-n", "smartbiz"))[1][0] == "deployment.apps/smartbiz-api"
    await world.kubectl("delete", "namespace", "smartbiz")
    gone = await world.reader("get", "all,cm", "-n", "smartbiz", check=False)
    assert b"No resources found" in gone.stderr


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        (["secret", "generic", "x", "--from-literal=a=b"], "secret/x"),
        (["configmap", "x", "--from-literal=a=b"], "configmap/x"),
        (["namespace", "x"], "namespace/x"),
        (["serviceaccount", "x"], "serviceaccount/x"),
        (["deployment", "x", "--image=y", "--port=80", "--replicas=2"], "deployment.apps/x"),
        (["service", "clusterip", "x", "--tcp=80:8080"], "service/x"),
        (["job", "x", "--image=y", "--", "echo", "hi"], "job.batch/x"),
        (["cronjob", "x", "--image=y", "--schedule=* * * * *"], "cronjob.batch/x"),
        (["ingress", "x", "--rule=a.b/x=svc:80"], "ingress.networking.k8s.io/x"),
        (["role", "x", "--verb=get", "--resource=pods"], "role.rbac.authorization.k8s.io/x"),
        (["rolebinding", "x", "--clusterrole=y", "--user=z"], "rolebinding.rbac.authorization.k8s.io/x"),
        (["clusterrole", "x", "--verb=get", "--resource=pods"], "clusterrole.rbac.authorization.k8s.io/x"),
        (["clusterrolebinding", "x", "--clusterrole=y", "--user=z"], "clusterrolebinding.rbac.authorization.k8s.io/x"),
        (["poddisruptionbudget", "x", "--selector=a=b", "--min-available=1"], "poddisruptionbudget.policy/x"),
        (["priorityclass", "x", "--value=3"], "priorityclass.scheduling.k8s.io/x"),
        (["quota", "x", "--hard=cpu=1"], "resourcequota/x"),
    ],
)
async def test_create_as_its_dry_run_says(world, command, shown):
    """What is stored after protobuf came is what the same command writes as YAML."""
    dry_run = [*command[:2], "--dry-run=client", "-o", "json", *command[2:]]
    dry = json.loads(await world.kubectl("create", *dry_run))
    assert await world.kubectl("create", *command) == f"{shown} created\n"
    stored = json.loads(await world.kubectl("get", shown, "-o", "json"))
    assert contains(stored, dry), (stored, dry)


def contains(stored, wanted):
    """Whether everything in `wanted` that isn't empty is in `stored`."""
    if isinstance(wanted, dict):
        kept = {name: value for name, value in wanted.items() if value not in (None, {}, "", [])}
        kept.pop("status", None)
        return isinstance(stored, dict) and all(
            contains(stored.get(name), value) for name, value in kept.items() if not hollow(value)
        )
    if isinstance(wanted, list):
        return isinstance(stored, list) and len(stored) == len(wanted) and all(map(contains, stored, wanted))
    return stored == wanted


def hollow(value):
    return isinstance(value, dict) and all(inner in (None, {}, "") or hollow(inner) for inner in value.values())


async def test_custom_resources_that_were_stored_are_found(world):
    definition = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: sealedsecrets.bitnami.com}
spec:
  group: bitnami.com
  scope: Namespaced
  names: {kind: SealedSecret, plural: sealedsecrets, singular: sealedsecret}
  versions:
  - name: v1alpha1
    served: true
    storage: true
    additionalPrinterColumns: [{name: Status, type: string, jsonPath: .status.phase}]
"""
    await world.kubectl("apply", "-f", "-", stdin=definition)
    sealed = "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata: {name: s, namespace: web}\nspec: {a: b}\n"
    assert await world.kubectl("apply", "-f", "-", stdin=sealed) == "sealedsecret.bitnami.com/s created\n"
    assert columns(await world.reader("get", "sealedsecret", "-n", "web"))[0] == ["NAME", "STATUS"]
    assert "sealedsecrets" in await world.reader("api-resources", "--cached=false")


async def test_wrong_objects_are_refused_with_their_fields(world):
    wrong = GUIDE.replace("semver:", "numerical:").replace('range: ">=1.0.0"', "order: sideways")
    done = await world.kubectl("apply", "-f", "-", stdin=wrong, check=False)
    assert done.exit_code == 1
    assert b"spec.policy.numerical.order" in done.stderr
    typo = GUIDE.replace("strategy: Setters", "strategy: Setters\n    strateggy: x")
    strict = await world.kubectl("apply", "-f", "-", stdin=typo, check=False)
    assert b"strict decoding error" in strict.stderr
    warned = await world.kubectl("apply", "--validate=warn", "-f", "-", stdin=typo, check=False)
    assert warned.exit_code == 0
    assert b'Warning: unknown field "spec.update.strateggy"' in warned.stderr
    none = await world.kubectl(
        "apply", "-f", "-", stdin="apiVersion: x.y/v1\nkind: None\nmetadata: {name: a}\n", check=False
    )
    assert b"no matches for kind" in none.stderr


async def test_writing_without_a_credential_is_refused(world):
    done = await world.reader("create", "configmap", "x", check=False)
    assert done.exit_code == 1
    assert await world.reader("get", "configmap", "-o", "name") == ""


async def test_small_questions(world):
    assert "Server Version: v1.33.0+tidegate-0.1.0" in await world.reader("version")
    assert await world.kubectl("auth", "can-i", "create", "deployments") == "yes\n"
    assert "home" in await world.kubectl("auth", "whoami")
    assert "KIND:       ImagePolicy" in await world.reader("explain", "imagepolicy")
    assert "is running at" in await world.reader("cluster-info")
    listed = await world.reader("api-resources", "--api-group=image.toolkit.fluxcd.io", "-o", "name")
    assert sorted(listed.split()) == [
        f"{name}.{IMAGE}" for name in ("imagepolicies", "imagerepositories", "imageupdateautomations")
    ]


async def test_many_objects_come_in_chunks(world):
    for number in range(1050):
        await world.store.create(
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"c{number:04}", "namespace": "many"}},
            manager="t",
        )
    listed = await world.reader("get", "configmap", "-n", "many", "-o", "name")
    assert listed.split() == [f"configmap/c{number:04}" for number in range(1050)]
    await world.kubectl("delete", "namespace", "many")
    assert await world.reader("get", "configmap", "-n", "many", "-o", "name") == ""


async def test_exec_and_port_forward_say_what_can_be_done_instead(world):
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web-0", "namespace": "default"}}
    pod["spec"] = {"containers": [{"name": "web", "image": "ghcr.io/acme/web:1", "ports": [{"containerPort": 80}]}]}
    await world.store.create(pod, manager="test")
    await world.store.patch_status(ObjectKey("", "Pod", "default", "web-0"), {"phase": "Running"}, manager="test")
    refused = await world.kubectl("exec", "web-0", "--", "true", check=False)
    assert refused.exit_code != 0
    assert b"kubectl logs shows what it writes" in refused.stderr
    refused = await world.kubectl("port-forward", "web-0", "8080:80", check=False)
    assert refused.exit_code != 0
    assert b"tidegate.dev/url" in refused.stderr
