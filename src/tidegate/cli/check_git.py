"""`tidegate check git`: can a repository be read, and pushed to, and with what; nothing is changed there."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import field, replace
from pathlib import Path
from typing import Any

import click
import yaml

from tidegate.base.errors import InvalidInput, NotFound, TidegateError
from tidegate.base.frozen import frozen
from tidegate.cli.doors import DEFAULT_NAMESPACE, Doors, connect, open_home, run, server_options
from tidegate.cli.output import print_error
from tidegate.git.deploy_key import SshPlace
from tidegate.git.names import branch_ref
from tidegate.git.probing import described, host_keys, may_push
from tidegate.git.remote import Credentials, Remote, ls_remote
from tidegate.git.repository import Repository
from tidegate.git.secrets import credentials_for, credentials_of
from tidegate.kinds.common import GitReference
from tidegate.kinds.git_repository import GROUP, GitRepository
from tidegate.kinds.image_update_automation import ImageUpdateAutomation
from tidegate.kinds.objects import ObjectKey
from tidegate.kinds.semver_ranges import parse_range
from tidegate.kube.store import KubeStore

NOT_ASKED = 2
TIMEOUT = 30.0
OK, FAILED, NOTE = "ok", "FAIL", "note"


@frozen
class Wanted:
    """A repository to be checked. `writers` are the automations that push to it; `hosted` is where it is, if here."""

    title: str
    url: str
    reference: GitReference = field(default_factory=GitReference)
    credentials: Credentials | None = None
    secret: str = ""
    writers: tuple[str, ...] = ()
    hosted: Path | None = None


Tell = Callable[[str, str, str], None]
"""Takes a finding: `ok`, `FAIL` or `note`, about what, and what was found."""


@click.command()
@click.argument("name", required=False, metavar="[GITREPOSITORY]")
@click.option("-n", "--namespace", default=DEFAULT_NAMESPACE, show_default=True, help="The GitRepository's namespace.")
@click.option("--url", help="Check this URL, without a server.")
@click.option("--branch", help="With --url: the branch that has to be there.")
@click.option(
    "--secret",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="With --url: a manifest of the Secret, as `tidegate keygen` and `flux create secret git --export` write it.",
)
@click.option("--read-only", is_flag=True, help="Ask only whether it can be read.")
@click.option("--timeout", type=click.FloatRange(min=1), default=TIMEOUT, show_default=True, help="Seconds to wait.")
@server_options
def command(
    name: str | None, namespace: str, url: str | None, branch: str | None, secret: Path | None, read_only: bool,
    timeout: float, doors: Doors,
) -> None:  # fmt: skip
    """Say whether a GitRepository (all of the namespace, if none is named) or a URL can be read, and pushed to: which
    commit its ref is at, with which credential, which keys an ssh host shows. This machine asks, and nothing is changed
    there. What protected branches and hooks refuse is known only once commits arrive.

    Exit code 0: all is well, 1: something does not work, 2: nothing could be asked.
    """
    if (name and url) or (not url and (branch or secret)):
        raise click.UsageError("give a GitRepository, or --url with --branch and --secret")
    try:
        wanted = [_of_url(url, branch, secret)] if url else run(_of_objects(doors, namespace, name))
    except TidegateError as error:
        print_error(error)
        raise click.exceptions.Exit(NOT_ASKED) from None
    if not wanted:
        click.echo(f"no GitRepository is in the namespace {namespace}")
    works = [run(_works(one, read_only, timeout)) for one in wanted]
    if not all(works):
        raise click.exceptions.Exit(1)


def _of_url(url: str, branch: str | None, secret: Path | None) -> Wanted:
    if "://" not in url:
        url = SshPlace.parse(url).url
    wanted = Wanted(url, url, GitReference(branch=branch))
    if secret is None:
        return wanted
    return replace(wanted, credentials=credentials_of(_manifest(secret)), secret=f" ({secret})")


def _manifest(path: Path) -> dict[str, bytes]:
    """The data of a Secret in a file."""
    try:
        found = yaml.safe_load(path.read_text("utf-8"))
        if found["kind"] != "Secret":
            raise InvalidInput(f"{path} holds a {found['kind']}, and not a Secret")
        data = {key: base64.b64decode(value, validate=True) for key, value in (found.get("data") or {}).items()}
        return data | {key: str(value).encode() for key, value in (found.get("stringData") or {}).items()}
    except (yaml.YAMLError, UnicodeDecodeError, TypeError, KeyError, AttributeError, binascii.Error) as error:
        raise InvalidInput(f"{path} is no manifest of a Secret: {error}") from None


async def _of_objects(doors: Doors, namespace: str, name: str | None) -> list[Wanted]:
    async with connect(doors) as client:
        store = KubeStore(client)
        if name is None:
            sources = list((await store.list(GROUP, "GitRepository", namespace=namespace)).items)
        else:
            sources = [await store.get(ObjectKey(GROUP, "GitRepository", namespace, name))]
        try:
            automations = (await store.list("image.toolkit.fluxcd.io", "ImageUpdateAutomation")).items
        except NotFound:
            automations = []  # a cluster without the kind
        return [await _of_object(store, source, automations, doors) for source in sources]


async def _of_object(store: KubeStore, obj: Any, automations: Any, doors: Doors) -> Wanted:
    source = GitRepository.from_object(obj)
    key = source.key
    title = f"{key.namespace}/{key.name}  {source.url}"
    reference = replace(source.ref, branch=source.branch)
    writers, hosted = _writers(automations, key), _hosted(doors, source.url)
    wanted = Wanted(title, source.url, reference, writers=writers, hosted=hosted)
    secret = f" of the Secret {key.namespace}/{source.secret_ref.name}" if source.secret_ref else ""
    return replace(wanted, credentials=await credentials_for(store, source), secret=secret)


def _writers(automations: Any, source: ObjectKey) -> tuple[str, ...]:
    found = []
    for one in automations:
        try:
            spec = ImageUpdateAutomation.from_object(one)
        except InvalidInput:
            continue  # its own condition says so
        if (spec.source_ref.namespace or spec.key.namespace, spec.source_ref.name) == (source.namespace, source.name):
            found.append(f"{spec.key.namespace}/{spec.key.name}")
    return tuple(found)


def _hosted(doors: Doors, url: str) -> Path | None:
    """Where a repository is that the Tidegate of this machine hosts under this URL."""
    from tidegate.serve.git_repositories import HostedRepositories  # noqa: PLC0415 - a command's start is measured

    if doors.kubeconfig is not None or doors.context is not None:
        return None
    home = open_home(doors.home)
    try:
        server = home.server()
    except NotFound:
        return None
    port = int(server.url.rpartition(":")[2])
    return HostedRepositories(home.repositories, hosts=server.stand_ins, port=port).by_url(url)


async def _works(wanted: Wanted, read_only: bool, timeout: float) -> bool:
    """Print what is found, each line as soon as it is known; whether nothing is wrong."""
    click.echo(wanted.title)
    states: set[str] = set()

    def tell(state: str, topic: str, text: str) -> None:
        states.add(state)
        click.echo(f"  {state:<4}  {topic:<10}  " + text.replace("\n", f"\n{'':20}"))

    if wanted.hosted is not None:
        await _hosted_here(wanted, tell)
    else:
        await _remote(wanted, read_only, timeout, tell)
    return FAILED not in states


async def _remote(wanted: Wanted, read_only: bool, timeout: float, tell: Tell) -> None:
    remote = Remote(wanted.url, wanted.credentials)
    try:
        protocol = remote.protocol
        tell(OK, "credential", await described(wanted.credentials) + wanted.secret)
        if protocol == "ssh" and wanted.credentials is not None:
            await _host_keys(wanted, tell)
        tell(OK, "reads", _at(wanted.reference, await ls_remote(remote, timeout=timeout)))
    except TidegateError as error:
        tell(FAILED, "reads", error.explain())
        return
    if not read_only:
        await _pushes(wanted, remote, timeout, tell)


async def _hosted_here(wanted: Wanted, tell: Tell) -> None:
    assert wanted.hosted is not None
    repository = Repository(wanted.hosted)
    refs = await repository.refs() if repository.exists() else {}
    try:
        tell(OK, "reads", f"{_at(wanted.reference, refs)}; this Tidegate hosts it, no credential is needed")
        tell(OK, "pushes", "automations move its branches directly")
    except NotFound as error:
        tell(FAILED, "reads", f"this Tidegate hosts it: {error.explain()}")


async def _host_keys(wanted: Wanted, tell: Tell) -> None:
    assert wanted.credentials is not None
    keys = await host_keys(SshPlace.parse(wanted.url), wanted.credentials)
    if keys.agree:
        tell(OK, "host keys", "\n".join(keys.agree))
    else:
        tell(FAILED, "host keys", "\n".join([f"the host shows {one}" for one in keys.shown]))
        for one in keys.believed:
            tell(NOTE, "host keys", f"known_hosts{wanted.secret} has {one}")


async def _pushes(wanted: Wanted, remote: Remote, timeout: float, tell: Tell) -> None:
    by = f" ({', '.join(wanted.writers)})" if wanted.writers else ""
    try:
        await may_push(remote, timeout=timeout)
    except TidegateError as error:
        needed = bool(wanted.writers) or wanted.title == wanted.url
        if needed:
            tell(FAILED, "pushes", f"{error.explain()}{by}")
        else:
            tell(NOTE, "pushes", f"not possible, and no automation needs it: {error.message}")
    else:
        tell(OK, "pushes", f"the host lets this credential begin a push{by}")


def _at(reference: GitReference, refs: dict[str, str]) -> str:
    """Where the ref is that is followed; NotFound where it is not there."""
    from tidegate.source.versions import newest_tag  # noqa: PLC0415

    branches = sum(name.startswith("refs/heads/") for name in refs)
    tags = sum(name.startswith("refs/tags/") for name in refs)
    there = f"{branches} branches, {tags} tags"
    if reference.commit:
        return f"commit {reference.commit[:12]} is wanted ({there})"
    if reference.semver and not reference.name:
        ref = newest_tag(refs, parse_range(reference.semver))
        if ref is None:
            raise NotFound(f"no tag is in the range {reference.semver!r} ({there})", remedy="look at spec.ref.semver")
    elif reference.name or reference.tag:
        ref = reference.name or f"refs/tags/{reference.tag}"
    else:
        ref = branch_ref(reference.branch) if reference.branch else "HEAD"
    if ref not in refs:
        if not refs:
            raise NotFound("it is empty: nothing was pushed yet", remedy="git push to it")
        raise NotFound(f"there is no {ref} ({there})", remedy="look at spec.ref, or push that branch or tag first")
    return f"{ref.removeprefix('refs/heads/').removeprefix('refs/')} is at {refs[ref][:12]} ({there})"
