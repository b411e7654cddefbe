"""Kubeconfig files, read as kubectl reads them; every fault names the file and the field."""

import base64
import json
import os
import subprocess
from pathlib import Path

import httpx2
import pytest
import yaml

from tidegate.base.errors import Denied, InvalidInput, NotFound
from tidegate.engine.manual_clock import ManualClock
from tidegate.kube.access import TokenFile, tls_context
from tidegate.kube.config import find_cluster, in_cluster
from tidegate.kube.exec_plugin import ExecCredential
from tidegate.kube.kubeconfig import Kubeconfig
from tidegate.kube.pacing import Limits


def config(cluster=None, user=None, context=None, **rest):
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": "https://one.test:6443", **(cluster or {})}}],
        "users": [{"name": "u", "user": user or {}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u", **(context or {})}}],
        "current-context": "x",
        **rest,
    }


@pytest.fixture
def write(tmp_path):
    def written(value, name="config"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(value if isinstance(value, str) else yaml.safe_dump(value))
        return path

    return written


@pytest.fixture(scope="session")
def pair(tmp_path_factory):
    """A certificate and its key, as PEM files."""
    folder = tmp_path_factory.mktemp("pair")
    crt, key = folder / "tls.crt", folder / "tls.key"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        key,
        "-out",
        crt,
        "-subj",
        "/CN=me",
    ]
    subprocess.run(command, check=True, capture_output=True)
    return crt, key


async def headers(connection):
    return dict((await connection.credential.identity()).headers)


async def test_a_token(write):
    found = find_cluster(kubeconfig=write(config(user={"token": "secret"}, context={"namespace": "apps"})))
    assert (found.server, found.namespace) == ("https://one.test:6443", "apps")
    assert await headers(found) == {"Authorization": "Bearer secret"}
    assert "secret" not in repr(found)


async def test_a_user_name_and_a_password(write):
    found = find_cluster(kubeconfig=write(config(user={"username": "me", "password": "p:w"})))
    assert await headers(found) == {"Authorization": "Basic " + base64.b64encode(b"me:p:w").decode()}


async def test_impersonation(write):
    acting = {"as": "jane", "as-groups": ["dev", "ops"], "as-uid": "7", "as-user-extra": {"scope": ["a", "b"]}}
    found = find_cluster(kubeconfig=write(config(user={"token": "t", **acting})))
    assert (await found.credential.identity()).headers[1:] == (
        ("Impersonate-User", "jane"),
        ("Impersonate-Group", "dev"),
        ("Impersonate-Group", "ops"),
        ("Impersonate-Uid", "7"),
        ("Impersonate-Extra-scope", "a"),
        ("Impersonate-Extra-scope", "b"),
    )


async def test_a_client_certificate_from_data_and_from_files(write, pair):
    crt, key = pair
    as_data = {
        "client-certificate-data": base64.b64encode(crt.read_bytes()).decode(),
        "client-key-data": base64.b64encode(key.read_bytes()).decode(),
    }
    as_files = {"client-certificate": str(crt), "client-key": str(key)}
    for user in (as_data, as_files):
        identity = await find_cluster(kubeconfig=write(config(user=user))).credential.identity()
        assert identity.certificate.certificate == crt.read_bytes()
        assert "PRIVATE" not in repr(identity)
        tls_context(find_cluster(kubeconfig=write(config(user=user))).verification, identity.certificate)


async def test_no_key_is_left_on_the_disk(write, pair, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    user = {"client-certificate": str(pair[0]), "client-key": str(pair[1])}
    found = find_cluster(kubeconfig=write(config(user=user)))
    tls_context(found.verification, (await found.credential.identity()).certificate)
    assert not [path for path in (tmp_path / "temporary").rglob("*") if path.is_file()]


async def test_paths_are_relative_to_their_file(write, pair):
    write(pair[0].read_text(), "deep/ca.pem")
    write("from-the-file", "deep/token")
    path = write(config(cluster={"certificate-authority": "ca.pem"}, user={"tokenFile": "token"}), "deep/config")
    found = find_cluster(kubeconfig=path)
    assert found.verification.authority == pair[0].read_bytes()
    assert await headers(found) == {"Authorization": "Bearer from-the-file"}


def test_how_the_server_is_verified_and_reached(write):
    cluster = {"insecure-skip-tls-verify": True, "tls-server-name": "inner.test", "proxy-url": "http://proxy.test:3128"}
    found = find_cluster(kubeconfig=write(config(cluster=cluster)))
    assert (found.verification.insecure, found.verification.server_name) == (True, "inner.test")
    assert found.proxy == "http://proxy.test:3128"
    assert tls_context(found.verification, None).check_hostname is False


def test_a_context_by_name(write):
    value = config()
    value["clusters"].append({"name": "d", "cluster": {"server": "https://two.test"}})
    value["contexts"].append({"name": "other", "context": {"cluster": "d", "user": "u"}})
    assert find_cluster(kubeconfig=write(value), context="other").server == "https://two.test"


def test_the_first_of_several_files_counts_and_missing_ones_do_not_matter(write, tmp_path):
    first = write({"clusters": config()["clusters"]}, "first")
    second = config(cluster={"server": "https://never.test"})
    listed = os.pathsep.join([str(tmp_path / "missing"), str(first), str(write(second, "second"))])
    found = find_cluster(environment={"KUBECONFIG": listed})
    assert found.server == "https://one.test:6443"
    assert str(tmp_path / "second") in found.origin


def test_no_file_at_all_is_not_found(tmp_path):
    with pytest.raises(NotFound, match="no kubeconfig") as error:
        find_cluster(environment={"HOME": str(tmp_path)})
    assert "--kubeconfig" in error.value.remedy
    with pytest.raises(NotFound):
        find_cluster(kubeconfig=tmp_path / "missing")


@pytest.mark.parametrize(
    ("value", "field", "words"),
    [
        (config(**{"current-context": ""}), "current-context", "no context is chosen"),
        (config(cluster={"server": ""}), "clusters[0].cluster.server", "is required"),
        (config(cluster={"server": "one.test"}), "clusters[0].cluster.server", "no URL"),
        (
            config(cluster={"certificate-authority-data": "?"}),
            "clusters[0].cluster.certificate-authority-data",
            "base64",
        ),
        (config(cluster={"certificate-authority": "x"}), "clusters[0].cluster.certificate-authority", "can't be read"),
        (config(user={"client-certificate-data": "eA=="}), "users[0].user.client-key", "is required"),
        (config(user={"auth-provider": {"name": "gcp"}}), "users[0].user.auth-provider", "exec plugin"),
        (config(user={"as-groups": ["x"]}), "users[0].user.as", "is required"),
        (config(user={"exec": {"command": "x"}}), "users[0].user.exec.apiVersion", "is required"),
        (config(user={"exec": {"command": "x", "apiVersion": "v1"}}), "users[0].user.exec.apiVersion", "one of"),
        (config(clusters={}), "clusters", "must be a list"),
        (config(contexts=[{"name": "x", "context": "c"}]), "contexts[0].context", "must be a mapping"),
    ],
)
def test_a_fault_names_the_file_and_the_field(write, value, field, words):
    path = write(value)
    with pytest.raises(InvalidInput, match=words) as error:
        find_cluster(kubeconfig=path)
    assert error.value.where.file == str(path)
    assert field in (error.value.where.field or str(error.value))


def test_what_a_context_names_must_be_there(write):
    path = write(config(context={"cluster": "elsewhere"}))
    with pytest.raises(NotFound, match="no cluster named 'elsewhere'") as error:
        find_cluster(kubeconfig=path)
    assert (error.value.where.file, error.value.remedy) == (str(path), "one of: c")


def test_a_secret_of_the_wrong_type_is_not_shown(write):
    with pytest.raises(InvalidInput) as error:
        find_cluster(kubeconfig=write(config(user={"token": 1234567, "password": ["hush"]})))
    assert "1234567" not in error.value.explain()
    assert "hush" not in error.value.explain()


@pytest.mark.parametrize("text", ["- a list", "{", "a: b: c", "\x00"])
def test_what_is_no_kubeconfig_is_told_with_its_file(write, text):
    path = write(text)
    with pytest.raises(InvalidInput) as error:
        find_cluster(kubeconfig=path)
    assert str(path) in str(error.value)


# Inside a Pod


@pytest.fixture
def account(tmp_path):
    for name, text in (("ca.crt", "the CA"), ("namespace", "flux-system\n"), ("token", "first\n")):
        (tmp_path / name).write_text(text)
    return tmp_path


POD = {"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "443"}


async def test_a_pod_uses_its_service_account(account):
    found = find_cluster(environment=POD | {"HOME": "/nowhere"}, service_account=account)
    assert (found.server, found.namespace) == ("https://10.96.0.1:443", "flux-system")
    assert found.verification.authority == b"the CA"
    assert await headers(found) == {"Authorization": "Bearer first"}


async def test_an_address_of_ipv6_stands_in_brackets(account):
    assert in_cluster(POD | {"KUBERNETES_SERVICE_HOST": "fd00::1"}, None, account).server == "https://[fd00::1]:443"


def test_a_kubeconfig_that_is_named_counts_before_the_pod(write, account):
    found = find_cluster(environment=POD | {"KUBECONFIG": str(write(config()))}, service_account=account)
    assert found.server == "https://one.test:6443"


def test_a_pod_without_an_account_says_so(tmp_path):
    with pytest.raises(InvalidInput, match="can't be read") as error:
        in_cluster(POD, None, tmp_path / "none")
    assert "automountServiceAccountToken" in error.value.remedy


# Tokens that rotate


async def test_a_token_file_is_read_again_when_it_changes(account):
    credential = TokenFile(account / "token", ManualClock())
    assert (await credential.identity()).headers == (("Authorization", "Bearer first"),)
    (account / "new").write_text("second\n")
    (account / "new").replace(account / "token")
    assert (await credential.identity()).headers == (("Authorization", "Bearer second"),)


async def test_a_token_file_is_read_again_each_minute_however_it_looks(account, monkeypatch):
    clock, reads = ManualClock(), []
    read_text = Path.read_text
    monkeypatch.setattr(Path, "read_text", lambda path, *rest: reads.append(path) or read_text(path, *rest))
    credential = TokenFile(account / "token", clock)
    for _ in range(3):
        await credential.identity()
    assert len(reads) == 1
    await clock.advance(60)
    await credential.identity()
    assert len(reads) == 2


async def test_a_refused_token_is_worth_asking_again_with_only_where_another_is_there(account):
    credential = TokenFile(account / "token", ManualClock())
    await credential.identity()
    assert await credential.renew() is False
    (account / "token").write_text("other")
    assert await credential.renew() is True


@pytest.mark.parametrize("text", ["", "\n"])
async def test_an_empty_or_missing_token_file_is_denied(account, text):
    (account / "token").write_text(text)
    with pytest.raises(Denied, match="empty"):
        await TokenFile(account / "token", ManualClock()).identity()
    with pytest.raises(Denied, match="can't be read"):
        await TokenFile(account / "none", ManualClock()).identity()


# Exec plugins


@pytest.fixture
def plugin(write, tmp_path):
    """A kubeconfig with a program that appends to `calls` and then runs `script`."""

    def made(script, version="client.authentication.k8s.io/v1", **rest):
        program = tmp_path / "bin" / "plugin"
        program.parent.mkdir(exist_ok=True)
        program.write_text(f'#!/bin/sh\necho "$KUBERNETES_EXEC_INFO" >> {tmp_path}/calls\n{script}\n')
        program.chmod(0o755)
        spec = {"apiVersion": version, "command": "./bin/plugin", **rest}
        return find_cluster(kubeconfig=write(config(user={"exec": spec})), clock=ManualClock())

    made.calls = lambda: [json.loads(line) for line in (tmp_path / "calls").read_text().splitlines()]
    return made


def answer(version="client.authentication.k8s.io/v1", **status):
    return f"printf %s '{json.dumps({'apiVersion': version, 'kind': 'ExecCredential', 'status': status})}'"


@pytest.mark.parametrize("version", ["client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"])
async def test_a_plugin_gives_a_token_and_is_asked_once(plugin, version):
    found = plugin(answer(version, token="from-plugin"), version)
    for _ in range(3):
        assert await headers(found) == {"Authorization": "Bearer from-plugin"}
    assert plugin.calls() == [{"apiVersion": version, "kind": "ExecCredential", "spec": {"interactive": False}}]


async def test_a_plugin_gets_its_arguments_and_environment_and_the_cluster(plugin):
    found = answer(token="ONE-TWO").replace("ONE", "'$1'").replace("TWO", "'$WORD'")
    found = plugin(found, args=["one"], env=[{"name": "WORD", "value": "two"}], provideClusterInfo=True)
    assert await headers(found) == {"Authorization": "Bearer one-two"}
    assert plugin.calls()[0]["spec"]["cluster"] == {"server": "https://one.test:6443"}


async def test_a_plugin_is_asked_again_when_its_credential_ends_and_after_a_refusal(plugin):
    found = plugin(answer(token="t", expirationTimestamp="2026-01-15T13:00:00Z"))
    assert isinstance(found.credential, ExecCredential)
    await found.credential.identity()
    await found.credential._clock.advance(3500)
    await found.credential.identity()
    assert len(plugin.calls()) == 1
    await found.credential._clock.advance(95)
    await found.credential.identity()
    assert len(plugin.calls()) == 2
    assert await found.credential.renew()
    await found.credential.identity()
    assert len(plugin.calls()) == 3


async def test_a_plugin_may_give_a_certificate(plugin, pair):
    status = {"clientCertificateData": pair[0].read_text(), "clientKeyData": pair[1].read_text()}
    identity = await plugin(answer(**status)).credential.identity()
    assert identity.certificate.certificate == pair[0].read_bytes()


async def test_a_plugin_that_fails_is_shown_with_what_it_said(plugin, tmp_path):
    with pytest.raises(Exception, match="the credential plugin failed") as error:
        await plugin("echo your session is over >&2; exit 3").credential.identity()
    assert str(tmp_path / "config") in error.value.explain()
    assert "your session is over" in error.value.explain()


async def test_a_server_that_answers_in_time_is_not_blamed_for_a_slow_plugin(plugin, client_of):
    found = plugin(f"sleep 0.3\n{answer(token='t')}")
    client = client_of(lambda request: httpx2.Response(200, json={"seen": request.headers["Authorization"]}), found,
                       limits=Limits(timeout=0.1, attempts=1))  # fmt: skip
    assert await client.get("/version") == {"seen": "Bearer t"}
    assert len(plugin.calls()) == 1


async def test_a_plugin_that_is_not_there_says_how_to_get_it(write):
    spec = {"apiVersion": "client.authentication.k8s.io/v1", "command": "no-such-plugin", "installHint": "brew it"}
    found = find_cluster(kubeconfig=write(config(user={"exec": spec})))
    with pytest.raises(Exception, match="no-such-plugin") as error:
        await found.credential.identity()
    assert "brew it" in error.value.explain()


@pytest.mark.parametrize(
    "script",
    [
        "echo nothing",
        "echo '[]'",
        answer(),
        answer(clientCertificateData="x"),
        answer("client.authentication.k8s.io/v1alpha1", token="t"),
        answer(token="t", expirationTimestamp="tomorrow"),
        answer(token="t", expirationTimestamp="2026-01-15T13:00:00"),
    ],
)
async def test_a_plugin_that_answers_wrongly_is_denied_by_name(plugin, script):
    with pytest.raises(Denied, match="the credential plugin plugin"):
        await plugin(script).credential.identity()


@pytest.mark.parametrize(
    ("value", "field"),
    [
        (config(user={"exec": {"command": "touch"}}), "users[0].user.exec"),
        (config(user={"auth-provider": {"name": "gcp"}}), "users[0].user.auth-provider"),
        (config(user={"tokenFile": "/etc/shadow"}), "users[0].user.tokenFile"),
        (config(user={"client-certificate": "/etc/x", "client-key-data": "eA=="}), "users[0].user.client-certificate"),
        (config(user={"client-key": "/etc/x", "client-certificate-data": "eA=="}), "users[0].user.client-key"),
        (config({"certificate-authority": "/etc/x"}), "clusters[0].cluster.certificate-authority"),
        (config({"insecure-skip-tls-verify": True}), "clusters[0].cluster.insecure-skip-tls-verify"),
    ],
)
def test_a_confined_kubeconfig_starts_no_program_and_reads_no_file(value, field):
    with pytest.raises(InvalidInput, match="is not taken from a kubeconfig of a Secret") as error:
        Kubeconfig.confined(yaml.safe_dump(value).encode(), "the Secret team/edge")
    assert (error.value.where.file, error.value.where.field) == ("the Secret team/edge", field)
    assert error.value.remedy


@pytest.mark.parametrize("text", ["", "- a", "a: [s3cret", "users: s3cret", "clusters: [{name: s3cret"])
def test_a_confined_kubeconfig_that_is_none_is_said_without_what_is_in_it(text):
    with pytest.raises((InvalidInput, NotFound)) as error:
        Kubeconfig.confined(text.encode(), "the Secret team/edge").connection(ManualClock())
    assert "the Secret team/edge" in str(error.value)
    assert "s3cret" not in error.value.explain()


async def test_a_confined_kubeconfig_with_all_in_it_connects():
    data = yaml.safe_dump(config({"insecure-skip-tls-verify": False}, {"token": "t"})).encode()
    connection = Kubeconfig.confined(data, "the Secret team/edge").connection(ManualClock())
    assert connection.server == "https://one.test:6443"
    assert (await connection.credential.identity()).headers == (("Authorization", "Bearer t"),)
