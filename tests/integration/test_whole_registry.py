"""A registry that is down, slow or answers garbage, scanned by a whole Tidegate: nothing is updated, nothing lost."""

import asyncio
import json
import shutil
import sys
import time
from pathlib import Path

import pytest
import pytest_asyncio

sys.path.append(str(Path(__file__).parent))  # these folders are no packages

from crash_world import CLUSTER, World
from misbehaving_server import Answer, response, serving
from whole_world import Doors, opened

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module")]
WAIT = 6
"""Seconds: longer than the client itself waits for within one scan, so that its caller has to."""
SCANNED = """
---
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImageRepository
metadata: {{name: far, namespace: flux-system}}
spec: {{image: "{image}", interval: 1h, timeout: 3s}}
---
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImagePolicy
metadata: {{name: far, namespace: flux-system}}
spec:
  imageRepositoryRef: {{name: far}}
  policy: {{semver: {{range: ">=1.0.0"}}}}
"""
MARKED = """
apiVersion: v1
kind: ConfigMap
metadata: {{name: far, namespace: shop}}
data:
  image: {image}:1.0.0 # {{"$imagepolicy": "flux-system:far"}}
"""


class Registry:
    """What the server answers now."""

    def __init__(self, server):
        self.server = server
        self.image = str(server.repository)

    def well(self, *tags: str) -> None:
        """The tags, and no manifest of any: the guard against loops asks for one."""
        page = response("200 OK", json.dumps({"name": "acme/web", "tags": tags}).encode())
        missing = response("404 Not Found", b'{"errors": [{"code": "MANIFEST_UNKNOWN"}]}')

        async def answer(writer) -> None:
            asked = self.server.heads[-1].split(" ")[1]
            await (page if "/tags/list" in asked else missing)(writer)

        self.server.answer = answer

    def ill(self, answer: Answer) -> None:
        self.server.answer = answer


async def silent(writer) -> None:
    """Says nothing until the other side hangs up."""
    await writer.wait_closed()


