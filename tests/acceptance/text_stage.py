"""A service with carriers of texts over HTTP and SIP, and the peers that play them."""

import asyncio
import hashlib
import hmac
import io
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from acceptance.service import Service, free_port, running, until
from acceptance.sip_peer import SipPeer, sip_peer
from connectors import open_connector
from fake_twilio import SID, TOKEN, FakeTwilio, fake_twilio
from PIL import Image
from smsc import DELIVER_SM, Smsc, Text

TRUNK_HOST = "127.0.0.12"
CARRIERS = """
[[carriers]]
name = "tw"
[carriers.twilio]
base_url = "{twilio}"
account_sid = "{sid}"
auth_token = "{token}"
allow_networks = ["127.0.0.1/32"]
[[carriers]]
name = "trunk"
[carriers.sip]
address = "{host}:{port}"
sources = ["{host}/32"]
messages = true
[[carriers]]
name = "gen"
[carriers.http]
description = "provider.toml"
values = {{ sid = "{sid}", token = "{token}" }}
callback_secrets = ["{secret}"]
allow_networks = ["127.0.0.1/32"]
[[carriers]]
name = "smsc"
[carriers.smpp]
host = "127.0.0.1"
port = {smsc}
system_id = "maskline"
password = "secret"
"""
# The peer takes what Twilio takes; what it sends is of another form.
DESCRIPTION = """
about = "A provider of the test's own"
[values]
sid = "the account"
token = "its token"
[request]
url = "{url}/2010-04-01/Accounts/{{sid}}/Messages.json"
basic = {{ user = "{{sid}}", password = "{{token}}" }}
form = true
body = {{ To = "{{destination}}", From = "{{source}}", Body = "{{text}}" }}
[request.media_body]
To = "{{destination}}"
From = "{{source}}"
Body = "{{text}}"
MediaUrl = "{{media_urls}}"
[answer]
message_id = "sid"
error = "to_string(code)"
[messages]
when = "type == 'in'"
message_id = "id"
source = "from"
destination = "to"
text = "text"
media = "pictures[].url"
[status]
when = "type == 'report'"
message_id = "id"
state = "state"
states = {{ done = "Delivered", failed = "Undeliverable" }}
[signature]
kind = "hmac-sha256"
header = "X-Signature"
"""
SECRET = "a secret of the provider's"
BY_TWILIO, BY_SIP, BY_GENERIC = "+19135550199", "+19135550198", "+19135550195"
MIXED_SMPP = {"tw": "+19135550194", "smsc": "+19135550193"}
SMPP_AND_SIP = {"smsc": "+19135550192", "trunk": "+19135550191"}
MIXED = {"tw": "+19135550197", "trunk": "+19135550196"}


