"""The switch: where Kamailio asks what to do with a call and reports what became of it.

A Unix socket; a request is a line of JSON, `{"operation": …, "input": …}`, its answer a line with
`output` or `error`. Requests may be sent ahead; answers come in their order.
"""

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import structlog

from maskline.engines.ground import Runner

AHEAD = 64  # requests of one connection in hand at once; more wait in the socket

Answer = dict[str, Any]
Ask = Callable[[str, dict[str, Any]], Awaitable[Answer]]

log = structlog.get_logger()


class SwitchRefusal(Exception):
    """The request will not be carried out; `code` is the name of the exception on the wire."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class SwitchRequest(msgspec.Struct):
    operation: str
    input: dict[str, Any]


class SwitchServer:
    """Serves one socket, to one user; `ask` carries a request out or raises SwitchRefusal."""

    def __init__(self, path: Path, ask: Ask) -> None:
        self._path = path
        self._ask = ask
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def open(self, client: Runner) -> None:
        self._path.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._connected, self._path)
        self._path.chmod(0o600)
        os.chown(self._path, client.uid, client.gid)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        answers: asyncio.Queue[asyncio.Task[Answer]] = asyncio.Queue(AHEAD)
        writing = asyncio.create_task(write_answers(answers, writer))
        try:
            while line := await reader.readline():
                await answers.put(asyncio.create_task(self._answer(line)))
            await answers.join()
        except (ConnectionError, ValueError):  # it went away, or sent a line without end
            pass
        finally:
            writing.cancel()
            writer.close()
            self._connections.discard(task)

    async def _answer(self, line: bytes) -> Answer:
        try:
            request = msgspec.json.decode(line, type=SwitchRequest)
            return {"output": await self._ask(request.operation, request.input)}
        except msgspec.DecodeError as error:
            return failure("BadRequestException", str(error))
        except SwitchRefusal as refusal:
            return failure(refusal.code, str(refusal))
        except Exception:
            log.exception("switch request failed")
            return failure("ServiceFailureException", "the request failed")


def failure(code: str, message: str) -> Answer:
    return {"error": {"code": code, "message": message}}


async def write_answers(
    answers: asyncio.Queue[asyncio.Task[Answer]], writer: asyncio.StreamWriter
) -> None:
    while True:
        answer = await (await answers.get())
        with contextlib.suppress(ConnectionError):
            writer.write(msgspec.json.encode(answer) + b"\n")
            await writer.drain()
        answers.task_done()
