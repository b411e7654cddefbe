"""Requests: repetition, credentials, errors, limits."""

import asyncio

import httpx2
import pytest
from tests.kube.conftest import Server, ok, passing, status

from tidegate.base.errors import (
    AlreadyExists,
    Conflict,
    Denied,
    InvalidInput,
    LimitExceeded,
    NotFound,
    RateLimited,
    Unavailable,
)
from tidegate.engine.manual_clock import settle
from tidegate.engine.merge_apply import ApplyConflict
from tidegate.kube.access import Connection, Identity, bearer
from tidegate.kube.pacing import Limits

PATH = "/api/v1/namespaces/web/configmaps/settings"


class Changing:
    """A credential that is another one after each renewal, up to `count`."""

    def __init__(self, count):
        self.number = 1
        self.count = count

    async def identity(self):
        return Identity(bearer(f"token-{self.number}"))

    async def renew(self):
        self.number += 1
        return self.number <= self.count


async def test_a_passing_failure_is_repeated_until_it_passes(clock, client_of):
    server = Server(status(500), httpx2.ConnectError("refused"), status(503), ok({"kind": "ConfigMap"}))
    assert await passing(clock, client_of(server).get(PATH)) == {"kind": "ConfigMap"}
    assert len(server.requests) == 4


async def test_a_failure_that_does_not_pass_is_told_with_the_address(clock, client_of):
    server = Server(rest=httpx2.ConnectError("connection refused"))
    with pytest.raises(Unavailable, match=r"http://api\.test does not answer: connection refused"):
        await passing(clock, client_of(server, limits=Limits(attempts=3)).get(PATH))
    assert len(server.requests) == 3


async def test_a_post_whose_answer_was_lost_is_not_repeated(clock, client_of):
    server = Server(httpx2.ReadError("cut"))
    with pytest.raises(Unavailable):
        await passing(clock, client_of(server).create("/api/v1/namespaces/web/configmaps", {"kind": "ConfigMap"}))
    assert server.methods == ["POST"]


async def test_retry_after_is_waited_for(clock, client_of):
    server = Server(status(429, "TooManyRequests", retry_after="5"), ok({}))
    began = clock.monotonic()
    await passing(clock, client_of(server).get(PATH))
    assert clock.monotonic() - began >= 5


async def test_a_server_that_asks_for_too_long_a_wait_is_rate_limiting(clock, client_of):
    server = Server(status(429, "TooManyRequests", "slow down", retry_after="600"))
    with pytest.raises(RateLimited) as error:
        await passing(clock, client_of(server).get(PATH))
    assert error.value.retry_after == 600.0


async def test_a_401_renews_the_credential_once(clock, client_of):
    server = Server(status(401, "Unauthorized"), ok({}))
    await client_of(server, Connection("http://api.test", Changing(2))).get(PATH)
    assert [request.headers["authorization"] for request in server.requests] == ["Bearer token-1", "Bearer token-2"]


async def test_a_second_401_is_denied_and_says_whose_credential_it_is(client_of):
    server = Server(rest=lambda _: status(401, "Unauthorized", "Unauthorized"))
    connection = Connection("http://api.test", Changing(9), origin="the context home of /root/.kube/config")
    with pytest.raises(Denied) as error:
        await client_of(server, connection).get(PATH)
    assert len(server.requests) == 2
    assert "the context home of /root/.kube/config" in error.value.explain()
    assert "token-" not in error.value.explain()


@pytest.mark.parametrize(
    ("code", "reason", "kind"),
    [
        (400, "BadRequest", InvalidInput),
        (403, "Forbidden", Denied),
        (404, "NotFound", NotFound),
        (405, "MethodNotAllowed", InvalidInput),
        (409, "AlreadyExists", AlreadyExists),
        (409, "Conflict", Conflict),
        (410, "Expired", Conflict),
        (413, "RequestEntityTooLarge", LimitExceeded),
        (415, "UnsupportedMediaType", InvalidInput),
        (422, "Invalid", InvalidInput),
        (501, "NotImplemented", Unavailable),
    ],
)
async def test_a_status_becomes_the_error_with_its_words(client_of, code, reason, kind):
    with pytest.raises(kind, match="the server's words"):
        await client_of(Server(status(code, reason, "the server's words"))).get(PATH)


async def test_an_apply_conflict_names_managers_and_fields(client_of):
    causes = [
        {
            "reason": "FieldManagerConflict",
            "message": 'conflict with "flux" with subresource "status" using v1 at 2026-01-01T00:00:00Z',
            "field": ".status.conditions",
        }
    ]
    server = Server(status(409, "Conflict", "Apply failed", details={"causes": causes}))
    with pytest.raises(ApplyConflict, match=r'"flux".*\.status\.conditions') as error:
        await client_of(server).apply(PATH, {"kind": "ConfigMap"}, fieldManager="tidegate")
    assert error.value.conflicts[0].operation == "Update"


