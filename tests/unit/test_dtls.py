"""Descriptions of browsers: what is on the list is read, and nothing else; what the media engine is
told of them, and they of it, to the letter."""

import base64
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from maskline_sip import dtls, places, sdp
from maskline_sip.media import DTLS, OFF, OPTIONAL, REQUIRED, Media, MediaDown, Terms

PRINT = ":".join(f"{7 * n:02X}" for n in range(1, 33))
OURS = ":".join(f"{n:02X}" for n in range(32, 0, -1))
PASSWORD = "S1CApwd/abcdefghijklmn+0"
# What a browser says, with marks wherever it tells more than is needed.
OFFER = f"""\
v=0
o=S1CA 5580907958983840914 2 IN IP4 10.1.2.3
s=S1CA
t=0 0
a=group:BUNDLE S1CAmid S1CAtwo
a=extmap-allow-mixed
a=msid-semantic: WMS S1CAstream
a=ice-options:S1CA trickle
m=audio 56686 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126
c=IN IP4 10.1.2.3
a=rtcp:9 IN IP4 0.0.0.0
a=candidate:1 1 udp 2122194687 S1CA-22f1-4b6a.local 56686 typ host generation 0 network-id 3
a=candidate:2 1 udp 2122063615 10.1.2.3 41406 typ host generation 0 ufrag S1CAufrag
a=candidate:3 1 UDP 1686052607 203.0.113.9 41406 typ srflx raddr 10.1.2.3 rport 41406
a=candidate:4 1 tcp 1518214911 10.1.2.3 9 typ host tcptype active generation 0
a=candidate:5 1 UDP 2122063615 10.1.2.4 41407 typ host
a=ice-ufrag:S1CAufrag
a=ice-pwd:{PASSWORD}
a=ice-options:trickle
a=fingerprint:sha-256 {PRINT}
a=setup:actpass
a=mid:S1CAmid
a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid
a=sendrecv
a=msid:S1CAstream S1CAtrack
a=rtcp-mux
a=rtcp-rsize
a=rtcp-xr:rcvr-rtt=all
a=rtpmap:111 opus/48000/2
a=rtcp-fb:111 transport-cc
a=fmtp:111 minptime=10;useinbandfec=1
a=rtpmap:63 red/48000/2
a=fmtp:63 111/111
a=rtpmap:9 G722/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:13 CN/8000
a=rtpmap:110 telephone-event/48000
a=rtpmap:126 telephone-event/8000
a=ssrc:2881287562 cname:S1CAcname
a=ssrc:2881287562 msid:S1CAstream S1CAtrack
m=video 9 UDP/TLS/RTP/SAVPF 96
c=IN IP4 0.0.0.0
a=ice-ufrag:S1CAufrag
a=mid:S1CAtwo
a=rtpmap:96 VP8/90000
"""
CODECS = """\
a=rtpmap:111 opus/48000/2
a=fmtp:111 minptime=10;useinbandfec=1
a=rtpmap:9 G722/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:13 CN/8000
a=rtpmap:110 telephone-event/48000
a=rtpmap:126 telephone-event/8000
"""
TOLD_TO_ENGINE = f"""\
v=0
o=- 1 1 IN IP4 0.0.0.0
s=-
c=IN IP4 0.0.0.0
t=0 0
a=group:BUNDLE S1CAmid
m=audio 9 UDP/TLS/RTP/SAVPF 111 9 0 8 13 110 126
{CODECS}a=mid:S1CAmid
a=ice-ufrag:S1CAufrag
a=ice-pwd:{PASSWORD}
a=fingerprint:sha-256 {PRINT}
a=setup:actpass
a=ice-options:trickle
a=sendrecv
a=rtcp-mux
m=video 0 UDP/TLS/RTP/SAVPF 0
"""
# What rtpengine 10.5 says for it to the other side, and of that one's answer to the browser.
ENGINES_OFFER = f"""\
v=0
o=- 1 1 IN IP4 127.0.0.1
s=-
c=IN IP4 127.0.0.1
t=0 0
m=audio 30000 RTP/AVP 111 9 0 8 13 110 126
a=mid:S1CAmid
{CODECS}a=sendrecv
a=rtcp:30000
a=rtcp-mux
m=video 0 RTP/AVP 0
"""
OFFERED = f"""\
v=0
o=- 7 8 IN IP4 127.0.0.1
s=-
c=IN IP4 127.0.0.1
t=0 0
m=audio 30000 RTP/AVP 111 9 0 8 13 110 126
{CODECS}a=sendrecv
m=video 0 UDP/TLS/RTP/SAVPF 0
"""
ANSWER = """\
v=0
c=IN IP4 192.0.2.12
m=audio 17000 RTP/AVP 0
a=sendrecv
m=video 0 UDP/TLS/RTP/SAVPF 0
"""
CANDIDATES = """\
a=candidate:NwmgxmIhTGYZI4p7 1 UDP 2130706431 127.0.0.1 30012 typ host
a=candidate:Urd7nm0tmrv7lX3v 1 UDP 2130706175 ::1 30000 typ host
"""
ENGINES_ANSWER = f"""\
v=0
o=- 1 1 IN IP4 127.0.0.1
s=-
c=IN IP4 127.0.0.1
t=0 0
m=audio 30012 UDP/TLS/RTP/SAVPF 0
a=mid:S1CAmid
a=rtpmap:0 PCMU/8000
a=sendrecv
a=rtcp:30012
a=rtcp-mux
a=setup:active
a=fingerprint:sha-256 {OURS}
a=ice-ufrag:faTE8OQt
a=ice-pwd:BSHNLGa2IvlwoD4LHnREHr52k9
a=ice-options:trickle
{CANDIDATES}a=end-of-candidates
m=video 0 UDP/TLS/RTP/SAVPF 0
"""
ANSWERED = f"""\
v=0
o=- 7 8 IN IP4 127.0.0.1
s=-
c=IN IP4 127.0.0.1
t=0 0
a=group:BUNDLE S1CAmid
m=audio 30012 UDP/TLS/RTP/SAVPF 0
a=rtpmap:0 PCMU/8000
a=mid:S1CAmid
a=ice-ufrag:faTE8OQt
a=ice-pwd:BSHNLGa2IvlwoD4LHnREHr52k9
a=fingerprint:sha-256 {OURS}
a=setup:active
{CANDIDATES}a=sendrecv
a=rtcp-mux
m=video 0 UDP/TLS/RTP/SAVPF 0
"""


