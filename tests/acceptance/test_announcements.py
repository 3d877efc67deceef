"""What callers hear before an answer: a network's own sound, or, refused, a file's tone as RTP from
the real rtpengine, then the refusal."""

import asyncio
import math
import os
import re
import socket
import struct
import sys
import time
import wave
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from acceptance.peers import SDP, Peer, header, reply
from acceptance.plain_phone import ALICE, BOB, Phone
from acceptance.service import Service, at_work, free_port, running, until
from acceptance.test_leak import open_session
from acceptance.test_phones import ANN_HOST, ANN_TONE, Telephone, dialled, service_for, telephone

from maskline.engines.recording.sound import linear

sys.path.append(str(Path(__file__).parents[2] / "demo"))
import tone

UNKNOWN, CLOSED, NETWORK, SECONDS = 440, 880, 400, 1
LOUD, QUIET = 0xD5 ^ 0x30, 0x55 ^ 0x30  # one sample above and one below nought, in A-law
STRANGER = "+12065550177"
SETTINGS = """\
announcements.unknown_caller = "unknown.wav"
announcements.session_closed = "closed.wav"
announcements.most_at_once = 2
"""


def prompt(path: Path, frequency: int, seconds: float = SECONDS) -> None:
    tone.write(path, frequency)
    with wave.open(str(path)) as whole:
        samples = whole.readframes(int(seconds * tone.RATE))
    with wave.open(str(path), "wb") as cut:
        cut.setparams((1, 2, tone.RATE, 0, "NONE", ""))
        cut.writeframes(samples)


class Caller(Phone):
    """A phone that listens to what it is sent before an answer."""

    def __init__(self, service: Service) -> None:
        super().__init__(service)
        self.rtp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.rtp.bind(("127.0.0.1", 0))
        self.sound = b""

    def call(self, caller: str, more: str = "", offer: bool = True) -> str:
        sdp = (
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
            f"m=audio {self.rtp.getsockname()[1]} RTP/AVP 9 8 101\r\na=rtpmap:8 PCMA/8000\r\n"
            "a=rtpmap:101 telephone-event/8000\r\n"
        )
        sent = self.invite(caller=caller, more=more, body=sdp if offer else "")
        self.send(sent)
        return sent

    def first(self) -> str:
        """The next reply but 100."""
        while (text := self.receive()).startswith("SIP/2.0 100"):
            pass
        return text

    def acknowledge(self, sent: str, answer: str) -> None:
        via, to = header(sent, "Via"), header(answer, "To")
        target = sent.split(" ")[1]
        self.send(
            f"ACK {target} SIP/2.0\r\nVia: {via}\r\nFrom: {header(sent, 'From')}\r\nTo: {to}\r\n"
            f"Call-ID: {header(sent, 'Call-ID')}\r\nCSeq: 1 ACK\r\nMax-Forwards: 70\r\n"
            "Content-Length: 0\r\n\r\n"
        )

    def cancel(self, sent: str) -> None:
        self.send(
            f"CANCEL {sent.split(' ')[1]} SIP/2.0\r\nVia: {header(sent, 'Via')}\r\n"
            f"From: {header(sent, 'From')}\r\nTo: {header(sent, 'To')}\r\n"
            f"Call-ID: {header(sent, 'Call-ID')}\r\nCSeq: 1 CANCEL\r\nMax-Forwards: 70\r\n"
            "Content-Length: 0\r\n\r\n"
        )

    def heard(self, path: Path) -> Path:
        """All sound that has come, as a file."""
        self.rtp.setblocking(False)
        with suppress(BlockingIOError):
            while packet := self.rtp.recv(2048):
                if packet[1] & 127 == 8:
                    self.sound += linear(8, packet[12:])
        with wave.open(str(path), "wb") as out:
            out.setparams((1, 2, tone.RATE, 0, "NONE", ""))
            out.writeframes(self.sound)
        return path

    def close(self) -> None:
        self.socket.close()
        self.rtp.close()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("announcements")
    prompt(folder / "unknown.wav", UNKNOWN)
    prompt(folder / "closed.wav", CLOSED)
    for service in running(folder, more_settings=SETTINGS):
        open_session(service)
        yield service


