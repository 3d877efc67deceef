"""The door that carriers call by HTTP, with a store, and a client that calls as Twilio would."""

import ipaddress
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from fake_twilio import SID, TOKEN, FakeTwilio
from inbox import Inbox
from twilio.request_validator import RequestValidator

from maskline.courier import Courier
from maskline.operations import Context
from maskline.sms.http.door import Desk, Door
from maskline.sms.http.twilio import Account, Twilio
from maskline.sms.media import MediaIntake, PictureRules
from maskline.store import Store, Transaction, open_store

PUBLIC = "https://sms.example.com"
LOOPBACK = (ipaddress.ip_network("127.0.0.1/32"),)
NOW = 1_790_000_000_000


def provider(fake: FakeTwilio, token: str = TOKEN, mms: bool = True) -> Twilio:
    account = Account(base_url=fake.url, account_sid=SID, auth_tokens=(token,), mms=mms)
    return Twilio("tw", account, f"{PUBLIC}/carriers/tw")


class House:
    """A door with a store, and a client that calls it as a server would."""

    def __init__(self, folder: Path, fake: FakeTwilio, public_url: str | None = PUBLIC) -> None:
        self.store: Store = open_store(f"sqlite:{folder / 'maskline.db'}")
        self.inbox = Inbox()
        self.courier = Courier(LOOPBACK)
        self.now = NOW
        rules = PictureRules(
            public_url=public_url, most_bytes=100_000, keep_milliseconds=1000, notice="(cut)"
        )
        intake = MediaIntake(self.store, self.context, rules)
        self.door = Door(
            [Desk(provider(fake), self.courier)],
            self.inbox,
            intake,
            self.store,
            self.context,
            PUBLIC,
            most_queued=2,
        )

    def context(self, tx: Transaction) -> Context:
        return Context(tx=tx, account_id="", now=self.now, new_id=lambda: "id")

    async def call(
        self, method: str, path: str, body: bytes = b"", query: str = "", **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        pairs = [(n.replace("_", "-").encode(), v.encode()) for n, v in headers.items()]
        return await self.raw(method, path, path.encode(), body, query.encode(), pairs)

    async def raw(
        self,
        method: str,
        path: str,
        raw_path: bytes,
        body: bytes,
        query: bytes,
        headers: list[tuple[bytes, bytes]],
    ) -> tuple[int, dict[str, str], bytes]:
        told: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            told.append(message)

        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": raw_path,
            "query_string": query,
            "headers": headers,
        }
        await self.door(scope, receive, send)
        start, last = told
        found = {name.decode(): value.decode() for name, value in start["headers"]}
        return start["status"], found, last["body"]

    async def deliver(
        self, kind: str, fields: dict[str, str], token: str = TOKEN, query: str = ""
    ) -> tuple[int, dict[str, str], bytes]:
        path = f"/carriers/tw/{kind}"
        url = PUBLIC + path + (f"?{query}" if query else "")
        return await self.call(
            "POST", path, urlencode(fields).encode(), query,
            content_type="application/x-www-form-urlencoded",
            x_twilio_signature=RequestValidator(token).compute_signature(url, fields),
        )  # fmt: skip


INBOUND = {"MessageSid": "SM9", "From": "+12065550100", "To": "+19135550199", "Body": "Hi"}
