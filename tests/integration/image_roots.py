"""Images unpacked into folders, and their programs run there, also those of another machine under emulation."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from needed import need

from tidegate.oci.unpack import LayerFile, unpack_image
from tidegate.oci.values import ImageConfig, Manifest

MACHINES = {"linux/arm/v7": "armv7l", "linux/arm64": "aarch64"}
EMULATORS = {"linux/arm/v7": "qemu-arm-static", "linux/arm64": "qemu-aarch64-static"}


def unpack(blob_path: Callable[[str], Path], digest: str, target: Path) -> Path:
    """The root file system of the image with that manifest, in the new folder `target`."""
    manifest = Manifest.from_bytes(blob_path(digest).read_bytes())
    config = ImageConfig.from_bytes(blob_path(manifest.config.digest).read_bytes())
    pairs = zip(manifest.layers, config.diff_ids, strict=True)
    unpack_image([LayerFile(blob_path(layer.digest), diff_id) for layer, diff_id in pairs], target)
    return target


def find_emulator(platform: str) -> Path:
    """The program that runs another machine's programs; skips where it is missing."""
    return need(EMULATORS[platform], "qemu-user-static")


def emulated(emulator: Path, root: Path, *command: str) -> str:
    """What a program of `root` prints, run by the emulator, which gets a place there."""
    shutil.copy(emulator, root / emulator.name)
    return output(inside(root, f"/{emulator.name}", *command))


def inside(root: Path, *command: str) -> list[str]:
    """Run a command with `root` as its root; an ordinary user needs a user namespace for that."""
    change = [shutil.which("chroot") or "/usr/sbin/chroot", str(root), *command]
    return change if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", *change]


# As a kubelet runs a container whose file system is read-only: only the volumes can be written to.
_CONFINE = """\
root=$1 user=$2 volumes=$3; shift 3
mount --bind "$root" "$root"
mount --rbind /proc "$root/proc"
mount --rbind /dev "$root/dev"
for volume in $volumes; do mount -t tmpfs -o mode=1777 tmpfs "$root$volume"; done
mount -o remount,bind,ro,nosuid,nodev "$root"
exec setpriv --no-new-privs chroot --userspec="$user:$user" --groups="$user" "$root" "$@"
"""


def confined(root: Path, user: int, volumes: Sequence[str], *command: str) -> list[str]:
    """Run a command with `root` as its read-only root, as an unprivileged user, with empty volumes. The process is the
    command itself in the end. An ordinary user needs a range of user ids for that (newuidmap).
    """
    need("unshare", "util-linux")
    namespaces = ["--mount"]
    if os.geteuid():
        need("newuidmap", "uidmap")
        namespaces += ["--user", "--map-root-user", "--map-auto"]
    script = ["sh", "-e", "-c", _CONFINE, "sh", str(root), str(user), " ".join(volumes)]
    return ["unshare", *namespaces, *script, *command]


def output(argv: Sequence[str]) -> str:
    """What a program prints; it must end well."""
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin", "LANG": "C.UTF-8"}
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env=environment, timeout=240)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
