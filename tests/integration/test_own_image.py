"""Tidegate's own image as `make image` builds it: for three platforms, run as its Deployment is, started on arm/v7."""

import asyncio
import contextlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import urllib.request
from importlib.metadata import version
from pathlib import Path

import pytest
from tests.integration.cluster_world import free_ports
from tests.integration.image_roots import MACHINES, confined, emulated, find_emulator, output, unpack
from tests.integration.needed import need, need_debian_keys
from tests.integration.registry_world import RegistryWorld

from tidegate.base.process import die_with_parent
from tidegate.build.debian.signature import KEYRINGS
from tidegate.build.store import BuildStore
from tidegate.install.manifests import USER, Installation, manifests
from tidegate.kinds.controllers import ALL, CONTROLLERS
from tidegate.kinds.platform import Platform
from tidegate.oci.values import ImageConfig, Index, Manifest

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]
TOOL = Path(__file__).parents[2] / "tools/image/build.py"
SPEC = importlib.util.spec_from_file_location("own_image", TOOL)
own = importlib.util.module_from_spec(SPEC)
sys.modules["own_image"] = own
SPEC.loader.exec_module(own)
COMMIT = own.Commit(1_700_000_000, "5" * 40)
WAITED = 120.0


class Image:
    """What was built, and each platform's parts."""

    def __init__(self, cache, result):
        self.cache = cache
        self.store = BuildStore(cache)
        self.result = result

    def index(self):
        return Index.from_bytes(self.store.read_blob(self.result.index_digest))

    def manifest(self, platform):
        return Manifest.from_bytes(self.store.read_blob(self.result.manifests[platform]))

    def config(self, platform):
        return ImageConfig.from_bytes(self.store.read_blob(self.manifest(platform).config.digest))

    def unpack(self, platform, target):
        return unpack(self.store.blob_path, self.result.manifests[platform], target)


@pytest.fixture(scope="module")
def image(image_cache):
    need_debian_keys()
    wanted = own.Wanted(image_cache, COMMIT)
    return Image(image_cache, asyncio.run(own.make_image(wanted, print)))


@pytest.fixture(scope="module")
def root(image, tmp_path_factory):
    """This machine's image as a folder."""
    platform = str(Platform.of_machine())
    if platform not in image.result.manifests:
        pytest.skip(f"no image is built for {platform}")
    return image.unpack(platform, tmp_path_factory.mktemp("own") / "root")


@pytest.fixture(scope="module")
def container():
    """The container of the Deployment that an installation makes."""
    objects = manifests(Installation("example/tidegate:1", "flux-system", ALL))
    (deployment,) = [obj for obj in objects if obj["kind"] == "Deployment"]
    spec = deployment["spec"]["template"]["spec"]
    assert spec["securityContext"]["runAsUser"] == USER
    return spec["containers"][0]


def inside(root, container, *command):
    return confined(root, USER, [one["mountPath"] for one in container["volumeMounts"]], *command)


def test_it_is_for_three_platforms_and_says_what_it_is(image):
    assert [str(one.platform) for one in image.index().manifests] == list(own.PLATFORMS)
    said = {
        "org.opencontainers.image.title": "Tidegate",
        "org.opencontainers.image.version": version("tidegate"),
        "org.opencontainers.image.revision": COMMIT.revision,
        "org.opencontainers.image.source": own.SOURCE,
        "org.opencontainers.image.licenses": "Apache-2.0",
    }
    assert said.items() <= image.index().annotations.items()
    for platform in own.PLATFORMS:
        config = image.config(platform)
        assert said.items() <= config.config.labels.items()
        assert said.items() <= image.manifest(platform).annotations.items()
        assert (config.config.user, config.config.entrypoint) == (f"{USER}:{USER}", ("tidegate",))


def test_it_is_small_enough_for_a_small_board(image):
    pulled = [own.size(image.store, one) for one in own.images(image.store, image.result)]
    assert len(pulled) == 3
    assert max(pulled) < 90_000_000


def test_its_programs_run_unprivileged_on_a_read_only_root(root, container):
    def run(*command):
        return output(inside(root, container, *command))

    assert run("tidegate", "--version") == f"tidegate, version {version('tidegate')}"
    assert "--job-image" in run("tidegate", "controller", "--help")
    assert "FILE" in run("tidegate", "run-job", "--help")
    assert run("git", "--version").startswith("git version 2.")
    assert run("uv", "--version").startswith("uv ")
    assert run("openssl", "version").startswith("OpenSSL 3.")
    assert run("sh", "-c", "ssh -V 2>&1").startswith("OpenSSH_")
    assert "(GnuPG)" in run("gpgv", "--version")
    assert run("sh", "-c", "printf x | xz | xz -d; printf y | zstd -q | zstd -d -q") == "xy"
    assert run("ls", str(KEYRINGS[0]), "/etc/ssl/certs/ca-certificates.crt").count("\n") == 1


def test_its_user_has_a_name_and_no_way_up(root, container):
    """ssh refuses to run as a user that /etc/passwd does not name."""

    def run(script):
        return output(inside(root, container, "sh", "-c", script)).split()

    assert run("id -u; id -g; id -un; echo ~tidegate") == [str(USER), str(USER), "tidegate", "/tmp"]
    assert run("grep -E '^(CapEff|CapPrm|NoNewPrivs):' /proc/self/status | cut -f2") == ["0" * 16, "0" * 16, "1"]
    assert run("for d in / /etc /usr /data /tmp; do touch $d/x 2>/dev/null && echo $d; done; true") == ["/data", "/tmp"]
    assert run("ssh -F none -o BatchMode=yes -G localhost | grep -x 'user tidegate'") == ["user", "tidegate"]


