"""What the Git door understands, whom it lets in, and what it hands to git."""

from pathlib import Path

import pytest
from starlette.responses import Response

from tidegate.base.errors import InvalidInput
from tidegate.git.command import argv
from tidegate.serve import git, git_backend, git_pushes
from tidegate.serve.git_backend import Request, backend_argv, backend_environment, parse_head
from tidegate.serve.git_pushes import Update
from tidegate.serve.git_repositories import HostedRepositories


def status(method: str, path: str, query: str = "") -> int:
    answer = git.parse_request(method, path, query)
    return answer.status_code if isinstance(answer, Response) else 0


def test_the_requests_of_smart_http_are_understood() -> None:
    assert status("GET", "/git/me/app.git/info/refs", "service=git-upload-pack") == 0
    assert status("GET", "/git/me/app/info/refs", "service=git-receive-pack") == 0
    assert status("POST", "/git/me/.github.git/git-upload-pack") == 0
    assert status("POST", "/git/me/app.git/git-receive-pack") == 0


@pytest.mark.parametrize(
    "path",
    [
        "/git/../etc/info/refs", "/git/me/../info/refs", "/git/me/...git/info/refs", "/git/me/app.git.git/info/refs",
        "/git/me/app.git/HEAD", "/git/me/app.git/objects/info/packs", "/git/me/app.git/../x.git/info/refs",
        "/git/.door/.empty.git/info/refs", "/git/me/-x.git/info/refs", "/git/me/a b.git/info/refs",
        "/git/me/a\n.git/info/refs",
        "/git//x.git/info/refs", "/git/me/é.git/info/refs", "/git/me/app.git", "/git/a/b/c.git/info/refs",
        "/git/me/" + "x" * 101 + ".git/info/refs",
    ],
)  # fmt: skip
def test_other_paths_are_not_found(path: str) -> None:
    assert status("GET", path, "service=git-upload-pack") == 404


def test_dumb_and_misshapen_requests_are_refused() -> None:
    assert status("GET", "/git/me/app.git/info/refs") == 403
    assert status("GET", "/git/me/app.git/info/refs", "service=git-upload-archive") == 403
    assert status("GET", "/git/me/app.git/info/refs", "service=git-upload-pack&x=1") == 403
    assert status("POST", "/git/me/app.git/info/refs", "service=git-upload-pack") == 405
    assert status("GET", "/git/me/app.git/git-receive-pack") == 405


@pytest.mark.parametrize(
    ("scopes", "reads", "writes"),
    [
        ({"admin"}, True, True),
        ({"repo:me/app:write"}, True, True),
        ({"repo:me/app:read"}, True, False),
        ({"repo:me/other:write"}, False, False),
        ({"packages:me:write"}, False, False),
        (set(), False, False),
    ],
)
def test_scopes_reach_one_repository(scopes: set[str], reads: bool, writes: bool) -> None:
    assert git.may(scopes, "me/app", writing=False) is reads
    assert git.may(scopes, "me/app", writing=True) is writes


def request(headers: dict[str, str]) -> Request:
    return Request(
        Path("/srv/git"), "/me/app.git/git-receive-pack", "POST", "", git_backend.RECEIVE_PACK, headers, 1000
    )


def test_git_gets_our_hook_and_our_limits() -> None:
    command = backend_argv(Path("/srv/hooks"), 1000)
    base = argv()
    assert command[: len(base)] == base
    assert command[-1] == "http-backend"
    for setting in ("core.hooksPath=/srv/hooks", "receive.fsckObjects=true", "receive.maxInputSize=1000"):
        assert setting in command
    assert command.index("core.hooksPath=/srv/hooks") > command.index("core.hooksPath=/dev/null")


def test_the_length_of_a_body_is_not_passed_on() -> None:
    assert "CONTENT_LENGTH" not in backend_environment(request({"content-length": "12"}), {})


