"""`tidegate try envsubst`: a text with variables put in, as Flux's postBuild does."""

from __future__ import annotations

import click

from tidegate.base.errors import InvalidInput, Where
from tidegate.cli.try_common import Request, answer_lines, field, jsonl_option, only, text_from_stdin, text_map
from tidegate.deploy.envsubst.substitute import substitute


def answer(request: Request) -> str:
    """`input` (the text), `vars` (name → value) and `strict` → the text."""
    only(request, "input", "vars", "strict")
    variables = text_map(request, "vars") if request.get("vars") is not None else {}
    strict = field(request, "strict", bool) if request.get("strict") is not None else False
    return substitute(field(request, "input", str), variables, strict=strict)


@click.command()
@click.option("--vars", "pairs", multiple=True, metavar="NAME=VALUE", help="A variable; may be given several times.")
@click.option("--strict", is_flag=True, help="Fail for a variable that is not set and has no default.")
@jsonl_option
def command(pairs: tuple[str, ...], strict: bool, jsonl: bool) -> None:
    """Put variables into the text on stdin: ${NAME}, ${NAME:=default}, ${NAME/a/b} and so on, as Flux does."""
    if jsonl:
        answer_lines(answer)
        return
    click.echo(answer({"input": text_from_stdin(), "vars": dict(map(_pair, pairs)), "strict": strict}), nl=False)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise InvalidInput(f"{text!r} is no variable such as NAME=VALUE", where=Where(field="--vars"))
    return name, value
