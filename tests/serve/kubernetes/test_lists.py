"""Collections: selectors, pages, Tables."""

import pytest
from tests.contracts.store import deployment, policy

IMAGE = "/apis/image.toolkit.fluxcd.io/v1/namespaces/flux-system"
MAPS = "/api/v1/namespaces/web/configmaps"
TABLE = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"}
NOW = "2026-01-15T12:00:00Z"


async def make(store, obj, status=None):
    from tidegate.kinds.objects import key_of

    await store.create(obj, manager="test")
    if status is not None:
        await store.patch_status(key_of(obj), status, manager="test")


def config_map(name, **labels):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "web", "labels": labels}}


async def names(http, path):
    return [item["metadata"]["name"] for item in (await http.get(path)).json()["items"]]


def shown(table, *, wide=False):
    columns = [i for i, c in enumerate(table["columnDefinitions"]) if wide or not c["priority"]]
    head = [table["columnDefinitions"][i]["name"].upper() for i in columns]
    return [head, *([row["cells"][i] for i in columns] for row in table["rows"])]


async def table(http, path, *, wide=False):
    return shown((await http.get(path, headers=TABLE)).json(), wide=wide)


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("app=a", ["one"]),
        ("app==a", ["one"]),
        ("app!=a", ["three", "two"]),
        ("app in (a, b)", ["one", "two"]),
        ("app notin (a,b)", ["three"]),
        ("app", ["one", "two"]),
        ("!app", ["three"]),
        ("app,tier=x", ["two"]),
        ("tier in (x),app notin (a)", ["two"]),
        ("weight>4", ["three"]),
        ("weight<4", ["two"]),
        ("", ["one", "three", "two"]),
    ],
)
async def test_label_selectors(http, store, selector, expected):
    await make(store, config_map("one", app="a"))
    await make(store, config_map("two", app="b", tier="x", weight="3"))
    await make(store, config_map("three", weight="5"))
    answer = await http.get(MAPS, params={"labelSelector": selector})
    assert [item["metadata"]["name"] for item in answer.json()["items"]] == expected


@pytest.mark.parametrize("selector", ["=a", "a in b", "a in (b", "!a=b", "a,,b", "a>x", "a b", "ä=b"])
async def test_label_selectors_that_can_t_be_read(http, selector):
    answer = await http.get(MAPS, params={"labelSelector": selector})
    assert (answer.status_code, answer.json()["reason"]) == (400, "BadRequest")


async def test_field_selectors(http, store):
    await make(store, config_map("one"))
    await make(store, config_map("two"))
    assert await names(http, f"{MAPS}?fieldSelector=metadata.name%3Done") == ["one"]
    assert await names(http, f"{MAPS}?fieldSelector=metadata.name!%3Done,metadata.namespace%3Dweb") == ["two"]
    answer = await http.get(f"{MAPS}?fieldSelector=spec.secret%3Dx")
    assert answer.status_code == 400
    assert answer.json()["message"] == "field label not supported: spec.secret"


async def test_events_are_selected_as_describe_does(http, store):
    for number, name in enumerate(("web", "other")):
        await make(
            store,
            {
                "apiVersion": "v1",
                "kind": "Event",
                "metadata": {"name": f"e{number}", "namespace": "flux-system"},
                "involvedObject": {
                    "kind": "ImagePolicy",
                    "name": name,
                    "namespace": "flux-system",
                    "uid": f"u{number}",
                },
                "source": {"component": "image-reflector-controller"},
                "type": "Normal",
            },
        )
    about = {"name": "web", "namespace": "flux-system", "kind": "ImagePolicy", "uid": "u0"}
    selector = ",".join(f"involvedObject.{field}={value}" for field, value in about.items())
    answer = await http.get("/api/v1/namespaces/flux-system/events", params={"fieldSelector": selector})
    assert [item["metadata"]["name"] for item in answer.json()["items"]] == ["e0"]
    answer = await http.get(
        "/api/v1/events", params={"fieldSelector": "source=image-reflector-controller,type!=Warning"}
    )
    assert len(answer.json()["items"]) == 2


async def test_pages_hold_everything_once(http, store):
    for number in range(230):
        await make(store, config_map(f"c{number:03}", odd=str(number % 2)))
    found, token, version = [], "", set()
    while True:
        answer = (await http.get(MAPS, params={"limit": "50", "continue": token, "labelSelector": "odd=1"})).json()
        assert len(answer["items"]) <= 50
        found += [item["metadata"]["name"] for item in answer["items"]]
        version.add(answer["metadata"]["resourceVersion"])
        token = answer["metadata"].get("continue", "")
        if not token:
            break
        await make(store, config_map(f"late{len(found)}"))
    assert found == [f"c{number:03}" for number in range(1, 230, 2)]
    assert len(version) == 1


