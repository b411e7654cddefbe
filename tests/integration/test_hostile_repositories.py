"""Repositories of somebody who may push and means harm: nothing is run, nothing outside is read or written, and a
source that can't be had says why.
"""

import pytest
from tests.integration.source_world import KIND, SPACE, Remote, SourceWorld, condition

from tidegate.base.errors import InvalidInput, LimitExceeded, NotFound
from tidegate.deploy.render import Wish, render
from tidegate.git import tree
from tidegate.kinds.objects import key_of
from tidegate.update.controller import ImageUpdateAutomationController

pytestmark = pytest.mark.integration
OUTSIDE = "the secret outside"


@pytest.fixture
def trap(tmp_path):
    """A file that any command of an attacker makes, and one that none of them may read or write."""
    outside = tmp_path / "outside.yaml"
    outside.write_text(OUTSIDE)
    trap = tmp_path / "PWNED"
    yield trap
    assert not trap.exists()
    assert outside.read_text() == OUTSIDE
    assert [path for path in tmp_path.rglob("PWNED*") if path.is_file()] == []


@pytest.fixture
def world(tmp_path, trap):
    found = SourceWorld(tmp_path, file_roots=(tmp_path / "roots",))
    yield found
    found.close()


@pytest.fixture
def remote(tmp_path):
    found = Remote(tmp_path / "roots/remote")
    found.commit({"deploy/a.yaml": "a: 1\n"})
    return found


def raw_tree(remote, *entries):
    """A tree with any names in it, which git itself would not make; its id."""
    data = b"".join(mode + b" " + name + b"\0" + bytes.fromhex(object_id) for mode, name, object_id in entries)
    return remote.git("hash-object", "-t", "tree", "-w", "--literally", "--stdin", stdin=data)


def blob(remote, text):
    return remote.git("hash-object", "-w", "--stdin", stdin=text.encode())


def push_tree(remote, root):
    commit = remote.git("commit-tree", "-m", "evil", root)
    remote.git("update-ref", "refs/heads/main", commit)
    return commit


WRONG = ("InvalidInput", "InvalidSpec", "GitOperationFailed", "CopyFailure")


async def refused(world, key):
    """The source is not Ready, because something is wrong with it and not for want of an answer, and has no artifact;
    what it says.
    """
    status = await world.reconcile(key)
    ready, reason, message = condition(status, "Ready")
    assert ready == "False"
    assert reason in WRONG, message
    assert "artifact" not in status
    return message


@pytest.mark.parametrize(
    "name", [b"..", b".", b".git", b".GIT", b".git ", b"git~1", b"a/b", b"/etc", b".g\xe2\x80\x8cit"]
)
@pytest.mark.parametrize("kind", [b"100644", b"40000"])
async def test_names_that_lead_out_or_into_gits_own_folder_are_not_even_fetched(world, remote, trap, name, kind):
    hook = blob(remote, f"#!/bin/sh\ntouch {trap}\n")
    inner = raw_tree(remote, (b"100755", b"post-checkout", hook))
    push_tree(remote, raw_tree(remote, (kind, name, hook if kind == b"100644" else inner)))
    assert "sends what git does not accept: error: object " in await refused(world, await world.source(remote.url))


async def test_a_link_is_no_file_wherever_it_leads(world, remote, tmp_path):
    outside = str(tmp_path / "outside.yaml")
    for name, target in {
        "deploy/out.yaml": outside, "deploy/up.yaml": "../../../outside.yaml", "up": "../..", "whole": "/",
        "deploy/kustomization.yaml": "../../../outside.yaml", ".sourceignore": outside,
    }.items():  # fmt: skip
        (remote.folder / name).symlink_to(target)
    remote.commit()
    key = await world.source(remote.url)
    status = await world.reconcile(key)
    assert await world.files(key) == {"deploy/a.yaml": "a: 1\n"}
    with await world.trees.open(key, status["artifact"]["revision"]) as files:
        for path in ("deploy/out.yaml", "whole/etc/passwd", "up/outside.yaml", "../outside.yaml", "/etc/passwd"):
            with pytest.raises(NotFound):
                files.read(path)
        for folder in ("up", "whole/etc", "..", "deploy/../.."):
            with pytest.raises((NotFound, InvalidInput)):
                render(files, Wish(folder))


