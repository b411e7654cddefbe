"""What a person has taken back in Git stays there, with the real git: whatever the shape of the history."""

import pytest
from tests.integration.git_host import hosting
from tests.integration.update_world import AUTOMATION, IMAGE, SPACE, UpdateWorld, marked

from tidegate.base import process
from tidegate.engine import journey
from tidegate.engine.outcome import Ready
from tidegate.kinds.objects import ObjectKey
from tidegate.update import respecting

pytestmark = pytest.mark.integration
FILE = f"kind: Pod\nmetadata: {{name: web}}\n{marked('web', '1.0.0')}{marked('api', '1.0.0')}"
WEB = ObjectKey(IMAGE, "ImagePolicy", SPACE, "web")


class World(UpdateWorld):
    """A file with two images; `work` is a person's clone."""

    @property
    def work(self):
        return self.host.folder / "work"

    def tags(self):
        lines = [line for line in self.show("web.yaml").splitlines() if "$imagepolicy" in line]
        return [line.split(" #")[0].rpartition(":")[2] for line in lines]

    async def update(self, name, tag):
        await self.select(name, tag)
        outcome = await self.reconcile()
        assert isinstance(outcome, Ready)
        return outcome

    def git(self, *arguments):
        return self.host.git(*arguments, cwd=self.work)

    def fetch(self):
        self.git("fetch", "--quiet", "origin", "main")
        self.git("reset", "--quiet", "--hard", "FETCH_HEAD")

    def push(self):
        self.git("push", "--quiet", "origin", "HEAD:main")

    def revert(self, commit="HEAD"):
        """`git revert` of a commit, pushed."""
        self.fetch()
        self.git("revert", "--no-edit", commit)
        self.push()

    def write(self, web=None, api=None, message="By hand"):
        """Somebody sets tags by hand."""
        present = self.tags()
        text = self.show("web.yaml") + "\n"
        for name, old, new in (("web", present[0], web), ("api", present[1], api)):
            text = text.replace(f"{name}:{old} ", f"{name}:{new or old} ")
        return self.host.commit(message, {"web.yaml": text})


@pytest.fixture
async def world(tmp_path):
    with hosting(tmp_path) as host:
        made = World(host, tmp_path)
        await made.make({"web.yaml": FILE}, annotations={"tidegate.dev/respect-rollback": "true"})
        await made.select("api", "1.0.0")
        await made.update("web", "1.1.0")
        yield made
        made.store.close()


@pytest.fixture
def calls(monkeypatch):
    """The git commands that were started."""
    seen, run = [], process.run

    async def noted(argv, **options):
        words = [word for word in argv if not word.startswith("-")]
        seen.append(next(word for word in words[1:] if "=" not in word))
        return await run(argv, **options)

    monkeypatch.setattr(process, "run", noted)
    return seen


async def stays(world, tag="1.0.0", api="1.0.0"):
    head = world.host.head()
    outcome = await world.reconcile()
    assert "\n1 value stays where somebody rolled back" in outcome.message
    assert (world.tags(), world.host.head()) == ([tag, api], head)
    return (await world.condition("RollbackRespected"))["message"]


async def test_a_revert_stays_until_something_newer_is_selected_and_is_told(world):
    world.revert()
    message = await stays(world)
    commit = world.host.head()[:7]
    line = (
        "web.yaml:3: registry.test/web:1.0.0 stays, since Somebody went back to it from registry.test/web:1.1.0 in "
        f"{commit}, until something newer is selected, of flux-system:web"
    )
    assert message == f"1 value stays where somebody rolled back\n{line}"
    assert await world.events("RolledBackInGit") == [line]
    await stays(world)
    assert await world.events("RolledBackInGit") == [line]
    automation, policy = await world.store.get(AUTOMATION), await world.store.get(WEB)
    told = f"1 value stays where somebody rolled back: {line}"
    assert journey.told_of(policy, automation) == [told]
    preview = await world.updates.preview(SPACE, "auto", world.context)
    assert (preview.diff, preview.notes) == ("", (line,))

    await world.update("web", "1.2.0")
    assert world.tags() == ["1.2.0", "1.0.0"]
    assert await world.condition("RollbackRespected") is None


