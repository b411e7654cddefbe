"""Scanning by ImageRepository objects: whose logins are used, what is refused by name."""

import base64
import json
from types import SimpleNamespace

import pytest

from tidegate.base.errors import Denied, InvalidInput, NotFound
from tidegate.engine.file_tags import FileTags
from tidegate.engine.manual_clock import ManualClock
from tidegate.engine.outcome import Ready, Stalled
from tidegate.engine.sqlite_store import SqliteStore
from tidegate.oci.pull_secrets import MOST_SECRETS
from tidegate.scan.controller import ImageRepositoryController


class Registry:
    """Answers with `found` and notes how it was asked."""

    def __init__(self, *found):
        self.found = found
        self.asked = []
        self.credentials, self.insecure = None, False

    def using(self, access):
        self.credentials, self.insecure = access.credentials, access.insecure
        return self

    async def tags(self, repository):
        login = self.credentials.for_repository(repository)
        self.asked.append((str(repository), login and (login.username, login.password), self.insecure))
        return list(self.found)


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def store(tmp_path, clock):
    found = SqliteStore(tmp_path / "store.db", clock)
    yield found
    found.close()


@pytest.fixture
def scan(tmp_path, store, clock):
    tags = FileTags(tmp_path / "tags")

    async def scan(registry, **spec):
        controller = ImageRepositoryController(registry, tags)
        return await controller.reconcile(image_repository(**spec), SimpleNamespace(store=store, clock=clock))

    return scan


def image_repository(**spec):
    return {
        "apiVersion": "image.toolkit.fluxcd.io/v1",
        "kind": "ImageRepository",
        "metadata": {"name": "web", "namespace": "flux-system"},
        "spec": {"image": "ghcr.io/me/web", "interval": "1m", **spec},
    }


def pull_secret(name, host, user, password, key=".dockerconfigjson"):
    auths = {host: {"username": user, "password": password}}
    config = json.dumps({"auths": auths} if key == ".dockerconfigjson" else auths)
    metadata = {"name": name, "namespace": "flux-system"}
    data = {key: base64.b64encode(config.encode()).decode()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}


async def test_without_a_secret_nobody_logs_in(scan):
    registry = Registry("1.0.0")
    assert isinstance(await scan(registry), Ready)
    assert registry.asked == [("ghcr.io/me/web", None, False)]


@pytest.mark.parametrize("key", [".dockerconfigjson", ".dockercfg"])
async def test_the_secret_of_the_object_is_its_login(scan, store, key):
    await store.create(pull_secret("ghcr", "https://ghcr.io/v1/", "me", "s3cret", key), manager="test")
    registry = Registry("1.0.0")
    await scan(registry, secretRef={"name": "ghcr"})
    assert registry.asked == [("ghcr.io/me/web", ("me", "s3cret"), False)]


@pytest.mark.parametrize("refusal", [Denied, NotFound])
async def test_logins_that_are_all_for_something_else_are_told_where_the_registry_refuses(scan, store, refusal):
    class Refusing(Registry):
        async def tags(self, repository):
            raise refusal("answered 401", remedy="check the name")

    await store.create(pull_secret("hub", "docker.io", "me", "s3cret"), manager="test")
    with pytest.raises(refusal) as caught:
        await scan(Refusing(), secretRef={"name": "hub"})
    said = "no login of spec.secretRef is for ghcr.io/me/web, so none was used; check the name"
    assert (str(caught.value), caught.value.remedy) == ("scan failed: answered 401", said)
    await store.create(pull_secret("ghcr", "ghcr.io/me", "me", "s3cret"), manager="test")
    with pytest.raises(refusal) as caught:
        await scan(Refusing(), secretRef={"name": "ghcr"})
    assert caught.value.remedy == "check the name"


async def test_a_service_account_brings_its_pull_secrets(scan, store):
    await store.create(pull_secret("hub", "docker.io", "other", "x"), manager="test")
    await store.create(pull_secret("ghcr", "ghcr.io", "me", "s3cret"), manager="test")
    account = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": "puller", "namespace": "flux-system"},
        "imagePullSecrets": [{"name": "hub"}, {"name": "ghcr"}],
    }
    await store.create(account, manager="test")
    registry = Registry("1.0.0")
    await scan(registry, serviceAccountName="puller")
    assert registry.asked == [("ghcr.io/me/web", ("me", "s3cret"), False)]


async def test_a_missing_secret_is_named_with_the_command_that_makes_it(scan):
    with pytest.raises(NotFound) as caught:
        await scan(Registry("1.0.0"), secretRef={"name": "ghcr"})
    assert caught.value.code == "AuthenticationFailed"
    assert str(caught.value) == 'failed to configure authentication options: secrets "ghcr" not found'
    assert caught.value.remedy.startswith("kubectl create secret docker-registry ghcr -n flux-system")


