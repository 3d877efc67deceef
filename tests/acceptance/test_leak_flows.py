"""Nothing of one party in any byte to the other, in the turns that a call can take besides the
usual ones: reliable ringing, late offers, forks, repeats, refreshed timers, a late CANCEL."""

import os
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from acceptance.lines import Line
from acceptance.peers import header
from acceptance.plain_phone import ALICE, BOB, SDP, Phone, forked, from_called, within
from acceptance.service import PATIENCE, Service, free_port, running, until
from acceptance.test_leak import open_session
from authority import Authority, Pair
from secrets_told import search_for

FORGOTTEN_SECONDS = 11
PRIVATE = ("User-Agent", "Server", "Subject", "Reason", "Warning", "P-Asserted-Identity", "X-Any")
CONNECTION = re.compile(r"^Via: .*;i=")  # by whose number one caller's calls could be told
KEYS = {"S1CA8": "5A:C3:7E", "S1CB9": "4B:D2:69"}  # what the prints of their keys repeat
SECRETS = {
    "A": [b"S1CA8", ALICE[1:].encode(), KEYS["S1CA8"].encode()],
    "B": [b"S1CB9", BOB[1:].encode(), KEYS["S1CB9"].encode()],
}


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Pair, Pair]:
    """Our certificate and the phones'."""
    authority = Authority(tmp_path_factory.mktemp("authority"))
    return authority.issue("us", "127.0.0.1"), authority.issue("them", "127.0.0.1")


@pytest.fixture(scope="module", params=["udp"])
def masked(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    pairs: tuple[Pair, Pair],
) -> Iterator[Service]:
    us, _ = pairs
    choices = {"transport": request.param}
    if request.param == "tls":
        choices |= {
            "listen": (f"tls:127.0.0.1:{free_port()}",),
            "sip_settings": us.for_sip,
            "carrier_settings": f'probe_seconds = 0\n[carriers.sip.tls]\nca = "{us.ca}"',
        }
    elif request.param in SOUND:
        choices = {"transport": "udp", "carrier_settings": f'srtp = "{SOUND[request.param]}"'}
    folder = tmp_path_factory.mktemp("flows")
    for service in running(folder, **choices):
        open_session(service)
        yield service


SOUND = {"srtp": "optional", "browsers": "dtls"}
# What differs between transports is few: these turns are taken over each, and by browsers.
over_each = pytest.mark.parametrize("masked", ["udp", "tcp", "tls", "browsers"], indirect=True)


