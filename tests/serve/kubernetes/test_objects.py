"""Objects over HTTP: verbs, codes, Status, patches, validation, dry runs."""

import json

import pytest
from tests.contracts.store import deployment, policy

IMAGE = "/apis/image.toolkit.fluxcd.io/v1/namespaces/flux-system"
MERGE = {"Content-Type": "application/merge-patch+json"}
JSON_PATCH = {"Content-Type": "application/json-patch+json"}
STRATEGIC = {"Content-Type": "application/strategic-merge-patch+json"}
APPLY = {"Content-Type": "application/apply-patch+yaml"}


def config_map(name="settings", **data):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


async def test_create_get_update_delete(http):
    created = await http.post(f"{IMAGE}/imagepolicies", json=policy())
    assert created.status_code == 201
    found = (await http.get(f"{IMAGE}/imagepolicies/web")).json()
    assert found == created.json()
    found["spec"]["policy"]["semver"]["range"] = "^2"
    updated = await http.put(f"{IMAGE}/imagepolicies/web", json=found)
    assert updated.json()["metadata"]["generation"] == 2
    deleted = await http.delete(f"{IMAGE}/imagepolicies/web")
    assert deleted.json()["status"] == "Success"
    assert deleted.json()["details"]["uid"] == found["metadata"]["uid"]
    assert (await http.get(f"{IMAGE}/imagepolicies/web")).status_code == 404


async def test_not_found_is_told_as_kubernetes_tells_it(http):
    status = (await http.get(f"{IMAGE}/imagepolicies/none")).json()
    assert status == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": 'imagepolicies.image.toolkit.fluxcd.io "none" not found',
        "reason": "NotFound",
        "details": {"name": "none", "group": "image.toolkit.fluxcd.io", "kind": "imagepolicies"},
        "code": 404,
    }


async def test_creating_twice_and_stale_updates_are_409(http):
    created = (await http.post(f"{IMAGE}/imagepolicies", json=policy())).json()
    again = await http.post(f"{IMAGE}/imagepolicies", json=policy())
    assert (again.status_code, again.json()["reason"]) == (409, "AlreadyExists")
    await http.patch(f"{IMAGE}/imagepolicies/web", content='{"spec":{"suspend":true}}', headers=MERGE)
    stale = await http.put(f"{IMAGE}/imagepolicies/web", json=created)
    assert (stale.status_code, stale.json()["reason"]) == (409, "Conflict")


async def test_any_version_reads_and_writes_the_same_object(http, store):
    path = "/apis/image.toolkit.fluxcd.io/v1beta2/namespaces/flux-system/imagepolicies"
    old = policy() | {"apiVersion": "image.toolkit.fluxcd.io/v1beta2"}
    assert (await http.post(path, json=old)).json()["apiVersion"] == "image.toolkit.fluxcd.io/v1beta2"
    assert (await http.get(f"{IMAGE}/imagepolicies/web")).json()["apiVersion"] == "image.toolkit.fluxcd.io/v1"
    listed = (await http.get(f"{IMAGE}/imagepolicies")).json()
    assert (listed["kind"], listed["apiVersion"]) == ("ImagePolicyList", "image.toolkit.fluxcd.io/v1")
    assert listed["items"][0]["apiVersion"] == "image.toolkit.fluxcd.io/v1"
    version = store.latest_version()
    found = (await http.get(f"{IMAGE}/imagepolicies/web")).json()
    await http.put(f"{IMAGE}/imagepolicies/web", json=found)
    assert store.latest_version() == version


