"""`tidegate up`: a tag whose program crashes is committed, runs, and is taken back; the policy lies in Git as well."""

import base64
import shutil
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))  # these folders are no packages

from crash_world import AUTOMATION, IMAGE, World
from git_host import PASSWORD, USER, GitHost, hosting
from small_image import SERVER, push_image
from test_whole_remote import IMAGES, SOURCE, SYNC, WORKLOAD
from whole_world import Doors, opened, path_of

from tidegate.kinds.objects import annotation
from tidegate.kinds.rolled_back import ROLLED_BACK

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(shutil.which("perl") is None, reason="perl is not installed: apt-get install perl-base"),
]
REPOSITORY = IMAGE.partition("/")[2]
WATCHED = "metadata: {name: shop, namespace: flux-system, annotations: {tidegate.dev/rollback-after: 10s}}"
CRASH = r'print STDERR "DB_PASSWORD=hunter2-and-more\nno such table: people\n"; exit 3;'
FILE = "deploy/web.yaml"


async def push(doors: Doors, tag: str, program: str = SERVER) -> None:
    await push_image(doors.url, doors.world.home.token(), REPOSITORY, tag, "word", program)


def marked(host: GitHost) -> str:
    line = next(line for line in host.git("show", f"main:{FILE}").splitlines() if "image:" in line)
    return line.split("image: ")[1].split(" #")[0]


async def test_what_crashes_is_taken_back_and_said_everywhere(tmp_path: Path) -> None:
    with hosting(tmp_path / "host") as host:
        source = SOURCE.format(url=host.url) + "  secretRef: {name: remote}\n"
        images = IMAGES.replace("metadata: {name: shop, namespace: flux-system}", WATCHED)
        assert WATCHED in images
        files = {"source.yaml": source, "shop.yaml": SYNC, "images.yaml": images}
        host.commit("Say what runs", {f"clusters/home/{name}": text for name, text in files.items()})
        host.commit("And what of it", {FILE: WORKLOAD})
        arguments = ("--repo", host.url, "--branch", "main", "--path", "clusters/home")
        async with opened(World(tmp_path), *arguments, kinds=[("", "Event")]) as doors:
            data = {
                name: base64.b64encode(text.encode()).decode()
                for name, text in (("username", USER), ("password", PASSWORD))
            }
            metadata = {"name": "remote", "namespace": "flux-system"}
            secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}
            await doors.client.create("/api/v1/namespaces/flux-system/secrets", secret)
            await push(doors, "1.0.0")
            await doors.settled(host.head())
            await doors.until("running", lambda _: doors.running_images() == {f"{IMAGE}:1.0.0"})
            await taken_back(host, doors)
            await explained(doors)
            await held(host, doors)


async def taken_back(host: GitHost, doors: Doors) -> None:
    before = host.head()
    await push(doors, "1.0.1", CRASH)
    await doors.until("a rollback", lambda _: host.git("log", "-1", "--format=%s", "main").startswith("Roll back "))
    told = host.git("log", "-1", "--format=%B", "main")
    assert f"Roll back {IMAGE} to 1.0.0\n\nDeployment/shop/web was not ready: " in told
    assert "it ended with 3" in told
    assert "the last lines of its container web:\n  DB_PASSWORD=***\n  no such table: people" in told
    assert "hunter2" not in told
    assert host.git("log", "--format=%an", f"{before}..main").splitlines() == [AUTOMATION] * 2
    assert host.git("diff", before, "main") == ""
    await doors.settled(host.head())
    await doors.until("running again", lambda _: doors.running_images() == {f"{IMAGE}:1.0.0"})


async def explained(doors: Doors) -> None:
    await doors.until("selected again", lambda _: doors.selected_image() == f"{IMAGE}:1.0.0")
    told = await doors.tidegate("why", "web")
    assert told.startswith(f"ImagePolicy flux-system/web selects {IMAGE}:1.0.0")
    assert f"kept by {ROLLED_BACK}: 1.0.1 was taken back: Deployment/shop/web was not ready" in told
    assert "no such table: people" in told
    assert "hunter2" not in told
    assert f"to let it go: kubectl annotate imagepolicy web -n flux-system {ROLLED_BACK}-" in told
    assert "a new tag with a higher version that the range >=1.0.0 admits would be selected" in told
    events = [event for event in doors.view.objects["Event"] if event["reason"] == "RolledBack"]
    kinds = {event["involvedObject"]["kind"] for event in events}
    assert kinds == {"ImagePolicy", "ImageUpdateAutomation"}
    assert all("no such table: people" in event["message"] for event in events)


async def held(host: GitHost, doors: Doors) -> None:
    """What Git says of the policy is applied without taking the mark, until a newer tag ends it."""
    commits = host.git("rev-list", "--count", "main")
    await doors.reconcile("Kustomization", "flux-system")
    policy = await doors.client.get(path_of("ImagePolicy", "web"))
    assert annotation(policy, ROLLED_BACK) is not None
    await doors.reconcile("ImageRepository", "web")
    await doors.reconcile("ImageUpdateAutomation", "shop")
    assert host.git("rev-list", "--count", "main") == commits
    await push(doors, "1.0.2")
    await doors.until("running 1.0.2", lambda _: doors.running_images() == {f"{IMAGE}:1.0.2"})
    assert marked(host) == f"{IMAGE}:1.0.2"
    await doors.reconcile("ImageUpdateAutomation", "shop")
    policy = await doors.client.get(path_of("ImagePolicy", "web"))
    assert annotation(policy, ROLLED_BACK) is None
