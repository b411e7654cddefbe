"""Reads a Dockerfile into instructions with their lines; what cannot be read is an error at its line. Pure.

The grammar is BuildKit's, by e2b-dockerfile-utils; what an instruction means is said in `plan.py`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import field

from e2b_dockerfile_utils import (
    DockerfileInstruction,
    DockerfileSyntaxError,
    ShellLex,
    chomp_heredoc_content,
    parse_dockerfile_ast,
)

from tidegate.base.errors import InvalidInput, LimitExceeded, Where
from tidegate.base.frozen import frozen

SIZE_LIMIT = 1024 * 1024
STAGE_LIMIT = 200
INSTRUCTIONS = (
    "ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "MAINTAINER", "ONBUILD",
    "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR",
)  # fmt: skip
_UNKNOWN = re.compile(r"unknown instruction:? *['\"]?([A-Za-z]+)", re.IGNORECASE)
_ESCAPED_OR_QUOTE = re.compile(r"\\.|['\"]", re.DOTALL)


@frozen(order=True)
class Problem:
    """One thing that is wrong, at its line."""

    line: int
    message: str


class InvalidDockerfile(InvalidInput):
    """Everything that is wrong in a Dockerfile, at once; `problems` has them one by one."""

    code = "InvalidDockerfile"

    def __init__(self, file: str, problems: Iterable[Problem]):
        self.problems = tuple(sorted(set(problems)))
        self.file = file
        first, *others = self.problems
        lines = [first.message, *(f"{file}:{problem.line}: {problem.message}" for problem in others)]
        super().__init__("\n".join(lines), where=Where(file, first.line))


@frozen
class Heredoc:
    """What stands between `<<NAME` and NAME; `expands` where variables are to be filled in (no quotes around NAME)."""

    name: str
    content: str
    expands: bool
    descriptor: int = 0


@frozen
class Instruction:
    """One instruction: its upper-case name, builder flags, arguments as written, and the lines that it takes."""

    name: str
    line: int
    text: str
    arguments: tuple[str, ...]
    flags: tuple[str, ...] = ()
    is_json: bool = False
    heredocs: tuple[Heredoc, ...] = ()


@frozen
class Stage:
    """A FROM and what follows it; `name` is its AS name, lower-case."""

    base: str
    name: str
    line: int
    platform: str | None
    instructions: tuple[Instruction, ...]


@frozen
class Dockerfile:
    """A whole file: `arguments` are the ARGs before the first FROM."""

    file: str
    arguments: tuple[Instruction, ...]
    stages: tuple[Stage, ...]
    escape: str = "\\"
    warnings: tuple[Problem, ...] = field(default_factory=tuple)


def parse_dockerfile(data: bytes, file: str = "Dockerfile") -> Dockerfile:
    """Read a Dockerfile. Raises InvalidDockerfile, or LimitExceeded past 1 MiB."""
    if len(data) > SIZE_LIMIT:
        raise LimitExceeded(f"{file} is larger than {SIZE_LIMIT} bytes")
    try:
        tree = parse_dockerfile_ast(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise InvalidDockerfile(file, [Problem(line, "this is no UTF-8 text")]) from error
    except DockerfileSyntaxError as error:
        message = str(error).rpartition(f"on line {error.line}: ")[2]
        raise InvalidDockerfile(file, [Problem(error.line or 1, _with_guess(message))]) from error
    instructions = [_instruction(one) for one in tree.instructions]
    arguments, stages = _stages(file, instructions)
    warnings = tuple(Problem(warning.line, warning.message) for warning in tree.warnings)
    return Dockerfile(file, arguments, stages, tree.escape_token, warnings)


def _with_guess(message: str) -> str:
    """The message; of a name that is nearly an instruction's, with that one."""
    found = _UNKNOWN.search(message)
    near = difflib.get_close_matches(found[1].upper(), INSTRUCTIONS, n=1) if found else []
    return f"{message}; did you mean {near[0]}?" if near else message


def _instruction(one: DockerfileInstruction) -> Instruction:
    # The parser leaves an ONBUILD's instruction as it stands.
    arguments = one.original.split(None, 1)[1:] if one.name == "ONBUILD" else one.args
    return Instruction(
        one.name, one.start_line, " ".join(one.original.split()), tuple(arguments), tuple(one.flags), one.json,
        heredocs=tuple(
            Heredoc(
                each.name, chomp_heredoc_content(each.content) if each.chomp else each.content, each.expand,
                each.file_descriptor,
            )
            for each in one.heredocs
        ),
    )  # fmt: skip


def _stages(file: str, instructions: list[Instruction]) -> tuple[tuple[Instruction, ...], tuple[Stage, ...]]:
    starts = [at for at, one in enumerate(instructions) if one.name == "FROM"]
    before = instructions[: starts[0]] if starts else instructions
    problems = [Problem(one.line, f"{one.name} before the first FROM") for one in before if one.name != "ARG"]
    if not starts:
        line = instructions[-1].line if instructions else 1
        raise InvalidDockerfile(file, [*problems, Problem(line, "there is no FROM")])
    if len(starts) > STAGE_LIMIT:
        raise InvalidDockerfile(
            file, [Problem(instructions[starts[STAGE_LIMIT]].line, f"more than {STAGE_LIMIT} stages")]
        )
    stages: list[Stage] = []
    for start, end in zip(starts, [*starts[1:], len(instructions)], strict=True):
        stage, problem = _stage(instructions[start], instructions[start + 1 : end])
        if stage.name and stage.name in {one.name for one in stages}:
            problem.append(Problem(stage.line, f"there is another stage of the name {stage.name}"))
        stages.append(stage)
        problems += problem
    if problems:
        raise InvalidDockerfile(file, problems)
    return tuple(before), tuple(stages)


def _stage(start: Instruction, body: list[Instruction]) -> tuple[Stage, list[Problem]]:
    words = start.arguments
    well_formed = len(words) == 1 or (len(words) == 3 and words[1].upper() == "AS")
    problems = [] if well_formed else [Problem(start.line, "FROM takes an image, or an image AS a name")]
    platform = None
    for flag in start.flags:
        if flag.startswith("--platform="):
            platform = flag.removeprefix("--platform=")
        else:
            problems.append(Problem(start.line, f"FROM has no flag {flag}"))
    base = words[0] if words else ""
    name = words[2].lower() if well_formed and len(words) == 3 else ""
    return Stage(base, name, start.line, platform, tuple(body)), problems


class Expander:
    """Expands `$NAME`, `${NAME}`, `${NAME:-x}` and their like from variables, as BuildKit's shell words do."""

    def __init__(self, escape: str, variables: Mapping[str, str]):
        self._variables = variables
        self._lexer = ShellLex(escape, env=variables, skip_unset_env=False)

    def word(self, text: str) -> str:
        """One word, quotes and escapes taken away. Raises ValueError with what is wrong."""
        return str(self._lexer.process_word(text))

    def words(self, text: str) -> list[str]:
        """Several words: an unquoted variable may give more than one."""
        return list(self._lexer.process_words(text))

    def text(self, content: str) -> str:
        """A heredoc's content: quotes in it are text, and a backslash takes the meaning of what follows."""
        escaped = _ESCAPED_OR_QUOTE.sub(lambda found: found[0] if found[0][0] == "\\" else f"\\{found[0]}", content)
        return str(ShellLex("\\", env=self._variables, skip_unset_env=False).process_word(escaped))
