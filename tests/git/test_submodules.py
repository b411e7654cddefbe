"""Where submodules come from, by a file that whoever may push has written."""

import pytest

from tidegate.base.errors import InvalidInput
from tidegate.git.remote import Credentials, check_url
from tidegate.git.submodules import Module, credentials_shown, parse_modules, url_of

PARENT = "https://github.com/acme/shop.git"


def module(url, name="lib"):
    return Module(name, "lib", url)


@pytest.mark.parametrize(
    ("url", "parent", "wanted"),
    [
        ("https://example.com/a/b", PARENT, "https://example.com/a/b"),
        ("../lib.git", PARENT, "https://github.com/acme/lib.git"),
        ("./lib", PARENT, "https://github.com/acme/shop.git/lib"),
        ("../../other/lib", PARENT, "https://github.com/other/lib"),
        ("../lib", "ssh://git@host.test:2222/acme/shop", "ssh://git@host.test:2222/acme/lib"),
        ("../lib", "file:///srv/git/shop/", "file:///srv/git/lib"),
        ("git@github.com:acme/lib.git", PARENT, "ssh://git@github.com/acme/lib.git"),
        ("github.com:acme/lib", PARENT, "ssh://github.com/acme/lib"),
        ("http://127.0.0.1:1/x", "http://127.0.0.1:2/y", "http://127.0.0.1:1/x"),
    ],
)
def test_urls_as_git_resolves_them(url, parent, wanted):
    assert url_of(module(url), parent) == wanted


@pytest.mark.parametrize("url", [
    "file:///srv/git/secret", "/srv/git/secret", "../../../../etc", "http://127.0.0.1:8080/git/me/secret.git",
    "http://localhost/x", "https://[::1]/x", "ext::sh -c id", "--upload-pack=touch x", "-oProxyCommand=id:x",
    "ssh://-oProxyCommand=id/x", "git://github.com/a/b", "https://user:pw@github.com/a/b", "https://a\nb.test/x", "",
    "https://github.com/a?x=--upload-pack", "ftp://x/y", "fd::17/foo", "https://[", "@host:path", "..", "http://x.test/y",
])  # fmt: skip
def test_what_leads_to_this_machine_or_is_no_plain_url_is_refused(url):
    with pytest.raises(InvalidInput):
        check_url(url_of(module(url), PARENT))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["submodule.a/../../b.path\nlib", "submodule.a/../../b.url\nhttps://x.test/y"], "leads out of its folder"),
        (["submodule.a.path\n../lib", "submodule.a.url\nhttps://x.test/y"], "is no path of a file"),
        (["submodule.a.path\n/etc", "submodule.a.url\nhttps://x.test/y"], "is no path of a file"),
        (["submodule.a.path\n.git/hooks", "submodule.a.url\nhttps://x.test/y"], "is no path of a file"),
        (["submodule.a.path\nlib"], "has no url"),
        (["submodule.a.url\nhttps://x.test/y"], "has no path"),
    ],
)
def test_entries_that_can_not_be_meant(settings, words):
    with pytest.raises(InvalidInput, match=words):
        parse_modules(settings)


def test_nothing_but_path_and_url_counts():
    settings = [
        "core.fsmonitor\ntouch x", "submodule.a b.c.path\nlib/", "submodule.a b.c.url\nhttps://x.test/y",
        "submodule.a b.c.update\n!touch x", "submodule.other.ignore\nall", "",
    ]  # fmt: skip
    assert parse_modules(settings) == [Module("a b.c", "lib", "https://x.test/y")]


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://github.com/acme/lib", True), ("https://GITHUB.com/acme/lib", True),
        ("https://github.com:8443/acme/lib", False), ("http://github.com/acme/lib", False),
        ("https://github.com.evil.test/acme/lib", False), ("ssh://git@github.com/acme/lib", False),
    ],
)  # fmt: skip
def test_a_credential_is_shown_to_the_sources_own_host_alone(url, shown):
    credentials = Credentials(username="me", password="pw", proxy="http://proxy.test")
    assert credentials_shown(url, PARENT, credentials) == (
        credentials if shown else Credentials(proxy="http://proxy.test")
    )
    assert credentials_shown(url, PARENT, None) is None
