"""Data and texts as YAML that is written anew. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

from tidegate.base.yaml import load_documents

_PLAIN = re.compile(r"[A-Za-z_][\w./\-]*", re.ASCII)


def block(data: Mapping[str, Any], indent: int) -> str:
    """A mapping in block style, each line behind `indent` blanks."""
    text = yaml.safe_dump(dict(data), sort_keys=False, width=10_000, allow_unicode=True)
    return "".join(f"{' ' * indent}{line}\n" for line in text.splitlines())


def scalar(text: str) -> str:
    """A text as a YAML scalar: plain where it can't be taken for anything else."""
    if _PLAIN.fullmatch(text) and load_documents(text.encode(), file="")[0].value == text:
        return text
    return "'" + text.replace("'", "''") + "'"