def test_no_program_in_it_compiles(root):
    names = {path.name for folder in ("usr/bin", "usr/local/bin") for path in (root / folder).iterdir()}
    assert {"python3", "git", "ssh", "tidegate"} <= names
    assert not names & {"cc", "gcc", "c++", "g++", "ld", "as", "make", "perl", "apt-get", "dpkg"}


async def test_its_controller_starts_as_its_deployment_starts_it(root, container, cluster, tmp_path):
    namespace = await cluster.namespace("own-image")
    shutil.copy(cluster.kubeconfig, root / "kubeconfig")
    (root / "kubeconfig").chmod(0o644)
    (port,) = free_ports(1)
    # Objects of other tests are none of its business; all else is as the Deployment has it.
    arguments = ["--kubeconfig=/kubeconfig", f"--address=127.0.0.1:{port}", "--watch-label-selector=own=image"]
    argv = inside(root, container, "tidegate", *container["args"], *arguments)
    log = tmp_path / "controller.log"
    with started(argv, log, {"RUNTIME_NAMESPACE": namespace}) as process:
        leases = await held_leases(cluster, namespace, process, log)
        assert len(leases) == len(CONTROLLERS)
        assert get(port, container["readinessProbe"]["httpGet"]["path"]) == "ok\n"
        assert f'tidegate_build_info{{version="{version("tidegate")}"}}' in get(port, "/metrics")
        peak = resident(process.pid)
    requested = container["resources"]["requests"]["memory"]
    assert peak < int(requested.removesuffix("Mi")) * 1024 * 1024


def test_it_starts_on_arm_v7(image, tmp_path):
    emulator = find_emulator("linux/arm/v7")
    root = image.unpack("linux/arm/v7", tmp_path / "root")
    program = "/usr/bin/python3"
    assert emulated(emulator, root, program, "/usr/local/bin/tidegate", "--version").endswith(version("tidegate"))
    code = "import platform, yaml; print(platform.machine(), yaml.__with_libyaml__)"
    assert emulated(emulator, root, program, "-c", code) == f"{MACHINES['linux/arm/v7']} True"


def test_another_cache_and_another_time_give_the_same_digest(image, tmp_path):
    """Its own layers are made anew; that a base made anew is the same is shown where images are built."""
    for kept in ("locks", "bases", "blobs"):
        shutil.copytree(image.cache / kept, tmp_path / kept, copy_function=os.link)
    (tmp_path / "uv").symlink_to(image.cache / "uv")
    again = asyncio.run(own.make_image(own.Wanted(tmp_path, COMMIT, ("linux/arm/v7",)), print))
    assert (tmp_path / "layers").is_dir()
    assert again.manifests == {"linux/arm/v7": image.result.manifests["linux/arm/v7"]}


def test_the_command_writes_a_layout_and_pushes(image, tmp_path):
    need("skopeo")
    registry = RegistryWorld(tmp_path / "registry")
    reference = f"127.0.0.1:{registry.port}/acme/tidegate:1"
    argv = [
        sys.executable, str(TOOL), "--cache", str(image.cache), "--output", str(tmp_path / "layout"),
        "--platform", "linux/arm/v7", "--push", reference,
    ]  # fmt: skip
    environment = os.environ | {"SOURCE_DATE_EPOCH": str(COMMIT.created), "DOCKER_CONFIG": str(tmp_path)}
    registry.start()
    try:
        done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr
        digest, line = done.stdout.splitlines()
        pushed = output(["skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{reference}"])
    finally:
        registry.stop()
    (there,) = json.loads(pushed)["manifests"]
    assert line == f"linux/arm/v7 {there['digest']}"
    (listed,) = json.loads((tmp_path / "layout/index.json").read_text())["manifests"]
    assert listed["digest"] == digest
    assert "MB to pull" in done.stderr
    assert len(image.manifest("linux/arm/v7").layers) == len(list((tmp_path / "layout/blobs/sha256").iterdir())) - 3


@contextlib.contextmanager
def started(argv, log, extra):
    """The process with the image's own environment."""
    environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
    with (
        log.open("wb") as file,
        subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=environment | {"HOME": "/tmp"} | extra,
            preexec_fn=die_with_parent,  # noqa: PLW1509 - it only calls prctl
        ) as process,
    ):  # fmt: skip
        try:
            yield process
        finally:
            process.kill()


async def held_leases(cluster, namespace, process, log):
    """The Leases once every one of them is held."""
    async with asyncio.timeout(WAITED):
        while True:
            assert process.poll() is None, log.read_text()
            found = (await cluster.get(f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"))["items"]
            held = [one for one in found if (one["spec"] or {}).get("holderIdentity")]
            if len(held) == len(CONTROLLERS):
                return held
            await asyncio.sleep(0.2)


def get(port, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        return answer.read().decode()


def resident(pid):
    """The largest resident set of a process so far, in bytes."""
    with Path(f"/proc/{pid}/status").open() as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM"))
