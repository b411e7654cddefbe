"""Sprig's defaults, JSON, reflection, URLs, durations and flow control. Pure."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, unquote_to_bytes

from tidegate.base.errors import InvalidInput
from tidegate.kinds import duration
from tidegate.update.gotemplate.budget import Budget
from tidegate.update.gotemplate.conversions import from_json, indent_json, to_json
from tidegate.update.gotemplate.functions import Registry
from tidegate.update.gotemplate.literals import parse_integer
from tidegate.update.gotemplate.values import (
    Int64,
    Map,
    TemplateError,
    decode,
    deep_equal,
    encode,
    is_true,
    kind_name,
    type_name,
    wrap_int,
)

VALUES = Registry()
_SECOND = 1_000_000_000
_PERIODS = (("y", 365 * 86400), ("mo", 30 * 86400), ("d", 86400), ("h", 3600), ("m", 60), ("s", 1))

VALUES.add("any, ...any", "default")(lambda _, default, *given: given[0] if given and is_true(given[0]) else default)
VALUES.add("any", "empty")(lambda _, value: not is_true(value))
VALUES.add("...any", "coalesce")(lambda _, *values: next(filter(is_true, values), None))
VALUES.add("...any", "all")(lambda _, *values: all(map(is_true, values)))
VALUES.add("...any", "any")(lambda _, *values: any(map(is_true, values)))
VALUES.add("any, any, bool", "ternary")(lambda _, one, other, choice: one if choice else other)
VALUES.add("any, any", "deepEqual")(lambda _, one, other: deep_equal(one, other))
VALUES.add("any", "typeOf")(lambda _, value: type_name(value))
VALUES.add("any", "kindOf")(lambda _, value: kind_name(value))
VALUES.add("string, any", "typeIs")(lambda _, name, value: name == type_name(value))
VALUES.add("string, any", "typeIsLike")(lambda _, name, value: type_name(value) in (name, f"*{name}"))
VALUES.add("string, any", "kindIs")(lambda _, name, value: name == kind_name(value))
VALUES.add("string", "mustFromJson")(lambda _, text: from_json(text))
VALUES.add("any", "mustToJson")(lambda _, value: to_json(value))
VALUES.add("any", "mustToPrettyJson")(lambda _, value: indent_json(to_json(value)))
VALUES.add("any", "toRawJson", "mustToRawJson")(lambda _, value: to_json(value, escape_html=False))


@VALUES.add("string", "fromJson")
def _from_json(_: Budget, text: str) -> Any:
    try:
        return from_json(text)
    except TemplateError:
        return None


@VALUES.add("any", "toJson")
def _to_json(_: Budget, value: Any) -> str:
    try:
        return to_json(value)
    except TemplateError:
        return ""


@VALUES.add("any", "toPrettyJson")
def _to_pretty_json(_: Budget, value: Any) -> str:
    try:
        return indent_json(to_json(value))
    except TemplateError:
        return ""


@VALUES.add("string", "fail")
def _fail(_: Budget, message: str) -> str:
    raise TemplateError(message)


@VALUES.add("any", "duration")
def _duration(_: Budget, seconds: Any) -> str:
    number = 0
    if isinstance(seconds, str):
        number = parse_integer(seconds.lstrip("0") or "0") or 0
    elif isinstance(seconds, Int64):
        number = int(seconds)
    return duration.render(wrap_int(max(-(2**63), min(2**63 - 1, number)) * _SECOND))


@VALUES.add("any", "durationRound")
def _duration_round(_: Budget, value: Any) -> str:
    nanoseconds = 0
    if isinstance(value, str):
        try:
            nanoseconds = duration.parse(value)
        except InvalidInput:
            nanoseconds = 0
    elif isinstance(value, Int64):
        nanoseconds = int(value)
    for unit, seconds in _PERIODS:
        if abs(nanoseconds) > seconds * _SECOND:
            return f"{abs(nanoseconds) // (seconds * _SECOND)}{unit}"
    return "0s"


@VALUES.add("string", "urlParse")
def _url_parse(_: Budget, text: str) -> Map:
    return Map(parse_url(text))


def parse_url(text: str) -> dict[str, Any]:
    """net/url's Parse, as a dictionary. TemplateError."""
    if any(char < " " or char == "\x7f" for char in text):
        raise TemplateError("unable to parse url: invalid control character in URL")
    rest, mark, fragment = text.partition("#")
    scheme, rest = _scheme(rest)
    parts = dict.fromkeys(("scheme", "host", "hostname", "path", "query", "opaque", "fragment", "userinfo"), "")
    parts |= {"scheme": scheme.lower(), "fragment": _unescape(fragment) if mark else ""}
    rest, _, parts["query"] = rest.partition("?")
    if scheme and not rest.startswith("/"):
        parts["opaque"] = rest
        return parts
    if not scheme and ":" in rest.partition("/")[0]:
        raise TemplateError("unable to parse url: first path segment in URL cannot contain colon")
    if rest.startswith("//") and not (scheme == "" and rest.startswith("///")):
        authority, slash, path = rest[2:].partition("/")
        userinfo, at, host = authority.rpartition("@")
        parts |= _host(host)
        parts["userinfo"] = _userinfo(userinfo) if at else ""
        rest = slash + path
    parts["path"] = _unescape(rest)
    return parts


