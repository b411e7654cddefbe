"""`tidegate diff` as a process of its own: against objects whose controllers run elsewhere, and a whole Tidegate."""

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest
from tests.integration.git_host import hosting
from tests.integration.update_world import AUTOMATION, UpdateWorld, marked

sys.path.append(str(Path(__file__).parent))  # these folders are no packages

from crash_world import World
from kubernetes_server import running
from whole_world import opened, path_of

from tidegate.base.process import minimal_environment, run

pytestmark = pytest.mark.integration
SPACE, IMAGE = AUTOMATION.namespace, AUTOMATION.group
MANIFEST = f"kind: Pod\n{marked('web', '1.0.0')}"
TEMPLATE = "Update {{range .Changed.Changes}}{{.NewValue}} {{end}}\n\nFor everybody."


async def tidegate(*arguments, **environment):
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tidegate", *arguments,
        env=minimal_environment({"PATH": os.environ["PATH"], **environment}),
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, told = await asyncio.wait_for(process.communicate(), 120)
    return process.returncode, out.decode(), told.decode()


@pytest.fixture
async def world(tmp_path):
    """Objects behind a door that plans nothing itself, as a cluster's, and the remote that they name."""
    with hosting(tmp_path) as host:
        async with running(tmp_path) as door:
            made = UpdateWorld(host, tmp_path, store=door.store)
            author = {"name": "Gate", "email": "gate@example.com"}
            await made.make(
                {"apps/web.yaml": MANIFEST}, git={"commit": {"author": author, "messageTemplate": TEMPLATE}}
            )
            made.door = door
            yield made


def diff(world, *arguments):
    home = {"HOME": str(world.folder)}
    return tidegate("diff", *arguments, "--kubeconfig", str(world.door.folder / "kubeconfig"), **home)


async def test_it_shows_what_the_controller_then_pushes_and_pushes_nothing(world):
    await world.select("web", "1.1.0")
    head, stored = world.host.head(), await world.store.get(AUTOMATION)
    code, out, told = await diff(world)
    assert (code, told) == (1, "")
    assert (world.host.head(), await world.store.get(AUTOMATION)) == (head, stored)
    assert await world.events("Succeeded") == []
    facts = out.partition("\n\n")[0].splitlines()
    assert facts == [
        "automation flux-system/auto",
        "pushed     to branch 'main'",
        f"parent     {head}",
        "author     Gate <gate@example.com>",
    ]
    checkout = world.folder / "checkout"
    world.host.git("clone", "--quiet", str(world.host.bare), str(checkout), cwd=None)
    await run(["git", "-C", str(checkout), "apply", "-"], stdin=out.encode(), timeout=30)
    await world.reconcile()
    assert (checkout / "apps/web.yaml").read_text() == world.show("apps/web.yaml") + "\n"
    message = world.host.git("log", "-1", "--format=%B", "main")
    assert "\n".join(line.removeprefix("    ") for line in out.split("\n\n--- a/")[0].splitlines()[5:]) == message
    code, out, told = await diff(world, "auto")
    assert (code, out, told) == (0, "", f"{AUTOMATION}: nothing to push\n")


async def test_it_asks_the_remote_as_it_is_now_and_tells_what_is_left_alone(world):
    await world.select("web", "1.1.0")
    head = world.host.commit("Another", {"apps/new.yaml": marked("web", "1.0.5") + marked("gone", "1")})
    code, out, told = await diff(world, "auto", "-o", "json")
    (value,) = json.loads(out)
    assert (code, told, value["parent"]) == (1, "", head)
    assert value["diff"].count("\n+image: registry.test/web:1.1.0 #") == 2
    assert value["message"].startswith("Update registry.test/web:1.1.0")
    assert "apps/new.yaml:2: the marker names flux-system:gone" in value["notes"][0]


async def test_a_branch_of_its_own_is_shown_on_top_of_what_is_there(world):
    spec = {"git": {"push": {"branch": "auto"}}, "suspend": True}
    await world.store.patch(AUTOMATION, {"spec": spec}, manager="test")
    await world.select("web", "1.1.0")
    code, out, told = await diff(world)
    assert (code, told) == (1, f"{AUTOMATION}: it is suspended, and so pushes nothing\n")
    assert "pushed     to branch 'auto'\n" in out
    await world.reconcile()
    assert (await diff(world))[:2] == (0, "")