async def test_without_the_annotation_the_selection_wins_as_with_flux(world):
    await world.annotate(respect_rollback=None)
    world.revert()
    await world.reconcile()
    assert world.tags() == ["1.1.0", "1.0.0"]


async def test_a_restart_forgets_nothing_and_others_commits_change_nothing(world, calls):
    world.revert()
    await stays(world)
    world.restart()
    await stays(world)
    calls.clear()
    await stays(world)
    assert calls == [], "the host is asked by a request of our own"
    world.host.commit("Elsewhere", {"docs.md": "x\n"})
    world.host.commit("Above", {"web.yaml": "# new\n" + world.show("web.yaml") + "\n"})
    assert "web.yaml:4: " in await stays(world)
    calls.clear()
    world.host.commit("Elsewhere again", {"docs.md": "y\n"})
    await stays(world)
    assert calls == ["fetch", "rev-list", "diff-tree"]


async def test_an_ordinary_update_asks_the_history_once(world, calls):
    await world.select("web", "1.2.0")
    calls.clear()
    await world.reconcile()
    assert calls == ["rev-list", "diff-tree", "fast-import", "update-ref"]
    await world.annotate(respect_rollback="false")
    await world.select("web", "1.3.0")
    calls.clear()
    await world.reconcile()
    assert calls == ["fast-import", "update-ref"]


async def test_the_automation_goes_on_in_the_same_file(world):
    world.revert()
    await stays(world)
    outcome = await world.update("api", "2.0.0")
    assert outcome.message.startswith("pushed commit '")
    assert "\n1 value stays" in outcome.message
    assert world.tags() == ["1.0.0", "2.0.0"]
    await stays(world, api="2.0.0")
    world.restart()
    await stays(world, api="2.0.0")


async def test_going_back_several_steps_by_hand_holds_each_of_them(world):
    await world.update("web", "1.2.0")
    await world.update("web", "1.3.0")
    world.write(web="1.2.0")
    await stays(world, "1.2.0")
    world.write(web="1.0.0")
    await stays(world)
    await world.select("web", "1.2.0")  # pinned, say: that is no newer one
    await world.reconcile()
    assert world.tags() == ["1.0.0", "1.0.0"]


async def test_an_older_value_that_never_stood_there_is_a_rollback_too_and_a_newer_one_is_none(world):
    world.write(web="0.9.0")
    await stays(world, "0.9.0")
    world.write(web="1.5.0")
    await world.reconcile()
    assert world.tags() == ["1.1.0", "1.0.0"]


async def test_a_value_that_the_automation_never_wrote_is_brought_up_to_date(world):
    world.write(api="0.9.0")
    await world.reconcile()
    assert world.tags() == ["1.1.0", "1.0.0"]


async def test_taking_the_rollback_back_ends_it(world):
    world.revert()
    await stays(world)
    world.revert()
    assert (await world.reconcile()).message.startswith("repository up-to-date")
    assert world.tags() == ["1.1.0", "1.0.0"]
    await world.update("web", "1.2.0")
    assert world.tags() == ["1.2.0", "1.0.0"]


async def test_what_the_automation_itself_took_down_is_no_rollback(world):
    await world.update("web", "1.0.0")
    await world.update("web", "1.1.0")
    assert world.tags() == ["1.1.0", "1.0.0"]


