"""`spec.proxySecretRef`: a source that is reached through a proxy with a password."""

import pytest
from tests.integration.git_host import PASSWORD as GIT_PASSWORD
from tests.integration.git_host import USER as GIT_USER
from tests.integration.git_host import hosting
from tests.integration.git_proxy import PASSWORD, USER, proxying
from tests.integration.source_world import SourceWorld, condition

from tidegate.base import process
from tidegate.git.remote import Remote, ls_remote
from tidegate.git.secrets import credentials_for
from tidegate.git.values import Signature
from tidegate.kinds.git_repository import GitRepository

pytestmark = pytest.mark.integration
ELSEWHERE = "http://127.0.0.1:9"  # nothing answers there


@pytest.fixture
def world(tmp_path):
    found = SourceWorld(tmp_path)
    yield found
    found.close()


@pytest.fixture
def host(tmp_path):
    with hosting(tmp_path / "host") as found:
        found.commit("first", {"a.yaml": "a: 1\n"})
        yield found


@pytest.fixture(params=["http", "socks5"])
def proxy(request):
    with proxying(request.param) as found:
        found.address = f"{request.param}://127.0.0.1:{found.port}"
        yield found


async def secret(world, address, user=USER, password=PASSWORD):
    await world.secret("proxy", {"address": address.encode(), "username": user.encode(), "password": password.encode()})


async def test_the_remote_is_reached_through_the_proxy_alone(world, host, proxy, monkeypatch):
    """Whatever the machine's own settings say."""
    for name in ("http_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, ELSEWHERE)
    monkeypatch.setenv("NO_PROXY", "*")
    await secret(world, proxy.address)
    key = await world.source(host.url, proxySecretRef={"name": "proxy"})
    status = await world.reconcile(key)
    assert status["artifact"]["revision"] == f"main@sha1:{host.head()}"
    assert await world.files(key) == {"a.yaml": "a: 1\n"}
    assert [place for place in proxy.passed if f"127.0.0.1:{host.port}" in place] == proxy.passed != []


async def test_a_wrong_password_is_said_and_not_shown(world, host, proxy):
    await secret(world, proxy.address, password="a-wrong-one")
    status = await world.reconcile(await world.source(host.url, proxySecretRef={"name": "proxy"}))
    ready = condition(status, "Ready")
    assert ready[0] == "False"
    assert "a-wrong-one" not in str(status)
    if proxy.address.startswith("http:"):
        assert ready[1] == "GitOperationFailed"
        assert "proxySecretRef" in ready[2]
    assert proxy.refused
    assert not proxy.passed


async def test_a_proxy_that_is_away_is_not_gone_round(world, host):
    await secret(world, ELSEWHERE)
    status = await world.reconcile(await world.source(host.url, proxySecretRef={"name": "proxy"}))
    assert condition(status, "Ready")[:2] == ("False", "GitOperationFailed")


async def test_no_command_line_holds_the_password(world, host, proxy, monkeypatch):
    seen, started = [], process.run

    async def recorded(argv, **options):
        seen.append(str(argv))
        return await started(argv, **options)

    monkeypatch.setattr(process, "run", recorded)
    await secret(world, proxy.address)
    await world.reconcile(await world.source(host.url, proxySecretRef={"name": "proxy"}))
    assert seen
    assert not [line for line in seen if "p@ss" in line or "p%40ss" in line or str(proxy.port) in line]


async def test_an_https_remote_is_reached_by_a_tunnel(world, host):
    """The proxy carries the bytes and sees none of them: what it leads to here speaks no TLS."""
    with proxying("http") as proxy:
        await secret(world, f"http://127.0.0.1:{proxy.port}")
        url = host.url.replace("http:", "https:")
        obj = await world.store.get(await world.source(url, proxySecretRef={"name": "proxy"}))
        credentials = await credentials_for(world.store, GitRepository.from_object(obj))
        with pytest.raises(Exception, match="can't be reached"):
            await ls_remote(Remote(url, credentials))
        assert proxy.passed == [f"127.0.0.1:{host.port}"]


async def test_ssh_through_a_proxy_is_refused_by_name(world):
    await secret(world, ELSEWHERE)
    status = await world.reconcile(await world.source("ssh://git@host.test/a", proxySecretRef={"name": "proxy"}))
    said = "not supported yet: spec.proxySecretRef with an ssh URL"
    assert condition(status, "Stalled") == ("True", "UnsupportedField", said)


async def test_a_secret_that_is_missing_is_named(world, host):
    status = await world.reconcile(await world.source(host.url, proxySecretRef={"name": "proxy"}))
    assert "the Secret flux-system/proxy does not exist" in condition(status, "Ready")[2]


async def test_a_push_takes_the_same_way(world, host):
    """An automation pushes with what its source names: through the proxy, with the credential of the remote."""
    with proxying("http") as proxy:
        await secret(world, f"http://127.0.0.1:{proxy.port}")
        await world.secret("login", {"username": GIT_USER.encode(), "password": GIT_PASSWORD.encode()})
        named = {"proxySecretRef": {"name": "proxy"}, "secretRef": {"name": "login"}}
        obj = await world.store.get(await world.source(host.url, **named))
        credentials = await credentials_for(world.store, GitRepository.from_object(obj))
        repository, head = await world.origins.read(host.url, "refs/heads/main", credentials=credentials)
        author = Signature("a", "a@example.com")
        commit = await repository.write_commit(head, {"a.yaml": b"a: 2\n"}, author=author, message="m")
        await world.origins.push(host.url, repository, commit, "main", head, credentials=credentials)
        assert host.head() == commit
        assert [place for place in proxy.passed if place.endswith("/git-receive-pack")]
