"""Where a job finds its things, as it sees them and as the server sees them. Pure."""

from __future__ import annotations

import posixpath
from pathlib import Path

from tidegate.base.errors import InvalidInput
from tidegate.base.frozen import frozen

HOME_INSIDE = "/home/runner"
WORK = "work"
TEMP = "work/_temp"
TOOLS = "work/_tool"
ACTIONS = "work/_actions"
COMMANDS = "work/_temp/_runner_file_commands"
EVENT = "work/_temp/_github_workflow"
# As GitHub mounts them where a job runs in a container; the first that fits a path counts.
IN_CONTAINER = (("work/_temp/_github_home", "/github/home"), (EVENT, "/github/workflow"), (WORK, "/__w"))


@frozen
class Layout:
    """A job's folders. `outside` is the job's folder on this machine, `home` the same folder as the job sees it; `tmp`
    is its /tmp; `staging` is out of its sight, on the same file system. `repository` is the name without its owner.
    `mounts` are parts of the job's folder that the job sees elsewhere, each with its place there.
    """

    outside: Path
    tmp: Path
    staging: Path
    home: str
    repository: str
    mounts: tuple[tuple[str, str], ...] = ()

    @property
    def workspace(self) -> str:
        """`GITHUB_WORKSPACE`, as the job sees it."""
        return self.inside(f"{WORK}/{self.repository}/{self.repository}")

    @property
    def temp(self) -> str:
        """`RUNNER_TEMP`."""
        return self.inside(TEMP)

    @property
    def tools(self) -> str:
        """`RUNNER_TOOL_CACHE`."""
        return self.inside(TOOLS)

    @property
    def programs(self) -> str:
        """Programs that the runner brings; the last folder of PATH."""
        return f"{self.tools}/bin"

    def inside(self, relative: str) -> str:
        """A path of the job's folder, as the job sees it."""
        for part, place in self.mounts:
            if relative == part or relative.startswith(f"{part}/"):
                return place + relative[len(part) :]
        return f"{self.home}/{relative}"

    def relative(self, path: str) -> str:
        """A path as the job sees it, as a path of its folder; one that lies elsewhere stays as it is."""
        for part, place in self.mounts:
            if path == place or path.startswith(f"{place}/"):
                return part + path[len(place) :]
        return path.removeprefix(self.home).lstrip("/") if path.startswith(f"{self.home}/") else path

    @property
    def event_path(self) -> str:
        """`GITHUB_EVENT_PATH`."""
        return self.inside(f"{EVENT}/event.json")

    def in_workspace(self, path: str) -> str:
        """A path given by a workflow, relative to the workspace, as the job sees it; it may not leave the workspace."""
        joined = posixpath.normpath(posixpath.join(self.workspace, path))
        if joined != self.workspace and not joined.startswith(f"{self.workspace}/"):
            raise InvalidInput(f"{path!r} is not under the workspace", remedy="give a path below github.workspace")
        return joined
