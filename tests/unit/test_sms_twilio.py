"""Twilio's API: what is asked, how answers read, whose callbacks count. The oracle of signatures is
Twilio's own validator."""

import hashlib
import json
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator

from maskline.courier import HttpReply
from maskline.domain.message import Encoding, Reported
from maskline.sms.http.provider import MESSAGES, STATUS, Callback, NotGenuine, Unreadable
from maskline.sms.http.twilio import Account, Twilio, signature
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

TOKEN, OLD_TOKEN, SID = "12345", "54321", "AC00000000000000000000000000000001"
CALLBACKS = "https://sms.example.com/carriers/tw"
NOW = 1_790_000_000_000
TEXT = Outgoing(
    message_id="m1",
    reference=513,
    source="+19135550199",
    destination="+14015550101",
    text="Grüße & 100% 😀",
    expires_at=NOW + 3_600_000,
)


def provider(**more: Any) -> Twilio:
    account = Account(
        base_url="https://api.twilio.com",
        account_sid=SID,
        auth_tokens=(TOKEN, OLD_TOKEN),
        **more,
    )
    return Twilio("tw", account, CALLBACKS)


def callback(
    fields: dict[str, str],
    kind: str = MESSAGES,
    query: str = "",
    signed: str | None = None,
    token: str = TOKEN,
    **headers: str,
) -> Callback:
    url = f"{CALLBACKS}/{kind}" + (f"?{query}" if query else "")
    right = RequestValidator(token).compute_signature(url, fields)
    return Callback(
        kind=kind,
        method="POST",
        url=url,
        query=query,
        headers={
            "content-type": "application/x-www-form-urlencoded; charset=UTF-8",
            "x-twilio-signature": right if signed is None else signed,
            **headers,
        },
        body=urlencode(fields).encode(),
        received_at=NOW,
    )


BEN = "+14015550101"
INBOUND = {
    "MessageSid": "SM1", "AccountSid": SID, "From": "+12065550100", "To": "+19135550199",
    "Body": "Hällo\n& goodbye =", "NumMedia": "0", "FromCity": "SEATTLE", "Empty": "",
}  # fmt: skip


# -- sending


def test_a_text_is_asked_for_in_a_form() -> None:
    request = provider().request(TEXT, NOW)
    assert request.method == "POST"
    assert request.url == f"https://api.twilio.com/2010-04-01/Accounts/{SID}/Messages.json"
    assert dict(parse_qsl(request.body.decode())) == {
        "To": "+14015550101",
        "From": "+19135550199",
        "Body": TEXT.text,
        "StatusCallback": f"{CALLBACKS}/status?reference=513",
        "ValidityPeriod": "3600",
    }
    assert request.headers["Authorization"] == "Basic " + (
        "QUMwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMToxMjM0NQ=="
    )


def test_pictures_and_a_service_are_named() -> None:
    media = (Media(url="https://sms.example.com/media/a", content_type="image/png"),)
    text = Outgoing(
        message_id="m", reference=1, source="+1", destination="+2", text="", expires_at=0,
        media=media,
    )  # fmt: skip
    fields = parse_qs(provider(messaging_service_sid="MG1").request(text, NOW).body.decode())
    assert fields["MediaUrl"] == ["https://sms.example.com/media/a"]
    assert fields["MessagingServiceSid"] == ["MG1"]
    assert fields["ValidityPeriod"] == ["1"]
    assert "Body" not in fields


