"""What the conditions of a real automation say where it can't do its work, as Flux's tools know the reasons."""

import base64

import pytest
from tests.integration.git_host import hosting
from tests.integration.update_world import AUTOMATION, SOURCE, SPACE, UpdateWorld, marked

from tidegate.base.errors import Denied, InvalidInput, NotFound
from tidegate.engine.outcome import Ready, Stalled
from tidegate.kinds.objects import ObjectKey

pytestmark = pytest.mark.integration


@pytest.fixture
async def world(tmp_path):
    with hosting(tmp_path) as host:
        made = UpdateWorld(host, tmp_path)
        await made.make({"web.yaml": marked("web", "1.0.0")})
        await made.select("web", "1.1.0")
        yield made
        made.store.close()


async def test_a_field_that_v1_has_removed_stalls_until_the_template_is_another(world):
    author = {"name": "Gate", "email": "gate@example.com"}
    commit = {"author": author, "messageTemplate": "{{range .Updated.Images}}{{.}}{{end}}"}
    await world.store.patch(AUTOMATION, {"spec": {"git": {"commit": commit}}}, manager="test")
    outcome = await world.reconcile()
    assert isinstance(outcome, Stalled)
    assert outcome.reason == "RemovedTemplateField"
    assert "use '.Changed' instead" in outcome.message
    assert (await world.condition("Stalled"))["reason"] == "RemovedTemplateField"
    assert world.commits() == ["Somebody"]

    commit["messageTemplate"] = "{{range .Changed.Changes}}{{.NewValue}}{{end}}"
    await world.store.patch(AUTOMATION, {"spec": {"git": {"commit": commit}}}, manager="test")
    assert isinstance(await world.reconcile(), Ready)
    assert await world.condition("Stalled") is None
    assert world.host.git("log", "-1", "--format=%s", "main") == "registry.test/web:1.1.0"


async def test_a_remote_that_refuses_and_one_without_the_branch_are_failed_git_operations(world):
    wrong = base64.b64encode(b"wrong").decode()
    await world.store.patch(ObjectKey("", "Secret", SPACE, "push"), {"data": {"password": wrong}}, manager="test")
    with pytest.raises(Denied) as refused:
        await world.reconcile()
    assert refused.value.code == "GitOperationFailed"
    elsewhere = {"spec": {"git": {"checkout": {"ref": {"branch": "nowhere"}}}}}
    await world.store.patch(AUTOMATION, elsewhere, manager="test")
    with pytest.raises(NotFound) as missing:
        await world.reconcile()
    assert missing.value.code == "GitOperationFailed"


async def test_a_source_that_is_not_there_is_a_failed_source(world):
    await world.store.delete(ObjectKey(SOURCE, "GitRepository", SPACE, "cluster"))
    with pytest.raises(NotFound) as missing:
        await world.reconcile()
    assert missing.value.code == "SourceManagerFailed"


@pytest.mark.parametrize("path", ["./nowhere", "../elsewhere"])
async def test_a_path_that_is_not_there_is_a_failed_update(world, path):
    await world.store.patch(AUTOMATION, {"spec": {"update": {"path": path}}}, manager="test")
    with pytest.raises((NotFound, InvalidInput)) as raised:
        await world.reconcile()
    assert raised.value.code == "UpdateFailed"


async def test_a_selector_that_can_match_nothing_stalls(world):
    selector = {"matchLabels": {"app": "way too long !!"}}
    await world.store.patch(AUTOMATION, {"spec": {"policySelector": selector}}, manager="test")
    outcome = await world.reconcile()
    assert isinstance(outcome, Stalled)
    assert outcome.reason == "InvalidPolicySelector"