async def test_patches(http):
    await http.post("/apis/apps/v1/namespaces/web/deployments", json=deployment([{"name": "a", "image": "a:1"}]))
    path = "/apis/apps/v1/namespaces/web/deployments/web"
    merged = await http.patch(path, content='{"metadata":{"labels":{"x":"1"}}}', headers=MERGE)
    assert merged.json()["metadata"]["labels"] == {"x": "1"}
    operations = [{"op": "replace", "path": "/spec/replicas", "value": 3}]
    replaced = await http.patch(path, content=json.dumps(operations), headers=JSON_PATCH)
    assert replaced.json()["spec"]["replicas"] == 3
    patch = {"spec": {"template": {"spec": {"containers": [{"name": "b", "image": "b:1"}]}}}}
    strategic = await http.patch(path, content=json.dumps(patch), headers=STRATEGIC)
    assert [c["name"] for c in strategic.json()["spec"]["template"]["spec"]["containers"]] == ["b", "a"]


async def test_our_kinds_take_no_strategic_patch(http):
    await http.post(f"{IMAGE}/imagepolicies", json=policy())
    answer = await http.patch(f"{IMAGE}/imagepolicies/web", content="{}", headers=STRATEGIC)
    assert (answer.status_code, answer.json()["reason"]) == (415, "UnsupportedMediaType")


async def test_a_failing_json_patch_is_422_and_changes_nothing(http, store):
    await http.post("/api/v1/namespaces/web/configmaps", json=config_map(a="1"))
    version = store.latest_version()
    operations = [{"op": "add", "path": "/data/b", "value": "2"}, {"op": "test", "path": "/data/a", "value": "x"}]
    answer = await http.patch(
        "/api/v1/namespaces/web/configmaps/settings", content=json.dumps(operations), headers=JSON_PATCH
    )
    assert (answer.status_code, answer.json()["reason"]) == (422, "Invalid")
    assert store.latest_version() == version


async def test_server_side_apply(http):
    path = "/api/v1/namespaces/web/configmaps/settings"
    config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {a: '1'}\n"
    created = await http.patch(f"{path}?fieldManager=one", content=config, headers=APPLY)
    assert created.status_code == 201
    assert created.json()["metadata"]["managedFields"][0]["manager"] == "one"
    other = config.replace("'1'", "'2'")
    conflict = await http.patch(f"{path}?fieldManager=two", content=other, headers=APPLY)
    assert conflict.status_code == 409
    assert conflict.json()["details"]["causes"] == [
        {"reason": "FieldManagerConflict", "message": 'conflict with "one"', "field": ".data.a"}
    ]
    forced = await http.patch(f"{path}?fieldManager=two&force=true", content=other, headers=APPLY)
    assert (forced.status_code, forced.json()["data"]) == (200, {"a": "2"})
    nobody = await http.patch(path, content=config, headers=APPLY)
    assert (nobody.status_code, nobody.json()["reason"]) == (400, "BadRequest")


async def test_dry_runs_store_nothing(http):
    maps = "/api/v1/namespaces/web/configmaps"
    dry = await http.post(f"{maps}?dryRun=All", json=config_map())
    assert dry.status_code == 201
    assert "resourceVersion" not in dry.json()["metadata"]
    assert (await http.get(f"{maps}/settings")).status_code == 404
    stands = (await http.post(maps, json=config_map(a="1"))).json()["metadata"]["resourceVersion"]
    answer = await http.patch(f"{maps}/settings?dryRun=All", content='{"data":{"a":"2"}}', headers=MERGE)
    assert answer.json()["data"] == {"a": "2"}
    assert answer.json()["metadata"]["resourceVersion"] == stands
    config = "{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}, data: {a: '3'}}"
    query = "dryRun=All&fieldManager=kustomize-controller&force=true"
    applied = await http.patch(f"{maps}/settings?{query}", content=config, headers=APPLY)
    assert applied.json()["data"] == {"a": "3"}
    assert applied.json()["metadata"]["resourceVersion"] == stands
    await http.delete(f"{maps}/settings?dryRun=All")
    await http.request("DELETE", f"{maps}/settings", json={"dryRun": ["All"]})
    assert (await http.get(f"{maps}/settings")).json()["data"] == {"a": "1"}
    assert (await http.post(f"{maps}?dryRun=Some", json=config_map())).status_code == 400