@pytest.fixture
def caller(service: Service) -> Iterator[Caller]:
    phone = Caller(service)
    yield phone
    phone.close()


def latest(service: Service, who: str) -> dict[str, Any]:
    return next((one for one in service.calls() if one["CallerPhoneNumber"] == who), {})


def test_a_stranger_hears_why(service: Service, caller: Caller, tmp_path: Path) -> None:
    sent = caller.call(STRANGER)
    progress = caller.first()
    assert progress.startswith("SIP/2.0 183 ")
    body = progress.partition("\r\n\r\n")[2]
    assert "a=sendonly" in body
    assert "RTP/AVP 8" in body
    for secret in (ALICE, BOB):
        assert secret[1:] not in progress
    refusal = caller.first()
    assert refusal.startswith("SIP/2.0 404 ")
    assert header(refusal, "To") == header(progress, "To")
    caller.acknowledge(sent, refusal)
    until(lambda: caller.silent(1.2))  # nothing is sent again once the ACK is there
    heard = caller.heard(tmp_path / "heard.wav")
    assert tone.seconds_of(heard, UNKNOWN) > 0.5 * SECONDS
    assert tone.seconds_of(heard, CLOSED) == 0
    record = until(lambda: "EndedBy" in (found := latest(service, STRANGER)) and found)
    assert (record["Reason"], record["SipStatus"], record["EndedBy"]) == (
        "unknown-caller", 404, "us",
    )  # fmt: skip


def test_a_network_may_be_heard_before_the_answer(
    service: Service, caller: Caller, tmp_path: Path
) -> None:
    """What a 183 describes (RFC 3960) passes while nobody has answered."""
    line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    line.bind(("127.0.0.1", 0))
    described = SDP.replace("17000", str(line.getsockname()[1])).replace("8 0 101", "8")
    peer = Peer(lambda peer, request: network(peer, request, described), port=service.carrier_port)
    sent = caller.call(ALICE)
    progress = caller.first()
    assert progress.startswith("SIP/2.0 183 ")
    found = re.search(r"^m=audio (\d+) ", peer.of("INVITE")[0], re.MULTILINE)
    assert found
    speak(line, int(found[1]))
    early = tmp_path / "early.wav"
    until(lambda: tone.seconds_of(caller.heard(early), NETWORK) > 0.5)
    caller.cancel(sent)
    assert {caller.first()[8:11], caller.first()[8:11]} == {"200", "487"}
    peer.close()
    line.close()


def network(peer: Peer, request: str, described: str) -> list[str]:
    """One that speaks itself: the number is out of order, say."""
    if request.startswith("INVITE"):
        return [reply(request, 183, peer.where, described)]
    if request.startswith("CANCEL"):
        return [reply(request, 200), reply(peer.of("INVITE")[0], 487)]
    return []


def speak(line: socket.socket, port: int) -> None:
    """A second of a tone as RTP."""
    samples = [math.sin(2 * math.pi * NETWORK * n / tone.RATE) for n in range(tone.RATE)]
    coded = bytes(LOUD if sample > 0 else QUIET for sample in samples)
    for number in range(50):
        head = struct.pack(">BBHII", 0x80, 8, number, 160 * number, 1)
        line.sendto(head + coded[160 * number : 160 * number + 160], ("127.0.0.1", port))
        time.sleep(0.005)


def test_no_more_than_so_many_hear_it_at_once(service: Service, tmp_path: Path) -> None:
    """The others are refused at once, and none of them stays without an answer."""
    callers = [Caller(service) for _ in range(4)]
    sent = [phone.call(STRANGER) for phone in callers]
    first = [phone.first()[8:11] for phone in callers]
    assert sorted(first) == ["183", "183", "404", "404"]
    for phone, invite, status in zip(callers, sent, first, strict=True):
        if status == "183":
            phone.acknowledge(invite, answer := phone.first())
            assert answer.startswith("SIP/2.0 404 ")
        phone.close()