async def test_what_was_pushed_to_a_ref_for_review_is_not_shown_again(world):
    spec = {"git": {"push": {"refspec": "HEAD:refs/for/main"}}}
    await world.store.patch(AUTOMATION, {"spec": spec}, manager="test")
    await world.select("web", "1.1.0")
    code, out, _ = await diff(world)
    assert (code, "pushed     using refspec 'HEAD:refs/for/main'" in out) == (1, True)
    await world.reconcile()
    assert await diff(world) == (0, "", f"{AUTOMATION}: nothing to push\n")
    await world.select("web", "1.2.0")
    assert (await diff(world))[0] == 1


async def test_what_keeps_it_from_pushing_is_an_error_of_that_one_alone(world):
    await world.select("web", "1.1.0")
    spec = {"interval": "1m", "sourceRef": {"kind": "GitRepository", "name": "nowhere"},
            "git": {"commit": {"author": {"email": "a@b"}}}}  # fmt: skip
    await world.create(f"{IMAGE}/v1", "ImageUpdateAutomation", "lost", spec)
    code, out, told = await diff(world)
    assert code == 2
    assert "+image: registry.test/web:1.1.0" in out
    assert told.startswith(f"Error: ImageUpdateAutomation/{SPACE}/lost: ")
    assert "nowhere" in told
    code, out, told = await diff(world, "other")
    assert (code, out) == (2, "")
    assert '"other" not found' in told
    assert await diff(world, "-n", "empty") == (0, "", "there is no ImageUpdateAutomation in namespace empty\n")


async def test_a_tidegate_on_one_machine_answers_from_what_it_hosts(tmp_path):
    world = await World.make(tmp_path)
    async with opened(world) as doors:
        await doors.commit("Run nothing", {".github/workflows/image.yaml": None})
        await doors.push()
        await doors.until("an automation", lambda _: doors.object("ImageUpdateAutomation", "shop"))
        for kind, name in (("ImageUpdateAutomation", "shop"), ("ImagePolicy", "web"), ("Kustomization", "shop")):
            await doors.client.merge(path_of(kind, name), {"spec": {"suspend": True}})
        latest = {"latestRef": {"name": "ghcr.io/acme/web", "tag": "1.0.7"}}
        await doors.client.merge(f"{path_of('ImagePolicy', 'web')}/status", {"status": latest})
        head = await doors.head()
        code, out, told = await tidegate("diff", "shop", TIDEGATE_HOME=str(world.home.root))
        assert (code, told) == (1, "ImageUpdateAutomation/flux-system/shop: it is suspended, and so pushes nothing\n")
        assert '\n+          image: ghcr.io/acme/web:1.0.7 # {"$imagepolicy": "flux-system:web"}\n' in out
        assert f"parent     {head}\n" in out
        assert await doors.head() == head


async def test_a_real_cluster_is_shown_with_the_rights_of_who_asks(cluster, tmp_path):
    namespace = await cluster.namespace("diff")
    with hosting(tmp_path) as host:
        host.commit("Begin", {"web.yaml": marked("web", "1.0.0", namespace=namespace)})
        api = f"/apis/{IMAGE}/v1/namespaces/{namespace}"
        metadata = {"name": "web", "namespace": namespace}
        policy = {"imageRepositoryRef": {"name": "web"}, "policy": {"semver": {"range": "*"}}}
        source = {"url": host.url, "interval": "10m", "ref": {"branch": "main"}}
        automation = {"interval": "1m", "sourceRef": {"kind": "GitRepository", "name": "web"},
                      "git": {"commit": {"author": {"email": "gate@example.com"}}}}  # fmt: skip
        sources = f"/apis/source.toolkit.fluxcd.io/v1/namespaces/{namespace}/gitrepositories"
        for path, kind, spec in (
            (f"{api}/imagepolicies", "ImagePolicy", policy),
            (sources, "GitRepository", source),
            (f"{api}/imageupdateautomations", "ImageUpdateAutomation", automation),
        ):
            version = "source.toolkit.fluxcd.io/v1" if kind == "GitRepository" else f"{IMAGE}/v1"
            await cluster.create(path, {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec})
        latest = {"latestRef": {"name": "registry.test/web", "tag": "1.2.0"}}
        await cluster.merge(f"{api}/imagepolicies/web/status", {"status": latest})
        arguments = ("diff", "-n", namespace, "--kubeconfig", str(cluster.kubeconfig))
        code, out, told = await tidegate(*arguments, HOME=str(tmp_path))
        assert (code, told) == (1, "")
        assert "\n+image: registry.test/web:1.2.0 #" in out
