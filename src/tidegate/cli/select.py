"""`tidegate select`: which tag of an image in a registry a policy selects, with no objects at all."""

from __future__ import annotations

import click

from tidegate.base.errors import InvalidInput
from tidegate.cli.doors import run
from tidegate.cli.registry_logins import own_logins
from tidegate.cli.selecting import ONE_ORDER, as_json, end_without, policy_options, rule_of
from tidegate.cli.tables import table_lines
from tidegate.cli.try_common import print_json
from tidegate.kinds.image_repository import DEFAULT_EXCLUSIONS
from tidegate.kinds.reference import Repository, parse_repository
from tidegate.oci.client import RegistryClient
from tidegate.oci.credentials import Access
from tidegate.select.advice import Rule
from tidegate.select.decision import Decision
from tidegate.select.explanation import Listed, explained
from tidegate.select.policy import select


@click.command()
@click.option("--image", required=True, metavar="REF", help="The image without a tag: ghcr.io/acme/shop.")
@policy_options
@click.option("--insecure", is_flag=True, help="Talk to the registry over plain http.")
@click.option("-o", "--output", type=click.Choice(["json", "wide"]), help="Every tag's reason as JSON; or the nearest.")
def command(
    image: str,
    semver: str | None,
    alphabetical: str | None,
    numerical: str | None,
    filter_: str | None,
    extract: str | None,
    exclude: tuple[str, ...],
    insecure: bool,
    output: str | None,
) -> None:
    r"""Select one of an image's tags as they are in its registry now. Exit code 1 where none qualifies.

    Logins are those of docker, podman, buildah and skopeo. Without --exclude, what an ImageRepository leaves out by
    default is left out: ^.*\.sig$
    """
    orders = {"semver": semver, "alphabetical": alphabetical, "numerical": numerical}
    if sum(value is not None for value in orders.values()) != 1:
        raise click.UsageError(ONE_ORDER)
    rule = rule_of(orders, filter_, extract, exclude or DEFAULT_EXCLUSIONS)
    repository = _repository(image)
    tags = run(_tags(repository, insecure))
    if not tags:
        raise InvalidInput(f"{image} has no tags", remedy="push one, or look whether the name is right")
    decision = select(rule.policy, sorted(tags, reverse=True), rule.tag_filter)
    if output == "json":
        print_json({"image": str(repository)} | as_json(decision))
    elif output == "wide":
        _print_wide(str(repository), decision, rule)
    elif decision.tag is not None:
        click.echo(decision.tag)
    end_without(decision)


def _repository(image: str) -> Repository:
    try:
        return parse_repository(image)
    except InvalidInput as error:
        raise InvalidInput(error.message, remedy="write HOST/REPOSITORY, without scheme, tag and digest") from None


async def _tags(repository: Repository, insecure: bool) -> list[str]:
    async with RegistryClient() as registry:
        return await registry.using(Access(own_logins(), insecure)).tags(repository)


def _print_wide(image: str, decision: Decision, rule: Rule) -> None:
    told = explained(decision, rule, Listed())
    click.echo(f"{image}:{decision.tag}" if decision.tag else "nothing")
    click.echo(told.summary())
    for line in table_lines([], list(told.losers)):
        click.echo(f"  {line}")
    for sentence in told.advice:
        click.echo(f"  {sentence}")