@pytest.mark.parametrize("resource", ["../../outside.yaml", "/etc/passwd", "out.yaml", "../../../../etc/passwd"])
async def test_a_kustomization_reads_nothing_outside(world, remote, tmp_path, resource):
    (remote.folder / "deploy/out.yaml").symlink_to(tmp_path / "outside.yaml")
    remote.commit({"deploy/kustomization.yaml": f"resources: [{resource}]\n"})
    key = await world.source(remote.url)
    status = await world.reconcile(key)
    files = await world.trees.open(key, status["artifact"]["revision"])
    with files, pytest.raises((NotFound, InvalidInput)) as raised:
        render(files, Wish("deploy"))
    assert OUTSIDE not in str(raised.value)


async def test_parts_of_an_artifact_are_not_taken_through_a_link(world, remote):
    (remote.folder / "link").symlink_to("/etc")
    remote.commit()
    assert "'link' does not exist" in await refused(world, await world.source(remote.url, sparseCheckout=["link"]))
    other = await world.source(remote.url, "other")
    await world.reconcile(other)
    include = [{"repository": {"name": "other"}, "fromPath": "link", "toPath": "x"}]
    assert "there is nothing at 'link'" in await refused(world, await world.source(remote.url, include=include))


NAMES = (
    "new\nline.yaml", "tab\t.yaml", '"quoted".yaml', "-rf.yaml", "--upload-pack=x", "é\u202e.yaml", "$(id).yaml", "a;b",
    " ", "\\", "*", "x" * 255,
)  # fmt: skip


async def test_strange_names_are_only_names(world, remote, trap):
    names = [*NAMES, f"`touch {trap.name}`"]
    remote.commit({f"deploy/{name}": "s: 1\n" for name in names})
    raw = raw_tree(remote, (b"100644", b"bad\xff\xfe.yaml", blob(remote, "s: 1\n")))
    entries = remote.git("ls-tree", "-d", "HEAD", "deploy").split()
    push_tree(remote, raw_tree(remote, (b"40000", b"deploy", entries[2]), (b"40000", b"raw", raw)))
    key = await world.source(remote.url, ignore="*.png\n")
    status = await world.reconcile(key)
    assert condition(status, "Ready")[0] == "True"
    found = set(await world.files(key))
    assert found == {"deploy/a.yaml", "raw/bad\udcff\udcfe.yaml", *(f"deploy/{name}" for name in names)}
    world.restart()
    assert set(await world.files(key)) == found


async def test_a_name_with_a_line_break_can_be_left_out_and_taken_apart(world, remote):
    remote.commit({"new\nline/a.yaml": "s: 1\n", "line/a.yaml": "s: 2\n"})
    key = await world.source(remote.url, ignore="line/\n")
    await world.reconcile(key)
    assert set(await world.files(key)) == {"deploy/a.yaml", "new\nline/a.yaml"}
    await world.reconcile(await world.source(remote.url, sparseCheckout=["new\nline"]))
    assert await world.files(key) == {"new\nline/a.yaml": "s: 1\n"}


@pytest.mark.parametrize("field", ["branch", "tag", "name", "commit", "semver"])
@pytest.mark.parametrize(
    "value", ["--upload-pack=touch {}", "-x", "--all", "main;touch {}", "../../x", "a..b", "x\ny", "@{{-1}}"]
)
async def test_refs_that_look_like_options_or_paths_are_refused(world, remote, trap, field, value):
    key = await world.source(remote.url, ref={field: value.format(trap)})
    await refused(world, key)


async def test_hostile_refs_of_a_remote_do_no_harm(world, remote, trap):
    commit = remote.git("rev-parse", "HEAD")
    (remote.folder / ".git/packed-refs").write_text("".join(
        f"{commit} {ref}\n" for ref in ("refs/heads/--upload-pack=x", f"refs/tags/-{trap.name}", "refs/tags/1.0.0")
    ))  # fmt: skip
    for ref in ({"branch": "main"}, {"semver": "*"}):
        assert condition(await world.reconcile(await world.source(remote.url, ref=ref)), "Ready")[0] == "True"


