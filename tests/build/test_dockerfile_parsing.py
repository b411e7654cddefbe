"""Dockerfiles are read as BuildKit reads them, with their lines."""

from __future__ import annotations

import pytest

from tidegate.base.errors import LimitExceeded
from tidegate.build.dockerfile import InvalidDockerfile, parse_dockerfile


def test_instructions_have_names_lines_flags_and_arguments() -> None:
    dockerfile = parse_dockerfile(b"# comment\nfrom x AS Web\n\ncopy --chown=1:1 a \\\n  # inside\n  b /c/\n")
    (stage,) = dockerfile.stages
    assert (stage.base, stage.name, stage.line) == ("x", "web", 2)
    (copy,) = stage.instructions
    assert (copy.name, copy.line, copy.flags, copy.arguments) == ("COPY", 4, ("--chown=1:1",), ("a", "b", "/c/"))


def test_every_stage_is_read() -> None:
    dockerfile = parse_dockerfile(b"ARG V=1\nFROM a AS one\nRUN x\nFROM --platform=$BUILDPLATFORM b\n")
    assert [(stage.base, stage.name, stage.platform) for stage in dockerfile.stages] == [
        ("a", "one", None),
        ("b", "", "$BUILDPLATFORM"),
    ]
    assert [argument.arguments for argument in dockerfile.arguments] == [("V=1",)]


def test_the_escape_directive_is_followed() -> None:
    dockerfile = parse_dockerfile(b"# escape=`\nFROM x\nCOPY a `\n b /\n")
    assert dockerfile.stages[0].instructions[0].arguments == ("a", "b", "/")


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("FORM x\n", 1, "unknown instruction: FORM; did you mean FROM?"),
        ("FROM x\nCOPPY a b\n", 2, "unknown instruction: COPPY; did you mean COPY?"),
        ("FROM x\nXYZZY\n", 2, "unknown instruction: XYZZY"),
        ("# nothing\n", 1, "there is no FROM"),
        ("RUN x\nFROM y\n", 1, "RUN before the first FROM"),
        ("FROM a b c\n", 1, "FROM takes an image"),
        ("FROM --flag=1 a\n", 1, "FROM has no flag --flag=1"),
        ("FROM x\nENV novalue\n", 2, "ENV must have two arguments"),
        ("FROM x\nCOPY <<EOF /x\nabc\n", 2, "unterminated heredoc"),
    ],
)
def test_what_can_not_be_read_is_named_at_its_line(text: str, line: int, message: str) -> None:
    with pytest.raises(InvalidDockerfile) as raised:
        parse_dockerfile(text.encode(), "apps/x/Dockerfile")
    assert str(raised.value).startswith(f"apps/x/Dockerfile:{line}: ")
    assert message in str(raised.value)


def test_several_faults_are_told_at_once() -> None:
    with pytest.raises(InvalidDockerfile) as raised:
        parse_dockerfile(b"RUN x\nFROM --a x\nFROM a b\n", "D")
    assert str(raised.value).splitlines() == [
        "D:1: RUN before the first FROM",
        "D:2: FROM has no flag --a",
        "D:3: FROM takes an image, or an image AS a name",
    ]


def test_bytes_that_are_no_text_are_refused_at_their_line() -> None:
    with pytest.raises(InvalidDockerfile, match="Dockerfile:2: this is no UTF-8 text"):
        parse_dockerfile(b"FROM x\n\xff\n")


def test_a_huge_file_is_refused() -> None:
    with pytest.raises(LimitExceeded):
        parse_dockerfile(b"#" * (1024 * 1024 + 1))