async def test_wrong_fields_of_our_kinds_are_named(http):
    wrong = policy()
    wrong["spec"] = {"imageRepositoryRef": {}, "policy": {"semver": {"range": "1"}, "numerical": {"order": "up"}}}
    answer = await http.post(f"{IMAGE}/imagepolicies", json=wrong)
    assert (answer.status_code, answer.json()["reason"]) == (422, "Invalid")
    details = answer.json()["details"]
    assert (details["kind"], details["name"]) == ("ImagePolicy", "web")
    assert {cause["field"] for cause in details["causes"]} >= {
        "spec.imageRepositoryRef.name",
        "spec.policy.numerical.order",
    }
    assert (await http.get(f"{IMAGE}/imagepolicies/web")).status_code == 404


async def test_a_patch_that_makes_an_object_wrong_is_refused(http):
    await http.post(f"{IMAGE}/imagepolicies", json=policy())
    answer = await http.patch(f"{IMAGE}/imagepolicies/web", content='{"spec":{"policy":null}}', headers=MERGE)
    assert answer.status_code == 422
    assert "spec.policy" in answer.json()["message"]


@pytest.mark.parametrize(
    ("validation", "code", "warned"),
    [("Strict", 400, False), ("Warn", 201, True), ("Ignore", 201, False), ("", 201, True)],
)
async def test_unknown_fields(http, validation, code, warned):
    obj = policy()
    obj["spec"]["imagePolice"] = "typo"
    answer = await http.post(f"{IMAGE}/imagepolicies?fieldValidation={validation}", json=obj)
    assert answer.status_code == code
    assert ('299 - "unknown field \\"spec.imagePolice\\""' in answer.headers.get_list("warning")) == warned
    if code == 400:
        assert 'strict decoding error: unknown field "spec.imagePolice"' in answer.json()["message"]


async def test_a_partial_apply_is_checked_by_what_it_makes(http):
    await http.patch(f"{IMAGE}/imagepolicies/web?fieldManager=one", content=json.dumps(policy()), headers=APPLY)
    partial = {
        "apiVersion": "image.toolkit.fluxcd.io/v1",
        "kind": "ImagePolicy",
        "metadata": {"name": "web", "labels": {"a": "b"}},
    }
    answer = await http.patch(f"{IMAGE}/imagepolicies/web?fieldManager=two", content=json.dumps(partial), headers=APPLY)
    assert answer.status_code == 200
    alone = await http.patch(
        f"{IMAGE}/imagepolicies/none?fieldManager=two",
        content=json.dumps(partial | {"metadata": {"name": "none"}}),
        headers=APPLY,
    )
    assert alone.status_code == 422


async def test_status_is_a_subresource(http):
    await http.post(f"{IMAGE}/imagepolicies", json=policy())
    path = f"{IMAGE}/imagepolicies/web"
    await http.patch(path, content='{"status":{"latestImage":"x:1"}}', headers=MERGE)
    assert "status" not in (await http.get(path)).json()
    patched = await http.patch(
        f"{path}/status", content='{"status":{"latestImage":"x:1"},"spec":{"suspend":true}}', headers=MERGE
    )
    assert patched.json()["status"] == {"latestImage": "x:1"}
    assert "suspend" not in patched.json()["spec"]
    put = patched.json() | {"status": {"latestImage": "x:2"}}
    assert (await http.put(f"{path}/status", json=put)).json()["status"] == {"latestImage": "x:2"}
    assert (await http.get(f"{path}/status")).json()["kind"] == "ImagePolicy"
    assert (await http.get("/api/v1/namespaces/web/configmaps/x/status")).status_code == 404


async def test_scale(http):
    await http.post("/apis/apps/v1/namespaces/web/deployments", json=deployment([{"name": "a"}]))
    path = "/apis/apps/v1/namespaces/web/deployments/web/scale"
    scale = (await http.get(path)).json()
    assert (scale["kind"], scale["spec"], scale["status"]["selector"]) == ("Scale", {"replicas": 1}, "app=web")
    scale["spec"]["replicas"] = 5
    assert (await http.put(path, json=scale)).json()["spec"]["replicas"] == 5
    assert (await http.put(path, json=scale)).status_code == 409
    assert (await http.patch(path, content='{"spec":{"replicas":2}}', headers=MERGE)).json()["spec"]["replicas"] == 2
    assert (await http.patch(path, content='{"spec":{"replicas":-2}}', headers=MERGE)).status_code == 422


