"""Certificates that the real openssl makes, and that the real TLS of Python and kubectl accept."""

import asyncio
import os
import ssl
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from needed import need

from tidegate.base.errors import MissingTool
from tidegate.serve import certificates
from tidegate.serve.certificates import ensure_certificates

pytestmark = pytest.mark.integration


@pytest.fixture(autouse=True)
def openssl():
    need("openssl")


async def handshake(pair, name):
    """What the client of a server with these certificates learns of it."""
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(pair.server)
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=server_side)
    client_side = ssl.create_default_context(cafile=pair.ca)
    async with server:
        port = server.sockets[0].getsockname()[1]
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client_side, server_hostname=name)
        found = writer.get_extra_info("peercert")
        writer.close()
    return found


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "pi.local"])
async def test_clients_that_know_the_ca_accept_the_server(tmp_path, name):
    pair = await ensure_certificates(tmp_path / "pki", ["pi.local"])
    assert await handshake(pair, name)


async def test_for_other_names_it_is_refused(tmp_path):
    pair = await ensure_certificates(tmp_path / "pki")
    with pytest.raises(ssl.SSLCertVerificationError):
        await handshake(pair, "pi.local")


async def test_another_home_s_ca_is_refused(tmp_path):
    one = await ensure_certificates(tmp_path / "one")
    two = await ensure_certificates(tmp_path / "two")
    with pytest.raises(ssl.SSLCertVerificationError):
        await handshake(certificates.Certificates(two.ca, one.server), "localhost")


async def test_keys_are_read_by_their_owner_only(tmp_path):
    os.umask(0o022)
    await ensure_certificates(tmp_path / "pki")
    assert (tmp_path / "pki").stat().st_mode & 0o777 == 0o700
    for path in (tmp_path / "pki").iterdir():
        assert path.stat().st_mode & 0o077 == 0, path
    assert b"PRIVATE KEY" not in (tmp_path / "pki/ca.crt").read_bytes()


async def test_what_is_good_stays(tmp_path):
    pair = await ensure_certificates(tmp_path / "pki")
    before = pair.ca.read_bytes(), pair.server.read_bytes()
    again = await ensure_certificates(tmp_path / "pki")
    assert (again.ca.read_bytes(), again.server.read_bytes()) == before


async def test_other_names_renew_the_server_s_certificate_alone(tmp_path):
    pair = await ensure_certificates(tmp_path / "pki")
    ca, server = pair.ca.read_bytes(), pair.server.read_bytes()
    pair = await ensure_certificates(tmp_path / "pki", ["pi.local"])
    assert pair.ca.read_bytes() == ca
    assert pair.server.read_bytes() != server
    assert await handshake(pair, "pi.local")


async def test_what_ends_soon_is_renewed(tmp_path, monkeypatch):
    monkeypatch.setattr(certificates, "SERVER_DAYS", 20)
    pair = await ensure_certificates(tmp_path / "pki")
    ca, server = pair.ca.read_bytes(), pair.server.read_bytes()
    monkeypatch.setattr(certificates, "SERVER_DAYS", 365)
    pair = await ensure_certificates(tmp_path / "pki")
    assert pair.ca.read_bytes() == ca
    assert pair.server.read_bytes() != server


@pytest.mark.parametrize("broken", ["ca.pem", "ca.crt", "server.pem", "server.names"])
async def test_what_is_missing_or_broken_is_made_again(tmp_path, broken):
    pair = await ensure_certificates(tmp_path / "pki")
    (tmp_path / "pki" / broken).unlink()
    pair = await ensure_certificates(tmp_path / "pki")
    assert await handshake(pair, "localhost")
    if broken in ("ca.pem", "server.pem"):
        (tmp_path / "pki" / broken).write_bytes(b"garbage")
        pair = await ensure_certificates(tmp_path / "pki")
        assert await handshake(pair, "localhost")


async def test_without_openssl_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingTool) as error:
        await ensure_certificates(tmp_path / "pki")
    assert "apt-get install openssl" in error.value.remedy
