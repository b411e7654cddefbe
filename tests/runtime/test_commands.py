"""What a container executes, as Kubernetes documents it for command, args, Entrypoint and Cmd."""

import pytest

from tidegate.base.errors import InvalidInput
from tidegate.runtime.command import argv_of, expand, ids_of, image_environment

PASSWD = "root:x:0:0:root:/root:/bin/sh\nweb:x:1000:1001::/home/web:/bin/sh\nodd\n"
GROUP = "root:x:0:\nstaff:x:50:web\n"


@pytest.mark.parametrize(
    ("command", "args", "result"),
    [
        (None, None, ["/ep-1", "foo", "bar"]),
        (["/ep-2"], None, ["/ep-2"]),
        (None, ["zoo", "boo"], ["/ep-1", "zoo", "boo"]),
        (["/ep-2"], ["zoo", "boo"], ["/ep-2", "zoo", "boo"]),
        ([], [], ["/ep-1", "foo", "bar"]),
    ],
)
def test_command_and_args_over_entrypoint_and_cmd(
    command: list[str] | None, args: list[str] | None, result: list[str]
) -> None:
    assert argv_of(command, args, ["/ep-1"], ["foo", "bar"], {}) == result


def test_only_the_specs_own_words_are_expanded() -> None:
    variables = {"A": "value"}
    assert argv_of(["$(A)"], ["$(A)", "$(B)"], [], [], variables) == ["value", "value", "$(B)"]
    assert argv_of(None, None, ["$(A)"], ["$(A)"], variables) == ["$(A)", "$(A)"]
    assert argv_of(None, ["$(A)"], ["$(A)"], [], variables) == ["$(A)", "value"]


def test_nothing_to_run_is_an_error() -> None:
    with pytest.raises(InvalidInput):
        argv_of(None, None, [], [], {})


@pytest.mark.parametrize(
    ("text", "result"),
    [
        # From k8s.io/kubernetes/third_party/forked/golang/expansion/expand_test.go
        ("$(VAR_A)", "A"),
        ("___$(VAR_B)___", "___B___"),
        ("$(VAR_A)-1", "A-1"),
        ("$$(VAR_A)_$(VAR_B)", "$(VAR_A)_B"),
        ("$$$(VAR_A)_$(VAR_B)", "$A_B"),
        ("f000-$$VAR_A", "f000-$VAR_A"),
        ("foo\\$(VAR_C)bar", "foo\\Cbar"),
        ("foo$(VAR_Awhoops!", "foo$(VAR_Awhoops!"),
        ("f00__(VAR_A)__", "f00__(VAR_A)__"),
        ("$?_boo_$!", "$?_boo_$!"),
        ("$VAR_A", "$VAR_A"),
        ("$(VAR_DNE)", "$(VAR_DNE)"),
        ("$$$$$(BIG_MONEY)", "$$$(BIG_MONEY)"),
        ("$$$$$$(GOOD_ODDS)", "$$$(GOOD_ODDS)"),
        ("$(VAR_EMPTY)", ""),
        ("$", "$"),
        ("foo$", "foo$"),
        ("$(", "$("),
        ("", ""),
    ],
)
def test_expansion(text: str, result: str) -> None:
    variables = {"VAR_A": "A", "VAR_B": "B", "VAR_C": "C", "VAR_EMPTY": ""}
    assert expand(text, variables) == result


@pytest.mark.parametrize(
    ("user", "result"),
    [
        ("", (0, 0)),
        ("web", (1000, 1001)),
        ("1000", (1000, 1001)),
        ("1234", (1234, 0)),
        ("web:staff", (1000, 50)),
        ("web:7", (1000, 7)),
        ("1234:5678", (1234, 5678)),
        (":staff", (0, 50)),
    ],
)
def test_users_of_images(user: str, result: tuple[int, int]) -> None:
    assert ids_of(user, PASSWD, GROUP) == result


@pytest.mark.parametrize("user", ["nobody-here", "web:none", "70000", "1:70000"])
def test_unknown_users_are_errors(user: str) -> None:
    with pytest.raises(InvalidInput):
        ids_of(user, PASSWD, GROUP)


def test_an_images_environment_has_a_path_unless_it_gives_one() -> None:
    assert image_environment(["A=1=2", "=x"])["A"] == "1=2"
    assert "/usr/bin" in image_environment([])["PATH"]
    assert image_environment(["PATH=/x"]) == {"PATH": "/x"}
