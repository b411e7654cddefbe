"""The authentication flow, driven without a socket: what it sends, where to, and where never."""

from __future__ import annotations

import base64
import json
from urllib.parse import parse_qs

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.base.errors import Denied, InvalidInput, Unavailable
from tidegate.oci.auth import Authenticator, Challenge, Endpoint, challenges_of, default_endpoint
from tidegate.oci.credentials import Login

SCOPE = "repository:acme/web:pull"
LOGIN = Login("user", "pass:word")
BASIC = "Basic " + base64.b64encode(b"user:pass:word").decode()
BEARER = 'Bearer realm="https://auth.example/token",service="registry.example",scope="repository:acme/web:pull"'


class Time:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def ask(url: str = "https://registry.example/v2/acme/web/tags/list") -> httpx2.Request:
    return httpx2.Request("GET", url)


def refuse(challenge: str) -> httpx2.Response:
    return httpx2.Response(401, headers={"www-authenticate": challenge})


def token(value: str = "t1", **more: object) -> httpx2.Response:
    return httpx2.Response(200, content=json.dumps({"token": value} | more).encode())


def ended(flow: object, response: httpx2.Response) -> bool:
    try:
        flow.send(response)  # type: ignore[attr-defined]
    except StopIteration:
        return True
    return False


def authenticator(login: Login | None = LOGIN, url: str = "https://registry.example", **more: object) -> Authenticator:
    return Authenticator(Endpoint(url), login, **more)  # type: ignore[arg-type]


def test_first_request_shows_no_credential() -> None:
    flow = authenticator().flow(ask(), SCOPE)
    first = next(flow)
    assert "authorization" not in first.headers
    assert ended(flow, httpx2.Response(200))


def test_bearer_token_is_fetched_from_the_realm_with_the_login_and_used() -> None:
    request = ask()
    flow = authenticator().flow(request, SCOPE)
    next(flow)
    asked = flow.send(refuse(BEARER))
    assert asked is not request
    assert str(asked.url).startswith("https://auth.example/token?")
    assert parse_qs(asked.url.query.decode()) == {"service": ["registry.example"], "scope": [SCOPE]}
    assert asked.headers["authorization"] == BASIC
    assert flow.send(token()) is request
    assert request.headers["authorization"] == "Bearer t1"
    assert ended(flow, httpx2.Response(200))


def test_bearer_without_a_login_is_anonymous() -> None:
    flow = authenticator(None).flow(ask(), SCOPE)
    next(flow)
    assert "authorization" not in flow.send(refuse(BEARER)).headers


def test_token_is_kept_for_its_scope_only_and_until_it_expires() -> None:
    time = Time()
    auth = authenticator(monotonic=time)
    flow = auth.flow(ask(), SCOPE)
    next(flow)
    flow.send(refuse(BEARER))
    flow.send(token(expires_in=300))
    assert next(auth.flow(ask(), SCOPE)).headers["authorization"] == "Bearer t1"
    other = ask()
    assert next(auth.flow(other, "repository:acme/web:pull,push")) is not other
    time.now += 291
    late = ask()
    renewing = next(auth.flow(late, SCOPE))
    assert renewing is not late
    assert renewing.url.host == "auth.example"


def test_two_scopes_are_asked_for_together() -> None:
    flow = authenticator().flow(ask(), "repository:a/b:pull,push repository:c/d:pull")
    next(flow)
    asked = flow.send(refuse('Bearer realm="https://auth.example/token"'))
    assert parse_qs(asked.url.query.decode()) == {"scope": ["repository:a/b:pull,push", "repository:c/d:pull"]}


def test_token_that_another_request_got_meanwhile_is_used() -> None:
    auth = authenticator()
    first, second = auth.flow(ask(), SCOPE), auth.flow(one := ask(), SCOPE)
    next(first)
    next(second)
    first.send(refuse(BEARER))
    first.send(token("newer"))
    assert second.send(refuse(BEARER)) is one
    assert one.headers["authorization"] == "Bearer newer"


def test_refresh_token_is_posted_and_never_in_the_url() -> None:
    flow = authenticator(Login(identity_token="refresh-me")).flow(ask(), SCOPE)
    next(flow)
    asked = flow.send(refuse(BEARER))
    assert (asked.method, str(asked.url)) == ("POST", "https://auth.example/token")
    form = parse_qs(asked.content.decode())
    assert form["refresh_token"] == ["refresh-me"]
    assert form["grant_type"] == ["refresh_token"]


def test_registry_token_is_shown_as_it_is() -> None:
    flow = authenticator(Login(registry_token="ready")).flow(ask(), SCOPE)
    assert next(flow).headers["authorization"] == "Bearer ready"


def test_basic_is_sent_once_and_remembered() -> None:
    auth, request = authenticator(), ask()
    flow = auth.flow(request, SCOPE)
    next(flow)
    assert flow.send(refuse('Basic realm="x"')) is request
    assert request.headers["authorization"] == BASIC
    assert ended(flow, refuse('Basic realm="x"'))
    assert next(auth.flow(ask(), SCOPE)).headers["authorization"] == BASIC


def test_harbor_answers_a_weak_token_with_basic_and_gets_it() -> None:
    auth = authenticator()
    flow = auth.flow(ask(), SCOPE)
    next(flow)
    flow.send(refuse(BEARER))
    flow.send(token())
    request = ask()
    flow = auth.flow(request, SCOPE)
    assert next(flow).headers["authorization"] == "Bearer t1"
    assert flow.send(refuse('Basic realm="harbor"')) is request
    assert request.headers["authorization"] == BASIC


