"""A pull request for what an automation pushes to its own branch, over HTTP, as three forges answer."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.integration.forge_player import TOKEN, Forge
from tests.integration.git_host import PASSWORD, hosting
from tests.integration.git_proxy import PASSWORD as PROXY_PASSWORD
from tests.integration.git_proxy import USER as PROXY_USER
from tests.integration.git_proxy import proxying
from tests.integration.rollback_world import AUTOMATION, IMAGE, MARKER, PATH, SPACE, RollbackWorld

from tidegate.kinds.objects import ObjectKey

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed: apt-get install git"),
]
TEMPLATE = "Update {{range .Changed.Changes}}{{.NewValue}}{{end}}\n\nOld and new:\n- a line"
PREFIX = "tidegate.dev/pull-request"


@pytest.fixture(params=["github", "gitea", "gitlab"])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ForgeWorld]:
    with hosting(tmp_path) as host:
        made = ForgeWorld(RollbackWorld(host, tmp_path), Forge(host, request.param))
        await made.make()
        yield made
        made.world.store.close()


class ForgeWorld:
    def __init__(self, world: RollbackWorld, forge: Forge):
        self.world, self.forge = world, forge
        world.host.api = forge.answer

    async def make(self) -> None:
        await self.world.make(template=TEMPLATE, after="", push={"branch": "auto"})
        data = {"token": base64.b64encode(f"{TOKEN}\n".encode()).decode()}
        await self.world.create("v1", "Secret", "forge", data=data)
        await self.annotate(**{"": "true", "-api": self.forge.kind, "-secret": "forge"})

    async def annotate(self, **values: str | None) -> None:
        marks = {f"{PREFIX}{name}": value for name, value in values.items()}
        await self.world.store.patch(AUTOMATION, {"metadata": {"annotations": marks}}, manager="person")

    async def select(self, tag: str) -> None:
        await self.world.scanned("1.0.0", *[f"1.0.{number}" for number in range(1, int(tag[-1]) + 1)])
        await self.world.update()

    @property
    def asked(self) -> list[str]:
        return [method for method, _ in self.forge.requests]

    def tip(self) -> str:
        return self.world.host.git("rev-parse", "refs/heads/auto")

    async def condition(self) -> str:
        return await self.world.condition("PullRequest")


async def test_the_first_push_opens_one_with_the_words_of_the_commit(world: ForgeWorld) -> None:
    await world.select("1.0.1")
    (opened,) = world.forge.open_ones()
    assert (opened["head"], opened["base"], opened["title"], opened["body"]) == (
        "auto",
        "main",
        f"Update {IMAGE}:1.0.1",
        "Old and new:\n- a line",
    )
    condition = await world.condition()
    assert condition.startswith("True Open: https://forge.test/acme/shop/")
    assert condition.endswith(f"/1 shows commit {world.tip()}")
    (event,) = await world.world.events("PullRequestOpened")
    assert event.endswith(f"/1: Update {IMAGE}:1.0.1")
    word = "token" if world.forge.kind == "gitea" else "Bearer"
    assert world.forge.tokens == {f"{word} {TOKEN}"}


async def test_what_comes_later_goes_into_the_same_one(world: ForgeWorld) -> None:
    await world.select("1.0.1")
    await world.select("1.0.2")
    (updated,) = world.forge.open_ones()
    assert updated["title"] == f"Update {IMAGE}:1.0.2"
    assert world.asked[-2:] == ["GET", "PUT" if world.forge.kind == "gitlab" else "PATCH"]
    assert (await world.condition()).endswith(f"/1 shows commit {world.tip()}")


async def test_nothing_is_asked_while_nothing_is_pushed_also_after_a_restart(world: ForgeWorld) -> None:
    await world.select("1.0.1")
    world.forge.requests.clear()
    for _ in range(3):
        world.world.restart()
        await world.world.update()
    assert world.forge.requests == []
    assert (await world.condition()).startswith("True Open")


async def test_of_others_with_such_branches_none_is_touched(world: ForgeWorld) -> None:
    for number in range(120):
        world.forge.add(f"feature-{number}", "main")
    world.forge.add("auto", "main", owner="stranger")
    world.forge.add("auto", "release")
    world.forge.add("auto", "main", state="closed")
    before = json.dumps(world.forge.pulls)
    await world.select("1.0.1")
    assert json.dumps(world.forge.pulls[:-1]) == before
    assert world.forge.pulls[-1]["number"] == 124
    await world.select("1.0.2")
    assert len(world.forge.pulls) == 124


async def test_when_the_answer_is_lost_no_second_one_is_opened(world: ForgeWorld) -> None:
    world.forge.lose_next_creation = True
    await world.select("1.0.1")
    assert (await world.condition()).startswith("False Unavailable: POST ")
    tip = world.tip()  # what was pushed stays
    outcome = await world.world.update()
    assert len(world.forge.pulls) == 1
    assert world.tip() == tip
    assert outcome.conditions[0].status == "True"


async def test_when_somebody_opens_it_first_that_one_is_used(world: ForgeWorld) -> None:
    await world.select("1.0.1")
    world.forge.pulls[0]["title"] = "renamed by a person"
    empty = 200, {"Content-Type": "application/json"}, b"[]"
    world.forge.answers = [empty]
    await world.select("1.0.2")
    (only,) = world.forge.pulls
    assert only["title"] == f"Update {IMAGE}:1.0.2"
    assert (await world.condition()).startswith("True Open")


async def test_an_error_is_told_once_and_tried_again_and_the_commit_stays(world: ForgeWorld) -> None:
    wrong = base64.b64encode(b"wrong-token-42").decode()
    key = ObjectKey("", "Secret", SPACE, "forge")
    await world.world.store.patch(key, {"data": {"token": wrong}}, manager="person")
    await world.select("1.0.1")
    tip = world.tip()
    for _ in range(2):
        outcome = await world.world.update()
        assert outcome.at_latest == 60.0
    condition = await world.condition()
    assert condition.startswith("False Denied: GET http://127.0.0.1")
    assert "was answered with 401: Bad credentials" in condition
    assert "give the token the right" in condition
    (event,) = await world.world.events("PullRequestFailed")
    assert "wrong-token" not in condition + event
    assert world.tip() == tip
    right = base64.b64encode(TOKEN.encode()).decode()
    await world.world.store.patch(key, {"data": {"token": right}}, manager="person")
    await world.world.update()
    assert len(world.forge.open_ones()) == 1


async def test_a_limit_is_waited_for(world: ForgeWorld) -> None:
    world.forge.answers = [(429, {"Retry-After": "600"}, b'{"message": "slow down"}')]
    await world.select("1.0.1")
    assert world.asked == ["GET"]
    assert (await world.condition()).startswith("False RateLimited: GET ")
    world.forge.answers = [(429, {"Retry-After": "600"}, b"{}")]
    assert (await world.world.update()).at_latest == 600.0


async def test_the_token_follows_no_redirect(world: ForgeWorld) -> None:
    stolen: list[str] = []
    with hosting(world.world.folder / "other") as other:
        other.api = lambda _method, _target, headers, _body: (
            stolen.append(headers.get("Authorization", "")) or (200, {}, b"[]")
        )
        elsewhere = f"http://127.0.0.1:{other.port}/api/v1/x"
        world.forge.answers = [(302, {"Location": elsewhere}, b"")]
        await world.select("1.0.1")
    assert stolen == []
    condition = await world.condition()
    assert condition.startswith("False InvalidInput: GET ")
    assert "redirects are not followed, since the token would go elsewhere" in condition


async def test_too_large_an_answer_is_not_read(world: ForgeWorld) -> None:
    world.forge.answers = [(200, {}, b"[" + b" " * (5 * 1024 * 1024) + b"]")]
    await world.select("1.0.1")
    assert (await world.condition()).startswith("False LimitExceeded: ")


async def test_what_was_merged_or_is_gone_is_not_proposed_again(world: ForgeWorld) -> None:
    await world.select("1.0.1")
    world.forge.pulls[0]["state"] = "closed"
    world.world.host.git("update-ref", "refs/heads/main", world.tip())
    world.forge.requests.clear()
    # The condition is lost, as an error in between loses it.
    await world.world.store.patch_status(AUTOMATION, {"conditions": []}, manager="test")
    await world.world.update()
    assert world.forge.requests == []
    world.world.host.git("update-ref", "-d", "refs/heads/auto")
    await world.world.update()
    assert world.forge.requests == []
    await world.select("1.0.2")
    assert [one["state"] for one in world.forge.pulls] == ["closed", "open"]


async def test_with_the_condition_lost_the_open_one_is_found_again(world: ForgeWorld) -> None:
    await world.select("1.0.1")
    await world.world.store.patch_status(AUTOMATION, {"conditions": []}, manager="test")
    await world.world.update()
    assert len(world.forge.pulls) == 1
    assert world.asked[-1] == "GET"
    assert (await world.condition()).endswith(f"/1 shows commit {world.tip()}")


@pytest.fixture
async def plain(tmp_path: Path) -> AsyncIterator[ForgeWorld]:
    with hosting(tmp_path) as host:
        made = ForgeWorld(RollbackWorld(host, tmp_path), Forge(host, "github"))
        await made.make()
        yield made
        made.world.store.close()


async def test_where_the_host_does_not_tell_its_api_the_annotation_is_named(plain: ForgeWorld) -> None:
    await plain.annotate(**{"-api": None})
    await plain.select("1.0.1")
    condition = await plain.condition()
    assert condition.startswith("False InvalidInput: nothing says which API '127.0.0.1' has")
    assert "tidegate.dev/pull-request-api: github, gitea, forgejo, gitlab" in condition


async def test_without_a_secret_of_its_own_the_source_s_password_is_the_token(plain: ForgeWorld) -> None:
    await plain.annotate(**{"-secret": None})
    await plain.select("1.0.1")
    assert plain.forge.tokens == {f"Bearer {PASSWORD}"}


async def test_a_secret_without_a_token_is_named(plain: ForgeWorld) -> None:
    await plain.world.create("v1", "Secret", "empty", data={"user": "eA=="})
    await plain.annotate(**{"-secret": "empty"})
    await plain.select("1.0.1")
    assert (await plain.condition()).startswith(f"False NoToken: the Secret {SPACE}/empty has no token for the API of ")
    assert plain.forge.requests == []


async def test_false_is_off(plain: ForgeWorld) -> None:
    await plain.annotate(**{"": "false"})
    await plain.select("1.0.1")
    assert (await plain.condition(), plain.forge.requests) == ("", [])


async def test_without_a_branch_of_its_own_it_is_said_what_to_do(tmp_path: Path) -> None:
    with hosting(tmp_path) as host:
        world = ForgeWorld(RollbackWorld(host, tmp_path), Forge(host, "github"))
        await world.world.make(after="")
        await world.annotate(**{"": "true", "-api": "github"})
        await world.select("1.0.1")
        assert world.world.image() == f"{IMAGE}:1.0.1"
        assert (await world.condition()).startswith("False NoBranch: a pull request needs a branch of its own")
        world.world.store.close()


async def test_a_person_s_commit_on_main_makes_the_branch_anew_and_keeps_the_one_pull_request(
    plain: ForgeWorld,
) -> None:
    await plain.select("1.0.1")
    plain.world.host.commit("Elsewhere", {"docs.md": "x\n"})
    await plain.world.update()
    assert len(plain.forge.pulls) == 1
    assert (await plain.condition()).endswith(f"/1 shows commit {plain.tip()}")
    assert MARKER in plain.world.host.git("show", f"auto:{PATH}")


async def test_the_proxy_of_the_source_is_gone_through_and_a_socks_proxy_is_told(plain: ForgeWorld) -> None:
    with proxying("http") as proxy:
        given = {"address": f"http://127.0.0.1:{proxy.port}", "username": PROXY_USER, "password": PROXY_PASSWORD}
        data = {name: base64.b64encode(value.encode()).decode() for name, value in given.items()}
        await plain.world.create("v1", "Secret", "proxy", data=data)
        source = ObjectKey("source.toolkit.fluxcd.io", "GitRepository", SPACE, "fleet")
        await plain.world.store.patch(source, {"spec": {"proxySecretRef": {"name": "proxy"}}}, manager="person")
        await plain.select("1.0.1")
        assert len(plain.forge.open_ones()) == 1
        assert [place for place in proxy.passed if "/api/v3/" in place]
    with proxying("socks5") as proxy:
        address = base64.b64encode(f"socks5://127.0.0.1:{proxy.port}".encode()).decode()
        secret = ObjectKey("", "Secret", SPACE, "proxy")
        await plain.world.store.patch(secret, {"data": {"address": address}}, manager="person")
        await plain.select("1.0.2")
    assert "the API is not reached through a SOCKS proxy" in await plain.condition()
