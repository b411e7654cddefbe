"""The one reader of YAML and JSON files: plain data, and for every value the line and column where it was written.

What a fault looks like to people depends on this: whoever validates a document asks it `where` a field is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tidegate.base.errors import InvalidInput, LimitExceeded, Where
from tidegate.base.yaml_nodes import DEFAULT_LIMITS, Limits, Node, compose
from tidegate.base.yaml_scalars import NotRepresentable, Scalar, Schema, resolve

__all__ = [
    "DEFAULT_LIMITS",
    "Document",
    "Limits",
    "Path",
    "Schema",
    "field_path",
    "load_document",
    "load_documents",
    "value_at",
]

Path = tuple[str | int, ...]
"""The way to a value: mapping keys and sequence indexes from the document's root."""

_MERGE_TAG = "tag:yaml.org,2002:merge"


class Document:
    """One document of a file. `value` is plain data: dict, list, str, int, float, bool, None; keys are strings."""

    __slots__ = ("_root", "_schema", "file", "value")

    def __init__(self, file: str, root: Node, value: Any, schema: Schema):
        self.file = file
        self.value = value
        self._root = root
        self._schema = schema

    def where(self, path: Path = ()) -> Where:
        """The place of the value at `path`; where there is none, of the nearest value that would hold it."""
        node = self._root
        for part in path:
            pair = _step(node, part, self._schema)
            if pair is None:
                break
            node = pair[1]
        return Where(self.file, node.line, node.column, field_path(path) or None)

    def text(self, path: Path) -> str | None:
        """The scalar at `path` as it was written, whatever its type; None where there is none."""
        node = self._root
        for part in path:
            pair = _step(node, part, self._schema)
            if pair is None:
                return None
            node = pair[1]
        return node.text if node.kind == "scalar" else None

    def where_key(self, path: Path) -> Where:
        """The place of the key that ends `path` rather than of its value: for a field that should not be there."""
        node = self._root
        for part in path[:-1]:
            pair = _step(node, part, self._schema)
            if pair is None:
                return self.where(path)
            node = pair[1]
        pair = _step(node, path[-1], self._schema) if path else None
        if pair is None:
            return self.where(path)
        return Where(self.file, pair[0].line, pair[0].column, field_path(path))


def load_documents(
    data: bytes,
    *,
    file: str,
    schema: Schema = Schema.KUBERNETES,
    limits: Limits = DEFAULT_LIMITS,
    unique_keys: bool = True,
) -> list[Document]:
    """Every document of `data` that has content.

    UTF-8 with or without a byte order mark (or UTF-16 with one). A key given twice, an unknown alias, a key that is a
    list or a mapping, and whatever YAML 1.1's grammar refuses is InvalidInput with `file`, line and column; past one of
    `limits` it is LimitExceeded. Untyped scalars are read by `schema`; merge keys (`<<`) by all but YAML 1.2. Only
    where a format says so may keys repeat (`unique_keys` false): the last one counts.
    """
    builder = _Builder(file, schema, limits, unique_keys=unique_keys)
    roots = compose(data, file=file, limits=limits)
    return [Document(file, root, builder.value(root, 0), schema) for root in roots]


def load_document(
    data: bytes, *, file: str, schema: Schema = Schema.KUBERNETES, limits: Limits = DEFAULT_LIMITS
) -> Document:
    """The only document of `data`; InvalidInput where there is none or more than one."""
    documents = load_documents(data, file=file, schema=schema, limits=limits)
    if len(documents) != 1:
        found = "is empty" if not documents else f"has {len(documents)} documents"
        raise InvalidInput(f"the file {found}; one document is expected", where=Where(file))
    return documents[0]


def value_at(value: Any, path: Path) -> Any:
    """What is at a path in a document's value; None where there is nothing."""
    for part in path:
        if isinstance(value, Mapping) and isinstance(part, str):
            value = value.get(part)
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
        else:
            return None
    return value