def test_only_known_headers_reach_git() -> None:
    env = backend_environment(
        request(
            {
                "content-type": "application/x-git-receive-pack-request",
                "content-encoding": "gzip",
                "git-protocol": "version=2",
                "authorization": "Basic c2VjcmV0",
                "x-other": "1",
            }
        ),
        {"TIDEGATE_PUSH_ID": "abc"},
    )
    assert env["CONTENT_TYPE"] == "application/x-git-receive-pack-request"
    assert env["HTTP_CONTENT_ENCODING"] == "gzip"
    assert env["GIT_PROTOCOL"] == "version=2"
    assert env["TIDEGATE_PUSH_ID"] == "abc"
    assert not [value for value in env.values() if "c2VjcmV0" in value]
    assert not [name for name in env if "OTHER" in name]
    assert "GIT_PROTOCOL" not in backend_environment(request({"git-protocol": "version=2\nX"}), {})


def test_the_head_of_a_cgi_answer() -> None:
    assert parse_head(b"Expires: 0\r\nContent-Type: x/y\r\n\r\n") == (
        200,
        [(b"expires", b"0"), (b"content-type", b"x/y")],
    )
    assert parse_head(b"Status: 404 Not Found\r\n\r\n") == (404, [])


def test_what_a_push_changed() -> None:
    old, new, none = "1" * 40, "2" * 40, "0" * 40
    assert git_pushes.parse_updates(
        f"{old} {new} refs/heads/main\n{none} {new} refs/heads/a b\n{old} {none} refs/tags/x\n"
    ) == (
        Update("refs/heads/main", old, new),
        Update("refs/heads/a b", None, new),
        Update("refs/tags/x", old, None),
    )


def test_a_line_cannot_play_with_the_terminal() -> None:
    assert git_pushes.printable("a\x1b[31mb\nc\td\r") == "a [31mb c\td"
    assert len(git_pushes.printable("x" * 9000)) == git_pushes.LINE_LIMIT


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("https://github.com/me/app", "me/app.git"),
        ("https://GitHub.com/me/app.git", "me/app.git"),
        ("https://github.com/me/app/", "me/app.git"),
        ("ssh://git@github.com/me/app.git", "me/app.git"),
        ("http://127.0.0.1:8080/git/me/app.git", "me/app.git"),
        ("http://localhost:8080/git/me/app", "me/app.git"),
        ("https://gitlab.com/me/app", None),
        ("https://github.com:8443/me/app", None),
        ("https://github.com.evil.org/me/app", None),
        ("https://github.com/git/me/app.git", None),
        ("https://github.com/me", None),
        ("https://github.com/me/app/x", None),
        ("https://github.com/../app", None),
        ("https://github.com/me/..", None),
        ("https://github.com/me/%2e%2e", None),
        ("http://127.0.0.1:9090/git/me/app.git", None),
        ("http://127.0.0.1:8080/me/app.git", None),
        ("http://[bad/me/app", None),
        ("file:///me/app", None),
    ],
)
def test_which_urls_are_answered_here(tmp_path: Path, url: str, path: str | None) -> None:
    hosted = HostedRepositories(tmp_path, hosts={"github.com"}, port=8080)
    assert hosted.by_url(url) == (tmp_path / path if path else None)


def test_names_of_repositories(tmp_path: Path) -> None:
    hosted = HostedRepositories(tmp_path)
    assert hosted.path("Me-1", ".github") == tmp_path / "Me-1" / ".github.git"
    for owner, name in (
        ("..", "x"),
        (".door", "x"),
        ("a/b", "x"),
        ("a", ".."),
        ("a", "x.git"),
        ("a", ""),
        ("", "x"),
        ("a", "x\n"),
    ):
        with pytest.raises(InvalidInput):
            hosted.path(owner, name)


def test_an_empty_repository_is_not_there_yet(tmp_path: Path) -> None:
    hosted = HostedRepositories(tmp_path)
    folder = hosted.path("me", "app")
    (folder / "refs" / "heads").mkdir(parents=True)
    assert hosted.list() == []
    assert hosted.get("me", "app") is None
    (folder / "refs" / "heads" / "main").write_text("1" * 40 + "\n")
    assert hosted.list() == [("me", "app")]
    (folder / "refs" / "heads" / "main").unlink()
    (folder / "packed-refs").write_text(f"# pack-refs with: peeled\n{'1' * 40} refs/heads/main\n")
    assert hosted.get("me", "app") is not None


def test_the_hook_starts_an_isolated_python() -> None:
    script = git_pushes.hook_script()
    assert script.startswith("#!/bin/sh\nexec ")
    assert " -I -S " in script
