"""Connections on which TLS is still to be agreed: few of them, and none for long.

The event loop would agree it by itself, but tells nobody of a connection before that is done: who
says nothing would hold as many as there are file descriptors.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress

GREETING_SECONDS = 20.0
GOODBYE_SECONDS = 3.0  # for the other side to say that it has read the end (RFC 8446 6.1)
MOST_GREETINGS = 512  # one more takes the place of the one that has taken longest
PAUSE_SECONDS = 0.1  # where no connection can be taken: there are no file descriptors left


class Greetings:
    """Agrees TLS on each new connection, which then speaks a protocol that `receive` makes."""

    def __init__(self, context: ssl.SSLContext, receive: Callable[[], asyncio.Protocol]) -> None:
        self._context = context
        self._receive = receive
        self._under_way: dict[asyncio.Task[None], None] = {}  # the oldest first

    async def welcome(self, door: socket.socket) -> None:
        """Takes connections until cancelled; then the door is closed, and those connections end on
        which TLS is not agreed."""
        loop = asyncio.get_running_loop()
        door.setblocking(False)
        try:
            while True:
                try:
                    own, _ = await loop.sock_accept(door)
                except OSError:
                    await asyncio.sleep(PAUSE_SECONDS)
                else:
                    self._begin(own)
        finally:
            door.close()
            for task in self._under_way:
                task.cancel()

    def _begin(self, own: socket.socket) -> None:
        if len(self._under_way) >= MOST_GREETINGS:
            oldest = next(iter(self._under_way))
            del self._under_way[oldest]
            oldest.cancel()
        task = asyncio.create_task(self._greet(own))
        self._under_way[task] = None
        task.add_done_callback(lambda done: self._under_way.pop(done, None))

    async def _greet(self, own: socket.socket) -> None:
        with suppress(OSError):  # no TLS, none that both know, nobody any more: all are such
            await asyncio.get_running_loop().connect_accepted_socket(
                self._receive,
                own,
                ssl=self._context,
                ssl_handshake_timeout=GREETING_SECONDS,
                ssl_shutdown_timeout=GOODBYE_SECONDS,
            )
