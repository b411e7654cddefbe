"""How a RUN reaches the network as this machine does: resolver, proxy, CA and package index. Nothing of it can land in
a layer: files are in the sandbox's own /dev, variables are not the image's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path

from tidegate.base.frozen import frozen
from tidegate.base.process import network_settings
from tidegate.base.sandbox import Bind
from tidegate.build.index_settings import IndexSettings

CA_INSIDE = "/dev/.host/ca.pem"
APT_INSIDE = "/dev/.host/apt.conf"
_CA_VARIABLES = (
    "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT", "NODE_EXTRA_CA_CERTS", "GIT_SSL_CAINFO",
)  # fmt: skip
_PATHS = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_RESOLVER = Path("/etc/resolv.conf")
_HOSTS = "127.0.0.1\tlocalhost build\n::1\tlocalhost ip6-localhost ip6-loopback\n"
_APT = f'Acquire::https::CaInfo "{CA_INSIDE}";\n'


@frozen
class Reach:
    """What a sandbox gets for that: variables, and files of the build's own scratch folder."""

    environment: Mapping[str, str] = field(default_factory=dict)
    binds: tuple[Bind, ...] = ()


def reach(environment: Mapping[str, str], index: IndexSettings, scratch: Path, *, network: bool) -> Reach:
    """This host's settings, for one command. `environment` is this process's, `scratch` an empty folder."""
    files = {"/etc/hosts": _HOSTS}
    variables: dict[str, str] = {}
    ca = _readable(index.ca_file or environment.get("SSL_CERT_FILE")) if network else None
    if network:
        variables = {name: text for name, text in network_settings(environment).items() if name not in _PATHS}
        variables |= _index(index)
        files["/etc/resolv.conf"] = _readable(str(_RESOLVER)) or ""
    if ca:
        files |= {CA_INSIDE: ca, APT_INSIDE: _APT}
        variables |= dict.fromkeys(_CA_VARIABLES, CA_INSIDE) | {"APT_CONFIG": APT_INSIDE}
    binds = []
    for number, (target, text) in enumerate(files.items()):
        source = scratch / f"file-{number}"
        source.write_text(text)
        source.chmod(0o644)
        binds.append(Bind(source, target, read_only=True))
    return Reach(variables, tuple(binds))


def _index(index: IndexSettings) -> dict[str, str]:
    """By pip's and uv's own variables; folders of this machine are not there in a sandbox."""
    links = [link for link in index.find_links if "://" in link and not link.startswith("file:")]
    values = {
        "PIP_INDEX_URL": index.index_url or "",
        "PIP_EXTRA_INDEX_URL": " ".join(index.extra_index_urls),
        "PIP_FIND_LINKS": " ".join(links),
        "PIP_TRUSTED_HOST": " ".join(index.trusted_hosts),
        "UV_DEFAULT_INDEX": index.index_url or "",
        "UV_INDEX": " ".join(index.extra_index_urls),
    }
    return {name: value for name, value in values.items() if value}


def _readable(path: str | None) -> str | None:
    try:
        return Path(path).read_text() if path else None
    except (OSError, UnicodeDecodeError):
        return None
