"""Providers described by data: the four that come with us against payloads in the forms that they
publish, and the description of a fifth. Signatures have libraries of others as their oracles."""

import base64
import contextlib
import copy
import hashlib
import hmac
import json
import tomllib
from datetime import UTC, datetime
from typing import Any

import jmespath
import jwt
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from maskline.courier import HttpReply
from maskline.domain.message import Reported
from maskline.sms.http import description
from maskline.sms.http.description import BadDescription, load, read, shipped
from maskline.sms.http.generic import Generic
from maskline.sms.http.provider import MESSAGES, STATUS, Callback, NotGenuine, Unreadable
from maskline.sms.http.signatures import SignatureRules, Signed, is_genuine, signature_headers
from maskline.sms.port import (
    Accepted,
    InboundText,
    Media,
    Outgoing,
    Receipt,
    Refused,
    TryLater,
    Unknown,
)

NOW = 1_790_000_000_000
SECRET = "a secret of forty characters, more or less"
CALLBACKS = "https://sms.example.com/carriers/gen"
ANN, BEN, PROXY = "+12065550100", "+14015550101", "+19135550199"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC_KEY = base64.b64encode(KEY.public_key().public_bytes_raw()).decode()

TEXT = Outgoing(
    message_id="0b5c",
    reference=513,
    source=PROXY,
    destination=BEN,
    text='He said "{hello}"\n\\ 😀',
    expires_at=NOW + 3_600_000,
)
PICTURES = (Media(url="https://sms.example.com/media/a", content_type="image/png"),)
PICTURED = Outgoing(
    message_id="0b5c", reference=513, source=PROXY, destination=BEN, text="See",
    expires_at=NOW + 3_600_000, media=PICTURES,
)  # fmt: skip

VALUES = {
    "telnyx": {"api_key": "KEY1"},
    "bandwidth": {"account_id": "99", "application_id": "app", "user": "u", "password": "p"},
    "sinch": {"region": "eu", "service_plan_id": "plan", "api_token": "tok"},
    "vonage": {"api_key": "ak", "api_secret": "as"},
}
SECRETS = {"telnyx": PUBLIC_KEY, "bandwidth": "cb:word"}


def provider(name: str) -> Generic:
    return Generic(
        "gen",
        load(name),
        values=VALUES[name],
        secrets=("an old one", SECRETS.get(name, SECRET)),
        callbacks=CALLBACKS,
    )


