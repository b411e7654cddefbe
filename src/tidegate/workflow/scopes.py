"""Which contexts and functions an expression may use at each place (GitHub's "Context availability" table)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tidegate.base.frozen import frozen
from tidegate.workflow.expressions import ExpressionError, Function, Value


@frozen
class Available:
    """Contexts by name, and functions beside the built-in ones."""

    contexts: tuple[str, ...]
    functions: Mapping[str, Function]


def _not_here(arguments: Sequence[Value]) -> Value:
    raise ExpressionError("this function has no answer outside a run")


STATUS: Mapping[str, Function] = {
    "always": Function(0, 0, _not_here),
    "cancelled": Function(0, 0, _not_here),
    "failure": Function(0, 255, _not_here),
    "success": Function(0, 255, _not_here),
}
"""The status functions' signatures; a run brings their answers."""

HASH_FILES: Mapping[str, Function] = {"hashfiles": Function(1, 255, _not_here)}
"""hashFiles' signature; a step's workspace brings its answer."""


def _of(contexts: str, *functions: Mapping[str, Function]) -> Available:
    return Available(tuple(contexts.split()), {name: function for part in functions for name, function in part.items()})


_STEP = "github needs strategy matrix job runner env vars secrets steps inputs"

WORKFLOW = _of("github inputs vars")
WORKFLOW_ENV = _of("github secrets inputs vars")
CALL_OUTPUT = _of("github jobs vars inputs")
JOB = _of("github needs strategy matrix vars inputs")
JOB_ENV = _of("github needs strategy matrix vars secrets inputs")
JOB_IF = _of("github needs vars inputs", STATUS)
JOB_OUTPUT = _of(_STEP)
DEFAULTS = _of("github needs strategy matrix env vars inputs")
STRATEGY = _of("github needs vars inputs")
ENVIRONMENT_URL = _of("github needs strategy matrix job runner env vars steps inputs")
CREDENTIALS = _of("github needs strategy matrix env vars secrets inputs")
CONTAINER_ENV = _of("github needs strategy matrix job runner env vars secrets inputs")
CALL_SECRETS = _of("github needs strategy matrix secrets inputs vars")
STEP = _of(_STEP, HASH_FILES)
STEP_IF = _of("github needs strategy matrix job runner env vars steps inputs", STATUS, HASH_FILES)
_ACTION_STEP = "github inputs strategy matrix steps job runner env"
ACTION_STEP = _of(_ACTION_STEP, HASH_FILES)
ACTION_STEP_IF = _of(_ACTION_STEP, STATUS, HASH_FILES)
ACTION_OUTPUT = _of(_ACTION_STEP)
ACTION_RUN = _of("inputs github env job runner strategy matrix steps")
ACTION_DEFAULT = _of("github strategy matrix job runner", HASH_FILES)
ACTION_POST_IF = _of("github strategy matrix steps job runner env", STATUS, HASH_FILES)
NOTHING = _of("")
