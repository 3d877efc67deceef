"""Real telephones (baresip) on both sides of the proxy number: sound both ways, keys heard, silence
while one holds and sound afterwards, over UDP, over TCP, and over TLS with the sound encrypted."""

import asyncio
import socket
import sys
import time
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from acceptance.service import Service, at_work, free_port
from acceptance.test_leak import PROXY_NUMBER, open_session
from authority import Authority, Pair

from maskline.engines.recording.sound import linear

sys.path.append(str(Path(__file__).parents[2] / "demo"))
import phone as demo_phone
import tone

ANN, BEN = "+12065550100", "+14015550101"
ANN_HOST, BEN_HOST = "127.0.0.11", "127.0.0.12"
ANN_TONE, BEN_TONE = 440, 880
TALK_SECONDS, HEARD_SECONDS = 2.0, 1.2
SETTLING_SECONDS, PASSED_SECONDS = 0.3, 0.8
KEYS = "5*0#"
PCMU = 0
IP_HEADER, UDP_HEADER, RTP_HEADER = 20, 8, 12  # bytes

# baresip calls by TCP from the address that the way leads over, not from its own.
HOSTS = f'{ANN_HOST}/32", "{BEN_HOST}/32", "127.0.0.1/32'
SECURE = 'srtp = "required"\nprobe_seconds = 0\n[carriers.sip.tls]\nca = "{ca}"'


@dataclass
class Telephone(demo_phone.Phone):
    """One that is reached directly, over a transport of our choice."""

    transport: str = "udp"
    pair: Pair | None = None

    def _write_configuration(self, control_port: int) -> None:
        chosen = self.sip_port
        super()._write_configuration(control_port)
        given, self.sip_port = self.sip_port, chosen
        config = (self.folder / "config").read_text()
        config = config.replace(f"sip_listen {self.address}:{given}", self._listening_at())
        media = ";mediaenc=srtp-mand" if self.pair else ""
        if self.pair:
            both = self.folder / "pair.pem"
            both.write_text(self.pair.certificate.read_text() + self.pair.key.read_text())
            config = config.replace("module account.so", "module srtp.so\nmodule account.so")
            config += f"sip_certificate {both}\nsip_cafile {self.pair.ca}\n"
        (self.folder / "config").write_text(config)
        account = f"<sip:{self.number}@{self.address};transport={self.transport}>"
        (self.folder / "accounts").write_text(f"{account};regint=0;answermode=manual{media}\n")

    def _listening_at(self) -> str:
        # baresip listens for TLS one port above.
        port = self.sip_port - 1 if self.pair else self.sip_port
        return f"sip_listen {self.address}:{port}"


@asynccontextmanager
async def telephone(one: Telephone, frequency: int) -> AsyncIterator[Telephone]:
    one.folder.mkdir()
    tone.write(one.voice, frequency)
    await one.start()
    try:
        yield one
    finally:
        await one.stop()


def service_for(folder: Path, transport: str, port: int, pairs: dict[str, Pair]) -> Service:
    if transport != "tls":
        return Service(
            folder, transport=transport, carrier_host=BEN_HOST, carrier_port=port,
            sources=HOSTS,
        )  # fmt: skip
    us = pairs["us"]
    return Service(
        folder, transport="tls", carrier_host=BEN_HOST, carrier_port=port, sources=HOSTS,
        listen=(f"tls:127.0.0.1:{free_port()}",),
        sip_settings=us.for_sip,
        carrier_settings=SECURE.format(ca=us.ca),
    )  # fmt: skip


def dialled(service: Service) -> str:
    """The proxy number as Ann dials it."""
    own = service.listen[0].partition(":")[2] if service.listen else service.sip
    return f"sip:{PROXY_NUMBER}@{own}"  # the account adds the transport


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
def test_two_people_talk(tmp_path: Path, transport: str) -> None:
    authority = Authority(tmp_path)
    pairs = {
        "us": authority.issue("us", "127.0.0.1"),
        "ann": authority.issue("ann", ANN_HOST),
        "ben": authority.issue("ben", BEN_HOST),
    }
    own = tmp_path / "service"
    own.mkdir()
    port = free_port(BEN_HOST)
    service = service_for(own, transport, port, pairs)
    for started in at_work(service):
        open_session(started)
        asyncio.run(talk(started, tmp_path, transport, port, pairs))


