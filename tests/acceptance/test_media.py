"""Sound passes rtpengine and nothing else does: packets of our own making through a real one."""

import base64
import hashlib
import hmac
import re
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from acceptance.service import free_port, media_ports, until
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from maskline_sip import places, sdp
from maskline_sip.media import DTLS, OFF, OPTIONAL, REQUIRED, Media, MediaDown, Terms
from maskline_sip.sdp import nobody

sys.path.append(str(Path(__file__).parents[2] / "demo"))
import tone

ANN, BEN, ENGINE = "127.0.0.11", "127.0.0.12", "127.0.0.1"
SOURCE = b"AAAA"
CNAME = b"\x01\x10secret@127.0.0.11"[:18] + b"\0\0"
REPORT = b"\x80\xc9\x00\x01" + SOURCE
DESCRIPTION = b"\x81\xca" + struct.pack(">H", (4 + len(CNAME)) // 4) + SOURCE + CNAME
FAREWELL = b"\x81\xcb\x00\x03" + SOURCE + b"\x04Adjo\0\0\0"
APPLICATION = b"\x80\xcc\x00\x02" + SOURCE + b"PING"
RTCP = {
    "report and description": REPORT + DESCRIPTION,
    "description alone": DESCRIPTION,
    "farewell and description": FAREWELL + DESCRIPTION,
    "application": APPLICATION,
    "report and application": REPORT + APPLICATION,
}


@dataclass
class Side:
    """A phone's two sockets, and where the engine told it to send."""

    host: str
    engine_port: int = 0

    def __post_init__(self) -> None:
        self.rtp, self.rtcp = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in "12")
        while True:
            self.rtp.bind((self.host, 0))
            try:
                self.rtcp.bind((self.host, self.port + 1))
            except (OSError, OverflowError):
                self.rtp.close()
                self.rtp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                continue
            break
        for one in (self.rtp, self.rtcp):
            one.setblocking(False)

    @property
    def port(self) -> int:
        port: int = self.rtp.getsockname()[1]
        return port

    def description(
        self, direction: str = "sendrecv", at: str = "", codec: str = "0"
    ) -> sdp.Description:
        where = at or f"IP4 {self.host}"
        text = f"v=0\no=- 1 1 IN {where}\ns=-\nc=IN {where}\nt=0 0\n"
        return sdp.read(f"{text}m=audio {self.port} RTP/AVP {codec}\na={direction}\n".encode())

    def told(self, relayed: sdp.Description) -> None:
        self.engine_port = relayed.streams[0].port
        assert b"rtcp" not in sdp.write(relayed, 1, 1)

    def received(self) -> list[bytes]:
        found = []
        for one in (self.rtp, self.rtcp):
            while True:
                try:
                    found.append(one.recv(2000))
                except BlockingIOError:
                    break
        return found

    def close(self) -> None:
        self.rtp.close()
        self.rtcp.close()


@pytest.fixture(scope="module")
def media() -> Iterator[Media]:
    port = free_port()
    first, last = media_ports()
    engine = subprocess.Popen(
        [
            "rtpengine", "--config-file=none", "--foreground", "--log-stderr", "--table=-1",
            "--log-level=3", f"--interface={ENGINE}", f"--listen-ng={ENGINE}:{port}",
            f"--port-min={first}", f"--port-max={last}", "--delete-delay=0",
            "--endpoint-learning=heuristic",
        ]
    )  # fmt: skip
    media = Media((ENGINE, port), [ENGINE])

    def up() -> bool:
        try:
            media.offer("probe", "tag", sdp.read(b"v=0\nc=IN IP4 127.0.0.1\nm=audio 9 RTP/AVP 0\n"))
        except MediaDown:
            return False
        return True

    try:
        until(up)
        yield media
    finally:
        if media._socket is not None:
            media._socket.close()
        engine.terminate()
        engine.wait()


