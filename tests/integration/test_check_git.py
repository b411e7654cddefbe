"""`tidegate check git` against real hosts: what it says, and that nothing is changed there."""

import asyncio
import base64
import os
import shutil
import subprocess
import sys

import pytest
import yaml
from tests.integration import git_proxy
from tests.integration.crash_world import World
from tests.integration.git_host import PASSWORD, USER, hosting
from tests.integration.git_proxy import proxying
from tests.integration.kube_homes import api_server
from tests.integration.ssh_remote import SshRemote

from tidegate.kube.access import plain
from tidegate.kube.client import KubeClient
from tidegate.kube.pacing import QUICK

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(shutil.which("perl") is None, reason="perl is not installed: apt-get install perl-base"),
]
MAIN = {"branch": "main"}
SOURCES = "/apis/source.toolkit.fluxcd.io/v1/namespaces/{}/gitrepositories"
AUTOMATIONS = "/apis/image.toolkit.fluxcd.io/v1/namespaces/{}/imageupdateautomations"


def check(*arguments):
    argv = [sys.executable, "-m", "tidegate", "check", "git", *arguments]
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
    return subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=90, check=False)


def secret_file(path, **data):
    encoded = {name: base64.b64encode(value).decode() for name, value in data.items()}
    path.write_text(
        yaml.safe_dump({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "git"}, "data": encoded})
    )
    return str(path)


@pytest.fixture
def host(tmp_path):
    with hosting(tmp_path / "host") as host:
        host.commit("Begin", {"a.yaml": "a: 1\n"})
        yield host


def lines(done):
    """What was found, by its topic."""
    found = {}
    for line in done.stdout.splitlines()[1:]:
        state, topic, text = line[2:8].strip(), line[8:20].strip(), line[20:]
        if topic:
            found[topic] = (state, text)
    return found


def test_a_url_that_can_be_read_and_pushed_to(host, tmp_path):
    before = host.git("for-each-ref")
    secret = secret_file(tmp_path / "secret.yaml", username=USER.encode(), password=PASSWORD.encode())
    done = check("--url", host.url, "--branch", "main", "--secret", secret)
    assert done.returncode == 0, done.stdout + done.stderr
    found = lines(done)
    assert found["credential"] == ("ok", f"password of the user '{USER}' ({secret})")
    assert found["reads"] == ("ok", f"main is at {host.head()[:12]} (1 branches, 0 tags)")
    assert found["pushes"] == ("ok", "the host lets this credential begin a push")
    assert PASSWORD not in done.stdout + done.stderr
    assert host.git("for-each-ref") == before


@pytest.mark.parametrize("password", [b"", b"wrong-one"])
def test_a_credential_that_may_not_push_is_told(host, tmp_path, password):
    secret = secret_file(tmp_path / "secret.yaml", username=USER.encode(), password=password)
    done = check("--url", host.url, *(["--secret", secret] if password else []))
    assert done.returncode == 1
    assert lines(done)["reads"][0] == "ok"
    state, text = lines(done)["pushes"]
    assert (state, "refused the credential" in text) == ("FAIL", True)
    assert "look at the Secret" in done.stdout
    assert check("--url", host.url, "--read-only").returncode == 0


def test_a_branch_or_a_repository_that_is_not_there_is_told(host):
    done = check("--url", host.url, "--branch", "trunk", "--read-only")
    assert done.returncode == 1
    assert "there is no refs/heads/trunk (1 branches, 0 tags)" in done.stdout
    assert check("--url", host.url.replace("shop", "none"), "--read-only").returncode == 1


@pytest.mark.parametrize(
    "arguments",
    [("shop", "--url", "https://h/x"), ("--branch", "main"), ("--url", "https://h/x", "--secret", "/nonexistent")],
)
def test_wrong_usage_is_told_by_the_exit_code(arguments):
    assert check(*arguments).returncode == 2


def test_where_nobody_can_be_asked_the_exit_code_says_so(tmp_path):
    done = check("shop", "--home", str(tmp_path))
    assert (done.returncode, "no tidegate runs" in done.stderr) == (2, True)
    (tmp_path / "text").write_text("no: secret\n")
    done = check("--url", "https://h/x", "--secret", str(tmp_path / "text"))
    assert (done.returncode, "is no manifest of a Secret" in done.stderr) == (2, True)


def test_over_ssh_the_keys_of_the_host_and_our_own_are_shown(tmp_path):
    remote = SshRemote(tmp_path / "ssh")
    key = remote.new_key("deploy")
    other = remote.new_key("other")
    remote.create("shop")
    remote.start()
    try:
        hosts = remote.known_hosts().encode()
        secret = secret_file(tmp_path / "secret.yaml", identity=key.read_bytes(), known_hosts=hosts)
        done = check("--url", remote.url("shop"), "--secret", secret)
        assert (done.returncode, lines(done)["reads"][0]) == (1, "FAIL"), "the key is not allowed in yet"
        assert "refused the credential" in done.stdout
        remote.allow(key)
        done = check("--url", remote.url("shop"), "--secret", secret)
        assert "it is empty: nothing was pushed yet" in done.stdout

        def fingerprint(path):
            listed = subprocess.run(["ssh-keygen", "-l", "-f", str(path)], capture_output=True, text=True, check=True)
            return listed.stdout.split()[1]

        assert f"ssh key {fingerprint(key)} (ED25519)" in lines(done)["credential"][1]
        assert lines(done)["host keys"] == ("ok", f"{fingerprint(remote.folder / 'host_key')} (ED25519)")
        known = f"[127.0.0.1]:{remote.port} {other.with_suffix('.pub').read_text()}".encode()
        wrong = secret_file(tmp_path / "wrong.yaml", identity=key.read_bytes(), known_hosts=known)
        done = check("--url", remote.url("shop"), "--secret", wrong)
        assert done.returncode == 1
        assert f"FAIL  host keys   the host shows {fingerprint(remote.folder / 'host_key')}" in done.stdout
        assert f"has {fingerprint(other)}" in done.stdout
        assert "does not believe the host key" in lines(done)["reads"][1]
        assert "PRIVATE" not in done.stdout + done.stderr
    finally:
        remote.stop()


