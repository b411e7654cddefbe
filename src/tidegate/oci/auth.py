"""How a registry is told who asks: Basic, or Bearer tokens from the realm that it names.

No sockets: a flow yields requests and is sent the responses. A login goes to the registry's own host and to the https
realm that this host named, and nowhere else.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Generator
from dataclasses import field
from functools import lru_cache

import httpx2

from tidegate.base.errors import Denied, InvalidInput, LimitExceeded, Unavailable
from tidegate.base.frozen import frozen
from tidegate.base.http import has_port, is_loopback, shown
from tidegate.base.json_size import check_json
from tidegate.oci.credentials import Login

TOKEN_LIMIT = 1024 * 1024
"""Bytes of a token endpoint's answer."""
ENDPOINTS_KEPT = 256
_VALUES_LIMIT = 10_000
_DEFAULT_LIFE = 60.0
_MARGIN = 10.0
_LARGEST_LIFE = 24 * 3600.0
_TOKENS_KEPT = 2048
_TOKEN = re.compile(r"[!-~]{1,16384}", re.ASCII)
_CHALLENGE = re.compile(r'\s*,?\s*([A-Za-z0-9!#$%&\'*+.^_`|~-]+)(?:\s*=\s*("(?:[^"\\]|\\.)*"|[^\s,"]*))?')

Flow = Generator[httpx2.Request, httpx2.Response, None]


@frozen
class Endpoint:
    """Where a registry answers. `login` is this endpoint's own, for a host that stands in for another.

    `url` is http only for loopback, or where `insecure` says that the owner wants it; raises InvalidInput otherwise.
    One that is https and `insecure` is asked over plain http where nothing there speaks TLS; one that is http because
    that was `guessed` is asked over TLS where it turns out to speak it.
    """

    url: str
    login: Login | None = None
    insecure: bool = False
    guessed: bool = False

    def __post_init__(self) -> None:
        parsed = _parsed(self.url)
        if parsed is None or parsed.scheme not in ("http", "https") or not parsed.host or parsed.userinfo:
            raise InvalidInput(f"{self.url[:200]!r} is no address of a registry", remedy="write https://HOST[:PORT]")
        if parsed.scheme == "http" and not self.plain_http_allowed:
            raise InvalidInput(f"{shown(parsed)} is plain http beyond this machine", remedy="use https, or allow it")

    @property
    def host(self) -> str:
        """Host and port as a reference spells them."""
        return httpx2.URL(self.url).netloc.decode()

    @property
    def plain_http_allowed(self) -> bool:
        """Whether a login may go to this endpoint over plain http."""
        return self.insecure or is_loopback(httpx2.URL(self.url).host)


@lru_cache(maxsize=ENDPOINTS_KEPT)
def default_endpoint(host: str, *, insecure: bool = False, proxied: bool = False) -> Endpoint:
    """Where a registry is asked that nobody configured: at https, or, on this machine, in plain http as long as it does
    not turn out to speak TLS. What is `proxied` leaves this machine, whatever the host's name.
    """
    plain = _parsed(f"http://{host}")
    here = plain is not None and is_loopback(plain.host) and not proxied
    return Endpoint(f"{'http' if here else 'https'}://{host}", insecure=insecure, guessed=here)


@frozen
class Challenge:
    """One challenge of WWW-Authenticate; scheme and parameter names in lower case."""

    scheme: str
    parameters: dict[str, str]


@frozen
class _Token:
    value: str = field(repr=False)
    expires: float


def challenges_of(headers: httpx2.Headers) -> list[Challenge]:
    """The challenges of a response, in its order (RFC 9110, 11.6.1); what can't be read is left out."""
    found: list[Challenge] = []
    for line in headers.get_list("www-authenticate"):
        for match in _CHALLENGE.finditer(line[:8192]):
            name, value = match.group(1).lower(), match.group(2)
            if value is None:
                found.append(Challenge(name, {}))
            elif found:
                text = re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value
                found[-1].parameters[name] = text
    return found


