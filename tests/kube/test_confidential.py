"""Secrets as they are applied, and what is told of one that is refused."""

import pytest

from tidegate.base.errors import InvalidInput, Unavailable
from tidegate.kube.confidential import conceal, with_data

SECRET = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key", "namespace": "web"}}


def told(message, **fields):
    error = Unavailable(message)
    conceal(error, SECRET | fields)
    return error.explain()


def test_texts_become_data():
    found = with_data(SECRET | {"data": {"a": "MQ=="}, "stringData": {"b": "2"}})
    assert found == SECRET | {"data": {"a": "MQ==", "b": "Mg=="}}


@pytest.mark.parametrize("value", [1, True, None, ["a"], {"a": "b"}])
def test_what_is_no_text_is_refused_as_by_the_api(value):
    with pytest.raises(InvalidInput, match=r"^stringData\.word: is no text$") as error:
        with_data(SECRET | {"stringData": {"word": value}})
    assert "quote it" in error.value.explain()


def test_values_are_taken_out_of_an_error_and_names_are_left():
    message = (
        "(web/key; /v1, Kind=Secret): errors:\n  .immutable: expected boolean, got &{yes}\n  .data: got &{[top\nlow]}"
    )
    assert told(message, data=["top\nlow"], immutable="yes") == (
        "(web/key; /v1, Kind=Secret): errors:\n  .immutable: expected boolean, got ***\n  .data: got ***"
    )


def test_a_value_of_few_letters_is_no_reason_to_lose_the_whole_message():
    assert told("the namespace web is away", data={"a": "e"}) == "the namespace web is away"


def test_a_number_is_taken_out():
    assert told('data.pin: Invalid value: "4711": no base64', data={"pin": 4711}) == "data.pin: Invalid value: ***"
