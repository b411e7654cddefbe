"""What is asked again, what is not, and what an error may show: over answers without a socket."""

import asyncio
import json

import httpx2
import pytest

from tidegate.base.errors import Denied, InvalidInput, RateLimited, Unavailable
from tidegate.base.http import make_client
from tidegate.forge.api import Forge, Proposal
from tidegate.forge.client import ForgeClient

TOKEN = "s3cret-token-value"
FORGE = Forge("github", "https://api.github.com", "me/repo")
PROPOSAL = Proposal("auto", "main", "Title", "Body")
OPEN = {
    "number": 7, "html_url": "https://github.com/me/repo/pull/7", "title": "Title", "body": "Body",
    "head": {"ref": "auto", "repo": {"full_name": "Me/Repo"}}, "base": {"ref": "main"},
}  # fmt: skip


class Answers(httpx2.AsyncBaseTransport):
    """Gives each answer in turn (a status and JSON, or an exception) and keeps what was asked."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []

    async def handle_async_request(self, request):
        self.asked.append(request.method)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        status, value, *headers = answer
        return httpx2.Response(status, headers=dict(*headers), content=pieces(json.dumps(value).encode()))


async def pieces(data):
    yield data


async def proposed(*answers):
    transport, slept = Answers(*answers), []

    async def sleep(seconds):
        slept.append(seconds)

    async with make_client(transport) as http:
        client = ForgeClient(http, FORGE, TOKEN, sleep=sleep, now=lambda: 1_000.0)
        try:
            return await client.propose(PROPOSAL), transport.asked, slept
        except Exception as error:
            return error, transport.asked, slept


async def test_a_question_is_asked_again_where_nothing_was_answered():
    found, asked, slept = await proposed((502, {}), httpx2.ReadTimeout("slow"), (200, [OPEN]))
    assert found[1] == "found"
    assert (asked, slept) == (["GET"] * 3, [0.5, 1.0])


async def test_and_given_up_after_three_times():
    error, asked, _ = await proposed((500, {}), (500, {}), (500, {}))
    assert isinstance(error, Unavailable)
    assert asked == ["GET"] * 3


async def test_what_makes_a_new_one_is_never_sent_twice():
    error, asked, slept = await proposed((200, []), httpx2.ReadTimeout("slow"))
    assert isinstance(error, Unavailable)
    assert (asked, slept) == (["GET", "POST"], [])


@pytest.mark.parametrize(
    ("status", "headers", "seconds"),
    [
        (429, {"retry-after": "120"}, 120.0),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1300"}, 300.0),
        (429, {"ratelimit-reset": "99999999"}, 3600.0),
        (429, {}, 60.0),
        (429, {"retry-after": b"\xb2"}, 60.0),
        (429, {"retry-after": "9" * 5000}, 3600.0),
    ],
)
async def test_a_limit_says_when_and_is_not_asked_again(status, headers, seconds):
    error, asked, _ = await proposed((status, {"message": "slow down"}, headers))
    assert isinstance(error, RateLimited)
    assert (error.retry_after, asked) == (seconds, ["GET"])


async def test_an_error_shows_what_the_api_says_in_one_line_and_never_the_token():
    said = {"message": f"bad\n{TOKEN}", "errors": [{"code": "custom", "message": "x" * 900}, "text"]}
    error, *_ = await proposed((200, []), (422, said))
    assert isinstance(error, InvalidInput)
    assert "POST https://api.github.com/repos/me/repo/pulls was answered with 422: bad ***; xxx" in str(error)
    assert TOKEN not in str(error)
    assert len(str(error)) < 500
    error, *_ = await proposed((403, {"message": "Resource not accessible by personal access token"}))
    assert isinstance(error, Denied)
    assert "?" not in str(error)


@pytest.mark.parametrize("answer", [{"message": 5}, [], "text", {"errors": "no list"}])
async def test_an_error_of_any_shape_is_an_error(answer):
    error, *_ = await proposed((400, answer))
    assert isinstance(error, InvalidInput)
    assert "was answered with 400" in str(error)


@pytest.mark.parametrize(
    "url", [f"https://h/{TOKEN}", "https://h/\x1b[31m", "https://h/" + "x" * 1000, "javascript:x", "", None]
)
async def test_an_address_that_can_t_be_shown_is_none(url):
    error, *_ = await proposed((200, [OPEN | {"html_url": url}]))
    assert isinstance(error, Unavailable)
    assert TOKEN not in str(error)
    assert str(error).isprintable()


async def test_a_forge_that_is_slow_each_time_is_given_up_as_a_whole(monkeypatch):
    monkeypatch.setattr("tidegate.forge.client.WHOLE_DEADLINE", 0.05)

    class Silent(httpx2.AsyncBaseTransport):
        async def handle_async_request(self, request):
            await asyncio.Event().wait()

    async with make_client(Silent()) as http:
        client = ForgeClient(http, FORGE, TOKEN, sleep=asyncio.sleep, now=lambda: 1_000.0)
        with pytest.raises(Unavailable, match="did not answer everything within"):
            await client.propose(PROPOSAL)


async def open_ones(*answers):
    transport = Answers(*answers)
    async with make_client(transport) as http:
        client = ForgeClient(http, FORGE, TOKEN, sleep=asyncio.sleep, now=lambda: 1_000.0)
        return await client.open_requests(), transport.asked


def page(*numbers):
    head = {"ref": "topic", "sha": "ab" * 20, "repo": {"full_name": "me/repo"}}
    return 200, [{"number": number, "title": "T", "head": head, "base": {"ref": "main"}} for number in numbers]


async def test_open_requests_are_read_page_by_page_each_once_and_not_without_end():
    found, asked = await open_ones(page(*range(1, 51)), page(50, 51))
    assert [one.number for one in found] == list(range(1, 52))
    assert asked == ["GET"] * 2
    found, asked = await open_ones(*[page(*range(start, start + 50)) for start in range(1, 300, 50)])
    assert len(found) == 200
    assert asked == ["GET"] * 4


async def test_a_refused_question_for_open_requests_is_told():
    with pytest.raises(RateLimited) as limited:
        await open_ones((403, {"message": "rate limit"}, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1300"}))
    assert limited.value.retry_after == 300
    with pytest.raises(Denied):
        await open_ones((401, {"message": "Bad credentials"}))