def proof(name: str, body: bytes, stamp: int = NOW // 1000) -> dict[str, str]:
    """What the provider puts into the headers of a callback."""
    if name == "telnyx":
        signed = KEY.sign(f"{stamp}|".encode() + body)
        return {
            "telnyx-timestamp": str(stamp),
            "telnyx-signature-ed25519": base64.b64encode(signed).decode(),
        }
    if name == "bandwidth":
        return {"authorization": "Basic " + base64.b64encode(b"cb:word").decode()}
    if name == "sinch":
        text = body + f".n0nce.{stamp}".encode()
        code = hmac.new(SECRET.encode(), text, hashlib.sha256).digest()
        return {
            "x-sinch-webhook-signature-timestamp": str(stamp),
            "x-sinch-webhook-signature-nonce": "n0nce",
            "x-sinch-webhook-signature": base64.b64encode(code).decode(),
        }
    claims = {"iat": stamp, "payload_hash": hashlib.sha256(body).hexdigest(), "iss": "Vonage"}
    return {"authorization": "Bearer " + jwt.encode(claims, SECRET, "HS256")}


def callback(name: str, content: Any, kind: str = MESSAGES, **more: Any) -> Callback:
    body = json.dumps(content).encode()
    headers = {"content-type": "application/json", **proof(name, body)}
    given = {"received_at": NOW, "headers": headers, "body": body} | more
    return Callback(kind=kind, method="POST", url=f"{CALLBACKS}/{kind}", query="", **given)


def test_the_name_of_a_scheme_has_no_case() -> None:
    """RFC 9110 11.1."""
    word = base64.b64encode(b"cb:word").decode()

    def proved(authorization: str) -> bool:
        signed = Signed("", {"authorization": authorization}, b"", 0)
        return is_genuine(SignatureRules(kind="basic"), ["cb:word"], signed)

    assert all(map(proved, (f"Basic {word}", f"basic {word}", f"BASIC  {word}")))
    assert not any(map(proved, (f"Bearer {word}", f"Basic x{word}", word, "")))


@pytest.mark.parametrize("name", VALUES)
def test_a_callback_bears_a_proof_or_none(name: str) -> None:
    assert provider(name).bears_proof(proof(name, b""))
    assert not provider(name).bears_proof({"content-type": "application/json"})


# -- what is sent


@pytest.mark.parametrize(
    ("name", "words", "pieces"),
    [
        ("telnyx", "x" * 1530, 1),
        ("telnyx", "x" * 1531, 2),
        ("telnyx", "[" * 766, 2),  # takes two septets
        ("telnyx", "é" * 670, 1),
        ("telnyx", "é" * 671, 2),
        ("telnyx", "😀" * 336, 2),
        ("bandwidth", "é" * 2048, 1),
        ("bandwidth", "é" * 2049, 2),
        ("sinch", "é" * 2001, 2),
        ("vonage", "é" * 1001, 2),
    ],
)
def test_no_provider_is_given_more_than_it_takes_at_once(
    name: str, words: str, pieces: int
) -> None:
    long = msgspec.structs.replace(TEXT, text=words)
    found = provider(name).pieces(long)
    assert "".join(each.text for each in found) == words
    assert [each.message_id for each in found] == ["0b5c", "0b5c-1"][:pieces]


def test_telnyx_is_asked() -> None:
    request = provider("telnyx").request(TEXT, NOW)
    assert (request.method, request.url) == ("POST", "https://api.telnyx.com/v2/messages")
    assert request.headers["Authorization"] == "Bearer KEY1"
    assert json.loads(request.body) == {
        "from": PROXY, "to": BEN, "text": TEXT.text, "webhook_url": f"{CALLBACKS}/status",
    }  # fmt: skip
    pictured = json.loads(provider("telnyx").request(PICTURED, NOW).body)
    assert pictured["media_urls"] == ["https://sms.example.com/media/a"]
    assert pictured["text"] == "See"


def test_bandwidth_is_asked() -> None:
    request = provider("bandwidth").request(TEXT, NOW)
    assert request.url == "https://messaging.bandwidth.com/api/v2/users/99/messages"
    assert request.headers["Authorization"] == "Basic " + base64.b64encode(b"u:p").decode()
    body = json.loads(request.body)
    assert body["to"] == [BEN]
    assert body["tag"] == "513"
    assert datetime.fromisoformat(body["expiration"]) == datetime.fromtimestamp(
        NOW / 1000 + 3600, UTC
    )


@pytest.mark.parametrize(
    ("name", "words"), [("sinch", "body.message"), ("vonage", "image.caption")]
)
def test_pictures_that_the_provider_has_no_place_for_go_as_links(name: str, words: str) -> None:
    more = tuple(Media(url=f"{CALLBACKS}/{each}", content_type="image/png") for each in "bc")
    text = msgspec.structs.replace(PICTURED, media=PICTURES + more)
    asked = json.loads(provider(name).request(text, NOW).body)
    assert jmespath.search(words, asked) == f"See\n{CALLBACKS}/b\n{CALLBACKS}/c"


def test_sinch_is_asked() -> None:
    request = provider("sinch").request(TEXT, NOW)
    assert request.url == "https://eu.sms.api.sinch.com/xms/v1/plan/batches"
    body = json.loads(request.body)
    assert (body["from"], body["to"]) == ("19135550199", ["14015550101"])
    pictured = json.loads(provider("sinch").request(PICTURED, NOW).body)
    assert pictured["body"] == {"url": "https://sms.example.com/media/a", "message": "See"}


def test_vonage_is_asked() -> None:
    body = json.loads(provider("vonage").request(TEXT, NOW).body)
    assert body["message_type"] == "text"
    assert body["ttl"] == 3600
    assert body["to"] == "14015550101"
    pictured = json.loads(provider("vonage").request(PICTURED, NOW).body)
    assert pictured["image"] == {"url": "https://sms.example.com/media/a", "caption": "See"}


@pytest.mark.parametrize(
    ("name", "answer", "message_id", "segments"),
    [
        ("telnyx", {"data": {"id": "40385f64", "parts": 2}}, "40385f64", 2),
        ("bandwidth", {"id": "14762070468", "segmentCount": 1, "to": [BEN]}, "14762070468", 1),
        ("sinch", {"id": "01FC66621", "to": ["14015550101"], "canceled": False}, "01FC66621", 1),
        ("vonage", {"message_uuid": "aaaaaaaa-bbbb"}, "aaaaaaaa-bbbb", 1),
    ],
)  # fmt: skip
def test_a_success_has_an_id(name: str, answer: Any, message_id: str, segments: int) -> None:
    reply = HttpReply(202, {}, json.dumps(answer).encode())
    expected = Accepted(message_ids=(message_id,), segments=segments)
    assert provider(name).outcome(reply) == expected


def telnyx_error(status: int, code: str) -> HttpReply:
    content = {"errors": [{"code": code, "title": "t", "detail": BEN}]}
    return HttpReply(status, {}, json.dumps(content).encode())


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (telnyx_error(400, "40310"), Refused(reason="bad-destination", error="40310")),
        (telnyx_error(403, "40300"), Refused(reason="opted-out", error="40300")),
        (HttpReply(422, {}, b""), Refused(reason="rejected-by-carrier", error="422")),
        (telnyx_error(400, "40318"), TryLater(after=None, reason="throttled")),
        (HttpReply(429, {"retry-after": "3"}, b""), TryLater(after=3.0, reason="throttled")),
        (HttpReply(401, {}, b"{}"), TryLater(after=60.0, reason="credentials-refused")),
        (HttpReply(503, {}, b""), TryLater(after=None, reason="busy")),
        (HttpReply(500, {}, b""), Unknown(reason="http-500")),
        (HttpReply(200, {}, b"[]"), Unknown(reason="answer-without-id")),
        (HttpReply(200, {}, b"[" * 100_000), Unknown(reason="answer-without-id")),
        (HttpReply(301, {}, b""), TryLater(after=60.0, reason="http-301")),
    ],
)  # fmt: skip
def test_other_answers(reply: HttpReply, outcome: object) -> None:
    assert provider("telnyx").outcome(reply) == outcome


