"""The Git door against the real git over real sockets."""

import asyncio
import base64
import contextlib
import os
import shutil
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import pytest
import uvicorn
from starlette.applications import Starlette

from tidegate.base.errors import Conflict, Denied, Unavailable
from tidegate.git.mirror import Mirrors
from tidegate.git.quick_push import QuickPushes
from tidegate.git.remote import Credentials, Remote, ls_remote
from tidegate.git.repository import Repository
from tidegate.git.values import Signature
from tidegate.serve.git import GitDoor, HostedRepositories, Push

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed: apt-get install git"),
]
LIMIT = 300_000
FLUX = Signature("Flux Image Automation", "flux@example.org")


@dataclass(frozen=True)
class Identity:
    subject: str
    scopes: frozenset[str]


class Authorizer:
    tokens: ClassVar = {
        "admin-token": Identity("admin", frozenset({"admin"})),
        "app-token": Identity("run-1", frozenset({"repo:me/app:write"})),
        "read-token": Identity("run-2", frozenset({"repo:me/app:read"})),
    }

    def identify(self, header: str | None) -> Identity | None:
        if not header or not header.startswith("Basic "):
            return None
        return self.tokens.get(base64.b64decode(header[6:]).decode().partition(":")[2])


@dataclass
class Door:
    """A running door: its URL, its repositories, the pushes it was told of, and a gate that holds the lines back."""

    base: str
    hosted: HostedRepositories
    folder: Path
    pushes: list[Push] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    finished: asyncio.Event = field(default_factory=asyncio.Event)
    hold: bool = False

    def url(self, name: str = "me/app.git", token: str | None = "admin-token") -> str:
        return self.base.replace("http://", f"http://x:{token}@" if token else "http://") + f"/git/{name}"

    async def on_push(self, push: Push) -> AsyncIterator[str]:
        self.pushes.append(push)
        yield "first line"
        if self.hold:
            await self.gate.wait()
        yield "last\x1b[31m line"
        self.finished.set()


@contextlib.asynccontextmanager
async def running(folder: Path, *, reads_need_credential: bool = False) -> AsyncIterator[Door]:
    hosted = HostedRepositories(folder / "git")
    door = Door("", hosted, folder)
    git_door = GitDoor(
        hosted, Authorizer(), door.on_push, reads_need_credential=reads_need_credential, push_limit=LIMIT
    )
    await git_door.start()
    config = uvicorn.Config(
        Starlette(routes=git_door.routes()),
        port=0,
        lifespan="off",
        ws="none",
        log_level="warning",
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.01)
    door.base = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    try:
        yield door
    finally:
        server.should_exit = True
        await serving
        await git_door.stop()


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    async with running(tmp_path) as made:
        yield made


@dataclass(frozen=True)
class Ended:
    code: int
    out: str


def environment() -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"], "HOME": "/nonexistent", "LC_ALL": "C.UTF-8",
        "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0",
        "GIT_AUTHOR_NAME": "Dev", "GIT_AUTHOR_EMAIL": "dev@example.org",
        "GIT_COMMITTER_NAME": "Dev", "GIT_COMMITTER_EMAIL": "dev@example.org",
    }  # fmt: skip


