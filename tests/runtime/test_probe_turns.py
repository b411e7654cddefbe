"""When probes turn, and how eager they are."""

import asyncio
from typing import Any, cast

import pytest

from tidegate.runtime.container import Container
from tidegate.runtime.podspec import Action, Probe
from tidegate.runtime.probing import QUICK, _request, _status, quick, watch

RUN = Action("exec", command=("check",))


class Asked:
    """A container whose answers are given; the watch ends with the last one."""

    def __init__(self, answers: str):
        self.answers = list(answers)

    async def execute(self, command: tuple[str, ...], timeout: float) -> int:
        if not self.answers:
            raise asyncio.CancelledError
        return 0 if self.answers.pop(0) == "+" else 1


async def turns(answers: str, *, eager: bool = False, **probe: Any) -> tuple[list[bool], list[float]]:
    seen: list[bool] = []
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    with pytest.raises(asyncio.CancelledError):
        await watch(
            Probe(RUN, **probe),
            cast(Container, Asked(answers)),
            (),
            eager=eager,
            sleep=sleep,
            changed=lambda good, why: seen.append(good),
        )
    return seen, pauses


async def test_it_turns_after_as_many_answers_as_the_thresholds_say() -> None:
    assert (await turns("+--+---+", period=1))[0] == [True, False, True]
    assert (await turns("++-+++", period=1, successes=2, failures=1))[0] == [True, False, True]


async def test_the_first_question_waits_for_the_initial_delay_and_the_rest_for_the_period() -> None:
    assert (await turns("--", initial_delay=7, period=3))[1] == [7, 3, 3]


async def test_an_eager_one_asks_often_until_the_first_good_answer() -> None:
    pauses = (await turns("--++", eager=True, period=10))[1]
    assert pauses == [0, 5 * QUICK, 5 * QUICK, 10, 10]


async def test_an_eager_ones_bad_answers_count_by_the_period_alone() -> None:
    """A start that takes two and a half periods is not over after three quick questions."""
    assert (await turns("-" * 5 + "+", eager=True, period=1, failures=3))[0] == [False, True]
    assert (await turns("-" * 4 + "+", eager=True, period=1, failures=3))[0] == [True]


def test_asking_a_port_is_cheaper_than_starting_a_command() -> None:
    assert quick(Probe(Action("http"))) == QUICK
    assert quick(Probe(RUN)) > QUICK


def test_the_request_has_the_kubelets_headers_unless_the_spec_gives_them() -> None:
    request = _request(Action("http", 80, "health", headers=(("host", "web"), ("X-A", "b"))), 80).decode()
    assert request.startswith("GET /health HTTP/1.1\r\nhost: web\r\nX-A: b\r\n")
    assert "Host: 127" not in request
    assert request.endswith("Connection: close\r\n\r\n")


@pytest.mark.parametrize("line", [b"", b"hello\r\n", b"HTTP/1.1 abc\r\n"])
def test_what_is_not_http_is_no_answer(line: bytes) -> None:
    with pytest.raises(ValueError):
        _status(line)
    assert _status(b"HTTP/1.0 204 No Content\r\n") == 204