@pytest.fixture
def sides(media: Media) -> Iterator[tuple[Side, Side]]:
    """Ann and Ben in an answered call, each of whom has spoken."""
    ann, ben = Side(ANN), Side(BEN)
    ben.told(media.offer("call", "ann", ann.description()))
    ann.told(media.answer("call", "ann", "ben", ben.description()))
    speak(ann, ben)
    speak(ben, ann)
    yield ann, ben
    media.delete("call")
    ann.close()
    ben.close()


def speak(speaker: Side, hearer: Side) -> None:
    """Sends one packet of sound, which arrives and is the only one that does."""
    packet = b"\x80\x00\x00\x01" + struct.pack(">I", 160) + SOURCE + b"\xff" * 160
    speaker.rtp.sendto(packet, (ENGINE, speaker.engine_port))
    (heard,) = until(hearer.received)
    assert heard[12:] == packet[12:]


@pytest.mark.parametrize("kind", sorted(RTCP))
def test_no_rtcp_reaches_the_other_side(sides: tuple[Side, Side], kind: str) -> None:
    for sender, other in (sides, sides[::-1]):
        sender.rtcp.sendto(RTCP[kind], (ENGINE, sender.engine_port + 1))
        speak(sender, other)


def test_rtcp_before_the_answer_goes_nowhere(media: Media) -> None:
    ann, ben = Side(ANN), Side(BEN)
    ben.told(media.offer("early", "ann", ann.description()))
    ben.rtcp.sendto(APPLICATION, (ENGINE, ben.engine_port + 1))
    ann.told(media.answer("early", "ann", "ben", ben.description()))
    speak(ben, ann)
    media.delete("early")
    ann.close()
    ben.close()


def test_the_engine_keeps_one_port_for_each_side(sides: tuple[Side, Side]) -> None:
    for side in sides:
        assert re.search(rf":{side.engine_port:04X} ", open_ports())
        assert not re.search(rf":{side.engine_port + 1:04X} ", open_ports())


def test_a_stranger_who_sends_first_hears_next_to_nothing(media: Media) -> None:
    """Anybody can send to the engine's ports before a party does, which is a moment later."""
    ann, ben, stranger = Side(ANN), Side(BEN), Side("127.0.0.66")
    ben.told(media.offer("stranger", "ann", ann.description()))
    ann.told(media.answer("stranger", "ann", "ben", ben.description()))
    packet = b"\x80\x00\x00\x01" + struct.pack(">I", 160) + SOURCE + b"\xff" * 160
    for _ in range(250):  # for longer than the engine learns
        for speaker in (stranger, ann, ben):
            for side in (ann, ben):
                if speaker in (stranger, side):
                    speaker.rtp.sendto(packet, (ENGINE, side.engine_port))
        time.sleep(0.02)
    assert len(stranger.received()) < 5
    assert len(ann.received()) > 200
    assert len(ben.received()) > 200
    media.delete("stranger")
    for side in (ann, ben, stranger):
        side.close()


NOWHERE = "IP4 0.0.0.0"
HOLDS = {  # what one says, what the other answers to it, and what is told of both
    "by direction": ("sendonly", "", "recvonly", "", "sendonly", "recvonly"),
    "without a place": ("sendrecv", NOWHERE, "recvonly", "", "sendonly", "recvonly"),
    "without a place of version 6": ("sendrecv", "IP6 ::", "recvonly", "", "sendonly", "recvonly"),
    "both ways": ("sendonly", NOWHERE, "sendrecv", NOWHERE, "sendonly", "sendonly"),
    "of both": ("inactive", NOWHERE, "inactive", NOWHERE, "inactive", "inactive"),
}


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("style", sorted(HOLDS))
def test_a_call_is_held_and_resumed(
    media: Media, sides: tuple[Side, Side], style: str, turned: bool
) -> None:
    """Whichever way it is said (RFC 2543, RFC 3264) and by whom: the other side is told the
    direction, and the engine's address."""
    said, at, back, back_at, told, told_back = HOLDS[style]
    named = (("ann", sides[0]), ("ben", sides[1]))
    (holder, one), (held, two) = named[::-1] if turned else named
    offer = media.offer("call", holder, one.description(said, at))
    answer = media.answer("call", holder, held, two.description(back, back_at))
    assert [description.streams[0].direction for description in (offer, answer)] == [
        told, told_back,
    ]  # fmt: skip
    assert sdp.addresses(offer) == sdp.addresses(answer) == {ENGINE}
    two.told(media.offer("call", holder, one.description()))
    one.told(media.answer("call", holder, held, two.description()))
    speak(one, two)
    speak(two, one)


