"""A real browser calls a real telephone, and is called by one: they hear each other, and nothing of
one is told to the other."""

import asyncio
import re
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from acceptance.chromium import Chromium, browser, site
from acceptance.peers import Peer, accept, reply
from acceptance.phones import capture, packets
from acceptance.service import Service, at_work, free_port, until
from acceptance.test_leak import PROXY_NUMBER, leaks, open_session
from acceptance.test_phones import (
    ANN,
    ANN_HOST,
    ANN_TONE,
    BEN,
    BEN_HOST,
    BEN_TONE,
    HEARD_SECONDS,
    TALK_SECONDS,
    Telephone,
    dialled,
    passing,
    telephone,
    tone,
)
from authority import Authority

pytestmark = pytest.mark.xdist_group("phones")

BROWSERS = """\
[[carriers]]
name = "pages"
[carriers.sip]
address = "192.0.2.20:5060"
inbound_username = "page"
inbound_password = "long and random"
srtp = "dtls"
"""
PHONES = """\
srtp = "dtls"
[[carriers]]
name = "phones"
[carriers.sip]
address = "192.0.2.20:5060"
sources = ["127.0.0.11/32"]
"""
PUBLIC = re.compile("UDP/TLS/RTP/SAVPF|telephone-event/")
NEAR_HERTZ, SECONDS, MOMENT = 20, 10.0, 0.3
# Every attribute that a browser is told.
TOLD = re.compile(
    r"a=(?:group:BUNDLE \w+|rtpmap:\d+ [\w./-]+|fmtp:\d+ [\w;=,-]+|mid:\w+|ice-ufrag:\w{8}"
    r"|ice-pwd:\w{26}|fingerprint:sha-256 (?:[0-9A-F]{2}:){31}[0-9A-F]{2}|setup:\w+"
    r"|candidate:\w+ 1 UDP \d+ (?:127\.0\.0\.1|::1) \d+ typ host|ptime:\d+"
    r"|sendrecv|sendonly|recvonly|inactive|rtcp-mux)"
)


@dataclass
class Encrypting(Telephone):
    """A telephone that encrypts by keys in its description, and takes nothing else."""

    def _write_configuration(self, control_port: int) -> None:
        super()._write_configuration(control_port)
        for name, old, new in (
            ("config", "module account.so", "module srtp.so\nmodule account.so"),
            ("accounts", "answermode=manual", "answermode=manual;mediaenc=srtp-mand"),
        ):
            file = self.folder / name
            file.write_text(file.read_text().replace(old, new))


@contextmanager
def at_page(folder: Path, page: str, frequency: int) -> Iterator[Chromium]:
    voice = folder / "browser.wav"
    tone.write(voice, frequency)
    with browser(folder / "browser", voice, page, "--ignore-certificate-errors") as one:
        yield one


def hears(one: Chromium, frequency: int) -> None:
    """Waits until the browser hears this tone above all else."""
    until(lambda: abs(one.call("heard")["hertz"] - frequency) < NEAR_HERTZ, 10, f"{frequency} Hz")


def secrets_of(one: Chromium) -> tuple[bytes, ...]:
    """What a browser said that is long enough to be searched for."""
    said = "".join(one.run("sent")) + one.run("connection.localDescription.sdp")
    found = set(re.findall(r"[A-Za-z0-9+/-]{16,}|[0-9A-F:]{95}|\w+\.invalid", said))
    for address in re.findall(r"candidate:\S+ 1 udp \d+ (\S+) ", said):
        found |= {address} - {"127.0.0.1", "::1"}
    return tuple(text.encode() for text in found if not PUBLIC.match(text))


