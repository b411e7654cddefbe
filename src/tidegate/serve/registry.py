"""The registry's door: OCI's distribution specification v1.1 over a BlobStore.

Pulling is open unless reading needs a credential here; pushing and deleting need `packages:OWNER:write`, where OWNER is
the repository's first part. A half upload is never served.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from tidegate.base.errors import TidegateError
from tidegate.oci.blobs import BlobStore, check_name, check_tag
from tidegate.oci.values import (
    MANIFEST_LIMIT,
    OCI_INDEX,
    Index,
    Manifest,
    check_digest,
    digest_of,
    is_digest,
    media_type_of,
)
from tidegate.serve.auth import Authorizer, Credential, token_of
from tidegate.serve.registry_http import (
    API_VERSION,
    RegistryError,
    as_registry_error,
    error_response,
    is_range,
    next_page,
    page_size,
    start_of_range,
)
from tidegate.serve.registry_uploads import Upload, Uploads, range_of

OnTag = Callable[[str, str, str], Awaitable[None]]
"""Told of (repository, tag, digest) after the tag is set."""
Document = Manifest | Index
Handler = Callable[[Request], Awaitable[Response]]
_NAME = "/v2/{name:path}"
# A token that says "nobody": clients that ping first send only what a token endpoint gave them.
_ANONYMOUS = "anonymous"
_TOKEN_LIFE = 300
LARGE_MANIFEST, LARGE_AT_ONCE = 64 * 1024, 2


class RegistryDoor:
    """The routes under `/v2/`. `reads_need_credential` is for a door that is open beyond loopback."""

    def __init__(
        self,
        blobs: BlobStore,
        authorizer: Authorizer,
        on_tag: OnTag,
        *,
        reads_need_credential: bool = False,
        uploads: Uploads | None = None,
    ):
        self._blobs = blobs
        self._authorizer = authorizer
        self._on_tag = on_tag
        self._closed = reads_need_credential
        self._uploads = uploads or Uploads(blobs)
        self._large = 0

    def routes(self) -> list[Route]:
        """The routes, to be mounted at the root of a host."""
        manifests, uploads = f"{_NAME}/manifests/{{reference}}", f"{_NAME}/blobs/uploads"
        return [
            _route("/v2", self._ping, "GET"),
            _route("/v2/", self._ping, "GET"),
            _route("/v2/token", self._token, "GET"),
            _route(uploads, self._start_upload, "POST"),
            _route(f"{uploads}/", self._start_upload, "POST"),
            _route(f"{uploads}/{{session}}", self._upload_status, "GET"),
            _route(f"{uploads}/{{session}}", self._append, "PATCH"),
            _route(f"{uploads}/{{session}}", self._finish_upload, "PUT"),
            _route(f"{uploads}/{{session}}", self._cancel_upload, "DELETE"),
            _route(f"{_NAME}/blobs/{{digest}}", self._get_blob, "GET", "BLOB_UNKNOWN", "DIGEST_INVALID"),
            _route(f"{_NAME}/blobs/{{digest}}", self._delete_blob, "DELETE", "BLOB_UNKNOWN", "DIGEST_INVALID"),
            _route(manifests, self._get_manifest, "GET", "MANIFEST_UNKNOWN", "MANIFEST_INVALID"),
            _route(manifests, self._put_manifest, "PUT", "MANIFEST_UNKNOWN", "MANIFEST_INVALID"),
            _route(manifests, self._delete_manifest, "DELETE", "MANIFEST_UNKNOWN", "MANIFEST_INVALID"),
            _route(f"{_NAME}/tags/list", self._list_tags, "GET", "NAME_UNKNOWN", "PAGINATION_NUMBER_INVALID"),
            _route(f"{_NAME}/referrers/{{digest}}", self._referrers, "GET", "MANIFEST_UNKNOWN", "DIGEST_INVALID"),
        ]

    def close(self) -> None:
        """End the uploads that are under way, as the process is about to."""
        self._uploads.close()

    async def _ping(self, request: Request) -> Response:
        """Clients send credentials only where this asked for them, so it asks everybody; a token is for anybody."""
        if _asked_by_nobody(request) and "authorization" not in request.headers:
            raise self._challenge(request, "authentication required", "")
        self._credential(request)
        return JSONResponse({}, headers=API_VERSION)

    async def _token(self, request: Request) -> Response:
        """Docker's token protocol. The token is the very one that came as password, which Bearer takes as well."""
        credential = self._authorizer.identify(request.headers.get("authorization"))
        if credential is None and not _asked_by_nobody(request):
            raise RegistryError(401, "UNAUTHORIZED", "the user or the token is wrong")
        token = _ANONYMOUS if credential is None else token_of(request.headers.get("authorization"))
        answer = {"token": token, "access_token": token, "expires_in": _TOKEN_LIFE}
        return JSONResponse(answer, headers=API_VERSION | {"Cache-Control": "no-store"})

    async def _get_manifest(self, request: Request) -> Response:
        name = self._readable(request)
        stored = await asyncio.to_thread(self._blobs.manifest, name, request.path_params["reference"])
        headers = API_VERSION | {"Docker-Content-Digest": stored.digest, "ETag": f'"{stored.digest}"'}
        if request.method == "HEAD":
            headers |= {"Content-Length": str(len(stored.data))}
            return Response(None, 200, headers, stored.media_type)
        return Response(stored.data, 200, headers, stored.media_type)

    async def _put_manifest(self, request: Request) -> Response:
        name, reference = self._writable(request), request.path_params["reference"]
        tag = None if ":" in reference else check_tag(reference)
        digest, document = await self._take_manifest(request, name, reference)
        if tag is not None:
            await self._on_tag(name, tag, digest)
        headers = {"Location": f"/v2/{name}/manifests/{digest}", "Docker-Content-Digest": digest}
        if document.subject is not None:
            headers["OCI-Subject"] = document.subject.digest
        return Response(None, 201, API_VERSION | headers)

    async def _take_manifest(self, request: Request, name: str, reference: str) -> tuple[str, Document]:
        """Read and store the body. A large one takes many times its bytes in memory, so only a few are in hand at once;
        TOOMANYREQUESTS for others, which every client tries again.
        """
        served, large, parts, size = request.headers.get("content-type"), False, [], 0
        try:
            async for chunk in request.stream():
                size += len(chunk)
                if size > MANIFEST_LIMIT:
                    raise RegistryError(413, "MANIFEST_INVALID", f"a manifest may have {MANIFEST_LIMIT} bytes")
                if size > LARGE_MANIFEST and not large:
                    self._begin_large()
                    large = True
                parts.append(chunk)
            return await asyncio.to_thread(self._store_manifest, name, reference, served, b"".join(parts))
        finally:
            self._large -= large

    def _begin_large(self) -> None:
        if self._large >= LARGE_AT_ONCE:
            message = f"{LARGE_AT_ONCE} manifests of more than {LARGE_MANIFEST} bytes are being read already"
            raise RegistryError(429, "TOOMANYREQUESTS", message, {"Retry-After": "1"})
        self._large += 1

    def _store_manifest(self, name: str, reference: str, served: str | None, data: bytes) -> tuple[str, Document]:
        digest = digest_of(data)
        if ":" in reference and check_digest(reference) != digest:
            raise RegistryError(400, "DIGEST_INVALID", f"the manifest has the digest {digest}, not {reference}")
        document = self._blobs.put_manifest(name, media_type_of(data, served), data)
        if ":" not in reference:
            self._blobs.set_tag(name, reference, digest)
        return digest, document

    async def _delete_manifest(self, request: Request) -> Response:
        name, reference = self._writable(request), request.path_params["reference"]
        delete = self._blobs.delete_manifest if is_digest(reference) else self._blobs.delete_tag
        await asyncio.to_thread(delete, name, reference)
        return Response(None, 202, API_VERSION)

    async def _list_tags(self, request: Request) -> Response:
        name, most = self._readable(request), page_size(request.query_params.get("n"))
        page, more = await asyncio.to_thread(self._blobs.tags_page, name, request.query_params.get("last"), most)
        link = {"Link": next_page(name, page, len(page))} if more and page else {}
        return JSONResponse({"name": name, "tags": page}, headers=API_VERSION | link)

    async def _referrers(self, request: Request) -> Response:
        name, digest = self._readable(request), check_digest(request.path_params["digest"])
        found = await asyncio.to_thread(self._blobs.referrers, name, digest)
        kind = request.query_params.get("artifactType")
        if kind is not None:
            found = [one for one in found if one.artifact_type == kind]
        filtered = {"OCI-Filters-Applied": "artifactType"} if kind is not None else {}
        return Response(Index(tuple(found)).to_bytes(), 200, API_VERSION | filtered, OCI_INDEX)

    async def _get_blob(self, request: Request) -> Response:
        name, digest = self._readable(request), check_digest(request.path_params["digest"])
        if self._blobs.blob_size(name, digest) is None:
            raise RegistryError(404, "BLOB_UNKNOWN", f"{name} has no blob {digest}")
        if request.method == "HEAD":
            self._blobs.touch_blob(digest)
        if not is_range(request.headers.get("range", "")):
            request.scope["headers"] = [(name, value) for name, value in request.scope["headers"] if name != b"range"]
        headers = API_VERSION | {"Docker-Content-Digest": digest, "ETag": f'"{digest}"'}
        path = self._blobs.blob_path(digest)
        return FileResponse(path, headers=headers, media_type="application/octet-stream")

    async def _delete_blob(self, request: Request) -> Response:
        name = self._writable(request)
        await asyncio.to_thread(self._blobs.delete_blob, name, request.path_params["digest"])
        return Response(None, 202, API_VERSION)

    async def _start_upload(self, request: Request) -> Response:
        name, query = self._writable(request), request.query_params
        mount, source = query.get("mount"), query.get("from")
        if mount is not None and source is not None:
            found = await asyncio.to_thread(self._blobs.mount_blob, name, check_digest(mount), check_name(source))
            if found:
                return _stored(name, mount)
        digest = query.get("digest")
        if digest is not None:
            check_digest(digest)
        upload = self._uploads.start(name)
        if digest is None:
            return _accepted(upload)
        try:
            await self._uploads.feed(upload, request.stream())
            await self._uploads.finish(upload, digest)
        finally:
            self._uploads.drop(upload)
        return _stored(name, digest)

    async def _append(self, request: Request) -> Response:
        upload = self._upload(request)
        start = start_of_range(request.headers.get("content-range"))
        await self._uploads.feed(upload, request.stream(), start)
        return _accepted(upload)

    async def _finish_upload(self, request: Request) -> Response:
        upload = self._upload(request)
        digest = check_digest(request.query_params.get("digest", ""))
        start = start_of_range(request.headers.get("content-range"))
        await self._uploads.feed(upload, request.stream(), start)
        await self._uploads.finish(upload, digest)
        return _stored(upload.repository, digest)

    async def _upload_status(self, request: Request) -> Response:
        return _progress(self._upload(request), 204)

    async def _cancel_upload(self, request: Request) -> Response:
        upload = self._upload(request)
        if upload.lock.locked():
            raise RegistryError(409, "BLOB_UPLOAD_INVALID", "another request is feeding this upload")
        self._uploads.drop(upload)
        return Response(None, 204, API_VERSION)

    def _upload(self, request: Request) -> Upload:
        return self._uploads.get(self._writable(request), request.path_params["session"])

    def _readable(self, request: Request) -> str:
        """The repository's name, if the request may read it."""
        name = _name(request)
        if self._credential(request) is None and self._closed:
            raise self._challenge(request, "reading needs a credential here", f"repository:{name}:pull")
        return name

    def _writable(self, request: Request) -> str:
        """The repository's name, if the request may write it."""
        name = _name(request)
        owner = name.partition("/")[0]
        credential = self._credential(request)
        if credential is None:
            message = f"a push to {name} needs a credential: on this machine, tidegate login sets registry clients up"
            raise self._challenge(request, message, f"repository:{name}:pull,push")
        if not credential.may(f"packages:{owner}:write"):
            raise RegistryError(403, "DENIED", _out_of_reach(credential, name))
        return name

    def _credential(self, request: Request) -> Credential | None:
        """Who asks; None for nobody. A credential that is wrong is an error, also where none is needed."""
        if _asked_by_nobody(request):
            return None
        credential = self._authorizer.identify(request.headers.get("authorization"))
        if credential is None:
            raise self._challenge(request, "the credential is wrong, has expired, or was revoked", "")
        return credential

    def _challenge(self, request: Request, message: str, scope: str) -> RegistryError:
        realm = f"{request.url.scheme}://{request.url.netloc}/v2/token"
        wanted = f',scope="{scope}"' if scope else ""
        challenge = f'Bearer realm="{realm}",service="tidegate"{wanted}'
        return RegistryError(401, "UNAUTHORIZED", message, {"WWW-Authenticate": challenge})


