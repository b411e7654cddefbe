"""What a workflow says of a container, evaluated: GitHub's fields, less what reaches the machine. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field
from typing import Any

from tidegate.base.errors import InvalidInput, Where
from tidegate.base.frozen import frozen
from tidegate.kinds.reference import Reference, parse
from tidegate.oci.credentials import Login
from tidegate.runner.containers.options import Options, read_options
from tidegate.workflow.model import Container, Job, Listing, Literal, Table, Template
from tidegate.workflow.resolve import Scope, table_value, text_value, value_of

_PORT = re.compile(r"(?:(?:127\.0\.0\.1|0\.0\.0\.0):)?(?:(\d{1,5}):)?(\d{1,5})(?:/(tcp|udp))?", re.ASCII)
_VOLUME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*", re.ASCII)
_CLOSED = ("/", "/__e", "/__w", "/github", "/proc", "/sys", "/dev", "/etc/hosts", "/etc/resolv.conf")
_FIELDS = ("image", "env", "ports", "volumes", "options", "credentials")
MOST_SERVICES = 50


@frozen
class Port:
    """A port of a container and the one at which the job finds it; None where any free one will do."""

    host: int | None
    container: int
    protocol: str = "tcp"


@frozen
class Volume:
    """A folder that a job's containers may share; without a name it is the container's own."""

    name: str
    target: str
    read_only: bool = False


@frozen
class Wanted:
    """One container. `name` is a service's id, empty for the job's own."""

    name: str
    image: Reference
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    ports: tuple[Port, ...] = ()
    volumes: tuple[Volume, ...] = ()
    options: Options = Options()
    login: Login | None = field(default=None, repr=False)
    where: Where = Where()


def wanted(container: Container, scope: Scope, name: str = "") -> Wanted | None:
    """The container that a job says, None where its image comes to the empty text. Raises InvalidInput at its line."""
    if isinstance(container.image, Template) and isinstance(value := value_of(container.image, scope), dict):
        return wanted(_from_value(value, container.image.where), scope, name)
    image = text_value(container.image, scope).strip()
    if not image:
        return None
    where = container.image.where if container.image.where.line else container.where
    options = text_value(container.options, scope) if container.options is not None else ""
    options_where = container.options.where if container.options is not None else where
    found = read_options(options, options_where, service=bool(name))
    return Wanted(
        name=name,
        image=image_named(image, where),
        env={**found.env, **table_value(container.env, scope)},
        ports=tuple(port(text, container.where) for text in _texts(value_of(container.ports, scope), container.where)),
        volumes=tuple(
            volume(text, container.where) for text in _texts(value_of(container.volumes, scope), container.where)
        ),
        options=found,
        login=_login(container, scope),
        where=where,
    )


def wanted_of(job: Job, scope: Scope) -> tuple[Wanted | None, tuple[Wanted, ...]]:
    """The job's own container and its services. Raises InvalidInput at the line of what is wrong."""
    own = job.container
    if isinstance(own, Template):
        own = _from_value(value_of(own, scope), own.where)
    container = wanted(own, scope) if own is not None else None
    said = job.services
    if isinstance(said, Template):
        table = value_of(said, scope) or {}
        if not isinstance(table, dict):
            raise InvalidInput(f"{said.source!r} gives no mapping", where=said.where)
        services = {name: _from_value(value, said.where) for name, value in table.items()}
    else:
        services = dict(said)
    if len(services) > MOST_SERVICES:
        raise InvalidInput(f"a job has at most {MOST_SERVICES} services")
    found = (wanted(one, scope, name) for name, one in services.items())
    return container, tuple(one for one in found if one is not None)


def needs_containers(job: Job, image: str) -> bool:
    """Whether a job says a container or services, or its Runner does."""
    return bool(image) or job.container is not None or isinstance(job.services, Template) or bool(job.services)


def in_container(job: Job, scope: Scope, image: str) -> bool:
    """Whether a job's steps run in a container; `image` is its Runner's. Raises InvalidInput."""
    own = job.container
    if isinstance(own, Template):
        said = value_of(own, scope)
        return bool(image or (said.get("image") if isinstance(said, dict) else said))
    if own is None:
        return bool(image)
    said = value_of(own.image, scope)
    return bool(image or (said.get("image") if isinstance(said, dict) else str(said or "").strip()))


