"""What is wrong in a push is told to the pusher with its place, harms nothing else, and a good push heals it."""

import re
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

sys.path.append(str(Path(__file__).parent))  # these folders are no packages

from crash_world import CLUSTER, DEPLOYMENT, DOCKERFILE, IMAGE, WORKFLOW, World
from whole_world import Doors, opened

from tidegate.engine.journey import ready_message

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module")]
OTHER = ".github/workflows/other.yaml"


@dataclass(frozen=True)
class Bad:
    """A file as it must not be; what the pusher hears, as patterns of lines; and which object says it, in which words.
    `builds` says whether the push that heals it builds an image.
    """

    path: str
    text: str
    told: tuple[str, ...] = ()
    condition: tuple[str, str, str, tuple[str, ...]] | None = None
    builds: bool = False


def replaced(text: str, old: str, new: str) -> str:
    assert old in text
    return text.lstrip("\n").replace(old, new)


BAD = {
    "a workflow that does not parse": Bad(
        OTHER, "on: push\njobs:\n  a: {b\n",
        (r"other\.yaml #1 .*\.github/workflows/other\.yaml:\d+:\d+: .*did not find expected ',' or '}'",),
    ),
    "a workflow with features that are not there": Bad(
        OTHER,
        "on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n"
        "    services: {db: {image: postgres, options: --privileged}}\n"
        "    steps:\n      - uses: foo/bar@v1\n",
        (
            r"other\.yaml:5:\d+: .*--privileged",
            r"other\.yaml:7:\d+: 'foo/bar@v1' is not built in, and can't be had", r"help: set spec\.actions\.url of",
        ),
    ),
    "the only workflow": Bad(
        ".github/workflows/image.yaml", replaced(WORKFLOW, "jobs:", "jobs: ["),
        (r"\.github/workflows/image\.yaml:\d+:\d+: ", r"image\.yaml #\d+ .*: failure"),
        builds=True,
    ),
    "a manifest that does not parse": Bad(
        "deploy/service.yaml", "apiVersion: v1\nkind: Service\n  metadata: {\n",
        (r"error: Kustomization/flux-system/shop can't apply \w+: .*deploy/service\.yaml:3:\d+: mapping values",),
        ("Kustomization", "shop", "False", ("deploy/service.yaml:3:",)),
    ),
    "wrong fields of Flux's kinds": Bad(
        "clusters/home/shop.yaml",
        replaced(CLUSTER, "interval: 10m", "interval: soon").replace('range: ">=1.0.0"', 'rnage: ">=1.0.0"'),
        (r"error: Kustomization/flux-system/flux-system can't apply \w+: .*clusters/home/shop\.yaml:13:13 ",),
        (
            "Kustomization", "flux-system", "False",
            (
                "clusters/home/shop.yaml:13:13 (spec.interval): 'soon' is no duration: write numbers with the units",
                "clusters/home/shop.yaml:28:20 (spec.policy.semver.range): is required",
            ),
        ),
    ),
    "a range that is none": Bad(
        "clusters/home/shop.yaml", replaced(CLUSTER, 'range: ">=1.0.0"', 'range: ">=one"'),
        (),
        ("ImagePolicy", "web", "False", ("spec.policy.semver.range: the range '>=one' is no comparison of versions",)),
    ),
    "a Dockerfile that does not parse": Bad(
        "app/Dockerfile", "FROM scratch\nCOPPY word /word\n",
        (r"docker/build-push-action@v6: failed", r"app/Dockerfile:2: unknown instruction: COPPY"),
        builds=True,
    ),
    "a RUN whose program is not there": Bad(
        "app/Dockerfile", replaced(DOCKERFILE, "COPY word", "RUN apt-get install -y curl\nCOPY word"),
        (r"app/Dockerfile:3: linux/\S+: the command ended with 127:", r"can't start '/bin/sh': no such file"),
        builds=True,
    ),
    "a marker that names no policy": Bad(
        "deploy/deployment.yaml", replaced(DEPLOYMENT, "flux-system:web", "flux-system:wbe"),
        (),
        (
            "ImageUpdateAutomation", "shop", "True",
            ("deploy/deployment.yaml:13: the marker names flux-system:wbe, and there is no such ImagePolicy",
             "create it, or correct the marker"),
        ),
    ),
    "a marker that does not parse": Bad(
        "deploy/deployment.yaml", replaced(DEPLOYMENT, '"flux-system:web"}', '"flux-system:web"'),
        (),
        ("ImageUpdateAutomation", "shop", "True", ("deploy/deployment.yaml:13: the marker is not a JSON object",)),
    ),
}  # fmt: skip


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def doors(tmp_path_factory):
    world = await World.make(tmp_path_factory.mktemp("bad"))
    async with opened(world) as doors:
        said = await doors.push()
        assert f"running {IMAGE}:1.0.1" in said, said
        yield doors