def test_expired_anonymous_token_is_fetched_again_even_where_basic_is_offered() -> None:
    auth = authenticator(None)
    flow = auth.flow(ask(), SCOPE)
    next(flow)
    flow.send(refuse(BEARER))
    flow.send(token())
    flow = auth.flow(ask(), SCOPE)
    next(flow)
    assert flow.send(refuse('Basic realm="harbor"')).url.host == "auth.example"


def test_second_refusal_is_left_to_the_caller() -> None:
    flow = authenticator().flow(ask(), SCOPE)
    next(flow)
    flow.send(refuse(BEARER))
    flow.send(token())
    assert ended(flow, refuse(BEARER))


@pytest.mark.parametrize("challenge", ["", "Negotiate", "Bearer", 'Bearer service="x"', 'Basic realm="x"'])
def test_refusal_that_nothing_answers_ends_the_flow(challenge: str) -> None:
    flow = authenticator(None).flow(ask(), SCOPE)
    next(flow)
    assert ended(flow, refuse(challenge))


@pytest.mark.parametrize(
    "realm", ["http://auth.example/token", "http://registry.example/token", "http://127.0.0.1/token"]
)
def test_login_never_goes_to_a_realm_without_tls(realm: str) -> None:
    flow = authenticator().flow(ask(), SCOPE)
    next(flow)
    with pytest.raises(Denied, match="not https") as caught:
        flow.send(refuse(f'Bearer realm="{realm}"'))
    assert "pass" not in str(caught.value)


@pytest.mark.parametrize(
    "realm", ["ftp://x/y", "/token", "https://", "https://user:x@auth.example/", "https://host:port/"]
)
def test_realm_that_is_no_plain_url_is_refused(realm: str) -> None:
    flow = authenticator().flow(ask(), SCOPE)
    next(flow)
    with pytest.raises(Unavailable, match="no URL"):
        flow.send(refuse(f'Bearer realm="{realm}"'))


def test_realm_over_http_is_fine_on_the_very_host_that_is_reached_so() -> None:
    flow = authenticator(url="http://127.0.0.1:5000").flow(ask("http://127.0.0.1:5000/v2/"), SCOPE)
    next(flow)
    assert flow.send(refuse('Bearer realm="http://127.0.0.1:5001/token"')).url.port == 5001


@pytest.mark.parametrize(
    "response",
    [
        httpx2.Response(200, content=b"<html>"),
        httpx2.Response(200, content=b"[]"),
        httpx2.Response(200, content=b'{"token": ""}'),
        httpx2.Response(200, content=b'{"token": "a\\nb"}'),
        httpx2.Response(200, content=b'{"token": 5}'),
        httpx2.Response(302, headers={"location": "https://elsewhere.example"}),
        httpx2.Response(500),
    ],
)
def test_realm_that_answers_something_else_is_unavailable(response: httpx2.Response) -> None:
    flow = authenticator().flow(ask(), SCOPE)
    next(flow)
    flow.send(refuse(BEARER))
    with pytest.raises(Unavailable, match=r"auth\.example"):
        flow.send(response)


@pytest.mark.parametrize(("login", "remedy"), [(LOGIN, "check the user"), (None, "give credentials")])
def test_realm_that_refuses_says_what_to_do(login: Login | None, remedy: str) -> None:
    flow = authenticator(login).flow(ask(), SCOPE)
    next(flow)
    flow.send(refuse(BEARER))
    with pytest.raises(Denied) as caught:
        flow.send(httpx2.Response(401, content=b"pass:word"))
    assert remedy in (caught.value.remedy or "")
    assert "pass:word" not in caught.value.explain()


def test_tokens_are_bounded_in_number() -> None:
    auth = authenticator()
    for number in range(2100):
        flow = auth.flow(ask(), f"repository:acme/{number}:pull")
        if next(flow).url.host != "auth.example":
            flow.send(refuse(BEARER))
        flow.send(token())
    assert len(auth._tokens) == 2048


def test_challenges_are_read_in_every_form() -> None:
    headers = httpx2.Headers(
        [
            ("www-authenticate", 'Negotiate, Basic realm="a, \\"b\\"", charset=UTF-8'),
            ("www-authenticate", 'bearer REALM=https://auth.example/t , scope="a b"'),
        ]
    )
    assert challenges_of(headers) == [
        Challenge("negotiate", {}),
        Challenge("basic", {"realm": 'a, "b"', "charset": "UTF-8"}),
        Challenge("bearer", {"realm": "https://auth.example/t", "scope": "a b"}),
    ]


@given(st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126), max_size=300))
def test_no_challenge_breaks_the_reader(text: str) -> None:
    challenges_of(httpx2.Headers({"www-authenticate": text}))


@pytest.mark.parametrize(
    "url", ["http://registry.example", "ftp://registry.example", "registry.example", "https://u:p@registry.example", ""]
)
def test_endpoint_is_https_or_this_machine(url: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        Endpoint(url)
    assert caught.value.remedy
    assert Endpoint("http://registry.example:5000", insecure=True).host == "registry.example:5000"


def test_unconfigured_registry_is_asked_over_https_unless_it_is_this_machine() -> None:
    assert default_endpoint("ghcr.io").url == "https://ghcr.io"
    assert default_endpoint("registry.example:5000").url == "https://registry.example:5000"
    assert default_endpoint("localhost:5000").url == "http://localhost:5000"
    assert default_endpoint("[::1]:5000").url == "http://[::1]:5000"


def test_secrets_show_in_no_repr() -> None:
    login = Login("user", "secret-1", "secret-2", "secret-3")
    assert "secret" not in repr(login) + repr(Endpoint("https://registry.example", login))
