"""Providers described by data: what the four that come with us are sent, and the description of a
fifth. Signatures have libraries of others as their oracles."""

import base64
import hashlib
import hmac
import json
import tomllib
from datetime import UTC, datetime
from typing import Any

import jmespath
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from providers import (
    ANN,
    BEN,
    CALLBACKS,
    NOW,
    PICTURED,
    PICTURES,
    PROXY,
    SECRET,
    TEXT,
    VALUES,
    provider,
)
from standardwebhooks import Webhook

from maskline.courier import HttpReply
from maskline.sms.http import description
from maskline.sms.http.description import BadDescription, load, read, shipped
from maskline.sms.http.generic import Generic
from maskline.sms.http.provider import MESSAGES, STATUS, Callback, NotGenuine
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
        (telnyx_error(402, "20100"), TryLater(after=60.0, reason="payment-required")),
        (HttpReply(503, {}, b""), TryLater(after=None, reason="busy")),
        (HttpReply(500, {}, b""), Unknown(reason="http-500")),
        (HttpReply(200, {}, b"[]"), Unknown(reason="answer-without-id")),
        (HttpReply(200, {}, b"[" * 100_000), Unknown(reason="answer-without-id")),
        (HttpReply(301, {}, b""), TryLater(after=60.0, reason="http-301")),
    ],
)  # fmt: skip
def test_other_answers(reply: HttpReply, outcome: object) -> None:
    assert provider("telnyx").outcome(reply) == outcome


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


@pytest.mark.parametrize(
    ("signed", "counts"), [("{body}", False), ("{url}{body}", True), (None, True)]
)
def test_a_query_counts_only_where_the_proof_speaks_for_it(
    signed: str | None, counts: bool
) -> None:
    query = "msgid=1&msisdn=12065550100&to=19135550199&text=Hello"
    url = f"{CALLBACKS}/{MESSAGES}?{query}"
    if signed is None:
        rules = 'kind = "basic"'
        headers = {"authorization": "Basic " + base64.b64encode(SECRET.encode()).decode()}
    else:
        rules = f'kind = "hmac-sha256"\nsigned = "{signed}"'
        text = signed.format(url=url, body="")
        code = hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).hexdigest()
        headers = {"x-signature": "sha256=" + code}
    given = Callback(MESSAGES, "GET", url, query, headers, b"", NOW)
    reading = own(OWN.replace('kind = "hmac-sha256"', rules))
    if counts:
        assert [text.text for text in reading.read(given).arrivals] == ["Hello"]  # type: ignore[union-attr]
    else:
        with pytest.raises(NotGenuine):
            reading.read(given)


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
