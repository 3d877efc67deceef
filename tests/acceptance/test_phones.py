"""Real telephones (baresip) on both sides of the proxy number: sound both ways, keys heard, hold
and resume, over UDP, over TCP, and over TLS with the sound encrypted."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from acceptance.service import Service, at_work, free_port
from acceptance.test_leak import PROXY_NUMBER, open_session
from authority import Authority, Pair

sys.path.append(str(Path(__file__).parents[2] / "demo"))
import phone as demo_phone
import tone

ANN, BEN = "+12065550100", "+14015550101"
ANN_HOST, BEN_HOST = "127.0.0.11", "127.0.0.12"
ANN_TONE, BEN_TONE = 440, 880
TALK_SECONDS, HEARD_SECONDS = 2.0, 1.2

# baresip calls by TCP from the address that the way leads over, not from its own.
HOSTS = f'{ANN_HOST}/32", "{BEN_HOST}/32", "127.0.0.1/32'
SECURE = 'srtp = "required"\nprobe_seconds = 0\n[carriers.sip.tls]\nca = "{ca}"'

pytestmark = pytest.mark.xdist_group("phones")


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
        sip_settings=f'[sip.tls]\ncertificate = "{us.certificate}"\nkey = "{us.key}"',
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
        await ann.press("sndcode", "5")
        heard = await ben.until("CALL_DTMF_START")
        assert heard["param"] == "5"
        await ben.press("hold")
        await asyncio.sleep(0.5)
        await ben.press("resume")
        await asyncio.sleep(TALK_SECONDS)
        await ann.press("hangup")
        await ben.until("CALL_CLOSED")
    for hearer, said, own in ((ben, ANN_TONE, BEN_TONE), (ann, BEN_TONE, ANN_TONE)):
        # A phone begins a new recording when it resumes.
        recordings = sorted(hearer.folder.glob("dump-*-dec.wav"))
        assert sum(tone.seconds_of(file, said) for file in recordings) >= HEARD_SECONDS
        assert sum(tone.seconds_of(file, own) for file in recordings) == 0