@pytest.mark.parametrize(
    ("transport", "srtp", "late"), [("ws", "off", False), ("wss", "required", True)]
)
def test_a_page_calls_a_telephone(tmp_path: Path, transport: str, srtp: str, late: bool) -> None:
    """Over each transport and to sound of each kind, with an offer in the INVITE or in its
    answer."""
    own = tmp_path / "service"
    own.mkdir()
    us, port = Authority(tmp_path).issue("us", "127.0.0.1"), free_port()
    with site() as page:
        service = Service(
            own, carrier_host=BEN_HOST, carrier_port=free_port(BEN_HOST), sources=f"{BEN_HOST}/32",
            carrier_settings=f'srtp = "{srtp}"\n{BROWSERS}',
            listen=(f"{transport}:127.0.0.1:{port}",),
            sip_settings=f'websocket_origins = ["{page.rstrip("/")}"]\n{us.for_sip}',
        )  # fmt: skip
        for started in at_work(service):
            open_session(started)
            with at_page(tmp_path, page, ANN_TONE) as ann:
                ann.call("connect", f"{transport}://127.0.0.1:{port}", "page", "long and random")
                ann.call("listen", {"bundlePolicy": "max-bundle", "video": not late})
                asyncio.run(page_calls(started, tmp_path, ann, late=late))


async def page_calls(service: Service, folder: Path, ann: Chromium, *, late: bool) -> None:
    make = Encrypting if "required" in service.carrier_settings else Telephone
    ben = make(BEN, BEN_HOST, "", folder / "ben-phone", service.carrier_port)
    tape = folder / "capture.pcap"
    with capture(service, tape, "udp"):  # the telephone may want its sound elsewhere
        async with telephone(ben, BEN_TONE):
            ann.run(
                f"void (globalThis.dialled = dial('{ANN}', '{PROXY_NUMBER}', 'proxy', {int(late)}))"
            )
            await ben.until("CALL_INCOMING")
            await ben.press("accept")
            assert ann.run("dialled") == 200
            await talk(service, ann, ben)
            assert ann.call("hangUp") == 200
            await ben.until("CALL_CLOSED")
    (recording,) = ben.folder.glob("dump-*-dec.wav")
    assert tone.seconds_of(recording, ANN_TONE) >= HEARD_SECONDS
    assert tone.seconds_of(recording, BEN_TONE) == 0
    assert_nothing_told(ann, packets(tape))


async def talk(service: Service, ann: Chromium, ben: Telephone) -> None:
    """They hear each other, each holds the other, and they hear each other again."""
    hears(ann, BEN_TONE)
    await asyncio.sleep(TALK_SECONDS)
    for direction in ("inactive", "sendrecv"):
        assert ann.call("change", direction) == 200
        await until_sound(service, passes=direction == "sendrecv")
    hears(ann, BEN_TONE)
    for command in ("hold", "resume"):
        await ben.press(command)
        await until_sound(service, passes=command == "resume")
    assert ann.call("change", "sendrecv", {"iceRestart": True}) == 200
    await until_sound(service, passes=True)
    hears(ann, BEN_TONE)
    counted = ann.call("counted")
    assert counted["transport"]["dtlsState"] == "connected"
    assert counted["inbound-rtp"]["totalAudioEnergy"] > 0
    told = told_to_strangers(ann.run("connection.remoteDescription.sdp"))
    assert b"maskline" in told
    assert b"rtpengine" not in told


def told_to_strangers(description: str) -> bytes:
    """What whoever asks where the browser's sound goes is answered (RFC 8489): that there is an
    attribute that nobody knows."""
    port = re.search(r"a=candidate:\S+ 1 udp \d+ \S+ (\d+) typ host", description)
    assert port
    family = socket.AF_INET6 if " ::1 " in port[0] else socket.AF_INET
    asked = struct.pack(">HHI12sHH", 1, 4, 0x2112A442, b"a transaction"[:12], 0x0666, 0)
    with socket.socket(family, socket.SOCK_DGRAM) as stranger:
        stranger.settimeout(5)
        stranger.sendto(asked, ("::1" if family is socket.AF_INET6 else "127.0.0.1", int(port[1])))
        return stranger.recv(2048)


async def until_sound(service: Service, *, passes: bool) -> None:
    """Until sound passes by IPv4, as the telephone has it, or does not; to the browser it may go by
    IPv6."""
    async with asyncio.timeout(SECONDS):
        while bool(await passing(service, MOMENT)) != passes:
            pass


