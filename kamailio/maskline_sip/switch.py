"""The way to the control plane: JSON lines over a Unix socket (the `switch` service model)."""

from __future__ import annotations

import json
import socket
import time
from typing import Any

SILENT_SECONDS = 3.0
MOST_UNREAD = 64  # answers to reports, each of a few bytes
# That a report may take: what is not sent by then is told later, and Kamailio's one process for all
# connections tells, too.
REPORT_SECONDS = 0.2


class SwitchDown(OSError):
    """The control plane did not answer."""


class Silent(SwitchDown):
    """It took too long: to ask again would take as long again."""


class Switch:
    """What one worker says to the control plane. Questions and reports have a connection each: the
    control plane hurries with questions, and takes its time with reports."""

    def __init__(self, path: str, timeout: float = 2.0) -> None:
        self._questions = Line(path, timeout)
        self._reports = Line(path, min(timeout, REPORT_SECONDS))
        self._silent_until = 0.0

    def ask(self, operation: str, given: dict[str, Any]) -> dict[str, Any]:
        """The operation's output. `SwitchDown` when there is none; at once for a while after a
        question that was not answered in time: a worker that waits is missing to all others."""
        if time.monotonic() < self._silent_until:
            raise SwitchDown("silent")
        try:
            answer: dict[str, Any] = _twice(self._questions, _exchange, operation, given)
        except Silent:
            self._silent_until = time.monotonic() + SILENT_SECONDS
            raise
        if "output" not in answer:
            raise SwitchDown(answer.get("error", {}).get("code", "no output"))
        output: dict[str, Any] = answer["output"]
        return output

    def report(self, operation: str, given: dict[str, Any]) -> None:
        """Sends without waiting, as long as not too many were sent that nobody has read. Raises
        SwitchDown where it is not sent."""
        _twice(self._reports, _leave, operation, given)


class Line:
    """One connection, made when it is first used."""

    def __init__(self, path: str, timeout: float) -> None:
        self._path, self._timeout = path, timeout
        self._socket: socket.socket | None = None
        self._buffer = b""
        self.unread = 0

    def send(self, line: bytes) -> None:
        if self._socket is None:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self._socket.settimeout(self._timeout)
            self._socket.connect(self._path)
        self._socket.sendall(line)
        self.unread += 1

    def answer(self) -> bytes:
        """The next answer; answers come in order."""
        assert self._socket is not None
        while b"\n" not in self._buffer:
            part = self._socket.recv(65536)
            if not part:
                raise ConnectionResetError
            self._buffer += part
        line, _, self._buffer = self._buffer.partition(b"\n")
        self.unread -= 1
        return line

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket, self._buffer, self.unread = None, b"", 0


def _twice(line: Line, step: Any, operation: str, given: dict[str, Any]) -> Any:
    """Once more over a new connection, if the old one is no good any more."""
    text = json.dumps({"operation": operation, "input": given}).encode() + b"\n"
    try:
        return _once(line, step, text)
    except Silent:
        raise
    except SwitchDown:
        return _once(line, step, text)


def _once(line: Line, step: Any, text: bytes) -> Any:
    """The step; after one that failed, whatever the reason, the line begins anew: an answer that
    was left unread would be taken for that of the next question, which is about another call."""
    try:
        return step(line, text)
    except TimeoutError as error:
        line.close()
        raise Silent("silent") from error
    except (OSError, ValueError) as error:
        line.close()
        raise SwitchDown(type(error).__name__) from error
    except BaseException:
        line.close()
        raise


def _exchange(line: Line, text: bytes) -> dict[str, Any]:
    line.send(text)
    loaded: dict[str, Any] = json.loads(line.answer())
    return loaded


def _leave(line: Line, text: bytes) -> None:
    while line.unread >= MOST_UNREAD:
        line.answer()
    line.send(text)