def reply(status: int, content: object = None, **headers: str) -> HttpReply:
    return HttpReply(status, headers, json.dumps(content).encode())


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (
            reply(201, {"sid": "SM2", "status": "queued", "num_segments": "3"}),
            Accepted(message_ids=("SM2",), segments=3),
        ),
        (
            reply(201, {"sid": "SM2", "status": "accepted", "num_segments": "0"}),
            Accepted(message_ids=("SM2",), segments=1),
        ),
        (
            reply(201, {"sid": "SM2", "status": "failed", "error_code": 30007}),
            Refused(reason="filtered", error="30007"),
        ),
        (reply(200, {}), Unknown(reason="answer-without-id")),
        (reply(200, [1]), Unknown(reason="answer-without-id")),
        (HttpReply(200, {}, b"\xff<html>"), Unknown(reason="answer-without-id")),
        (HttpReply(200, {}, b"[" * 100_000), Unknown(reason="answer-without-id")),
        (
            reply(429, {"code": 20429}, **{"retry-after": "7"}),
            TryLater(after=7.0, reason="throttled"),
        ),
        (
            reply(429, None, **{"retry-after": "Wed, 25 Nov 2026 08:00:00 GMT"}),
            TryLater(after=None, reason="throttled"),
        ),
        (reply(400, {"code": 21611}), TryLater(after=None, reason="throttled")),
        (reply(400, {"code": 21610}), Refused(reason="opted-out", error="21610")),
        (reply(400, {"code": 21211}), Refused(reason="bad-destination", error="21211")),
        (reply(400, {"code": 21606}), Refused(reason="bad-source", error="21606")),
        (reply(400, {"code": 99999}), Refused(reason="rejected-by-carrier", error="99999")),
        (reply(422), Refused(reason="rejected-by-carrier", error="422")),
        (reply(401, {"code": 20003}), TryLater(after=60.0, reason="credentials-refused")),
        (reply(403, {"code": 20003}), TryLater(after=60.0, reason="credentials-refused")),
        (reply(404, {"code": 20404}), TryLater(after=60.0, reason="credentials-refused")),
        (reply(503, None, **{"retry-after": "30"}), TryLater(after=30.0, reason="busy")),
        (reply(201, {"sid": "SM\0\udc00"}), Accepted(message_ids=("SM\ufffd",))),
        (
            reply(201, {"sid": "SM2", "status": "failed", "error_code": "3\0\ud83d"}),
            Refused(reason="rejected-by-carrier", error="3\ufffd"),
        ),
        (
            reply(400, {"code": "9\0\ud83d"}),
            Refused(reason="rejected-by-carrier", error="9\ufffd"),
        ),
        (reply(400, {"code": {"a": 1}}), Refused(reason="rejected-by-carrier", error="400")),
        (reply(500), Unknown(reason="http-500")),
        (reply(504), Unknown(reason="http-504")),
        (reply(302), TryLater(after=60.0, reason="http-302")),
    ],
)
def test_an_answer_says_what_became_of_the_text(answer: HttpReply, outcome: object) -> None:
    assert provider().outcome(answer) == outcome


# -- callbacks


def test_a_text_is_read_from_a_callback() -> None:
    reading = provider().read(callback(INBOUND))
    assert reading.arrivals == [
        InboundText(
            carrier="tw",
            source="+12065550100",
            destination="+19135550199",
            text="Hällo\n& goodbye =",
            encoding=Encoding.UTF8,
            received_at=NOW,
            message_id="SM1",
        )
    ]
    assert reading.thanks.status == 200
    assert reading.thanks.body.endswith(b"<Response></Response>")


def test_a_text_to_a_group_is_known() -> None:
    for fields, to_group in (({}, False), ({"OtherRecipients0": BEN}, True)):
        (text,) = provider().read(callback(INBOUND | fields)).arrivals
        assert isinstance(text, InboundText)
        assert text.to_group is to_group


def test_pictures_are_read_from_a_callback() -> None:
    fields = INBOUND | {
        "NumMedia": "2",
        "MediaUrl0": "https://api.twilio.com/a", "MediaContentType0": "image/jpeg",
        "MediaUrl1": "https://api.twilio.com/b", "MediaContentType1": "image/gif",
        "MediaUrl2": "https://api.twilio.com/c",
    }  # fmt: skip
    (text,) = provider().read(callback(fields)).arrivals
    assert isinstance(text, InboundText)
    assert [(m.url, m.content_type) for m in text.media] == [
        ("https://api.twilio.com/a", "image/jpeg"),
        ("https://api.twilio.com/b", "image/gif"),
    ]


def test_no_picture_of_a_callback_is_left_out() -> None:
    fields = INBOUND | {"NumMedia": "12"} | {f"MediaUrl{n}": f"https://a/{n}" for n in range(12)}
    (text,) = provider().read(callback(fields)).arrivals
    assert isinstance(text, InboundText)
    assert len(text.media) == 12


@pytest.mark.parametrize("count", ["-1", "x", "", "1e3", "99999999999999999999", "9" * 5000])
def test_a_count_of_pictures_is_not_believed(count: str) -> None:
    (text,) = provider().read(callback(INBOUND | {"NumMedia": count})).arrivals
    assert isinstance(text, InboundText)
    assert text.media == ()


@pytest.mark.parametrize(
    ("status", "code", "state"),
    [
        ("queued", "", Reported.ENROUTE),
        ("sent", "", Reported.ENROUTE),
        ("delivered", "0", Reported.DELIVERED),
        ("undelivered", "30003", Reported.UNDELIVERABLE),
        ("failed", "30008", Reported.REJECTED),
        ("failed", "30036", Reported.EXPIRED),
        ("canceled", "", Reported.DELETED),
    ],
)
def test_a_status_is_read_from_a_callback(status: str, code: str, state: Reported) -> None:
    fields = {
        "MessageSid": "SM2", "MessageStatus": status, "ErrorCode": code,
        "From": "+19135550199", "To": "+14015550101",
    }  # fmt: skip
    reading = provider().read(callback(fields, STATUS, "reference=513"))
    assert reading.arrivals == [
        Receipt(
            carrier="tw",
            message_id="SM2",
            state=state,
            at=NOW,
            error=code if code not in ("", "0") else None,
            source="+19135550199",
            destination="+14015550101",
            reference=513,
            whole_up_to=1600,
        )
    ]
    assert reading.thanks.status == 204