async def test_deletes_with_preconditions_and_policies(http):
    maps = "/api/v1/namespaces/web/configmaps"
    owner = (await http.post(maps, json=config_map("owner"))).json()
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"]}
    child = config_map("child")
    child["metadata"]["ownerReferences"] = [reference]
    await http.post(maps, json=child)
    wrong = await http.request("DELETE", f"{maps}/owner", json={"preconditions": {"uid": "other"}})
    assert wrong.status_code == 409
    odd = await http.request("DELETE", f"{maps}/owner", json={"propagationPolicy": "Sideways"})
    assert odd.status_code == 400
    await http.request("DELETE", f"{maps}/owner", json={"propagationPolicy": "Orphan"})
    assert (await http.get(f"{maps}/child")).status_code == 200


async def test_a_delete_that_waits_for_finalizers_answers_the_object(http):
    obj = config_map()
    obj["metadata"]["finalizers"] = ["example.org/x"]
    await http.post("/api/v1/namespaces/web/configmaps", json=obj)
    answer = await http.delete("/api/v1/namespaces/web/configmaps/settings")
    assert answer.json()["kind"] == "ConfigMap"
    assert answer.json()["metadata"]["deletionTimestamp"]


async def test_a_collection_is_deleted_by_selector(http):
    maps = "/api/v1/namespaces/web/configmaps"
    for name, label in (("a", "x"), ("b", "x"), ("c", "y")):
        obj = config_map(name)
        obj["metadata"]["labels"] = {"l": label}
        await http.post(maps, json=obj)
    assert (await http.delete(f"{maps}?labelSelector=l%3Dx")).json()["status"] == "Success"
    assert [item["metadata"]["name"] for item in (await http.get(maps)).json()["items"]] == ["c"]


async def test_default_can_t_be_deleted(http):
    assert (await http.delete("/api/v1/namespaces/default")).status_code == 403
    await http.delete("/api/v1/namespaces")
    assert (await http.get("/api/v1/namespaces/default")).status_code == 200


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", 400),
        (b"[]", 400),
        (b"{}", 422),
        (b'{"apiVersion":"v2","kind":"ConfigMap","metadata":{"name":"a"}}', 400),
        (b'{"apiVersion":"v1","kind":"Secret","metadata":{"name":"a"}}', 400),
        (b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","namespace":"other"}}', 400),
        (b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"A B"}}', 422),
        (b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{}}', 422),
        (b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","labels":["x"]}}', 422),
        (b"[" * 15_000, 400),
        (b"[" * 100_000, 413),
    ],
)
async def test_bad_bodies(http, body, code):
    answer = await http.post(
        "/api/v1/namespaces/web/configmaps", content=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == code
    assert answer.json()["kind"] == "Status"


async def test_a_body_has_a_largest_size(http):
    answer = await http.post("/api/v1/namespaces/web/configmaps", content=b" " * (3 * 1024 * 1024 + 1))
    assert (answer.status_code, answer.json()["reason"]) == (413, "RequestEntityTooLarge")


async def test_yaml_is_read_too(http):
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\n"
    answer = await http.post(
        "/api/v1/namespaces/web/configmaps", content=text, headers={"Content-Type": "application/yaml"}
    )
    assert answer.status_code == 201


async def test_generate_name(http):
    obj = config_map() | {"metadata": {"generateName": "run-"}}
    name = (await http.post("/api/v1/namespaces/web/configmaps", json=obj)).json()["metadata"]["name"]
    assert name.startswith("run-")


async def test_the_manager_is_the_parameter_else_the_client_s_name(http):
    maps = "/api/v1/namespaces/web/configmaps"
    answer = await http.post(maps, json=config_map(a="1"), headers={"User-Agent": "kubectl/v1.32.4 (linux/amd64)"})
    assert answer.json()["metadata"]["managedFields"][0]["manager"] == "kubectl"
    answer = await http.post(f"{maps}?fieldManager=me", json=config_map("b", a="1"))
    assert answer.json()["metadata"]["managedFields"][0]["manager"] == "me"
    assert (await http.post(f"{maps}?fieldManager={'x' * 200}", json=config_map("c"))).status_code == 400


async def test_pretty(http):
    assert "\n  " in (await http.get("/api/v1/namespaces/default?pretty=true")).text


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/api/v1/namespaces/web/configmaps"),
        ("POST", "/api/v1/namespaces/web/configmaps/x"),
        ("PATCH", "/api/v1/nodes"),
    ],
)
async def test_methods_that_a_resource_lacks(http, method, path):
    answer = await http.request(method, path)
    assert (answer.status_code, answer.json()["reason"]) == (405, "MethodNotAllowed")