async def objects(client, url, namespace):
    """A source with a Secret, an automation that pushes to it, and a source that nobody pushes to."""
    data = {
        "username": base64.b64encode(USER.encode()).decode(),
        "password": base64.b64encode(PASSWORD.encode()).decode(),
    }
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "git", "namespace": namespace}, "data": data}
    await client.create(f"/api/v1/namespaces/{namespace}/secrets", secret)
    for name, spec in (("shop", {"secretRef": {"name": "git"}}), ("public", {})):
        spec |= {"url": url, "interval": "10m", "ref": {"branch": "main"}}
        metadata = {"name": name, "namespace": namespace}
        obj = {"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository", "metadata": metadata, "spec": spec}
        await client.create(SOURCES.format(namespace), obj)
    spec = {
        "interval": "10m", "sourceRef": {"kind": "GitRepository", "name": "shop"},
        "git": {"commit": {"author": {"email": "gate@example.com"}}}, "update": {"path": "./", "strategy": "Setters"},
    }  # fmt: skip
    metadata = {"name": "writes", "namespace": namespace}
    obj = {
        "apiVersion": "image.toolkit.fluxcd.io/v1",
        "kind": "ImageUpdateAutomation",
        "metadata": metadata,
        "spec": spec,
    }
    await client.create(AUTOMATIONS.format(namespace), obj)


def says_of_objects(host, done):
    assert done.returncode == 0, done.stdout + done.stderr
    public, shop = done.stdout.split("/shop  ")
    assert "note  pushes      not possible, and no automation needs it" in public
    assert f"password of the user '{USER}' of the Secret " in shop
    assert f"main is at {host.head()[:12]}" in shop
    assert "/writes)" in shop
    assert PASSWORD not in done.stdout


async def test_objects_of_this_machine(host, tmp_path):
    (tmp_path / "up").mkdir()
    world = World(tmp_path / "up")
    process = world.start()
    try:
        url = await process.url()
        async with KubeClient(plain(url, world.home.token()), limits=QUICK) as client:
            await objects(client, host.url, "flux-system")
            here = f"{url}/git/acme/shop.git"
            metadata = {"name": "hosted", "namespace": "hosted"}
            spec = {"url": here, "interval": "10m", "ref": {"branch": "main"}}
            obj = {
                "apiVersion": "source.toolkit.fluxcd.io/v1",
                "kind": "GitRepository",
                "metadata": metadata,
                "spec": spec,
            }
            await client.create(SOURCES.format("hosted"), obj)
            stands = {
                "metadata": metadata | {"name": "stands-in"},
                "spec": spec | {"url": "https://github.com/acme/shop"},
            }
            await client.create(SOURCES.format("hosted"), obj | stands)
        says_of_objects(host, check("--home", str(world.home.root)))
        done = check("none", "--home", str(world.home.root))
        assert (done.returncode, "none" in done.stderr) == (2, True)
        for name in ("hosted", "stands-in"):
            done = check(name, "-n", "hosted", "--home", str(world.home.root))
            assert (done.returncode, "this Tidegate hosts it" in done.stdout) == (1, True), done.stdout
    finally:
        world.stop()


async def test_a_source_is_asked_through_its_proxy(host, tmp_path):
    (tmp_path / "up").mkdir()
    world = World(tmp_path / "up")
    process = world.start()
    try:
        with proxying("http") as proxy:
            login = {
                "address": f"http://127.0.0.1:{proxy.port}",
                "username": git_proxy.USER,
                "password": git_proxy.PASSWORD,
            }
            secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "proxy"}, "stringData": login}
            source = {
                "apiVersion": "source.toolkit.fluxcd.io/v1",
                "kind": "GitRepository",
                "metadata": {"name": "shop", "namespace": "flux-system"},
                # Suspended, so that nobody but the command asks.
                "spec": {
                    "url": host.url,
                    "interval": "10m",
                    "ref": MAIN,
                    "suspend": True,
                    "proxySecretRef": {"name": "proxy"},
                },
            }
            async with KubeClient(plain(await process.url(), world.home.token()), limits=QUICK) as client:
                await client.create("/api/v1/namespaces/flux-system/secrets", secret)
                await client.create(SOURCES.format("flux-system"), source)
            done = await asyncio.to_thread(check, "shop", "--read-only", "--home", str(world.home.root))
            assert (done.returncode, lines(done)["reads"][0]) == (0, "ok"), done.stdout + done.stderr
            assert proxy.passed
            assert git_proxy.PASSWORD not in done.stdout
    finally:
        world.stop()


async def test_objects_of_a_cluster(host, cluster):
    namespace = cluster.unique("check")
    async with api_server(cluster) as client:
        await client.create(
            "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
        )
        await objects(client, host.url, namespace)
        says_of_objects(host, check("-n", namespace, "--kubeconfig", str(cluster.kubeconfig)))
