"""Nothing of one party in any byte that the other's carrier is sent, over HTTP and SIP. What each
side sends is marked in every place that it has; this test grows, it never shrinks."""

import io
import re
import urllib.request
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote, unquote

import pytest
from acceptance.service import until
from acceptance.test_leak import encodings
from acceptance.text_stage import (
    BY_GENERIC,
    BY_SIP,
    BY_TWILIO,
    MIXED,
    TRUNK_HOST,
    Stage,
    picture,
    staged,
)
from PIL import Image

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


def test_nothing_of_anybody_is_in_the_log(stage: Stage) -> None:
    log = stage.service.log.encode() + stage.service.output.encode()
    assert b"callback" in log
    assert not re.search(rb"SEC[AB]|\+?1206555\d{4}", log)
