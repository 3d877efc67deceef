"""The way to the control plane: JSON lines over a Unix socket (the `switch` service model)."""

from __future__ import annotations

import json
import socket
from typing import Any


class SwitchDown(OSError):
    """The control plane did not answer in time."""


class Switch:
    """One connection of one worker. Answers come in order, so a report does not wait for its
    own: it is read, and thrown away, before the next question."""

    def __init__(self, path: str, timeout: float = 2.0) -> None:
        self._path, self._timeout = path, timeout
        self._socket: socket.socket | None = None
        self._buffer = b""
        self._unread = 0

    def ask(self, operation: str, given: dict[str, Any]) -> dict[str, Any]:
        """The operation's output. `SwitchDown` when there is none."""
        answer = self._with_reconnect(self._exchange, operation, given)
        if "output" not in answer:
            raise SwitchDown(answer.get("error", {}).get("code", "no output"))
        output: dict[str, Any] = answer["output"]
        return output

    def report(self, operation: str, given: dict[str, Any]) -> None:
        """Send without waiting. A report that is lost is repaired by the control plane, which
        compares its live calls with the media engine's."""
        self._with_reconnect(self._send, operation, given)

    def _with_reconnect(self, step: Any, operation: str, given: dict[str, Any]) -> Any:
        line = json.dumps({"operation": operation, "input": given}).encode() + b"\n"
        try:
            return step(line)
        except (OSError, ValueError):
            self._close()
        try:
            return step(line)
        except (OSError, ValueError) as error:
            self._close()
            raise SwitchDown(type(error).__name__) from error

    def _send(self, line: bytes) -> None:
        if self._socket is None:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self._socket.settimeout(self._timeout)
            self._socket.connect(self._path)
        self._socket.sendall(line)
        self._unread += 1

    def _exchange(self, line: bytes) -> dict[str, Any]:
        self._send(line)
        answer = b""
        while self._unread:
            answer = self._line()
            self._unread -= 1
        loaded: dict[str, Any] = json.loads(answer)
        return loaded

    def _line(self) -> bytes:
        assert self._socket is not None
        while b"\n" not in self._buffer:
            part = self._socket.recv(65536)
            if not part:
                raise ConnectionResetError
            self._buffer += part
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line

    def _close(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket, self._buffer, self._unread = None, b"", 0
