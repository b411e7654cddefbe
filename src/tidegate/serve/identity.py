"""What a door needs to know of whoever asks; `serve/auth.py` is one that knows it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol


class Identity(Protocol):
    """Who asks, and what that credential may do."""

    @property
    def subject(self) -> str: ...

    @property
    def scopes(self) -> Collection[str]: ...


class Authorizer(Protocol):
    """Reads an Authorization header; None where it holds no valid credential."""

    def identify(self, header: str | None) -> Identity | None: ...