class Marked(Phone):
    """A phone that marks what it says and keeps what it hears."""

    def __init__(
        self, service: Service, side: str, pairs: tuple[Pair, Pair], port: int = 0
    ) -> None:
        self.transport = service.transport
        self.browser = "dtls" in service.carrier_settings
        super().__init__(service, port if self.transport == "udp" else 0)
        self.line = None
        if self.transport != "udp":
            self.line = self._line(service, pairs, port or free_port())
        self.mark = {"A": "S1CA8", "B": "S1CB9"}[side]
        self.forbidden = search_for(SECRETS["B" if side == "A" else "A"])
        self.places = 0
        self.began = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def _line(self, service: Service, pairs: tuple[Pair, Pair], port: int) -> Line:
        """Over TCP or TLS; the phone says that it is where the line is."""
        us, them = pairs
        server, phone = self.server, self.socket.getsockname()
        encrypted = self.transport == "tls"
        if encrypted:
            host, _, own = service.listen[0].removeprefix("tls:").partition(":")
            server = (host, int(own))
        line = Line(
            self.transport, server, "127.0.0.1", port, phone,
            client=us.client() if encrypted else None,
            listener=them.server() if encrypted else None,
        )  # fmt: skip
        self.where, self.server = f"127.0.0.1:{port}", line.desk.getsockname()
        return line

    def send(self, raw: str | bytes) -> None:
        text = raw if isinstance(raw, str) else raw.decode("latin-1")
        if self.line:
            own = f"SIP/2.0/UDP {self.where}"
            text = text.replace(own, own.replace("UDP", self.transport.upper()))
            text = re.sub(
                rf"(\r\nContact: <[^>]*@{self.where})>", rf"\1;transport={self.transport}>", text
            )
        super().send(text)

    def close(self) -> None:
        if self.line:
            self.line.close()
        self.socket.close()

    def receive(self, seconds: float = PATIENCE) -> str:
        text = super().receive(seconds)
        for line in text.split("\r\n"):
            self.places += 1
            assert not self.forbidden.search(line.encode("latin-1")), line
            assert not CONNECTION.search(line), line
        return text

    @property
    def marks(self) -> str:
        return "".join(f"{name}: {self.mark}_{name} {self.where}\r\n" for name in PRIVATE)

    def described(self) -> str:
        text = SDP.replace("o=-", f"o={self.mark}").replace("s=-", f"s={self.mark}") + (
            f"a=ssrc:1 cname:{self.mark}\r\na=extmap:1 urn:{self.mark}\r\n"
        )
        return self._as_browsers(text) if self.browser else text

    def _as_browsers(self, text: str) -> str:
        """With all that tells of ICE and DTLS (RFC 8839, RFC 8122), of bundles and of streams."""
        m = self.mark
        keys = ":".join([KEYS[m]] * 11)[: 3 * 32 - 1]
        text = text.replace("RTP/AVP", "UDP/TLS/RTP/SAVPF")
        text = text.replace("m=audio", f"a=group:BUNDLE {m}\r\na=msid-semantic: WMS {m}\r\nm=audio")
        return text + "".join(
            f"a={line}\r\n"
            for line in (
                f"mid:{m}", f"ice-ufrag:{m}", f"ice-pwd:{m * 5}", f"ice-options:trickle {m}",
                f"fingerprint:sha-256 {keys}", "setup:actpass", "rtcp-mux", "rtcp-rsize",
                f"candidate:1 1 udp 2122194687 {m}.local 17000 typ host generation 0 ufrag {m}",
                f"candidate:{m} 1 UDP 2122063615 192.0.2.{len(m)} 17000 typ host",
                f"candidate:2 1 UDP 16860526 192.0.2.8 9 typ srflx raddr {m} rport 9",
                f"rtcp-fb:8 {m}", f"msid:{m} {m}", f"ssrc:1 msid:{m} {m}", f"rtcp-xr:{m}",
            )
        )  # fmt: skip

    def ask(self, request: str, more: str = "", body: str = "") -> None:
        """Sends a request of `within` with marks, more headers and a body."""
        kind = "Content-Type: application/sdp\r\n" if body else ""
        contact = f"Contact: <sip:{self.mark}@{self.where}>\r\n"
        head = request.removesuffix("Content-Length: 0\r\n\r\n")
        self.send(
            f"{head}{contact}{self.marks}{more}{kind}Content-Length: {len(body)}\r\n\r\n{body}"
        )

    def answer(self, request: str, status: int, body: str = "", more: str = "") -> None:
        body = body.replace("setup:actpass", "setup:active")
        self.reply(request, status, body, more=self.marks + more)


@pytest.fixture
def a(masked: Service, pairs: tuple[Pair, Pair]) -> Iterator[Marked]:
    phone = Marked(masked, "A", pairs)
    yield phone
    phone.close()
    print(f"{phone.places} places of what {phone.mark} was sent hold nothing of the other")
    assert phone.places > 20


@pytest.fixture
def b(masked: Service, pairs: tuple[Pair, Pair]) -> Iterator[Marked]:
    phone = Marked(masked, "B", pairs, masked.carrier_port)
    yield phone
    phone.close()
    print(f"{phone.places} places of what {phone.mark} was sent hold nothing of the other")
    assert phone.places > 20


def invited(a: Marked, b: Marked, more: str = "", body: str | None = None) -> tuple[str, str]:
    """An INVITE as sent and as received."""
    sent = a.invite(more=a.marks + more, body=a.described() if body is None else body)
    a.send(sent)
    return sent, b.expect("INVITE ")


def answered(a: Marked, b: Marked, sent: str, received: str) -> str:
    """The answer to an INVITE, which is confirmed."""
    b.answer(received, 200, b.described())
    answer = a.expect("SIP/2.0 200")
    a.ask(within("ACK", sent, answer, a))
    b.expect("ACK ")
    return answer


def ended(a: Marked, b: Marked, sent: str, answer: str) -> None:
    a.ask(within("BYE", sent, answer, a, 9))
    b.answer(b.expect("BYE "), 200)
    a.expect("SIP/2.0 200")


