from __future__ import annotations

import pytest

from tidegate.workflow.commands import (
    AddMask,
    Annotation,
    CommandReader,
    Debug,
    Echo,
    EndGroup,
    Group,
    Hidden,
    Meaning,
    Refused,
    SaveState,
    SetOutput,
    Text,
    escape_data,
)


@pytest.mark.parametrize(
    ("line", "meaning"),
    [
        ("hello", Text("hello")),
        ("::set-output name=v::a=b", SetOutput("v", "a=b")),
        ("::SET-OUTPUT name=v::x", SetOutput("v", "x")),
        ("  ::save-state name=s::1%0A2", SaveState("s", "1\n2")),
        ("::add-mask::s3cret", AddMask("s3cret")),
        ("::error::broken", Annotation("error", "broken")),
        (
            "::error file=a.py,line=3,title=A%2CB%3A::x",
            Annotation("error", "x", {"file": "a.py", "line": "3", "title": "A,B:"}),
        ),
        ("::warning::100%25", Annotation("warning", "100%")),
        ("::notice ::x", Annotation("notice", "x")),
        ("::group::Build it", Group("Build it")),
        ("##[group]Build it", Group("Build it")),
        ("12:00 ##[error file=a;line=2]bad", Annotation("error", "bad", {"file": "a", "line": "2"})),
        ("::endgroup::", EndGroup()),
        ("::debug::d", Debug("d")),
        ("::echo::on", Echo(True)),
        ("::echo::off", Echo(False)),
        ("::unknown::x", Text("::unknown::x")),
        ("::error", Text("::error")),
        ("text ::error::x", Text("text ::error::x")),
        ("::error%0A::x", Text("::error%0A::x")),
        ("::debug::%250A", Debug("%0A")),
    ],
)
def test_a_line_means_what_the_runner_says(line: str, meaning: Meaning) -> None:
    assert CommandReader().read(line) == meaning


@pytest.mark.parametrize(
    "line",
    [
        "::set-env name=A::b",
        "::add-path::/x",
        "::set-output::x",
        "::echo::maybe",
        "::stop-commands::",
        "::stop-commands::error",
    ],
)
def test_what_the_runner_refuses_fails_the_step(line: str) -> None:
    assert isinstance(CommandReader().read(line), Refused)


def test_stopped_commands_are_plain_text_until_the_token() -> None:
    reader = CommandReader()
    lines = ["::stop-commands::Tok3n", "::set-output name=a::b", "::other::", "##[Tok3n]", "::Tok3n::", "::debug::x"]
    meanings = [reader.read(line) for line in lines]
    assert meanings == [Hidden(lines[0]), *(Text(line) for line in lines[1:4]), Hidden(lines[4]), Debug("x")]


def test_problem_matchers_are_not_silently_ignored() -> None:
    meaning = CommandReader().read("::add-matcher::eslint.json")
    assert isinstance(meaning, Annotation)
    assert "not supported" in meaning.message


def test_data_is_escaped_so_that_it_reads_back() -> None:
    assert CommandReader().read(f"::debug::{escape_data('a%0A' + chr(10) + 'b')}") == Debug("a%0A\nb")
