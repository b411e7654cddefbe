"""Lays the example repository out in a folder, and makes the commits that a developer would make there."""

from __future__ import annotations

import re
import secrets
import shutil
from importlib import resources
from pathlib import Path

from tidegate.base.errors import InvalidInput
from tidegate.base.process import minimal_environment, run

OWNER, NAME = "seadavdic", "smartbiz"
APPLICATION = "smartbiz-api"
IMAGE = f"ghcr.io/{OWNER}/{APPLICATION}"
WORKFLOW = Path(".github/workflows/smartbiz-ci.yaml")
MAIN = Path("apps/smartbiz-api/main.py")
DEVELOPER = {"GIT_AUTHOR_NAME": "Developer", "GIT_AUTHOR_EMAIL": "developer@example.com"}
GIT_TIMEOUT = 60.0


def lay_out(folder: Path, *, path_filter: bool) -> None:
    """Copy the example into `folder`, which must be new or empty; without `path_filter` the workflow loops."""
    if folder.exists() and any(folder.iterdir()):
        raise InvalidInput(f"{folder} is not empty", remedy="name a new folder with --dir, or empty that one")
    with resources.as_file(resources.files("tidegate.demo") / "example") as example:
        shutil.copytree(example, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    if not path_filter:
        workflow = folder / WORKFLOW
        workflow.write_text(without_path_filter(workflow.read_text()))


def without_path_filter(workflow: str) -> str:
    """The workflow's text less its `paths:` block: then every push to main starts it."""
    text, count = re.subn(r"\n    paths:\n(?:      .*\n)+", "\n", workflow)
    if count != 1:
        raise InvalidInput("the example's workflow has no paths block")
    return text


def new_word() -> str:
    """A word that no earlier cycle served."""
    return f"tide-{secrets.token_hex(6)}"


def write_word(folder: Path, word: str) -> None:
    """Change the application's word in `main.py`."""
    path = folder / MAIN
    path.write_text(re.sub(r'^WORD = ".*"$', f'WORD = "{word}"', path.read_text(), count=1, flags=re.MULTILINE))


def git_environment() -> dict[str, str]:
    """For git in the developer's folder: the developer's name, and nothing of this machine's user: no configuration,
    and no proxy, which would be given the home's credential and can't reach a port of this machine.
    """
    committer = {name.replace("AUTHOR", "COMMITTER"): value for name, value in DEVELOPER.items()}
    fixed = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0"}
    return minimal_environment(DEVELOPER | committer | fixed)


async def git(folder: Path, *arguments: str) -> str:
    """Run git in the developer's folder to its end; what it wrote."""
    done = await run(["git", "-C", str(folder), *arguments], env=git_environment(), timeout=GIT_TIMEOUT)
    return done.text.strip()


async def commit_all(folder: Path, message: str) -> str:
    """Commit everything in the folder; the commit's id."""
    await git(folder, "add", "--all")
    await git(folder, "commit", "--quiet", "--message", message)
    return await git(folder, "rev-parse", "HEAD")
