"""The real API on a free port of this machine, without the programs that carry calls."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock
from uuid import uuid4

import uvicorn
from door import add_account, add_key, settings_with

from maskline.cli.signer import AccessKey
from maskline.operations import TABLE, Context
from maskline.operations.policy import policy_of
from maskline.store import Transaction, open_store
from maskline.web.app import build


@dataclass(frozen=True)
class Live:
    """A server that answers, and a key of the operator, whose account has nothing yet."""

    url: str
    key: AccessKey
    server: "_Server"

    def environment(self) -> dict[str, str]:
        return {
            "AWS_ACCESS_KEY_ID": self.key.id,
            "AWS_SECRET_ACCESS_KEY": self.key.secret,
            "AWS_ENDPOINT_URL": self.url,
        }

    def receive_call(self, caller: str, called: str) -> None:
        """What happens in the store when the carrier acme brings a call."""
        call = {"CarrierName": "acme", "Caller": caller, "Called": called}
        self.server.carry_out("switch", "RouteCall", call)


class _Server(threading.Thread):
    def __init__(self, folder: Path, door: socket.socket) -> None:
        super().__init__(daemon=True)
        self._folder, self._door = folder, door
        self.ready = threading.Event()
        self.key: AccessKey | None = None
        self._http: uvicorn.Server | None = None
        self._policy = policy_of(settings_with())

    def run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        store = self._store = open_store(f"sqlite:{self._folder / 'live.db'}")
        try:
            self.key = await store.write(lambda tx: add_key(tx, add_account(tx, operator=True)))
            app: Any = build(store, settings_with(), lambda: {"kamailio": "up"})
            config = uvicorn.Config(app, lifespan="off", log_config=None, ws="none")
            self._http = uvicorn.Server(config)
            self.ready.set()
            await self._http.serve(sockets=[self._door])
        finally:
            store.close()

    def carry_out(self, service: str, operation: str, request: dict[str, Any]) -> None:
        def work(tx: Transaction) -> dict[str, Any]:
            now = time.time_ns() // 1_000_000
            context = Context(
                tx=tx,
                account_id="",
                now=now,
                new_id=lambda: str(uuid4()),
                settings=self._policy,
            )
            return TABLE[service, operation].function(context, request)

        asyncio.run_coroutine_threadsafe(self._store.write(work), self._loop).result(10)

    def end(self) -> None:
        assert self._http
        self._http.should_exit = True
        self.join(10)


@contextmanager
def live_server(folder: Path) -> Iterator[Live]:
    """A server with an empty store in `folder`."""
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        door.listen()
        server = _Server(folder, door)
        with mock.patch("maskline.web.app.log"):  # its lines would mix with what commands print
            server.start()
            server.ready.wait(10)
            assert server.key
            yield Live(f"http://127.0.0.1:{door.getsockname()[1]}", server.key, server)
            server.end()
