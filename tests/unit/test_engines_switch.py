"""The switch's socket: order, errors, and clients that misbehave."""

import asyncio
import json
import os
import socket
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from maskline.engines import switch
from maskline.engines.ground import Runner
from maskline.engines.switch import SwitchRefusal, SwitchServer

ME = Runner("me", os.geteuid(), os.getegid())


def ask(operation: str, request: dict[str, Any]) -> Any:
    return request if operation == "AtOnce" else later(operation, request)


async def later(operation: str, request: dict[str, Any]) -> dict[str, Any]:
    match operation:
        case "Echo":
            return request
        case "Slow":
            await asyncio.sleep(0.05)
            return request
        case "Refuse":
            raise SwitchRefusal("NotFoundException", "no such call")
        case _:
            raise RuntimeError("secret detail")


@pytest.fixture
async def path(tmp_path: Path) -> AsyncIterator[Path]:
    server = SwitchServer(tmp_path / "switch.sock", ask)
    await server.open(ME)
    yield tmp_path / "switch.sock"
    await server.close()


async def exchange(path: Path, *requests: bytes) -> list[dict[str, Any]]:
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(b"".join(request + b"\n" for request in requests))
    answers = [json.loads(await reader.readline()) for _ in requests]
    writer.close()
    await writer.wait_closed()
    return answers


def request(operation: str, **given: Any) -> bytes:
    return json.dumps({"operation": operation, "input": given}).encode()


async def test_a_request_is_answered(path: Path) -> None:
    assert await exchange(path, request("Echo", A=1)) == [{"output": {"A": 1}}]


async def test_answers_come_in_order(path: Path) -> None:
    answers = await exchange(path, request("Slow", A=1), request("Echo", A=2), request("Slow", A=3))
    assert [answer["output"]["A"] for answer in answers] == [1, 2, 3]


async def test_an_answer_at_once_waits_for_those_before_it(path: Path) -> None:
    answers = await exchange(path, request("Slow", A=1), request("AtOnce", A=2), request("Echo"))
    assert answers[:2] == [{"output": {"A": 1}}, {"output": {"A": 2}}]


async def test_what_was_asked_is_given_up_when_nobody_waits_any_more(tmp_path: Path) -> None:
    begun, given_up = asyncio.Event(), asyncio.Event()

    async def forever() -> dict[str, Any]:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            given_up.set()
        return {}

    server = SwitchServer(tmp_path / "switch.sock", lambda _operation, _given: forever())
    await server.open(ME)
    _, writer = await asyncio.open_unix_connection(tmp_path / "switch.sock")
    writer.write(request("RouteCall") + b"\n")
    await begun.wait()
    writer.close()
    async with asyncio.timeout(5):
        await given_up.wait()
    await server.close()


async def test_what_was_asked_before_the_end_is_answered(path: Path) -> None:
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(request("Slow", A=1) + b"\n")
    writer.write_eof()
    assert json.loads(await reader.read()) == {"output": {"A": 1}}
    writer.close()


async def test_many_requests_can_be_sent_ahead(path: Path) -> None:
    answers = await exchange(path, *(request("Echo", A=count) for count in range(500)))
    assert [answer["output"]["A"] for answer in answers] == list(range(500))


async def test_a_refusal_has_a_code_and_words(path: Path) -> None:
    assert await exchange(path, request("Refuse")) == [
        {"error": {"code": "NotFoundException", "message": "no such call"}}
    ]


async def test_a_failure_tells_nothing_of_its_cause(path: Path) -> None:
    assert await exchange(path, request("Break"), request("Echo")) == [
        {"error": {"code": "ServiceFailureException", "message": "the request failed"}},
        {"output": {}},
    ]


