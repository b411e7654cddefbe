"""A Kubernetes door behind TLS, and kubectl pointed at it."""

import asyncio
import contextlib
import sys
from dataclasses import dataclass
from pathlib import Path

from starlette.applications import Starlette

sys.path.insert(0, str(Path(__file__).parent))
from needed import need

from tidegate.base import process
from tidegate.engine.clock import SystemClock
from tidegate.engine.sqlite_store import SqliteStore
from tidegate.serve.auth import Authorizer
from tidegate.serve.certificates import ensure_certificates
from tidegate.serve.guard import Guard
from tidegate.serve.kubeconfig import kubeconfig
from tidegate.serve.kubernetes import KubernetesDoor
from tidegate.serve.kubernetes.logs import LogLine
from tidegate.serve.listen import Tls, bind, port_of, serve

TOKEN = "the-token-of-this-test"
CONTROLLERS = ["image-automation-controller", "source-controller"]


class Logs:
    """Three lines of any Pod; those of a controller lie in files."""

    def __init__(self, root):
        self._root = root

    async def exists(self, namespace, pod):
        return pod == "run-1"

    async def lines(self, namespace, pod, options):
        for number in range(3):
            yield LogLine(f"{pod} line {number}")
        if options.follow:
            await asyncio.sleep(0.3)
            yield LogLine("followed")


class ControllerFiles:
    def __init__(self, root):
        self._root = root

    def path(self, name):
        return self._root / f"{name}.log"

    def lines(self, name):
        return iter(self.path(name).read_text().splitlines() if self.path(name).exists() else [])


@dataclass
class World:
    """The server and its store. `kubectl` runs with the home's token over TLS, `reader` over plain http without."""

    store: SqliteStore
    folder: Path
    url: str

    async def kubectl(self, *arguments, stdin=None, check=True, config="kubeconfig"):
        """What kubectl wrote on stdout; with `check=False`, the whole of how it ended."""
        environment = process.minimal_environment({"KUBECONFIG": str(self.folder / config), "HOME": str(self.folder)})
        data = stdin.encode() if isinstance(stdin, str) else stdin
        done = await process.run(["kubectl", *arguments], stdin=data, env=environment, timeout=60, check=False)
        if not check:
            return done
        assert done.exit_code == 0, done.stderr.decode()
        return done.text

    async def reader(self, *arguments, check=True):
        return await self.kubectl(*arguments, check=check, config="reader")

    def log(self, controller, text):
        with ControllerFiles(self.folder).path(controller).open("a") as file:
            file.write(text + "\n")


def columns(text):
    """The lines of a table, split where two or more spaces stand."""
    return [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in text.rstrip().splitlines()]


@contextlib.asynccontextmanager
async def running(folder):
    """A World in `folder` until the block ends."""
    need("kubectl", "kubernetes-client")
    need("openssl")
    clock = SystemClock()
    store = SqliteStore(folder / "store.db", clock)
    door = KubernetesDoor(
        store,
        Authorizer(TOKEN),
        Logs(folder),
        clock=clock,
        version="0.1.0",
        controllers=CONTROLLERS,
        controller_logs=ControllerFiles(folder),
    )
    app = Guard(Starlette(routes=list(door.routes())))
    certificates = await ensure_certificates(folder / "pki")
    plain, secure = bind(0), bind(0)
    url = f"https://127.0.0.1:{port_of(secure)}"
    (folder / "kubeconfig").write_text(kubeconfig(url, TOKEN, ca=certificates.ca.read_bytes()))
    (folder / "reader").write_text(kubeconfig(f"http://127.0.0.1:{port_of(plain)}", TOKEN))
    servers = [
        asyncio.create_task(serve(app, plain)),
        asyncio.create_task(serve(app, secure, Tls(certificates.server, certificates.server))),
    ]
    try:
        yield World(store, folder, url)
    finally:
        for server in servers:
            server.cancel()
        await asyncio.gather(*servers, return_exceptions=True)
        store.close()