@pytest.mark.parametrize("url", [
    "ssh://-oProxyCommand=touch%20{trap}/x", "ssh://git@-oProxyCommand=x/y", "file:///etc", "file://{root}/../outside.yaml",
    "file://{root}/link", "file://host.test/etc", "https://host.test/x --upload-pack=touch", "https://a:b@host.test/x",
    "http://host.test/x", "https://host.test/x?a=b", "https://host.test/x#--upload-pack=touch", "https://host.test\n.evil/x",
    "file://{root}/remote --upload-pack=touch {trap}", "https://", "ssh://user:pw@host.test/x", "https://ho st/x",
])  # fmt: skip
async def test_urls_that_are_no_plain_urls_are_refused(world, remote, tmp_path, trap, url):
    (tmp_path / "roots/link").symlink_to(tmp_path)
    said = await refused(world, await world.source(url.format(trap=trap, root=tmp_path / "roots")))
    assert "a:b" not in said


@pytest.mark.parametrize(
    "url", ["ext::sh -c 'touch {trap}'", "--upload-pack=touch {trap}", "-x", "fd::17/x", "git://h.test/x"]
)
async def test_urls_of_other_kinds_are_wrong(world, trap, url):
    status = await world.reconcile(await world.source(url.format(trap=trap)))
    assert condition(status, "Stalled")[:2] == ("True", "InvalidSpec")


async def test_what_a_repository_configures_runs_nothing(world, remote, trap, tmp_path):
    """Hooks and settings of the remote, which on this disk git itself reads; and files that other tools would heed."""
    hook = f"#!/bin/sh\ntouch {trap}\n"
    for name in ("post-checkout", "pre-receive", "reference-transaction", "post-merge", "fsmonitor-watchman"):
        path = remote.folder / ".git/hooks" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(hook)
        path.chmod(0o755)
    commit = remote.commit({
        ".gitattributes": "* filter=evil diff=evil merge=evil text=auto\n",
        ".gitconfig": f'[core]\n\tfsmonitor = touch {trap}\n[filter "evil"]\n\tsmudge = touch {trap}\n',
        "hooks/post-checkout": hook, "config": "[core]\n\thooksPath = hooks\n", "HEAD": "ref: refs/heads/main\n",
        ".lfsconfig": "[lfs]\n\turl = http://127.0.0.1:9/\n",
    })  # fmt: skip
    for setting in (
        "uploadpack.packObjectsHook", "core.fsmonitor", "core.sshCommand", "filter.evil.smudge", "core.pager",
        "alias.upload-pack", "credential.helper", "core.gitProxy", "diff.evil.textconv",
    ):  # fmt: skip
        remote.git("config", setting, f"touch {trap}")
    trap.unlink(missing_ok=True)  # the person's own git may run what the person has configured
    status = await world.reconcile(await world.source(remote.url))
    assert condition(status, "Ready")[0] == "True"
    repository, head = await world.origins.read(remote.url, "refs/heads/main")
    assert head == commit
    work, plain = tmp_path / "work", tmp_path / "plain"
    plain.mkdir()
    await repository.clone_into(work, head, "refs/heads/main", depth=0)
    await repository.export(head, plain)
    assert (plain / "deploy/a.yaml").read_text() == (work / "deploy/a.yaml").read_text() == "a: 1\n"


MODULES = {
    "an option for a URL": ("lib", "--upload-pack=touch {trap}"),
    "a command for a URL": ("lib", "ext::sh -c touch% {trap}"),
    "ssh with an option": ("lib", "ssh://-oProxyCommand=touch% {trap}/x"),
    "a folder outside": ("lib", "file:///etc"),
    "a path": ("lib", "/etc"),
    "up and out": ("lib", "../../outside.yaml"),
    "through a link": ("lib", "../link"),
    "a line break": ("lib", "https://host.test/x\\n--upload-pack=touch"),
    "a name that leads out": ("../../hooks", "../lib"),
    "another protocol": ("lib", "git://host.test/x"),
}  # fmt: skip


@pytest.mark.parametrize("case", MODULES)
@pytest.mark.parametrize("checked", [True, False])
async def test_hostile_submodules_are_refused(world, remote, tmp_path, trap, monkeypatch, case, checked):
    """By git's own check of what it fetches, and by ours where that lets it through."""
    if not checked:
        monkeypatch.setattr(
            "tidegate.git.mirror.TOLERATED_FSCK", ("gitmodulesUrl", "gitmodulesName", "gitmodulesUpdate")
        )
    (tmp_path / "roots/link").symlink_to(tmp_path)
    lib = Remote(tmp_path / "roots/lib")
    pinned = lib.commit({"x.yaml": "x: 1\n"})
    name, url = (text.format(trap=trap) for text in MODULES[case])
    remote.write({".gitmodules": f'[submodule "{name}"]\n\tpath = lib\n\turl = "{url}"\n\tupdate = !touch {trap}\n'})
    remote.git("add", "-A")
    remote.git("update-index", "--add", "--cacheinfo", f"160000,{pinned},lib")
    remote.git("commit", "-qm", "evil")
    await refused(world, await world.source(remote.url, recurseSubmodules=True))