def field_path(path: Path) -> str:
    """`("spec", "containers", 0, "image")` → `spec.containers[0].image`; keys with dots or slashes in quotes."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif "." in part or "/" in part or not part:
            text += f'["{part}"]'
        else:
            text += f".{part}" if text else part
    return text


class _Builder:
    """Turns nodes into plain data; counts what aliases multiply."""

    def __init__(self, file: str, schema: Schema, limits: Limits, *, unique_keys: bool):
        self._file = file
        self._schema = schema
        self._limits = limits
        self._unique_keys = unique_keys
        self._count = 0

    def value(self, node: Node, depth: int) -> Any:
        self._count += 1
        if self._count > self._limits.nodes:
            message = f"the file holds more than {self._limits.nodes} values once its aliases are written out"
            raise LimitExceeded(message, where=self._where(node))
        if node.kind == "scalar":
            return self._scalar(node)
        if depth >= self._limits.depth:
            raise LimitExceeded(f"more than {self._limits.depth} levels of nesting", where=self._where(node))
        if node.kind == "sequence":
            return [self.value(item, depth + 1) for item in node.items]
        return self._mapping(node, depth)

    def _mapping(self, node: Node, depth: int) -> dict[str, Any]:
        result: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key_node, value_node in node.pairs:
            if _is_merge(key_node, self._schema):
                for source in self._merge_sources(value_node):
                    for name, value in self.value(source, depth + 1).items():
                        merged.setdefault(name, value)
                continue
            name = self._key(key_node)
            if name in result and self._unique_keys:
                raise InvalidInput(f"the key {name!r} is given twice", where=self._where(key_node))
            result[name] = self.value(value_node, depth + 1)
        for name, value in merged.items():
            result.setdefault(name, value)
        return result

    def _merge_sources(self, node: Node) -> list[Node]:
        sources = node.items if node.kind == "sequence" else [node]
        if any(source.kind != "mapping" for source in sources):
            raise InvalidInput("<< needs a mapping or a list of mappings", where=self._where(node))
        return sources

    def _key(self, node: Node) -> str:
        if node.kind != "scalar":
            raise InvalidInput("a key must be a scalar", where=self._where(node))
        name = _key_text(node, self._schema)
        if name is None:
            raise InvalidInput("a key must not be null", where=self._where(node))
        return name

    def _scalar(self, node: Node) -> Scalar:
        try:
            return resolve(node.text, node.tag, self._schema, plain=node.plain)
        except NotRepresentable as error:
            raise InvalidInput(str(error), where=self._where(node)) from None

    def _where(self, node: Node) -> Where:
        return Where(self._file, node.line, node.column)


def _is_merge(key: Node, schema: Schema) -> bool:
    if schema is Schema.YAML_1_2 or key.kind != "scalar":
        return False
    return key.tag == _MERGE_TAG or (key.plain and key.tag is None and key.text == "<<")


def _key_text(node: Node, schema: Schema) -> str | None:
    """A key as JSON has it: the text as written, but in manifests the resolved spelling of an integer or boolean."""
    try:
        value = resolve(node.text, node.tag, schema, plain=node.plain)
    except NotRepresentable:
        return node.text
    if value is None and schema is not Schema.YAML_1_2:
        return None
    if schema is Schema.KUBERNETES and isinstance(value, int):
        return str(value).lower()
    return node.text


def _step(node: Node, part: str | int, schema: Schema) -> tuple[Node, Node] | None:
    """The key's and the value's node one step below; for an item both are the item."""
    if isinstance(part, int):
        return (node.items[part], node.items[part]) if 0 <= part < len(node.items) else None
    for key, value in node.pairs:
        if key.kind == "scalar" and not _is_merge(key, schema) and _key_text(key, schema) == part:
            return key, value
    return next((pair for pair in _merged(node, part, schema) if pair), None)


def _merged(node: Node, part: str, schema: Schema) -> Iterator[tuple[Node, Node] | None]:
    for key, value in node.pairs:
        if _is_merge(key, schema):
            for source in value.items or [value]:
                yield _step(source, part, schema)