async def git(*arguments: str, cwd: Path, code: int | None = 0) -> Ended:
    process = await asyncio.create_subprocess_exec(
        "git", *arguments, cwd=cwd, env=environment(), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    async with asyncio.timeout(60):
        out, _ = await process.communicate()
    assert process.returncode is not None
    assert code is None or process.returncode == code, out.decode()
    return Ended(process.returncode, out.decode("utf-8", "replace"))


async def work_tree(folder: Path, branch: str = "main") -> Path:
    folder.mkdir()
    await git("init", "-q", f"--initial-branch={branch}", cwd=folder)
    await commit(folder, "a.txt", "1")
    return folder


async def commit(folder: Path, name: str, text: str) -> str:
    (folder / name).write_text(text)
    await git("add", ".", cwd=folder)
    await git("commit", "-qm", f"change {name}", cwd=folder)
    return (await git("rev-parse", "HEAD", cwd=folder)).out.strip()


async def test_the_first_push_creates_the_repository_and_a_clone_brings_it_back(door: Door, tmp_path: Path) -> None:
    work = await work_tree(tmp_path / "work")
    head = (await git("rev-parse", "HEAD", cwd=work)).out.strip()
    assert (await git("clone", door.url(token=None), "x", cwd=tmp_path, code=128)).out.count("first push creates it")
    assert door.hosted.list() == []
    pushed = await git("push", door.url(), "main", cwd=work)
    assert "remote: first line" in pushed.out
    assert "remote: last [31m line" in pushed.out
    assert door.hosted.list() == [("me", "app")]
    [push] = door.pushes
    assert (push.owner, push.name, push.subject) == ("me", "app", "admin")
    assert push.updates == (("refs/heads/main", None, head),)
    await git("clone", "-q", door.url(token=None), "copy", cwd=tmp_path)
    assert (await git("log", "--format=%H %s", cwd=tmp_path / "copy")).out == f"{head} change a.txt\n"
    again = await commit(work, "a.txt", "2")
    await git("push", "-q", door.url(token="app-token"), "main", cwd=work)
    assert door.pushes[-1].updates == (("refs/heads/main", head, again),)
    await git("pull", "-q", cwd=tmp_path / "copy")
    assert (tmp_path / "copy" / "a.txt").read_text() == "2"


async def test_lines_arrive_while_the_push_is_still_running(door: Door, tmp_path: Path) -> None:
    door.hold = True
    work = await work_tree(tmp_path / "work")
    process = await asyncio.create_subprocess_exec(
        "git", "push", door.url(), "main", cwd=work, env=environment(), stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr
    async with asyncio.timeout(20):
        line = await process.stderr.readline()
        while b"first line" not in line:
            line = await process.stderr.readline()
        assert process.returncode is None
        door.gate.set()
        rest = await process.stderr.read()
    assert b"last" in rest
    assert await process.wait() == 0


async def test_ctrl_c_leaves_the_work_going_on(door: Door, tmp_path: Path) -> None:
    door.hold = True
    work = await work_tree(tmp_path / "work")
    process = await asyncio.create_subprocess_exec(
        "git",
        "push",
        door.url(),
        "main",
        cwd=work,
        env=environment(),
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stderr
    async with asyncio.timeout(20):
        while b"first line" not in await process.stderr.readline():
            continue
        os.killpg(process.pid, 2)
        await process.wait()
        await asyncio.sleep(0.3)
        door.gate.set()
        await door.finished.wait()
    assert door.hosted.list() == [("me", "app")]


async def test_a_push_needs_a_credential_that_may_write(door: Door, tmp_path: Path) -> None:
    work = await work_tree(tmp_path / "work")
    assert "could not read Username" in (await git("push", door.url(token=None), "main", cwd=work, code=128)).out
    assert "Authentication failed" in (await git("push", door.url(token="wrong"), "main", cwd=work, code=128)).out
    assert "403" in (await git("push", door.url(token="read-token"), "main", cwd=work, code=128)).out
    assert "403" in (await git("push", door.url("me/other.git", "app-token"), "main", cwd=work, code=128)).out
    assert door.hosted.list() == []
    assert door.pushes == []
    assert not (door.hosted.root / "me").exists() or not list((door.hosted.root / "me").iterdir())


async def test_a_push_by_one_request_is_taken_as_one_of_git_and_a_lost_race_is_a_conflict(
    door: Door, tmp_path: Path
) -> None:
    work = await work_tree(tmp_path / "work")
    first = (await git("rev-parse", "HEAD", cwd=work)).out.strip()
    await git("push", "-q", door.url(), "main", cwd=work)
    ref, remote = "refs/heads/main", Remote(door.url(token=None), Credentials(username="x", password="app-token"))
    mirrors = Mirrors(tmp_path / "mirrors")
    repository = await mirrors.fetch(remote, [ref])
    second = await repository.write_commit(first, {"a.txt": b"2"}, author=FLUX, message="Two")
    other = await repository.write_commit(first, {"a.txt": b"3"}, author=FLUX, message="Three")
    report = await QuickPushes().push(repository.path, remote, second, ref, first, timeout=60)
    assert report is not None
    assert report.reason is None
    assert await ls_remote(remote, [ref]) == {ref: second}
    assert door.pushes[-1].updates == ((ref, first, second),)
    with pytest.raises(Conflict):
        await mirrors.push(repository, remote, other, "main", first)
    assert await ls_remote(remote, [ref]) == {ref: second}


async def test_reading_can_need_a_credential(tmp_path: Path) -> None:
    async with running(tmp_path / "home", reads_need_credential=True) as door:
        work = await work_tree(tmp_path / "work")
        await git("push", "-q", door.url(), "main", cwd=work)
        assert "could not read Username" in (await git("ls-remote", door.url(token=None), cwd=work, code=128)).out
        assert "refs/heads/main" in (await git("ls-remote", door.url(token="read-token"), cwd=work)).out


async def test_a_push_past_the_limit_is_refused_with_a_clear_word(door: Door, tmp_path: Path) -> None:
    work = await work_tree(tmp_path / "work")
    (work / "big").write_bytes(os.urandom(LIMIT * 2))
    await git("add", ".", cwd=work)
    await git("commit", "-qm", "big", cwd=work)
    for chunked in ((), ("-c", "http.postBuffer=65536")):
        refused = await git(*chunked, "push", door.url(), "main", cwd=work, code=1)
        assert "pack exceeds maximum allowed size" in refused.out
    assert door.hosted.list() == []
    assert not door.hosted.path("me", "app").exists()
    (work / "big").write_bytes(os.urandom(LIMIT * 8))
    await git("commit", "-qam", "huge", cwd=work)
    assert "413" in (await git("push", door.url(), "main", cwd=work, code=None)).out
    assert door.pushes == []


async def test_a_push_in_chunks_and_a_zipped_request_are_taken(door: Door, tmp_path: Path) -> None:
    work = await work_tree(tmp_path / "work")
    (work / "blob").write_bytes(os.urandom(LIMIT // 2))
    await git("add", ".", cwd=work)
    await git("commit", "-qm", "blob", cwd=work)
    await git("-c", "http.postBuffer=65536", "push", "-q", door.url(), "main", cwd=work)
    for number in range(40):
        await git("branch", f"b{number}", await commit(work, f"f{number}", str(number)), cwd=work)
    await git("push", "-q", "--all", door.url(), cwd=work)
    await git("clone", "-q", door.url(token=None), "copy", cwd=tmp_path)
    await commit(work, "last", "x")
    await git("push", "-q", door.url(), "main", cwd=work)
    await git("fetch", "-q", cwd=tmp_path / "copy")
    assert len((await git("ls-remote", "--heads", door.url(token=None), cwd=work)).out.splitlines()) == 41


async def test_somebody_who_is_late_is_told_to_pull(door: Door, tmp_path: Path) -> None:
    work = await work_tree(tmp_path / "work")
    await git("push", "-q", door.url(), "main", cwd=work)
    await git("clone", "-q", door.url(), "other", cwd=tmp_path)
    await commit(tmp_path / "other", "b.txt", "theirs")
    await git("push", "-q", cwd=tmp_path / "other")
    await commit(work, "a.txt", "ours")
    assert "rejected" in (await git("push", door.url(), "main", cwd=work, code=1)).out
    await git("pull", "-q", "--rebase", door.url(), "main", cwd=work)
    await git("push", "-q", door.url(), "main", cwd=work)
    assert (await git("rev-list", "--count", "HEAD", cwd=work)).out.strip() == "3"


async def test_many_pushers_at_once_lose_nothing(door: Door, tmp_path: Path) -> None:
    work = await work_tree(tmp_path / "work")
    await git("push", "-q", door.url(), "main", cwd=work)

    async def person(number: int) -> None:
        mine = tmp_path / f"p{number}"
        await git("clone", "-q", door.url(), mine.name, cwd=tmp_path)
        for turn in range(3):
            await commit(mine, f"f{number}", str(turn))
            while (await git("push", "-q", "origin", "main", cwd=mine, code=None)).code:
                await git("pull", "-q", "--rebase", cwd=mine)

    await asyncio.gather(*(person(number) for number in range(3)))
    bare = door.hosted.path("me", "app")
    assert (await git("rev-list", "--count", "main", cwd=bare)).out.strip() == "10"
    assert (await git("rev-list", "--merges", "main", cwd=bare)).out == ""
    await git("fsck", "--strict", cwd=bare)
    assert sum(len(push.updates) for push in door.pushes) == 10


async def test_two_first_pushers_share_one_repository(door: Door, tmp_path: Path) -> None:
    one, two = await work_tree(tmp_path / "one"), await work_tree(tmp_path / "two", "dev")
    await commit(two, "b", "2")
    await asyncio.gather(git("push", "-q", door.url(), "main", cwd=one), git("push", "-q", door.url(), "dev", cwd=two))
    repository = door.hosted.get("me", "app")
    assert repository
    assert set(await repository.refs()) == {"refs/heads/main", "refs/heads/dev"}


async def test_many_first_pushers_at_once_make_one_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[Path] = []
    init = Repository.init

    async def counted(repository: Repository, branch: str = "main") -> None:
        begun.append(repository.path)
        await init(repository, branch)

    monkeypatch.setattr(Repository, "init", counted)
    hosted = HostedRepositories(tmp_path / "git")
    made = await asyncio.gather(*(hosted.create("me", "app") for _ in range(16)))
    assert begun == [made[0].path]
    assert await made[0].refs() == {}


async def test_a_first_push_that_failed_leaves_no_folder(tmp_path: Path) -> None:
    hosted = HostedRepositories(tmp_path / "git")
    await hosted.create("me", "app")
    await hosted.create("me", "other")
    hosted.discard_empty("me", "app")
    assert (tmp_path / "git" / "me" / "other.git").exists()
    hosted.discard_empty("me", "other")
    assert list((tmp_path / "git").iterdir()) == []


async def test_head_follows_the_first_branch_and_it_cannot_be_deleted(door: Door, tmp_path: Path) -> None:
    work = await work_tree(tmp_path / "work", "trunk")
    await git("push", "-q", door.url(), "trunk", "trunk:other", cwd=work)
    repository = door.hosted.get("me", "app")
    assert repository
    assert await repository.head() == "refs/heads/other"
    await git("push", "-q", door.url(), "--delete", "trunk", cwd=work)
    refused = await git("push", door.url(), "--delete", "other", cwd=work, code=1)
    assert "refusing to delete" in refused.out or "deletion of the current branch prohibited" in refused.out


async def test_a_bad_object_is_refused(door: Door, tmp_path: Path) -> None:
    work = await work_tree(tmp_path / "work")
    blob = (await git("hash-object", "-w", "a.txt", cwd=work)).out.strip()
    (tmp_path / "tree").write_bytes(b"100644 .git\0" + bytes.fromhex(blob))
    tree = (await git("hash-object", "-w", "-t", "tree", "--literally", str(tmp_path / "tree"), cwd=work)).out.strip()
    bad = (await git("commit-tree", "-m", "evil", tree, cwd=work)).out.strip()
    refused = await git("push", door.url(), f"{bad}:refs/heads/main", cwd=work, code=1)
    assert "hasDotgit" in refused.out
    assert door.hosted.list() == []
    await git("push", "-q", door.url(), "main", cwd=work)
    await git("push", door.url(), f"{bad}:refs/heads/main", "-f", cwd=work, code=1)
    assert door.hosted.list() == [("me", "app")]


async def raw(door: Door, request: bytes) -> bytes:
    host, port = door.base.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(request)
    await writer.drain()
    async with asyncio.timeout(10):
        answer = await reader.readline()
    writer.close()
    await writer.wait_closed()
    return answer


@pytest.mark.parametrize(
    "path",
    [
        "/git/../../etc/passwd",
        "/git/me/%2e%2e/info/refs",
        "/git/%2e%2e/%2e%2e/info/refs",
        "/git/me%2f..%2fx/a.git/info/refs",
        "/git/me/app.git/objects/../../../x",
    ],
)
async def test_a_path_cannot_leave_the_folder(door: Door, path: str) -> None:
    query = "?service=git-upload-pack"
    answer = await raw(door, f"GET {path}{query} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    assert b" 404 " in answer


async def test_a_pusher_who_hangs_up_in_the_middle_changes_nothing(door: Door, tmp_path: Path) -> None:
    work = await work_tree(tmp_path / "work")
    await git("push", "-q", door.url(), "main", cwd=work)
    before = len(door.pushes)
    host, port = door.base.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    token = base64.b64encode(b"x:admin-token").decode()
    head = (
        f"POST /git/me/app.git/git-receive-pack HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {token}\r\n"
        "Content-Type: application/x-git-receive-pack-request\r\nContent-Length: 100000\r\n\r\n"
    )
    command = f"{'0' * 40} {'1' * 40} refs/heads/evil\0report-status\n"
    writer.write(head.encode() + f"{len(command) + 4:04x}{command}0000PACK".encode())
    await writer.drain()
    await asyncio.sleep(0.2)
    writer.close()
    await writer.wait_closed()
    bare = door.hosted.path("me", "app")
    async with asyncio.timeout(15):
        while list(bare.glob("objects/tmp_objdir*")):  # noqa: ASYNC110 - another process removes it
            await asyncio.sleep(0.05)
    assert "evil" not in (await git("ls-remote", door.url(), cwd=work)).out
    assert len(door.pushes) == before


async def test_our_own_client_reads_and_pushes_with_its_credential(door: Door, tmp_path: Path) -> None:
    work = await work_tree(tmp_path / "work")
    await git("push", "-q", door.url(), "main", cwd=work)
    url = door.url(token=None)
    remote = Remote(url, Credentials(username="x", password="app-token"))
    head = (await ls_remote(remote, ["refs/heads/main"]))["refs/heads/main"]
    mirrors = Mirrors(tmp_path / "mirrors")
    mirror = await mirrors.fetch(remote, ["refs/heads/main"])
    new = await mirror.write_commit(head, {"a.txt": b"automation"}, author=FLUX, message="Update")
    with pytest.raises(Denied):
        await mirrors.push(mirror, Remote(url), new, "main", head)
    with pytest.raises(Denied):
        await mirrors.push(mirror, Remote(url, Credentials(username="x", password="read-token")), new, "main", head)
    await mirrors.push(mirror, remote, new, "main", head)
    assert door.pushes[-1].updates == (("refs/heads/main", head, new),)
    assert door.pushes[-1].subject == "run-1"
    await git("pull", "-q", door.url(), "main", cwd=work)
    assert (work / "a.txt").read_text() == "automation"
    person = await commit(work, "b.txt", "person")
    await git("push", "-q", door.url(), "main", cwd=work)
    late = await mirror.write_commit(new, {"a.txt": b"late"}, author=FLUX, message="Update")
    with pytest.raises(Conflict):
        await mirrors.push(mirror, remote, late, "main", new)
    assert (await ls_remote(remote))["refs/heads/main"] == person


async def test_a_redirect_does_not_carry_the_credential(tmp_path: Path) -> None:
    seen: list[bytes] = []

    async def collect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.close()

    async def redirect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        port = other.sockets[0].getsockname()[1]
        writer.write(
            f"HTTP/1.1 302 Found\r\nLocation: http://localhost:{port}/info/refs\r\nContent-Length: 0\r\n\r\n".encode()
        )
        await writer.drain()
        writer.close()

    async with (
        await asyncio.start_server(collect, "127.0.0.1", 0) as other,
        await asyncio.start_server(redirect, "127.0.0.1", 0) as first,
    ):
        url = f"http://127.0.0.1:{first.sockets[0].getsockname()[1]}/x"
        with pytest.raises(Exception, match="redirect") as caught:
            await ls_remote(Remote(url, Credentials(username="x", password="secret")), timeout=10)
    assert seen == []
    assert "secret" not in str(caught.value)


async def test_a_remote_that_answers_nothing_is_given_up(tmp_path: Path) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/x"
        with pytest.raises(Unavailable):
            await ls_remote(Remote(url), timeout=0.5)


SERVER = """
import asyncio, sys, uvicorn
from pathlib import Path
from starlette.applications import Starlette
from tidegate.serve.git import GitDoor, HostedRepositories

class Identity:
    subject, scopes = "admin", frozenset({"admin"})

class Authorizer:
    def identify(self, header):
        return Identity() if header else None

async def on_push(push):
    yield "taken"

async def main():
    door = GitDoor(HostedRepositories(Path(sys.argv[1])), Authorizer(), on_push)
    await door.start()
    config = uvicorn.Config(Starlette(routes=door.routes()), port=0, lifespan="off", ws="none", log_level="error")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    print(server.servers[0].sockets[0].getsockname()[1], flush=True)
    await serving

asyncio.run(main())
"""


async def start_server(root: Path, **env: str) -> tuple[asyncio.subprocess.Process, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVER, str(root), stdout=asyncio.subprocess.PIPE, env=os.environ | env
    )
    assert process.stdout
    async with asyncio.timeout(30):
        port = int(await process.stdout.readline())
    return process, f"http://x:t@127.0.0.1:{port}/git/me/app.git"


@pytest.mark.crash
async def test_a_server_killed_after_a_push_was_taken_has_it_after_the_restart(tmp_path: Path) -> None:
    work = await work_tree(tmp_path / "work")
    process, url = await start_server(tmp_path / "git", TIDEGATE_KILL_AT="git.push-received")
    await git("push", url, "main", cwd=work, code=None)
    assert await process.wait() == -9
    process, url = await start_server(tmp_path / "git")
    try:
        head = (await git("rev-parse", "HEAD", cwd=work)).out.strip()
        assert head in (await git("ls-remote", url, "refs/heads/main", cwd=work)).out
        await commit(work, "a.txt", "2")
        assert "remote: taken" in (await git("push", url, "main", cwd=work)).out
    finally:
        process.kill()
        await process.wait()