def assert_nothing_told(ann: Chromium, taped: list[tuple[str, bytes]]) -> None:
    """Neither in what the telephone received, sound included, nor in what the browser did."""
    secrets = secrets_of(ann)
    assert len(secrets) > 10
    spoken = [payload for _, payload in taped if b"SIP/2.0" in payload]
    assert len(spoken) > 8
    assert len(taped) > len(spoken) + 100
    told = [("", payload) for _, payload in taped]
    assert not leaks(told, {"": (*secrets, ANN[1:].encode(), b"Page 1.0")})
    for word in (b"a=ice", b"a=cand", b"a=finger", b"a=setup", b"a=mid", b"a=group", b"ssrc"):
        assert not [payload for payload in spoken if word in payload]
    heard = [("", text.encode()) for text in ann.run("received")]
    assert not leaks(heard, {"": (BEN[1:].encode(), BEN_HOST.encode(), b"baresip")})
    for _, text in heard:
        for line in text.decode().split("\r\n"):
            assert not line.startswith("a=") or TOLD.fullmatch(line), line


def test_a_telephone_calls_a_browser(tmp_path: Path) -> None:
    """Behind a server of its own, which passes descriptions on as they are."""
    own = tmp_path / "service"
    own.mkdir()
    with site() as page, at_page(tmp_path, page, BEN_TONE) as ben:
        ben.call("listen")
        gateway = Peer(lambda peer, request: answers(ben, peer, request), host=BEN_HOST)
        service = Service(
            own, carrier_host=BEN_HOST, carrier_port=gateway.port, sources=f"{BEN_HOST}/32",
            carrier_settings=PHONES,
        )  # fmt: skip
        for started in at_work(service):
            open_session(started)
            asyncio.run(telephone_calls(started, tmp_path, ben, gateway))
        gateway.close()


def answers(ben: Chromium, peer: Peer, request: str) -> list[str]:
    """What the browser's server says to each request."""
    if not request.startswith("INVITE "):
        return accept(peer, request)
    body = ben.call("answered", request.partition("\r\n\r\n")[2])
    return [reply(request, 200, peer.where, body)]


async def telephone_calls(service: Service, folder: Path, ben: Chromium, gateway: Peer) -> None:
    ann = Telephone(ANN, ANN_HOST, "", folder / "ann-phone", free_port(ANN_HOST))
    tape = folder / "capture.pcap"
    with capture(service, tape, "udp"):  # the telephone may want its sound elsewhere
        async with telephone(ann, ANN_TONE):
            await ann.press("dial", dialled(service))
            await ann.until("CALL_ESTABLISHED")
            await asyncio.to_thread(hears, ben, ANN_TONE)
            await asyncio.sleep(TALK_SECONDS)
            for command in ("hold", "resume"):
                await ann.press(command)
                await until_sound(service, passes=command == "resume")
            await asyncio.to_thread(hears, ben, ANN_TONE)
            await ann.press("hangup")
            await ann.until("CALL_CLOSED")
    await asyncio.to_thread(until, lambda: gateway.of("BYE"))
    (recording,) = ann.folder.glob("dump-*-dec.wav")
    assert tone.seconds_of(recording, BEN_TONE) >= HEARD_SECONDS
    assert tone.seconds_of(recording, ANN_TONE) == 0
    offers = gateway.of("INVITE")
    assert len(offers) >= 3
    for offer in offers:
        assert re.search("^m=audio \\d+ UDP/TLS/RTP/SAVPF ", offer, re.MULTILINE)
        attributes = [line for line in offer.split("\r\n") if line.startswith("a=")]
        assert all(map(TOLD.fullmatch, attributes)), attributes
    told = [("", payload) for _, payload in packets(tape)]
    told = [one for one in told if not is_for(gateway, one[1])]
    assert len(told) > 100
    assert not leaks(told, {"": secrets_of(ben)})


def is_for(gateway: Peer, packet: bytes) -> bool:
    """Whether a UDP packet is to the browser's server, which knows all that the browser said."""
    return int.from_bytes(packet[2:4], "big") == gateway.port