class Authenticator:
    """Signs requests to one endpoint. It keeps one token for each scope, and forgets the oldest past a bound."""

    def __init__(self, endpoint: Endpoint, login: Login | None, monotonic: Callable[[], float] = time.monotonic):
        self._endpoint = endpoint
        self._login = login
        self._monotonic = monotonic
        self._tokens: dict[str, _Token] = {}
        self._bearer: Challenge | None = None
        self._basic = False

    def flow(self, request: httpx2.Request, scope: str) -> Flow:
        """Yield `request` signed as well as is known; on a 401 get what the registry asks for, and yield it once more.

        `scope` is what the request needs, as in `repository:acme/web:pull`; several are joined by a space. A yielded
        request other than `request` is one to the realm, whose response must have been read (at most TOKEN_LIMIT
        bytes). A second 401 is left to the caller. Raises Denied or Unavailable where the realm gives no token.
        """
        used = yield from self._sign(request, scope)
        response = yield request
        if response.status_code == 401 and (authorization := (yield from self._answer(response, scope, used))):
            request.headers["authorization"] = authorization
            yield request

    def hidden(self, text: str) -> str:
        """A text without what it has of our credentials."""
        secrets = {token.value for token in self._tokens.values()}
        if self._login is not None:
            basic = (self._login.basic or "").removeprefix("Basic ")
            secrets |= {self._login.password, self._login.identity_token, self._login.registry_token, basic}
        for secret in sorted(secrets - {""}, key=len, reverse=True):
            text = text.replace(secret, "***")
        return text

    def lacks_token(self, scope: str) -> bool:
        """Whether `flow` is going to ask for a token before anything else: then one at a time should, for one scope."""
        ready = self._login is not None and bool(self._login.registry_token)
        return self._bearer is not None and not self._signs_basic and not ready and self._cached(scope) is None

    def _answer(
        self, response: httpx2.Response, scope: str, used: str | None
    ) -> Generator[httpx2.Request, httpx2.Response, str | None]:
        """The authorization that a 401 asks for, where there is one that was not tried."""
        offered = challenges_of(response.headers)
        bearer = next((one for one in offered if one.scheme == "bearer" and one.parameters.get("realm")), None)
        self._bearer = bearer or self._bearer
        newer = self._cached(scope)
        if newer is not None and newer != used:
            return f"Bearer {newer}"  # another request got it meanwhile
        # Harbor answers a Bearer that does not reach far enough with a Basic challenge, and takes Basic.
        basic = any(one.scheme == "basic" for one in offered)
        if bearer is None and basic and self._basic_header and not self._basic:
            self._basic = True
            return self._basic_header
        if bearer is not None or (self._bearer is not None and used is not None):
            self._tokens.pop(scope, None)
            return f"Bearer {(yield from self._fetch(scope))}"
        return None

    @property
    def _signs_basic(self) -> bool:
        return self._basic and self._basic_header is not None

    @property
    def _basic_header(self) -> str | None:
        return self._login.basic if self._login else None

    def _sign(self, request: httpx2.Request, scope: str) -> Generator[httpx2.Request, httpx2.Response, str | None]:
        if self._signs_basic and self._basic_header:
            request.headers["authorization"] = self._basic_header
            return None
        token = self._cached(scope)
        if token is None and self._login is not None and self._login.registry_token:
            token = self._login.registry_token
        if token is None and self._bearer is not None:
            token = yield from self._fetch(scope)
        if token is not None:
            request.headers["authorization"] = f"Bearer {token}"
        return token

    def _cached(self, scope: str) -> str | None:
        token = self._tokens.get(scope)
        return token.value if token is not None and token.expires > self._monotonic() else None

    def _fetch(self, scope: str) -> Generator[httpx2.Request, httpx2.Response, str]:
        assert self._bearer is not None
        realm = self._realm(self._bearer.parameters["realm"])
        service = self._bearer.parameters.get("service", "")
        wanted = scope or self._bearer.parameters.get("scope", "")
        response = yield self._token_request(realm, service, wanted)
        token = self._read_token(response, realm)
        while len(self._tokens) >= _TOKENS_KEPT:
            del self._tokens[next(iter(self._tokens))]
        self._tokens[scope] = token
        return token.value

    def _realm(self, text: str) -> httpx2.URL:
        """The realm, if a login may go there: https, or plain http on the very host that is configured so."""
        realm = _parsed(text)
        if realm is None or realm.scheme not in ("http", "https") or not realm.host or realm.userinfo:
            raise Unavailable(f"the registry {self._endpoint.host} names a realm for tokens that is no URL")
        same_host = realm.host == httpx2.URL(self._endpoint.url).host
        if realm.scheme == "http" and not (same_host and self._endpoint.plain_http_allowed):
            raise Denied(
                f"the registry {self._endpoint.host} asks for tokens from {shown(realm)}, which is not https",
                remedy="no credential is sent there; ask the registry's owner for an https realm",
            )
        return realm

    def _token_request(self, realm: httpx2.URL, service: str, scope: str) -> httpx2.Request:
        """The Docker token protocol: GET with Basic, or OAuth2's POST where there is a refresh token."""
        scopes = scope.split()
        if self._login is not None and self._login.identity_token:
            form = {"grant_type": "refresh_token", "service": service, "client_id": "tidegate", "scope": scope}
            return httpx2.Request("POST", realm, data=form | {"refresh_token": self._login.identity_token})
        query = [("service", service)] if service else []
        url = realm.copy_with(params=[*realm.params.multi_items(), *query, *(("scope", one) for one in scopes)])
        headers = {"authorization": self._basic_header} if self._basic_header else {}
        return httpx2.Request("GET", url, headers=headers)

    def _read_token(self, response: httpx2.Response, realm: httpx2.URL) -> _Token:
        where = shown(realm)
        if response.status_code in (400, 401, 403):
            remedy = "check the user, the token and its rights" if self._login else "give credentials for this registry"
            raise Denied(f"{where} gives no token ({response.status_code})", remedy=remedy)
        if response.status_code != 200:
            raise Unavailable(f"{where} answered the request for a token with {response.status_code}")
        try:
            check_json(response.content, _VALUES_LIMIT)
            answer = json.loads(response.content)
        except (ValueError, RecursionError, LimitExceeded):
            answer = None
        fields = answer if isinstance(answer, dict) else {}
        value = fields.get("token") or fields.get("access_token")
        if not isinstance(value, str) or not _TOKEN.fullmatch(value):
            raise Unavailable(f"{where} answered the request for a token with something else")
        seconds = _seconds(fields.get("expires_in"))
        return _Token(value, self._monotonic() + max(seconds - _MARGIN, seconds / 2))


def _seconds(life: object) -> float:
    """How long a token lives, where that is told: some say it as text, GHCR not at all."""
    text = str(life) if isinstance(life, int | float | str) and not isinstance(life, bool) else ""
    try:
        seconds = float(text[:32])
    except ValueError:
        return _DEFAULT_LIFE
    return seconds if 0 < seconds < _LARGEST_LIFE else _DEFAULT_LIFE


def _parsed(text: str) -> httpx2.URL | None:
    try:
        url = httpx2.URL(text)
    except httpx2.InvalidURL:
        return None
    return url if has_port(url) else None
