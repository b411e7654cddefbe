"""How buildah is called: its command lines, its own settings (the machine's are not read), its Dockerfile. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import field

from tidegate.base.frozen import frozen
from tidegate.build.index_settings import IndexSettings

PACKAGE = "buildah"
HEREDOCS_SINCE = (1, 33)
STORAGE, WORK = "/tmp/storage", "/tmp/work"  # noqa: S108 - a /tmp of its own
_VERSION = re.compile(r"version ([0-9]+)\.([0-9]+)")

STORAGE_CONF = f"""\
[storage]
driver = "overlay"
graphroot = "{STORAGE}/root"
runroot = "{STORAGE}/run"
"""
HOST = "/run/.tidegate"
"""Where a RUN finds files of this machine; it is left out of layers."""
PIP_CONF = "/etc/pip.conf"
STUB = 0o755
"""The mode of the empty files that it makes to mount on."""
_MOUNTED = ("etc/hostname", "etc/hosts", "etc/resolv.conf", "run/.containerenv")
REGISTRIES_CONF = 'unqualified-search-registries = []\nshort-name-mode = "disabled"\n'
POLICY = '{"default":[{"type":"insecureAcceptAnything"}]}'
"""Nothing is pulled but what was laid down here, so there is nothing to verify."""


@frozen
class Build:
    """One call of `buildah build`, for one platform. `secrets` are ids, each a file of the work folder."""

    platform: str
    tag: str
    created: int
    target: str | None = None
    build_args: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    network: str = "host"
    no_cache: bool = False


def settings(pip: str = "") -> dict[str, str]:
    """The settings files of the work folder, by name. `pip` is a pip.conf that a RUN is to find."""
    volumes = [f"{WORK}/host:{HOST}:ro", *([f"{WORK}/pip.conf:{PIP_CONF}:ro"] if pip else [])]
    return {
        "pip.conf": pip,
        "storage.conf": STORAGE_CONF,
        "containers.conf": f'[containers]\ncgroups = "disabled"\nvolumes = {json.dumps(volumes)}\n',
        "registries.conf": REGISTRIES_CONF,
        "policy.json": POLICY,
        "auth.json": "{}",
    }


def environment() -> dict[str, str]:
    """What has buildah read those, and nothing of the machine's or of whoever calls."""
    return {
        "HOME": f"{WORK}/home",
        "TMPDIR": f"{WORK}/home",
        "XDG_RUNTIME_DIR": f"{WORK}/home",
        "CONTAINERS_STORAGE_CONF": f"{WORK}/storage.conf",
        "CONTAINERS_CONF": f"{WORK}/containers.conf",
        "CONTAINERS_REGISTRIES_CONF": f"{WORK}/registries.conf",
        "REGISTRY_AUTH_FILE": f"{WORK}/auth.json",
        "BUILDAH_ISOLATION": "chroot",
        # It is root of a user namespace already, and is not to make one of its own.
        "_CONTAINERS_USERNS_CONFIGURED": "done",
        "_CONTAINERS_ROOTLESS_UID": "0",
        "_CONTAINERS_ROOTLESS_GID": "0",
    }


def pull_argv(layout: str) -> list[str]:
    """Takes a base from a layout of the work folder; prints its id."""
    return ["buildah", "pull", "--quiet", "--signature-policy", f"{WORK}/policy.json", f"oci:{WORK}/{layout}"]


def tag_argv(image: str, name: str) -> list[str]:
    """Names an image."""
    return ["buildah", "tag", image, name]


def build_argv(build: Build) -> list[str]:
    """Builds the work folder's context; a layer for each line, so that a later build finds them."""
    argv = [
        "buildah", "build", "--isolation", "chroot", "--format", "oci", "--layers", "--pull=never",
        "--identity-label=false", "--signature-policy", f"{WORK}/policy.json", "--platform", build.platform,
        "--timestamp", str(build.created), "--network", build.network, "--file", f"{WORK}/Dockerfile",
        "--tag", build.tag,
    ]  # fmt: skip
    argv += ["--no-cache"] if build.no_cache else []
    argv += ["--target", build.target] if build.target else []
    for name, value in build.build_args.items():
        argv += ["--build-arg", f"{name}={value}"]
    for name, file in build.secrets.items():
        argv += ["--secret", f"id={name},src={WORK}/{file}"]
    return [*argv, f"{WORK}/context"]


def push_argv(tag: str, layout: str) -> list[str]:
    """Writes an image as a layout, its layers as they are."""
    policy = ["--signature-policy", f"{WORK}/policy.json"]
    return ["buildah", "push", "--quiet", "--format", "oci", "-D", *policy, tag, f"oci:{WORK}/{layout}"]


def pip_conf(index: IndexSettings) -> str:
    """The host's index settings as pip reads them; empty where there are none."""
    values = {
        "index-url": index.index_url or "",
        "extra-index-url": " ".join(index.extra_index_urls),
        "trusted-host": " ".join(index.trusted_hosts),
        "cert": f"{HOST}/ca.pem" if index.ca_file else "",
    }
    lines = [f"{name} = {value}" for name, value in values.items() if value]
    return "\n".join(["[global]", *lines, ""]) if lines else ""


def is_ours(path: str, *, stub: bool, pip: bool) -> bool:
    """Whether a layer's entry is only there because buildah mounted something on it."""
    if path in (HOST.strip("/"), "run/secrets"):
        return True
    return stub and (path in _MOUNTED or (pip and path == PIP_CONF.strip("/")))


def version_of(text: str) -> tuple[int, int]:
    """Major and minor of what `buildah --version` prints; (0, 0) where it can't be read."""
    found = _VERSION.search(text)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def rewritten(text: str, changes: Iterable[tuple[int, str, str]]) -> str:
    """A Dockerfile in which, from a line on, the first `old` is `new`: its bases get the names that they have here."""
    lines = text.split("\n")
    for line, old, new in changes:
        for at in range(line - 1, len(lines)):
            if old in lines[at]:
                lines[at] = lines[at].replace(old, new, 1)
                break
    return "\n".join(lines)