def keeping_tag(doors: Doors, text: str) -> str:
    """The text with the tag that the automation has written."""
    return text.replace(f"{IMAGE}:1.0.0", doors.selected_image())


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
async def test_it_is_told_and_a_good_push_heals_it(doors, bad):
    await doors.settled()
    good, image = await pulled(doors, bad.path), await doors.runs_what_is_selected()
    await doors.commit("Break it", {bad.path: keeping_tag(doors, bad.text)})
    said = await doors.push()
    for pattern in bad.told:
        assert re.search(f"remote: .*{pattern}", said), said
    if bad.condition is not None:
        kind, name, status, words = bad.condition
        await doors.condition(kind, name, status, *words)
    await unharmed(doors, image)
    await doors.commit("Mend it", {bad.path: good})
    said = await doors.push()
    assert ("remote: running" if bad.builds else "remote: applied") in said, said
    assert "error" not in said
    await doors.settled()
    if bad.condition is not None:
        await healed(doors, bad.condition[0], bad.condition[1], bad.condition[3])
    assert not find_invalid_workflows(doors)


async def pulled(doors: Doors, path: str) -> str | None:
    """A file as it is on the branch."""
    await doors.pull()
    return doors.read(path)


async def unharmed(doors: Doors, image: str) -> None:
    """The workload runs as before, the registry serves it, and the page tells of it."""
    assert doors.running_images() == {image}
    status, text = await doors.fetch("/v2/acme/shop-web/tags/list")
    assert (status, image.rpartition(":")[2] in text) == (200, True)
    assert image.rpartition(":")[2] in await doors.page()


async def healed(doors: Doors, kind: str, name: str, words: tuple[str, ...]) -> None:
    """The object is Ready and no longer says it."""
    await doors.condition(kind, name, "True")
    await doors.until(
        f"{kind} {name} healed",
        lambda objects: not any(word in ready_message(doors.object(kind, name) or {}) for word in words),
    )


def find_invalid_workflows(doors: Doors) -> list[str]:
    """What the Runner still says against workflows."""
    runner = doors.object("Runner", "acme-shop")
    assert runner is not None
    return [one["message"] for one in runner["status"]["conditions"] if one["type"] == "WorkflowsValid"]


async def test_the_pusher_of_an_image_that_no_marker_wants_is_told_and_not_kept_waiting(doors):
    await doors.settled()
    good = await pulled(doors, "deploy/deployment.yaml")
    image = await doors.runs_what_is_selected()
    assert good is not None
    lost = good.replace("flux-system:web", "flux-system:wbe")
    await doors.commit("Lose the marker", {"deploy/deployment.yaml": lost, "app/word": "lost\n"})
    said = await doors.push()
    assert re.search(r"remote: ImageUpdateAutomation/flux-system/shop has committed nothing for 1\.0\.\d+", said), said
    assert re.search(r"remote: .*deploy/deployment\.yaml:13: the marker names flux-system:wbe", said), said
    await unharmed(doors, image)
    await doors.commit("Find it again", {"deploy/deployment.yaml": good})
    await doors.push()
    assert doors.selected_image() != image
    await doors.runs_what_is_selected()
