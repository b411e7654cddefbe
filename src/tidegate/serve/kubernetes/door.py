"""The door: which handler answers which path and method, who may, and errors as metav1.Status."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from tidegate.base.errors import NotFound, TidegateError
from tidegate.engine.clock import Clock
from tidegate.serve.bodies import bounded_body
from tidegate.serve.identity import Authorizer
from tidegate.serve.kubernetes import discovery, openapi
from tidegate.serve.kubernetes.access import REVIEWS, Access
from tidegate.serve.kubernetes.catalogue import Catalogue
from tidegate.serve.kubernetes.interactive import refuse_interactive
from tidegate.serve.kubernetes.logs import ControllerLogs, PodLogs, as_text, begun, controller_lines, read_options
from tidegate.serve.kubernetes.objects import Objects, ObjectStore
from tidegate.serve.kubernetes.patching import read_object
from tidegate.serve.kubernetes.reading import Reader
from tidegate.serve.kubernetes.requests import Call, json_response, stream
from tidegate.serve.kubernetes.scaling import Scaler
from tidegate.serve.kubernetes.status import About, BadRequest, MethodNotAllowed, failure
from tidegate.serve.kubernetes.target import Options, Path, parse_path
from tidegate.serve.kubernetes.virtual import VirtualObjects
from tidegate.serve.kubernetes.watching import Watcher
from tidegate.serve.kubernetes.writing import Writer

Handler = Callable[[Call], Awaitable[Response]]
Explain = Callable[[str, str, Sequence[str]], Awaitable[dict[str, Any]]]
"""What an ImagePolicy (namespace, name) would select and why, and why not some tags, as JSON."""
_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
Preview = Callable[[str, str], Awaitable[dict[str, Any]]]
"""What an ImageUpdateAutomation (namespace, name) would push now, as JSON."""
WHY, DIFF, EXPLAIN = "why", "diff", "explain"
_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch"}


class KubernetesDoor:
    """Kubernetes' API over a store. `controllers` names those that show themselves as Deployments in flux-system.

    Reading is open unless `reads_need_credential`; writes, the reading of Secrets, and the subresources `why` of an
    ImagePolicy (with `explain`) and `diff` of an ImageUpdateAutomation (with `preview`) need the scope `admin`.
    """

    def __init__(
        self,
        store: ObjectStore,
        authorizer: Authorizer,
        pod_logs: PodLogs,
        *,
        clock: Clock,
        version: str,
        controllers: Sequence[str] = (),
        controller_logs: ControllerLogs | None = None,
        explain: Explain | None = None,
        preview: Preview | None = None,
        reads_need_credential: bool = False,
    ):
        self._explain = explain
        self._preview = preview
        self._clock = clock
        self._version = version
        self._pod_logs = pod_logs
        self._controller_logs = controller_logs
        self._access = Access(authorizer, reads_need_credential=reads_need_credential)
        self._catalogue = Catalogue(store)
        self._virtual = VirtualObjects(controllers, clock.now(), version)
        self._objects = Objects(store, self._virtual)
        self._reader = Reader(self._objects, self._catalogue, clock)
        self._watcher = Watcher(self._objects, self._reader, clock)
        self._writer = Writer(self._objects)
        self._scaler = Scaler(self._objects)

    def routes(self) -> Sequence[BaseRoute]:
        """`/version`, `/api`, `/api/v1…`, `/apis…` and `/openapi/…`."""
        return [
            Route("/version", self._open(self._get_version), methods=["GET"]),
            Route("/api", self._open(self._get_core), methods=["GET"]),
            Route("/apis", self._open(self._get_groups), methods=["GET"]),
            Route("/api/v1", self._open(self._get_resources), methods=["GET"]),
            Route("/apis/{group}", self._open(self._get_group), methods=["GET"]),
            Route("/apis/{group}/{version}", self._open(self._get_resources), methods=["GET"]),
            Route("/openapi/v2", self._open(self._get_swagger), methods=["GET"]),
            Route("/openapi/v3", self._open(self._get_openapi), methods=["GET"]),
            Route("/openapi/v3/api/v1", self._open(self._get_document), methods=["GET"]),
            Route("/openapi/v3/apis/{group}/{version}", self._open(self._get_document), methods=["GET"]),
            Route("/apis/authorization.k8s.io/v1/{review}", self._told(self._review), methods=["POST"]),
            Route("/apis/authentication.k8s.io/v1/{review}", self._told(self._review), methods=["POST"]),
            Route("/api/v1/{rest:path}", self._told(self._resource), methods=_METHODS),
            Route("/apis/{rest:path}", self._told(self._resource), methods=_METHODS),
        ]

    # What tells of the API itself

    def _open(self, handler: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        async def checked(request: Request) -> Response:
            identity = self._access.identify(request.headers.get("authorization"))
            self._access.check(identity, "get", "", "")
            return await handler(request)

        return self._told(checked)

    def _told(self, handler: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        """The handler with its errors told as metav1.Status."""

        async def endpoint(request: Request) -> Response:
            try:
                return await handler(request)
            except ClientDisconnect:
                return Response(None, 400)  # nobody is there to read it
            except (TidegateError, RecursionError) as error:
                told = error if isinstance(error, TidegateError) else BadRequest("the body is nested too deeply")
                code, status = failure(told, await self._about(request))
                response = json_response(status, code)
                if code == 401:
                    response.headers["WWW-Authenticate"] = "Bearer"
                return response

        return endpoint

    async def _about(self, request: Request) -> About:
        path = parse_path(request.url.path)
        try:
            target = await self._catalogue.find(path) if path else None
        except TidegateError:
            target = None
        # A new object's name stands in the body only; the handler leaves it here.
        return About(target.resource, target.name or getattr(request.state, "name", "")) if target else About()

    async def _get_version(self, _request: Request) -> Response:
        return json_response(discovery.version_info(self._version), pretty=True)

    async def _get_core(self, request: Request) -> Response:
        if _wants_aggregated(request):
            return _aggregated(discovery.aggregated(await self._catalogue.resources(), core=True))
        return json_response(discovery.core_versions(request.headers.get("host", "")))

    async def _get_groups(self, request: Request) -> Response:
        resources = await self._catalogue.resources()
        if _wants_aggregated(request):
            return _aggregated(discovery.aggregated(resources, core=False))
        return json_response(discovery.group_list(resources))

    async def _get_group(self, request: Request) -> Response:
        found = discovery.one_group(await self._catalogue.resources(), request.path_params["group"])
        return _found(found)

    async def _get_resources(self, request: Request) -> Response:
        group, version = _group_version(request)
        return _found(discovery.resource_list(await self._catalogue.resources(), group, version))

    async def _get_swagger(self, request: Request) -> Response:
        if openapi.SWAGGER_ASKED in request.headers.get("accept", ""):
            return Response(openapi.swagger_protobuf(), media_type=openapi.SWAGGER_PROTOBUF)
        return json_response(openapi.swagger())

    async def _get_openapi(self, _request: Request) -> Response:
        return json_response(openapi.index(await self._catalogue.resources()))

    async def _get_document(self, request: Request) -> Response:
        group, version = _group_version(request)
        document = openapi.document(await self._catalogue.resources(), group, version)
        return _found(document if document["paths"] else None)

    async def _review(self, request: Request) -> Response:
        identity = self._access.identify(request.headers.get("authorization"))
        plural = request.path_params["review"]
        if plural not in REVIEWS:
            raise NotFound("the server could not find the requested resource")
        asked = read_object(await bounded_body(request), request.headers.get("content-type", ""))
        return json_response(self._access.review(plural, identity, asked), 201)

    # Objects

    async def _resource(self, request: Request) -> Response:
        identity = self._access.identify(request.headers.get("authorization"))
        path = parse_path(request.url.path)
        if path is None:
            raise NotFound("the server could not find the requested resource")
        refuse_interactive(path)
        options = Options(dict(request.query_params))
        verb = _verb(request.method, path, options)
        # Both ask a registry or a Git host, with the credentials of the object's Secrets.
        asked = EXPLAIN if path.subresource in (WHY, DIFF) else verb
        self._access.check(identity, asked, path.group, path.plural)
        call = Call(request, await self._catalogue.find(path), options)
        return await self._handler(call, verb)(call)

    def _handler(self, call: Call, verb: str) -> Handler:
        target = call.target
        handlers: dict[str, dict[str, Handler]] = {
            "": {
                "get": self._reader.get,
                "list": self._reader.list,
                "watch": self._watcher.watch,
                "create": self._writer.create,
                "update": self._writer.update,
                "patch": self._writer.patch,
                "delete": self._writer.delete,
                "deletecollection": self._writer.delete_collection,
            },
        }
        if target.resource.has_status:
            writes: dict[str, Handler] = {"update": self._writer.update, "patch": self._writer.patch}
            handlers["status"] = writes | {"get": self._reader.get}
        if target.resource.has_scale:
            scale = self._scaler
            handlers["scale"] = {"get": scale.get, "update": scale.update, "patch": scale.patch}
        if (target.resource.group, target.resource.kind) == ("", "Pod"):
            handlers["log"] = {"get": self._log}
        if target.resource.kind == "ImagePolicy" and self._explain is not None:
            handlers[WHY] = {"get": self._why}
        if target.resource.kind == "ImageUpdateAutomation" and self._preview is not None:
            handlers[DIFF] = {"get": self._diff}
        if target.subresource not in handlers:
            raise NotFound("the server could not find the requested resource")
        handler = handlers[target.subresource].get(verb)
        if handler is None:
            raise MethodNotAllowed("the server does not allow this method on the requested resource")
        return handler

    async def _why(self, call: Call) -> Response:
        assert self._explain is not None
        target, tags = call.target, call.options.text("tags")
        told = await self._explain(target.namespace, target.name, tags.split(",") if tags else [])
        return call.answer(told)

    async def _diff(self, call: Call) -> Response:
        assert self._preview is not None
        return call.answer(await self._preview(call.target.namespace, call.target.name))

    async def _log(self, call: Call) -> Response:
        target, now = call.target, self._clock.now()
        options, shown = read_options(call.options, now)
        controller = self._virtual.controller_of(target.namespace, target.name)
        if controller is not None and self._controller_logs is not None:
            lines = controller_lines(self._controller_logs, controller, options, self._clock)
        else:
            if not await self._pod_logs.exists(target.namespace, target.name):
                await self._objects.get(target)
            lines = self._pod_logs.lines(target.namespace, target.name, options)
        return stream(as_text(await begun(lines, self._clock), shown, now), "text/plain")


def _verb(method: str, path: Path, options: Options) -> str:
    if method in ("GET", "HEAD"):
        if path.name and not path.subresource and options.flag("watch"):
            return "watch"
        if path.name:
            return "get"
        return "watch" if options.flag("watch") else "list"
    if method == "DELETE":
        return "delete" if path.name else "deletecollection"
    verb = _VERBS[method]
    if (verb == "create") == bool(path.name):
        raise MethodNotAllowed("the server does not allow this method on the requested resource")
    return verb


def _group_version(request: Request) -> tuple[str, str]:
    return request.path_params.get("group", ""), request.path_params.get("version", "v1")


def _found(value: object | None) -> Response:
    if value is None:
        raise NotFound("the server could not find the requested resource")
    return json_response(value)


def _wants_aggregated(request: Request) -> bool:
    accept = request.headers.get("accept", "")
    return "as=APIGroupDiscoveryList" in accept and "v=v2" in accept.replace("v=v2beta1", "")


def _aggregated(value: object) -> Response:
    response = json_response(value)
    response.headers["Content-Type"] = discovery.AGGREGATED
    return response