async def talk(
    service: Service, folder: Path, transport: str, port: int, pairs: dict[str, Pair]
) -> None:
    encrypted = transport == "tls"
    ann = Telephone(
        ANN, ANN_HOST, "", folder / "ann-phone", free_port(ANN_HOST), transport=transport,
        pair=pairs["ann"] if encrypted else None,
    )  # fmt: skip
    ben = Telephone(
        BEN, BEN_HOST, "", folder / "ben-phone", port, transport=transport,
        pair=pairs["ben"] if encrypted else None,
    )  # fmt: skip
    async with telephone(ann, ANN_TONE), telephone(ben, BEN_TONE):
        await ann.press("dial", dialled(service))
        rang = await ben.until("CALL_INCOMING")
        assert f"sip:{PROXY_NUMBER}@" in rang["peeruri"]
        await ben.press("accept")
        await ann.until("CALL_ESTABLISHED")
        await asyncio.sleep(TALK_SECONDS)
        for presser, other in ((ann, ben), (ben, ann)):
            await press_keys(presser, other)
        holder = ann if transport == "tcp" else ben
        streams = 4 if encrypted else 2  # rtpengine has a call for each side then
        await holder.press("hold")
        await until_passing(service, 0)
        held = await passing(service)
        await holder.press("resume")
        await until_passing(service, streams)
        resumed = await passing(service)
        await ann.press("hangup")
        await ben.until("CALL_CLOSED")
    assert not held
    assert len(resumed) == streams
    if not encrypted:
        files = [as_file(rtp, folder / f"{port}.wav") for port, rtp in resumed.items()]
        for frequency in (ANN_TONE, BEN_TONE):
            one, other = sorted(tone.seconds_of(file, frequency) for file in files)
            assert one == 0
            assert other >= PASSED_SECONDS / 2
    for hearer, said, own in ((ben, ANN_TONE, BEN_TONE), (ann, BEN_TONE, ANN_TONE)):
        # baresip 1.0 stops its recording when it is held, and begins none when that ends.
        (recording,) = hearer.folder.glob("dump-*-dec.wav")
        assert tone.seconds_of(recording, said) >= HEARD_SECONDS
        assert tone.seconds_of(recording, own) == 0


async def press_keys(presser: Telephone, other: Telephone) -> None:
    for key in KEYS:
        await presser.press("sndcode", key)
        pressed = await other.until("CALL_DTMF_START")
        assert pressed["param"] == key


async def until_passing(service: Service, streams: int) -> None:
    """Until so many streams of sound leave rtpengine."""
    async with asyncio.timeout(demo_phone.SECONDS):
        while len(await passing(service, SETTLING_SECONDS)) != streams:
            pass


async def passing(service: Service, seconds: float = PASSED_SECONDS) -> dict[int, list[bytes]]:
    """The sound that passes within a while, as RTP, by the port of rtpengine's that it comes from:
    each side has its own. Whether a phone still listens does not matter."""
    found: dict[int, list[bytes]] = {}
    first, last = service.media_ports
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP) as ear:
        ear.setblocking(False)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            await asyncio.sleep(0.02)
            with suppress(BlockingIOError):
                while udp := ear.recv(2048)[IP_HEADER:]:
                    port, rtp = int.from_bytes(udp[:2], "big"), udp[UDP_HEADER:]
                    if first <= port <= last and len(rtp) > RTP_HEADER and rtp[1] & 127 == PCMU:
                        found.setdefault(port, []).append(rtp)
    return found


def as_file(rtp: list[bytes], path: Path) -> Path:
    with wave.open(str(path), "wb") as out:
        out.setparams((1, 2, tone.RATE, 0, "NONE", ""))
        out.writeframes(b"".join(linear(PCMU, packet[RTP_HEADER:]) for packet in rtp))
    return path
