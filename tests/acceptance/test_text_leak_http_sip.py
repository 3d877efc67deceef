"""Nothing of one party in any byte that the other's carrier is sent, over HTTP and SIP, and between
these and SMPP. What each side sends is marked in every place that it has; this test grows, it never
shrinks."""

import io
import re
import urllib.request
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote, unquote

import pytest
from acceptance.service import until
from acceptance.test_leak import encodings
from acceptance.test_text_leak_smpp import Wire, deliver, swapped, with_header
from acceptance.text_stage import (
    BY_GENERIC,
    BY_SIP,
    BY_TWILIO,
    MIXED,
    MIXED_SMPP,
    SMPP_AND_SIP,
    TRUNK_HOST,
    Stage,
    picture,
    staged,
)
from PIL import Image

from maskline.sms import text as sms

# Every parameter that Twilio documents for a webhook of its messages, and some of other products.
FIELDS = (
    *("SmsSid", "SmsMessageSid", "MessagingServiceSid", "ApiVersion", "SmsStatus", "NumSegments"),
    *("FromCity", "FromState", "FromZip", "FromCountry", "ToCity", "ToState", "ToZip", "ToCountry"),
    *("ProfileName", "WaId", "ForwardedFrom", "CallerName", "Forwarded", "FrequentlyForwarded"),
    *("Latitude", "Longitude", "Address", "Label", "ButtonText", "ButtonPayload", "ReferralBody"),
    *("OriginalRepliedMessageSender", "OriginalRepliedMessageSid", "AddOns", "OptOutType"),
    *("ChannelMetadata", "ChannelPrefix", "ErrorMessage", "RawDlrDoneDate", "Anything"),
)
HEADERS = (
    *("User-Agent", "Referer", "Cookie", "X-Forwarded-For", "Forwarded", "From", "Via"),
    *("X-Request-Id", "X-Home-Region", "I-Twilio-Idempotency-Token", "Accept-Language"),
    *("Traceparent", "X-Anything"),
)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    yield from staged(tmp_path_factory.mktemp("textleak"))


def secrets(mark: str, number: str) -> "re.Pattern[bytes]":
    """What must not be found: a side's marks and its number, however they are written."""
    found = [each for text in (mark, number[1:]) for each in encodings(text.encode())]
    return re.compile(b"|".join(map(re.escape, found)))


def marked(mark: str, names: Iterable[str]) -> dict[str, str]:
    return {name: f"{mark}_{name.replace('-', '_')}" for name in names}


def twilio_text(stage: Stage, mark: str, source: str, number: str, sid: str) -> int:
    """A text with a picture, of which everything but the words is marked."""
    path = f"/{mark}_path/ME1"
    stage.twilio.media[path] = ("image/jpeg", picture(mark))
    stage.twilio.headers = marked(mark, HEADERS)
    more = marked(mark, FIELDS) | {
        "NumMedia": "1",
        "MediaUrl0": f"{stage.twilio.url}{path}",
        "MediaContentType0": f"image/jpeg; name={mark}_file.jpg",
    }
    return stage.by_twilio(source, number, "words", f"{mark}{sid}", **more)


def generic_text(stage: Stage, mark: str, source: str, number: str, sid: str) -> int:
    path = f"/{mark}_path/G1"
    stage.twilio.media[path] = ("image/jpeg", picture(mark))
    deep: dict[str, Any] = {"name": f"{mark}_name", "list": [f"{mark}_item"]}
    content = {
        "type": "in", "id": f"{mark}{sid}", "from": source, "to": number, "text": "words",
        "pictures": [{"url": stage.twilio.url + path, **deep}], **deep, f"{mark}_key": deep,
    }  # fmt: skip
    return stage.by_generic("messages", content, **marked(mark, HEADERS))


def answered_with_marks(stage: Stage, mark: str) -> None:
    """What the next request is answered with tells of who was reached."""
    content = marked(mark, ["uri", "error_message", "price", "account_sid"])
    content |= {"sid": f"SM{mark}", "status": "queued", "num_segments": "1"}
    stage.twilio.answers += [(201, content, marked(mark, ["Server", "X-Request-Id", "Location"]))]


def requests_for(stage: Stage, number: str) -> list[bytes]:
    """The requests by which the provider was to send something to somebody."""
    to = f"To=%2B{number[1:]}".encode()
    return [each for each in stage.twilio.asked if each.startswith(b"POST") and to in each]


def shown_pictures(request: bytes) -> list[bytes]:
    links = re.findall(rb"http[^&\s]*?(?:/|%2F)media(?:/|%2F)[\w-]+", request)
    urls = [unquote(link.decode()) for link in links]
    contents = []
    for url in urls:
        with urllib.request.urlopen(url) as answer:
            contents.append(str(answer.headers).encode() + answer.read())
    return contents


