"""Connections to PostgreSQL: how they are made, and who uses which."""

import asyncio
import os
import socket
import time
from contextlib import suppress
from typing import Any

import psycopg
from psycopg.abc import RV, Buffer, PQGen
from psycopg.adapt import Dumper, Loader
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import TransactionStatus
from psycopg.rows import DictRow, dict_row

from maskline.store.statements import QUERIES

Connection = psycopg.Connection[DictRow]

# Connections of each kind, so that reads need not wait for writes that queue.
MOST = 4
CONNECT_SECONDS = 10.0
CONNECT_AGAIN_SECONDS = 0.1
# Longer than the server lets a statement wait for a lock, or read: it is frozen, or its machine is.
ANSWER_SECONDS = 35.0
# Whoever asked has given up by then, and would ask again.
TURN_SECONDS = 40.0
# What holds unless the URL says otherwise. A connection that was forgotten on its way, by a
# firewall say, is found out soon and not when TCP gives up. A server that says nothing leaves time
# for the next one, where the URL names several or the name has several addresses.
CONNECTING: dict[str, Any] = {
    "connect_timeout": "4",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
}
# Of those, what the server has, too.
ON_THE_WAY = ("keepalives_idle", "keepalives_interval", "keepalives_count")


class AsyncConnection(psycopg.AsyncConnection[DictRow]):
    """One that gives a server up that says nothing, and is broken then and `silent`."""

    silent = False

    async def wait(self, gen: PQGen[RV], *choices: Any, **more_choices: Any) -> RV:
        given_up = asyncio.get_running_loop().call_later(ANSWER_SECONDS, self._give_up)
        try:
            return await super().wait(gen, *choices, **more_choices)
        except psycopg.OperationalError as error:
            if self.silent:
                raise psycopg.OperationalError("the database does not answer") from error
            raise
        finally:
            given_up.cancel()

    def _give_up(self) -> None:
        self.silent = True
        hang_up(self)


class Connections:
    """Connections for one kind of work, with these settings of their sessions, opened as needed.

    The one that was used last is used next: its process at the server has all at hand.
    """

    def __init__(self, url: str, settings: str) -> None:
        self._conninfo = conninfo(url)
        self._settings = f"{found_out(self._conninfo)}; {settings}"
        self._idle: list[AsyncConnection] = []
        self._places = asyncio.Semaphore(MOST)
        self._in_use: set[AsyncConnection] = set()
        self._closed = self._broken_off = False
        self._failed_at, self._reason = 0.0, ""

    async def take(self, asked_at: float | None = None) -> AsyncConnection:
        """Raises psycopg.OperationalError if none can be had for CONNECT_SECONDS: who waits for
        another one's attempt has its outcome, too; or if all are in use for TURN_SECONDS.
        `asked_at` is when somebody began to wait, by the monotonic clock; now, if it is not given.
        """
        asked_at = time.monotonic() if asked_at is None else asked_at
        await turn(self._places)
        try:
            connection = await self._next(asked_at)
        except BaseException:
            self._places.release()
            raise
        self._in_use.add(connection)
        if self._broken_off:  # while it was made
            hang_up(connection)
        return connection

    async def _next(self, asked_at: float) -> AsyncConnection:
        if self._broken_off:
            raise psycopg.OperationalError("the work is broken off")
        if self._idle:
            return self._idle.pop()
        if self._failed_at > asked_at:
            raise psycopg.OperationalError(self._reason)
        return await self._connected()

    def give_back(self, connection: AsyncConnection) -> None:
        """One that is broken, or in the midst of something, is closed."""
        self._in_use.discard(connection)
        if connection.silent:  # and so are the others
            self._drop_idle()
        idle = connection.pgconn.transaction_status == TransactionStatus.IDLE
        if idle and not self._closed:
            self._idle.append(connection)
        else:
            connection.pgconn.finish()
        self._places.release()

    def close(self) -> None:
        """Those in use are closed when they are given back."""
        self._closed = True
        self._drop_idle()

    def _drop_idle(self) -> None:
        for connection in self._idle:
            connection.pgconn.finish()
        self._idle.clear()

    def break_off(self) -> None:
        """Ends the work under way, in any thread, and takes on no more."""
        self._broken_off = True
        for connection in list(self._in_use):
            hang_up(connection)

    async def _connected(self) -> AsyncConnection:
        """A server that is being started again, or has no place for one more, is waited for; so is
        a connection that somebody gives back."""
        reason = "no answer"
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                while not self._idle:
                    try:
                        return await self._connect()
                    except psycopg.OperationalError as error:
                        reason = str(error)
                    await asyncio.sleep(CONNECT_AGAIN_SECONDS)
                return self._idle.pop()
        except TimeoutError:
            self._failed_at, self._reason = time.monotonic(), f"no connection in time: {reason}"
            raise psycopg.OperationalError(self._reason) from None

    async def _connect(self) -> AsyncConnection:
        connection = await AsyncConnection.connect(
            self._conninfo, autocommit=True, row_factory=dict_row
        )
        try:
            configure(connection)
            await connection.execute(self._settings.encode())
        except BaseException:
            connection.pgconn.finish()
            raise
        return connection


async def turn(places: asyncio.Semaphore) -> None:
    """Takes one of the places; raises psycopg.OperationalError if none is free for TURN_SECONDS."""
    try:
        async with asyncio.timeout(TURN_SECONDS):
            await places.acquire()
    except TimeoutError:
        raise psycopg.OperationalError("all connections are in use for too long") from None


def hang_up(connection: AsyncConnection) -> None:
    """Makes whoever waits for the server learn that it is gone. The connection stays his to close:
    what is shut down here is a copy of its socket."""
    with (
        suppress(OSError, psycopg.OperationalError),
        socket.socket(fileno=os.dup(connection.pgconn.socket)) as line,
    ):
        line.shutdown(socket.SHUT_RDWR)


class TruthDumper(Dumper):
    """Truth values are stored as 0 and 1."""

    oid = psycopg.postgres.types["int2"].oid

    def dump(self, value: bool) -> Buffer:
        return b"1" if value else b"0"


class WholeLoader(Loader):
    """Sums of whole numbers come as `numeric`."""

    def load(self, data: Buffer) -> int:
        return int(bytes(data))


def configure(connection: Connection | AsyncConnection) -> None:
    connection.adapters.register_dumper(bool, TruthDumper)
    connection.adapters.register_loader("numeric", WholeLoader)
    connection.prepared_max = 2 * len(QUERIES)  # some are prepared for several types


def conninfo(url: str) -> str:
    """Texts, which may be of any script, travel as UTF-8 whatever a role or a database says."""
    return make_conninfo("", **CONNECTING | conninfo_to_dict(url) | {"client_encoding": "UTF8"})


def found_out(conninfo: str) -> str:
    """Has the server find out as soon as we do: else what a machine that died had there, its places
    and perhaps a lock, is held for two hours."""
    told = conninfo_to_dict(conninfo)
    return "; ".join(f"SET tcp_{name} = {told[name]}" for name in ON_THE_WAY)


def connect(url: str) -> Connection:
    """A connection that leaves transactions to us; raises psycopg.OperationalError."""
    told = conninfo(url)
    connection: Connection = psycopg.connect(told, autocommit=True, row_factory=dict_row)
    configure(connection)
    connection.execute(found_out(told).encode())
    return connection