REFUSED = {
    "a hold": ("sendonly", "", "0"),
    "a hold without a place": ("sendrecv", NOWHERE, "0"),
    "a hold of both": ("inactive", NOWHERE, "0"),
    "another codec": ("sendrecv", "", "9"),
}


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("change", sorted(REFUSED))
def test_a_refused_change_changes_nothing(
    media: Media, sides: tuple[Side, Side], change: str, turned: bool
) -> None:
    direction, at, codec = REFUSED[change]
    holder, one = ("ben", sides[1]) if turned else ("ann", sides[0])
    offered = one.description(direction, at, codec)
    media.offer("call", holder, offered)
    for speaker, hearer in (sides, sides[::-1]):
        speak(speaker, hearer)


def open_ports() -> str:
    with open("/proc/net/udp") as table:
        return table.read()


KEY = "crypto:1 AES_CM_128_HMAC_SHA1_80 inline:"
ANNS_KEY, BENS_KEY = "A" * 40, "B" * 40


def phones_words(side: Side, srtp: str, key: str) -> sdp.Description:
    """How a phone speaks that must, may or must not encrypt, or is a browser."""
    text = sdp.write(side.description(), 1, 1).decode()
    if srtp == DTLS:
        text = text.replace("RTP/AVP", "UDP/TLS/RTP/SAVPF").replace("m=", "a=group:BUNDLE 0\r\nm=")
        for line in ("rtcp-mux", "setup:actpass", "mid:0", f"ice-ufrag:{key[:8]}",
                     f"ice-pwd:{key[:24]}", "fingerprint:sha-256 " + ":".join([key[:2]] * 32),
                     f"candidate:1 1 UDP 5 {side.host} {side.port} typ host"):  # fmt: skip
            text += f"a={line}\r\n"
        return places.unplaced(sdp.read(text.encode()))
    if srtp != OFF:
        text += f"a={KEY}{key}\r\n"
    if srtp == REQUIRED:
        text = text.replace("RTP/AVP", "RTP/SAVP")
    return sdp.read(text.encode())


@pytest.mark.parametrize("bens", [OFF, OPTIONAL, REQUIRED, DTLS])
@pytest.mark.parametrize("anns", [OFF, OPTIONAL, REQUIRED, DTLS])
def test_each_side_has_keys_of_its_own(media: Media, anns: str, bens: str) -> None:
    """No key of one side is told to the other, in either direction, and a side that must encrypt
    gets keys in a profile that demands them. Two browsers see that they speak to one engine."""
    call, ann, ben = f"{anns}-{bens}", Side(ANN), Side(BEN)
    for caller, called in (("ann", "ben"), ("ben", "ann")):
        terms = {"ann": anns, "ben": bens}
        sides = {"ann": (ann, anns, ANNS_KEY), "ben": (ben, bens, BENS_KEY)}
        there = Terms(terms[caller], terms[called])
        back = Terms(terms[called], terms[caller])
        names = {"ann": "caller", "ben": "called"}
        offer = media.offer(call, names[caller], phones_words(*sides[caller]), there)
        answer = media.answer(
            call, names[caller], names[called], phones_words(*sides[called]), back
        )
        for told, srtp in ((offer, terms[called]), (answer, terms[caller])):
            (stream,) = told.streams
            assert bool(stream.keys) == (srtp in (OPTIONAL, REQUIRED))
            assert (stream.profile == "RTP/SAVP") == (srtp == REQUIRED)
            assert stream.tunnelled == (srtp == DTLS)
            for words in (phones_words(*side) for side in sides.values()):
                assert not sdp.keys(words) & sdp.keys(told)
            assert stream.direction == "sendrecv"
        shared = sdp.keys(offer) & sdp.keys(answer)
        assert all(one.startswith("SHA-256 ") and anns == bens == DTLS for one in shared)
    media.delete(call)
    ann.close()
    ben.close()


