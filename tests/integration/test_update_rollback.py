"""An update whose workload does not become ready in time is taken back by a commit, over a real remote."""

from __future__ import annotations

import asyncio
import base64
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.integration.git_host import hosting
from tests.integration.rollback_world import (
    AFTER,
    AUTOMATION,
    CRASHED,
    DEPLOYMENT,
    IMAGE,
    KUSTOMIZATION,
    MARKER,
    PATH,
    POLICY,
    SHOP,
    UNPULLED,
    UNREADY,
    RollbackWorld,
)

from tidegate.base.errors import Denied
from tidegate.engine.outcome import Stalled
from tidegate.kinds.objects import ObjectKey, key_of
from tidegate.kinds.rolled_back import RolledBack

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed: apt-get install git"),
]


@pytest.fixture
async def bare(tmp_path: Path) -> AsyncIterator[RollbackWorld]:
    with hosting(tmp_path) as host:
        made = RollbackWorld(host, tmp_path)
        yield made
        made.store.close()


@pytest.fixture
async def world(bare: RollbackWorld) -> RollbackWorld:
    """With 1.0.0 in Git, and 1.0.1 committed and applied, which does not become ready."""
    await bare.make()
    await broken_update(bare)
    return bare


async def broken_update(world: RollbackWorld) -> None:
    await world.scanned("1.0.0", "1.0.1")
    await world.update()
    assert world.image() == f"{IMAGE}:1.0.1"
    await world.clock.advance(30.0)
    await world.applied()


async def test_it_is_taken_back_after_its_time_and_not_before(world: RollbackWorld) -> None:
    await world.pod("web-1", UNPULLED)
    await world.clock.advance(AFTER - 60)
    outcome = await world.update()
    updated, commits = world.host.head(), world.commits()
    assert outcome.at_latest == 60.0
    assert await world.condition("RolledOut") == (
        f"Unknown Watching: commit {updated}: what it set is taken back unless Deployment/shop/web is ready by "
        "2026-01-15T12:10:30Z"
    )

    await world.clock.advance(61.0)
    outcome = await world.update()
    assert world.image() == f"{IMAGE}:1.0.0"
    assert world.commits() == commits + 1
    assert world.host.git("diff", "--stat", "main~1", "main").splitlines()[0].split()[0] == PATH
    assert world.host.git("diff", updated + "~1", "main") == ""
    assert world.host.git("log", "-1", "--format=%an", "main") == "Gate"
    assert world.message() == (
        f"Roll back {IMAGE} to 1.0.0\n"
        "\n"
        "Deployment/shop/web was not ready: ready: 0/1\n"
        "web-1: ImagePullBackOff: the registry has no such tag\n"
        "\n"
        f"1.0.1 was set by {updated[:12]}. flux-system:web stays at 1.0.0 until a newer tag can be selected.\n"
        "\n"
        f"{PATH}:2: {IMAGE}:1.0.1 -> {IMAGE}:1.0.0\n"
        "\n"
        f"Tidegate-Rollback-Of: {updated}"
    )
    events = await world.events("RolledBack")
    assert sorted(event.split(":")[0] for event in events) == ["ImagePolicy", "ImageUpdateAutomation"]
    assert all("ImagePullBackOff: the registry has no such tag" in event for event in events)
    assert (await world.condition("RolledBack")).startswith("True NotReadyInTime: flux-system:web: 1.0.1 was taken")


async def test_the_tag_is_held_until_a_newer_one_is_there(world: RollbackWorld) -> None:
    await world.clock.advance(AFTER)
    await world.update()
    assert await world.select() == "1.0.0"
    assert (await world.condition("RolledBack", POLICY)).startswith("True NotReadyInTime: kept by tidegate.dev/roll")
    commits = world.commits()
    await world.applied(ready=True)
    for _ in range(3):
        await world.clock.advance(AFTER)
        await world.update()
    assert world.commits() == commits
    assert world.image() == f"{IMAGE}:1.0.0"

    await world.scanned("1.0.0", "1.0.1", "1.0.2")
    await world.update()
    assert world.image() == f"{IMAGE}:1.0.2"
    assert world.message() == "Update from image update automation"
    await world.update()
    assert await world.held() is None