# -- what comes in, in the forms that the providers publish

TELNYX_IN = {
    "data": {
        "event_type": "message.received",
        "id": "b301ed3f-1490-491f-995f-6e64e69674d4",
        "occurred_at": "2026-09-21T14:13:20.000+00:00",
        "payload": {
            "direction": "inbound",
            "from": {"carrier": "C", "line_type": "long_code", "phone_number": ANN},
            "id": "84cca175-9755-4859-b67f-4730d7f58aa3",
            "media": [{"url": "https://media.telnyx.example/1.png", "content_type": "image/png"}],
            "parts": 1,
            "text": "Hello from Telnyx!",
            "to": [{"phone_number": PROXY, "status": "webhook_delivered"}],
            "type": "MMS",
        },
        "record_type": "event",
    },
    "meta": {"attempt": 1, "delivered_to": "https://example.com"},
}
TELNYX_STATUS = {
    "data": {
        "event_type": "message.finalized",
        "id": "4ee8c3a6",
        "payload": {
            "id": "40385f64",
            "from": {"phone_number": PROXY},
            "to": [{"phone_number": BEN, "status": "delivery_failed"}],
            "errors": [{"code": "40001", "title": "Not routable"}],
        },
    }
}
BANDWIDTH_IN = [
    {
        "type": "message-received",
        "time": "2026-09-21T14:13:20Z",
        "description": "Incoming message received",
        "to": PROXY,
        "message": {
            "id": "14762070468292kw2fuqty55yp2b2",
            "owner": PROXY,
            "applicationId": "app",
            "direction": "in",
            "to": [PROXY],
            "from": ANN,
            "text": "Hey",
            "media": ["https://messaging.bandwidth.com/api/v2/users/99/media/1/0/a.png"],
            "segmentCount": 1,
        },
    }
]
BANDWIDTH_MESSAGE: dict[str, Any] = BANDWIDTH_IN[0]["message"]  # type: ignore[assignment]
BANDWIDTH_STATUS = [
    {
        "type": "message-failed",
        "description": "rejected-unallocated-from-number",
        "to": BEN,
        "errorCode": 4720,
        "message": {"id": "14762070468", "from": PROXY, "to": [BEN], "tag": "513"},
    }
]
SINCH_IN = {
    "type": "mo_text",
    "id": "01XXXXX21XXXXX119Z8P1XXXXX",
    "from": "12065550100",
    "to": "19135550199",
    "body": "This is a test message.",
    "received_at": "2026-09-21T14:13:20.721Z",
    "operator_id": "1234",
}
SINCH_MEDIA = SINCH_IN | {
    "type": "mo_media",
    "body": {
        "subject": "s",
        "message": "Look",
        "media": [{"url": "https://m.sinch.example/1", "content_type": "image/jpeg", "code": 0}],
    },
}
SINCH_STATUS = {
    "type": "recipient_delivery_report_sms",
    "batch_id": "01FC66621",
    "recipient": "14015550101",
    "code": 401,
    "status": "Dispatched",
    "at": "2026-09-21T14:13:20.721Z",
    "client_reference": "513",
}
VONAGE_IN = {
    "channel": "sms",
    "message_uuid": "aaaaaaaa-bbbb-4ccc-8ddd-0123456789ab",
    "to": "19135550199",
    "from": "12065550100",
    "timestamp": "2026-09-21T14:13:20Z",
    "text": "Hello from Vonage!",
    "message_type": "text",
    "sms": {"num_messages": "1"},
}
VONAGE_PICTURE = {
    "channel": "mms",
    "message_uuid": "aaaaaaaa-bbbb-4ccc-8ddd-0123456789ac",
    "to": "19135550199",
    "from": "12065550100",
    "message_type": "image",
    "image": {"url": "https://media.vonage.example/1.jpg", "caption": "Look"},
}
VONAGE_STATUS = {
    "message_uuid": "aaaaaaaa-bbbb",
    "to": "14015550101",
    "from": "19135550199",
    "timestamp": "2026-09-21T14:13:20Z",
    "status": "rejected",
    "error": {"type": "https://developer.vonage.com/x#1120", "title": "1120"},
    "client_ref": "513",
    "channel": "sms",
}


