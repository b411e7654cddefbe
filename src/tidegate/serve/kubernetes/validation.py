"""Checks objects before they are stored: those of our kinds by their models, Kubernetes' kinds that run here by the
fields that its API has. Other kinds pass as they are.
"""

from __future__ import annotations

from tidegate.kinds.models import model_of
from tidegate.kinds.objects import Object
from tidegate.kinds.strict import unknown_fields
from tidegate.serve.kubernetes.status import BadRequest

STRICT, WARN, IGNORE = "Strict", "Warn", "Ignore"


def check(obj: Object, field_validation: str) -> list[str]:
    """The warnings that storing this object brings.

    Raises InvalidInput with the paths of wrong fields, and BadRequest for unknown fields where they are to be refused.
    """
    model = model_of(obj)
    if model is None:
        unknown = [problem.message for problem in unknown_fields(obj)]
    else:
        unknown = [f'unknown field "{path}"' for path in model.unknown_fields]
    if unknown and field_validation == STRICT:
        version, kind = str(obj.get("apiVersion")).rpartition("/")[2], obj.get("kind")
        told = ", ".join(unknown)
        raise BadRequest(f'{kind} in version "{version}" cannot be handled as a {kind}: strict decoding error: {told}')
    return [] if field_validation == IGNORE else unknown


def field_validation(value: str) -> str:
    """The query's fieldValidation; the API's default is Warn."""
    if value not in ("", STRICT, WARN, IGNORE):
        raise BadRequest(f"fieldValidation: {value!r} is none of {STRICT}, {WARN}, {IGNORE}")
    return value or WARN
