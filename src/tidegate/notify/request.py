"""A request to somebody who is told. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from tidegate.base.frozen import frozen


@frozen
class Request:
    """`body` is what is sent as JSON, or already is the text of it. URL and headers may hold secrets."""

    method: str
    url: str = field(repr=False)
    body: Mapping[str, Any] | bytes
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
