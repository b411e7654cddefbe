"""`make demo` where people have it: in an ordinary user's fresh clone, behind a proxy with its own CA, on 32-bit ARM.

Each world is one run of the whole demonstration with nothing in its caches.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from fresh_machine import TIMEOUT, FreshMachine, Ran, host_settings, run_as, run_here
from image_roots import MACHINES, emulated, find_emulator, unpack
from outside_proxy import Proxy, run_fenced

from tidegate.build.debian.sources import choose_mirrors, machine_sources
from tidegate.oci.blobs import BlobStore
from tidegate.oci.values import Index, Manifest

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1500)]
NOBODY = 65534
GZIP = b"\x1f\x8b"
ASK = """\
import json, platform, sys
sys.path.insert(0, "/app")
import main
print(json.dumps([platform.machine(), main.WORD, main.app.title]))
"""
PLATFORMS = ["linux/amd64", "linux/arm/v7", "linux/arm64"]


@dataclass(frozen=True)
class BehindProxy:
    """A demonstration that could reach nothing but the proxy."""

    ran: Ran
    proxy: Proxy

    @property
    def blobs(self) -> BlobStore:
        """The registry that it left."""
        return BlobStore(self.ran.folder / "home/registry")

    def images(self) -> dict[str, str]:
        """The digest of the last image's manifest for each platform."""
        index = Index.from_bytes(self.blobs.blob_path(self.ran.report["cycles"][-1]["digest"]).read_bytes())
        return {str(one.platform): one.digest for one in index.manifests}


@pytest.fixture(scope="module")
def of_a_user() -> Iterator[tuple[FreshMachine, Ran]]:
    run = run_as(NOBODY) if os.geteuid() == 0 else run_here
    tried = run(["unshare", "--user", "--map-root-user", "--net", "true"], dict(os.environ))
    if tried.returncode != 0:
        pytest.skip(f"an ordinary user gets no namespaces here ({tried.stderr.strip()}): allow user namespaces")
    folder = Path(tempfile.mkdtemp(prefix="tidegate-user-"))  # pytest's own folders are closed to other users
    try:
        machine = FreshMachine.make(folder)
        if os.geteuid() == 0:
            machine.give_to(NOBODY)
        yield machine, machine.demo(host_settings(), run)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def behind_proxy(tmp_path_factory: pytest.TempPathFactory) -> BehindProxy:
    folder = tmp_path_factory.mktemp("proxy")
    proxy = Proxy(folder)
    machine = FreshMachine.make(tmp_path_factory.mktemp("fenced"))
    settings = dict.fromkeys(("HTTPS_PROXY", "HTTP_PROXY", "http_proxy"), proxy.url)
    settings["SSL_CERT_FILE"] = str(proxy.ca_file)
    ran = machine.demo(settings, lambda argv, environment: run_fenced(proxy, argv, environment, TIMEOUT))
    return BehindProxy(ran, proxy)


def test_an_ordinary_user_needs_git_make_and_python_alone(of_a_user: tuple[FreshMachine, Ran]) -> None:
    machine, ran = of_a_user
    assert [name for name in ("uv", "pip", "pip3", "skopeo", "kubectl") if shutil.which(name, path=machine.path)] == []
    assert ran.report["ok"] is True
    assert [sorted(cycle["platforms"]) for cycle in ran.report["cycles"]] == [PLATFORMS, PLATFORMS]
    assert {path.lstat().st_uid for path in ran.folder.rglob("*")} == {NOBODY if os.geteuid() == 0 else os.geteuid()}


def test_without_ensurepip_pip_comes_from_the_package_index(of_a_user: tuple[FreshMachine, Ran]) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can hide this machine's ensurepip")
    assert re.search(r"/pip-[0-9.]+-py3-none-any\.whl/pip install .*uv$", of_a_user[1].stderr, re.MULTILINE)


def test_behind_a_proxy_with_its_own_ca_everything_goes_through_it(behind_proxy: BehindProxy) -> None:
    assert behind_proxy.ran.report["ok"] is True
    proxy = behind_proxy.proxy
    assert proxy.faults == []
    assert {"pypi.org", "files.pythonhosted.org"} <= proxy.looked_into
    mirror = urlsplit(choose_mirrors(machine_sources(), "bookworm").archive)
    assert mirror.netloc in (proxy.plain if mirror.scheme == "http" else proxy.looked_into)


def test_neither_the_proxy_nor_its_ca_is_in_an_image(behind_proxy: BehindProxy) -> None:
    word = behind_proxy.ran.report["cycles"][-1]["served_word"].encode()
    images = behind_proxy.images()
    assert sorted(images) == PLATFORMS
    for digest in images.values():
        manifest = Manifest.from_bytes(behind_proxy.blobs.blob_path(digest).read_bytes())
        digests = [digest, manifest.config.digest, *(layer.digest for layer in manifest.layers)]
        files = [behind_proxy.blobs.blob_path(one) for one in digests]
        assert found(files, {"the word": word, **behind_proxy.proxy.traces()}) == [f"the word in {files[-1]}"]


def test_neither_the_proxy_nor_its_ca_is_told_to_anybody(behind_proxy: BehindProxy) -> None:
    ran, traces = behind_proxy.ran, behind_proxy.proxy.traces()
    assert [name for name, trace in traces.items() if trace in f"{ran.stdout}{ran.stderr}".encode()] == []
    files = [path for path in ran.folder.rglob("*") if path.is_file() and not path.is_symlink()]
    names = {path.relative_to(ran.folder).parts[:3] for path in files}
    assert {("home", "up.log"), ("home", "store.db")} <= names
    assert [part for part in names if part[:2] == ("home", "runs")]
    # The registry's layers are looked into by the test above; the cache has the same ones.
    assert found([path for path in files if "blobs" not in path.parts], traces) == []


@pytest.mark.parametrize("platform", sorted(MACHINES))
def test_the_demonstration_s_image_runs_on_its_machine(
    behind_proxy: BehindProxy, tmp_path: Path, platform: str
) -> None:
    emulator = find_emulator(platform)
    root = unpack(behind_proxy.blobs.blob_path, behind_proxy.images()[platform], tmp_path / "root")
    said = json.loads(emulated(emulator, root, "/usr/local/bin/python", "-c", ASK))
    assert said == [MACHINES[platform], behind_proxy.ran.report["cycles"][-1]["served_word"], "SmartBiz"]


def found(files: list[Path], traces: Mapping[str, bytes]) -> list[str]:
    """Which traces are in which files, looked for in what a layer holds where the file is one."""
    seen = []
    for file in files:
        data = file.read_bytes()
        if data.startswith(GZIP):
            data = gzip.decompress(data)
        seen += [f"{name} in {file}" for name, trace in traces.items() if trace in data]
    return seen
