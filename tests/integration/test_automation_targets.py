"""Where an automation's commits go on a real remote over ssh: its own branch, a refspec, with options, signed."""

import base64
import socket
import subprocess

import pytest
from tests.integration.needed import need
from tests.integration.ssh_remote import Clone, SshRemote

from tidegate.base.errors import Denied, Unavailable
from tidegate.engine.events import EventRecorder
from tidegate.engine.manual_clock import ManualClock
from tidegate.engine.outcome import Context, Ready
from tidegate.engine.sqlite_store import SqliteStore
from tidegate.git.mirror import Mirrors
from tidegate.git.origins import Origins
from tidegate.kinds.objects import ObjectKey, key_of
from tidegate.update.controller import ImageUpdateAutomationController

pytestmark = pytest.mark.integration
MANIFEST = 'image: ghcr.io/me/web:1.0.0 # {"$imagepolicy": "apps:web"}\n'
HOOK = '#!/bin/sh\necho "$GIT_PUSH_OPTION_COUNT $GIT_PUSH_OPTION_0" >> "$GIT_DIR/options"\n'


class World:
    """A store, a remote with a deploy key, a developer's clone, and the controller."""

    def __init__(self, folder):
        self.remote = SshRemote(folder / "ssh")
        self.key = self.remote.new_key("deploy")
        self.remote.allow(self.key)
        self.bare = self.remote.create("shop")
        self.remote.start()
        self.clone = Clone(folder / "clone", self.remote, "shop", self.key)
        self.clone.push({"deploy.yaml": MANIFEST, "other.yaml": MANIFEST.replace("apps:web", "apps:api")})
        clock = ManualClock()
        self.store = SqliteStore(folder / "store.db", clock)
        self.context = Context(self.store, clock, EventRecorder(self.store, clock, "image-automation-controller"))
        origins = Origins(Mirrors(folder / "mirrors"), lambda _: None, None)
        self.controller = ImageUpdateAutomationController(origins, no_revision)

    async def set_up(self):
        source = {
            "interval": "1m",
            "url": self.remote.url("shop"),
            "ref": {"branch": "main"},
            "secretRef": {"name": "git"},
        }
        await self.create("source.toolkit.fluxcd.io/v1", "GitRepository", "shop", source)
        await self.secret("git", identity=self.key.read_bytes(), known_hosts=self.remote.known_hosts().encode())
        await self.select("web", "1.0.1", {"team": "red"})

    async def create(self, api_version, kind, name, spec=None, **more):
        metadata = {"name": name, "namespace": "apps", "labels": more.pop("labels", {})}
        obj = {
            "apiVersion": api_version,
            "kind": kind,
            "metadata": metadata,
            **({"spec": spec} if spec else {}),
            **more,
        }
        return await self.store.create(obj, manager="test")

    async def secret(self, name, **data):
        encoded = {key: base64.b64encode(value).decode() for key, value in data.items()}
        await self.create("v1", "Secret", name, data=encoded)

    async def select(self, name, tag, labels=None):
        spec = {"imageRepositoryRef": {"name": name}, "policy": {"alphabetical": {}}}
        policy = await self.create("image.toolkit.fluxcd.io/v1", "ImagePolicy", name, spec, labels=labels)
        status = {"latestRef": {"name": f"ghcr.io/me/{name}", "tag": tag}}
        await self.store.patch_status(key_of(policy), status, manager="test")

    async def automation(self, push=None, commit=None, **spec):
        git = {"commit": {"author": {"name": "Gate", "email": "gate@example.com"}, **(commit or {})}}
        spec |= {"interval": "1m", "sourceRef": {"kind": "GitRepository", "name": "shop"}, "update": {"path": "./"}}
        spec["git"] = git | ({"push": push} if push else {})
        obj = await self.create("image.toolkit.fluxcd.io/v1", "ImageUpdateAutomation", "auto", spec)
        return key_of(obj)

    async def reconcile(self, key):
        """One reconciliation, its status written as the engine does."""
        outcome = await self.controller.reconcile(await self.store.get(key), self.context)
        if isinstance(outcome, Ready):
            await self.store.patch_status(key, dict(outcome.status), manager="test")
        return outcome

    def git(self, *arguments):
        argv = ["git", "--git-dir", str(self.bare), *arguments]
        return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=30).stdout.strip()


async def no_revision(_access, _image):
    return None


@pytest.fixture
async def world(tmp_path):
    world = World(tmp_path)
    await world.set_up()
    yield world
    world.store.close()
    world.remote.stop()


async def test_its_own_branch_is_made_anew_on_top_of_what_is_read_and_only_when_something_differs(world):
    key = await world.automation({"branch": "auto"})
    first = await world.reconcile(key)
    assert first.message.startswith("pushed commit '")
    assert "' to branch 'auto'\n" in first.message
    pushed, main = world.git("rev-parse", "auto"), world.git("rev-parse", "main")
    assert world.git("rev-parse", "auto~1") == main
    assert first.status["lastPushCommit"] == pushed
    assert first.status["observedSourceRevision"] == f"main@sha1:{main}"

    again = await world.reconcile(key)
    assert again.message.startswith("repository up-to-date")
    assert world.git("rev-parse", "auto") == pushed

    # A person's commit on main: the branch is made anew on top, and what was on it is replaced.
    moved = world.clone.push({"notes.txt": "new\n"})
    await world.reconcile(key)
    assert world.git("rev-parse", "auto~1") == moved
    assert world.git("rev-list", "--count", f"{moved}..auto") == "1"
    assert world.git("rev-parse", "main") == moved


