"""Lists in chunks."""

import pytest
from tests.kube.conftest import Server, ok, status

from tidegate.base.errors import Conflict, Unavailable

PATH = "/api/v1/configmaps"


def chunk(names, version="7", token=""):
    items = [{"metadata": {"name": name}} for name in names]
    metadata = {"resourceVersion": version} | ({"continue": token} if token else {})
    return ok({"kind": "ConfigMapList", "apiVersion": "v1", "metadata": metadata, "items": items})


def names(items):
    return [item["metadata"]["name"] for item in items]


async def test_a_list_is_fetched_chunk_by_chunk(client_of):
    server = Server(chunk(["a", "b"], token="next"), chunk(["c"]))
    version, items = await client_of(server).listing(PATH, labelSelector="x=y")
    assert (version, names(items)) == ("7", ["a", "b", "c"])
    assert [dict(request.url.params) for request in server.requests] == [
        {"labelSelector": "x=y", "limit": "500"},
        {"labelSelector": "x=y", "limit": "500", "continue": "next"},
    ]


async def test_items_say_what_they_are_where_the_api_leaves_it_out(client_of):
    _, items = await client_of(Server(chunk(["a"]))).listing(PATH)
    assert (items[0]["apiVersion"], items[0]["kind"]) == ("v1", "ConfigMap")


async def test_a_list_forgotten_in_its_middle_is_fetched_anew_in_one_piece(client_of):
    server = Server(chunk(["a", "b"], token="next"), status(410, "Expired"), chunk(["b", "c"], version="9"))
    version, items = await client_of(server).listing(PATH)
    assert (version, names(items)) == ("9", ["b", "c"])
    assert "limit" not in server.requests[2].url.params


async def test_a_list_that_is_expired_from_the_start_is_told(client_of):
    with pytest.raises(Conflict):
        await client_of(Server(status(410, "Expired"))).listing(PATH)


@pytest.mark.parametrize("answer", [{}, {"kind": "X", "apiVersion": "v1", "metadata": None}, [], {"metadata": {}}])
async def test_what_is_no_list_is_unavailable(client_of, answer):
    with pytest.raises(Unavailable):
        await client_of(Server(ok(answer))).listing(PATH)