async def test_a_gitmodules_that_is_a_link_counts_for_nothing(world, remote, tmp_path):
    lib = Remote(tmp_path / "roots/lib")
    link, text = blob(remote, "modules"), blob(remote, '[submodule "lib"]\n\tpath = lib\n\turl = ../lib\n')
    entries = [(b"120000", b".gitmodules", link), (b"160000", b"lib", lib.commit()), (b"100644", b"modules", text)]
    push_tree(remote, raw_tree(remote, *entries))
    await refused(world, await world.source(remote.url, recurseSubmodules=True))


async def test_a_few_trees_that_come_to_any_number_of_files_are_given_up(world, remote, monkeypatch):
    monkeypatch.setattr(tree, "ENTRIES_LIMIT", 10_000)
    inner = raw_tree(remote, *((b"100644", b"%02d" % number, blob(remote, "x")) for number in range(50)))
    for _ in range(6):
        inner = raw_tree(remote, *((b"40000", b"%02d" % number, inner) for number in range(50)))
    push_tree(remote, inner)
    key = await world.source(remote.url)
    assert condition(await world.reconcile(key), "Ready")[0] == "True"  # nothing has looked into it yet
    with pytest.raises(LimitExceeded):
        await world.files(key)
    status = await world.reconcile(await world.source(remote.url, sparseCheckout=["00"]))
    assert condition(status, "Ready")[:2] == ("False", "LimitExceeded")


async def test_an_automation_writes_through_no_link(world, remote, tmp_path):
    """A marked file outside, a folder outside, and a name that is a link in the commit that is written."""
    marked = 'image: registry.test/a:1.0.0 # {"$imagepolicy": "flux-system:a"}\n'
    for folder in (tmp_path / "elsewhere", remote.folder / "real"):
        folder.mkdir()
        (folder / "app.yaml").write_text(marked)
    (remote.folder / "link.yaml").symlink_to("real/app.yaml")
    (remote.folder / "out.yaml").symlink_to(tmp_path / "elsewhere/app.yaml")
    (remote.folder / "folder").symlink_to(tmp_path / "elsewhere")
    remote.commit()
    remote.git("checkout", "-q", "--detach")  # so that its branch may be pushed to
    await world.source(remote.url)
    image = "image.toolkit.fluxcd.io"
    about = {"metadata": {"name": "a", "namespace": SPACE}}
    policy = {"imageRepositoryRef": {"name": "a"}, "policy": {"semver": {"range": ">=1.0.0"}}}
    await world.store.create({"apiVersion": f"{image}/v1", "kind": "ImagePolicy", **about, "spec": policy}, manager="t")
    stored = (await world.store.list(image, "ImagePolicy")).items[0]
    selected = {"latestRef": {"name": "registry.test/a", "tag": "2.0.0"}}
    await world.store.patch_status(key_of(stored), selected, manager="t")
    spec = {
        "interval": "10m", "sourceRef": {"kind": KIND, "name": "cluster"},
        "update": {"path": "./", "strategy": "Setters"},
        "git": {"checkout": {"ref": {"branch": "main"}}, "commit": {"author": {"email": "flux@example.org"}}},
    }  # fmt: skip
    automation = {"apiVersion": f"{image}/v1", "kind": "ImageUpdateAutomation", **about, "spec": spec}
    await world.store.create(automation, manager="t")

    async def no_revision(_access, _reference):
        return None

    controller = ImageUpdateAutomationController(world.origins, no_revision)
    (stored,) = (await world.store.list(image, "ImageUpdateAutomation")).items
    outcome = await controller.reconcile(stored, world.context)
    assert "pushed commit" in outcome.message
    assert remote.git("diff", "--name-only", "HEAD", "main") == "real/app.yaml"
    assert (tmp_path / "elsewhere/app.yaml").read_text() == marked
