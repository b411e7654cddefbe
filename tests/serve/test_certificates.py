"""Certificates: the commands that make them, and which names they may be for."""

from pathlib import Path

import pytest

from tidegate.base.errors import InvalidInput
from tidegate.serve.certificates import check_argv, config_text, request_argv, self_signed_argv, sign_argv

A, B, C, D = Path("/p/a"), Path("/p/b"), Path("/p/c"), Path("/p/d")


def test_the_authority_signs_itself():
    assert self_signed_argv(A, B, C) == [
        "openssl", "req", "-x509", "-new", "-config", "/p/a", "-extensions", "ca", "-days", "3650",
        "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "/p/b", "-out", "/p/c",
    ]  # fmt: skip


def test_the_server_asks_and_the_authority_signs():
    assert request_argv(A, B, C) == [
        "openssl", "req", "-new", "-config", "/p/a", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
        "-nodes", "-keyout", "/p/b", "-out", "/p/c",
    ]  # fmt: skip
    assert sign_argv(A, B, C, D, "0x1") == [
        "openssl", "x509", "-req", "-in", "/p/c", "-CA", "/p/b", "-CAkey", "/p/b", "-set_serial", "0x1",
        "-days", "365", "-extfile", "/p/a", "-extensions", "server", "-out", "/p/d",
    ]  # fmt: skip


def test_the_check_asks_about_the_future():
    assert check_argv(A, 60) == ["openssl", "x509", "-in", "/p/a", "-noout", "-checkend", "60"]


def test_names_become_alternatives():
    text = config_text("Tidegate", ["localhost", "127.0.0.1", "::1", "*.pi.local"])
    assert "subjectAltName = DNS:localhost, IP:127.0.0.1, IP:::1, DNS:*.pi.local" in text


@pytest.mark.parametrize("name", ["", "a b", "a,DNS:b", "a\nb", "http://a", "a:80", "*", "a..b", "ä.example", "$HOME"])
def test_what_is_no_name_is_refused(name):
    with pytest.raises(InvalidInput):
        config_text("Tidegate", [name])