@pytest.mark.parametrize("other", [OFF, REQUIRED])
def test_a_browser_that_calls_without_an_offer_is_offered_its_sound(
    media: Media, other: str
) -> None:
    """And answers in the ACK; a change of the call by either side keeps its name of the stream."""
    call, ann, ben = f"late-{other}", Side(ANN), Side(BEN)
    to_ann, to_ben = Terms(other, DTLS), Terms(DTLS, other)
    words = phones_words(ben, other, BENS_KEY)
    offer = media.offer(call, "called", words, Terms(other, DTLS, new=True))
    (stream,) = offer.streams
    assert (stream.tunnelled, stream.dtls.setup) == (True, "actpass")
    anns = phones_words(ann, DTLS, ANNS_KEY)
    mine = replace(anns.streams[0].dtls, mid=stream.dtls.mid, setup="passive")
    anns = replace(anns, streams=[replace(anns.streams[0], dtls=mine)])
    answer = media.answer(call, "called", "caller", anns, to_ben)
    assert not answer.streams[0].tunnelled
    again = media.offer(call, "called", phones_words(ben, other, BENS_KEY), to_ann).streams[0]
    mine = replace(mine, setup="actpass")
    media.offer(
        call, "caller", replace(anns, streams=[replace(anns.streams[0], dtls=mine)]), to_ben
    )
    last = media.answer(call, "caller", "called", words, to_ann).streams[0]
    assert last.dtls.mid == again.dtls.mid == stream.dtls.mid
    assert last.dtls.ufrag == again.dtls.ufrag == stream.dtls.ufrag
    assert last.dtls.fingerprint == stream.dtls.fingerprint
    media.delete(call)
    ann.close()
    ben.close()


def test_sound_that_must_be_encrypted_and_is_not_is_refused(media: Media) -> None:
    ann = Side(ANN)
    with pytest.raises(sdp.Unacceptable):
        media.offer("plain", "caller", phones_words(ann, OFF, ""), Terms(REQUIRED, OFF))
    with pytest.raises(sdp.Unacceptable):
        media.offer("off", "caller", phones_words(ann, REQUIRED, ANNS_KEY), Terms(OFF, OFF))
    ann.close()


@pytest.mark.parametrize("bens", [OFF, OPTIONAL])
@pytest.mark.parametrize(
    ("srtp", "profile"), [(REQUIRED, "RTP/SAVP"), (OPTIONAL, "RTP/AVP"), (OFF, "RTP/AVP")]
)
def test_who_demands_encryption_is_not_offered_plain_sound_later(
    media: Media, srtp: str, profile: str, bens: str
) -> None:
    """Where both are allowed: a telephone that wants its sound encrypted would refuse that, or take
    it. Who knows keys beside plain sound gets them again, and who does not encrypt may begin to."""
    call, ann, ben = f"later-{srtp}-{bens}", Side(ANN), Side(BEN)
    there, back = Terms(OPTIONAL, bens), Terms(bens, OPTIONAL)
    media.offer(call, "caller", phones_words(ann, srtp, ANNS_KEY), there)
    answer = media.answer(call, "caller", "called", phones_words(ben, OFF, ""), back)
    offer = media.offer(call, "called", ben.description("sendonly"), back)
    assert offer.streams[0].profile == profile
    assert sdp.keys(answer) <= sdp.keys(offer)
    assert sdp.keys(offer)
    media.delete(call)
    ann.close()
    ben.close()