@over_each
def test_reliable_ringing(a: Marked, b: Marked) -> None:
    sent, received = invited(a, b, "Supported: 100rel\r\n")
    assert header(received, "Supported") == "100rel"
    b.answer(received, 183, b.described(), "Require: 100rel\r\nRSeq: 77\r\n")
    early = a.expect("SIP/2.0 183")
    assert (header(early, "Require"), header(early, "RSeq")) == ("100rel", "77")
    a.ask(within("PRACK", sent, early, a, 2), "RAck: 77 1 INVITE\r\n")
    prack = b.expect("PRACK ")
    assert header(prack, "RAck") == "77 1 INVITE"
    b.answer(prack, 200)
    a.expect("SIP/2.0 200")
    answer = answered(a, b, sent, received)
    ended(a, b, sent, answer)


@pytest.mark.parametrize("masked", ["udp", "srtp", "browsers"], indirect=True)
def test_an_offer_in_reliable_ringing(a: Marked, b: Marked) -> None:
    """Its answer is in the PRACK: taken for an offer, it would come with keys for SRTP."""
    sent, received = invited(a, b, "Supported: 100rel\r\n", body="")
    b.answer(received, 183, b.described(), "Require: 100rel\r\nRSeq: 77\r\n")
    early = a.expect("SIP/2.0 183")
    assert "m=audio" in early
    a.ask(within("PRACK", sent, early, a, 2), "RAck: 77 1 INVITE\r\n", a.described())
    prack = b.expect("PRACK ")
    assert "m=audio" in prack
    assert "a=crypto" not in prack
    b.answer(prack, 200, b.described())
    assert "m=audio" not in a.expect("SIP/2.0 200")
    offer = a.described().replace("a=rtpmap:8", "a=sendonly\r\na=rtpmap:8")
    a.ask(within("PRACK", sent, early, a, 3), "RAck: 78 1 INVITE\r\n", offer)
    b.answer(b.expect("PRACK "), 200, b.described())  # of a reply that offered nothing: an offer
    assert "m=audio" in a.expect("SIP/2.0 200")
    b.answer(received, 200)
    answer = a.expect("SIP/2.0 200")
    a.ask(within("ACK", sent, answer, a))
    b.expect("ACK ")
    ended(a, b, sent, answer)


@over_each
def test_an_offer_in_the_answer(a: Marked, b: Marked) -> None:
    sent, received = invited(a, b, body="")
    assert "m=audio" not in received
    b.answer(received, 200, b.described())
    answer = a.expect("SIP/2.0 200")
    assert "m=audio" in answer
    a.ask(within("ACK", sent, answer, a), body=a.described())
    assert "m=audio" in b.expect("ACK ")
    ended(a, b, sent, answer)


@pytest.mark.parametrize(
    ("method", "hops"), [("OPTIONS", 70), ("INFO", 70), ("BYE", 70), ("BYE", 20)]
)
def test_a_description_that_nobody_asked_for_stays(
    a: Marked, b: Marked, method: str, hops: int
) -> None:
    """It would change the sound of the call. What a phone could do is nobody's business. A BYE with
    few hops left is not sent from what was written in advance."""
    sent, received = invited(a, b)
    answer = answered(a, b, sent, received)
    key = "Content-Type: application/dtmf-relay\r\n" * (method == "INFO")
    head = within(method, sent, answer, a, 2).removesuffix("Content-Length: 0\r\n\r\n")
    head = head.replace("Max-Forwards: 70", f"Max-Forwards: {hops}")
    body = "Signal=5\r\nDuration=160\r\n" * (method == "INFO")
    a.send(f"{head}{key}Content-Length: {len(body)}\r\n\r\n{body}")
    asked = b.expect(f"{method} ")
    b.answer(asked, 200, b.described())
    assert a.expect("SIP/2.0 200").endswith("Content-Length: 0\r\n\r\n")
    if method != "BYE":
        ended(a, b, sent, answer)


