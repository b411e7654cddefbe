"""`tidegate why` against a cluster and `tidegate select`, as processes of their own, with a registry on loopback."""

import asyncio
import base64
import contextlib
import json
import os
import sys
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

sys.path.insert(0, str(Path(__file__).parent))
from kubernetes_server import running

from tidegate.base.process import minimal_environment
from tidegate.engine.file_tags import checksum
from tidegate.kinds.objects import key_of
from tidegate.serve.listen import bind, port_of, serve

pytestmark = pytest.mark.integration
API = "image.toolkit.fluxcd.io/v1"
TAGS = ["1.0.0", "1.0.1", "1.0.1.sig", "1.1.0-rc.1", "2.0.0", "latest"]
USER, PASSWORD = "ann", "geheim"


class Registry:
    """A registry with one repository, whose tags only a login may see."""

    def __init__(self):
        self.asked = []

    async def tags(self, request):
        login = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        self.asked.append(request.headers.get("authorization"))
        if self.asked[-1] != f"Basic {login}":
            challenge = {"WWW-Authenticate": 'Basic realm="r"'}
            return JSONResponse({"errors": [{"code": "UNAUTHORIZED"}]}, 401, challenge)
        return JSONResponse({"name": "me/web", "tags": TAGS})


@pytest.fixture
async def registry():
    found, listener = Registry(), bind(0)
    found.image = f"127.0.0.1:{port_of(listener)}/me/web"
    found.config = json.dumps({"auths": {found.image.partition("/")[0]: {"username": USER, "password": PASSWORD}}})
    app = Starlette(routes=[Route("/v2/me/web/tags/list", found.tags)])
    server = asyncio.create_task(serve(app, listener))
    yield found
    server.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await server


@pytest.fixture
async def door(tmp_path):
    """A door that explains nothing itself, as a cluster's."""
    async with running(tmp_path) as world:
        yield world


@pytest.fixture
def command(tmp_path):
    home = tmp_path / "user"
    home.mkdir()

    async def command(*arguments, logins=None):
        if logins is not None:
            (home / ".docker").mkdir(exist_ok=True)
            (home / ".docker/config.json").write_text(logins)
        environment = minimal_environment({"HOME": str(home), "PATH": os.environ["PATH"]})
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tidegate", *arguments, env=environment,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, told = await asyncio.wait_for(process.communicate(), 60)
        return process.returncode, out.decode(), told.decode()

    return command


def objects_of(registry, namespace="flux-system"):
    """A Secret, an ImageRepository and an ImagePolicy, and the statuses that controllers have left behind."""
    scan = {"revision": checksum([tag for tag in TAGS if not tag.endswith(".sig")]), "scanTime": "2026-01-01T00:00:00Z",
            "tagCount": 5}  # fmt: skip
    login = {".dockerconfigjson": base64.b64encode(registry.config.encode()).decode()}
    metadata = {"name": "web", "namespace": namespace}
    return (
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "login", "namespace": namespace},
         "type": "kubernetes.io/dockerconfigjson", "data": login},
        {"apiVersion": API, "kind": "ImageRepository", "metadata": metadata,
         "spec": {"image": registry.image, "interval": "1m", "secretRef": {"name": "login"}},
         "status": {"canonicalImageName": registry.image, "lastScanResult": scan}},
        {"apiVersion": API, "kind": "ImagePolicy", "metadata": metadata,
         "spec": {"imageRepositoryRef": {"name": "web"}, "policy": {"semver": {"range": "^1"}}},
         "status": {"latestRef": {"name": registry.image, "tag": "1.0.0"}}},
    )  # fmt: skip


async def fill(door, registry):
    for obj in objects_of(registry):
        status = obj.pop("status", None)
        await door.store.apply(obj, manager="test")
        if status is not None:
            await door.store.patch_status(key_of(obj), status, manager="test")


