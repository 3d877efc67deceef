"""Telephones in browsers: they speak over a WebSocket, tell a name as their address that nobody can
look up (RFC 7118 5), and are reached by the connection that they made, from a call's beginning to
its end."""

import socket
from collections.abc import Iterator

import pytest
from acceptance.lines import Stream
from acceptance.peers import header
from acceptance.plain_phone import SDP, Phone, forked, from_called, within
from acceptance.service import PATIENCE, Service, free_port, running
from acceptance.test_leak import open_session

NAME = "df7jal23ls0d.invalid;transport=ws"


class Browser(Phone):
    """A phone over a WebSocket."""

    def __init__(self, service: Service, port: int) -> None:
        super().__init__(service)
        self.socket.close()
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.stream = Stream(self.socket, websocket=True)
        self.where = NAME
        self._waiting: list[bytes] = []

    def send(self, raw: str | bytes) -> None:
        text = raw.encode() if isinstance(raw, str) else raw
        via = NAME.partition(";")[0].encode()
        self.stream.send(text.replace(b"SIP/2.0/UDP " + NAME.encode(), b"SIP/2.0/WS " + via))

    def receive(self, seconds: float = PATIENCE) -> str:
        while not self._waiting:
            self.socket.settimeout(seconds)
            self.socket.recv(1, socket.MSG_PEEK)
            self.socket.setblocking(False)
            self._waiting += self.stream.received()
        self.received.append(self._waiting.pop(0).decode("latin-1"))
        return self.received[-1]


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def masked(tmp_path_factory: pytest.TempPathFactory, port: int) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("browsers")
    for service in running(folder, listen=(f"ws:127.0.0.1:{port}",)):
        open_session(service)
        yield service


def test_a_browser_is_reached_after_it_answered_a_change_of_the_call(
    masked: Service, port: int
) -> None:
    caller, called = Browser(masked, port), Phone(masked, masked.carrier_port)
    sent = caller.invite()
    caller.send(sent)
    received = forked(called.expect("INVITE "), "bobs")
    called.reply(received, 200, SDP)
    answer = caller.taken()
    caller.send(within("ACK", sent, answer, caller))
    called.expect("ACK ")
    changed = from_called("INVITE", received, called, 2)
    changed = changed.replace("Max-F", f"Contact: <sip:b@{called.where}>\r\nMax-F")
    called.send(changed)
    again = caller.expect("INVITE ")
    caller.reply(again, 200, SDP)
    renewed = called.expect("SIP/2.0 200")
    moved = received.replace(header(received, "Contact"), header(renewed, "Contact"))
    called.send(from_called("ACK", moved, called, 2))
    assert caller.expect("ACK ")
    called.send(from_called("BYE", moved, called, 3))
    caller.reply(caller.expect("BYE "), 200)
    assert called.expect("SIP/2.0 200")
    caller.socket.close()
    called.socket.close()
