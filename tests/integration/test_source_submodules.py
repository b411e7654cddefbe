"""`spec.recurseSubmodules` on real repositories, behind git's own HTTP server where a credential matters."""

import base64

import pytest
from tests.integration.git_host import PASSWORD, USER, hosting
from tests.integration.source_world import Remote, SourceWorld, condition
from tests.integration.ssh_remote import SshRemote

from tidegate.git.command import HARDENED
from tidegate.source import gathering

pytestmark = pytest.mark.integration


@pytest.fixture
def world(tmp_path):
    found = SourceWorld(tmp_path)
    yield found
    found.close()


def repositories(folder, *names):
    return [Remote(folder / name) for name in names]


def add(remote, url, path="lib", name=None):
    """As a person does it; the commit."""
    remote.git("submodule", "--quiet", "add", *(["--name", name] if name else []), "--", url, path)
    return remote.commit()


async def test_the_files_of_submodules_are_part_of_the_artifact(world, tmp_path):
    """Those of a submodule's submodule too; a relative URL is relative to the repository that names it."""
    main, lib, deep = repositories(tmp_path, "main", "lib", "deep")
    deep.commit({"deep.yaml": "d: 1\n"})
    lib.commit({"lib.yaml": "l: 1\n", "pic.png": "x"})
    add(lib, "../deep", "vendor/deep")
    main.commit({"main.yaml": "m: 1\n"})
    add(main, "../lib", "apps/lib")
    key = await world.source(main.url, recurseSubmodules=True)
    status = await world.reconcile(key)
    assert condition(status, "Ready")[0] == "True"
    assert await world.files(key) == {
        "main.yaml": "m: 1\n", "apps/lib/lib.yaml": "l: 1\n", "apps/lib/vendor/deep/deep.yaml": "d: 1\n",
    }  # fmt: skip
    assert status["observedRecurseSubmodules"] is True
    world.restart(disk="another")
    assert "apps/lib/vendor/deep/deep.yaml" in await world.files(key)


async def test_without_the_field_a_submodule_is_nothing(world, tmp_path):
    main, lib = repositories(tmp_path, "main", "lib")
    lib.commit({"lib.yaml": "l: 1\n"})
    main.commit({"main.yaml": "m: 1\n"})
    add(main, lib.url)
    before = await world.reconcile(key := await world.source(main.url))
    assert await world.files(key) == {"main.yaml": "m: 1\n"}
    after = await world.reconcile(await world.source(main.url, recurseSubmodules=True))
    assert await world.files(key) == {"main.yaml": "m: 1\n", "lib/lib.yaml": "l: 1\n"}
    assert before["artifact"]["revision"] == after["artifact"]["revision"]
    assert before["artifact"]["digest"] != after["artifact"]["digest"]


async def test_a_submodule_stays_at_its_commit_until_it_is_moved(world, tmp_path):
    main, lib = repositories(tmp_path, "main", "lib")
    lib.commit({"lib.yaml": "l: 1\n"})
    add(main, lib.url)
    lib.commit({"lib.yaml": "l: 2\n"})
    key = await world.source(main.url, recurseSubmodules=True)
    await world.reconcile(key)
    assert (await world.files(key))["lib/lib.yaml"] == "l: 1\n"
    main.git("-C", "lib", "pull", "-q")
    main.commit()
    await world.reconcile(key)
    assert (await world.files(key))["lib/lib.yaml"] == "l: 2\n"


async def test_what_is_here_is_not_fetched_again(world, tmp_path):
    main, lib = repositories(tmp_path, "main", "lib")
    lib.commit({"lib.yaml": "l: 1\n"})
    add(main, lib.url)
    key = await world.source(main.url, recurseSubmodules=True)
    await world.reconcile(key)
    lib.folder.rename(tmp_path / "gone")
    assert condition(await world.reconcile(key), "Ready")[0] == "True"
    assert "lib/lib.yaml" in await world.files(key)


async def test_a_commit_that_the_submodule_does_not_have_is_named(world, tmp_path):
    main, lib = repositories(tmp_path, "main", "lib")
    lib.commit({"lib.yaml": "l: 1\n"})
    add(main, lib.url)
    main.git("update-index", "--cacheinfo", f"160000,{'1' * 40},lib")
    main.git("commit", "-qm", "forward")
    status = await world.reconcile(await world.source(main.url, recurseSubmodules=True))
    assert condition(status, "Ready")[0] == "False"
    assert "the submodule 'lib'" in condition(status, "Ready")[2]
    assert "artifact" not in status


