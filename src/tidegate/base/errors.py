"""Every error that Tidegate raises on purpose, in one tree.

TidegateError
├── InvalidInput          what was given is wrong: a spec, a file, a flag; retrying does not help
├── NotFound              the thing named does not exist
├── Conflict              somebody else was first: a stale resource version, a ref that moved
│   └── AlreadyExists
├── OwnedByAnother        another program manages the thing; ours keeps off until that one is gone
├── Denied                the credential is missing or too weak
├── Unavailable           the other side is down, slow or answers garbage; retrying may help
│   └── RateLimited       … and it said when
├── LimitExceeded         a bound on size, time or count was reached
├── CommandFailed         a program that we ran ended badly
└── MissingTool           a program or a kernel feature that this machine lacks

Each says what failed, where, and what to do next. Messages never contain secrets: whoever raises redacts.
"""

from __future__ import annotations

from typing import Self

from tidegate.base.frozen import frozen


@frozen
class Where:
    """A place in something that a person wrote: a file, a line and column (from 1), a field path."""

    file: str | None = None
    line: int | None = None
    column: int | None = None
    field: str | None = None

    def __str__(self) -> str:
        position = ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)
        return f"{position} ({self.field})" if position and self.field else position or self.field or ""


class TidegateError(Exception):
    """The root: `message` says what failed, `where` the place, `remedy` the next step; `code` is for programs."""

    code = "Error"

    def __init__(self, message: str, *, where: Where | None = None, remedy: str | None = None, code: str | None = None):
        super().__init__(message)
        self.message = message
        self.where = where
        self.remedy = remedy
        if code is not None:
            self.code = code

    def under(self, code: str) -> Self:
        """The same error under a code that says more than that of its class; one that has its own keeps it."""
        if self.code != type(self).code:
            return self
        same = type(self).__new__(type(self), *self.args)
        same.__dict__.update(self.__dict__, code=code)
        return same

    def __str__(self) -> str:
        prefix = f"{self.where}: " if self.where and str(self.where) else ""
        return f"{prefix}{self.message}"

    def explain(self) -> str:
        """The message as the CLI prints it: the place, what failed, then the next step on a line of its own."""
        return f"{self}\n{self.remedy}" if self.remedy else str(self)


class InvalidInput(TidegateError):
    """What was given is wrong; the same input fails again."""

    code = "InvalidInput"


class NotFound(TidegateError):
    """The thing named does not exist."""

    code = "NotFound"


class Conflict(TidegateError):
    """Somebody else was first; read again, then decide again."""

    code = "Conflict"


class AlreadyExists(Conflict):
    """A thing of that name exists already."""

    code = "AlreadyExists"


class OwnedByAnother(TidegateError):
    """Another program, `manager`, manages the thing: a fight over it would never end."""

    code = "OwnedByAnother"

    def __init__(self, message: str, *, manager: str, remedy: str | None = None):
        super().__init__(message, remedy=remedy)
        self.manager = manager


class Denied(TidegateError):
    """The credential is missing, wrong, or does not reach so far."""

    code = "Denied"


class Unavailable(TidegateError):
    """The other side did not give a usable answer; the same call may go through later."""

    code = "Unavailable"


class RateLimited(Unavailable):
    """The other side asked us to wait; `retry_after` is in seconds."""

    code = "RateLimited"

    def __init__(self, message: str, *, retry_after: float, where: Where | None = None, remedy: str | None = None):
        super().__init__(message, where=where, remedy=remedy)
        self.retry_after = retry_after


class LimitExceeded(TidegateError):
    """A bound on size, time or count was reached."""

    code = "LimitExceeded"


class CommandFailed(TidegateError):
    """A program ended badly. `exit_code` is None where it was killed for taking too long."""

    code = "CommandFailed"

    def __init__(self, message: str, *, exit_code: int | None, output: str = "", remedy: str | None = None):
        super().__init__(message, remedy=remedy)
        self.exit_code = exit_code
        self.output = output


class MissingTool(TidegateError):
    """A program or a kernel feature is not there; `remedy` names the package or the setting."""

    code = "MissingTool"