def of_party(text: str) -> sdp.Description:
    return places.unplaced(sdp.read(text.encode()))


def written(description: sdp.Description) -> str:
    return sdp.write(description, 7, 8).decode().replace("\r\n", "\n")


def without(text: str, *beginnings: str) -> str:
    return "".join(line for line in text.splitlines(True) if not line.startswith(beginnings))


class Engine(Media):
    """A media engine that says what a test gives it to say."""

    def __init__(self, *says: str) -> None:
        super().__init__(("127.0.0.1", 9), ["127.0.0.1", "::1"])
        self.says, self.asked = [*says], list[dict[str, Any]]()

    def _command(self, command: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(command)
        return {"sdp": self.says.pop(0)}

    @property
    def told(self) -> list[str]:
        return [one["sdp"].replace("\r\n", "\n") for one in self.asked]


def test_the_engine_is_told_what_it_needs_of_a_browser_and_the_other_side_nothing() -> None:
    engine = Engine(ENGINES_OFFER)
    relayed = engine.offer("c", "caller", of_party(OFFER), Terms(DTLS, OFF))
    assert engine.told == [TOLD_TO_ENGINE]
    assert written(relayed) == OFFERED
    assert engine.asked[0]["ICE"] == "remove"
    assert engine.asked[0]["transport-protocol"] == "RTP/AVP"


def test_a_browser_is_told_the_engines_ways_and_keys_and_its_own_names_of_streams() -> None:
    engine = Engine(ENGINES_ANSWER)
    relayed = engine.answer("c", "caller", "called", of_party(ANSWER), Terms(OFF, DTLS))
    assert written(relayed) == ANSWERED
    assert engine.asked[0]["ICE"] == "force"
    assert engine.asked[0]["DTLS"] == "active"


def test_a_browser_is_offered_sound_by_ice_and_dtls_alone() -> None:
    said = ENGINES_ANSWER.replace("setup:active", "setup:actpass")
    engine = Engine(said)
    relayed = engine.offer("c", "caller", of_party(ANSWER), Terms(OFF, DTLS))
    assert written(relayed) == ANSWERED.replace("setup:active", "setup:actpass")
    (asked,) = engine.asked
    assert asked["transport-protocol"] == "UDP/TLS/RTP/SAVPF"
    assert (asked["ICE"], asked["DTLS"], asked["SDES"]) == ("force", "active", ["off"])
    assert "generate-mid" in asked["flags"]


def test_what_was_kept_of_an_answer_is_the_same_when_it_is_read_again() -> None:
    kept = sdp.write(of_party(OFFER), 1, 1)
    assert kept.decode().replace("\r\n", "\n") == TOLD_TO_ENGINE
    assert sdp.write(of_party(kept.decode()), 1, 1) == kept


def test_what_holds_for_all_streams_may_stand_before_them() -> None:
    """So some browsers have it."""
    names = ("a=ice-ufrag", "a=ice-pwd", "a=fingerprint", "a=setup")
    moved = "".join(line for line in TOLD_TO_ENGINE.splitlines(True) if line.startswith(names))
    text = without(OFFER, *names).replace("m=audio", f"{moved}m=audio")
    assert sdp.write(of_party(text), 1, 1) == sdp.write(of_party(OFFER), 1, 1)
    one_more = OFFER.replace("t=0 0\n", "t=0 0\na=ice-ufrag:other\na=setup:passive\n")
    assert sdp.write(of_party(one_more), 1, 1) == sdp.write(of_party(OFFER), 1, 1)
    twice = OFFER.replace("a=mid:S1CAmid\n", "a=mid:S1CAmid\na=mid:S1CAtwo\na=setup:passive\n")
    assert of_party(twice) == of_party(OFFER)


@pytest.mark.parametrize(
    "missing", ["a=ice-ufrag", "a=ice-pwd", "a=fingerprint", "a=setup", "a=rtcp-mux\n"]
)
def test_without_all_that_it_takes_a_stream_is_refused(missing: str) -> None:
    with pytest.raises(sdp.Unacceptable, match="that we can carry"):
        sdp.read(without(OFFER, missing.rstrip()).replace("rtcp-rsize", "x").encode())


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("ice-ufrag", "abc"), ("ice-ufrag", "a" * 257), ("ice-ufrag", "ab cd"),
        ("ice-ufrag", "abc@d"), ("ice-pwd", "a" * 21), ("ice-pwd", "a" * 257),
        ("ice-pwd", "a" * 21 + "="), ("setup", "holdconn"), ("setup", "SECRET"), ("setup", ""),
        ("fingerprint", f"sha-1 {PRINT[:59]}"), ("fingerprint", f"md5 {PRINT[:47]}"),
        ("fingerprint", f"sha-256 {PRINT}:00"), ("fingerprint", f"sha-256 {PRINT[3:]}"),
        ("fingerprint", f"sha-512 {PRINT}"), ("fingerprint", f"sha-256 {PRINT} SECRET"),
        ("fingerprint", PRINT), ("fingerprint", f"sha-256 {PRINT.replace('07', '0G')}"),
    ],
)  # fmt: skip
def test_a_value_that_is_none_is_not_read(attribute: str, value: str) -> None:
    text = re.sub(f"a={attribute}:.*", f"a={attribute}:{value}", OFFER)
    with pytest.raises(sdp.Unacceptable, match="that we can carry"):
        sdp.read(text.encode())