async def test_a_branch_that_was_pushed_before_the_status_was_written_is_found_again(world):
    key = await world.automation({"branch": "auto"})
    await world.controller.reconcile(await world.store.get(key), world.context)
    pushed = world.git("rev-parse", "auto")
    outcome = await world.reconcile(key)
    assert outcome.status["lastPushCommit"] == pushed == world.git("rev-parse", "auto")


async def test_a_refspec_is_pushed_to_once_and_beside_a_branch(world):
    key = await world.automation({"refspec": "HEAD:refs/for/main"})
    main = world.git("rev-parse", "main")
    outcome = await world.reconcile(key)
    assert "' using refspec 'HEAD:refs/for/main'\n" in outcome.message
    change = world.git("rev-parse", "refs/for/main")
    assert world.git("rev-parse", "refs/for/main~1") == main == world.git("rev-parse", "main")
    assert (await world.reconcile(key)).message.startswith("repository up-to-date")
    assert world.git("rev-parse", "refs/for/main") == change

    await world.store.delete(key)
    key = await world.automation({"branch": "auto", "refspec": "auto:refs/mirrored/auto"})
    assert "' to branch 'auto' and using refspec 'auto:refs/mirrored/auto'\n" in (await world.reconcile(key)).message
    assert world.git("rev-parse", "refs/mirrored/auto") == world.git("rev-parse", "auto")


@pytest.mark.parametrize("ref", ["refs/for/main", "refs/heads/review"])
async def test_what_was_pushed_to_a_branch_goes_to_the_refspec_that_takes_its_place(world, ref):
    key = await world.automation({"branch": "auto"})
    await world.reconcile(key)
    push = {"spec": {"git": {"push": {"branch": None, "refspec": f"HEAD:{ref}"}}}}
    await world.store.patch(key, push, manager="test")
    await world.context.clock.advance(60)
    assert f"' using refspec 'HEAD:{ref}'\n" in (await world.reconcile(key)).message
    pushed = world.git("rev-parse", ref)
    await world.context.clock.advance(60)
    assert (await world.reconcile(key)).message.startswith("repository up-to-date")
    assert world.git("rev-parse", ref) == pushed


async def test_push_options_reach_the_remotes_hook(world):
    world.git("config", "receive.advertisePushOptions", "true")
    hook = world.bare / "hooks/pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(HOOK)
    hook.chmod(0o755)
    key = await world.automation({"options": {"merge_request.create": "true"}})
    await world.reconcile(key)
    assert (world.bare / "options").read_text() == "1 merge_request.create=true\n"


async def test_a_commit_is_signed_with_the_key_of_a_secret(world):
    need("ssh-keygen", "openssh-client")
    signing = world.remote.new_key("signing")
    await world.secret("signing", identity=signing.read_bytes())
    key = await world.automation(commit={"signingKey": {"type": "ssh", "secretRef": {"name": "signing"}}})
    await world.reconcile(key)
    allowed = world.remote.folder / "allowed"
    allowed.write_text(f"gate@example.com {signing.with_suffix('.pub').read_text()}")
    world.git("-c", f"gpg.ssh.allowedSignersFile={allowed}", "verify-commit", "main")
    assert world.git("log", "-1", "--format=%an", "main") == "Gate"


async def test_only_the_policies_that_are_selected_are_written(world):
    await world.select("api", "2.0.0", {"team": "blue"})
    key = await world.automation(policySelector={"matchLabels": {"team": "blue"}})
    outcome = await world.reconcile(key)
    assert world.git("diff", "--name-only", "main~1", "main") == "other.yaml"
    assert outcome.status["observedPolicies"] == {"api": {"name": "ghcr.io/me/api", "tag": "2.0.0"}}
    assert "deploy.yaml" not in outcome.message


async def test_a_wrong_host_key_is_not_believed_and_nothing_is_sent_there(world):
    need("ssh-keygen", "openssh-client")
    key = await world.automation()
    other = world.remote.new_key("other").with_suffix(".pub").read_text().rsplit(" ", 1)[0]
    known = f"[127.0.0.1]:{world.remote.port} {other}\n"
    secret = ObjectKey("", "Secret", "apps", "git")
    await world.store.patch(secret, {"data": {"known_hosts": base64.b64encode(known.encode()).decode()}}, manager="t")
    before = world.git("rev-parse", "main")
    with pytest.raises(Denied, match="does not believe the host key") as refused:
        await world.reconcile(key)
    assert "ssh-keyscan" in refused.value.explain()
    assert "PRIVATE KEY" not in refused.value.explain()
    assert world.git("rev-parse", "main") == before
    right = base64.b64encode(world.remote.known_hosts().encode()).decode()
    await world.store.patch(secret, {"data": {"known_hosts": right}}, manager="t")
    outcome = await world.reconcile(key)
    assert outcome.status["lastPushCommit"] == world.git("rev-parse", "main") != before


async def test_a_remote_that_hangs_has_as_long_as_its_source_says(world):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        spec = {"url": f"http://127.0.0.1:{silent.getsockname()[1]}/x.git", "timeout": "1s", "secretRef": None}
        source = ObjectKey("source.toolkit.fluxcd.io", "GitRepository", "apps", "shop")
        await world.store.patch(source, {"spec": spec}, manager="test")
        key = await world.automation()
        with pytest.raises(Unavailable, match="did not answer in time"):
            await world.reconcile(key)