def test_the_marks_are_in_what_is_sent(stage: Stage) -> None:
    """A leak test that could not fail would prove nothing."""
    search = secrets("SECA", "+12065550100")
    assert search.search(picture("SECA"))
    assert search.search(quote("+12065550100", safe="").encode())
    assert len(Image.open(io.BytesIO(picture("SECA"))).getexif()) > 1
    assert search_smpp("SECA", "+1", deliver("+12065550100", b"words", b"SECA"))
    for octets in (b"12065550100", "12065550100".encode("utf-16-be"), swapped("+12065550100")):
        assert search_smpp("SECA", "+12065550100", octets)


@pytest.mark.parametrize("over", ["tw", "gen"])
def test_nothing_of_the_sender_reaches_the_other_side_over_http(stage: Stage, over: str) -> None:
    ann, ben = stage.person(), stage.person()
    number = {"tw": BY_TWILIO, "gen": BY_GENERIC}[over]
    text = {"tw": twilio_text, "gen": generic_text}[over]
    stage.session(over, ann, ben)
    answered_with_marks(stage, "SECB")
    assert text(stage, "SECA", ann, number, "there") == 200
    until(lambda: stage.record(ann)["State"] == "Accepted", 30)
    (request,) = requests_for(stage, ben)
    (shown,) = shown_pictures(request)
    assert not secrets("SECA", ann).search(request + shown)
    assert b"words" in request
    report_with_marks(stage, over, ben, number)
    until(lambda: stage.record(ann)["State"] == "Delivered", 30)
    assert text(stage, "SECB", ben, number, "back") == 200
    until(lambda: requests_for(stage, ann), 30)
    (request,) = requests_for(stage, ann)  # and nothing came of the receipt
    (shown,) = shown_pictures(request)
    assert not secrets("SECB", ben).search(request + shown)


def report_with_marks(stage: Stage, over: str, ben: str, number: str) -> None:
    if over == "gen":
        report = {"type": "report", "id": "SMSECB", "state": "done", "name": "SECB_name"}
        assert stage.by_generic("status", report, **marked("SECB", HEADERS)) == 200
        return
    fields = marked("SECB", FIELDS) | {
        "MessageSid": "SMSECB", "MessageStatus": "delivered", "From": number, "To": ben
    }  # fmt: skip
    url = f"{stage.service.url}/carriers/tw/status"
    assert stage.twilio.deliver(url, fields)[0] == 204


def test_nothing_of_either_side_reaches_the_other_over_sip(stage: Stage) -> None:
    ann, ben = stage.person(), stage.person()
    stage.session("trunk", ann, ben)
    stage.trunk.said.clear()
    assert stage.trunk.send(ann, BY_SIP, b"words", name="leak", mark="SECA") == 202
    sent = stage.trunk_sent(ben)
    until(lambda: stage.record(ann)["State"] == "Accepted", 30)
    assert not secrets("SECA", ann).search(sent)
    assert TRUNK_HOST.encode() in sent  # the receiver's own address, and no other's
    for refusal in (480, 404, 603):  # what the other side answers, in all that it says
        stage.trunk.answers += [refusal, 202]
        assert stage.trunk.send(ann, BY_SIP, b"words", name=f"leak{refusal}", mark="SECA") == 202
    until(lambda: len([m for m in stage.trunk.taken if ben.encode() in m[:60]]) > 4, 60)
    told = b"".join(each for each in stage.trunk.said if each.startswith(b"SIP/2.0"))
    asked = b"".join(each for each in stage.trunk.said if each.startswith(b"MESSAGE"))
    assert told.count(b"SIP/2.0 202") >= 4
    assert not secrets("SECB", ben).search(told)
    assert not secrets("SECA", ann).search(asked)


def test_nothing_of_either_side_reaches_the_other_from_http_to_sip_and_back(stage: Stage) -> None:
    ann, ben, cat, dan = (stage.person() for _ in range(4))
    stage.session("both", ann, cat)
    stage.session("both", ben, dan)
    proxies = stage.session("both", ann, ben)
    by_http = next(who for who in proxies if proxies[who] == MIXED["tw"])
    by_sip = next(who for who in proxies if who != by_http)
    assert twilio_text(stage, "SECA", by_http, MIXED["tw"], "cross") == 200
    sent = stage.trunk_sent(by_sip)
    (shown,) = shown_pictures(sent)
    assert not secrets("SECA", by_http).search(sent + shown)
    answered_with_marks(stage, "SECA")
    assert stage.trunk.send(by_sip, MIXED["trunk"], b"words", name="x", mark="SECB") == 202
    until(lambda: requests_for(stage, by_http), 30)
    (request,) = requests_for(stage, by_http)
    assert not secrets("SECB", by_sip).search(request)
    assert TRUNK_HOST.encode() not in request


REPORT = b"id:%b sub:001 dlvrd:001 submit date:2611250812 done date:2611250813 stat:DELIVRD err:000"