async def test_what_a_service_account_lacks_is_told_with_its_name(scan, store):
    with pytest.raises(NotFound) as caught:
        await scan(Registry("1.0.0"), serviceAccountName="puller")
    way = "failed to configure authentication options"
    assert str(caught.value) == f"{way}: serviceaccount 'flux-system/puller' not found"
    metadata = {"name": "puller", "namespace": "flux-system"}
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata, "imagePullSecrets": [{"name": "x"}]}
    await store.create(account, manager="test")
    with pytest.raises(NotFound) as caught:
        await scan(Registry("1.0.0"), serviceAccountName="puller")
    assert str(caught.value) == (
        f"{way}: failed to get image pull secret for serviceaccount 'flux-system/puller': secrets \"x\" not found"
    )


@pytest.mark.parametrize("references", ["x", {"name": "x"}, ["x", None, 5, {"name": 5}, {"name": ""}, {}]])
async def test_pull_secrets_that_name_nothing_are_none(scan, store, references):
    metadata = {"name": "puller", "namespace": "flux-system"}
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata, "imagePullSecrets": references}
    await store.create(account, manager="test")
    registry = Registry("1.0.0")
    await scan(registry, serviceAccountName="puller")
    assert registry.asked == [("ghcr.io/me/web", None, False)]


async def test_more_pull_secrets_than_can_be_read_for_each_scan_are_refused(scan, store):
    metadata = {"name": "puller", "namespace": "flux-system"}
    references = [{"name": f"s{number}"} for number in range(MOST_SECRETS + 1)]
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata, "imagePullSecrets": references}
    await store.create(account, manager="test")
    with pytest.raises(InvalidInput, match=f"more than {MOST_SECRETS} image pull secrets"):
        await scan(Registry("1.0.0"), serviceAccountName="puller")


async def test_the_objects_secret_comes_before_its_accounts(scan, store):
    await store.create(pull_secret("account", "ghcr.io", "account", "x"), manager="test")
    await store.create(pull_secret("own", "ghcr.io", "own", "x"), manager="test")
    metadata = {"name": "puller", "namespace": "flux-system"}
    references = [{"name": "account"}]
    await store.create(
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata, "imagePullSecrets": references},
        manager="test",
    )
    registry = Registry("1.0.0")
    await scan(registry, serviceAccountName="puller", secretRef={"name": "own"})
    assert registry.asked == [("ghcr.io/me/web", ("own", "x"), False)]


async def test_a_secret_of_another_sort_is_refused_without_its_values(scan, store):
    secret = pull_secret("ghcr", "ghcr.io", "me", "s3cret") | {"data": {"password": "czNjcmV0"}}
    await store.create(secret, manager="test")
    with pytest.raises(InvalidInput, match=r"has no key \.dockerconfigjson") as caught:
        await scan(Registry("1.0.0"), secretRef={"name": "ghcr"})
    assert "s3cret" not in caught.value.explain()


async def test_insecure_is_passed_on(scan):
    registry = Registry("1.0.0")
    await scan(registry, insecure=True)
    assert registry.asked[0][2] is True


@pytest.mark.parametrize(
    ("spec", "reason", "word"),
    [
        ({"image": "https://ghcr.io/me/web"}, "ImageURLInvalid", "should not include URL scheme; remove 'https://'"),
        ({"image": "ghcr.io/me/web:1.0"}, "ImageURLInvalid", "should not include a tag; remove ':"),
        (
            {"image": "ghcr.io/me/web@sha256:" + "0" * 64},
            "ImageURLInvalid",
            "should not include a tag; remove '@sha256:0",
        ),
        ({"image": "ghcr.io/me/web:1@sha256:" + "0" * 64}, "ImageURLInvalid", "remove ':1@sha256:0"),
        ({"image": "web:1.0"}, "ImageURLInvalid", "image 'web:1.0' should not include a tag; remove ':1.0'"),
        ({"image": "GHCR.io/Me/web"}, "ImageURLInvalid", "is no image reference"),
        ({"provider": "aws"}, "UnsupportedProvider", "aws ecr get-login-password"),
        ({"provider": "azure"}, "UnsupportedProvider", "az acr token create"),
        ({"provider": "gcp"}, "UnsupportedProvider", "`_json_key`"),
    ],
)
async def test_what_cannot_be_done_is_stalled_by_name(scan, spec, reason, word):
    registry = Registry("1.0.0")
    outcome = await scan(registry, **spec)
    assert isinstance(outcome, Stalled)
    assert outcome.reason == reason
    assert word in outcome.message
    assert registry.asked == []
