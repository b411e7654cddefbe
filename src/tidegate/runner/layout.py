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


@frozen
class Layout:
    """A job's folders. `outside` is the job's folder on this machine, `home` the same folder as the job sees it; `tmp`
    is its /tmp; `staging` is out of its sight, on the same file system. `repository` is the name without its owner.
    """

    outside: Path
    tmp: Path
    staging: Path
    home: str
    repository: str

    @property
    def workspace(self) -> str:
        """`GITHUB_WORKSPACE`, as the job sees it."""
        return f"{self.home}/{WORK}/{self.repository}/{self.repository}"

    @property
    def temp(self) -> str:
        """`RUNNER_TEMP`."""
        return f"{self.home}/{TEMP}"

    @property
    def tools(self) -> str:
        """`RUNNER_TOOL_CACHE`."""
        return f"{self.home}/{TOOLS}"

    @property
    def programs(self) -> str:
        """Programs that the runner brings; the last folder of PATH."""
        return f"{self.tools}/bin"

    def inside(self, relative: str) -> str:
        """A path of the job's folder, as the job sees it."""
        return f"{self.home}/{relative}"

    def in_workspace(self, path: str) -> str:
        """A path given by a workflow, relative to the workspace, as the job sees it; it may not leave the workspace."""
        joined = posixpath.normpath(posixpath.join(self.workspace, path))
        if joined != self.workspace and not joined.startswith(f"{self.workspace}/"):
            raise InvalidInput(f"{path!r} is not under the workspace", remedy="give a path below github.workspace")
        return joined
