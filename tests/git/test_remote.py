"""Which URLs are allowed, and how credentials travel."""

import base64
from pathlib import Path

import pytest

from tidegate.base.errors import CommandFailed, Conflict, Denied, InvalidInput, NotFound, TidegateError, Unavailable
from tidegate.git import mirror, remote
from tidegate.git.remote import Credentials, Remote

NEW, OLD = "2" * 40, "1" * 40


@pytest.mark.parametrize(
    ("url", "protocol"),
    [
        ("https://github.com/me/repo", "https"),
        ("https://host:8443/me/repo.git", "https"),
        ("ssh://git@github.com/me/repo", "ssh"),
        ("ssh://host:22/x", "ssh"),
        ("http://127.0.0.1:8080/git/me/repo.git", "http"),
        ("http://localhost/x", "http"),
        ("http://[::1]:80/x", "http"),
    ],
)
def test_allowed_urls(url: str, protocol: str) -> None:
    assert remote.check_url(url) == protocol


@pytest.mark.parametrize(
    "url",
    [
        "http://github.com/me/repo", "https://user:pw@github.com/x", "https://token@github.com/x", "git://host/x",
        "ext::sh -c touch% /tmp/x", "git@github.com:me/repo", "--upload-pack=x", "https://-oProxyCommand=x/y",
        "ssh://-oProxyCommand=x/y", "ssh://git:pw@host/x", "ssh://-l@host/x", "https://host/x\n", "https://host/a b",
        "https:///x", "file:///etc", "/etc", "", "https://host/x?y=1", "https://host/x#y", "https://hö.st/x",
        "https://host:99999/x", "ftp://host/x", "https:host/x", "ssh://git@host$(x)/y",
    ],
)  # fmt: skip
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(InvalidInput):
        remote.check_url(url)


def test_a_refused_url_is_shown_without_its_password() -> None:
    with pytest.raises(InvalidInput) as caught:
        remote.check_url("https://user:hunter2@host/x")
    assert "hunter2" not in str(caught.value)


def test_http_elsewhere_needs_permission() -> None:
    assert Remote("http://forge.lan/x", allow_http=True).protocol == "http"


def test_files_only_below_an_allowed_root(tmp_path: Path) -> None:
    inside, outside = tmp_path / "in", tmp_path / "out"
    inside.mkdir()
    outside.mkdir()
    (inside / "link").symlink_to(outside)
    assert remote.check_url(f"file://{inside}/x", file_roots=[inside]) == "file"
    for url in (f"file://{outside}", f"file://{inside}/../out", f"file://{inside}/link", f"file://host{inside}"):
        with pytest.raises(InvalidInput):
            remote.check_url(url, file_roots=[inside])


def test_a_password_is_in_the_environment_for_its_host_alone() -> None:
    target = Remote("https://host:8443/me/repo", Credentials(username="me", password="hunter2"))
    with remote.access(target) as way:
        argv = remote.ls_remote_argv(target.url, ["refs/heads/main"], way.protocols, way.config)
        encoded = base64.b64encode(b"me:hunter2").decode()
        assert way.env["GIT_CONFIG_KEY_0"] == "http.https://host:8443/.extraHeader"
        assert way.env["GIT_CONFIG_VALUE_0"] == f"Authorization: Basic {encoded}"
        assert not [word for word in argv if "hunter2" in word or encoded in word]
        assert "http.followRedirects=false" in argv
    assert "hunter2" not in repr(target)
    assert "hunter2" not in repr(way)


@pytest.mark.parametrize("name", ["password", "bearer_token"])
def test_a_credential_that_no_call_could_carry_is_told(name: str) -> None:
    with pytest.raises(InvalidInput, match="longer than 65536 bytes"):
        Credentials(**{name: "x" * 300_000}).header()


def test_a_bearer_token_cannot_add_a_header() -> None:
    with pytest.raises(InvalidInput):
        Credentials(bearer_token="x\r\nHost: evil").header()


def test_ssh_needs_a_key_and_host_keys() -> None:
    with (
        pytest.raises(InvalidInput, match="known_hosts"),
        remote.access(Remote("ssh://git@host/x", Credentials(identity=b"k"))),
    ):
        pass


def test_ssh_reads_no_configuration_and_believes_only_the_given_host_keys() -> None:
    target = Remote("ssh://git@host/x", Credentials(identity=b"KEY", known_hosts=b"host ssh-ed25519 AAAA"))
    with remote.access(target) as way:
        words = way.env["GIT_SSH_COMMAND"]
        assert words.startswith("ssh -F none -i ")
        for option in (
            "StrictHostKeyChecking=yes",
            "IdentitiesOnly=yes",
            "BatchMode=yes",
            "GlobalKnownHostsFile=/dev/null",
        ):
            assert f"-o {option}" in words
        key = Path(words.split()[4])
        assert key.read_bytes() == b"KEY\n"
        assert key.stat().st_mode & 0o777 == 0o600
    assert not key.exists()


def test_asking_for_refs_ends_the_options_and_asks_for_peeled_tags() -> None:
    argv = remote.ls_remote_argv("https://h/x", ["HEAD", "refs/tags/v1"], ["https"], [])
    assert argv[argv.index("ls-remote") :] == [
        "ls-remote", "--quiet", "--end-of-options", "https://h/x", "HEAD", "refs/tags/v1", "refs/tags/v1^{}",
    ]  # fmt: skip


