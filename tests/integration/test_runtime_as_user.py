"""The runtime's tests once more as an ordinary user, where this run is root's."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration
NOBODY = 65534
HERE = Path(__file__).parent


def reachable_python() -> str | None:
    """An interpreter of this version that an ordinary user may start."""
    wanted = f"{sys.version_info.major}.{sys.version_info.minor}"
    for candidate in (sys.executable, f"/usr/bin/python{wanted}", f"/usr/local/bin/python{wanted}"):
        path = Path(candidate).resolve()
        if path.exists() and all(parent.stat().st_mode & 0o001 for parent in path.parents):
            return candidate
    return None


@pytest.mark.skipif(os.geteuid() != 0, reason="this run is an ordinary user's already")
@pytest.mark.parametrize("module", ["test_runtime_workloads.py", "test_runtime_crash.py"])
def test_the_same_holds_for_an_ordinary_user(module: str) -> None:
    python = reachable_python()
    if python is None:
        pytest.skip("no interpreter that an ordinary user may start: apt-get install python3")
    source = HERE.parents[1]
    folder = Path(tempfile.mkdtemp(prefix="tidegate-user-"))
    shutil.copytree(HERE, folder / "tests", ignore=shutil.ignore_patterns("__pycache__", "conftest.py"))
    (folder / "pytest.ini").write_text(
        "[pytest]\nasyncio_mode = auto\n"
        "asyncio_default_fixture_loop_scope = function\naddopts = --import-mode=importlib -p no:cacheprovider\n"
        "filterwarnings = error\nmarkers =\n  integration\n  crash\n"
    )
    os.chown(folder, NOBODY, NOBODY)
    packages = [path for path in sys.path if path.endswith("-packages")]
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": os.pathsep.join([str(source / "src"), *packages]),
    }
    user = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    command = [*user, python, "-m", "pytest", "-q", f"--basetemp={folder}/base", f"tests/{module}"]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    shutil.rmtree(folder, ignore_errors=True)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
