"""GraphQL as the specification (October 2021) says it, as far as it is understood here."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.base.errors import NotFound
from tidegate.serve.github.graphql import Node, execute


def repository(arguments):
    if arguments.get("name") != "shop":
        raise NotFound(f"no {arguments.get('name')}")
    owner = Node("User", {"login": arguments["owner"]})
    return Node("Repository", {"name": "shop", "owner": owner, "tags": [Node("Tag", {"name": "a"})], "parent": None})


ROOT = Node("Query", {"viewer": Node("User", {"login": "ada"}), "repository": repository})


def ask(query, **variables):
    return execute(query, variables, ROOT)


@pytest.mark.parametrize(
    ("query", "data"),
    [
        ("{viewer{login}}", {"viewer": {"login": "ada"}}),
        ("query UserCurrent{viewer{login}}", {"viewer": {"login": "ada"}}),
        ("query { me: viewer { __typename login } } # me", {"me": {"__typename": "User", "login": "ada"}}),
        ('{repository(owner: "o", name: "shop") {name, tags{name}, parent{name}}}',
         {"repository": {"name": "shop", "tags": [{"name": "a"}], "parent": None}}),
        ("fragment u on User {login} query {viewer{...u}}", {"viewer": {"login": "ada"}}),
        ("{viewer{... on User {login}}}", {"viewer": {"login": "ada"}}),
        ("{viewer{...{login}}}", {"viewer": {"login": "ada"}}),
        ('query Q($n: String! = "shop", $o: [String!]) {repository(owner: $o, name: $n){name}}',
         {"repository": {"name": "shop"}}),
        ('{repository(owner: "o", name: "shop", first: -1, orderBy: {field: CREATED_AT, by: [1, true]}){name}}',
         {"repository": {"name": "shop"}}),
    ],
)  # fmt: skip
def test_a_query_is_answered(query, data):
    assert ask(query) == {"data": data}


def test_variables_stand_for_arguments():
    query = "query($owner: String!, $name: String!) {repository(owner: $owner, name: $name) {owner{login}}}"
    assert ask(query, owner="acme", name="shop") == {"data": {"repository": {"owner": {"login": "acme"}}}}


def test_what_is_not_found_is_null_with_an_error():
    answer = ask('{viewer{login} repository(owner: "o", name: "x"){name}}')
    assert answer["data"] == {"viewer": {"login": "ada"}, "repository": None}
    assert [(one["type"], one["path"]) for one in answer["errors"]] == [("NOT_FOUND", ["repository"])]


def test_an_unknown_field_is_an_error_for_the_whole_query():
    answer = ask("{viewer{login, secrets}}")
    assert "data" not in answer
    assert [one["message"] for one in answer["errors"]] == ["Field 'secrets' doesn't exist on type 'User'"]


@pytest.mark.parametrize(
    "query",
    [
        "", "{", "{}}", "viewer", "mutation {addStar{id}}", "subscription {x}", "{viewer{login}} {viewer{login}}",
        "{viewer{...none}}", "fragment a on User {...a} {viewer{...a}}",
        '{viewer(a: "\n"){login}}', "{viewer(a:){login}}",
        "{viewer{login @skip(if: true)}}", "{" * 100, "{a" * 5000,
        "{v(a:" + "[" * 5000, "query(", "query($", "query($a:",
        "fragment a on User {...b ...b} fragment b on User {...c ...c} fragment c on User {...a} {viewer{...a}}",
        "{viewer{login}}" + " " * 70_000,
        "".join(f"fragment f{n} on User {{...f{n + 1} ...f{n + 1}}} " for n in range(30))
        + "fragment f30 on User {} {viewer{...f0}}",
    ],
)  # fmt: skip
def test_what_can_not_be_read_is_an_error(query):
    answer = ask(query)
    assert set(answer) == {"errors"}
    assert answer["errors"][0]["message"]


@given(st.text(alphabet='{}()[]:$!.,"\\ \nabq1-|&=@#', max_size=60))
def test_any_text_has_an_answer(query):
    assert set(ask(query)) & {"data", "errors"}
