"""The role `api`: the HTTP door."""

import asyncio
import shlex
import shutil
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import uvicorn

from maskline.daemon.callbacks import callback_door
from maskline.daemon.house import House, at_work
from maskline.daemon.https import certificate_of
from maskline.engines.ground import bound
from maskline.operations import Credentials, bootstrap_account
from maskline.sms.http.door import PREFIXES
from maskline.store import Transaction
from maskline.web.app import build
from maskline.web.greeting import Greetings
from maskline.web.protocol import Protocol, bounded

KEEP_ALIVE_SECONDS = 65  # longer than SDKs keep an idle connection, so that they close first
CLOSE_SECONDS = 3

CREDENTIALS = """\
[default]
aws_access_key_id = {credentials.access_key_id}
aws_secret_access_key = {credentials.secret_access_key}
"""
WELCOME = """\
This is the first start: account {credentials.account_id} and its access key were made.
The key is in {path}. To use it with boto3, an AWS SDK, the AWS CLI or the maskline command:

  export AWS_SHARED_CREDENTIALS_FILE={quoted}
  export AWS_ENDPOINT_URL={url} AWS_DEFAULT_REGION=us-east-1
  {program} chime list-voice-connectors
  aws chime-sdk-voice list-voice-connectors
  python -c 'import boto3; print(boto3.client("chime-sdk-voice").list_voice_connectors())'
"""


class Api:
    """Answers the API; at the very first start it makes the account and key that open it."""

    def __init__(self, house: House) -> None:
        self._house = house
        listen = house.settings.api.listen
        self._certificate = certificate_of(house.settings.api.tls)
        self._url = f"{'https' if self._certificate else 'http'}://{listen}"
        self._door = bound(socket.SOCK_STREAM, listen.host, listen.port, "api.listen")
        self._callbacks = callback_door(house)
        doors = dict.fromkeys(PREFIXES, self._callbacks) if self._callbacks else {}
        self._app = build(house.store, house.settings, house.health, doors=doors)

    @property
    def place(self) -> str:
        return f"api {self._url}"

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        await self._welcome()
        listening = self._callbacks.running() if self._callbacks else nullcontext()
        most = self._house.settings.api.max_connections
        context = self._certificate.context if self._certificate else None
        async with listening, serving(self._app, self._door, most, context):
            yield

    async def up(self) -> None:
        """It is, as soon as it runs."""

    def renew(self) -> None:
        if self._certificate:
            self._certificate.renew()

    def health(self) -> dict[str, str]:
        return {}

    async def _welcome(self) -> None:
        """On the first start makes an account and its key, and says how to use it."""
        path = self._house.settings.data_dir / "credentials"

        def make(tx: Transaction) -> Credentials | None:
            credentials = bootstrap_account(self._house.context(tx))
            if credentials is not None:  # before the commit: a key that nobody holds would be lost
                write_credentials(path, credentials)
            return credentials

        credentials = await self._house.store.write(make)
        if credentials is not None:
            print(welcome(credentials, path, self._url), flush=True)


def welcome(credentials: Credentials, path: Path, url: str) -> str:
    """How to use the first key, as a shell takes it."""
    return WELCOME.format(
        credentials=credentials,
        path=path,
        quoted=shlex.quote(str(path)),
        url=url,
        program=shlex.quote(program()),
    )


def write_credentials(path: Path, credentials: Credentials) -> None:
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(CREDENTIALS.format(credentials=credentials))


def program() -> str:
    """How our command is called from here: by its name where that is found."""
    beside = Path(sys.executable).with_name("maskline")
    return "maskline" if shutil.which("maskline") == str(beside) else str(beside)


class Server(uvicorn.Server):
    """An HTTP server that leaves signals to us and says when it serves."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.serving = asyncio.Event()

    def connection(self) -> asyncio.Protocol:
        """What uvicorn makes for each connection by itself."""
        protocol: Any = self.config.http
        made: asyncio.Protocol = protocol(
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return made

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.serving.set()

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second: looks after connections that say nothing."""
        now = asyncio.get_running_loop().time()
        for connection in list(self.server_state.connections):
            if isinstance(connection, Protocol):
                connection.look(now)
        return await super().on_tick(counter)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def serving(
    app: Any,
    door: socket.socket,
    most_connections: int = Protocol.most_connections,
    context: ssl.SSLContext | None = None,
) -> AsyncIterator[None]:
    """Serves HTTP inside the block, over TLS where there is a context for it; requests under way at
    its end are answered."""
    server = Server(
        uvicorn.Config(
            app,
            http=bounded(most_connections),
            ws="none",
            loop="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,  # nothing here goes by a client's address
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=CLOSE_SECONDS,
        )
    )
    task = asyncio.create_task(server.serve(sockets=[] if context else [door]))
    try:
        await server.serving.wait()
        welcoming = [Greetings(context, server.connection).welcome(door)] if context else []
        async with at_work(*welcoming):
            yield
    finally:
        server.should_exit = True
        await task
