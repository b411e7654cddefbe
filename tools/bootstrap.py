"""Make the virtual environment that `make` uses, exactly as uv.lock says, on any machine with Python ≥ 3.11.

With uv on the PATH, uv does it all. Without, a bare venv gets pip (from ensurepip, else the wheel from the package
index: Debian ships no ensurepip), and pip gets uv. All of them go through the host's proxy and trust the authorities
that any one of the host's settings names. Standard library only; speaks on stderr.
"""

import hashlib
import importlib
import importlib.util
import json
import os
import re
import shutil
import ssl
import subprocess
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request
import venv
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

TIMEOUT = 120
SIZE_LIMIT = 64 * 1024 * 1024
SOURCE = Path(__file__).resolve().parent.parent / "src"
PIP_WHEEL = re.compile(r"pip-([0-9]+(?:\.[0-9]+)*)-py3-none-any\.whl", re.ASCII)
OLDEST_PYTHON = re.compile(r">=\s*([0-9]+)\.([0-9]+)", re.ASCII)


def main() -> None:
    if sys.version_info < (3, 11):  # noqa: UP036 - this runs before anything checks it
        sys.exit(f"tidegate needs Python 3.11 or newer; this is {sys.version.split()[0]}. Try: make PYTHON=python3.12")
    target = Path(sys.argv[1]).absolute()
    index, ca_file = host_network()
    environment = tools_environment(os.environ, ca_file)
    uv = shutil.which("uv") or uv_of_its_own(target, environment, index, ca_file)
    command = [uv, "sync", "--frozen", "--quiet", "--extra", "build", "--python", sys.executable]
    if (target / "bin/python").exists():
        command[-1] = str(target / "bin/python")
    call(command, environment | {"UV_PROJECT_ENVIRONMENT": str(target), "UV_PYTHON_DOWNLOADS": "never"})


def host_network() -> tuple[str, str | None]:
    """The package index and the file of CA certificates (None: the system's), read as the builds read them."""
    sys.path.insert(0, str(SOURCE))
    settings = importlib.import_module("tidegate.build.index_settings").host_settings(os.environ)
    return (settings.index_url or "https://pypi.org/simple").rstrip("/"), settings.ca_file


def tools_environment(environment: Mapping[str, str], ca_file: str | None) -> dict[str, str]:
    """What pip and uv get: each reads a variable of its own, and uv the system's authorities only where it is told."""
    if ca_file:
        return {"SSL_CERT_FILE": ca_file, "PIP_CERT": ca_file} | dict(environment)
    return {"UV_SYSTEM_CERTS": "1", "UV_NATIVE_TLS": "1"} | dict(environment)


def uv_of_its_own(target: Path, environment: dict[str, str], index: str, ca_file: str | None) -> str:
    """Install uv into the environment with pip, and return its path."""
    uv = target / "bin/uv"
    if not uv.exists():
        say(f"making {target}")
        with_pip = has_ensurepip()
        venv.create(target, with_pip=with_pip, clear=True, symlinks=True)
        python = str(target / "bin/python")
        with tempfile.TemporaryDirectory() as folder:
            pip = [python, "-m", "pip"] if with_pip else [python, f"{pip_wheel(Path(folder), index, ca_file)}/pip"]
            call([*pip, "install", "--quiet", "--disable-pip-version-check", "uv"], environment)
    return str(uv)


def has_ensurepip() -> bool:
    """Whether it can be run; a folder of that name alone is a package too, with nothing in it."""
    try:
        return importlib.util.find_spec("ensurepip.__main__") is not None
    except ModuleNotFoundError:
        return False


def pip_wheel(folder: Path, index: str, ca_file: str | None) -> Path:
    """Download pip's newest wheel, checked against the index's digest."""
    page = f"{index}/pip/"
    files = json.loads(read(page, ca_file, {"Accept": "application/vnd.pypi.simple.v1+json"}))["files"]
    newest = newest_pip(files, sys.version_info[:2])
    if newest is None:
        sys.exit(f"{index} has no pip for this Python. Try: apt-get install python3-venv, or install uv")
    wheel = read(urllib.parse.urljoin(page, newest["url"]), ca_file, {})
    if hashlib.sha256(wheel).hexdigest() != newest["hashes"]["sha256"]:
        sys.exit(f"{newest['filename']} is not what the index says it is")
    path = folder / newest["filename"]
    path.write_bytes(wheel)
    return path


def newest_pip(files: Iterable[dict[str, Any]], python: tuple[int, int]) -> dict[str, Any] | None:
    """The highest release among the files of an index's page, which come in no order of their versions."""
    usable = {}
    for file in files:
        match = PIP_WHEEL.fullmatch(file["filename"])
        oldest = OLDEST_PYTHON.search(file.get("requires-python") or "")
        if match and not file.get("yanked") and (oldest is None or (int(oldest[1]), int(oldest[2])) <= python):
            usable[tuple(map(int, match[1].split(".")))] = file
    return usable[max(usable)] if usable else None


def read(url: str, ca_file: str | None, headers: dict[str, str]) -> bytes:
    """What a URL answers, at most SIZE_LIMIT bytes."""
    context = ssl.create_default_context(cafile=ca_file)
    host = urllib.parse.urlsplit(url).hostname
    try:
        request = urllib.request.Request(url, headers=headers)
        with urllib.request.urlopen(request, timeout=TIMEOUT, context=context) as answer:
            found: bytes = answer.read(SIZE_LIMIT + 1)
    except (OSError, ValueError) as error:
        sys.exit(f"{host} can't be read: {error}. Check the network, HTTPS_PROXY and SSL_CERT_FILE, or install uv")
    if len(found) > SIZE_LIMIT:
        sys.exit(f"{host} answered with more than {SIZE_LIMIT} bytes")
    return found


def call(command: list[str], environment: dict[str, str]) -> None:
    say(" ".join(command))
    done = subprocess.run(command, env=environment, stdout=sys.stderr, check=False)
    if done.returncode:
        sys.exit(f"{command[0]} ended with {done.returncode}: the environment is not complete")


def say(line: str) -> None:
    print(line, file=sys.stderr)  # noqa: T201


if __name__ == "__main__":
    main()