def text_of(name: str, content: Any) -> InboundText:
    reading = provider(name).read(callback(name, content))
    (text,) = reading.arrivals
    assert isinstance(text, InboundText)
    assert (text.source, text.destination) == (ANN, PROXY)
    return text


@pytest.mark.parametrize(
    ("name", "content", "message_id", "words", "media"),
    [
        (
            "telnyx", TELNYX_IN, "84cca175-9755-4859-b67f-4730d7f58aa3", "Hello from Telnyx!",
            [("https://media.telnyx.example/1.png", "image/png")],
        ),
        (
            "bandwidth", BANDWIDTH_IN, "14762070468292kw2fuqty55yp2b2", "Hey",
            [("https://messaging.bandwidth.com/api/v2/users/99/media/1/0/a.png", "")],
        ),
        ("sinch", SINCH_IN, "01XXXXX21XXXXX119Z8P1XXXXX", "This is a test message.", []),
        (
            "sinch", SINCH_MEDIA, "01XXXXX21XXXXX119Z8P1XXXXX", "Look",
            [("https://m.sinch.example/1", "image/jpeg")],
        ),
        ("vonage", VONAGE_IN, "aaaaaaaa-bbbb-4ccc-8ddd-0123456789ab", "Hello from Vonage!", []),
        (
            "vonage", VONAGE_PICTURE, "aaaaaaaa-bbbb-4ccc-8ddd-0123456789ac", "Look",
            [("https://media.vonage.example/1.jpg", "")],
        ),
    ],
)  # fmt: skip
def test_a_text_is_read(
    name: str, content: Any, message_id: str, words: str, media: list[tuple[str, str]]
) -> None:
    text = text_of(name, content)
    assert (text.message_id, text.text) == (message_id, words)
    assert [(each.url, each.content_type) for each in text.media] == media


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("telnyx", TELNYX_STATUS, ("40385f64", Reported.UNDELIVERABLE, "40001", None)),
        ("bandwidth", BANDWIDTH_STATUS, ("14762070468", Reported.UNDELIVERABLE, "4720", 513)),
        ("sinch", SINCH_STATUS, ("01FC66621", Reported.ENROUTE, "401", 513)),
        ("vonage", VONAGE_STATUS, ("aaaaaaaa-bbbb", Reported.REJECTED, "1120", 513)),
    ],
)
def test_a_status_is_read_on_whichever_path_it_comes(
    name: str, content: Any, expected: tuple[Any, ...]
) -> None:
    for kind in (MESSAGES, STATUS):
        (receipt,) = provider(name).read(callback(name, content, kind)).arrivals
        assert isinstance(receipt, Receipt)
        found = (receipt.message_id, receipt.state, receipt.error, receipt.reference)
        assert found == expected
        assert receipt.destination == BEN


