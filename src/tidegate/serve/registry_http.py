"""What the registry's answers look like: OCI's error document, paging, the headers that clients look for. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

from starlette.responses import JSONResponse, Response

from tidegate.base.disk import DISK_FULL
from tidegate.base.errors import Denied, InvalidInput, LimitExceeded, NotFound, TidegateError

API_VERSION = {"Docker-Distribution-API-Version": "registry/2.0"}
TAGS_PAGE = 10_000
_RANGE = re.compile(r"bytes=([0-9]{1,18})-([0-9]{0,18})|bytes=-([0-9]{1,18})", re.ASCII)
_CONTENT_RANGE = re.compile(r"(?:bytes )?([0-9]{1,18})-([0-9]{1,18})(?:/.*)?", re.ASCII)


class RegistryError(TidegateError):
    """An error as OCI's distribution specification numbers them: an HTTP status and a code of its list."""

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None):
        super().__init__(message, code=code)
        self.status = status
        self.headers = dict(headers or {})


def error_response(error: RegistryError) -> Response:
    """The error document."""
    body = {"errors": [{"code": error.code, "message": error.message, "detail": None}]}
    return JSONResponse(body, error.status, API_VERSION | error.headers)


def as_registry_error(error: TidegateError, not_found: str, invalid: str) -> RegistryError:
    """Any error of ours as the registry says it; `not_found` and `invalid` are the codes that fit the endpoint."""
    if isinstance(error, RegistryError):
        return error
    if isinstance(error, NotFound):
        return RegistryError(404, not_found, error.message)
    if isinstance(error, Denied):
        return RegistryError(403, "DENIED", error.message)
    if isinstance(error, LimitExceeded):
        return RegistryError(413, "SIZE_INVALID", error.message)
    if error.code == "BlobUnknown":
        return RegistryError(404, "MANIFEST_BLOB_UNKNOWN", error.message)
    if isinstance(error, InvalidInput):
        return RegistryError(400, invalid, error.explain())
    if error.code == DISK_FULL:
        # No code of the specification's list is nearer; the status and the message say what it is.
        return RegistryError(507, "TOOMANYREQUESTS", f"the registry's disk is full, nothing was stored: {error.remedy}")
    return RegistryError(503, "TOOMANYREQUESTS", error.message)


def page_size(count: str | None) -> int:
    """How many tags a page has where `count` are asked for. Raises InvalidInput."""
    if count is not None and not (count.isascii() and count.isdigit() and len(count) < 10):
        raise InvalidInput(f"n={count[:20]!r} is no number of tags")
    return TAGS_PAGE if count is None else min(int(count), TAGS_PAGE)


def next_page(repository: str, page: Sequence[str], count: int) -> str:
    """The Link header to the page after `page`."""
    return f'</v2/{repository}/tags/list?{urlencode({"n": count, "last": page[-1]})}>; rel="next"'


def start_of_range(header: str | None) -> int | None:
    """Where a PATCH's Content-Range begins (`0-1023`, as the specification writes it), or None without one."""
    if header is None:
        return None
    match = _CONTENT_RANGE.fullmatch(header.strip())
    if match is None or int(match.group(2)) < int(match.group(1)):
        raise RegistryError(416, "BLOB_UPLOAD_INVALID", f"{header[:100]!r} is no content range")
    return int(match.group(1))


def is_range(header: str) -> bool:
    """Whether a Range header asks for one part; another one is ignored, as RFC 9110, 14.2, has it for what is invalid.

    Several parts at once no client of a registry asks for.
    """
    match = _RANGE.fullmatch(header.strip())
    return match is not None and not (match.group(1) and match.group(2) and int(match.group(2)) < int(match.group(1)))