@pytest.mark.parametrize("status", [{"SmsStatus": "received"}, {}])
def test_a_text_is_one_also_where_a_status_should_come(status: dict[str, str]) -> None:
    reading = provider().read(callback(INBOUND | status, STATUS))
    assert reading == provider().read(callback(INBOUND | status))
    assert isinstance(reading.arrivals[0], InboundText)


@pytest.mark.parametrize("more", [{}, {"Body": "Hello"}])
def test_a_status_is_one_also_where_a_text_should_come(more: dict[str, str]) -> None:
    fields = {"MessageSid": "SM2", "MessageStatus": "delivered", "From": "+1", "To": "+2", **more}
    (receipt,) = provider().read(callback(fields, STATUS)).arrivals
    assert isinstance(receipt, Receipt)
    (there,) = provider().read(callback(fields, MESSAGES)).arrivals
    assert isinstance(there, InboundText if more else Receipt)


@pytest.mark.parametrize("status", ["received", "receiving", "", "nonsense"])
def test_a_status_that_says_nothing_is_thanked_for(status: str) -> None:
    fields = {"MessageSid": "SM2", "MessageStatus": status}
    assert provider().read(callback(fields, STATUS)).arrivals == []


def test_a_callback_without_an_id_is_unreadable() -> None:
    with pytest.raises(Unreadable):
        provider().read(callback({"From": "+12065550100"}))
    many = {f"f{place}": "" for place in range(600)}
    with pytest.raises(Unreadable):
        provider().read(callback(many))


# -- signatures


def test_each_token_in_use_may_have_signed() -> None:
    provider().read(callback(INBOUND, token=OLD_TOKEN))
    with pytest.raises(NotGenuine):
        provider().read(callback(INBOUND, token="another"))


@pytest.mark.parametrize("signed", ["", "x", "é", "AAAAAAAAAAAAAAAAAAAAAAAAAAA="])
def test_another_signature_is_not_genuine(signed: str) -> None:
    with pytest.raises(NotGenuine):
        provider().read(callback(INBOUND, signed=signed))