def told(registry, namespace="flux-system"):
    return [
        f"ImagePolicy {namespace}/web selects {registry.image}:1.0.1",
        "rule     semver ^1",
        "tags     6 tags: 1 excluded, 1 not a version, 1 outside ^1, 1 prerelease, 2 candidates",
        f"status   {registry.image}:1.0.0",
        "asked about:",
        "  1.1.0-rc.1   a prerelease, and the range ^1 names none",
        "the nearest others:",
        "  2.0.0        outside the range ^1",
        "  1.1.0-rc.1   a prerelease, and the range ^1 names none",
        "  1.0.0        lower than 1.0.1",
        "  latest       not a semantic version: three numbers are needed, as 1.2.3",
        "what would change it:",
        "  the range ^1-0, which takes prereleases, would select 1.1.0-rc.1",
        "  the range * would select 2.0.0",
        "  a new tag with a higher version that the range ^1 admits would be selected",
        "to know:",
        "  the last scan was at 2026-01-01T00:00:00Z, and is repeated every 1m",
        "  the status still says 1.0.0: it is written with the next reconciliation",
    ]


async def test_a_policy_is_explained_from_its_objects_and_their_registry(door, registry, command):
    await fill(door, registry)
    code, out, err = await command("why", "web", "1.1.0-rc.1", "--kubeconfig", str(door.folder / "kubeconfig"))
    assert (code, err) == (0, "")
    assert out.splitlines() == told(registry)
    assert len(registry.asked) == 2  # once without a login, which is how a registry says that it wants one


async def test_a_policy_of_a_real_cluster_is_explained_too(cluster, registry, command):
    namespace = await cluster.namespace("why")
    plurals = {"Secret": "/api/v1", "ImageRepository": f"/apis/{API}", "ImagePolicy": f"/apis/{API}"}
    names = {"Secret": "secrets", "ImageRepository": "imagerepositories", "ImagePolicy": "imagepolicies"}
    for obj in objects_of(registry, namespace):
        status, path = obj.pop("status", None), f"{plurals[obj['kind']]}/namespaces/{namespace}/{names[obj['kind']]}"
        await cluster.create(path, obj)
        if status is not None:
            await cluster.merge(f"{path}/web/status", {"status": status})
    arguments = ["-n", namespace, "--kubeconfig", str(cluster.kubeconfig)]
    code, out, err = await command("why", "web", "1.1.0-rc.1", *arguments)
    assert (code, err) == (0, "")
    assert out.splitlines() == told(registry, namespace)


async def test_tags_that_no_scan_has_seen_are_told_as_a_change(door, registry, command):
    await fill(door, registry)
    repository = key_of({"apiVersion": "image.toolkit.fluxcd.io/v1", "kind": "ImageRepository",
                         "metadata": {"name": "web", "namespace": "flux-system"}})  # fmt: skip
    await door.store.patch_status(repository, {"lastScanResult": {"revision": "1"}}, manager="test")
    code, out, err = await command("why", "web", "-o", "json", "--kubeconfig", str(door.folder / "kubeconfig"))
    assert (code, json.loads(out)["selected"]) == (0, "1.0.1")
    assert err == "the registry's tags have changed since the last scan; this is of those that it has now\n"


async def test_a_policy_that_is_not_there_is_an_error(door, command):
    code, out, err = await command("why", "other", "--kubeconfig", str(door.folder / "kubeconfig"))
    assert (code, out) == (1, "")
    assert 'imagepolicies.image.toolkit.fluxcd.io "other" not found' in err


async def test_an_image_without_objects_is_asked_with_ones_own_login(registry, command):
    code, out, err = await command("select", "--image", registry.image, "--semver", "*", logins=registry.config)
    assert (code, out, err) == (0, "2.0.0\n", "")
    code, out, _ = await command("select", "--image", registry.image, "--semver", "^1", "-o", "json")
    value = json.loads(out)
    assert (value["image"], value["tag"]) == (registry.image, "1.0.1")
    assert {"tag": "1.0.1.sig", "reason": "excluded"} in value["rejected"]


async def test_without_a_login_it_says_so_and_without_a_winner_why(registry, command):
    code, out, err = await command("select", "--image", registry.image, "--semver", "*")
    assert (code, out) == (1, "")
    assert "401" in err or "UNAUTHORIZED" in err
    assert PASSWORD not in err
    code, out, err = await command(
        "select", "--image", registry.image, "--semver", "^7", "-o", "wide", logins=registry.config
    )
    assert code == 1
    assert out.startswith("nothing\n6 tags: 1 excluded, ")
    assert err.startswith("none of 6 tags qualifies: ")
