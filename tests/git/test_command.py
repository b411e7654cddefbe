"""How git is called: nothing configured is trusted, nothing secret is shown."""

from pathlib import Path

import pytest

from tidegate.base.errors import CommandFailed
from tidegate.git import command


def test_a_command_line_allows_only_the_named_protocols_and_no_hook() -> None:
    argv = command.argv("fetch", "x", git_dir=Path("/srv/a.git"), protocols=["https"], config=["a.b=c"])
    settings = [argv[index + 1] for index, word in enumerate(argv) if word == "-c"]
    assert argv[0] == "git"
    assert "--git-dir=/srv/a.git" in argv
    assert argv[-2:] == ["fetch", "x"]
    assert {"protocol.allow=never", "protocol.https.allow=always", "core.hooksPath=/dev/null", "a.b=c"} <= set(settings)
    assert [setting for setting in settings if setting.startswith("protocol.") and setting.endswith("=always")] == [
        "protocol.https.allow=always"
    ]
    assert settings.index("protocol.allow=never") < settings.index("protocol.https.allow=always")


def test_the_environment_is_made_from_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "GIT_DIR",
        "GIT_SSH_COMMAND",
        "GIT_ASKPASS",
        "GIT_CONFIG_PARAMETERS",
        "GIT_TRACE",
        "HOME",
        "SSH_AUTH_SOCK",
    ):
        monkeypatch.setenv(name, "/evil")
    env = command.environment()
    assert "/evil" not in env.values()
    assert env["GIT_CONFIG_NOSYSTEM"] == "1"
    assert env["GIT_CONFIG_GLOBAL"] == "/dev/null"
    assert env["GIT_TERMINAL_PROMPT"] == "0"


def test_secret_settings_travel_in_the_environment() -> None:
    env = command.environment(secret_config=[("http.https://h/.extraHeader", "Authorization: Basic c2VjcmV0")])
    assert env["GIT_CONFIG_COUNT"] == "1"
    assert env["GIT_CONFIG_KEY_0"] == "http.https://h/.extraHeader"
    assert env["GIT_CONFIG_VALUE_0"] == "Authorization: Basic c2VjcmV0"


def test_proxy_and_ca_of_the_host_are_passed_only_to_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GIT_SSL_CAINFO", raising=False)
    monkeypatch.setenv("https_proxy", "http://proxy:3128")
    monkeypatch.setenv("SSL_CERT_FILE", "/etc/own-ca.pem")
    local, network = command.environment(), command.environment(network=True)
    assert "https_proxy" not in local
    assert network["https_proxy"] == "http://proxy:3128"
    assert network["GIT_SSL_CAINFO"] == "/etc/own-ca.pem"


def test_a_failure_is_told_by_its_reason_and_a_full_disk_with_what_to_do() -> None:
    output = "fatal: write error: No space left on device\nfast-import: dumping crash report to x"
    found = command.told(CommandFailed("git ended with 128: fast-import: dumping", exit_code=128, output=output))
    assert found.explain() == (
        "git ended with 128: fatal: write error: No space left on device\nfree some space on the disk of the home"
    )
    other = command.told(CommandFailed("git ended with 1: no", exit_code=1, output="no", remedy="try again"))
    assert other.explain() == "git ended with 1: no\ntry again"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("fatal: unable to access 'https://me:pw@host/x/'", "fatal: unable to access 'https://***@host/x/'"),
        ("> Authorization: Basic c2VjcmV0 x", "> Authorization: Basic *** x"),
        ("authorization: bearer abc.def", "authorization: bearer ***"),
        ("https://host/a@b is fine", "https://host/a@b is fine"),
    ],
)
def test_messages_are_redacted(said: str, shown: str) -> None:
    assert command.redact(said) == shown
