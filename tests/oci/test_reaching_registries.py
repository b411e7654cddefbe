"""What to do about a registry that can't be reached, by what Python's TLS and the HTTP client say."""

from __future__ import annotations

import ssl

import httpx2
import pytest
from tests.oci.fake_registry import WEB, Registry

from tidegate.base.errors import Denied
from tidegate.oci.reaching import PROXY, remedy, speaks_tls


def connect_error(cause: Exception) -> httpx2.ConnectError:
    error = httpx2.ConnectError(str(cause))
    error.__cause__ = cause
    return error


def tls_error(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, f"[SSL: {reason}] (_ssl.c:1006)")
    error.reason = reason
    return error


def untrusted(code: int) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code = code
    return error


@pytest.mark.parametrize(
    ("cause", "said", "is_tls"),
    [
        (tls_error("WRONG_VERSION_NUMBER"), "spec.insecure", False),
        (tls_error("RECORD_LAYER_FAILURE"), "spec.insecure", False),
        (tls_error("SSLV3_ALERT_BAD_CERTIFICATE"), "tls.crt", True),
        (tls_error("TLSV13_ALERT_CERTIFICATE_REQUIRED"), "tls.crt", True),
        (untrusted(20), "ca.crt", True),
        (untrusted(18), "ca.crt", True),
    ],
)
def test_tls_that_fails_names_the_field_that_helps(cause: Exception, said: str, is_tls: bool) -> None:
    error = connect_error(cause)
    assert said in (remedy(error) or "")
    assert speaks_tls(error) is is_tls


@pytest.mark.parametrize("cause", [untrusted(62), untrusted(10), OSError("All connection attempts failed")])
def test_what_no_field_helps_against_names_none(cause: Exception) -> None:
    """Another host's certificate, one that has expired, a host that is down."""
    assert remedy(connect_error(cause)) is None


def test_a_proxy_that_asks_for_a_password_is_told_through_tls_as_in_plain() -> None:
    assert remedy(httpx2.ProxyError("407 Proxy Authentication Required")) == PROXY


async def test_a_proxy_that_asks_for_a_password_in_plain() -> None:
    with pytest.raises(Denied, match="407") as caught:
        await Registry(lambda _: httpx2.Response(407)).client().tags(WEB)
    assert caught.value.remedy == PROXY
