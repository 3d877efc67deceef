"""The HTTP door over a store of its own, asked without a network: what ASGI carries, by hand."""

import asyncio
import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote

from maskline import settings
from maskline.cli.signer import AccessKey, sign
from maskline.operations.access_keys import KEY_ID_ALPHABET, random_text
from maskline.store import Transaction, open_store
from maskline.web.app import build

T = TypeVar("T")

REGION = "us-east-1"
HOST = "door.example"


def carrier(name: str) -> dict[str, Any]:
    return {"name": name, "sip": {"address": "127.0.0.1:5999", "sources": ["127.0.0.1/32"]}}


def settings_with(**api: Any) -> settings.Settings:
    for rate in ("max_requests_per_second", "max_account_requests_per_second"):
        api.setdefault(rate, 100_000)  # nor is one key bounded, unless it is tried
    quotas = {"access_keys": 10_000}  # tests make a new one for whatever they try
    return settings.parse({"api": api, "quotas": quotas, "carriers": [carrier("acme")]})


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def content(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        """The name of the exception, after a look at the form that all of them have."""
        assert sorted(self.content) == ["Code", "Message", "__type"]
        assert self.content["__type"] == self.headers["x-amzn-errortype"]
        assert self.headers["content-type"] == "application/json"
        return self.headers["x-amzn-errortype"]


class Door:
    """`url` is that of its database, a new one; None for a file in the folder."""

    def __init__(self, folder: Path, url: str | None = None, **api: Any) -> None:
        self.engines = {"kamailio": "up", "rtpengine": "up"}
        self.store = open_store(url or f"sqlite:{folder / 'door.db'}", folder / "key")
        self.app = build(self.store, settings_with(**api), lambda: self.engines)
        self._loop = asyncio.new_event_loop()
        self.key = self.write(lambda tx: add_key(tx, add_account(tx, operator=True)))

    def close(self) -> None:
        self._loop.close()
        self.store.close()

    def new_key(self, account_id: str = "", **allowed: tuple[str, ...]) -> AccessKey:
        """A new access key, of a new account unless one is named."""
        return self.write(lambda tx: add_key(tx, account_id or add_account(tx), **allowed))

    def write(self, work: Callable[[Transaction], T]) -> T:
        return self._loop.run_until_complete(self.store.write(work))

    def ask(
        self, method: str, target: str, content: Any = None, key: AccessKey | None = None
    ) -> Reply:
        """The answer to a request that is rightly signed."""
        return self.ask_bytes(method, target, written(content), key)

    def ask_bytes(
        self, method: str, target: str, body: bytes, key: AccessKey | None = None
    ) -> Reply:
        reply = self._loop.run_until_complete(self._signed(key or self.key, method, target, body))
        assert reply is not None
        return reply

    def send(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str] | Sequence[tuple[str, str]],
        *pieces: bytes,
        ends: bool = True,
    ) -> Reply | None:
        """The answer to a request as it stands; None when there is none."""
        carried = self._carried(method, target, headers, *pieces, ends=ends)
        return self._loop.run_until_complete(carried)

    def ask_at_once(self, *asked: tuple[AccessKey, str, str, Any]) -> list[Reply]:
        """The answers to requests that come together: of each its key, method, target, content."""

        async def all_of_them() -> list[Reply | None]:
            return await asyncio.gather(
                *(self._signed(*each, written(content)) for *each, content in asked)
            )

        return [reply for reply in self._loop.run_until_complete(all_of_them()) if reply]

    async def _signed(self, key: AccessKey, method: str, target: str, body: bytes) -> Reply | None:
        headers = sign(key, REGION, method, target, {"Host": HOST}, body)
        return await self._carried(method, target, headers, body)

    async def _carried(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str] | Sequence[tuple[str, str]],
        *pieces: bytes,
        ends: bool = True,
    ) -> Reply | None:
        path, _, query = target.partition("?")
        pairs = headers.items() if isinstance(headers, Mapping) else headers
        scope = {
            "type": "http",
            "method": method,
            "path": unquote(path),
            "raw_path": path.encode("latin-1"),
            "query_string": query.encode("latin-1"),
            "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in pairs],
        }
        incoming = [
            {"type": "http.request", "body": piece, "more_body": True} for piece in pieces
        ] + [{"type": "http.request" if ends else "http.disconnect"}]
        sent: list[Any] = []

        async def receive() -> Any:
            return incoming.pop(0)

        async def send(message: Any) -> None:
            sent.append(message)

        await self.app(scope, receive, send)
        return reply_of(*sent) if sent else None


def tells_of(told: object, *numbers: str) -> bool:
    """Whether something holds one of these phone numbers, or the end of one. Of fewer digits an id
    that was drawn has some by chance."""
    return any(number[-7:] in str(told) for number in numbers)


def written(content: Any) -> bytes:
    return b"" if content is None else json.dumps(content).encode()


def reply_of(start: Any, end: Any) -> Reply:
    headers = {name.decode(): value.decode() for name, value in start["headers"]}
    assert headers.get("content-length") == (
        None if start["status"] == 204 else str(len(end["body"]))
    )
    return Reply(start["status"], headers, end["body"])


def add_account(tx: Transaction, operator: bool = False) -> str:
    account_id = str(secrets.randbelow(9 * 10**11) + 10**11)
    tx.run("insert_account", account_id=account_id, name="test", operator=operator, now=0)
    return account_id


def add_key(
    tx: Transaction,
    account_id: str,
    actions: tuple[str, ...] = ("*",),
    resources: tuple[str, ...] = ("*",),
) -> AccessKey:
    key_id = "AKIA" + random_text(KEY_ID_ALPHABET, 16)
    key = AccessKey(key_id, secrets.token_urlsafe(30))
    tx.run(
        "insert_access_key",
        access_key_id=key.id,
        account_id=account_id,
        sealed_secret=tx.cipher.seal(key.secret, key.id),
        actions=json.dumps(actions),
        resources=json.dumps(resources),
        now=0,
    )
    return key