def test_a_hold_without_a_place(a: Marked, b: Marked) -> None:
    """As in RFC 2543: on both sides it passes as a direction."""
    sent, received = invited(a, b)
    answer = answered(a, b, sent, received)
    a.ask(within("INVITE", sent, answer, a, 2), body=held(a.described()))
    hold = b.expect("INVITE ")
    b.answer(hold, 200, held(b.described()))
    taken = a.expect("SIP/2.0 200")
    a.ask(within("ACK", sent, taken, a, 2))
    b.expect("ACK ")
    for message in (hold, taken):
        assert "a=sendonly\r\n" in message
        assert "0.0.0.0" not in message
    ended(a, b, sent, answer)


def held(description: str) -> str:
    return description.replace("c=IN IP4 127.0.0.1", "c=IN IP4 0.0.0.0")


@over_each
@pytest.mark.parametrize("after", ["the answer", "the end"])
def test_whoever_answers_second_is_hung_up(
    masked: Service, a: Marked, b: Marked, after: str
) -> None:
    """A fork of the carrier's. The caller hears nothing of it, and whatever it says changes nothing
    of the call."""
    sent, received = invited(a, b)
    one, two = (forked(received, f"S1CB9_{fork}") for fork in ("one", "two"))
    answer = answered(a, b, sent, one)
    if after == "the end":
        ended(a, b, sent, answer)
    elsewhere = b.described().replace("m=audio 17000", "m=audio 17004")
    if after == "the answer":
        b.answer(two, 183, elsewhere)
        until(lambda: "AnsweredTimestamp" in newest(masked, a))
        for method in ("BYE", "UPDATE"):
            b.ask(from_called(method, two, b, 7), body=elsewhere * (method == "UPDATE"))
            b.expect("SIP/2.0 481")
        assert "EndedTimestamp" not in newest(masked, a)
    b.answer(two, 200, elsewhere)
    told = [b.expect(("ACK ", "BYE ")) for _ in range(2)]
    assert {header(message, "To") for message in told} == {header(two, "To")}
    assert {message.split(" ")[0] for message in told} == {"ACK", "BYE"}
    b.answer(next(message for message in told if message.startswith("BYE ")), 200)
    with suppress(TimeoutError):  # tm sends every 2xx, and the gate nothing of it
        while True:
            assert a.receive(0.3) == "\r\n\r\n"
    if after == "the answer":
        b.answer(one, 200, b.described())
        assert header(a.expect("SIP/2.0 200"), "To") == header(answer, "To")
        ended(a, b, sent, answer)


@pytest.mark.parametrize("unreadable", ["a fork's answer", "the answer again"])
def test_what_is_wrong_with_an_answer_after_the_answer_ends_no_call(
    masked: Service, a: Marked, b: Marked, unreadable: str
) -> None:
    sent, received = invited(a, b)
    one, two = (forked(received, f"S1CB9_{fork}") for fork in ("one", "two"))
    answer = answered(a, b, sent, one)
    again = two if unreadable.startswith("a fork") else one
    b.answer(again, 200, b.described(), "S1CB9 Odd: 1\r\n")
    until(lambda: "AnsweredTimestamp" in newest(masked, a))
    time.sleep(0.5)
    assert "EndedTimestamp" not in newest(masked, a)
    ended(a, b, sent, answer)
    until(lambda: "EndedTimestamp" in newest(masked, a))  # it is written a moment later
    assert (newest(masked, a)["EndedBy"], newest(masked, a)["SipStatus"]) == ("caller", 200)


def test_an_update_of_a_fork_binds_no_call_to_it(masked: Service, a: Marked, b: Marked) -> None:
    """A person's telephone rings and changes the sound; another, a voice box, answers."""
    sent, received = invited(a, b, "Supported: 100rel\r\n")
    one, two = (forked(received, f"S1CB9_{fork}") for fork in ("one", "two"))
    reliable = "Require: 100rel\r\nRSeq: 1\r\n"
    b.answer(one, 183, b.described(), reliable)
    early = a.expect("SIP/2.0 183")
    a.ask(within("UPDATE", sent, early, a, 2))
    b.answer(b.expect("UPDATE "), 200)
    a.expect("SIP/2.0 200")
    time.sleep(0.3)  # its report
    b.answer(two, 183, b.described(), reliable)
    early = a.expect("SIP/2.0 183")
    a.ask(within("PRACK", sent, early, a, 3), "RAck: 1 1 INVITE\r\n")
    b.answer(b.expect("PRACK "), 200)
    a.expect("SIP/2.0 200")
    answered(a, b, sent, two)
    until(lambda: "AnsweredTimestamp" in newest(masked, a))
    # One that was not written in advance.
    b.ask(from_called("BYE", two, b, 9).replace("Max-Forwards: 70", "Max-Forwards: 20"))
    a.answer(a.expect("BYE "), 200)
    b.expect("SIP/2.0 200")
    until(lambda: newest(masked, a).get("EndedBy") == "called")


