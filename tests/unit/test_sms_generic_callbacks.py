"""What providers that are described by data send us, in the forms that they publish."""

import base64
import contextlib
import copy
import hashlib
import json
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from providers import (
    ANN,
    BEN,
    CALLBACKS,
    NOW,
    PROXY,
    SECRET,
    VALUES,
    callback,
    proof,
    provider,
)

from maskline.domain.message import Reported
from maskline.sms.http.description import load, read
from maskline.sms.http.generic import Generic
from maskline.sms.http.provider import MESSAGES, STATUS, NotGenuine, Unreadable
from maskline.sms.http.signatures import SignatureRules, Signed, is_genuine
from maskline.sms.port import InboundText, Receipt

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


@pytest.mark.parametrize(
    "time", [NOW // 1000, str(NOW // 1000), NOW, str(NOW), "2026-09-21T14:13:20+0000"]
)
def test_times_are_known_in_the_forms_that_providers_have(time: object) -> None:
    assert text_of("vonage", VONAGE_IN | {"timestamp": time}).sent_at == NOW


@pytest.mark.parametrize(
    "time", ["", "yesterday", 5, None, [], "9999-99-99T00:00:00Z", 1.5, "١٧٩٠٠٠٠٠٠٠"]
)
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
