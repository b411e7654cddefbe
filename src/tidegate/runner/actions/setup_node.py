"""actions/setup-node: the machine's own Node.js, where it is the version asked for, and a cache for its packages."""

from __future__ import annotations

import asyncio
import json
import posixpath
import re
from collections.abc import Mapping
from dataclasses import replace

from tidegate.base.errors import InvalidInput, MissingTool, NotFound
from tidegate.runner.actions.action import Call, Inputs, Outputs
from tidegate.runner.actions.cache import CacheBoth
from tidegate.runner.hashing import hash_files

FILE_LIMIT = 1024 * 1024
_VERSION = re.compile(r"v(\d+)\.(\d+)\.(\d+)")
_ANY = re.compile(r"|\*|x|node|latest|current|lts|lts/\*", re.IGNORECASE)
_RANGE = re.compile(r"(>=|<=|>|<|=|\^|~)?\s*v?(\d+)(?:\.(\d+|[xX*]))?(?:\.(\d+|[xX*]))?")
# Where a package manager keeps what it has fetched, and the files by which it knows what to fetch.
_MANAGERS = {
    "npm": ("~/.npm", ("package-lock.json", "npm-shrinkwrap.json", "yarn.lock")),
    "yarn": ("~/.cache/yarn\n~/.yarn/berry/cache", ("yarn.lock",)),
    "pnpm": ("~/.local/share/pnpm/store", ("pnpm-lock.yaml",)),
}


class SetupNode:
    """Looks for node on the job's PATH."""

    inputs = Inputs(
        "actions/setup-node",
        known={"node-version": "", "node-version-file": "", "cache": "", "cache-dependency-path": ""},
        accepted=frozenset({"token", "check-latest", "architecture", "package-manager-cache"}),
        secret=frozenset({"token"}),
        refused={
            "registry-url": "write an .npmrc in a step",
            "scope": "write an .npmrc in a step",
            "always-auth": "write an .npmrc in a step",
            "mirror": "only the machine's own Node.js is there",
            "mirror-token": "only the machine's own Node.js is there",
        },
    )

    async def run(self, call: Call) -> Outputs:
        """Outputs `node-version`, `cache-hit`. Raises MissingTool where no such Node.js is there."""
        wanted = call.text("node-version") or await asyncio.to_thread(_from_file, call)
        code, text = await call.bench.tool(["sh", "-c", "command -v node && node --version"])
        found = _VERSION.search(text.splitlines()[-1]) if code == 0 and text else None
        if found is None:
            raise MissingTool("this machine has no Node.js", remedy="install it: apt-get install nodejs npm")
        version = (int(found[1]), int(found[2]), int(found[3]))
        if not fits(version, wanted):
            has = f"this machine has Node.js {found[0]}, not {wanted}"
            raise MissingTool(has, remedy=f"install {wanted} on it, or ask for the one that it has")
        await call.bench.say(f"Node.js {found[0]} of this machine is used: {text.splitlines()[0]}")
        outputs = {"node-version": found[0]}
        return {**outputs, **(await _cached(call) if call.text("cache") else {})}


async def _cached(call: Call) -> Outputs:
    """Put the packages back that an earlier run has fetched, and keep them when the job has succeeded."""
    manager, bench = call.text("cache"), call.bench
    if manager not in _MANAGERS:
        raise InvalidInput(f"cache is {manager!r}", where=call.where, remedy=f"one of: {', '.join(_MANAGERS)}")
    if call.services.caches is None:
        await bench.say("There is no place for caches here: packages are fetched anew.")
        return {}
    path, locks = _MANAGERS[manager]
    folder = bench.layout.workspace
    lines = (
        call.lines("cache-dependency-path")
        or [name for name in locks if bench.folder.is_file(bench.layout.relative(f"{folder}/{name}"))][:1]
    )
    digest = await asyncio.to_thread(hash_files(bench.folder, bench.layout, bench.clock).call, lines) if lines else ""
    if not digest:
        looked = ", ".join(call.lines("cache-dependency-path") or locks)
        raise NotFound(f"there is no lock file for {manager} in the workspace: {looked}", where=call.where)
    key = f"node-cache-Linux-{bench.environment()['RUNNER_ARCH'].lower()}-{manager}-{digest}"
    return await CacheBoth().run(replace(call, inputs={"key": key, "path": path}))


def fits(version: tuple[int, int, int], wanted: str) -> bool:
    """Whether a version is what `node-version` asks for: versions, parts of one, and ranges as npm writes them.

    Raises InvalidInput for anything else.
    """
    return any(_all_fit(version, part.strip()) for part in wanted.split("||"))


def _all_fit(version: tuple[int, int, int], wanted: str) -> bool:
    if _ANY.fullmatch(wanted):
        return True
    low, dash, high = wanted.partition(" - ")
    text = f">={low} <={high}" if dash else wanted
    ranges = list(_RANGE.finditer(text))
    if not ranges or _RANGE.sub("", text).strip():
        remedy = "write a version such as 20 or 20.11.1, or a range such as >=20"
        raise InvalidInput(f"{wanted!r} is no version of Node.js that is known here", remedy=remedy)
    return all(_one_fits(version, one) for one in ranges)


def _one_fits(version: tuple[int, int, int], one: re.Match[str]) -> bool:
    sign = one[1] or "="
    given = [int(part) for part in one.group(2, 3, 4) if part is not None and part.isdecimal()]
    start = version[: len(given)]
    least = tuple(given)
    if sign == "^":
        kept = next((place for place, part in enumerate(given) if part), len(given) - 1) + 1
        return start >= least and list(version[:kept]) == given[:kept]
    if sign == "~":
        return start >= least and list(version[: min(2, len(given))]) == given[:2]
    return {">=": start >= least, "<=": start <= least, ">": start > least, "<": start < least}.get(
        sign, start == least
    )


def _from_file(call: Call) -> str:
    """The version that a file of the repository asks for. Blocks."""
    name = call.text("node-version-file")
    if not name:
        return ""
    bench = call.bench
    path = bench.layout.relative(bench.layout.in_workspace(name))
    text = bench.folder.read(path, FILE_LIMIT).decode("utf-8", "replace")
    wanted = _of_package(text) if posixpath.basename(name) == "package.json" else _of_lines(text)
    if not wanted:
        raise NotFound(f"{name} asks for no version of Node.js", where=call.where)
    return wanted


def _of_package(text: str) -> str:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise InvalidInput("package.json is no JSON") from None
    for section in ("volta", "engines"):
        found = value.get(section) if isinstance(value, Mapping) else None
        if isinstance(found, Mapping) and isinstance(found.get("node"), str):
            return str(found["node"])
    return ""


def _of_lines(text: str) -> str:
    """The version in an .nvmrc, .node-version or .tool-versions."""
    lines = [line.partition("#")[0].strip() for line in text.splitlines()]
    for line in lines:
        if tool := re.fullmatch(r"(?:nodejs|node)\s+v?(\S+)", line):
            return tool[1]
    return next((line for line in lines if line and " " not in line), "")
