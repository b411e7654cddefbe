"""Each way in which real registries are known to differ, as a small registry that behaves so.

What is asked of all of them is the same: the tags, all of them, once, and the credential nowhere else.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable

import httpx2
import pytest
from tests.oci.fake_registry import LATEST, MANIFEST, WEB, Handler, Registry, answer

from tidegate.base.errors import Denied, InvalidInput, NotFound, TidegateError, Unavailable
from tidegate.oci import values
from tidegate.oci.credentials import Credentials, Login

TAGS = [f"1.0.{number}" for number in range(250)]
LOGIN = Login("me", "s3cret")
HELD = Credentials({"registry.example": LOGIN})
BEARER = 'Bearer realm="https://auth.example/token",service="registry.example",scope="repository:acme/web:pull"'


def listed(tags: list[str], **headers: str) -> httpx2.Response:
    body = json.dumps({"name": "acme/web", "tags": tags}).encode()
    return httpx2.Response(200, content=body, headers=headers)


def distribution_2_8(request: httpx2.Request) -> httpx2.Response:
    """Every tag at once, whatever `n` and `last` say, and in no order."""
    return listed(sorted(TAGS, key=lambda tag: tag[::-1]))


def distribution_3(request: httpx2.Request) -> httpx2.Response:
    """Pages by `n` and `last`, with a relative Link that has both."""
    size, last = int(request.url.params["n"]), request.url.params.get("last", "")
    rest = [tag for tag in sorted(TAGS) if tag > last]
    link = f'</v2/acme/web/tags/list?last={rest[size - 1]}&n={size}>; rel="next"' if len(rest) > size else ""
    return listed(rest[:size], **({"Link": link} if link else {}))


def paged(size: int, link: Callable[[int, str], str]) -> Handler:
    """Pages of a size that the registry chooses; `link` is given where the next begins, and the tag before it."""

    def handle(request: httpx2.Request) -> httpx2.Response:
        params = request.url.params
        given = params.get("next_page") or params.get("last") or params.get("marker") or ""
        start = TAGS.index(given) + 1 if given in TAGS else int(base64.b64decode(given)) if given else 0
        end = start + size
        headers = {"Link": link(end, TAGS[end - 1])} if end < len(TAGS) else {}
        return listed(TAGS[start:end], **headers)

    return handle


def opaque(number: int) -> str:
    return base64.b64encode(str(number).encode()).decode()


QUAY = paged(50, lambda end, _: f'</v2/acme/web/tags/list?n=50&next_page={opaque(end)}>; rel="next"')
GHCR = paged(100, lambda _, tag: f'</v2/acme/web/tags/list?last={tag}&n=100>; rel="next"')
ABSOLUTE = paged(100, lambda _, tag: f'<https://registry.example/v2/acme/web/tags/list?last={tag}>; rel="next"')
BEHIND_A_PROXY = paged(100, lambda _, tag: f'<http://registry.example:8080/v2/x?last={tag}>; rel="next"')
NEXUS = paged(100, lambda _, tag: f'</repository/docker/v2/acme/web/tags/list?last={tag}>; rel="next"')
WITHOUT_LAST = paged(100, lambda end, _: f'<?marker={opaque(end)}>; rel="next"')
SHOUTING = paged(100, lambda _, tag: f'<?last={tag}>; REL=NEXT; title="more"')
SEVERAL_LINKS = paged(100, lambda _, tag: f'</v2/>; rel="start", <?last={tag}>; rel=next')


def ecr(request: httpx2.Request) -> httpx2.Response:
    """More than 1000 is refused."""
    size = int(request.url.params.get("n", "100"))
    if size > 1000:
        return httpx2.Response(405, content=b'{"errors": [{"code": "UNSUPPORTED", "message": "maxResults"}]}')
    return listed(TAGS)


def no_such_parameter(request: httpx2.Request) -> httpx2.Response:
    """Any `n` beyond 100 is refused."""
    if int(request.url.params.get("n", "0")) > 100:
        return httpx2.Response(400, content=b'{"errors": [{"code": "PAGINATION_NUMBER_INVALID"}]}')
    return listed(TAGS)


def untyped(request: httpx2.Request) -> httpx2.Response:
    """No Content-Type."""
    response = listed(TAGS)
    assert "content-type" not in response.headers
    return response


def mistyped(request: httpx2.Request) -> httpx2.Response:
    """JSON that calls itself text."""
    return listed(TAGS, **{"CONTENT-TYPE": "text/plain; charset=ISO-8859-1"})


@pytest.mark.parametrize(
    "behave",
    [distribution_2_8, distribution_3, QUAY, GHCR, ABSOLUTE, BEHIND_A_PROXY, NEXUS, WITHOUT_LAST, SHOUTING,
     SEVERAL_LINKS, ecr, no_such_parameter, untyped, mistyped],
    ids=["distribution 2.8", "distribution 3", "quay", "ghcr", "absolute link", "link of a proxy", "nexus",
         "link without last", "upper case", "several links", "ecr", "n refused", "no type", "wrong type"],
)  # fmt: skip
async def test_all_tags_are_found_once(behave: Handler) -> None:
    registry = Registry(behave)
    tags = await registry.client().tags(WEB)
    assert sorted(tags) == sorted(TAGS)
    assert {request.url.host for request in registry.seen} == {"registry.example"}
    assert {request.url.path for request in registry.seen} == {"/v2/acme/web/tags/list"}


def asking(challenges: list[tuple[str, str]], accepted: set[str], token: bytes = b'{"token": "t"}') -> Handler:
    """A registry that answers those who show one of `accepted`, and the realm that it names."""

    def handle(request: httpx2.Request) -> httpx2.Response:
        if request.url.host == "auth.example":
            return httpx2.Response(200, content=token)
        if request.headers.get("authorization") in accepted:
            return listed(TAGS)
        return httpx2.Response(401, headers=challenges)

    return handle


@pytest.mark.parametrize(
    "challenges",
    [
        [("www-authenticate", BEARER)],
        [("WWW-Authenticate", BEARER.replace("Bearer realm", "BEARER REALM").replace("service", "Service"))],
        [("www-authenticate", 'Basic realm="registry"'), ("www-authenticate", BEARER)],
        [("www-authenticate", f'Basic realm="registry", {BEARER}')],
        [("www-authenticate", "Negotiate"), ("www-authenticate", f'{BEARER}, Basic realm="registry"')],
        [("www-authenticate", BEARER.replace(",service", " , service"))],
        [("www-authenticate", BEARER.replace('"registry.example"', "registry.example"))],
    ],
    ids=["bearer", "upper case", "basic first", "two in one line", "three", "spaces", "unquoted"],
)
async def test_the_bearer_challenge_is_found_among_others(challenges: list[tuple[str, str]]) -> None:
    registry = Registry(asking(challenges, {"Bearer t"}))
    assert await registry.client(HELD).tags(WEB) == TAGS
    token = next(request for request in registry.seen if request.url.host == "auth.example")
    assert dict(token.url.params) == {"service": "registry.example", "scope": "repository:acme/web:pull"}
    assert token.headers["authorization"] == LOGIN.basic


@pytest.mark.parametrize(
    "token",
    [
        b'{"token": "t"}',
        b'{"access_token": "t"}',
        b'{"token": "t", "access_token": "other"}',
        b'{"token": "", "access_token": "t"}',
        b'{"token": "t", "expires_in": 0}',
        b'{"token": "t", "expires_in": null}',
        b'{"token": "t", "expires_in": "300", "issued_at": "2026-01-01T00:00:00Z"}',
    ],
)
async def test_a_token_is_read_under_either_name_and_with_any_life(token: bytes) -> None:
    registry = Registry(asking([("www-authenticate", BEARER)], {"Bearer t"}, token))
    client = registry.client(HELD)
    assert await client.tags(WEB) == TAGS
    assert await client.tags(WEB) == TAGS
    assert [request.url.host for request in registry.seen].count("auth.example") == 1


async def test_ghcr_gives_a_token_to_whoever_has_no_credential() -> None:
    registry = Registry(asking([("www-authenticate", BEARER)], {"Bearer t"}))
    assert await registry.client().tags(WEB) == TAGS
    token = next(request for request in registry.seen if request.url.host == "auth.example")
    assert "authorization" not in token.headers


async def test_a_registry_may_know_basic_alone() -> None:
    shown: list[str | None] = []

    def handle(request: httpx2.Request) -> httpx2.Response:
        shown.append(request.headers.get("authorization"))
        return asking([("www-authenticate", 'BASIC Realm="Registry Realm"')], {LOGIN.basic or ""})(request)

    client = Registry(handle).client(HELD)
    assert await client.tags(WEB) == TAGS
    assert await client.tags(WEB) == TAGS
    assert shown == [None, LOGIN.basic, LOGIN.basic]


async def test_basic_alone_without_a_credential_is_denied_and_says_what_to_do() -> None:
    registry = Registry(asking([("www-authenticate", 'Basic realm="x"')], {"nothing"}))
    with pytest.raises(Denied) as caught:
        await registry.client().tags(WEB)
    assert "credentials" in (caught.value.remedy or "")
    assert len(registry.seen) == 1


async def test_harbor_takes_basic_where_a_token_does_not_reach() -> None:
    def harbor(request: httpx2.Request) -> httpx2.Response:
        shown = request.headers.get("authorization", "")
        if request.url.host == "auth.example":
            return httpx2.Response(200, content=b'{"token": "weak"}')
        if shown == LOGIN.basic:
            return listed(TAGS)
        if shown == "Bearer weak":
            return httpx2.Response(401, headers={"www-authenticate": 'Basic realm="harbor"'})
        return httpx2.Response(401, headers={"www-authenticate": BEARER})

    registry = Registry(harbor)
    client = registry.client(HELD)
    with pytest.raises(Denied):
        await client.tags(WEB)
    assert await client.tags(WEB) == TAGS


@pytest.mark.parametrize(
    ("behave", "error"),
    [
        (answer(404, b'{"errors": [{"code": "NAME_UNKNOWN"}]}'), NotFound),
        (answer(404, b"404 page not found"), NotFound),
        (answer(403, b'{"errors": [{"code": "DENIED", "message": "requested access is denied"}]}'), Denied),
        (asking([("www-authenticate", BEARER.replace("pull", 'pull",error="insufficient_scope'))], set()), Denied),
        (asking([("www-authenticate", BEARER)], set(), b'{"details": "no such repository"}'), Unavailable),
    ],
    ids=["distribution", "no JSON", "ghcr", "docker hub", "token endpoint"],
)
async def test_a_repository_that_is_not_there_is_never_an_empty_list(
    behave: Handler, error: type[TidegateError]
) -> None:
    with pytest.raises(error) as caught:
        await Registry(behave).client().tags(WEB)
    assert error is Unavailable or "check the name" in (caught.value.remedy or "")


async def test_a_realm_that_knows_no_such_repository_is_a_denial() -> None:
    def gitlab(request: httpx2.Request) -> httpx2.Response:
        if request.url.host == "auth.example":
            return httpx2.Response(403, content=b'{"errors": [{"code": "DENIED"}]}')
        return httpx2.Response(401, headers={"www-authenticate": BEARER})

    with pytest.raises(Denied, match="gives no token"):
        await Registry(gitlab).client(HELD).tags(WEB)


@pytest.mark.parametrize("body", [b'{"name": "acme/web", "tags": null}', b'{"tags": []}', b'{"tags": null, "x": 1}'])
async def test_tags_that_are_null_are_an_empty_list(body: bytes) -> None:
    assert await Registry(answer(200, body)).client().tags(WEB) == []


@pytest.mark.parametrize(
    "behave",
    [
        answer(200, b"<!DOCTYPE html><title>Sign in</title>", content_type="text/html"),
        answer(200, b"", content_type="application/json"),
        answer(200, b'{"name": "acme/web"}'),
        answer(200, b'{"errors": [{"code": "UNAUTHORIZED"}]}'),
        answer(302, location="https://login.example/"),
    ],
    ids=["login page", "nothing", "no tags", "errors with 200", "redirect to a login"],
)
async def test_what_is_no_list_of_tags_is_not_taken_for_one(behave: Handler) -> None:
    with pytest.raises(Unavailable):
        await Registry(behave).client().tags(WEB)


@pytest.mark.parametrize("location", ["https://cdn.example/tags", "//cdn.example/tags"])
async def test_a_redirect_of_the_list_takes_no_credential_along(location: str) -> None:
    def handle(request: httpx2.Request) -> httpx2.Response:
        if request.url.host == "cdn.example":
            return listed(TAGS)
        if "authorization" not in request.headers:
            return httpx2.Response(401, headers={"www-authenticate": 'Basic realm="x"'})
        return httpx2.Response(307, headers={"Location": location})

    registry = Registry(handle)
    assert await registry.client(HELD).tags(WEB) == TAGS
    assert registry.seen[-1].url.host == "cdn.example"
    assert "authorization" not in registry.seen[-1].headers


@pytest.mark.parametrize(
    "links",
    [["?page=1", "?page=1"], ["?page=1", "?page=2", "?page=1"], ["?n=1000"]],
    ids=["itself", "a ring", "the first"],
)
async def test_pages_in_a_circle_end(links: list[str]) -> None:
    count = iter(range(1000))

    def handle(request: httpx2.Request) -> httpx2.Response:
        number = next(count)
        return listed([f"t{number}"], link=f'<{links[number % len(links)]}>; rel="next"')

    registry = Registry(handle)
    with pytest.raises(Unavailable, match="repeats its pages"):
        await registry.client().tags(WEB)
    assert len(registry.seen) <= len(links) + 1


async def test_the_headers_of_a_manifest_may_be_in_any_case_or_missing() -> None:
    said = {"DOCKER-CONTENT-DIGEST": "sha256:" + "0" * 64, "CONTENT-TYPE": values.OCI_INDEX, "CONTENT-LENGTH": "42"}
    found = await Registry(lambda _: httpx2.Response(200, headers=said)).client().head(LATEST)
    assert found is not None
    assert (found.media_type, found.size) == (values.OCI_INDEX, 42)
    found, data = await Registry(lambda _: httpx2.Response(200, content=MANIFEST)).client().manifest(LATEST)
    assert (found.media_type, data) == (values.OCI_MANIFEST, MANIFEST)


async def test_error_of_a_registry_that_refuses_is_the_users_to_mend() -> None:
    with pytest.raises(InvalidInput, match="UNSUPPORTED no such thing"):
        await (
            Registry(answer(405, b'{"errors": [{"code": "UNSUPPORTED", "message": "no such thing"}]}'))
            .client()
            .tags(WEB)
        )