def test_every_text_of_a_callback_is_read_be_it_beside_one_without_an_id() -> None:
    many = [own_text(str(place)) for place in range(250)]
    reading = provider("bandwidth").read(callback("bandwidth", many))
    assert [text.message_id for text in reading.arrivals] == [str(place) for place in range(250)]
    assert reading.fault == ""
    reading = provider("bandwidth").read(callback("bandwidth", [own_text(""), own_text("1")]))
    assert [text.message_id for text in reading.arrivals] == ["1"]
    assert reading.fault == "a text without an id"


@pytest.mark.parametrize("odd", [{}, {"type": 5}, "odd", 7])
def test_so_it_is_beside_something_of_another_form(odd: Any) -> None:
    reading = provider("bandwidth").read(callback("bandwidth", [odd, own_text("1")]))
    assert [text.message_id for text in reading.arrivals] == ["1"]
    assert reading.fault == "not of the form that the description expects"


def test_so_is_every_status() -> None:
    named, nameless = BANDWIDTH_STATUS[0], {"type": "message-failed", "message": {}}
    reading = provider("bandwidth").read(callback("bandwidth", [nameless, named], STATUS))
    assert [each.message_id for each in reading.arrivals] == ["14762070468"]
    assert reading.fault == "a status without an id"


def test_what_has_no_state_is_no_status_and_not_thanked_for() -> None:
    """So a text that comes to the address of statuses is not lost without a sound."""
    text = {"id": "m1", "from": ANN, "to": PROXY, "text": "Hello"}
    described = {
        "about": "x",
        "request": {"url": "https://a/"},
        "answer": {"message_id": "id"},
        "status": {"message_id": "id", "state": "state", "states": {"sent": "Enroute"}},
        "signature": {"kind": "basic"},
    }
    own = Generic("gen", read(described), values={}, secrets=("cb:word",), callbacks=CALLBACKS)
    reading = own.read(callback("bandwidth", text, STATUS))
    assert reading.arrivals == []
    assert reading.fault == "a status without a state"
    assert own.read(callback("bandwidth", text | {"state": "seen"}, STATUS)).fault == ""


def own_text(message_id: str) -> dict[str, Any]:
    (event,) = BANDWIDTH_IN
    return event | {"message": {**BANDWIDTH_MESSAGE, "id": message_id}}


@pytest.mark.parametrize("name", ["telnyx", "bandwidth", "sinch", "vonage"])
def test_a_text_tells_when_it_was_sent(name: str) -> None:
    content: Any = {
        "telnyx": copy.deepcopy(TELNYX_IN),
        "bandwidth": BANDWIDTH_IN,
        "sinch": SINCH_IN,
        "vonage": VONAGE_IN,
    }[name]
    if name == "telnyx":
        content["data"]["payload"]["received_at"] = "2026-09-21T10:13:20.000-04:00"
    sent_at = text_of(name, content).sent_at
    assert sent_at is not None
    assert sent_at // 1000 * 1000 == NOW


@pytest.mark.parametrize("time", ["", "yesterday", 5, None, [], "9999-99-99T00:00:00Z"])
def test_what_is_no_time_is_none(time: object) -> None:
    assert text_of("vonage", VONAGE_IN | {"timestamp": time}).sent_at is None


