"""Names and numbers in a repository that no status could hold: the update is made, and its status is written."""

import json

import pytest
from tests.integration.git_host import hosting
from tests.integration.update_world import AUTOMATION, SPACE, UpdateWorld, marked

pytestmark = pytest.mark.integration
LOST = 'image: web:1 # {"$imagepolicy": "flux-system:none"}\n'


@pytest.fixture
async def world(tmp_path):
    with hosting(tmp_path) as host:
        made = UpdateWorld(host, tmp_path)
        await made.make({"web.yaml": marked("near", "1.0.0"), **{f"more/{number}.yaml": LOST for number in range(400)}})
        await made.select("near", "1.1.0")
        yield made
        made.store.close()


async def told(world):
    conditions = (await world.store.get(AUTOMATION))["status"]["conditions"]
    return next(one["message"] for one in conditions if one["type"] == "Ready")


async def test_of_a_great_many_problems_the_first_are_told(world):
    await world.reconcile()
    message = await told(world)
    assert message.startswith("pushed commit ")
    assert message.endswith("\nand 350 more")
    assert len(message) < 32_768


async def test_a_file_whose_name_is_no_text_is_told_as_well_as_can_be(world):
    work = world.host.folder / "work"
    (work / "caf\udce9 \x1b[31m.yaml").write_text(LOST + marked("near", "1.0.0"))
    for command in (["add", "."], ["commit", "-qm", "Names"], ["push", "-q", "origin", "HEAD:main"]):
        world.host.git(*command, cwd=work)
    shown = await world.updates.preview_as_json(SPACE, "auto", world.context)
    assert json.dumps(shown, ensure_ascii=False).encode()
    assert shown["notes"][0].startswith("caf\ufffd \ufffd[31m.yaml:1: the marker names")
    await world.reconcile()
    message = await told(world)
    assert message.startswith("pushed commit ")
    assert "\ncaf\ufffd \ufffd[31m.yaml:1: the marker names flux-system:none" in message
    assert (await world.reconcile()).message.startswith("repository up-to-date")
