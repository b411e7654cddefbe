"""How commands reach objects: through the doors of a Tidegate on this machine, or a cluster's API. Both are one."""

from __future__ import annotations

import asyncio
import functools
import os
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from tidegate.base.errors import NotFound
from tidegate.base.frozen import frozen
from tidegate.base.home import ENVIRONMENT, Home, default_home
from tidegate.kinds.resources import KNOWN, Resource
from tidegate.kube.access import Connection, plain
from tidegate.kube.client import KubeClient
from tidegate.kube.collection import Collection
from tidegate.kube.config import find_cluster
from tidegate.kube.discovery import Discovery
from tidegate.kube.pacing import QUICK, Limits

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")
DEFAULT_NAMESPACE = "flux-system"


def home_option(command: F) -> F:
    """`--home`, as every command that needs a home takes it."""
    text = "The folder in which everything is kept.  [default: $TIDEGATE_HOME or ~/.local/share/tidegate]"
    return click.option("--home", type=click.Path(path_type=Path, file_okay=False), default=None, help=text)(command)


def namespace_options(command: F) -> F:
    """`--namespace` and `--all-namespaces`, as kubectl takes them; the default is Flux's namespace."""
    every = click.option("-A", "--all-namespaces", is_flag=True, help="Look in all namespaces.")
    one = click.option("-n", "--namespace", default=DEFAULT_NAMESPACE, show_default=True, help="The namespace.")
    return one(every(command))


def open_home(home: Path | None) -> Home:
    """The home that a command works with."""
    return Home(home or default_home())


@frozen
class Doors:
    """Which server a command was told to ask: a home's, or a cluster's."""

    home: Path | None = None
    kubeconfig: Path | None = None
    context: str | None = None

    def connection(self) -> Connection:
        """The server that is meant; with nothing said, this machine's Tidegate, else the cluster of the kubeconfig.

        NotFound where there is neither.
        """
        cluster = self.kubeconfig is not None or self.context is not None
        if cluster and self.home is not None:
            raise click.UsageError("give --home, or --kubeconfig and --context")
        if cluster:
            return find_cluster(kubeconfig=self.kubeconfig, context=self.context)
        try:
            found = open_home(self.home)
            return plain(found.server().url, found.token(), remedy="is it running? start it with: tidegate up")
        except NotFound:
            if self.home is not None or os.environ.get(ENVIRONMENT):
                raise
            return _only_cluster()


def _only_cluster() -> Connection:
    try:
        return find_cluster()
    except NotFound as error:
        remedy = f"start one: tidegate up, or name its --home; or reach a cluster: {error.remedy}"
        raise NotFound(f"no tidegate runs here, and {error}", remedy=remedy) from error


def server_options(command: F) -> F:
    """`--home`, `--kubeconfig` and `--context`; the command gets them as `doors`."""

    @functools.wraps(command)
    def with_doors(*args: Any, home: Path | None, kubeconfig: Path | None, context: str | None, **rest: Any) -> Any:
        return command(*args, doors=Doors(home, kubeconfig, context), **rest)

    named = click.option("--context", help="A context of the kubeconfig: ask that cluster.")
    path = click.Path(path_type=Path, dir_okay=False)
    file = click.option("--kubeconfig", type=path, help="A kubeconfig: ask its cluster, not this machine's Tidegate.")
    return cast(F, home_option(file(named(with_doors))))


def connect(doors: Doors, *, limits: Limits = QUICK) -> KubeClient:
    """A client of the server that a command was told to ask; NotFound where there is none."""
    return KubeClient(doors.connection(), limits=limits)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's coroutine; Ctrl-C ends it quietly."""
    try:
        return asyncio.run(work)
    except KeyboardInterrupt:
        raise click.exceptions.Exit(130) from None


def resource_named(word: str) -> Resource:
    """A kind by any of its names (`imagepolicy`, `imagepolicies`, `imgpol`, `ImagePolicy`), with its group if given."""
    name, _, group = word.lower().partition(".")
    for resource in KNOWN:
        names = {resource.plural, resource.singular, *resource.short_names}
        if name in names and (not group or group == resource.group):
            return resource
    remedy = f"one of: {', '.join(sorted(resource.singular for resource in KNOWN))}"
    raise NotFound(f"no kind is named {word!r}", remedy=remedy)


async def collection_of(client: KubeClient, resource: Resource) -> Collection:
    """A kind as it stands in the URLs of this server, in the version that it prefers."""
    return (await Discovery(client).find(resource.group, resource.kind)).collection


def split_target(arguments: tuple[str, ...]) -> tuple[Resource, str | None]:
    """`KIND [NAME]` or `KIND/NAME`."""
    kind, slash, name = arguments[0].partition("/")
    if slash and len(arguments) == 1:
        return resource_named(kind), name
    if len(arguments) > 2 or slash:
        raise click.UsageError("give KIND, KIND NAME or KIND/NAME")
    return resource_named(kind), arguments[1] if len(arguments) == 2 else None
