"""Check that everything `pip install tidegate` pulls installs on linux/arm/v7 without a compiler.

For CPython 3.11 and 3.13: each locked package has a pure wheel, an armv7l wheel, or is PyYAML, whose sdist builds pure.
"""

import sys
import tomllib
from pathlib import Path

from packaging.markers import Marker
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import parse_wheel_filename

PURE_FALLBACK = {"pyyaml"}
GLIBC = 36  # Debian 12's, the oldest that is supported
Packages = dict[str, dict[str, object]]


def main() -> None:
    lock = tomllib.loads(Path("uv.lock").read_text())
    packages: Packages = {package["name"]: package for package in lock["package"]}
    problems = [problem for python in ((3, 11), (3, 13)) for problem in check(packages, python)]
    for problem in problems:
        print(problem, file=sys.stderr)  # noqa: T201
    if problems:
        sys.exit(1)
    print("the lock installs on linux/arm/v7 with cp311 and cp313")  # noqa: T201


def check(packages: Packages, python: tuple[int, int]) -> list[str]:
    tags = supported(python)
    problems = []
    for name in sorted(closure(packages, python)):
        wheels = [wheel["url"].rpartition("/")[2] for wheel in packages[name].get("wheels", [])]
        fits = any(parse_wheel_filename(wheel)[3] & tags for wheel in wheels)
        if not fits and name not in PURE_FALLBACK:
            problems.append(f"{name}: no wheel for armv7l on cp{python[0]}{python[1]}")
    return problems


def supported(python: tuple[int, int]) -> frozenset[Tag]:
    platforms = [f"manylinux_2_{minor}_armv7l" for minor in range(GLIBC, 16, -1)]
    platforms += ["manylinux2014_armv7l", "linux_armv7l"]
    found = [*cpython_tags(python, platforms=platforms), *compatible_tags(python, platforms=platforms)]
    return frozenset(found)


def closure(packages: Packages, python: tuple[int, int]) -> set[str]:
    environment = {
        "python_version": f"{python[0]}.{python[1]}",
        "python_full_version": f"{python[0]}.{python[1]}.0",
        "platform_machine": "armv7l",
        "sys_platform": "linux",
        "os_name": "posix",
        "platform_system": "Linux",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "extra": "",
    }
    root = packages["tidegate"]
    wanted = [*root["dependencies"], *root.get("optional-dependencies", {}).get("build", [])]
    found: set[str] = set()
    while wanted:
        dependency = wanted.pop()
        if dependency["name"] in found:
            continue
        if "marker" in dependency and not Marker(dependency["marker"]).evaluate(environment):
            continue
        found.add(dependency["name"])
        package = packages[dependency["name"]]
        wanted += package.get("dependencies", [])
        for extra in dependency.get("extra", []):
            wanted += package.get("optional-dependencies", {}).get(extra, [])
    return found


if __name__ == "__main__":
    main()
