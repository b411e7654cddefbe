"""A real kube-apiserver on a real etcd, on loopback, with RBAC, and the real kubectl pointed at it.

How a test uses it (the fixtures are in conftest.py beside this module):

    async def test_something(cluster):                  # one cluster for all tests that don't disturb it
        namespace = await cluster.namespace("shop")     # a name of this test's own: cluster-scoped names need one too
        await cluster.kubectl("apply", "-n", namespace, "-f", "-", stdin=MANIFEST)
        obj = await cluster.get(f"/api/v1/namespaces/{namespace}/configmaps/one")

    async def test_an_installation(bare_cluster):        # the same as the next, without Tidegate's definitions
    async def test_who_wrote_what(audited_cluster):      # bare too, and each request is noted: see cluster_audit.py
    async def test_a_restart(fresh_cluster):            # a cluster of the test's own, which it may break
        fresh_cluster.server.kill()                     # or .terminate(), .pause(), .resume(); .etcd has the same
        await fresh_cluster.start()                     # starts what doesn't run, on the same data and ports

`cluster.url`, `cluster.token` (of the group system:masters), `cluster.ca` (a file), `cluster.verify` (an SSLContext),
`cluster.kubeconfig` (a file, by token) and `cluster.certificate_kubeconfig` (a file, by client certificate) are for
the code under test; `await cluster.account_token(namespace, name)` is a service account's token, to test RBAC with.

Nothing but the API server and etcd runs: no controller-manager, scheduler or kubelet. So no Deployment gets Pods, no
Job runs, nothing is garbage-collected, a deleted namespace stays Terminating. `cluster_players.py` plays the parts that
tests need. The admission plugin ServiceAccount is off, since nobody makes the account `default` of a new namespace.
"""

import asyncio
import base64
import json
import os
import secrets
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.integration import cluster_pki
from tests.integration.cluster_program import Program

from tidegate.base import process
from tidegate.kinds.conditions import is_true
from tidegate.serve.kubeconfig import kubeconfig

TOOL = Path(__file__).parents[2] / "tools/apiserver.py"
START_TIMEOUT = 120.0
REQUEST_TIMEOUT = 60.0
POLL = 0.05
ATTEMPTS = 3
ISSUER = "https://kubernetes.default.svc.cluster.local"


