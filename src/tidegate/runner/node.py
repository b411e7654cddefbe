"""What a JavaScript action finds: the machine's Node.js, its inputs and its state as environment variables."""

from __future__ import annotations

import re
from collections.abc import Mapping

from tidegate.base.errors import MissingTool
from tidegate.runner.workbench import Workbench

_VERSION = re.compile(r"v(\d+)\.\d+\.\d+")


async def found_node(bench: Workbench, wanted: int) -> str:
    """The path of Node.js on the job's PATH, with a warning where it is older than the action asks for.

    Raises MissingTool where there is none.
    """
    code, text = await bench.tool(["sh", "-c", "command -v node && node --version"], as_step=True)
    version = _VERSION.fullmatch(text.splitlines()[-1]) if code == 0 and text else None
    if version is None:
        where, remedy = "this machine", "install it: apt-get install nodejs"
        if bench.inside is not None:
            where, remedy = "the job's container", "use an image that has it, such as node"
        raise MissingTool(f"{where} has no Node.js, and the action asks for version {wanted}", remedy=remedy)
    if int(version[1]) < wanted:
        await bench.say(f"##[warning]The action asks for Node.js {wanted}; this machine has {version[0]}.")
    return text.splitlines()[0]


def inputs_as_variables(inputs: Mapping[str, str]) -> dict[str, str]:
    """As @actions/core looks for them: `who to greet` → `INPUT_WHO_TO_GREET`."""
    return {f"INPUT_{name.replace(' ', '_').upper()}": value for name, value in inputs.items()}


def state_as_variables(state: Mapping[str, str]) -> dict[str, str]:
    """What the main script has saved for the post script: `pid` → `STATE_pid`."""
    return {f"STATE_{name}": value for name, value in state.items()}