def test_who_is_called_ends_nothing_that_they_have_not_answered(
    masked: Service, a: Marked, b: Marked
) -> None:
    """RFC 3261 15. The caller may end one of several phones' ringing, and the others ring on."""
    sent, received = invited(a, b)
    one, two = (forked(received, f"S1CB9_{fork}") for fork in ("one", "two"))
    b.answer(one, 180)
    early = a.expect("SIP/2.0 180")
    b.ask(from_called("BYE", one, b, 7))
    b.expect("SIP/2.0 481")
    a.ask(within("BYE", sent, early, a, 2))
    b.answer(b.expect("BYE "), 200)
    a.expect("SIP/2.0 200")
    answer = answered(a, b, sent, two)
    until(lambda: "AnsweredTimestamp" in newest(masked, a))
    assert "EndedTimestamp" not in newest(masked, a)
    ended(a, b, sent, answer)
    until(lambda: newest(masked, a).get("EndedBy") == "caller")


def test_who_hangs_up_has_no_call_any_more(masked: Service, a: Marked, b: Marked) -> None:
    """Whatever the other side says to it: a call that is over in the records is over."""
    sent = a.invite(more=a.marks, body=a.described()).replace("CSeq: 1 ", "CSeq: 100 ")
    a.send(sent)
    b.answer(b.expect("INVITE "), 200, b.described())
    answer = a.expect("SIP/2.0 200")
    a.ask(within("ACK", sent, answer, a, 100))
    b.expect("ACK ")
    a.ask(within("BYE", sent, answer, a, 2))  # a number that is too low (12.2.2)
    b.answer(b.expect("BYE "), 500)
    a.expect("SIP/2.0 500")
    until(lambda: newest(masked, a).get("EndedBy") == "caller")
    for method, body in (("INVITE", a.described()), ("UPDATE", a.described()), ("INFO", "")):
        a.ask(within(method, sent, answer, a, 101), body=body)
        assert a.expect("SIP/2.0 ").startswith("SIP/2.0 481")
    with pytest.raises(TimeoutError):
        b.receive(0.5)


def test_no_sound_goes_to_what_listens_to_commands(masked: Service, a: Marked, b: Marked) -> None:
    """rtpengine would carry out what it is sent there, and tell the other side the answer."""
    engine = Path(f"/proc/{masked.engine_pid('rtpengine')}/cmdline").read_bytes().decode()
    (control,) = re.findall(r"--listen-ng=127\.0\.0\.1:(\d+)", engine)
    sip = masked.sip.rpartition(":")[2]
    for port in (control, sip):
        evil = a.described().replace("m=audio 17000", f"m=audio {port}")
        a.send(a.invite(more=a.marks, body=evil))
        assert a.final() == 488
    sent, received = invited(a, b)
    b.answer(received, 200, b.described().replace("m=audio 17000", f"m=audio {control}"))
    assert a.final() == 488
    b.expect("ACK ")
    b.answer(b.expect("BYE "), 200)
    sent, received = invited(a, b)
    answer = answered(a, b, sent, received)
    a.ask(within("INVITE", sent, answer, a, 2), body=evil)
    assert a.expect("SIP/2.0 ").startswith("SIP/2.0 488")
    ended(a, b, sent, answer)


def newest(service: Service, since: Marked) -> dict[str, Any]:
    """The record of the newest call since a phone is there; empty before there is one."""
    own = (one for one in service.calls() if one["ReceivedTimestamp"] >= since.began)
    return next(own, {})