def _route(path: str, handler: Handler, method: str, not_found: str = "", invalid: str = "") -> Route:
    async def endpoint(request: Request) -> Response:
        try:
            return await handler(request)
        except TidegateError as error:
            return error_response(as_registry_error(error, not_found or "NAME_UNKNOWN", invalid or "NAME_INVALID"))
        except ClientDisconnect:
            return Response(None, 400)  # nobody is there to read it

    return Route(path, endpoint, methods=[method])


def _name(request: Request) -> str:
    try:
        return check_name(request.path_params["name"])
    except TidegateError as error:
        raise RegistryError(400, "NAME_INVALID", error.explain()) from error


def _out_of_reach(credential: Credential, name: str) -> str:
    """Why a push is refused: the permission is missing, or it is for another owner."""
    owner, others = name.partition("/")[0], credential.owners("packages", "write")
    if not others:
        return f"{credential.subject} lacks the permission `packages: write` for {owner}"
    return (
        f"{credential.subject} has `packages: write` for {', '.join(others)}, not for {owner}: "
        f"the first part of {name} must be the owner of the repository that pushes it"
    )


def _asked_by_nobody(request: Request) -> bool:
    """No credential, the anonymous token, or Basic with neither user nor password, as containers/image sends it."""
    header = request.headers.get("authorization", "").strip()
    return header in ("", f"Bearer {_ANONYMOUS}", "Basic Og==", "Basic")


def _stored(name: str, digest: str) -> Response:
    headers = {"Location": f"/v2/{name}/blobs/{digest}", "Docker-Content-Digest": digest}
    return Response(None, 201, API_VERSION | headers)


def _accepted(upload: Upload) -> Response:
    return _progress(upload, 202)


def _progress(upload: Upload, status: int) -> Response:
    headers = {
        "Location": f"/v2/{upload.repository}/blobs/uploads/{upload.id}",
        "Docker-Upload-UUID": upload.id,
        "Range": range_of(upload),
    }
    return Response(None, status, API_VERSION | headers)