@pytest.mark.parametrize(
    ("attribute", "value", "seen"),
    [
        ("ice-ufrag", "ab+/", ""), ("ice-ufrag", "a" * 256, ""), ("ice-pwd", "a" * 22, ""),
        ("ice-pwd", "a" * 256, ""), ("setup", "active", ""), ("setup", "passive", ""),
        ("fingerprint", f"SHA-256 {PRINT.lower()}", f"sha-256 {PRINT}"),
        ("fingerprint", f"sha-384 {PRINT}:{PRINT[:47]}", ""),
        ("fingerprint", f"sha-512 {PRINT}:{PRINT}", ""),
    ],
)  # fmt: skip
def test_a_value_of_the_list_is_read(attribute: str, value: str, seen: str) -> None:
    text = re.sub(f"a={attribute}:.*", f"a={attribute}:{value}", OFFER)
    assert f"a={attribute}:{seen or value}\n" in written(of_party(text))


@pytest.mark.parametrize(
    ("mid", "group", "known"),
    [("0", "0", True), ("audio_1.x-y", "a audio_1.x-y", True), ("0", "1", False),
     ("0", "", False), ("a" * 32, "a" * 32, True), ("a" * 33, "a" * 33, False),
     ("a b", "a b", False), ("a;b", "a;b", False)],
)  # fmt: skip
def test_a_stream_has_a_name_where_it_is_bundled(mid: str, group: str, known: bool) -> None:
    """As an answer must name the bundle where an offer did, and may not where it did not."""
    text = re.sub("a=mid:.*", f"a=mid:{mid}", OFFER)
    text = re.sub("a=group:BUNDLE.*", f"a=group:BUNDLE {group}", text)
    read = written(of_party(text))
    assert (f"a=mid:{mid}\n" in read) == (f"a=group:BUNDLE {mid}\n" in read) == known
    assert ("mid" in read or "group" in read) == known


