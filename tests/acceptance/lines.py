"""SIP over TCP, TLS and WebSocket, and over IPv6, for phones that speak UDP alone: a line from a
phone to the service that passes each message on as it is, byte for byte, and keeps a copy."""

import base64
import contextlib
import os
import re
import selectors
import socket
import ssl
import struct
import threading
from dataclasses import dataclass, field

LENGTH = re.compile(rb"\r\nContent-Length[ \t]*:[ \t]*(\d+)", re.IGNORECASE)


def family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class Stream:
    """One connection: messages in and out."""

    def __init__(self, own: socket.socket, websocket: bool = False) -> None:
        self.socket, self._websocket, self._buffer = own, websocket, b""
        if websocket:
            self._upgrade()
        own.setblocking(False)

    def _upgrade(self) -> None:
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            f"GET / HTTP/1.1\r\nHost: maskline\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Protocol: sip\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        while b"\r\n\r\n" not in self._buffer:
            part = self.socket.recv(4096)
            if not part:
                raise ConnectionError("no WebSocket here")
            self._buffer += part
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 101 "):
            raise ConnectionError(head.decode())

    def send(self, message: bytes) -> None:
        data = masked_frame(message) if self._websocket else message
        while data:
            try:
                data = data[self.socket.send(data) :]
            except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
                continue

    def received(self) -> list[bytes]:
        """The messages that have come in; raises ConnectionError when there will be no more."""
        while True:
            try:
                part = self.socket.recv(65536)
            except (BlockingIOError, ssl.SSLWantReadError, TimeoutError):
                return self.held()
            if not part:
                raise ConnectionError("closed")
            self._buffer += part

    def held(self) -> list[bytes]:
        found = []
        while (message := self._message()) is not None:
            found.append(message)
        return [message for message in found if message.strip()]

    def _message(self) -> bytes | None:
        if self._websocket:
            return self._frame()
        self._buffer = self._buffer.lstrip(b"\r\n")
        head, blank, _ = self._buffer.partition(b"\r\n\r\n")
        stated = LENGTH.search(head)
        size = len(head) + 4 + (int(stated[1]) if stated else 0)
        if not blank or len(self._buffer) < size:
            return None
        message, self._buffer = self._buffer[:size], self._buffer[size:]
        return message

    def _frame(self) -> bytes | None:
        """The next frame's payload; frames of a server are not masked (RFC 6455 5.1)."""
        if len(self._buffer) < 2:
            return None
        size, at = self._buffer[1] & 127, 2
        if size == 126:
            size, at = struct.unpack(">H", self._buffer[2:4])[0], 4
        if len(self._buffer) < at + size:
            return None
        kind = self._buffer[0] & 15
        payload, self._buffer = self._buffer[at : at + size], self._buffer[at + size :]
        return payload if kind in (1, 2) else b""


def masked_frame(payload: bytes) -> bytes:
    head = bytes([0x81, 0x80 | 126]) + struct.pack(">H", len(payload))
    return head + b"\0\0\0\0" + payload


@dataclass
class Line:
    """Between one phone, on UDP at `phone`, and the service at `server`.

    The phone sends to `own`; the service finds the phone at `host`:`port`, where connections to it
    are taken (not over WebSocket, by which nobody calls back).
    """

    transport: str
    server: tuple[str, int]
    host: str
    port: int
    phone: tuple[str, int]
    client: ssl.SSLContext | None = None
    listener: ssl.SSLContext | None = None
    carried: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.desk = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.desk.bind((self.phone[0], 0))
        self._ready = selectors.DefaultSelector()
        self._ready.register(self.desk, selectors.EVENT_READ, self._from_phone)
        self._stream: Stream | None = None
        self._open_door()
        self._stopped, self._wake = socket.socketpair()
        self._ready.register(self._stopped, selectors.EVENT_READ, None)
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    @property
    def own(self) -> str:
        """Where the phone finds this line."""
        host, port = self.desk.getsockname()
        return f"{host}:{port}"

    @property
    def contact(self) -> str:
        """How the service may call the phone back, as it stands in a URI."""
        parameter = "" if self.transport == "udp" else f";transport={self.transport}"
        return address(self.host, self.port) + parameter

    @property
    def via(self) -> str:
        """What the phone's own Via says after `SIP/2.0/`."""
        return f"{self.transport.upper()} {address(self.host, self.port)}"

    def _open_door(self) -> None:
        kind = socket.SOCK_DGRAM if self.transport == "udp" else socket.SOCK_STREAM
        self._door = socket.socket(family(self.host), kind)
        if kind is socket.SOCK_STREAM:
            self._door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._door.bind((self.host, self.port))
        if self.transport == "udp":
            self._ready.register(self._door, selectors.EVENT_READ, self._from_datagrams)
        else:
            self._door.listen()
            self._ready.register(self._door, selectors.EVENT_READ, self._connected)

    def _work(self) -> None:
        while True:
            for key, _ in self._ready.select():
                if key.data is None:
                    return
                key.data(key.fileobj)

    def _from_phone(self, _desk: socket.socket) -> None:
        message = self.desk.recv(65536)
        if self.transport == "udp":
            self._door.sendto(message, self.server)
            return
        with contextlib.suppress(OSError):  # the phone sends it again
            if self._stream is None:
                self._take(self._connect())
            assert self._stream is not None
            self._stream.send(message)

    def _connect(self) -> Stream:
        own = socket.socket(family(self.server[0]), socket.SOCK_STREAM)
        own.settimeout(5)
        own.bind((self.host, 0))
        own.connect(self.server)
        if self.client is not None:
            own = self.client.wrap_socket(own, server_hostname=self.server[0])
        return Stream(own, websocket=self.transport in ("ws", "wss"))

    def _take(self, stream: Stream) -> None:
        self._stream = stream
        self._ready.register(stream.socket, selectors.EVENT_READ, lambda _: self._read(stream))
        self._read(stream)

    def _connected(self, door: socket.socket) -> None:
        own, _ = door.accept()
        own.settimeout(5)
        try:
            if self.listener is not None:
                own = self.listener.wrap_socket(own, server_side=True)
        except OSError:
            own.close()
            return
        self._take(Stream(own))

    def _read(self, stream: Stream) -> None:
        try:
            for message in stream.received():
                self._to_phone(message)
        except OSError:
            self._ready.unregister(stream.socket)
            stream.socket.close()
            if self._stream is stream:
                self._stream = None

    def _from_datagrams(self, door: socket.socket) -> None:
        self._to_phone(door.recv(65536))

    def _to_phone(self, message: bytes) -> None:
        self.carried.append(message)
        self.desk.sendto(message, self.phone)

    def close(self) -> None:
        self._wake.send(b"x")
        self._thread.join()
        for key in list(self._ready.get_map().values()):
            sock = key.fileobj
            assert isinstance(sock, socket.socket)
            sock.close()
        self._wake.close()
        self._ready.close()