@dataclass
class Stage:
    """A service with a carrier of each kind, and a connector for each of them and for both."""

    service: Service
    twilio: FakeTwilio
    trunk: SipPeer
    smsc: Smsc
    people: int = 0
    sequence: int = 900_000
    connectors: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, numbers in {
            "tw": {"tw": BY_TWILIO},
            "trunk": {"trunk": BY_SIP},
            "gen": {"gen": BY_GENERIC},
            "both": MIXED,
            "smpp": MIXED_SMPP,
            "smpp and sip": SMPP_AND_SIP,
        }.items():
            self.connectors[name] = self.connector(numbers)

    def connector(self, numbers: dict[str, str]) -> str:
        client = self.service.client()
        for carrier, number in numbers.items():
            self.service.import_numbers(carrier, number, shared=False)
        connector = open_connector(client)
        client.associate_phone_numbers_with_voice_connector(
            VoiceConnectorId=connector, E164PhoneNumbers=list(numbers.values())
        )
        return connector

    def person(self) -> str:
        """The number of somebody whom nobody has met."""
        self.people += 1
        return f"+1206555{self.people:04d}"

    def session(self, connector: str, first: str, second: str) -> dict[str, str]:
        """A session for texts; the proxy number of each participant."""
        answer = self.service.client().create_proxy_session(
            VoiceConnectorId=self.connectors[connector],
            ParticipantPhoneNumbers=[first, second],
            Capabilities=["SMS"],
        )
        return {
            each["PhoneNumber"]: each["ProxyPhoneNumber"]
            for each in answer["ProxySession"]["Participants"]
        }

    def by_twilio(self, source: str, number: str, words: str, sid: str, **more: str) -> int:
        """A text that Twilio has for us; the status of our answer."""
        fields = {"MessageSid": sid, "From": source, "To": number, "Body": words, **more}
        return self.twilio.deliver(f"{self.service.url}/carriers/tw/messages", fields)[0]

    def by_generic(self, kind: str, content: dict[str, Any], **headers: str) -> int:
        """A callback of the described provider; the status of our answer."""
        body = json.dumps(content).encode()
        signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        given = {"Content-Type": "application/json", "X-Signature": signature, **headers}
        url = f"{self.service.url}/carriers/gen/{kind}"
        try:
            with urllib.request.urlopen(urllib.request.Request(url, body, given)) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

    def twilio_sent(self, to: str) -> dict[str, str]:
        """The one text that Twilio was given for somebody."""
        (fields,) = until(lambda: [f for f in self.twilio.sent if f["To"] == [to]], 30)
        return {name: values[0] for name, values in fields.items()}

    def trunk_sent(self, to: str) -> bytes:
        (message,) = until(lambda: [m for m in self.trunk.taken if to.encode() in m[:60]], 30)
        return bytes(message)

    def by_smpp(self, source: str, number: str, words: bytes) -> None:
        """A text that the SMSC has for us."""
        text = Text(source[1:], number[1:], words)
        self.smsc.loop.call_soon_threadsafe(self.smsc.send, text)  # type: ignore[attr-defined]

    def put_to_us(self, body: bytes) -> None:
        """A deliver_sm of the SMSC's, with whatever body."""
        self.sequence += 1

        def put() -> None:
            self.smsc.sessions[0].put_now(DELIVER_SM, 0, self.sequence, body)

        self.smsc.loop.call_soon_threadsafe(put)  # type: ignore[attr-defined]

    def record(self, source: str) -> dict[str, Any]:
        """The record of the one text of somebody."""
        listed = self.service.messages()
        (found,) = (each for each in listed if each["SourcePhoneNumber"] == source)
        return dict(found)


@contextmanager
def running_smsc() -> Iterator[Smsc]:
    """An SMSC that lives in a thread."""
    loop, smsc = asyncio.new_event_loop(), Smsc()
    living = threading.Thread(target=loop.run_forever)
    living.start()
    asyncio.run_coroutine_threadsafe(smsc.start(), loop).result()
    smsc.loop = loop  # type: ignore[attr-defined]
    try:
        yield smsc
    finally:
        asyncio.run_coroutine_threadsafe(smsc.stop(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        living.join()
        loop.close()


def carriers(folder: Path, twilio: FakeTwilio, smsc: Smsc, trunk_port: int) -> str:
    """The settings of the carriers; puts beside them what they read."""
    (folder / "provider.toml").write_text(DESCRIPTION.format(url=twilio.url))
    return CARRIERS.format(
        twilio=twilio.url,
        sid=SID,
        token=TOKEN,
        host=TRUNK_HOST,
        port=trunk_port,
        secret=SECRET,
        smsc=smsc.port,
    )


def staged(folder: Path, settings: str = "") -> Iterator[Stage]:
    """A stage in a folder; `settings` are further ones of its service."""
    port = free_port(TRUNK_HOST)
    with fake_twilio() as twilio, running_smsc() as smsc:
        more = carriers(folder, twilio, smsc, port)
        rules = 'number_assignment = "per_participant"\ntexts.doubt_seconds = 5\n' + settings
        for service in running(folder, carrier_settings=more, more_settings=rules):
            with sip_peer(TRUNK_HOST, port, ("127.0.0.1", service.sip_port)) as trunk:
                yield Stage(service, twilio, trunk, smsc)


def picture(mark: str = "SECA") -> bytes:
    """A photograph that tells where, when and by whom it was taken."""
    told = Image.Exif()
    told[0x010E] = told[0x013B] = f"{mark}_exif"
    told.get_ifd(0x8825).update({1: "N", 2: (47.0, 36.0, 22.0), 3: "W", 4: (122.0, 19.0, 55.0)})
    into = io.BytesIO()
    Image.new("RGB", (8, 8), (9, 9, 9)).save(into, "JPEG", comment=mark.encode(), exif=told)
    return into.getvalue()