@pytest.mark.parametrize(
    "candidate",
    ["1 1 UDP 5 127.0.0.1 9 typ host SECRET", "1 1 UDP 5 name.local 9 typ host",
     "1 2 UDP 5 127.0.0.1 9 typ host", "1 1 TCP 5 127.0.0.1 9 typ host",
     "1 1 UDP 5 127.0.0.1 9 typ srflx raddr 127.0.0.1 rport 9", "S-1 1 UDP 5 ::1 9 typ host",
     "1 1 UDP 12345678901 127.0.0.1 9 typ host", "1 1 UDP 5 127.0.0.1 123456 typ host"],
)  # fmt: skip
def test_of_the_engines_ways_its_own_alone_are_read(candidate: str) -> None:
    engine = Engine(ENGINES_ANSWER.replace(CANDIDATES, f"{CANDIDATES}a=candidate:{candidate}\n"))
    relayed = engine.answer("c", "caller", "called", of_party(ANSWER), Terms(OFF, DTLS))
    assert written(relayed) == ANSWERED


def test_a_recorded_browser_is_heard_at_one_place() -> None:
    one, other = CANDIDATES.splitlines(True)
    for place, kept, left in (("IP4 127.0.0.1", one, other), ("IP6 ::1", other, one)):
        port = kept.split()[5]
        text = ANSWERED.replace("IP4 127.0.0.1", place).replace("audio 30012", f"audio {port}")
        seen = places.at_one_place(sdp.read(text.encode()))
        assert written(seen) == text.replace(left, "")
    plain = sdp.read(OFFERED.encode())
    assert places.at_one_place(plain) == plain


def test_candidates_are_counted() -> None:
    many = dtls.NONE
    for number in range(9):
        many = many.knowing(f"candidate:{number} 1 UDP 5 127.0.0.1 9 typ host")
    assert len(many.candidates) == 8
    assert many.knowing("candidate:9 1 UDP 5 127.0.0.1 9 typ host") == many


def broken(said: str) -> Iterator[tuple[str, str]]:
    yield "an address of somebody else's", said.replace("UDP 2130706175 ::1", "UDP 5 192.0.2.9")
    yield "the browser's keys", said.replace(OURS, PRINT)
    yield "the browser's keys in other letters", said.replace(OURS, PRINT.lower())
    yield "the browser's password", said.replace("BSHNLGa2IvlwoD4LHnREHr52k9", PASSWORD)
    yield "the browser's name of its way", said.replace("faTE8OQt", "S1CAufrag")
    yield "no way", said.replace(CANDIDATES, "")
    yield (
        "plain sound",
        without(said, "a=setup", "a=finger", "a=ice").replace(
            "audio 30012 UDP/TLS/RTP/SAVPF", "audio 30012 RTP/AVP"
        ),
    )
    key = base64.b64encode(bytes(30)).decode()
    yield (
        "keys in the open",
        without(said, "a=setup", "a=finger", "a=ice").replace(
            "UDP/TLS/RTP/SAVPF 0\n",
            f"RTP/SAVP 0\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{key}\n",
            1,
        ),
    )


