"""Which mirror is asked: apt's own sources, in both of their formats."""

from __future__ import annotations

from pathlib import Path

from tidegate.build.debian.sources import Mirrors, Source, choose_mirrors, machine_sources, parse_deb822, parse_one_line

DEB822 = """\
# the distribution
Types: deb deb-src
URIs: http://mirror.example/debian/
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: https://security.example/debian-security
Suites:
 bookworm-security
Components: main

Enabled: no
Types: deb
URIs: http://off.example/debian
Suites: bookworm
Components: main
"""


def test_stanzas_are_read_and_disabled_ones_are_not() -> None:
    assert parse_deb822(DEB822) == [
        Source("http://mirror.example/debian", ("bookworm", "bookworm-updates"), ("main",)),
        Source("https://security.example/debian-security", ("bookworm-security",), ("main",)),
    ]


def test_one_line_sources_are_read_with_their_options() -> None:
    text = (
        "deb [arch=amd64 signed-by=/x] http://m.example/debian bookworm main contrib # here\n#deb http://x/y z main\n"
    )
    assert parse_one_line(text) == [Source("http://m.example/debian", ("bookworm",), ("main", "contrib"))]


def test_sources_that_are_no_web_address_are_left_out() -> None:
    assert parse_one_line("deb cdrom:[Debian]/ bookworm main\ndeb file:/srv/debian bookworm main\n") == []


def test_the_source_of_the_suite_is_chosen() -> None:
    assert choose_mirrors(parse_deb822(DEB822), "bookworm") == Mirrors(
        "http://mirror.example/debian", "https://security.example/debian-security"
    )


def test_another_suite_comes_from_the_same_mirror_by_its_path() -> None:
    others = [Source("https://packages.example/node", ("nodistro",), ("main",)), *parse_deb822(DEB822)]
    assert choose_mirrors(others, "trixie").archive == "http://mirror.example/debian"


def test_without_sources_debian_itself_is_asked() -> None:
    assert choose_mirrors([], "bookworm") == Mirrors()


def test_the_machines_folder_is_read_in_both_formats(tmp_path: Path) -> None:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list").write_text("deb http://one.example/debian bookworm main\n")
    (tmp_path / "sources.list.d/two.sources").write_text(DEB822)
    (tmp_path / "sources.list.d/README").write_text("deb http://no.example/debian bookworm main\n")
    assert [source.url for source in machine_sources(tmp_path)] == [
        "http://one.example/debian",
        "http://mirror.example/debian",
        "https://security.example/debian-security",
    ]
