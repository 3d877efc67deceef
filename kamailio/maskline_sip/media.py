"""rtpengine by its control protocol (JSON form): every description passes through it."""

from __future__ import annotations

import json
import os
import socket
from dataclasses import replace
from typing import Any

from . import sdp

# The media of one leg is told nothing of the other's: no ICE candidates, and no RTCP, which names
# its sender. The engine swallows only RTCP that begins with a report, and a telephone's farewell
# does not. So it is made to believe that both sides send RTCP and RTP to one port, and keeps no
# other open, while neither side is told: what they send goes nowhere.
OPTIONS = {
    "ICE": "remove",
    "transport-protocol": "RTP/AVP",
    "replace": ["origin"],
    "flags": ["trust-address", "generate-RTCP"],
    "rtcp-mux": ["accept", "require"],
}


def with_mux(description: sdp.Description, mux: bool) -> sdp.Description:
    streams = [replace(stream, rtcp_mux=mux) for stream in description.streams]
    return replace(description, streams=streams)


class MediaDown(OSError):
    """No media engine answered, or it refused."""


class Media:
    def __init__(self, engine: tuple[str, int], addresses: list[str], timeout: float = 1.0) -> None:
        self._engine, self._addresses, self._timeout = engine, set(addresses), timeout
        self._socket: socket.socket | None = None

    def offer(self, call: str, sender: str, offered: sdp.Description) -> sdp.Description:
        """What the other side is offered: the same streams, at the engine's address."""
        return self._relayed("offer", offered, {"call-id": call, "from-tag": sender})

    def answer(
        self, call: str, offerer: str, answerer: str, given: sdp.Description
    ) -> sdp.Description:
        tags = {"call-id": call, "from-tag": offerer, "to-tag": answerer}
        return self._relayed("answer", given, tags)

    def delete(self, call: str) -> None:
        """End the call's media; nothing is waited for, the engine times out what is left."""
        self._send({"command": "delete", "call-id": call})

    def _relayed(
        self, command: str, given: sdp.Description, tags: dict[str, str]
    ) -> sdp.Description:
        text = sdp.write(with_mux(given, True), 1, 1).decode()
        result = self._command({"command": command, "sdp": text, **tags, **OPTIONS})
        relayed = sdp.read(result.get("sdp", "").encode("latin-1"))
        if not sdp.addresses(relayed) <= self._addresses:
            raise MediaDown("the engine told an address that is not its own")
        return with_mux(relayed, False)

    def _send(self, command: dict[str, Any]) -> bytes:
        if self._socket is None:
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._socket.settimeout(self._timeout)
        cookie = os.urandom(8).hex().encode()
        self._socket.sendto(cookie + b" " + json.dumps(command).encode(), self._engine)
        return cookie

    def _command(self, command: dict[str, Any]) -> dict[str, Any]:
        try:
            cookie = self._send(command)
            assert self._socket is not None
            while True:
                given, _, answer = self._socket.recv(65536).partition(b" ")
                if given == cookie:
                    break
        except OSError as error:
            raise MediaDown("no answer") from error
        result: dict[str, Any] = json.loads(answer.decode("latin-1"))
        if result.get("result") != "ok":
            raise MediaDown(str(result.get("result")))
        return result
