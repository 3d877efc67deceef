"""A whole control API on a free loopback port, for clients that want a network."""

import asyncio
import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import boto3
import uvicorn
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.httpsession import URLLib3Session
from door import REGION, add_account, add_key, settings_with

from maskline.cli.signer import AccessKey
from maskline.store import Transaction, open_store
from maskline.web.app import build
from maskline.web.protocol import Protocol

T = TypeVar("T")

VOICE = "chime-sdk-voice"
ONE_TRY = Config(retries={"max_attempts": 0})


class House:
    """`url` is that of its database, a new one; None for a file in the folder. `api` are settings
    of the HTTP door.
    """

    def __init__(self, folder: Path, url: str | None = None, **api: Any) -> None:
        self.store = open_store(url or f"sqlite:{folder / 'house.db'}", folder / "key")
        self.engines = {"kamailio": "up", "rtpengine": "up"}
        self._loop = asyncio.new_event_loop()
        self._door = listener()
        self.url = f"http://127.0.0.1:{self._door.getsockname()[1]}"
        self._server = uvicorn.Server(
            uvicorn.Config(
                build(self.store, settings_with(**api), lambda: self.engines),
                http=Protocol,
                lifespan="off",
                log_config=None,
            )
        )

    @contextmanager
    def open(self) -> Iterator["House"]:
        thread = threading.Thread(target=self._serve)
        thread.start()
        try:
            self.operator = self.write(lambda tx: add_key(tx, add_account(tx, operator=True)))
            yield self
        finally:
            self._server.should_exit = True
            thread.join()
            self._loop.close()
            self.store.close()

    def _serve(self) -> None:
        self._loop.run_until_complete(self._server.serve(sockets=[self._door]))

    def write(self, work: Callable[[Transaction], T]) -> T:
        future: Any = asyncio.run_coroutine_threadsafe(self.store.write(work), self._loop)
        result: T = future.result()
        return result

    def new_tenant(self) -> AccessKey:
        """The key of a new account, which is not the operator's."""
        return self.write(lambda tx: add_key(tx, add_account(tx)))

    def client(self, key: AccessKey | None = None, service: str = VOICE) -> Any:
        """An unmodified boto3 client."""
        return session_of(key or self.operator).client(
            service, endpoint_url=self.url, config=ONE_TRY
        )

    def import_numbers(self, *numbers: str, shared: bool = True) -> None:
        """Numbers into the operator's inventory, by a request that botocore signs."""
        content = {"CarrierName": "acme", "E164PhoneNumbers": numbers, "Shared": shared}
        request = AWSRequest(
            "POST",
            f"{self.url}/admin/phone-numbers/import",
            data=json.dumps(content),
            headers={"Content-Type": "application/json"},
        )
        credentials = Credentials(self.operator.id, self.operator.secret)
        SigV4Auth(credentials, "chime", REGION).add_auth(request)
        session = URLLib3Session()
        answer = session.send(request.prepare())
        session.close()
        assert (answer.status_code, answer.content) == (200, b'{"PhoneNumberErrors":[]}')

    def environment(self, key: AccessKey | None = None) -> dict[str, str]:
        """What points AWS's own programs here, and at nothing of the user's."""
        key = key or self.operator
        kept = {name: text for name, text in os.environ.items() if not name.startswith("AWS_")}
        return kept | {
            "AWS_ACCESS_KEY_ID": key.id,
            "AWS_SECRET_ACCESS_KEY": key.secret,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            "AWS_ENDPOINT_URL": self.url,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_MAX_ATTEMPTS": "1",
            "AWS_PAGER": "",
        }


def listener() -> socket.socket:
    """A free loopback port. The protocol is named, for asyncio sends small answers at once only
    over what says that it is TCP; without, each answer with a body waits 40 ms for the client."""
    door = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    door.bind(("127.0.0.1", 0))
    door.listen()
    return door


def session_of(key: AccessKey) -> Any:
    return boto3.Session(
        aws_access_key_id=key.id, aws_secret_access_key=key.secret, region_name=REGION
    )