def test_little_is_read_before_the_signature_is_known_to_be_right(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Fields of a query are read once it is; those of a form, which are signed, if they are few."""

    def fail(*_: Any, **__: Any) -> None:
        raise AssertionError("fields were read")

    monkeypatch.setattr("maskline.sms.http.twilio.parse_qsl", fail)
    monkeypatch.setattr("maskline.sms.http.twilio.parse_qs", fail)
    with pytest.raises(NotGenuine):
        provider().read(callback(INBOUND, signed=""))
    forged = callback(INBOUND, query="a=b&" * 9_000, signed="x" * 28)
    with pytest.raises(NotGenuine):
        provider().read(
            replace(forged, headers=forged.headers | {"content-type": "application/json"})
        )
    with pytest.raises(Unreadable, match="bytes"):
        provider().read(replace(forged, body=b"Body=" + b"%41" * 20_000))
    settings = {"x-twilio-webhooks-signature-settings": "," * 60_000}
    with pytest.raises(NotGenuine):
        provider().read(
            replace(
                forged,
                body=b"",
                query="",
                headers={**forged.headers, **settings, "content-type": ""},
            )
        )


def test_the_longest_text_is_not_too_long_a_form() -> None:
    fields = INBOUND | {"Body": "\N{THUMBS UP SIGN}" * 1600, "NumMedia": "10"}
    fields |= {f"MediaUrl{n}": "https://api.twilio.com/" + "x" * 180 for n in range(10)}
    (text,) = provider().read(callback(fields)).arrivals
    assert isinstance(text, InboundText)
    assert len(text.text) == 1600


def test_whatever_was_changed_on_the_way_is_noticed() -> None:
    right = callback(INBOUND).headers["x-twilio-signature"]
    for fields in (INBOUND | {"Body": "other"}, INBOUND | {"More": "1"}, {"MessageSid": "SM1"}):
        with pytest.raises(NotGenuine):
            provider().read(callback(fields, signed=right))
    with pytest.raises(NotGenuine):
        provider().read(callback(INBOUND, query="a=b", signed=right))
    with pytest.raises(NotGenuine):
        provider().read(callback(INBOUND, kind=STATUS, signed=right))


def test_the_newer_algorithm_is_known_and_an_unknown_one_is_not_genuine() -> None:
    url = f"{CALLBACKS}/messages"
    right = RequestValidator(TOKEN).compute_signature(url, INBOUND, "HMAC_SHA256")
    named = {"x-twilio-webhooks-signature-settings": "key=k,algorithm=HMAC_SHA256"}
    assert provider().read(callback(INBOUND, signed=right, **named)).arrivals
    with pytest.raises(NotGenuine):
        provider().read(callback(INBOUND, signed=right))
    named = {"x-twilio-webhooks-signature-settings": "algorithm=MD5"}
    with pytest.raises(NotGenuine):
        provider().read(callback(INBOUND, **named))


def in_json(fields: dict[str, str], body_hash: str | None = None) -> Callback:
    body = json.dumps(fields).encode()
    query = "bodySHA256=" + (body_hash or hashlib.sha256(body).hexdigest())
    url = f"{CALLBACKS}/messages?{query}"
    right = RequestValidator(TOKEN).compute_signature(url, {})
    assert body_hash or RequestValidator(TOKEN).validate(url, body.decode(), right)
    headers = {"content-type": "application/json", "x-twilio-signature": right}
    return Callback(MESSAGES, "POST", url, query, headers, body, NOW)


def test_a_callback_in_json_is_held_by_the_hash_in_its_url() -> None:
    (text,) = provider().read(in_json(INBOUND)).arrivals
    assert isinstance(text, InboundText)
    assert text.text == INBOUND["Body"]
    with pytest.raises(NotGenuine):
        provider().read(in_json(INBOUND, body_hash="0" * 64))


def test_halves_of_characters_go_no_further() -> None:
    (text,) = provider().read(in_json(INBOUND | {"Body": "a\ud83db\0"})).arrivals
    assert isinstance(text, InboundText)
    assert text.text == "a\ufffdb"


def test_a_form_is_never_held_by_the_hash_alone() -> None:
    """Else whoever saw one signed URL could put any form below it."""
    signed = in_json(INBOUND)
    headers = {**signed.headers, "content-type": "application/x-www-form-urlencoded"}
    body = urlencode(INBOUND).encode()
    forged = Callback(MESSAGES, "POST", signed.url, signed.query, headers, body, NOW)
    with pytest.raises(NotGenuine):
        provider().read(forged)


def test_a_callback_by_get_has_its_fields_in_the_url() -> None:
    query = urlencode(INBOUND)
    url = f"{CALLBACKS}/messages?{query}"
    right = RequestValidator(TOKEN).compute_signature(url, {})
    headers = {"x-twilio-signature": right}
    (text,) = provider().read(Callback(MESSAGES, "GET", url, query, headers, b"", NOW)).arrivals
    assert isinstance(text, InboundText)
    assert text.source == "+12065550100"


@given(
    fields=st.dictionaries(st.text(min_size=1, max_size=20), st.text(max_size=50), max_size=8),
    token=st.text(min_size=1, max_size=40),
    path=st.sampled_from(["", "/", "/a?b=c", "/a%2Bb?x=%20"]),
    port=st.sampled_from(["", ":443", ":8443"]),
    algorithm=st.sampled_from(["HMAC_SHA1", "HMAC_SHA256"]),
)
def test_signatures_are_those_of_twilio(
    fields: dict[str, str], token: str, path: str, port: str, algorithm: str
) -> None:
    url = f"https://sms.example.com{port}{path}"
    ours = signature(token, url, {name: [value] for name, value in fields.items()}, algorithm)
    assert ours == RequestValidator(token).compute_signature(url, fields, algorithm)
    assert RequestValidator(token).validate(url, fields, ours, algorithm)


@given(port=st.sampled_from(["", ":443", ":8443"]), signed_port=st.booleans())
def test_a_url_may_be_signed_with_its_port_or_without(port: str, signed_port: bool) -> None:
    own = f"https://sms.example.com{port}/carriers/tw"
    account = Account(base_url="https://api.twilio.com", account_sid=SID, auth_tokens=(TOKEN,))
    bare = urlsplit(f"{own}/messages")
    host = f"sms.example.com{port or ':443'}" if signed_port else "sms.example.com"
    right = RequestValidator(TOKEN).compute_signature(bare._replace(netloc=host).geturl(), INBOUND)
    headers = {
        "content-type": "application/x-www-form-urlencoded",
        "x-twilio-signature": right,
    }
    body = urlencode(INBOUND).encode()
    called = Callback(MESSAGES, "POST", f"{own}/messages", "", headers, body, NOW)
    assert Twilio("tw", account, own).read(called).arrivals


def test_our_key_goes_to_the_providers_own_media_alone() -> None:
    own = provider().media_headers(f"https://api.twilio.com/2010-04-01/Accounts/{SID}/Media/ME1")
    assert own["Authorization"].startswith("Basic ")
    for url in ("https://api.twilio.com.evil.example/", "http://api.twilio.com/", "https://x/"):
        assert provider().media_headers(url) == {}