def test_repeats_of_an_answer_after_its_end(a: Marked, b: Marked) -> None:
    sent, received = invited(a, b)
    answer = answered(a, b, sent, received)
    ended(a, b, sent, answer)
    b.answer(received, 200, b.described())
    b.answer(received, 486, more=f"Retry-After: 5;x={b.mark}\r\n")
    a.ask(within("ACK", sent, answer, a))
    a.ask(within("BYE", sent, answer, a, 10))
    while not a.silent(0.5):
        pass
    while not b.silent(0.3):
        pass


def test_an_answer_that_nobody_remembers_goes_nowhere(a: Marked, b: Marked) -> None:
    """Kamailio forgets a transaction ten seconds after its end (`wt_timer`), and would forward a
    reply to wherever its Via says."""
    sent, received = invited(a, b)
    answer = answered(a, b, sent, received)
    a.ask(within("BYE", sent, answer, a, 9))
    bye = b.expect("BYE ")
    b.answer(bye, 200)
    a.expect("SIP/2.0 200")
    time.sleep(FORGOTTEN_SECONDS)
    while not (a.silent(0.05) and b.silent(0.05)):  # repeats of before
        pass
    below = f"Via: SIP/2.0/UDP {a.where};branch=z9hG4bKbelow\r\n"
    for request in (received, bye):
        for status in (180, 200, 486):
            b.answer(request, status, b.described(), below)
    assert a.silent()
    assert b.silent(0.1)


@pytest.mark.parametrize("method", ["UPDATE", "INVITE"])
def test_either_party_refreshes_the_session(a: Marked, b: Marked, method: str) -> None:
    timer = "Supported: timer\r\nSession-Expires: 90;refresher=uac\r\nMin-SE: 90\r\n"
    sent, received = invited(a, b, timer)
    assert header(received, "Session-Expires") == "90;refresher=uac"
    b.answer(
        received, 200, b.described(), "Require: timer\r\nSession-Expires: 90;refresher=uac\r\n"
    )
    answer = a.expect("SIP/2.0 200")
    assert header(answer, "Session-Expires") == "90;refresher=uac"
    a.ask(within("ACK", sent, answer, a))
    b.expect("ACK ")
    body = a.described() if method == "INVITE" else ""
    a.ask(within(method, sent, answer, a, 3), timer, body)
    refresh = b.expect(f"{method} ")
    assert header(refresh, "Session-Expires") == "90;refresher=uac"
    b.answer(refresh, 422, more=f"Min-SE: 120\r\nX: {b.mark}\r\n")
    assert header(a.expect("SIP/2.0 422"), "Min-SE") == "120"
    own, peer = f"{header(received, 'To')};tag=bobs", header(received, "From")
    names = {"From": own, "To": peer}
    lines = within(method, received, received, b, 4).split("\r\n")
    lines = [f"{n}: {names[n]}" if (n := x.partition(":")[0]) in names else x for x in lines]
    b.ask("\r\n".join(lines), timer, b.described() if method == "INVITE" else "")
    asked = a.expect(f"{method} ")
    assert header(asked, "Session-Expires") == "90;refresher=uac"
    a.answer(asked, 200, a.described() if method == "INVITE" else "")
    b.expect("SIP/2.0 200")
    ended(a, b, sent, answer)


def test_a_cancel_that_comes_too_late(a: Marked, b: Marked) -> None:
    sent, received = invited(a, b)
    b.answer(received, 180)
    a.expect("SIP/2.0 180")
    b.answer(received, 200, b.described())
    answer = a.expect("SIP/2.0 200")
    a.send(
        sent.split("\r\n\r\n")[0].replace("INVITE ", "CANCEL ", 1).replace("1 INVITE", "1 CANCEL")
        .replace("Content-Type: application/sdp\r\n", "").partition("Content-Length")[0]
        + "Content-Length: 0\r\n\r\n"
    )  # fmt: skip
    a.expect("SIP/2.0 200")
    a.ask(within("ACK", sent, answer, a))
    b.expect("ACK ")
    ended(a, b, sent, answer)


def test_the_search_finds_what_it_looks_for(a: Marked, b: Marked) -> None:
    """A leak test that could not fail would prove nothing."""
    _, received = invited(a, b)
    b.answer(received, 486)
    a.expect("SIP/2.0 486")
    for phone, other in ((a, b), (b, a)):
        assert phone.forbidden.search(other.marks.encode())
        assert not phone.forbidden.search(os.urandom(4).hex().encode())
        phone.places += 100
