"""Find the kube-apiserver that the tests use, or build it from tests/apiserver, and print its path.

It is looked for in KUBEBUILDER_ASSETS, then in a cache outside the repository whose key covers the module's files. A
build needs Go: any version, since one that is too old fetches the right one through Go's module proxy, checked against
Go's checksum database. Standard library only; speaks on stderr.
"""

import argparse
import contextlib
import fcntl
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

MODULE = Path(__file__).parents[1] / "tests/apiserver"
PROGRAM = "kube-apiserver"
VERSION_PACKAGE = "k8s.io/component-base/version"
INSTALL = "install Go (apt-get install golang-go, or go.dev/dl) and run `make apiserver`"
ELSEWHERE = "set KUBEBUILDER_ASSETS to a folder that has kube-apiserver and etcd"
DOWNLOAD_TIMEOUT, BUILD_TIMEOUT = 1800, 7200


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--find", action="store_true", help="never build: exit 1 where there is none yet")
    parser.add_argument("--optional", action="store_true", help="without Go, say what is left out and exit 0")
    options = parser.parse_args()
    path = found()
    if path is None and not options.find and not (options.optional and shutil.which("go") is None):
        path = built()
    if path is not None:
        print(path)  # noqa: T201
    elif options.optional:
        say(f"no kube-apiserver, so the tests against a real one are left out: {INSTALL}; or {ELSEWHERE}")
    else:
        sys.exit(f"kube-apiserver is not built: {INSTALL}; or {ELSEWHERE}")


def found() -> Path | None:
    """The program of KUBEBUILDER_ASSETS, which must be there if that is set; else the cached one."""
    if assets := os.environ.get("KUBEBUILDER_ASSETS"):
        path = Path(assets) / PROGRAM
        if not os.access(path, os.X_OK):
            sys.exit(f"KUBEBUILDER_ASSETS is {assets}, and there is no program {PROGRAM} in it")
        return path
    path = cache() / key() / PROGRAM
    return path if path.exists() else None


def cache() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "tidegate" / "apiserver"


def key() -> str:
    """What the build depends on: the module's files and this machine's architecture."""
    digest = hashlib.sha256(platform.machine().encode())
    for name in ("go.mod", "go.sum", "main.go"):
        digest.update(hashlib.sha256((MODULE / name).read_bytes()).digest())
    return digest.hexdigest()[:16]


def built() -> Path:
    """Build into the cache, once even where several ask at the same time."""
    target = cache() / key() / PROGRAM
    target.parent.mkdir(parents=True, exist_ok=True)
    with alone(target.parent / "lock"):
        if not target.exists():
            build(target)
    return target


@contextlib.contextmanager
def alone(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def build(target: Path) -> None:
    version = kubernetes_version()
    go = suitable_go()
    say(f"building kube-apiserver {version} with {go}, once for this machine: about 4 minutes on 2 cores")
    major, minor = version.removeprefix("v").split(".")[:2]
    facts = {"gitVersion": version, "gitMajor": major, "gitMinor": minor}
    flags = "-s -w " + " ".join(f"-X {VERSION_PACKAGE}.{name}={value}" for name, value in facts.items())
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        program = Path(folder) / PROGRAM
        argv = ["nice", go, "build", "-mod=readonly", "-buildvcs=false", "-ldflags", flags, "-o", str(program), "."]
        run(argv, BUILD_TIMEOUT, CGO_ENABLED="0", GOTOOLCHAIN="local", GOROOT=None)
        program.replace(target)


def kubernetes_version() -> str:
    return stated(r"^\s*k8s\.io/kubernetes (v\S+)$")


def stated(pattern: str) -> str:
    """What go.mod says."""
    match = re.search(pattern, (MODULE / "go.mod").read_text(), re.MULTILINE)
    assert match is not None, pattern
    return match[1]


def suitable_go() -> str:
    """Go as new as go.mod asks for: the one on the PATH, else one that it downloads as a module."""
    if (go := shutil.which("go")) is None:
        sys.exit(f"kube-apiserver is not built, and there is no Go: {INSTALL}; or {ELSEWHERE}")
    wanted = stated(r"^go (\S+)$")
    version = run([go, "version"], 60, cwd=Path("/"), capture=True, GOTOOLCHAIN="local")
    match = re.search(r"go(\d+)\.(\d+)(?:\.(\d+))?", version)
    if match and tuple(int(part or 0) for part in match.groups()) >= tuple(map(int, wanted.split("."))):
        return go
    say(f"{version.strip()} is older than the {wanted} that kube-apiserver needs: fetching that")
    return toolchain(go, wanted)


def toolchain(go: str, version: str) -> str:
    """Download Go itself as the module golang.org/toolchain, which even Go 1.19 can, and make it runnable."""
    system = run([go, "env", "GOOS", "GOARCH"], 60, cwd=Path("/"), capture=True, GOTOOLCHAIN="local").split()
    module = f"golang.org/toolchain@v0.0.1-go{version}.{'-'.join(system)}"
    answer = run([go, "mod", "download", "-json", module], DOWNLOAD_TIMEOUT, cwd=Path("/"), capture=True)
    root = Path(json.loads(answer)["Dir"])
    # A module carries no execute bits and no second go.mod, so Go's own downloader mends both in the same way.
    for program in (*(root / "bin").iterdir(), *(root / "pkg/tool").glob("*/*")):
        program.chmod(0o555)
    sources = root / "src"
    if (sources / "_go.mod").exists():
        sources.chmod(0o755)
        (sources / "_go.mod").rename(sources / "go.mod")
        sources.chmod(0o555)
    return str(root / "bin/go")


def run(argv: list[str], timeout: int, *, cwd: Path = MODULE, capture: bool = False, **environment: str | None) -> str:
    """Run to a good end, and return stdout if `capture`; a variable that is None is taken out of the environment."""
    variables = {name: value for name, value in (os.environ | environment).items() if value is not None}
    output = subprocess.PIPE if capture else sys.stderr
    try:
        done = subprocess.run(argv, cwd=cwd, env=variables, stdout=output, timeout=timeout, text=True, check=False)
    except subprocess.TimeoutExpired:
        sys.exit(f"{' '.join(argv[:3])} was ended after {timeout} s")
    if done.returncode:
        sys.exit(f"{' '.join(argv[:3])} ended with {done.returncode}; what it said is above")
    return done.stdout or ""


def say(line: str) -> None:
    print(line, file=sys.stderr)  # noqa: T201


if __name__ == "__main__":
    main()