def of_runner(image: str) -> Wanted:
    """The container of a job that says none, where its Runner names an image."""
    return Wanted("", image_named(image, Where(field="spec.image")))


def image_named(text: str, where: Where) -> Reference:
    """The image that a text names, `docker://` before it or not. Raises InvalidInput at `where`."""
    try:
        return parse(text.removeprefix("docker://"))
    except InvalidInput as error:
        raise InvalidInput(f"no image: {error.message}", where=where, remedy="write NAME:TAG") from None


def _from_value(value: Any, where: Where) -> Container:
    """A container that an expression gave: an image's name, or a mapping. Raises InvalidInput."""
    if not isinstance(value, dict):
        return Container(Literal("" if value is None else str(value), where), where=where)
    unknown = next((name for name in value if name not in _FIELDS), None)
    if unknown is not None:
        raise InvalidInput(f"a container has no {unknown!r}", where=where, remedy=f"it has: {', '.join(_FIELDS)}")
    lists = {name: Listing(tuple(Literal(text) for text in _texts(value.get(name), where))) for name in _FIELDS[2:4]}
    return Container(
        image=Literal(str(value.get("image") or ""), where),
        env=_table(value.get("env"), where),
        ports=lists["ports"],
        volumes=lists["volumes"],
        options=Literal(str(value["options"]), where) if value.get("options") else None,
        credentials=_table(value["credentials"], where) if value.get("credentials") else None,
        where=where,
    )


def _table(value: Any, where: Where) -> Table:
    if not isinstance(value, dict | None):
        raise InvalidInput("'env' and 'credentials' are mappings", where=where)
    return Table({str(name): Literal(one if isinstance(one, str) else str(one)) for name, one in (value or {}).items()})


def _login(container: Container, scope: Scope) -> Login | None:
    if container.credentials is None:
        return None
    said = table_value(container.credentials, scope)
    username, password = said.get("username", ""), said.get("password", "")
    if not username or not password:
        missing = "username" if not username else "password"
        raise InvalidInput(f"'credentials' have no {missing}", where=container.credentials.where or container.where)
    return Login(username, password)


def _texts(value: Any, where: Where) -> list[str]:
    if value is None or value == "":
        return []
    if not isinstance(value, list):
        raise InvalidInput("'ports' and 'volumes' are lists", where=where)
    return [f"{one:g}" if isinstance(one, float) else str(one) for one in value]


def port(text: str, where: Where) -> Port:
    """A port as GitHub's syntax writes it. Raises InvalidInput."""
    found = _PORT.fullmatch(text)
    numbers = [int(part) for part in found.groups()[:2] if part] if found else [0]
    if found is None or any(not 0 < number < 65_536 for number in numbers):
        raise InvalidInput(f"{text!r} is no port", where=where, remedy="write 8080:80, 80 or 53:53/udp")
    return Port(int(found[1]) if found[1] else None, int(found[2]), found[3] or "tcp")


def volume(text: str, where: Where) -> Volume:
    """A volume: `NAME:/PATH[:ro]` or `/PATH`, nothing of the machine's. Raises InvalidInput."""
    parts = text.split(":")
    name, target = ("", parts[0]) if len(parts) == 1 else (parts[0], parts[1])
    mode = parts[2] if len(parts) == 3 else ""
    if name.startswith(("/", ".", "~")):
        remedy = "name a volume (NAME:/PATH), or use the workspace"
        raise InvalidInput(f"the volume {text!r} reaches the machine's own files", where=where, remedy=remedy)
    closed = any(target == path or (path != "/" and target.startswith(f"{path}/")) for path in _CLOSED)
    known = len(parts) <= 3 and mode in ("", "ro", "rw") and (not name or _VOLUME.fullmatch(name))
    if not known or not target.startswith("/") or ".." in target or closed:
        raise InvalidInput(f"{text!r} is no volume", where=where, remedy="write NAME:/PATH or NAME:/PATH:ro")
    return Volume(name, target, mode == "ro")