@pytest.fixture
def wire(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Wire:
    """All that the SMSC is sent. What it says of its own accord is marked, too."""
    monkeypatch.setattr(stage.smsc.manners, "receipts", False)
    monkeypatch.setattr(stage.smsc.manners, "answer_id", "SECB_id{:x}".format)
    return Wire(monkeypatch)


def strangers(stage: Stage, connector: str, numbers: dict[str, str]) -> tuple[str, str]:
    """Two who have a session, the first by the SMSC: each has a proxy number of their own."""
    ann, ben, cat, dan = (stage.person() for _ in range(4))
    stage.session(connector, ann, cat)
    stage.session(connector, ben, dan)
    proxies = stage.session(connector, ann, ben)
    by_smpp = next(who for who in proxies if proxies[who] == numbers["smsc"])
    return by_smpp, ann if by_smpp == ben else ben


def by_smpp_with_marks(stage: Stage, mark: bytes, source: str, number: str) -> None:
    header = with_header(b"words", mark)
    stage.put_to_us(deliver(source, header, mark, 0x40, number))


def report_over_smpp(stage: Stage, by_smpp: str, other: str, number: str) -> str:
    """The SMSC, which calls the text by a marked id, tells of it with marks in every field. What
    the text says."""
    (taken,) = (each for each in stage.smsc.taken if each.destination == by_smpp[1:])
    report = REPORT % taken.message_id.encode() + b" text:SECB_text"
    stage.put_to_us(deliver(by_smpp, report, b"SECB", 0x04, number))
    until(lambda: stage.record(other)["State"] == "Delivered", 30)
    return sms.read(taken.octets, "gsm")


def search_smpp(mark: str, number: str, octets: bytes) -> bool:
    wide = number[1:].encode("utf-16-be")
    written = [wide, swapped(number), mark.encode("utf-16-be")]
    return bool(secrets(mark, number).search(octets) or any(each in octets for each in written))


def test_nothing_of_either_side_reaches_the_other_from_smpp_to_http_and_back(
    stage: Stage, wire: Wire
) -> None:
    by_smpp, by_http = strangers(stage, "smpp", MIXED_SMPP)
    answered_with_marks(stage, "SECA")
    by_smpp_with_marks(stage, b"SECB", by_smpp, MIXED_SMPP["smsc"])
    until(lambda: requests_for(stage, by_http), 30)
    (request,) = requests_for(stage, by_http)
    assert b"words" in request
    assert not search_smpp("SECB", by_smpp, request)

    assert twilio_text(stage, "SECA", by_http, MIXED_SMPP["tw"], "smpp") == 200
    until(lambda: stage.record(by_http)["State"] == "Accepted", 30)
    words = report_over_smpp(stage, by_smpp, by_http, MIXED_SMPP["smsc"])
    octets = bytes(wire.octets)
    assert b"words" in octets
    (shown,) = shown_pictures(words.encode())
    assert not search_smpp("SECA", by_http, octets + shown)
    assert len(requests_for(stage, by_http)) == 1  # and nothing came of the receipt


def test_nothing_of_either_side_reaches_the_other_from_smpp_to_sip_and_back(
    stage: Stage, wire: Wire
) -> None:
    by_smpp, by_sip = strangers(stage, "smpp and sip", SMPP_AND_SIP)
    stage.trunk.said.clear()
    by_smpp_with_marks(stage, b"SECB", by_smpp, SMPP_AND_SIP["smsc"])
    assert b"words" in stage.trunk_sent(by_sip)
    status = stage.trunk.send(by_sip, SMPP_AND_SIP["trunk"], b"words", name="smpp", mark="SECA")
    assert status == 202
    until(lambda: stage.record(by_sip)["State"] == "Accepted", 30)
    report_over_smpp(stage, by_smpp, by_sip, SMPP_AND_SIP["smsc"])
    said = [each for each in stage.trunk.said if b"SECA" not in each.partition(b"\r\n")[0]]
    asked = b"".join(each for each in said if each.startswith(b"MESSAGE"))
    assert not search_smpp("SECB", by_smpp, b"".join(said))
    assert TRUNK_HOST.encode() in asked
    octets = bytes(wire.octets)
    assert b"words" in octets
    assert not search_smpp("SECA", by_sip, octets)
    assert TRUNK_HOST.encode() not in octets


def test_nothing_of_anybody_is_in_the_log(stage: Stage) -> None:
    ann, ben = stage.person(), stage.person()
    stage.session("tw", ann, ben)
    assert twilio_text(stage, "SECA", ann, BY_TWILIO, "logged") == 200
    until(lambda: "callback" in stage.service.log)
    log = stage.service.log.encode() + stage.service.output.encode()
    assert not re.search(rb"SEC[AB]|\+?1206555\d{4}", log)