def programs() -> tuple[str, str]:
    """The paths of kube-apiserver and etcd; skips the test where one is missing, and says how to bring it."""
    done = subprocess.run([sys.executable, TOOL, "--find"], capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        pytest.skip(done.stderr.strip())
    server = Path(done.stdout.strip())
    etcd = shutil.which("etcd", path=os.pathsep.join([str(server.parent), os.environ.get("PATH", os.defpath)]))
    needed = {"etcd": "etcd-server", "openssl": "openssl", "kubectl": "kubernetes-client"}
    for program, package in needed.items():
        if (etcd if program == "etcd" else shutil.which(program)) is None:
            pytest.skip(f"{program} is not installed: apt-get install {package}")
    return str(server), str(etcd)


class Cluster:
    """The API server and etcd of one folder. Not started until `start`; `stop` leaves nothing running."""

    def __init__(self, folder: Path, *, audited: bool = False):
        self.folder = folder
        self.audit = folder / "audit.jsonl" if audited else None
        self._server_path, self._etcd_path = programs()
        self.token = secrets.token_hex(16)
        self.pki = cluster_pki.make(folder / "pki")
        self.ca = self.pki.ca
        self.verify = ssl.create_default_context(cafile=str(self.ca))
        (folder / "tokens.csv").write_text(f'{self.token},admin,admin,"system:masters"\n')
        self._arrange()

    def _arrange(self) -> None:
        port, etcd_port, peer_port = free_ports(3)
        self.port = port
        self.url = f"https://127.0.0.1:{port}"
        self.etcd = Program(etcd_argv(self._etcd_path, self.folder, etcd_port, peer_port), self.folder / "etcd.log")
        argv = server_argv(self._server_path, self.folder, self.pki, port, etcd_port)
        argv += audit_argv(self.audit) if self.audit is not None else []
        self.server = Program(argv, self.folder / "kube-apiserver.log")
        ca = self.ca.read_bytes()
        self.kubeconfig = self.folder / "kubeconfig"
        self.kubeconfig.write_text(kubeconfig(self.url, self.token, ca=ca))
        self.certificate_kubeconfig = self.folder / "certificate-kubeconfig"
        self.certificate_kubeconfig.write_text(certificate_kubeconfig(self.url, ca, self.pki.admin))

    async def start(self) -> None:
        """Start what doesn't run, and return when the API server says that it is ready."""
        first = not (self.folder / "etcd").exists()
        for attempt in range(ATTEMPTS):
            for program in (self.etcd, self.server):
                if not program.running:
                    program.start()
            try:
                await self._ready()
            except StartFailed as error:
                self.stop()
                if attempt == ATTEMPTS - 1 or not (first and "address already in use" in str(error)):
                    raise
                shutil.rmtree(self.folder / "etcd", ignore_errors=True)
                self._arrange()
            else:
                return

    async def _ready(self) -> None:
        end = time.monotonic() + START_TIMEOUT
        async with self.http() as http:
            while time.monotonic() < end:
                for program in (self.etcd, self.server):
                    if not program.running:
                        raise StartFailed(f"{program.argv[0]} ended:\n{program.tail()}")
                try:
                    if (await http.get("/readyz")).status_code == 200:
                        return
                except httpx2.TransportError:
                    pass
                await asyncio.sleep(POLL)
        raise StartFailed(f"the API server was not ready in {START_TIMEOUT:g} s:\n{self.server.tail()}")

    def stop(self) -> None:
        """End both at once; the data stays."""
        self.server.kill()
        self.etcd.kill()

    def http(self, token: str | None = None) -> httpx2.AsyncClient:
        """An HTTP client that is the administrator, or whose `token` it is."""
        headers = {"Authorization": f"Bearer {token or self.token}"}
        return httpx2.AsyncClient(
            base_url=self.url, headers=headers, verify=self.verify, timeout=REQUEST_TIMEOUT, trust_env=False
        )

    async def request(self, method: str, path: str, body: Any = None, *, kind: str = "application/json") -> Any:
        """One request as the administrator; the answer's JSON, or an AssertionError with the server's words."""
        async with self.http() as http:
            content = None if body is None else json.dumps(body).encode()
            answer = await http.request(method, path, content=content, headers={"Content-Type": kind})
        assert answer.status_code < 300, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()

    async def get(self, path: str) -> Any:
        return await self.request("GET", path)

    async def create(self, path: str, obj: Any) -> Any:
        return await self.request("POST", path, obj)

    async def merge(self, path: str, patch: Any) -> Any:
        """JSON merge patch; a path that ends in `/status` patches the status."""
        return await self.request("PATCH", path, patch, kind="application/merge-patch+json")

    async def delete(self, path: str) -> Any:
        return await self.request("DELETE", path)

    async def define(self, definitions: list[Any]) -> None:
        """Create custom resource definitions, and return when their kinds are served."""
        path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        for definition in definitions:
            await self.create(path, definition)
        for definition in definitions:
            await self.until(f"{path}/{definition['metadata']['name']}", is_established)
            group, version = definition["spec"]["group"], definition["spec"]["versions"][0]["name"]
            await self.until(f"/apis/{group}/{version}/{definition['spec']['names']['plural']}", lambda _: True)

    async def until(self, path: str, holds: Callable[[Any], bool], seconds: float = 30.0) -> Any:
        """The object at `path` once it is there and `holds` is true of it."""
        end, found = time.monotonic() + seconds, None
        while time.monotonic() < end:
            try:
                found = await self.get(path)
            except AssertionError as error:
                found = error
            else:
                if holds(found):
                    return found
            await asyncio.sleep(POLL)
        raise AssertionError(f"{path} did not come to be as wanted in {seconds:g} s: {found}")

    async def namespace(self, prefix: str) -> str:
        """Make a namespace whose name begins so and that no other test has; its name."""
        name = self.unique(prefix)
        await self.create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        return name

    @staticmethod
    def unique(prefix: str) -> str:
        """A name that no other test has."""
        return f"{prefix}-{secrets.token_hex(3)}"

    async def account_token(self, namespace: str, name: str) -> str:
        """A token for a service account, which must be there."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        return str((await self.create(path, request))["status"]["token"])

    async def kubectl(
        self, *arguments: str, stdin: str | None = None, check: bool = True, config: Path | None = None
    ) -> Any:
        """What kubectl wrote on stdout; with `check=False`, the whole of how it ended."""
        environment = {"KUBECONFIG": str(config or self.kubeconfig), "HOME": str(self.folder)}
        done = await process.run(
            ["kubectl", *arguments],
            stdin=None if stdin is None else stdin.encode(),
            env=process.minimal_environment(environment),
            timeout=REQUEST_TIMEOUT,
            check=False,
        )
        if not check:
            return done
        assert done.exit_code == 0, done.stderr.decode()
        return done.text


def started(folder: Path, *, definitions: list[Any] | None = None, audited: bool = False) -> Iterator[Cluster]:
    """The body of a fixture: a cluster that is stopped at the end; with these definitions, if any."""
    world = Cluster(folder, audited=audited)
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(world.start())
        if definitions:
            loop.run_until_complete(world.define(definitions))
        yield world
    finally:
        loop.close()
        world.stop()


def is_established(definition: Any) -> bool:
    """Whether the API server serves what a custom resource definition defines."""
    return is_true((definition.get("status") or {}).get("conditions") or [], "Established")


class StartFailed(Exception):
    """The cluster didn't come up."""


def free_ports(count: int) -> list[int]:
    """Ports of loopback that are free now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports


def etcd_argv(program: str, folder: Path, port: int, peer_port: int) -> list[str]:
    """etcd with its data in `folder`."""
    client, peer = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{peer_port}"
    return [
        program, f"--data-dir={folder / 'etcd'}", f"--listen-client-urls={client}", f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}", f"--initial-cluster=default={peer}",
    ]  # fmt: skip


def server_argv(program: str, folder: Path, pki: cluster_pki.Pki, port: int, etcd_port: int) -> list[str]:
    """The API server as a cluster has it: RBAC, client certificates, service accounts; and a token for the test."""
    return [
        program,
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        f"--etcd-servers=http://127.0.0.1:{etcd_port}",
        f"--cert-dir={folder}",
        f"--tls-cert-file={pki.server}",
        f"--tls-private-key-file={pki.server.with_suffix('.key')}",
        f"--client-ca-file={pki.ca}",
        f"--token-auth-file={folder / 'tokens.csv'}",
        "--authorization-mode=RBAC",
        "--disable-admission-plugins=ServiceAccount",
        f"--service-account-issuer={ISSUER}",
        f"--service-account-key-file={pki.accounts.with_suffix('.pub')}",
        f"--service-account-signing-key-file={pki.accounts}",
        "--service-cluster-ip-range=10.96.0.0/16",
        "--endpoint-reconciler-type=none",
        "--shutdown-delay-duration=0s",
        "--profiling=false",
    ]


def audit_argv(log: Path) -> list[str]:
    """Note every request that is not a mere read, when it has been answered, in the file `log`."""
    policy = {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived", "ResponseStarted"],
        "rules": [{"level": "None", "verbs": ["get", "list", "watch"]}, {"level": "Metadata"}],
    }
    file = log.with_name("audit-policy.json")
    file.write_text(json.dumps(policy))
    return [f"--audit-policy-file={file}", f"--audit-log-path={log}", "--audit-log-mode=blocking"]


def certificate_kubeconfig(url: str, ca: bytes, certificate: Path) -> str:
    """A kubeconfig whose user shows a client certificate."""
    user = {
        "client-certificate-data": base64.b64encode(certificate.read_bytes()).decode(),
        "client-key-data": base64.b64encode(certificate.with_suffix(".key").read_bytes()).decode(),
    }
    cluster = {"server": url, "certificate-authority-data": base64.b64encode(ca).decode()}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": cluster}],
        "users": [{"name": "admin", "user": user}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}],
        "current-context": "test",
    }
    return json.dumps(document)