@pytest.mark.parametrize(
    ("to", "cc", "to_group"),
    [
        ([PROXY], [], False),
        ([PROXY], None, False),
        ([PROXY], [PROXY, ANN], False),  # all who take part, in one way of telling
        ([PROXY, BEN], [], True),
        ([BEN, PROXY], [], True),
        ([PROXY], [BEN], True),
        ([PROXY], [ANN, PROXY, BEN], True),
    ],
)
def test_a_text_to_a_group_is_known(to: list[str], cc: list[str] | None, to_group: bool) -> None:
    content = copy.deepcopy(TELNYX_IN)
    payload: dict[str, Any] = content["data"]["payload"]  # type: ignore[index, assignment]
    payload["to"] = [{"phone_number": number} for number in to]
    for payload["cc"] in (cc and [{"phone_number": number} for number in cc], cc):
        (text,) = provider("telnyx").read(callback("telnyx", content)).arrivals
        assert isinstance(text, InboundText)
        assert text.to_group is to_group
    message = BANDWIDTH_MESSAGE | {"to": [*to, *(cc or [])]}
    assert text_of("bandwidth", [BANDWIDTH_IN[0] | {"message": message}]).to_group is to_group


def test_pictures_are_not_counted_here() -> None:
    message = BANDWIDTH_MESSAGE | {"media": [f"https://a/{place}" for place in range(12)]}
    text = text_of("bandwidth", [BANDWIDTH_IN[0] | {"message": message}])
    assert len(text.media) == 12


@pytest.mark.parametrize("name", sorted(VALUES))
def test_what_nobody_signed_is_not_read(name: str) -> None:
    content = VONAGE_IN
    body = json.dumps(content).encode()
    wrong: list[dict[str, str]] = [{}, dict.fromkeys(proof(name, body), "x")]
    if name != "bandwidth":  # a password says nothing about the body or the time
        wrong += [proof(name, body + b" ")]
        wrong += [proof(name, body, NOW // 1000 - 301), proof(name, body, NOW // 1000 + 301)]
    for headers in wrong:
        with pytest.raises(NotGenuine):
            provider(name).read(callback(name, content, headers=headers))
    none = Generic("gen", load(name), values=VALUES[name], secrets=(), callbacks=CALLBACKS)
    with pytest.raises(NotGenuine):
        none.read(callback(name, content))


def test_a_token_without_a_signature_is_not_genuine() -> None:
    body = json.dumps(VONAGE_IN).encode()
    claims = {"iat": NOW // 1000, "payload_hash": hashlib.sha256(body).hexdigest()}
    unsigned = jwt.encode(claims, None, "none")
    for token in (unsigned, jwt.encode(claims, SECRET * 2, "HS512"), "a.b.c"):
        given = callback("vonage", VONAGE_IN, headers={"authorization": f"Bearer {token}"})
        with pytest.raises(NotGenuine):
            provider("vonage").read(given)


def test_halves_of_characters_and_zeros_go_no_further() -> None:
    odd = SINCH_IN | {"body": "a\ud83d\ude00b\ud83dc\0d", "id": "1\0\udc00"}
    text = text_of("sinch", odd)
    assert text.text == "a😀b\ufffdcd"
    assert text.message_id == "1\ufffd"


@pytest.mark.parametrize("content", [[], {}, "text", 1, None, [[]], [{"type": "mo_text"}]])
@pytest.mark.parametrize("name", sorted(VALUES))
def test_content_of_another_form_is_no_text(name: str, content: Any) -> None:
    with contextlib.suppress(Unreadable):
        assert provider(name).read(callback(name, content)).arrivals == []


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["type", "data", "payload", "from", "to", "body", "message", "id", "media",
                         "message_uuid", "status", "event_type", "image", "url"]),
        inner, max_size=4,
    ),
    max_leaves=12,
))  # fmt: skip
def test_any_content_is_read_or_refused(content: Any) -> None:
    for name in VALUES:
        try:
            provider(name).read(callback(name, content))
        except Unreadable:
            continue


@given(st.text(max_size=60), st.sampled_from(sorted(VALUES)))
def test_no_text_breaks_out_of_its_place(words: str, name: str) -> None:
    words = words.encode("utf-8", "replace").decode()
    text = Outgoing(
        message_id="m", reference=1, source=PROXY, destination=BEN, text=words, expires_at=NOW
    )
    plain = Outgoing(
        message_id="m", reference=1, source=PROXY, destination=BEN, text="x", expires_at=NOW
    )
    request, usual = (provider(name).request(each, NOW) for each in (text, plain))
    assert (request.url, request.headers) == (usual.url, usual.headers)
    body, expected = json.loads(request.body), json.loads(usual.body)
    place = "body" if name == "sinch" else "text"
    assert body.pop(place) == words
    expected.pop(place)
    assert body == expected


