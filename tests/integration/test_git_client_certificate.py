"""A Git host that wants a certificate of the client."""

import ssl
import subprocess
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tidegate.base.errors import InvalidInput, TidegateError
from tidegate.git.remote import Remote, ls_remote
from tidegate.git.secrets import credentials_of

pytestmark = pytest.mark.integration


def run(*argv, cwd):
    return subprocess.run(argv, cwd=cwd, check=True, capture_output=True, text=True).stdout.strip()


def certificate(folder, name):
    """A self-signed one, which is so its own CA."""
    run(
        "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}",
        "-addext", "subjectAltName=DNS:localhost", "-keyout", f"{name}.key", "-out", f"{name}.crt", cwd=folder,
    )  # fmt: skip
    return (folder / f"{name}.crt").read_bytes(), (folder / f"{name}.key").read_bytes()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def host(tmp_path):
    """Serves a repository over the dumb protocol to who shows the client's certificate: URL, commit, Secret."""
    server_crt, _ = certificate(tmp_path, "server")
    crt, key = certificate(tmp_path, "client")
    served = tmp_path / "served"
    served.mkdir()
    run("git", "init", "-q", "-b", "main", ".", cwd=served)
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    run("git", *identity, "commit", "-q", "--allow-empty", "-m", "x", cwd=served)
    run("git", "update-server-info", cwd=served)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.crt", tmp_path / "server.key")
    context.load_verify_locations(tmp_path / "client.crt")
    context.verify_mode = ssl.CERT_REQUIRED
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(served)))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    head = run("git", "rev-parse", "HEAD", cwd=served)
    yield f"https://localhost:{server.server_port}/.git", head, {"ca.crt": server_crt, "tls.crt": crt, "tls.key": key}
    server.shutdown()
    thread.join()
    server.server_close()


async def test_the_certificate_of_the_secret_is_shown(host):
    url, head, secret = host
    assert (await ls_remote(Remote(url, credentials_of(secret))))["refs/heads/main"] == head


async def test_without_one_the_host_refuses(host):
    url, _, secret = host
    with pytest.raises(TidegateError):
        await ls_remote(Remote(url, credentials_of({"ca.crt": secret["ca.crt"]})))


async def test_a_certificate_without_its_key_is_refused(host):
    url, _, secret = host
    del secret["tls.key"]
    with pytest.raises(InvalidInput, match=r"only one of `tls.crt` and `tls.key`"):
        await ls_remote(Remote(url, credentials_of(secret)))