@pytest.mark.parametrize(("fault", "said"), [*broken(ENGINES_ANSWER)])
def test_what_the_engine_should_not_say_is_not_passed_on(fault: str, said: str) -> None:
    """Between two browsers, say: that it told one what the other had said."""
    assert said != ENGINES_ANSWER, fault
    plain = ENGINES_OFFER.replace("30000", "30002")
    engine = Engine(plain, said)
    with pytest.raises(MediaDown):
        engine.offer("c", "caller", of_party(OFFER), Terms(DTLS, DTLS))
    assert [one["call-id"] for one in engine.asked] == ["c", "c/called"]
    assert "S1CA" not in engine.told[1]


@pytest.mark.parametrize("srtp", [OFF, OPTIONAL, REQUIRED])
def test_a_browser_that_calls_by_another_carrier_is_refused(srtp: str) -> None:
    with pytest.raises(sdp.Unacceptable):
        Engine().offer("c", "caller", of_party(OFFER), Terms(srtp, OFF))


def test_what_is_no_browser_is_refused_where_one_calls() -> None:
    key = base64.b64encode(bytes(30)).decode()
    crypto = f"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{key}\n"
    for profile, more in (("RTP/AVP", ""), ("RTP/AVP", crypto), ("RTP/SAVP", crypto)):
        text = f"v=0\nc=IN IP4 192.0.2.1\nm=audio 4000 {profile} 0\n{more}"
        with pytest.raises(sdp.Unacceptable, match="dtls"):
            Engine().offer("c", "caller", of_party(text), Terms(DTLS, OFF))


def test_of_several_streams_one_is_carried() -> None:
    audio = OFFER[OFFER.index("m=audio") : OFFER.index("m=video")]
    engine = Engine(ENGINES_OFFER)
    twice = of_party(OFFER.replace("m=video", f"{audio}m=video"))
    engine.offer("c", "caller", twice, Terms(DTLS, OFF))
    lines = [line for line in engine.told[0].splitlines() if line.startswith("m=")]
    assert [line.split()[1] for line in lines] == ["9", "0", "0"]


def test_keys_beside_those_of_dtls_are_not_read() -> None:
    key = base64.b64encode(bytes(30)).decode()
    text = OFFER.replace("a=setup", f"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{key}\na=setup", 1)
    assert of_party(text) == of_party(OFFER)


def test_a_browser_is_not_held_by_an_address_of_nowhere_nor_asked_for_its_place() -> None:
    text = OFFER.replace("c=IN IP4 10.1.2.3", "c=IN IP4 0.0.0.0").replace(" 56686 UDP", " 9 UDP")
    engine = Engine(ENGINES_OFFER)
    engine.offer("c", "caller", of_party(text), Terms(DTLS, OFF))
    assert [one["command"] for one in engine.asked] == ["offer"]
    assert engine.told == [TOLD_TO_ENGINE]
    assert places.moved_back(of_party(text), [("192.0.2.9", 4000)]) is None
    assert places.placed(of_party(text), [("192.0.2.9", 4000)]) == of_party(text)
    whole = text.replace("t=0 0", "c=IN IP4 10.1.2.3\nt=0 0")
    assert sdp.write(of_party(whole), 1, 1).decode().replace("\r\n", "\n") == TOLD_TO_ENGINE


def test_a_plain_stream_beside_keeps_its_place() -> None:
    plain = "m=audio 4000 RTP/AVP 0\nc=IN IP4 192.0.2.1\na=mid:S1CA\na=ice-ufrag:S1CA\n"
    both = of_party(OFFER + plain)
    assert [both.place(stream) for stream in both.active] == ["IP4 0.0.0.0", "IP4 192.0.2.1"]
    assert both.active[1].dtls == dtls.NONE
    assert sdp.addresses(both) == {"0.0.0.0", "192.0.2.1"}
    assert json.dumps(written(both)).count("S1CA") == json.dumps(written(of_party(OFFER))).count(
        "S1CA"
    )