@pytest.mark.parametrize(("more", "offer"), [("", False), ("Require: 100rel\r\n", True)])
def test_who_cannot_hear_it_is_refused_at_once(
    service: Service, caller: Caller, more: str, offer: bool
) -> None:
    caller.call(STRANGER, more, offer)
    assert caller.first().startswith("SIP/2.0 404 ")


def test_each_reason_has_its_own(service: Service, caller: Caller, tmp_path: Path) -> None:
    service.close_sessions()
    sent = caller.call(ALICE)
    progress = caller.first()
    assert progress.startswith("SIP/2.0 183 ")
    assert BOB[1:] not in progress
    caller.acknowledge(sent, refusal := caller.first())
    assert refusal.startswith("SIP/2.0 404 ")
    assert BOB[1:] not in refusal
    heard = caller.heard(tmp_path / "heard.wav")
    assert tone.seconds_of(heard, CLOSED) > 0.5 * SECONDS
    until(lambda: latest(service, ALICE).get("Reason") == "session-closed")


def test_whoever_hangs_up_hears_no_more(service: Service, caller: Caller, tmp_path: Path) -> None:
    sent = caller.call(STRANGER)
    assert caller.first().startswith("SIP/2.0 183 ")
    caller.cancel(sent)
    answers = {header(text, "CSeq"): text for text in (caller.first(), caller.first())}
    assert answers["1 CANCEL"].startswith("SIP/2.0 200 ")
    assert answers["1 INVITE"].startswith("SIP/2.0 487 ")
    caller.acknowledge(sent, answers["1 INVITE"])
    before = caller.heard(tmp_path / "before.wav").stat().st_size
    time.sleep(0.3)
    assert caller.heard(tmp_path / "after.wav").stat().st_size == before


def test_nothing_of_it_stays_in_rtpengine(service: Service) -> None:
    until(lambda: not held_ports(service))


def test_a_real_telephone_hears_it(tmp_path: Path) -> None:
    """baresip, over TCP."""
    own = tmp_path / "service"
    own.mkdir()
    prompt(own / "unknown.wav", UNKNOWN, 4 * SECONDS)
    prompt(own / "closed.wav", CLOSED)
    service = service_for(own, "tcp", free_port(), {})
    service.config.write_text(SETTINGS + service.config.read_text())
    for started in at_work(service):
        open_session(started)
        ann = Telephone(
            STRANGER, ANN_HOST, "", tmp_path / "phone", free_port(ANN_HOST), transport="tcp"
        )
        asyncio.run(dial_and_listen(ann, dialled(started)))
        heard = sorted(ann.folder.glob("dump-*-dec.wav"))
        assert sum(tone.seconds_of(file, UNKNOWN) for file in heard) >= SECONDS


async def dial_and_listen(ann: Telephone, number: str) -> None:
    async with telephone(ann, ANN_TONE):
        await ann.press("dial", number)
        await ann.until("CALL_PROGRESS")
        closed = await ann.until("CALL_CLOSED")
        assert closed["param"].startswith("404"), closed


def held_ports(service: Service) -> list[int]:
    """The ports for sound that rtpengine holds."""
    first, last = service.media_ports
    held = set()
    for one in Path(f"/proc/{service.engine_pid('rtpengine')}/fd").iterdir():
        with suppress(FileNotFoundError):  # it was closed meanwhile
            held.add(os.readlink(one))
    lines = [line.split() for line in Path("/proc/net/udp").read_text().splitlines()[1:]]
    ports = [int(line[1].split(":")[1], 16) for line in lines if f"socket:[{line[9]}]" in held]
    return [port for port in ports if first <= port <= last]
