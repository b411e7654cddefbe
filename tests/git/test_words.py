"""What a remote says, as it may be shown."""

import base64

from tidegate.base.errors import CommandFailed
from tidegate.git.remote import Credentials
from tidegate.git.words import SAID_LIMIT, said_by_remote, secrets_of, without_secrets


def test_the_remote_s_lines_become_one_and_git_s_own_are_left_out() -> None:
    output = (
        "remote: main is   protected\nremote: \nremote: ask for a review\nTo https://h/x\n ! [remote rejected] main\n"
    )
    assert said_by_remote(output) == "main is protected ask for a review"
    assert said_by_remote("To https://h/x\nerror: failed to push some refs\n") == ""


def test_of_long_words_the_end_is_kept() -> None:
    cut = said_by_remote("lost its beginning\nremote: the end\n")
    assert cut == "lost its beginning the end"
    long = said_by_remote(f"remote: {'x' * 5000} why\n")
    assert (len(long), long[0], long[-3:]) == (SAID_LIMIT + 1, "…", "why")


def test_colours_titles_and_text_that_turns_round_are_left_out() -> None:
    assert said_by_remote("remote: \x1b[1;31mno\x1b[0m \x1b]0;title\x07\u202egpj.exe\x08\n") == "no gpj.exe"


def test_a_credential_is_hidden_in_every_form_in_which_it_is_sent() -> None:
    credentials = Credentials(username="me", password="pass-word")
    basic = base64.b64encode(b"me:pass-word").decode()
    assert secrets_of(credentials) == [basic, "pass-word"]
    error = without_secrets(
        CommandFailed("pass-word", exit_code=1, output=f"remote: {basic} pass-word me"), credentials
    )
    assert (error.message, error.output) == ("***", "remote: *** *** me")
    assert secrets_of(Credentials(bearer_token="token")) == ["token"]
    assert secrets_of(None) == secrets_of(Credentials(username="me", password="abc"))[1:] == []


def test_a_proxy_s_password_is_hidden_as_it_is_and_as_it_is_sent() -> None:
    sent = base64.b64encode(b"me:p@ss/word").decode()
    found = secrets_of(Credentials(proxy="http://me:p%40ss%2Fword@proxy.example:3128"))
    assert found == [sent, "p%40ss%2Fword", "p@ss/word"]
    assert secrets_of(Credentials(proxy="http://proxy.example:3128")) == []
