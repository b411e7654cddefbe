"""Reading a definition's schema in tests: the paths of its fields, and an object that has them all."""

from typing import Any

DURATION, SHORT_DURATION = r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$", r"^([0-9]+(\.[0-9]+)?(ms|s|m))+$"
MATCHING = {
    DURATION: "1m30s",
    SHORT_DURATION: "1m30s",
    r"^(http|https|ssh)://.*$": "https://example.org/one.git",
    r"^https?://": "https://example.org",
    r"^$|^[^+:]": "refs/heads/one",
    r"^[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9._-]+$": "acme/shop",
    r"^([0-9a-f]{40}|[0-9a-f]{64})$": "0" * 40,
    r"^(https?|ssh)://[^\s?#]+$": "https://git.example",
    r"^([0-9a-f]{40}|[0-9a-f]{64})?$": "1" * 40,
    r"^[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[a-zA-Z0-9=_-]+$": "sha256:" + "0" * 64,
}
"""A string for each pattern that a schema has."""


def schema_of(definition: Any, part: str) -> Any:
    """The schema of `spec` or `status` in the stored version."""
    versions = definition["spec"]["versions"]
    stored = next(version for version in versions if version["storage"])
    return stored["schema"]["openAPIV3Schema"]["properties"][part]


def paths(schema: Any, path: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    """The paths of all fields; of lists those of their items, of mappings those of their values below `*`."""
    found = {path} if path else set()
    for name, field in (schema.get("properties") or {}).items():
        found |= paths(field, (*path, name))
    if isinstance(schema.get("additionalProperties"), dict):
        found |= paths(schema["additionalProperties"], (*path, "*"))
    return found | paths(schema["items"], path) if "items" in schema else found


def full(schema: Any) -> Any:
    """A value that has every field which the schema has."""
    kind = schema.get("type")
    if "enum" in schema:
        return schema["enum"][-1]
    if kind == "object":
        if "properties" in schema:
            return {name: full(field) for name, field in schema["properties"].items()}
        return {"one": full(schema.get("additionalProperties") or {"type": "string"})}
    if schema.get("x-kubernetes-int-or-string"):
        return "512Mi"
    if kind == "array":
        return [full(schema["items"])]
    if kind == "string":
        return _text(schema)
    return {"boolean": True, "integer": 3}.get(kind, {"any": "thing"})


def _text(schema: Any) -> str:
    if schema.get("format") == "date-time":
        return "2026-01-15T12:00:00Z"
    if "pattern" in schema:
        return MATCHING.get(schema["pattern"], "Word")
    return "word"