async def dripping(writer) -> None:
    """Sends one byte after the other of an answer that never ends."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.05)


async def hanging_up(writer) -> None:
    """Is down, as far as anybody can see: the connection breaks at once."""
    writer.transport.abort()


ILL = {
    "down": (hanging_up, "is not reachable"),
    "silent": (silent, "was not scanned within 3 s\nsee whether the registry is slow"),
    "dripping": (dripping, "was not scanned within 3 s"),
    "a login page": (response("200 OK", b"<html>Log in</html>", "content-type: text/html"), "no login page"),
    "half a document": (response("200 OK", b'{"name": "acme/web", "tags": ["1.0.0", "9.'), "with something else"),
    "no tags": (
        response("200 OK", b'{"name": "acme/web", "tags": []}'),
        "has no tags any more, though it had 2. The last good result is kept.",
    ),
    "null": (response("200 OK", b'{"name": "acme/web", "tags": null}'), "The last good result is kept."),
    "none but an old tag": (
        response("200 OK", b'{"name": "acme/web", "tags": ["1.0.0"]}'),
        "has no longer 1.0.1, which is selected, and nothing new. The last good result is kept.",
    ),
    "pages in a circle": (
        response("200 OK", b'{"tags": ["9.0.0"]}', 'link: </v2/acme/web/tags/list?n=1000>; rel="next"'),
        "repeats its pages of tags",
    ),
    "an internal error": (response("500 Internal Server Error", b"oops"), "answered 500 to GET /v2/acme/web/tags/list"),
    "not found": (response("404 Not Found", b"{}"), "answered 404"),
    "a refusal": (response("403 Forbidden", b"{}"), "answered 403"),
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def far(tmp_path_factory):
    """A registry, and a Tidegate that has scanned it and committed what it found."""
    world = await World.make(tmp_path_factory.mktemp("far"))
    async with serving(hanging_up) as server:
        registry = Registry(server)
        registry.well("1.0.0", "1.0.1")
        async with opened(world) as doors:
            await doors.commit("Scan another registry", files(registry.image))
            await doors.push()
            await doors.until("1.0.1 in the ConfigMap", lambda _: value(doors) == f"{registry.image}:1.0.1")
            await doors.settled()
            yield registry, doors


def files(image: str) -> dict[str, str | None]:
    return {
        "clusters/home/shop.yaml": CLUSTER.lstrip("\n") + SCANNED.format(image=image),
        "deploy/far.yaml": MARKED.lstrip("\n").format(image=image),
        ".github/workflows/image.yaml": None,
        "deploy/deployment.yaml": None,
    }


def value(doors: Doors) -> str:
    """The image in the ConfigMap, as it is applied."""
    found = doors.object("ConfigMap", "far")
    return str(found["data"]["image"]) if found else ""


@pytest.mark.parametrize(("answer", "says"), ILL.values(), ids=ILL.keys())
async def test_an_ill_registry_changes_nothing_but_its_condition(far, answer, says):
    registry, doors = far
    head, before = await doors.head(), doors.object("ImageRepository", "far")["status"]["lastScanResult"]
    registry.ill(answer)
    ill = await doors.reconcile("ImageRepository", "far")
    ready = next(one for one in ill["status"]["conditions"] if one["type"] == "Ready")
    assert (ready["status"], says in ready["message"]) == ("False", True), ready
    assert str(registry.server.port) in ready["message"]
    assert ill["status"]["lastScanResult"] == before
    for kind, name in (("ImagePolicy", "far"), ("ImageUpdateAutomation", "shop"), ("Kustomization", "shop")):
        found = await doors.reconcile(kind, name)
        assert next(one for one in found["status"]["conditions"] if one["type"] == "Ready")["status"] == "True"
    assert doors.object("ImagePolicy", "far")["status"]["latestRef"]["tag"] == before["latestTags"][0]
    assert await doors.head() == head
    assert value(doors) == f"{registry.image}:{before['latestTags'][0]}"
    registry.well(*before["latestTags"])
    well = await doors.reconcile("ImageRepository", "far")
    assert next(one for one in well["status"]["conditions"] if one["type"] == "Ready")["status"] == "True"
    assert await doors.head() == head


async def test_a_registry_that_is_well_again_is_found_so_without_being_asked_for(far):
    registry, doors = far
    registry.ill(hanging_up)
    await doors.reconcile("ImageRepository", "far")
    registry.well("1.0.0", "1.0.1", "1.0.2")
    await doors.until("1.0.2 in the ConfigMap", lambda _: value(doors) == f"{registry.image}:1.0.2")


async def test_a_rate_limit_is_kept_to(far):
    """It is no failure, and who asks for a scan meanwhile gets none."""
    registry, doors = far
    registry.ill(response("429 Too Many Requests", b"", f"retry-after: {WAIT}"))
    held = await doors.reconcile("ImageRepository", "far")
    told = time.monotonic()
    conditions = {one["type"]: one for one in held["status"]["conditions"]}
    assert {kind: one["status"] for kind, one in conditions.items()} == {"Ready": "True", "RateLimited": "True"}
    assert "no scan before 20" in conditions["RateLimited"]["message"]
    assert f"asks to wait {WAIT} s (429)" in conditions["RateLimited"]["message"]
    registry.well("1.0.0", "1.0.1", "1.0.2", "1.0.3")
    asked = len(registry.server.heads)
    await doors.reconcile("ImageRepository", "far")
    assert len(registry.server.heads) == asked
    await doors.until("1.0.3 in the ConfigMap", lambda _: value(doors) == f"{registry.image}:1.0.3")
    assert time.monotonic() - told > WAIT - 1
    await doors.condition("ImageRepository", "far", "True", "found 4 tags")
    left = {one["type"] for one in doors.object("ImageRepository", "far")["status"]["conditions"]}
    assert left <= {"Ready", "Expecting"}  # the first commit, of which nobody knows what builds it, announces a tag


async def test_three_scans_that_agree_or_a_word_that_it_is_right_are_believed(far):
    registry, doors = far
    registry.well("1.0.1", "1.0.2", "1.0.3")
    await doors.reconcile("ImageRepository", "far")
    head = await doors.head()
    registry.well("1.0.3")
    # A scan that nobody asked for may come first, and count.
    scans = [(await doors.reconcile("ImageRepository", "far"))["status"] for _ in range(3)]
    assert (scans[0]["lastScanResult"]["tagCount"], scans[2]["lastScanResult"]["tagCount"]) == (3, 1)
    assert scans[0]["distrustedScanResult"]["scans"] in (1, 2)
    registry.well("1.0.1", "1.0.2", "1.0.3")
    await doors.reconcile("ImageRepository", "far")
    registry.well("1.0.3")
    await doors.reconcile("ImageRepository", "far")
    assert "found 1 tags" in await doors.tidegate("reconcile", "imagerepository", "far", "--accept")
    await doors.until(
        "no doubt left", lambda _: "distrustedScanResult" not in doors.object("ImageRepository", "far")["status"]
    )
    assert await doors.head() == head
    assert value(doors) == f"{registry.image}:1.0.3"


async def test_tags_that_are_damaged_or_deleted_come_back_by_a_scan(far):
    registry, doors = far
    registry.well("1.0.1", "1.0.2", "1.0.3")
    await doors.reconcile("ImageRepository", "far")
    head, folder = await doors.head(), doors.world.home.tags
    for file in folder.iterdir():
        file.write_bytes(file.read_bytes().replace(b"1.0.3", b"9.9.9"))
    await doors.reconcile("ImagePolicy", "far")
    await doors.condition("ImagePolicy", "far", "True", "resolved to 1.0.3")
    assert not any(b"9.9.9" in file.read_bytes() for file in folder.iterdir())
    shutil.rmtree(folder)
    await doors.reconcile("ImagePolicy", "far")
    await doors.condition("ImagePolicy", "far", "True", "resolved to 1.0.3")
    assert await doors.head() == head
    assert value(doors) == f"{registry.image}:1.0.3"


async def test_after_a_commit_a_tag_is_looked_for_long_before_the_interval(far):
    registry, doors = far
    registry.well("1.0.1", "1.0.2", "1.0.3")
    await doors.commit("Say something else", {"README.md": "something else\n"})
    await doors.push()

    def expecting(_: object) -> bool:
        found = doors.object("ImageRepository", "far")["status"]["conditions"]
        return any(one["type"] == "Expecting" and "has the commit" in one["message"] for one in found)

    await doors.until("a tag is expected", expecting)
    registry.well("1.0.1", "1.0.2", "1.0.3", "1.0.4")
    await doors.until("1.0.4 in the ConfigMap", lambda _: value(doors) == f"{registry.image}:1.0.4")