async def test_a_terminating_namespace_is_a_conflict_that_passes(client_of):
    causes = [{"reason": "NamespaceTerminating", "message": "namespace web is being terminated", "field": "x"}]
    server = Server(status(403, "Forbidden", "being terminated", details={"causes": causes}))
    with pytest.raises(Conflict) as error:
        await client_of(server).create("/api/v1/namespaces/web/configmaps", {})
    assert error.value.code == "NamespaceTerminating"


async def test_an_invalid_field_is_named_and_a_fixed_one_is_told_apart(client_of):
    causes = [{"reason": "FieldValueInvalid", "message": "field is immutable", "field": "spec.selector"}]
    message = 'Deployment.apps "web" is invalid: spec.selector: Invalid value: {}: field is immutable'
    server = Server(status(422, "Invalid", message, details={"causes": causes}))
    with pytest.raises(InvalidInput) as error:
        await client_of(server).get(PATH)
    assert (error.value.code, error.value.where.field) == ("Immutable", "spec.selector")


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ('ClusterRoleBinding "a" is invalid: roleRef: Invalid value: {}: cannot change roleRef', "Immutable"),
        (
            'PersistentVolumeClaim "a" is invalid: spec: Forbidden: spec is immutable after creation except …',
            "Immutable",
        ),
        ('Pod "a" is invalid: spec: Forbidden: pod updates may not change fields other than `spec.…`', "Immutable"),
        ('StorageClass "a" is invalid: parameters: Forbidden: updates to parameters are forbidden.', "Immutable"),
        ('Shop "a" is invalid: spec.size: Invalid value: "int": size is immutable', "Immutable"),
        (
            'Deployment "a" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0',
            "InvalidInput",
        ),
    ],
)
async def test_the_many_words_for_a_field_that_cannot_change(client_of, said, code):
    with pytest.raises(InvalidInput) as error:
        await client_of(Server(status(422, "Invalid", said))).get(PATH)
    assert error.value.code == code


async def test_an_error_that_is_no_status_is_shown_in_short(client_of):
    page = httpx2.Response(403, content=b"<html>" + b"x" * 5000)
    with pytest.raises(Denied) as error:
        await client_of(Server(page)).get(PATH)
    assert len(error.value.message) < 300


async def test_an_answer_without_end_is_cut_off(client_of):
    server = Server(httpx2.Response(200, content=b"x" * 2048))
    with pytest.raises(LimitExceeded):
        await client_of(server, limits=Limits(answer=1024)).get(PATH)


async def test_what_is_no_json_is_unavailable(client_of):
    with pytest.raises(Unavailable):
        await client_of(Server(httpx2.Response(200, content=b"{"))).get(PATH)


async def test_delete_names_what_it_means(client_of):
    server = Server(ok({"kind": "Status"}))
    await client_of(server).delete(PATH, uid="u-1", propagation="Background")
    assert server.requests[0].content == (
        b'{"kind":"DeleteOptions","apiVersion":"v1","preconditions":{"uid":"u-1"},"propagationPolicy":"Background"}'
    )


async def test_the_token_is_in_no_representation():
    connection = Connection("http://api.test", Changing(1))
    assert "token-1" not in repr(connection) + repr(await connection.credential.identity())


async def test_no_more_requests_are_unanswered_than_the_limit(clock, client_of):
    open_, most, go = 0, 0, asyncio.Event()

    async def slow(_request):
        nonlocal open_, most
        open_ += 1
        most = max(most, open_)
        await go.wait()
        open_ -= 1
        return ok({})

    async with client_of(slow, limits=Limits(at_once=3)) as client:
        asked = asyncio.gather(*(client.get(PATH) for _ in range(10)))
        await settle()
        assert open_ == 3
        go.set()
        assert len(await asked) == 10
    assert most == 3


async def test_who_waited_for_a_place_asks_again_whether_it_may_write(clock, client_of):
    may, go, sent = [True], asyncio.Event(), []

    async def slow(request):
        sent.append(request.method)
        await go.wait()
        return ok({})

    def guard():
        if not may[0]:
            raise Unavailable("not any more")

    async with client_of(slow, limits=Limits(at_once=1), guard=guard) as client:
        reading = asyncio.ensure_future(client.get(PATH))
        writing = asyncio.ensure_future(client.merge(PATH, {}))
        await settle()
        may[0] = False
        go.set()
        await reading
        with pytest.raises(Unavailable, match="not any more"):
            await writing
    assert sent == ["GET"]