@pytest.mark.parametrize("into", ["main", "branch"])
async def test_a_revert_that_was_merged_stays(world, into):
    world.fetch()
    start = world.git("rev-parse", "HEAD")
    world.git("revert", "--no-edit", "HEAD")
    reverted = world.git("rev-parse", "HEAD")
    world.git("checkout", "--quiet", "--detach", start)
    (world.work / "docs.md").write_text("meanwhile\n")
    world.git("add", "--all")
    world.git("commit", "--quiet", "--message", "Meanwhile")
    other = world.git("rev-parse", "HEAD")
    first, second = (other, reverted) if into == "main" else (reverted, other)
    world.git("checkout", "--quiet", "--detach", first)
    world.git("merge", "--quiet", "--no-ff", "--no-edit", second)
    world.push()
    assert reverted[:7] in await stays(world)


async def test_an_old_branch_that_never_saw_the_update_does_not_hide_the_revert(world):
    world.fetch()
    begin = world.git("rev-list", "--max-parents=0", "HEAD")
    world.revert()
    world.git("checkout", "--quiet", "--detach", begin)
    (world.work / "docs.md").write_text("an old branch\n")
    world.git("add", "--all")
    world.git("commit", "--quiet", "--message", "Old branch")
    world.git("fetch", "--quiet", "origin", "main")
    world.git("merge", "--quiet", "--no-ff", "--no-edit", "FETCH_HEAD")
    world.push()
    await stays(world)


async def test_it_is_found_behind_more_commits_than_are_looked_at_first(world, monkeypatch):
    monkeypatch.setattr(respecting, "STAGES", (3, 100))
    world.revert()
    for number in range(5):
        world.host.commit("Noise", {"docs.md": f"{number}\n"})
    await stays(world)
    monkeypatch.setattr(respecting, "STAGES", (2, 4))  # and not further back than that
    world.restart()
    await world.reconcile()
    assert world.tags() == ["1.1.0", "1.0.0"]


async def test_a_tag_and_a_digest_of_their_own_are_each_a_value(tmp_path):
    def lines(tag, digest):
        return (
            f'tag: "{tag}" # {{"$imagepolicy": "{SPACE}:web:tag"}}\n'
            f'digest: >- # {{"$imagepolicy": "{SPACE}:web:digest"}}\n  sha256:{digest * 64}\n'
        )

    async def select(tag, digest):
        latest = {"latestRef": {"name": "registry.test/web", "tag": tag, "digest": f"sha256:{digest * 64}"}}
        await made.store.patch_status(WEB, latest, manager="test")

    with hosting(tmp_path) as host:
        made = World(host, tmp_path)
        await made.make({"web.yaml": lines("1", "a")}, annotations={"tidegate.dev/respect-rollback": "true"})
        await made.select("web", "1")
        await select("2", "b")
        await made.reconcile()
        assert made.show("web.yaml") + "\n" == lines("2", "b")
        made.revert()
        outcome = await made.reconcile()
        assert "2 values stay" in outcome.message
        assert made.show("web.yaml") + "\n" == lines("1", "a")
        await select("3", "c")
        await made.reconcile()
        assert made.show("web.yaml") + "\n" == lines("3", "c")
        made.store.close()


async def test_on_a_branch_of_its_own_it_looks_at_what_that_branch_is_built_on(world):
    await world.store.patch(AUTOMATION, {"spec": {"git": {"push": {"branch": "auto"}}}}, manager="test")
    world.revert()
    await world.reconcile()
    assert world.host.git("for-each-ref", "--format=%(refname)") == "refs/heads/main"
    await world.update("web", "1.2.0")
    assert "web:1.2.0 " in world.show("web.yaml", "auto")


@pytest.mark.parametrize("path", [":(exclude)tür [x]*.yaml", 'odd "name"/-n\tx.yaml'])
async def test_a_files_name_is_never_a_pattern_nor_an_option(tmp_path, path):
    with hosting(tmp_path) as host:
        made = World(host, tmp_path)
        files = {path: marked("web", "1.0.0"), "other.yaml": "x: 1\n"}
        await made.make(files, annotations={"tidegate.dev/respect-rollback": "true"})
        await made.update("web", "1.1.0")
        made.revert()
        assert "1 value stays" in (await made.reconcile()).message
        assert made.show(path) + "\n" == marked("web", "1.0.0")
        made.store.close()