async def test_a_namespace_that_is_going_takes_nothing(http):
    obj = config_map()
    obj["metadata"]["finalizers"] = ["example.org/x"]
    await http.post("/api/v1/namespaces/web/configmaps", json=obj)
    assert (await http.delete("/api/v1/namespaces/web")).json()["status"]["phase"] == "Terminating"
    answer = await http.post("/api/v1/namespaces/web/configmaps", json=config_map("late"))
    assert (answer.status_code, answer.json()["reason"]) == (403, "Forbidden")
    assert answer.json()["details"]["causes"][0]["reason"] == "NamespaceTerminating"


async def test_a_client_that_hangs_up_in_the_middle_of_a_body_is_no_fault(app):
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
        "path": "/api/v1/namespaces/default/configmaps", "raw_path": b"", "query_string": b"", "root_path": "",
        "headers": [(b"host", b"127.0.0.1"), (b"authorization", b"Bearer the-home-token")],
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80),
    }  # fmt: skip
    parts = [{"type": "http.request", "body": b'{"apiVersion"', "more_body": True}, {"type": "http.disconnect"}]
    sent = []

    async def receive():
        return parts.pop(0)

    async def send(message):
        sent.append(message)

    await app(scope, receive, send)
    assert sent[0]["status"] == 400


async def test_a_body_of_many_values_is_refused_before_it_is_read(http):
    flood = b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"x":[' + b"[]," * 500_000 + b"[]]}"
    for method, path, kind in (
        ("POST", "configmaps", "application/json"),
        ("PATCH", "configmaps/a?fieldManager=a", APPLY["Content-Type"]),
        ("PATCH", "configmaps/a", MERGE["Content-Type"]),
    ):
        path = f"/api/v1/namespaces/default/{path}"  # noqa: PLW2901
        answer = await http.request(method, path, content=flood, headers={"Content-Type": kind})
        assert answer.status_code == 413, answer.text[:200]


async def test_what_is_applied_may_be_yaml_or_json_by_that_name(http):
    yaml = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {x: z}\n"
    for data in (
        yaml,
        json.dumps(config_map("a", x="z")).encode(),
        b"{kind: ConfigMap, metadata: {name: a}, data: {x: z}}",
    ):
        answer = await http.patch("/api/v1/namespaces/default/configmaps/a?fieldManager=a", content=data, headers=APPLY)
        assert answer.json()["data"] == {"x": "z"}


@pytest.mark.parametrize(
    ("subresource", "hint"),
    [("exec", "kubectl logs shows what it writes"), ("attach", "podman run"), ("portforward", "tidegate.dev/url")],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_what_is_interactive_is_refused_with_what_can_be_done_instead(http, method, subresource, hint):
    answer = await http.request(method, f"/api/v1/namespaces/web/pods/web-0/{subresource}")
    assert (answer.status_code, answer.json()["reason"]) == (405, "MethodNotAllowed")
    assert hint in answer.json()["message"]