async def test_what_went_back_is_not_taken_back_itself(world: RollbackWorld) -> None:
    await world.clock.advance(AFTER)
    await world.update()
    commits = world.commits()
    await world.applied()
    for _ in range(4):
        await world.clock.advance(AFTER)
        await world.update()
    assert world.commits() == commits
    assert (await world.condition("RolledOut")).startswith("True Succeeded")


async def test_a_crash_is_told_with_its_last_lines_and_without_secrets(world: RollbackWorld) -> None:
    password = base64.b64encode(b"correct-horse-battery").decode()
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db", "namespace": SHOP}}
    await world.store.create(secret | {"data": {"password": password}}, manager="test")
    given = [{"name": "DB", "valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}}}]
    await world.pod("web-1", CRASHED, env=given)
    world.logs[SHOP, "web-1", "web", True] = [
        "an older line",
        *[f"line {number}" for number in range(7)],
        "connecting to postgres://shop:correct-horse-battery@db:5432",
        "API_TOKEN=ghp_0123456789abcdefghijklmnop refused for correct-horse-battery",
        "Traceback: no such table",
    ]
    await world.clock.advance(AFTER)
    await world.update()
    told = world.message()
    assert "web-1: CrashLoopBackOff: back-off 40s restarting failed container; it ended with 1" in told
    assert "the last lines of its container web:\n  line 0\n" in told
    assert (
        "  connecting to postgres://***@db:5432\n  API_TOKEN=*** refused for ***\n  Traceback: no such table\n" in told
    )
    assert "an older line" not in told
    held = await world.held()
    assert held is not None
    everything = "".join([told, held.value(), *await world.events("RolledBack"), await world.condition("RolledBack")])
    assert "correct-horse" not in everything
    assert "ghp_" not in everything


async def test_where_a_secret_is_gone_whose_value_the_log_may_show_none_is_shown(world: RollbackWorld) -> None:
    given = {"name": "DB", "valueFrom": {"secretKeyRef": {"name": "gone", "key": "password"}}}
    await world.pod("web-1", CRASHED, env=[given])
    world.logs[SHOP, "web-1", "web", True] = ["connecting as correct-horse-battery"]
    await world.clock.advance(AFTER)
    await world.update()
    assert "it ended with 1" in world.message()
    assert "correct-horse" not in world.message()


async def test_the_secrets_of_the_pod_that_crashed_are_hidden_though_a_newer_one_runs(world: RollbackWorld) -> None:
    password = base64.b64encode(b"correct-horse-battery").decode()
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db", "namespace": SHOP}}
    await world.store.create(secret | {"data": {"password": password}}, manager="test")
    given = {"name": "DB", "valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}}}
    await world.pod("web-1", CRASHED, env=[given])
    await world.clock.advance(1.0)
    pod = await world.pod("web-2", {"ready": True, "restartCount": 0, "state": {"running": {}}})
    ready = {"conditions": [{"type": "Ready", "status": "True"}]}
    await world.store.patch_status(key_of(pod), ready, manager="test")
    world.logs[SHOP, "web-1", "web", True] = ["connecting as correct-horse-battery"]
    await world.clock.advance(AFTER)
    await world.update()
    assert "\n  connecting as ***\n" in world.message()


async def test_a_probe_that_fails_is_named(world: RollbackWorld) -> None:
    await world.pod("web-1", UNREADY, readinessProbe={"httpGet": {"path": "/health", "port": 8000}})
    await world.clock.advance(AFTER)
    await world.update()
    assert "web-1: it runs, but the readiness probe of web fails (GET /health on port 8000)" in world.message()


async def test_what_kubernetes_says_of_the_probe_comes_first(world: RollbackWorld) -> None:
    pod = await world.pod("web-1", UNREADY, readinessProbe={"httpGet": {"path": "/health", "port": 8000}})
    said = "Readiness probe failed: HTTP probe failed with statuscode: 500"
    await world.context.events.warning(pod, "Unhealthy", said)
    await world.clock.advance(AFTER)
    await world.update()
    assert f"web-1: Unhealthy: {said}" in world.message()


async def test_one_that_is_ready_when_its_time_is_over_stays_whatever_comes_later(world: RollbackWorld) -> None:
    await world.state(ready=True)
    await world.clock.advance(AFTER + 1)
    await world.update()
    assert (await world.condition("RolledOut")).startswith("True Succeeded")
    await world.state(ready=False)
    commits = world.commits()
    for _ in range(3):
        await world.clock.advance(AFTER)
        await world.update()
    assert world.commits() == commits


async def test_the_time_begins_when_it_is_applied_not_when_it_is_committed(bare: RollbackWorld) -> None:
    await bare.make()
    await bare.scanned("1.0.0", "1.0.1")
    await bare.update()
    commits = bare.commits()
    await bare.clock.advance(3 * AFTER)
    await bare.update()
    await bare.applied()
    await bare.clock.advance(AFTER - 1)
    await bare.update()
    assert bare.commits() == commits
    await bare.clock.advance(2.0)
    await bare.update()
    assert bare.commits() == commits + 1


async def test_a_restart_forgets_nothing(world: RollbackWorld) -> None:
    await world.clock.advance(AFTER - 100)
    await world.update()
    world.restart()
    # Nobody was there when the time was over, and for long after it.
    await world.clock.advance(6 * 3600.0)
    await world.update()
    assert world.image() == f"{IMAGE}:1.0.0"


async def test_a_crash_between_the_mark_and_the_commit_makes_one_commit_with_its_cause(
    world: RollbackWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.pod("web-1", UNPULLED)
    await world.clock.advance(AFTER)

    async def lost(_work: object) -> None:
        raise ConnectionError

    with monkeypatch.context() as dying:
        dying.setattr(world.updates._pusher, "update", lost)
        with pytest.raises(ConnectionError):
            await world.update()
    assert world.image() == f"{IMAGE}:1.0.1"
    world.restart()
    commits = world.commits()
    await world.update()
    assert world.image() == f"{IMAGE}:1.0.0"
    assert "ImagePullBackOff: the registry has no such tag" in world.message()
    await world.update()
    assert world.commits() == commits + 1


async def test_after_a_crash_between_the_push_and_the_status_it_is_told_and_not_made_again(
    world: RollbackWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.clock.advance(AFTER)
    await world.updates.reconcile(await world.store.get(AUTOMATION), world.context)  # its status is never written
    after = world.host.head()
    assert world.image() == f"{IMAGE}:1.0.0"
    world.restart()
    outcome = await world.update()
    assert world.host.head() == after == outcome.status["lastPushCommit"]


async def test_a_person_s_newer_commit_on_that_line_wins(world: RollbackWorld) -> None:
    await world.clock.advance(AFTER - 10)
    # The same tag, said by a person: whoever writes that line answers for it.
    world.host.commit("It is meant so", {PATH: f"spec:\n  image: '{IMAGE}:1.0.1' {MARKER}\n"})
    await world.update()
    await world.clock.advance(AFTER)
    commits = world.commits()
    await world.update()
    assert world.commits() == commits
    assert await world.held() is None


async def test_a_person_s_commit_elsewhere_in_the_file_does_not_matter(world: RollbackWorld) -> None:
    world.host.commit("Above it", {PATH: f"# a\n# b\nspec:\n  image: {IMAGE}:1.0.1 {MARKER}\n  replicas: 2\n"})
    await world.applied()
    await world.clock.advance(AFTER)
    await world.update()
    assert world.host.git("show", f"main:{PATH}") == (
        f"# a\n# b\nspec:\n  image: {IMAGE}:1.0.0 {MARKER}\n  replicas: 2"
    )


async def test_who_pushes_that_line_meanwhile_wins(world: RollbackWorld) -> None:
    await world.clock.advance(AFTER)
    world.host.once_before(
        "git-receive-pack",
        lambda: world.host.commit("Mend it", {PATH: f"spec:\n  image: {IMAGE}:1.0.1-mended {MARKER}\n"}),
    )
    updating = asyncio.create_task(world.update())
    while not updating.done():
        await asyncio.sleep(0.01)
        await world.clock.advance(1.0)
    await updating
    assert "Mend it" in world.host.git("log", "--format=%s", "main")
    assert "Roll back" not in world.host.git("log", "--format=%s", "main")


async def test_a_person_who_sets_the_tag_again_ends_the_hold(world: RollbackWorld) -> None:
    await world.clock.advance(AFTER)
    await world.update()
    await world.select()
    world.host.commit("Try again", {PATH: f"spec:\n  image: {IMAGE}:1.0.1 {MARKER}\n"})
    commits = world.commits()
    await world.update()
    assert await world.select() == "1.0.1"
    await world.update()
    assert await world.held() is None
    await world.applied()
    for _ in range(3):
        await world.clock.advance(AFTER)
        await world.update()
    assert world.commits() == commits


async def test_another_change_waits_for_the_next_commit(world: RollbackWorld) -> None:
    other = ObjectKey("image.toolkit.fluxcd.io", "ImagePolicy", "flux-system", "api")
    spec = {"imageRepositoryRef": {"name": "api"}, "policy": {"semver": {"range": ">=1.0.0"}}}
    await world.create("image.toolkit.fluxcd.io/v1", "ImagePolicy", "api", spec=spec)
    api = 'image: registry.test/api:1 # {"$imagepolicy": "flux-system:api"}\n'
    world.host.commit("Add", {"apps/api.yaml": api})
    chosen = {"latestRef": {"name": "registry.test/api", "tag": "2"}}
    await world.store.patch_status(other, chosen, manager="test")
    await world.clock.advance(AFTER)
    outcome = await world.update()
    assert world.host.git("diff", "--name-only", "main~1", "main") == PATH
    assert outcome.at_latest == 1.0
    await world.update()
    assert world.host.git("diff", "--name-only", "main~1", "main") == "apps/api.yaml"


async def test_what_goes_back_is_no_turn_of_a_loop(world: RollbackWorld) -> None:
    world.revision = world.host.head()  # each image was built from the automation's own commit: a loop without end
    await world.clock.advance(AFTER)
    await world.update()
    assert world.message().startswith("Roll back ")
    await world.scanned("1.0.0", "1.0.1", "1.0.2")
    outcome = await world.updates.reconcile(await world.store.get(AUTOMATION), world.context)
    assert isinstance(outcome, Stalled)  # while an update is one
    assert outcome.reason == "FeedbackLoop"


async def test_what_goes_back_waits_for_no_window(world: RollbackWorld) -> None:
    closed = {"metadata": {"annotations": {"tidegate.dev/window": "Mon 08:00-09:00", "tidegate.dev/batch": "1h"}}}
    await world.store.patch(AUTOMATION, closed, manager="person")
    await world.clock.advance(AFTER)
    await world.update()
    assert world.message().startswith("Roll back ")
    commits = world.commits()
    await world.scanned("1.0.0", "1.0.1", "1.0.2")
    await world.update()
    assert world.commits() == commits


async def test_the_usual_words_of_the_automation_stand_in_the_message_too(bare: RollbackWorld) -> None:
    await bare.make(template="chore: update [skip ci]")
    await broken_update(bare)
    await bare.clock.advance(AFTER)
    await bare.update()
    assert bare.message().startswith("Roll back ")
    assert "\n\nchore: update [skip ci]\n\nTidegate-Rollback-Of: " in bare.message()


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet"])
async def test_other_workloads_are_watched_as_well(bare: RollbackWorld, kind: str) -> None:
    await bare.make()
    await bare.scanned("1.0.0", "1.0.1")
    await bare.update()
    await bare.applied(kind=kind)
    await bare.clock.advance(AFTER)
    await bare.update()
    assert bare.message().startswith(f"Roll back {IMAGE} to 1.0.0\n\n{kind}/shop/web was not ready")


async def test_each_of_several_marked_parts_goes_back(bare: RollbackWorld) -> None:
    text = (
        f'name: {IMAGE} # {{"$imagepolicy": "flux-system:web:name"}}\r\n'
        'newTag: "1.0.0" # {"$imagepolicy": "flux-system:web:tag"}\r\n'
        f"image: {IMAGE}:1.0.0 {MARKER}"
    )
    await bare.make(text=text)
    await bare.scanned("1.0.0", "1.0.1")
    await bare.update()
    assert 'newTag: "1.0.1"' in bare.host.git("show", f"main:{PATH}")
    await bare.applied(image=f"{IMAGE}:1.0.1")
    await bare.clock.advance(AFTER)
    await bare.update()
    assert bare.message().startswith(f"Roll back {IMAGE} to 1.0.0\n")
    assert bare.host.git("diff", "main~2", "main") == ""


async def test_what_one_of_several_has_not_applied_is_still_waited_for(bare: RollbackWorld) -> None:
    await bare.make()
    await bare.scanned("1.0.0", "1.0.1")
    await bare.update()
    spec = {"interval": "10m", "path": "./more", "sourceRef": {"kind": "GitRepository", "name": "fleet"}}
    kind = "kustomize.toolkit.fluxcd.io/v1"
    other = key_of(await bare.create(kind, "Kustomization", "quick", spec={**spec, "prune": True}))
    applied = {"lastAppliedRevision": f"main@sha1:{bare.host.head()}"}
    await bare.store.patch_status(other, applied, manager="test")
    await bare.clock.advance(2 * AFTER)
    await bare.update()
    assert (await bare.condition("RolledOut")).startswith("Unknown Watching")
    await bare.applied()
    await bare.clock.advance(AFTER)
    await bare.update()
    assert bare.message().startswith("Roll back ")


async def test_a_workload_that_had_the_image_before_is_not_the_update_s_doing(bare: RollbackWorld) -> None:
    """A person has set web to 1.0.1 long ago; the automation has just set another value of the policy to it."""
    await bare.make(text=f"spec:\n  image: {IMAGE}:1.0.1 {MARKER}\n")
    await bare.applied(ready=True)
    await bare.clock.advance(10 * AFTER)
    bare.host.commit("Add another", {"apps/more.yaml": f"image: {IMAGE}:1.0.0 {MARKER}\n"})
    await bare.scanned("1.0.0", "1.0.1")
    await bare.update()
    assert bare.host.git("show", "main:apps/more.yaml") == f"image: {IMAGE}:1.0.1 {MARKER}"
    await bare.state(ready=False)
    await bare.clock.advance(2 * AFTER)
    commits = bare.commits()
    await bare.update()
    assert bare.commits() == commits


async def test_another_source_of_the_same_repository_counts(world: RollbackWorld) -> None:
    spec = {"url": world.host.url.removesuffix(".git"), "interval": "10m", "ref": {"branch": "main"}}
    await world.create("source.toolkit.fluxcd.io/v1", "GitRepository", "apps-only", spec=spec)
    by_name = {"spec": {"sourceRef": {"name": "apps-only"}}}
    await world.store.patch(KUSTOMIZATION, by_name, manager="person")
    await world.clock.advance(AFTER)
    await world.update()
    assert world.message().startswith("Roll back ")


async def test_a_tag_before_which_there_is_none_stays_and_the_condition_says_so(bare: RollbackWorld) -> None:
    await bare.make(text=f"spec:\n  image: registry.test/placeholder:none {MARKER}\n")
    await broken_update(bare)
    await bare.clock.advance(AFTER)
    commits = bare.commits()
    await bare.update()
    assert bare.commits() == commits
    assert await bare.held() is None


async def test_a_paused_workload_says_nothing_about_its_image(world: RollbackWorld) -> None:
    await world.store.patch(DEPLOYMENT, {"spec": {"paused": True}}, manager="person")
    await world.clock.advance(2 * AFTER)
    commits = world.commits()
    await world.update()
    assert world.commits() == commits


async def test_without_the_annotation_nothing_is_taken_back(bare: RollbackWorld) -> None:
    await bare.make(after="")
    await broken_update(bare)
    await bare.clock.advance(10 * AFTER)
    outcome = await bare.update()
    assert bare.image() == f"{IMAGE}:1.0.1"
    assert (outcome.conditions, outcome.at_latest) == ([], None)


async def test_a_branch_of_its_own_is_left_to_who_merges_it(bare: RollbackWorld) -> None:
    await bare.make(push={"branch": "auto"})
    await bare.scanned("1.0.0", "1.0.1")
    await bare.update()
    await bare.update()
    assert (await bare.condition("RolledOut")).startswith("Unknown OwnBranch: commits go to another branch")


async def test_a_policy_of_another_namespace_is_not_marked(bare: RollbackWorld) -> None:
    far = ObjectKey("image.toolkit.fluxcd.io", "ImagePolicy", "shared", "base")
    policy = {"imageRepositoryRef": {"name": "base"}, "policy": {"semver": {"range": ">=1.0.0"}}}
    metadata = {"name": "base", "namespace": "shared", "annotations": {"tidegate.dev/allow-from": "flux-system"}}
    kind = {"apiVersion": "image.toolkit.fluxcd.io/v1", "kind": "ImagePolicy"}
    await bare.store.create(kind | {"metadata": metadata, "spec": policy}, manager="test")
    await bare.store.patch_status(far, {"latestRef": {"name": IMAGE, "tag": "1.0.1"}}, manager="test")
    await bare.make(text=f"spec:\n  image: {IMAGE}:1.0.0 {MARKER.replace('flux-system:web', 'shared:base')}\n")
    await bare.update()
    assert bare.image() == f"{IMAGE}:1.0.1"
    commits = bare.commits()
    await bare.applied()
    await bare.pod("web-1", CRASHED)
    for _ in range(3):
        await bare.clock.advance(AFTER)
        await bare.update()
    assert "tidegate.dev/rolled-back" not in (await bare.store.get(far))["metadata"]["annotations"]
    assert (bare.image(), bare.commits()) == (f"{IMAGE}:1.0.1", commits)
    # Nor is a mark removed that its own namespace has set.
    mark = {"tidegate.dev/rolled-back": RolledBack(f"{IMAGE}:1.0.2", f"{IMAGE}:1.0.0", "a" * 40, "why").value()}
    await bare.store.patch(far, {"metadata": {"annotations": mark}}, manager="test")
    await bare.update()
    assert (await bare.store.get(far))["metadata"]["annotations"]["tidegate.dev/rolled-back"]


async def test_what_can_t_be_watched_keeps_no_update_back(
    world: RollbackWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    listing = world.store.list

    async def refused(group: str, kind: str, **options: object) -> object:
        if kind == "Kustomization":
            raise Denied("kustomizations is forbidden")
        return await listing(group, kind, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(world.store, "list", refused)
    await world.scanned("1.0.0", "1.0.1", "1.0.2")
    await world.update()
    assert world.image() == f"{IMAGE}:1.0.2"


async def test_a_wrong_annotation_stalls_and_says_what_it_may_be(bare: RollbackWorld) -> None:
    await bare.make(after="ten minutes")
    outcome = await bare.updates.reconcile(await bare.store.get(AUTOMATION), bare.context)
    assert isinstance(outcome, Stalled)
    assert outcome.reason == "InvalidAnnotation"
    assert "metadata.annotations[tidegate.dev/rollback-after]" in outcome.message
    assert "from 10s to 24h" in outcome.message


async def test_a_kustomization_of_the_repository_wakes_who_watches_it(world: RollbackWorld) -> None:
    automations = (await world.store.list("image.toolkit.fluxcd.io", "ImageUpdateAutomation")).items
    trigger = next(one for one in world.updates.triggers if one.kind == "Kustomization")
    mine = (await world.store.list("kustomize.toolkit.fluxcd.io", "Kustomization")).items[0]
    assert list(trigger.wakes(mine, automations)) == [AUTOMATION]
    other = mine | {"spec": mine["spec"] | {"sourceRef": {"kind": "GitRepository", "name": "other"}}}
    assert list(trigger.wakes(other, automations)) == []
    before = trigger.relevant(mine)
    assert trigger.relevant(mine | {"status": mine["status"] | {"lastAppliedRevision": "x"}}) != before