@pytest.mark.parametrize("srtp", [OFF, REQUIRED])
@pytest.mark.parametrize("order", [(OFF, REQUIRED), (REQUIRED, OFF)])
def test_of_sound_offered_encrypted_and_plain_one_is_taken(
    media: Media, order: tuple[str, str], srtp: str
) -> None:
    """And it is heard: the other stream is refused, and not the call."""
    call, ann, ben = f"both-{order[0]}-{srtp}", Side(ANN), Side(BEN)
    one, two = (phones_words(ann, each, ANNS_KEY) for each in order)
    offered = replace(one, streams=[*one.streams, *two.streams])
    offer = media.offer(call, "caller", offered, Terms(srtp, OFF))
    ports = [stream.port > 0 for stream in offer.streams]
    assert ports == [each == srtp for each in order]
    place = ports.index(True)
    ben.engine_port = offer.streams[place].port
    bens = ben.description().streams[0]
    given = replace(offer, address=f"IP4 {BEN}", streams=[
        replace(bens, port=bens.port if taken else 0) for taken in ports
    ])  # fmt: skip
    answer = media.answer(call, "caller", "called", given, Terms(OFF, srtp))
    assert [stream.port > 0 for stream in answer.streams] == ports
    assert bool(sdp.keys(answer)) == (srtp == REQUIRED)
    if srtp == OFF:
        ann.engine_port = answer.streams[place].port
        speak(ann, ben)
        speak(ben, ann)
    media.delete(call)
    ann.close()
    ben.close()


@pytest.mark.parametrize(
    "line",
    [
        "crypto:1 NULL_HMAC_SHA1_80 inline:" + "A" * 40,
        f"{KEY}{'A' * 40} UNENCRYPTED_SRTP",
        f"{KEY}{'A' * 40}|2^20|1:4",
        f"{KEY}{'A' * 39}",
        f"{KEY}{'A' * 41}",
        "fingerprint:sha-256 00:11",
    ],
)
def test_a_key_that_protects_nothing_is_no_key(line: str) -> None:
    text = f"v=0\nc=IN IP4 {ANN}\nm=audio 9 RTP/SAVP 0\na={line}\n"
    with pytest.raises(sdp.Unacceptable, match="no key"):
        sdp.read(text.encode())


def test_an_announcement_is_encrypted_for_who_must_encrypt(media: Media, tmp_path: Path) -> None:
    """Under the key that the caller was told, and nobody's is told but the engine's."""
    file = tmp_path / "prompt.wav"
    tone.write(file, 440)
    ann = Side(ANN)
    offered = phones_words(ann, REQUIRED, ANNS_KEY)
    relayed = media.offer("told", "caller", offered, Terms(sender=REQUIRED))
    answer = media.answer("told", "caller", "called", nobody(relayed), Terms(receiver=REQUIRED))
    assert media.play("told", "caller", str(file)) == 1000 * tone.SECONDS_WRITTEN
    (key,) = sdp.keys(answer)
    assert key != ANNS_KEY
    sound = until(lambda: [one for one in ann.received() if one[1] & 127 == 0])
    assert all(authentic(packet, key) for packet in sound)
    assert not any(authentic(packet, ANNS_KEY) for packet in sound)
    media.delete("told")
    ann.close()


def authentic(packet: bytes, key: str) -> bool:
    """Whether an SRTP packet (RFC 3711 4.2, 4.3) of a fresh stream was made with a key."""
    material = base64.b64decode(key + "=" * (-len(key) % 4))
    salt = bytearray(material[16:30] + b"\0\0")
    salt[7] ^= 1  # the label of the authentication key
    cipher = Cipher(algorithms.AES(material[:16]), modes.CTR(bytes(salt)))
    session = cipher.encryptor().update(bytes(20))
    tag = hmac.new(session, packet[:-10] + bytes(4), hashlib.sha1).digest()
    return tag[:10] == packet[-10:]
