"""The door that carriers call: what it takes, and whom it turns away."""

import asyncio
import base64
from collections.abc import Iterator
from typing import Any

import pytest
from carrier_door import INBOUND, NOW, PUBLIC, House
from fake_twilio import FakeTwilio
from hypothesis import given
from hypothesis import strategies as st

from maskline.domain.message import Reported
from maskline.sms.http import door
from maskline.sms.http.description import load
from maskline.sms.http.door import Desk
from maskline.sms.http.generic import Generic
from maskline.sms.http.provider import Reading
from maskline.sms.http.twilio import Twilio
from maskline.sms.port import InboundText, Receipt, Refused, TryLater
from maskline.store import StoreFailed


async def test_a_text_is_thanked_for_when_it_is_kept(house: House) -> None:
    status, headers, body = await house.deliver("messages", INBOUND)
    assert (status, headers["content-type"]) == (200, "text/xml")
    assert b"<Response></Response>" in body
    (arrival,) = house.inbox.taken
    assert isinstance(arrival, InboundText)
    assert (arrival.message_id, arrival.text) == ("SM9", "Hi")


async def test_a_status_is_thanked_for_when_it_is_kept(house: House) -> None:
    fields = {"MessageSid": "SM9", "MessageStatus": "delivered"}
    status, _, body = await house.deliver("status", fields, query="reference=7")
    assert (status, body) == (204, b"")
    (arrival,) = house.inbox.taken
    assert isinstance(arrival, Receipt)
    assert arrival.reference == 7


@pytest.mark.parametrize(
    "verdict",
    [TryLater(after=9.6, reason="full"), StoreFailed("disk full"), RuntimeError("broken")],
)
async def test_what_is_not_kept_is_not_thanked_for(house: House, verdict: Any) -> None:
    house.inbox.verdict = verdict
    status, headers, body = await house.deliver("messages", INBOUND)
    assert (status, body) == (503, b"")
    assert headers["retry-after"] == ("10" if isinstance(verdict, TryLater) else "5")


async def test_a_refusal_is_in_the_records_and_the_provider_is_thanked(house: House) -> None:
    house.inbox.verdict = Refused(reason="no-session")
    assert (await house.deliver("messages", INBOUND))[0] == 200


async def test_who_cannot_sign_is_not_listened_to(house: House) -> None:
    assert (await house.deliver("messages", INBOUND, token="guess"))[0] == 403
    assert (await house.call("POST", "/carriers/tw/messages", b"Body=x"))[0] == 403
    assert (await house.call("GET", "/carriers/tw/messages"))[0] == 403
    assert house.inbox.taken == []


async def test_who_waits_to_be_asked_for_its_proof_is_asked(house: House) -> None:
    """Bandwidth sends nothing again that it was not asked for by a challenge."""
    values = {"account_id": "9", "application_id": "app", "user": "u", "password": "p"}
    secrets = ("cb:word",)
    bandwidth = Generic("bw", load("bandwidth"), values=values, secrets=secrets, callbacks=PUBLIC)
    house.door._desks["bw"] = Desk(bandwidth, house.courier)
    body = b"""[{"type": "message-received", "to": "+19135550199",
        "message": {"id": "m1", "from": "+12065550100", "to": ["+19135550199"], "text": "Hi"}}]"""
    status, headers, _ = await house.call("POST", "/carriers/bw/messages", body)
    assert (status, headers["www-authenticate"]) == (401, 'Basic realm="callbacks"')
    assert house.inbox.taken == []
    for word, answer in ((b"cb:guess", 403), (b"cb:word", 200)):
        proof = "Basic " + base64.b64encode(word).decode()
        told = await house.call("POST", "/carriers/bw/messages", body, authorization=proof)
        assert told[0] == answer
    assert [arrival.message_id for arrival in house.inbox.taken] == ["m1"]


def test_a_carriers_name_may_hold_a_percent_sign() -> None:
    assert door.place_of("/carriers/50%25 off é/status") == ("50%25 off é", "status")


async def test_other_places_are_nowhere(house: House) -> None:
    for path in ("/carriers/other/messages", "/carriers/tw/other", "/carriers/tw", "/carriers/"):
        assert (await house.call("POST", path))[0] == 404
    assert (await house.call("DELETE", "/carriers/tw/messages"))[0] == 405
    large = {"body": b"x" * 300_000, "x_twilio_signature": "x" * 28}
    assert (await house.call("POST", "/carriers/tw/messages", **large))[0] == 413  # type: ignore[arg-type]


@pytest.mark.parametrize("proof", [None, b"", b"x" * 27, b"x" * 60_000])
async def test_nothing_is_read_that_bears_no_proof(house: House, proof: bytes | None) -> None:
    """Whoever finds the address could keep us busy with it."""
    told: list[Any] = []

    async def receive() -> dict[str, Any]:
        raise AssertionError("its body was asked for")

    async def send(message: Any) -> None:
        told.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/carriers/tw/messages",
        "raw_path": b"/carriers/tw/messages",
        "query_string": b"a=b&" * 16_000,
        "headers": [(b"x-twilio-signature", proof)] if proof is not None else [],
    }
    await house.door(scope, receive, send)
    assert told[0]["status"] == 403


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A door before which one stands who has no key."""
    found = House(tmp_path_factory.mktemp("house"), FakeTwilio(port=1))
    yield found
    found.store.close()


@given(
    path=st.sampled_from(["/carriers/tw/messages", "/carriers/tw/status", "/media/x", "/carriers/"])
    | st.text(max_size=20).map(lambda text: "/carriers/" + text),
    method=st.sampled_from(["GET", "POST", "PUT", "HEAD"]),
    query=st.binary(max_size=30),
    body=st.binary(max_size=60),
    headers=st.lists(
        st.tuples(
            st.sampled_from([
                b"content-type", b"x-twilio-signature", b"x-twilio-webhooks-signature-settings"
            ]),
            st.binary(max_size=30) | st.just(b"application/x-www-form-urlencoded"),
        ),
        max_size=3,
    ),
)  # fmt: skip
def test_any_request_is_turned_away(
    stranger: House,
    path: str,
    method: str,
    query: bytes,
    body: bytes,
    headers: list[tuple[bytes, bytes]],
) -> None:
    raw = path.encode(errors="replace")
    asked = stranger.raw(method, path, raw, body, query, headers)
    assert asyncio.run(asked)[0] in (400, 403, 404, 405)


async def test_what_can_be_read_is_kept_and_the_rest_is_not_thanked_for(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    receipt = Receipt(carrier="tw", message_id="SM1", state=Reported.DELIVERED, at=NOW)
    half_read = Reading([receipt], fault="a text without an id")
    monkeypatch.setattr(Twilio, "read", lambda *_: half_read)
    assert (await house.deliver("messages", INBOUND))[0] == 400
    assert house.inbox.taken == [receipt]