def test_an_annotated_tag_stands_for_its_commit() -> None:
    assert remote.parse_refs(f"{OLD}\trefs/tags/v1\n{NEW}\trefs/tags/v1^{{}}\n".encode()) == {"refs/tags/v1": NEW}


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("fatal: Authentication failed for 'https://h/x/'", Denied),
        ("fatal: could not read Username for 'https://h': terminal prompts disabled", Denied),
        ("git@h: Permission denied (publickey).", Denied),
        ("Host key verification failed.", Denied),
        ("remote: Repository not found.\nfatal: repository 'https://h/x/' not found", NotFound),
        ("fatal: unable to access 'https://h/x/': Could not resolve host: h", Unavailable),
        ("fatal: unable to access 'https://h/x/': The requested URL returned error: 502", Unavailable),
        ("fatal: couldn't find remote ref refs/heads/gone", Conflict),
    ],
)
def test_what_a_failed_call_means(said: str, kind: type[TidegateError]) -> None:
    assert type(remote.explain(CommandFailed("git ended with 128", exit_code=128, output=said), "https://h/x")) is kind


def test_a_call_that_took_too_long_may_be_tried_again() -> None:
    assert isinstance(
        remote.explain(CommandFailed("git was ended after 60 s", exit_code=None), "https://h/x"), Unavailable
    )


def test_fetching_names_every_ref_in_full() -> None:
    argv = mirror.fetch_argv(Path("/m.git"), "https://h/x", ["refs/heads/main", NEW], ["https"], [])
    assert argv[-3:] == ["https://h/x", "+refs/heads/main:refs/heads/main", NEW]
    assert "fetch.fsckObjects=true" in argv
    assert "--prune" not in argv
    assert "--prune" in mirror.fetch_argv(Path("/m.git"), "https://h/x", [], ["https"], [])


def test_a_push_compares_and_never_forces() -> None:
    argv = mirror.push_argv(Path("/m.git"), "https://h/x", NEW, "refs/heads/main", OLD, options=["ci.skip"])
    assert argv[argv.index("push") :] == [
        "push", "--quiet", "--no-verify", "--no-signed", "--recurse-submodules=no",
        f"--force-with-lease=refs/heads/main:{OLD}", "--push-option=ci.skip", "--end-of-options", "https://h/x",
        f"{NEW}:refs/heads/main",
    ]  # fmt: skip
    assert "--force-with-lease=refs/heads/x:" in mirror.push_argv(
        Path("/m.git"), "https://h/x", NEW, "refs/heads/x", None
    )


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (" ! [rejected]        abc -> main (stale info)", Conflict),
        (" ! [rejected]        abc -> main (fetch first)", Conflict),
        (" ! [rejected]        abc -> main (non-fast-forward)", Conflict),
        (" ! [remote rejected] abc -> main (failed to update ref)", Conflict),
        (" ! [remote rejected] abc -> main (pre-receive hook declined)", Denied),
        (" ! [remote rejected] abc -> main (protected branch hook declined)", Denied),
        ("fatal: Authentication failed", Denied),
        ("fatal: unable to access", Unavailable),
    ],
)
def test_what_a_failed_push_means(said: str, kind: type[TidegateError]) -> None:
    error = mirror.explain_push(CommandFailed("git ended with 1", exit_code=1, output=said), "https://h/x", "main")
    assert type(error) is kind


def test_mirrors_of_two_urls_are_apart(tmp_path: Path) -> None:
    mirrors = mirror.Mirrors(tmp_path)
    first, second = mirrors.path("https://h/me/re..po.git"), mirrors.path("https://other/me/re..po.git")
    assert first != second
    assert first.parent == tmp_path
    assert first.name.startswith("re-po-")


def test_a_repository_on_this_disk_runs_no_hook_of_its_owner() -> None:
    argv = mirror.push_argv(Path("/m.git"), "file:///srv/x.git", NEW, "refs/heads/main", OLD)
    assert "--receive-pack=git -c safe.directory='*' -c core.hooksPath=/dev/null receive-pack" in argv
    assert not [
        word for word in mirror.push_argv(Path("/m.git"), "https://h/x", NEW, "refs/heads/x", OLD) if "-pack=" in word
    ]


def test_an_error_says_what_git_called_fatal() -> None:
    said = (
        "remote: hello\nfatal: Could not read from remote repository.\n\nPlease make sure you have the correct rights"
    )
    error = remote.explain(CommandFailed("git ended with 128", exit_code=128, output=said), "ssh://git@h/x")
    assert "Could not read from remote repository" in str(error)


@pytest.mark.parametrize(
    ("said", "meaning"),
    [
        ("git@h: Permission denied (publickey).", "refused the credential"),
        ("Host key verification failed.", "does not believe the host key"),
    ],
)
def test_what_ssh_says_is_told_and_not_gits_word_that_it_ended(said, meaning):
    output = (
        f"{said}\r\nfatal: Could not read from remote repository.\n\nPlease make sure you have the correct rights\n"
    )
    error = remote.explain(CommandFailed("git failed", exit_code=128, output=output), "ssh://git@h/a")
    assert error.message == f"ssh://git@h/a {meaning}: {said}"


def test_of_another_host_key_the_verdict_is_told_and_not_the_frame_around_it():
    frame = "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @"
    output = f"{frame}\nHost key verification failed.\nfatal: Could not read from remote repository.\n"
    error = remote.explain(CommandFailed("git failed", exit_code=128, output=output), "ssh://git@h/a")
    assert error.message == "ssh://git@h/a does not believe the host key: Host key verification failed."


def test_a_wrong_password_is_not_told_as_a_prompt_that_nobody_answers():
    output = "fatal: could not read Username for 'https://h': terminal prompts disabled\n"
    error = remote.explain(CommandFailed("git failed", exit_code=128, output=output), "https://h/a")
    assert error.message == "https://h/a refused the credential: it answers 401, and asks for another one"
