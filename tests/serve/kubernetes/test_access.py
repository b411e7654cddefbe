"""Who may read and write, and the reviews that clients ask for."""

import pytest
from tests.contracts.store import policy

MAPS = "/api/v1/namespaces/web/configmaps"
SECRETS = "/api/v1/namespaces/web/secrets"
OBJECT = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", MAPS),
        ("PUT", f"{MAPS}/a"),
        ("PATCH", f"{MAPS}/a"),
        ("DELETE", f"{MAPS}/a"),
        ("DELETE", MAPS),
        ("PATCH", "/apis/apps/v1/namespaces/web/deployments/x/scale"),
        ("PUT", "/apis/apps/v1/namespaces/web/deployments/x/status"),
        ("GET", SECRETS),
        ("GET", f"{SECRETS}/a"),
        ("GET", f"{SECRETS}?watch=true"),
        ("GET", "/api/v1/secrets"),
        ("GET", "/api/v1/secrets?watch=1"),
        ("HEAD", f"{SECRETS}/a"),
    ],
)
async def test_writes_and_secrets_need_a_credential(anonymous, method, path):
    answer = await anonymous.request(method, path, json=OBJECT)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    if method != "HEAD":
        assert answer.json()["reason"] == "Unauthorized"


@pytest.mark.parametrize("path", ["/version", "/api", "/apis", MAPS, "/openapi/v3", f"{MAPS}?limit=1"])
async def test_reading_is_open(anonymous, path):
    assert (await anonymous.get(path)).status_code == 200


@pytest.mark.parametrize("header", ["Bearer wrong", "Basic eDp5", "Nonsense"])
async def test_a_wrong_credential_is_refused_even_for_reading(anonymous, header):
    assert (await anonymous.get(MAPS, headers={"Authorization": header})).status_code == 401


async def test_a_run_s_token_may_read_but_neither_write_nor_see_secrets(anonymous, authorizer):
    token = authorizer.issue("run", ["repo:a/b:write"], 60)
    headers = {"Authorization": f"Bearer {token}"}
    assert (await anonymous.get(MAPS, headers=headers)).status_code == 200
    for answer in (
        await anonymous.post(MAPS, json=OBJECT, headers=headers),
        await anonymous.get(SECRETS, headers=headers),
    ):
        assert (answer.status_code, answer.json()["reason"]) == (403, "Forbidden")


async def test_reading_can_be_closed(make_app, authorizer):
    from tests.serve.kubernetes.conftest import ADMIN, client_of

    app = make_app(reads_need_credential=True)
    async with client_of(app, {}) as anonymous, client_of(app, ADMIN) as admin:
        for path in (
            "/version",
            "/apis",
            MAPS,
            "/openapi/v3",
            "/api/v1/namespaces/flux-system/pods/source-controller-0/log",
        ):
            assert (await anonymous.get(path)).status_code == 401
            assert (await admin.get(path)).status_code == 200
        token = authorizer.issue("run", ["repo:a/b:write"], 60)
        assert (await anonymous.get(MAPS, headers={"Authorization": f"Bearer {token}"})).status_code == 403


async def review(client, group, plural, spec):
    body = {"apiVersion": f"{group}/v1", "kind": "Review", "spec": spec}
    answer = await client.post(f"/apis/{group}/v1/{plural}", json=body)
    assert answer.status_code == 201
    return answer.json()["status"]


async def test_can_i(http, anonymous):
    def asking(verb, resource):
        return {"resourceAttributes": {"verb": verb, "resource": resource, "namespace": "web"}}

    group, plural = "authorization.k8s.io", "selfsubjectaccessreviews"
    assert (await review(http, group, plural, asking("create", "pods")))["allowed"] is True
    assert (await review(anonymous, group, plural, asking("create", "pods")))["allowed"] is False
    assert (await review(anonymous, group, plural, asking("list", "pods")))["allowed"] is True
    assert (await review(anonymous, group, plural, asking("get", "secrets")))["allowed"] is False
    assert (await review(anonymous, group, plural, asking("*", "*")))["allowed"] is False


async def test_who_am_i(http, anonymous):
    group, plural = "authentication.k8s.io", "selfsubjectreviews"
    assert (await review(http, group, plural, {}))["userInfo"]["username"] == "home"
    assert (await review(anonymous, group, plural, {}))["userInfo"]["username"] == "system:anonymous"


async def test_what_can_i(http, anonymous):
    group, plural = "authorization.k8s.io", "selfsubjectrulesreviews"
    assert (await review(http, group, plural, {"namespace": "x"}))["resourceRules"][0]["verbs"] == ["*"]
    assert (await review(anonymous, group, plural, {"namespace": "x"}))["resourceRules"][0]["verbs"] == [
        "get",
        "list",
        "watch",
    ]


async def test_no_status_tells_a_secret_s_content(http):
    secret = policy() | {"apiVersion": "v1", "kind": "Secret", "data": {"a": "aGlkZGVu"}, "spec": None}
    secret["metadata"]["namespace"] = "web"
    await http.post(SECRETS, json=secret)
    again = await http.post(SECRETS, json=secret)
    assert "aGlkZGVu" not in again.text
    deleted = await http.delete(f"{SECRETS}/web")
    assert "aGlkZGVu" not in deleted.text