async def test_a_limit_that_fits_exactly_leaves_nothing_to_continue(http, store):
    for number in range(100):
        await make(store, config_map(f"c{number:03}"))
    assert "continue" not in (await http.get(f"{MAPS}?limit=100")).json()["metadata"]
    assert "continue" in (await http.get(f"{MAPS}?limit=99")).json()["metadata"]


async def test_a_wrong_continue_is_400(http):
    assert (await http.get(f"{MAPS}?continue=nonsense")).status_code == 400
    assert (await http.get(f"{MAPS}?limit=-1")).status_code == 400


async def test_all_namespaces(http, store):
    await make(store, policy("a", "one"))
    await make(store, policy("b", "two"))
    assert await names(http, "/apis/image.toolkit.fluxcd.io/v1/imagepolicies") == ["a", "b"]


# The guide's columns, exactly and in its order


@pytest.mark.parametrize("version", ["v1", "v1beta2", "v1beta1"])
async def test_image_repositories(http, store, version):
    obj = policy() | {"kind": "ImageRepository", "spec": {"image": "ghcr.io/x/web", "interval": "1m"}}
    await make(store, obj, {"lastScanResult": {"scanTime": NOW, "tagCount": 15}})
    path = f"/apis/image.toolkit.fluxcd.io/{version}/namespaces/flux-system/imagerepositories"
    assert await table(http, path) == [["NAME", "LAST SCAN", "TAGS"], ["web", NOW, "15"]]
    wide = await table(http, path, wide=True)
    assert wide[0] == ["NAME", "LAST SCAN", "TAGS", "IMAGE", "READY", "STATUS", "AGE"]


@pytest.mark.parametrize(
    "status",
    [
        {"latestImage": "ghcr.io/x/web:1.0.1330"},
        {"latestRef": {"name": "ghcr.io/x/web", "tag": "1.0.1330"}},
        {"latestRef": {"name": "ghcr.io/x/web", "tag": "1.0.1330"}, "latestImage": "old"},
    ],
)
async def test_image_policies(http, store, status):
    await make(store, policy(), status)
    assert await table(http, f"{IMAGE}/imagepolicies") == [["NAME", "LATESTIMAGE"], ["web", "ghcr.io/x/web:1.0.1330"]]


@pytest.mark.parametrize(("suspend", "word"), [(None, "False"), (False, "False"), (True, "True")])
async def test_image_update_automations(http, store, suspend, word):
    obj = policy() | {"kind": "ImageUpdateAutomation", "spec": {} if suspend is None else {"suspend": suspend}}
    await make(store, obj, {"lastAutomationRunTime": NOW})
    expected = [["NAME", "LAST RUN", "SUSPENDED"], ["web", NOW, word]]
    assert await table(http, f"{IMAGE}/imageupdateautomations") == expected


async def test_sources_and_kustomizations(http, store):
    ready = {"conditions": [{"type": "Ready", "status": "True", "message": "stored artifact"}]}
    source = {
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": "GitRepository",
        "metadata": {"name": "flux-system", "namespace": "flux-system"},
        "spec": {"url": "https://github.com/x/y"},
    }
    await make(store, source, ready)
    kustomization = source | {"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization", "spec": {}}
    await make(store, kustomization, ready)
    path = "/apis/source.toolkit.fluxcd.io/v1/namespaces/flux-system/gitrepositories"
    assert await table(http, path) == [
        ["NAME", "URL", "AGE", "READY", "STATUS"],
        ["flux-system", "https://github.com/x/y", "0s", "True", "stored artifact"],
    ]
    path = "/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/flux-system/kustomizations"
    assert await table(http, path) == [
        ["NAME", "AGE", "READY", "STATUS"],
        ["flux-system", "0s", "True", "stored artifact"],
    ]


# Kubernetes' own


async def test_deployments(http, store, clock):
    obj = deployment([{"name": "api", "image": "web:1"}, {"name": "log", "image": "log:2"}], replicas=2)
    await make(store, obj, {"readyReplicas": 1, "updatedReplicas": 2, "availableReplicas": 1})
    await clock.advance(200)
    assert await table(http, "/apis/apps/v1/namespaces/web/deployments", wide=True) == [
        ["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE", "CONTAINERS", "IMAGES", "SELECTOR"],
        ["web", "1/2", 2, 1, "3m20s", "api,log", "web:1,log:2", "app=web"],
    ]


@pytest.mark.parametrize(
    ("status", "cells"),
    [
        ({"phase": "Pending"}, ["0/1", "Pending", "0"]),
        ({"phase": "Running", "containerStatuses": [{"ready": True, "restartCount": 0}]}, ["1/1", "Running", "0"]),
        (
            {
                "phase": "Running",
                "containerStatuses": [
                    {"ready": False, "restartCount": 3, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}
                ],
            },
            ["0/1", "CrashLoopBackOff", "3"],
        ),
        (
            {"phase": "Failed", "containerStatuses": [{"state": {"terminated": {"exitCode": 3}}}]},
            ["0/1", "ExitCode:3", "0"],
        ),
        (
            {"phase": "Failed", "containerStatuses": [{"state": {"terminated": {"reason": "OOMKilled"}}}]},
            ["0/1", "OOMKilled", "0"],
        ),
    ],
)
async def test_pods(http, store, status, cells):
    pod = config_map("web-1") | {"kind": "Pod", "spec": {"containers": [{"name": "api"}]}}
    await make(store, pod, status)
    found = await table(http, "/api/v1/namespaces/web/pods")
    assert found == [["NAME", "READY", "STATUS", "RESTARTS", "AGE"], ["web-1", *cells, "0s"]]