@pytest.mark.parametrize("same_host", [True, False])
async def test_the_credential_goes_to_the_sources_own_host_alone(world, tmp_path, same_host):
    """Flux shows it to every host that a repository names."""
    seen = []
    with hosting(tmp_path / "one") as one, hosting(tmp_path / "two") as two:
        other = one if same_host else two
        other.commit("lib", {"lib.yaml": "l: 1\n"})
        lib = other.head()
        if same_host:  # the same host, another repository
            other.git("clone", "-q", "--bare", str(other.bare), str(other.folder / "acme/lib.git"), cwd=None)
        url = other.url.replace("shop.git", "lib.git") if same_host else other.url
        work = Remote(tmp_path / "work")
        work.write({".gitmodules": f'[submodule "lib"]\n\tpath = lib\n\turl = {url}\n', "a.yaml": "a: 1\n"})
        work.git("add", "-A")
        work.git("update-index", "--add", "--cacheinfo", f"160000,{lib},lib")
        work.git("commit", "-qm", "x")
        work.git("push", "-q", "-f", str(one.bare), "HEAD:refs/heads/main")
        await world.secret("login", {"username": USER.encode(), "password": PASSWORD.encode()})
        with recorded(one, seen), recorded(two, seen):
            key = await world.source(one.url, recurseSubmodules=True, secretRef={"name": "login"})
            status = await world.reconcile(key)
        assert condition(status, "Ready")[0] == "True"
        assert (await world.files(key))["lib/lib.yaml"] == "l: 1\n"
        asked = {(port, path.split("/")[2]): header for port, path, header in seen}
        expected = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        assert asked[one.port, "shop.git"] == expected
        assert asked[(one.port, "lib.git") if same_host else (two.port, "shop.git")] == (
            expected if same_host else None
        )


class recorded:  # noqa: N801 - it is used as a context manager
    """Notes each request to a host: its port, its path, its credential."""

    def __init__(self, host, seen):
        self.host, self.seen = host, seen

    def __enter__(self):
        self.host.asked = lambda path, header: self.seen.append((self.host.port, path, header))

    def __exit__(self, *_):
        self.host.asked = None


async def test_a_repository_that_is_hosted_here_has_submodules_that_are_too(tmp_path):
    """Nothing is fetched: both are read where they are."""
    main, lib = repositories(tmp_path, "main", "lib")
    lib.commit({"lib.yaml": "l: 1\n"})
    main.write({".gitmodules": '[submodule "lib"]\n\tpath = lib\n\turl = ../lib.git\n'})
    main.git("add", "-A")
    main.git("update-index", "--add", "--cacheinfo", f"160000,{lib.git('rev-parse', 'HEAD')},lib")
    main.git("commit", "-qm", "x")
    here = "http://127.0.0.1:9/git/me"
    places = {f"{here}/main.git": main.folder / ".git", f"{here}/lib.git": lib.folder / ".git"}
    world = SourceWorld(tmp_path, hosted=places.get)
    key = await world.source(f"{here}/main.git", recurseSubmodules=True)
    assert condition(await world.reconcile(key), "Ready")[0] == "True"
    assert await world.files(key) == {"lib/lib.yaml": "l: 1\n"}
    assert not list(tmp_path.glob("disks/*/mirrors/*"))
    world.close()


async def test_a_deploy_key_opens_the_submodules_of_its_host(world, tmp_path):
    remote = SshRemote(tmp_path / "ssh")
    key = remote.new_key("deploy")
    remote.allow(key)
    bare = {name: remote.create(name) for name in ("main", "lib")}
    lib = Remote(tmp_path / "lib")
    pinned = lib.commit({"lib.yaml": "l: 1\n"})
    lib.git("push", "-q", str(bare["lib"]), "main")
    main = Remote(tmp_path / "main")
    main.write({".gitmodules": '[submodule "lib"]\n\tpath = lib\n\turl = ../lib.git\n'})
    main.git("add", "-A")
    main.git("update-index", "--add", "--cacheinfo", f"160000,{pinned},lib")
    main.git("commit", "-qm", "x")
    main.git("push", "-q", str(bare["main"]), "main")
    remote.start()
    try:
        known = remote.known_hosts().encode()
        await world.secret("key", {"identity": key.read_bytes(), "known_hosts": known})
        source = await world.source(remote.url("main"), recurseSubmodules=True, secretRef={"name": "key"})
        status = await world.reconcile(source)
    finally:
        remote.stop()
    assert condition(status, "Ready")[0] == "True", status
    assert await world.files(source) == {"lib/lib.yaml": "l: 1\n"}


@pytest.mark.parametrize("limit", ["DEPTH_LIMIT", "COUNT_LIMIT"])
async def test_there_are_limits(world, tmp_path, monkeypatch, limit):
    monkeypatch.setattr(gathering, limit, 1)
    main, lib, deep = repositories(tmp_path, "main", "lib", "deep")
    deep.commit({"x": "1"})
    lib.commit({"x": "1"})
    add(lib, deep.url)
    add(main, lib.url)
    status = await world.reconcile(await world.source(main.url, recurseSubmodules=True))
    assert condition(status, "Ready")[:2] == ("False", "LimitExceeded")


async def test_a_remote_that_gives_out_no_single_commit_is_read_whole(world, tmp_path, monkeypatch):
    main, lib = repositories(tmp_path, "main", "lib")
    lib.commit({"lib.yaml": "l: 1\n"})
    add(main, lib.url)
    lib.commit({"lib.yaml": "l: 2\n"})
    lib.git("config", "protocol.version", "0")
    monkeypatch.setattr("tidegate.git.command.HARDENED", (*HARDENED, "protocol.version=0"))
    key = await world.source(main.url, recurseSubmodules=True)
    assert condition(await world.reconcile(key), "Ready")[0] == "True"
    assert (await world.files(key))["lib/lib.yaml"] == "l: 1\n"
