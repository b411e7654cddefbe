"""Where kinds are in the API's URLs. Pure."""

from __future__ import annotations

from urllib.parse import quote

from tidegate.base.errors import InvalidInput, Where
from tidegate.base.frozen import frozen

_WHOLE_SEGMENTS = ("", ".", "..")


@frozen
class Collection:
    """A kind as it stands in URLs: `image.toolkit.fluxcd.io`, `v1`, `imagepolicies`."""

    group: str
    version: str
    plural: str

    @property
    def api_version(self) -> str:
        """The version as objects write it: `apps/v1`, `v1`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
        """The URL path of the collection (in one namespace, or in all), of one object or of its subresource.

        InvalidInput where a name can't stand in a path: no name reaches another place than its own.
        """
        parts = ["apis", self.group, self.version] if self.group else ["api", self.version]
        parts += ["namespaces", _segment(namespace, "metadata.namespace")] if namespace else []
        parts += [self.plural, *([_segment(name, "metadata.name")] if name is not None else [])]
        return "/" + "/".join([*parts, *([subresource] if subresource else [])])


def _segment(text: str, field: str) -> str:
    if text in _WHOLE_SEGMENTS or "/" in text or "%" in text:
        raise InvalidInput(f"{text[:100]!r} can't be a name", where=Where(field=field))
    return quote(text, safe=":@-._~")