@pytest.mark.parametrize("line", [b"", b"{", b"[]", b'{"operation": 1, "input": {}}', b"\xff"])
async def test_what_is_no_request_is_refused(path: Path, line: bytes) -> None:
    (answer, after) = await exchange(path, line, request("Echo"))
    assert answer["error"]["code"] == "BadRequestException"
    assert after == {"output": {}}


async def test_a_line_without_end_ends_the_connection(path: Path) -> None:
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(b"x" * 200_000)
    assert await reader.read() == b""
    writer.close()
    assert await exchange(path, request("Echo")) == [{"output": {}}]


@pytest.mark.parametrize("given", [{"Text": "\1" * 20_000}, {"Legs": ["\1" * 6000] * 2}])
async def test_the_longest_that_a_party_can_have_told_is_taken(
    path: Path, given: dict[str, Any]
) -> None:
    line = request("Echo", **given) + b"\n"
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(line[:-1])  # which may come in two parts
    await asyncio.sleep(0.05)
    writer.write(line[-1:])
    answer = await reader.read(1)
    writer.close()
    assert answer == b"{"


async def test_a_client_may_leave_without_its_answers(path: Path) -> None:
    for _ in range(5):
        _, writer = await asyncio.open_unix_connection(path)
        writer.write(request("Slow") + b"\n" + request("Slow") + b"\n")
        writer.transport.abort()
    assert await exchange(path, request("Echo")) == [{"output": {}}]


async def test_only_its_user_may_connect(path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_closing_ends_open_connections(tmp_path: Path) -> None:
    server = SwitchServer(tmp_path / "switch.sock", ask)
    await server.open(ME)
    reader, writer = await asyncio.open_unix_connection(tmp_path / "switch.sock")
    writer.write(request("Echo") + b"\n")
    await reader.readline()
    await server.close()
    assert await reader.read() == b""
    writer.close()


async def test_a_socket_left_by_an_earlier_service_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "switch.sock"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    server = SwitchServer(path, ask)
    await server.open(ME)
    assert await exchange(path, request("Echo")) == [{"output": {}}]
    await server.close()


async def test_reports_are_read_together_and_hold_up_no_question(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(switch, "REST_SECONDS", 3600)
    heard: list[int] = []

    def listen(operation: str, given: dict[str, Any]) -> Any:
        heard.append(given["A"])
        return ask(operation, given)

    server = SwitchServer(tmp_path / "switch.sock", listen)
    await server.open(ME)
    path = tmp_path / "switch.sock"
    reports, questions = [await asyncio.open_unix_connection(path) for _ in range(2)]
    reports[1].write(request("AtOnce", A=1) + b"\n")
    await reports[0].readline()  # this one was not waited for
    reports[1].write(request("AtOnce", A=2) + b"\n" + request("AtOnce", A=3) + b"\n")
    for number in (4, 5):
        questions[1].write(request("Echo", A=number) + b"\n")
        await questions[0].readline()
    assert heard == [1, 4, 5]
    server.listen()
    answers = [json.loads(await reports[0].readline())["output"]["A"] for _ in range(2)]
    assert answers == [2, 3]
    for _, writer in (reports, questions):
        writer.close()
    await server.close()


async def test_whoever_has_spoken_is_heard_before_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(switch, "REST_SECONDS", 3600)
    heard: list[int] = []

    def listen(_operation: str, given: dict[str, Any]) -> Any:
        heard.append(given["A"])
        return {}

    server = SwitchServer(tmp_path / "switch.sock", listen)
    await server.open(ME)
    ends = [await asyncio.open_unix_connection(tmp_path / "switch.sock") for _ in range(4)]
    for number in range(12):
        ends[number % 4][1].write(request("AtOnce", A=number) + b"\n")
        await asyncio.sleep(0.01)
        if number % 4 == 3:
            server.listen()
            async with asyncio.timeout(20):
                while len(heard) <= number:
                    await asyncio.sleep(0.001)
    assert sorted(heard) == list(range(12))
    for _, writer in ends:
        writer.close()
    await server.close()
