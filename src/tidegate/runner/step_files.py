"""The files through which one step talks to its job: made before it, read after it without trusting what lies there."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from tidegate.base.errors import NotFound
from tidegate.base.frozen import frozen
from tidegate.runner.folder import JobFolder
from tidegate.runner.layout import COMMANDS, Layout
from tidegate.workflow.command_files import (
    OUTPUTS_LIMIT,
    SUMMARY_LIMIT,
    parse_environment,
    parse_paths,
    parse_values,
)

_VARIABLES = {
    "GITHUB_OUTPUT": "set_output",
    "GITHUB_ENV": "set_env",
    "GITHUB_PATH": "add_path",
    "GITHUB_STATE": "save_state",
    "GITHUB_STEP_SUMMARY": "step_summary",
}
# A character takes four bytes at most.
_READ_LIMIT = 4 * OUTPUTS_LIMIT


@frozen
class Said:
    """What a step wrote to its files."""

    outputs: Mapping[str, str]
    env: Mapping[str, str]
    path: tuple[str, ...]
    summary: str
    state: Mapping[str, str]


class StepFiles:
    """The files of one step."""

    def __init__(self, folder: JobFolder, layout: Layout):
        self._folder = folder
        suffix = secrets.token_hex(8)
        self._paths = {name: f"{COMMANDS}/{stem}_{suffix}" for name, stem in _VARIABLES.items()}
        self.variables = {name: layout.inside(path) for name, path in self._paths.items()}

    def make(self) -> None:
        """Make them, empty."""
        for path in self._paths.values():
            self._folder.write(path, b"")

    def read(self) -> Said:
        """What the step wrote. Raises InvalidInput or LimitExceeded where a file is not as it must be."""
        summary = self._text("GITHUB_STEP_SUMMARY", SUMMARY_LIMIT)
        return Said(
            outputs=parse_values(self._text("GITHUB_OUTPUT", _READ_LIMIT), "GITHUB_OUTPUT"),
            env=parse_environment(self._text("GITHUB_ENV", _READ_LIMIT)),
            path=tuple(parse_paths(self._text("GITHUB_PATH", _READ_LIMIT))),
            summary=summary,
            state=parse_values(self._text("GITHUB_STATE", _READ_LIMIT), "GITHUB_STATE"),
        )

    def remove(self) -> None:
        """Delete them."""
        for path in self._paths.values():
            self._folder.delete(path)

    def _text(self, name: str, limit: int) -> str:
        try:
            return self._folder.read(self._paths[name], limit).decode("utf-8", "replace")
        except NotFound:
            return ""
