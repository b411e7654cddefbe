"""The Secret of a proxy becomes a URL for git, or an error that does not show it."""

import pytest

from tidegate.base.errors import InvalidInput
from tidegate.git.remote import Credentials, Remote, access
from tidegate.git.secrets import proxy_of


def secret(address, **more):
    return {"address": address.encode(), **{name: value.encode() for name, value in more.items()}}


@pytest.mark.parametrize(
    ("data", "url"),
    [
        (secret("http://proxy.test:3128"), "http://proxy.test:3128"),
        (secret("https://proxy.test/\n"), "https://proxy.test"),
        (secret("socks5://proxy.test:1080"), "socks5h://proxy.test:1080"),
        (secret("http://[::1]:3128"), "http://[::1]:3128"),
        (secret("http://me:pw@proxy.test"), "http://me:pw@proxy.test"),
        (
            secret("http://proxy.test", username="a@b", password="c:d/e ü\n"),
            "http://a%40b:c%3Ad%2Fe%20%C3%BC@proxy.test",
        ),
        (secret("http://old:one@proxy.test", username="me"), "http://me:@proxy.test"),
        (secret("http://proxy.test", password="alone"), "http://proxy.test"),
    ],
)
def test_fluxs_keys(data, url):
    assert proxy_of(data, "a/proxy") == url


@pytest.mark.parametrize("address", [
    "proxy.test:3128", "ftp://proxy.test", "http://", "http://a:b:c", "http://proxy.test\nx", "http://" + "x" * 2048,
    "socks5h://proxy.test", "file:///etc/passwd", "http://proxy.test:99999",
])  # fmt: skip
def test_what_is_no_proxy_is_refused(address):
    with pytest.raises(InvalidInput, match=r"the `address` of the Secret a/proxy of spec\.proxySecretRef"):
        proxy_of(secret(address, password="hidden"), "a/proxy")


def test_a_secret_without_an_address_is_refused():
    with pytest.raises(InvalidInput, match="has no `address`"):
        proxy_of({"username": b"me"}, "a/proxy")


def test_the_proxy_is_in_no_argument_and_no_representation(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://other.test")
    monkeypatch.setenv("no_proxy", "host.test")
    credentials = Credentials(proxy="http://me:hidden@proxy.test")
    assert "hidden" not in repr(credentials)
    with access(Remote("https://host.test/a", credentials)) as way:
        assert "hidden" not in repr(way)
        assert not [name for name in way.env if name.lower().endswith("_proxy")]
        assert way.env["GIT_CONFIG_KEY_0"] == "http.proxy"
        assert way.env["GIT_CONFIG_VALUE_0"] == "http://me:hidden@proxy.test"


def test_ssh_has_no_way_through_it():
    with (
        pytest.raises(InvalidInput, match="for http and https alone"),
        access(Remote("ssh://git@host.test/a", Credentials(proxy="http://proxy.test"))),
    ):
        pass
