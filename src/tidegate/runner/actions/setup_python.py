"""actions/setup-python: the machine's own Python, where it is the version asked for."""

from __future__ import annotations

import re

from tidegate.base.errors import MissingTool, NotFound
from tidegate.runner.actions.action import Call, Inputs, Outputs

_VERSION = re.compile(r"Python (\d+\.\d+\.\d+)")
_WANTED = re.compile(r"[\d.x*]+")


class SetupPython:
    """Looks for pythonX.Y and python3 on the job's PATH."""

    inputs = Inputs(
        "actions/setup-python",
        known={"python-version": "", "update-environment": "true"},
        accepted=frozenset({"token", "check-latest", "allow-prereleases", "architecture"}),
        refused={
            "cache": "there is no cache of packages",
            "cache-dependency-path": "there is no cache of packages",
            "python-version-file": "name the version in python-version",
            "freethreaded": "only the machine's own Python is there",
            "pip-version": "only the machine's own pip is there",
            "pip-install": "install packages in a step",
        },
    )

    async def run(self, call: Call) -> Outputs:
        """Outputs `python-version`, `python-path`, `cache-hit`. Raises MissingTool where no such Python is there."""
        wanted = (call.lines("python-version") or [""])[0].lstrip("v")
        exact = _WANTED.fullmatch(wanted) is not None
        prefix = re.sub(r"(\.[x*])+$", "", wanted) if exact else ""
        parts = prefix.split(".")
        names = [f"python{'.'.join(parts[:2])}"] if len(parts) > 1 else []
        for name in [*names, "python3", "python"]:
            found = await self._look(call, name)
            if found and (not prefix or f"{found[0]}.".startswith(f"{prefix}.")):
                return await self._use(call, *found)
        raise MissingTool(
            f"this machine has no Python {wanted}", remedy=f"install it: apt-get install {names or 'python3'}"
        )

    async def _look(self, call: Call, name: str) -> tuple[str, str] | None:
        code, text = await call.bench.tool(["sh", "-c", 'command -v "$1" && "$1" --version', "sh", name])
        version = _VERSION.search(text)
        return (version.group(1), text.splitlines()[0]) if code == 0 and version else None

    async def _use(self, call: Call, version: str, path: str) -> Outputs:
        await call.bench.say(f"Python {version} of this machine is used: {path}")
        if call.flag("update-environment"):
            folder = f"{call.bench.layout.tools}/python-{version}/bin"
            script = 'mkdir -p "$1" && ln -sf "$2" "$1/python" && ln -sf "$2" "$1/python3"'
            code, text = await call.bench.tool(["sh", "-c", script, "sh", folder, path])
            if code:
                raise NotFound(f"{folder} can't be made: {text}")
            call.bench.state.path.insert(0, folder)
        return {"python-version": version, "python-path": path, "cache-hit": "false"}