def test_our_key_goes_to_the_providers_own_media_alone() -> None:
    own = "https://messaging.bandwidth.com/api/v2/users/99/media/1"
    assert provider("bandwidth").media_headers(own)["Authorization"].startswith("Basic ")
    assert provider("bandwidth").media_headers("https://elsewhere.example/1") == {}
    there = "https://eu.sms.api.sinch.com/x"
    assert provider("sinch").media_headers(there) == {"Authorization": "Bearer tok"}


# -- a description of one's own

OWN = """
about = "A provider of the old kind"
digits = true
[values]
key = "the key"
[request]
method = "GET"
url = "https://old.example/send?key={key}&from={source_digits}&to={destination_digits}&text={text}"
[answer]
message_id = "id"
accepted = "status == '0'"
error = "status"
busy = ["1"]
reasons = { "6" = "bad-destination" }
[messages]
message_id = "msgid"
source = "msisdn"
destination = "to"
text = "text"
[status]
message_id = "msgid"
state = "status"
states = { delivered = "Delivered" }
[signature]
kind = "hmac-sha256"
header = "X-Signature"
prefix = "sha256="
"""


def own(text: str = OWN) -> Generic:
    return Generic(
        "gen",
        read(tomllib.loads(text)),
        values={"key": "a b&c"},
        secrets=(SECRET,),
        callbacks=CALLBACKS,
    )


def test_a_text_can_go_in_the_query_and_stays_in_its_place() -> None:
    text = Outgoing(
        message_id="m", reference=1, source=PROXY, destination=BEN, text="a&b=c #é +",
        expires_at=NOW, media=PICTURES,
    )  # fmt: skip
    request = own().request(text, NOW)
    assert request.body == b""
    assert request.url == (
        "https://old.example/send?key=a%20b%26c&from=19135550199&to=14015550101"
        "&text=a%26b%3Dc%20%23%C3%A9%20%2B%0Ahttps%3A%2F%2Fsms.example.com%2Fmedia%2Fa"
    )


def test_a_success_can_say_no_by_its_content() -> None:
    def outcome(content: Any) -> object:
        return own().outcome(HttpReply(200, {}, json.dumps(content).encode()))

    assert outcome({"status": "0", "id": 17}) == Accepted(message_ids=("17",))
    assert outcome({"status": "1"}) == TryLater(after=None, reason="throttled")
    assert outcome({"status": "6"}) == Refused(reason="bad-destination", error="6")
    assert outcome({"status": "9"}) == Refused(reason="rejected-by-carrier", error="9")


def test_a_form_is_read_and_the_path_tells_what_it_is() -> None:
    body = b"msgid=1&msisdn=12065550100&to=19135550199&text=H%C3%A9+you"
    code = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    headers = {
        "content-type": "application/x-www-form-urlencoded",
        "x-signature": "sha256=" + code.upper(),
    }
    given = Callback(MESSAGES, "POST", CALLBACKS, "", headers, body, NOW)
    (text,) = own().read(given).arrivals
    assert isinstance(text, InboundText)
    assert (text.source, text.text) == (ANN, "Hé you")
    body = b"msgid=1&status=delivered"
    code = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    given = Callback(STATUS, "POST", CALLBACKS, "", headers | {"x-signature": code}, body, NOW)
    (receipt,) = own().read(given).arrivals
    assert isinstance(receipt, Receipt)


def test_requests_can_be_signed_as_standard_webhooks() -> None:
    secret = "whsec_" + base64.b64encode(bytes(range(24))).decode()
    text = OWN.replace('method = "GET"', "").replace(
        "[answer]",
        'body = { text = "{text}" }\nsignature = { kind = "standard-webhooks" }\n[answer]',
    )
    signing = Generic(
        "gen", read(tomllib.loads(text)), values={"key": "k"}, secrets=(secret,), callbacks="c"
    )
    now = int(datetime.now(UTC).timestamp() * 1000)
    request = signing.request(TEXT, now)
    Webhook(secret).verify(request.body, dict(request.headers))
    assert request.headers["webhook-id"] == TEXT.message_id


