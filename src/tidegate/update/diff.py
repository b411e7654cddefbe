"""What changes in files, as a diff that `git apply` and `patch -p1` take. Pure."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Collection, Mapping

_ESCAPES = {0x07: "a", 0x08: "b", 0x09: "t", 0x0A: "n", 0x0B: "v", 0x0C: "f", 0x0D: "r", 0x22: '"', 0x5C: "\\"}
NO_NEWLINE = b"\n\\ No newline at end of file\n"


def unified_diff(
    read: Callable[[str], bytes],
    files: Mapping[str, bytes],
    created: Collection[str] = (),
    executable: Collection[str] = (),
) -> list[bytes]:
    """The lines of the diff from what `read` answers for each path to its new content; those of `created` are new."""
    lines: list[bytes] = []
    for path, data in files.items():
        old, new = _name(f"a/{path}"), _name(f"b/{path}")
        before = b"" if path in created else read(path)
        if path in created:
            mode = b"100755" if path in executable else b"100644"
            lines += [b"diff --git %b %b\n" % (old, new), b"new file mode %b\n" % mode]
            old = b"/dev/null"
        found = difflib.diff_bytes(difflib.unified_diff, _lines(before), _lines(data), old, new)
        lines += [line if line.endswith(b"\n") else line + NO_NEWLINE for line in found]
    return lines


def _lines(data: bytes) -> list[bytes]:
    """Lines with their ends; `splitlines` would also end them where YAML and git do not."""
    *whole, rest = data.split(b"\n")
    return [part + b"\n" for part in whole] + ([rest] if rest else [])


def _name(path: str) -> bytes:
    """A path as git writes it: in quotes where it holds what would end or garble the line."""
    raw = os.fsencode(path)
    if path.isprintable() and not set(raw) & _ESCAPES.keys():
        return raw
    return b'"' + b"".join(_escaped(byte) for byte in raw) + b'"'


def _escaped(byte: int) -> bytes:
    if byte in _ESCAPES:
        return f"\\{_ESCAPES[byte]}".encode()
    return bytes([byte]) if 0x20 <= byte < 0x7F else f"\\{byte:03o}".encode()