def _scheme(text: str) -> tuple[str, str]:
    scheme, colon, rest = text.partition(":")
    if not colon:
        return "", text
    if not scheme:
        raise TemplateError("unable to parse url: missing protocol scheme")
    plain = scheme.isascii() and scheme.replace("+", "").replace("-", "").replace(".", "").isalnum()
    if not plain:
        return "", text
    if not scheme[0].isalpha():
        if scheme[0].isdigit() or scheme[0] in "+-.":
            raise TemplateError("unable to parse url: first path segment in URL cannot contain colon")
        return "", text
    return scheme, rest


def _host(host: str) -> dict[str, Any]:
    name, port = host, ""
    if host.startswith("["):
        inside, bracket, after = host[1:].partition("]")
        if not bracket:
            raise TemplateError("unable to parse url: missing ']' in host")
        name, port = inside, after
    elif ":" in host:
        name, _, digits = host.rpartition(":")
        port = f":{digits}"
        name = host[: host.rfind(":")]
    if port and (port[0] != ":" or not (port[1:] == "" or (port[1:].isascii() and port[1:].isdecimal()))):
        raise TemplateError(f"unable to parse url: invalid port {port!r} after host")
    return {"host": _unescape(host), "hostname": _unescape(name)}


def _userinfo(text: str) -> str:
    user, colon, password = text.partition(":")
    return _escape(_unescape(user), "$&+,;=") + (":" + _escape(_unescape(password), "$&+,;=") if colon else "")


def _unescape(text: str) -> str:
    data = encode(text)
    for at, byte in enumerate(data):
        if byte == 0x25 and not (
            len(data) >= at + 3 and all(chr(c) in "0123456789abcdefABCDEF" for c in data[at + 1 : at + 3])
        ):
            raise TemplateError(f"unable to parse url: invalid URL escape {decode(data[at : at + 3])!r}")
    return decode(unquote_to_bytes(data))


def _escape(text: str, safe: str) -> str:
    return quote(encode(text), safe=safe + "-_.~")


@VALUES.add("dict", "urlJoin")
def _url_join(_: Budget, parts: Map | None) -> str:
    given = parts.entries if parts else {}
    values = {
        name: given.get(name, "") for name in ("scheme", "host", "path", "query", "opaque", "fragment", "userinfo")
    }
    for name, value in values.items():
        if not isinstance(value, str):
            raise TemplateError(f"unable to parse {name} key, must be of type string, but {kind_name(value)} found")
    return _url_text(values)


def _url_text(values: dict[str, str]) -> str:
    text = f"{values['scheme']}:" if values["scheme"] else ""
    if values["opaque"]:
        text += values["opaque"]
    else:
        text += _hierarchical(values)
    if values["query"]:
        text += f"?{values['query']}"
    return text + (f"#{_escape(values['fragment'], chr(33) + '$&()*+,/:;=?@')}" if values["fragment"] else "")


def _hierarchical(values: dict[str, str]) -> str:
    text, path = "", _escape(values["path"], "$&+,/:;=@")
    if values["scheme"] or values["host"] or values["userinfo"]:
        if values["host"] or values["userinfo"] or path.startswith("//"):
            text = "//"
        if values["userinfo"]:
            text += f"{_userinfo(values['userinfo'])}@"
        text += _escape(values["host"], "!$&'()*+,;=:[]<>\"")
    if path and not path.startswith("/") and values["host"]:
        text += "/"
    if not text and not values["scheme"] and ":" in path.partition("/")[0]:
        text = "./"
    return text + path
