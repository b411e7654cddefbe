"""A push that does not go as it should, to a real host over smart HTTP: what is said of it, and what is left of it."""

import asyncio
import base64
import shutil

import pytest
from tests.integration.git_host import PASSWORD, USER, hosting
from tests.integration.test_update_together import NAMES, SOURCE, World

from tidegate.base.errors import Denied, Unavailable
from tidegate.git.origins import Origins
from tidegate.git.words import SAID_LIMIT

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(shutil.which("perl") is None, reason="perl is not installed: apt-get install perl-base"),
]
RECEIVE = "acme/shop.git/git-receive-pack"


@pytest.fixture
async def world(tmp_path):
    with hosting(tmp_path) as host:
        made = World(host, tmp_path)
        await made.make()
        await made.source()
        await made.select("1.0.1", "a")
        yield made
        made.store.close()


def cut():
    raise ConnectionAbortedError


async def redone(world):
    """The next try, as the engine makes it after its pause, and what git says of the repository then."""
    (outcome,) = await world.update("a")
    arrived(world, outcome)


def arrived(world, outcome):
    """There is one commit, whole, and it is told."""
    world.host.git("fsck", "--full", "--strict", "--no-dangling")
    assert world.host.git("log", "--format=%an", "main").splitlines() == ["flux@example.org", "Somebody"]
    assert world.tags() == ["1.0.1", *["1.0.0"] * (len(NAMES) - 1)]
    assert outcome.status["lastPushCommit"] == world.host.head()


async def test_what_a_hook_says_is_told_with_what_to_do(world):
    world.host.hook("pre-receive", 'echo "main is protected: open a merge request" >&2; exit 1')
    before = world.host.head()
    (refused,) = await world.update("a")
    assert isinstance(refused, Denied)
    said = refused.explain()
    assert "refuses the push to main" in said
    assert "pre-receive hook declined" in said
    assert "main is protected: open a merge request" in said
    assert "spec.git.push.branch" in said
    assert world.host.head() == before
    (world.host.bare / "hooks/pre-receive").unlink()
    await redone(world)


async def test_a_hook_that_refuses_one_branch_is_told_too(world):
    world.host.hook("update", 'echo "GH006: Protected branch update failed for $1." >&2; exit 1')
    (refused,) = await world.update("a")
    assert isinstance(refused, Denied)
    assert "GH006: Protected branch update failed for refs/heads/main." in str(refused)


async def test_what_a_hook_says_is_bounded_and_holds_neither_secrets_nor_control_characters(world):
    basic = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    world.host.hook(
        "pre-receive",
        f"for n in $(seq 5000); do echo words; done >&2\n"
        f"printf 'you sent {PASSWORD}, {basic},\\033[31m red \\033[0m\\a' >&2; echo >&2\n"
        f"echo https://{USER}:hunter2@elsewhere.example/ >&2\nexit 1",
    )
    (refused,) = await world.update("a")
    said = refused.explain()
    assert isinstance(refused, Denied)
    assert "words words you sent ***, ***, red https://***@elsewhere.example/" in said
    assert all(secret not in said for secret in (PASSWORD, basic, "hunter2"))
    assert len(said) < SAID_LIMIT + 500
    assert said.replace("\n", "").isprintable()


async def test_a_branch_that_is_called_like_the_whole_ref_stays_as_it_is(world):
    before = world.host.head()
    world.host.git("update-ref", "refs/heads/refs/heads/main", before)
    (outcome,) = await world.update("a")
    assert outcome.status["lastPushCommit"] == world.host.head() != before
    assert world.host.git("rev-parse", "refs/heads/refs/heads/main") == before


async def test_a_refused_push_is_made_once(world, tmp_path):
    world.host.hook("pre-receive", f"echo asked >> {tmp_path}/asked; exit 1")
    (refused,) = await world.update("a")
    assert isinstance(refused, Denied)
    assert (tmp_path / "asked").read_text() == "asked\n"


async def test_a_remote_that_dies_before_it_takes_the_push_gets_it_again(world):
    def cut_always():
        world.host.once_before(RECEIVE, cut_always)
        cut()

    world.host.once_before(RECEIVE, cut_always)
    before = world.host.head()
    (failed,) = await world.update("a")
    assert isinstance(failed, Unavailable)
    assert world.host.head() == before
    world.host.before = None
    await redone(world)


async def test_a_remote_that_dies_after_it_took_the_push_has_one_commit_and_it_is_told(world):
    world.host.once_after(RECEIVE, cut)
    (outcome,) = await world.update("a")
    assert world.host.after is None, "it did die"
    arrived(world, outcome)


async def test_a_remote_that_is_slow_is_given_up_and_what_it_does_then_is_found(world, tmp_path, monkeypatch):
    """The hook goes on as long as the test wants; then the branch moves, though nobody waits for it any more."""
    began, go = tmp_path / "began", tmp_path / "go"
    world.host.hook("pre-receive", f"touch {began}; while [ ! -e {go} ]; do sleep 0.05; done")
    push = Origins.push

    async def impatient(self, *arguments, **options):
        return await push(self, *arguments, **options | {"timeout": 3.0})

    monkeypatch.setattr(Origins, "push", impatient)
    (failed,) = await world.update("a")
    assert isinstance(failed, Unavailable)
    assert "did not answer in time" in str(failed)
    assert began.exists()
    go.touch()
    async with asyncio.timeout(30):
        while world.host.git("rev-list", "--count", "main") == "1":  # noqa: ASYNC110 - a ref has no event
            await asyncio.sleep(0.05)
    await redone(world)


async def test_a_credential_that_may_only_read_is_told(world):
    data = {"username": base64.b64encode(b"reader").decode(), "password": base64.b64encode(b"read-only").decode()}
    secret = next(iter((await world.store.list("", "Secret")).items))["metadata"]["name"]
    await world.store.patch(SOURCE.__class__("", "Secret", SOURCE.namespace, secret), {"data": data}, manager="test")
    (refused,) = await world.update("a")
    assert isinstance(refused, Denied)
    assert "refused the credential" in str(refused)
    assert "read-only" not in refused.explain()