@given(st.binary(max_size=60), st.binary(min_size=24, max_size=64), st.text("abc-", min_size=1))
def test_standard_webhooks_are_those_of_the_library(body: bytes, key: bytes, name: str) -> None:
    body = body.hex().encode()
    secret = "whsec_" + base64.b64encode(key).decode()
    at = datetime.fromtimestamp(NOW / 1000, UTC)
    theirs = {
        "webhook-id": name,
        "webhook-timestamp": str(NOW // 1000),
        "webhook-signature": "v1,AAAA " + Webhook(secret).sign(name, at, body.decode()),
    }
    rules = SignatureRules(kind="standard-webhooks")
    other = "whsec_" + base64.b64encode(b"x" * 24).decode()
    given = Signed("", theirs, body, NOW / 1000)
    assert is_genuine(rules, (other, secret), given)
    assert not is_genuine(rules, (other,), given)
    assert not is_genuine(rules, (secret,), Signed("", theirs, body + b" ", NOW / 1000))
    assert not is_genuine(rules, (secret,), Signed("", theirs, body, NOW / 1000 + 301))


@given(
    st.binary(max_size=60),
    st.sampled_from(["{body}", "{timestamp}.{body}", "{url}{timestamp}{nonce}{body}", "x{body}y"]),
    st.sampled_from(["hex", "base64"]),
    st.sampled_from(["", "v1="]),
)
def test_what_we_sign_in_a_plain_header_is_genuine(
    body: bytes, signed: str, encoding: Any, prefix: str
) -> None:
    rules = SignatureRules(
        kind="hmac-sha256", signed=signed, encoding=encoding, prefix=prefix,
        timestamp_header="X-Time", nonce_header="X-Nonce",
    )  # fmt: skip
    given = Signed("https://a/b", {}, body, NOW / 1000)
    headers = {k.lower(): v for k, v in signature_headers(rules, SECRET, "id", given).items()}
    assert is_genuine(rules, ("old", SECRET), Signed("https://a/b", headers, body, NOW / 1000))
    assert not is_genuine(rules, (SECRET,), Signed("https://a/b", headers, body + b"x", NOW / 1000))
    late = Signed("https://a/b", headers, body, NOW / 1000 + 400)
    assert not is_genuine(rules, (SECRET,), late)


@pytest.mark.parametrize("name", shipped())
def test_every_description_that_comes_with_us_is_tested_here(name: str) -> None:
    assert set(load(name).values) == set(VALUES[name])


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("{key}", "{kay}", "{kay} is neither"),
        ("{text}", "{text", "brace"),
        ('url = "https', 'headers = { X = "{text}" }\nurl = "https', "cannot stand in a header"),
        ("\"status == '0'\"", '"status = "', "no JMESPath"),
        ("[answer]", "[answers]", "answers"),
        ('"Delivered"', '"Arrived"', "Arrived"),
        ('kind = "hmac-sha256"', 'kind = "md5"', "md5"),
        ('about = "A provider of the old kind"', "", "about"),
        ('url = "https:', 'url = "ftp:', "request.url: 'ftp://"),
        ('kind = "hmac-sha256"', 'kind = "hmac-sha256"\nsigned = "{url}"', "without {body}"),
        ('kind = "hmac-sha256"', 'kind = "ed25519"\nsigned = "{body}{x}"', "there is no {x}"),
        (
            'kind = "hmac-sha256"',
            'kind = "hmac-sha256"\nsigned = "{timestamp}.{body}"',
            "signature.timestamp_header: missing",
        ),
    ],
)
def test_a_description_is_refused_by_what_is_wrong_with_it(old: str, new: str, words: str) -> None:
    assert old in OWN
    with pytest.raises(BadDescription, match=words):
        read(tomllib.loads(OWN.replace(old, new)))


def test_a_description_that_is_not_there_is_refused(tmp_path: Any) -> None:
    with pytest.raises(BadDescription, match="bandwidth, sinch"):
        load("nobody")
    with pytest.raises(BadDescription):
        load(str(tmp_path / "none.toml"))
    (tmp_path / "bad.toml").write_text("= 1")
    with pytest.raises(BadDescription):
        load(str(tmp_path / "bad.toml"))
    (tmp_path / "own.toml").write_text(OWN)
    assert isinstance(load(str(tmp_path / "own.toml")), description.Description)