async def test_services(http, store):
    spec = {"selector": {"app": "web"}, "ports": [{"port": 80}, {"port": 443, "nodePort": 30443, "protocol": "TCP"}]}
    await make(store, config_map("web") | {"kind": "Service", "spec": spec | {"clusterIP": "None"}})
    assert await table(http, "/api/v1/namespaces/web/services", wide=True) == [
        ["NAME", "TYPE", "CLUSTER-IP", "EXTERNAL-IP", "PORT(S)", "AGE", "SELECTOR"],
        ["web", "ClusterIP", "None", "<none>", "80/TCP,443:30443/TCP", "0s", "app=web"],
    ]


async def test_events(http, store, clock):
    event = config_map("e") | {
        "kind": "Event",
        "involvedObject": {"kind": "ImagePolicy", "name": "web"},
        "type": "Normal",
        "reason": "Succeeded",
        "message": "latest image tag\n",
        "lastTimestamp": NOW,
        "firstTimestamp": NOW,
        "count": 3,
        "source": {"component": "image-reflector-controller"},
    }
    await make(store, event)
    await clock.advance(90)
    assert await table(http, "/api/v1/namespaces/web/events") == [
        ["LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"],
        ["90s", "Normal", "Succeeded", "imagepolicy/web", "latest image tag"],
    ]


async def test_small_kinds(http, store):
    await make(store, config_map("c") | {"data": {"a": "1"}, "binaryData": {"b": "eA=="}})
    await make(store, config_map("s") | {"kind": "Secret", "data": {"a": "eA=="}})
    assert await table(http, MAPS) == [["NAME", "DATA", "AGE"], ["c", 2, "0s"]]
    path = "/api/v1/namespaces/web/secrets"
    assert await table(http, path) == [["NAME", "TYPE", "DATA", "AGE"], ["s", "Opaque", 1, "0s"]]
    found = await table(http, "/api/v1/namespaces")
    assert found == [["NAME", "STATUS", "AGE"], ["default", "Active", "0s"], ["web", "Active", "0s"]]


async def test_an_unknown_kind_has_a_name_and_an_age(http, store):
    thing = {"apiVersion": "example.org/v1", "kind": "Thing", "metadata": {"name": "x", "namespace": "web"}}
    await make(store, thing)
    assert await table(http, "/apis/example.org/v1/things") == [["NAME", "AGE"], ["x", "0s"]]


async def test_runs(http, store):
    spec = {"repository": "a/b", "workflow": "ci.yaml", "event": "push", "ref": "refs/heads/main", "commit": "c" * 40}
    run = {"apiVersion": "tidegate.dev/v1alpha1", "kind": "WorkflowRun", "metadata": {"name": "r", "namespace": "web"}}
    await make(store, run | {"spec": spec}, {"status": "completed", "conclusion": "success"})
    assert await table(http, "/apis/tidegate.dev/v1alpha1/namespaces/web/workflowruns") == [
        ["NAME", "WORKFLOW", "EVENT", "REF", "STATUS", "CONCLUSION", "AGE"],
        ["r", "ci.yaml", "push", "refs/heads/main", "completed", "success", "0s"],
    ]


# The form of a Table


async def test_one_object_as_a_table(http, store):
    await make(store, policy())
    answer = (await http.get(f"{IMAGE}/imagepolicies/web", headers=TABLE)).json()
    assert answer["kind"] == "Table"
    assert answer["rows"][0]["object"]["kind"] == "PartialObjectMetadata"
    assert answer["rows"][0]["object"]["metadata"]["name"] == "web"


@pytest.mark.parametrize(
    ("include", "kind"), [("None", None), ("Metadata", "PartialObjectMetadata"), ("Object", "ImagePolicy")]
)
async def test_include_object(http, store, include, kind):
    await make(store, policy())
    answer = (await http.get(f"{IMAGE}/imagepolicies?includeObject={include}", headers=TABLE)).json()
    assert answer["rows"][0].get("object", {}).get("kind") == kind


@pytest.mark.parametrize(
    "accept",
    [
        "application/json",
        "*/*",
        "application/vnd.kubernetes.protobuf",
        "application/json,application/json;as=Table;g=meta.k8s.io;v=v1",
    ],
)
async def test_without_asking_for_a_table_first_there_is_none(http, store, accept):
    await make(store, policy())
    answer = await http.get(f"{IMAGE}/imagepolicies", headers={"Accept": accept})
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["kind"] == "ImagePolicyList"
