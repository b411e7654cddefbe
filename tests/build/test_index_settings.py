"""The host's index settings reach the resolver, and only the resolver."""

from __future__ import annotations

from pathlib import Path

from tidegate.build.index_settings import IndexSettings, host_settings, pip_files

CONF = """\
[global]
index-url = https://user:secret@devpi.example/root/pypi
extra-index-url =
    https://www.piwheels.org/simple
trusted-host = devpi.example
[install]
find-links = /opt/wheels
"""


def test_pips_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "pip.conf").write_text(CONF)
    assert host_settings({}, [tmp_path / "pip.conf"]) == IndexSettings(
        index_url="https://user:secret@devpi.example/root/pypi",
        extra_index_urls=("https://www.piwheels.org/simple",),
        find_links=("/opt/wheels",),
        trusted_hosts=("devpi.example",),
    )


def test_variables_win_over_files_and_uvs_over_pips(tmp_path: Path) -> None:
    (tmp_path / "pip.conf").write_text(CONF)
    environment = {"PIP_INDEX_URL": "https://pip.example/", "PIP_NO_INDEX": "1", "SSL_CERT_FILE": "/ca.pem"}
    settings = host_settings(environment, [tmp_path / "pip.conf"])
    assert (settings.index_url, settings.no_index, settings.ca_file) == ("https://pip.example/", True, "/ca.pem")
    both = host_settings(environment | {"UV_DEFAULT_INDEX": "https://uv.example/"}, [])
    assert both.index_url == "https://uv.example/"


def test_a_missing_or_broken_file_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "broken").write_text("no section = 1\n")
    assert host_settings({}, [tmp_path / "none", tmp_path / "broken"]) == IndexSettings()


def test_pips_files_are_those_of_pip_the_strongest_last() -> None:
    files = pip_files({"HOME": "/home/a", "PIP_CONFIG_FILE": "/x/pip.conf"})
    assert [str(path) for path in files] == [
        "/etc/xdg/pip/pip.conf", "/etc/pip.conf", "/home/a/.pip/pip.conf", "/home/a/.config/pip/pip.conf",
        "/x/pip.conf",
    ]  # fmt: skip


def test_uv_is_told_by_its_environment() -> None:
    settings = IndexSettings("https://a/", ("https://b/", "https://c/"), ("/w", "https://d/"), ("h",), ca_file="/ca")
    assert settings.environment() == {
        "UV_DEFAULT_INDEX": "https://a/",
        "UV_INDEX": "https://b/ https://c/",
        "UV_FIND_LINKS": "/w,https://d/",
        "UV_INSECURE_HOST": "h",
        "SSL_CERT_FILE": "/ca",
    }
    assert IndexSettings().environment() == {}


def test_what_a_cache_key_knows_has_no_secrets() -> None:
    settings = IndexSettings("https://user:secret@devpi.example/root?token=hidden")
    assert "https://devpi.example/root" in settings.identity()
    assert not any("secret" in text or "hidden" in text for text in settings.identity())


def test_settings_survive_their_json() -> None:
    settings = IndexSettings("https://a/", ("b",), ("c",), ("d",), True, "/ca")
    assert IndexSettings.from_json(settings.as_json()) == settings
