"""Whole calls over every transport and over IPv6: they work, and nothing of one party reaches the
other. What passes is looked at where it leaves the encryption."""

import re
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from acceptance import leak_scenarios
from acceptance.lines import Line
from acceptance.phones import CALLED_HOST, CALLER_HOST, Calls, phone
from acceptance.service import Service, free_port, running
from acceptance.test_leak import marks
from authority import Authority, Pair
from connectors import open_connector
from secrets_told import Search

SIX = "::1"
# How the caller comes in, and how the called is reached.
WAYS = [
    ("tcp", "tls"),
    ("tls", "tcp"),
    ("tls", "tls6"),
    ("udp6", "udp"),
    ("tcp6", "udp6"),
    ("tls6", "udp6"),
    ("ws", "tls"),
    ("wss", "udp"),
]
OUT = ("udp", "tcp", "tls", "udp6", "tls6")
SCENARIOS = {
    "whole-call": leak_scenarios.whole_call(),
    "ended-by-caller": leak_scenarios.ended_by_caller(),
    "cancelled": leak_scenarios.cancelled(),
    "refused": leak_scenarios.refused(486),
}


@dataclass
class Trunks:
    """A service with a listener of each kind, and a carrier and its number for each way out."""

    service: Service
    ports: dict[str, int]
    carriers: dict[str, int]
    numbers: dict[str, str]
    us: Pair
    them: Pair

    def line(self, way: str, caller: bool, phone_port: int) -> Line:
        transport, six = way.rstrip("6"), way.endswith("6")
        host = SIX if six else CALLER_HOST if caller else CALLED_HOST
        encrypted = transport in ("tls", "wss")
        return Line(
            transport,
            (SIX if six else "127.0.0.1", self.ports[way]),
            host,
            free_port(host) if caller else self.carriers[way],
            ("127.0.0.1", phone_port),
            client=self.us.client() if encrypted else None,
            listener=self.them.server() if encrypted else None,
        )


def where(way: str, port: int) -> str:
    return f"[{SIX}]:{port}" if way.endswith("6") else f"127.0.0.1:{port}"


@pytest.fixture(scope="module")
def trunks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trunks]:
    folder = tmp_path_factory.mktemp("transports")
    authority = Authority(folder)
    us = authority.issue("us", "127.0.0.1", SIX)
    them = authority.issue("them", CALLED_HOST, SIX)
    ways = ("udp", "tcp", "tls", "ws", "wss", "udp6", "tcp6", "tls6")
    ports = {way: free_port(SIX if way.endswith("6") else "127.0.0.1") for way in ways}
    carriers = {way: free_port(SIX if way.endswith("6") else CALLED_HOST) for way in OUT}
    for service in running(
        folder,
        listen=tuple(f"{way.rstrip('6')}:{where(way, port)}" for way, port in ports.items()),
        sip_settings=us.for_sip,
        carrier_settings="".join(trunk(way, carriers[way], them) for way in OUT),
    ):
        yield Trunks(service, ports, carriers, open_sessions(service), us, them)


def trunk(way: str, port: int, them: Pair) -> str:
    address = where(way, port) if way.endswith("6") else f"{CALLED_HOST}:{port}"
    tls = f'[carriers.sip.tls]\nca = "{them.ca}"\n' if way.startswith("tls") else ""
    return (
        f'[[carriers]]\nname = "{way}"\n[carriers.sip]\naddress = "{address}"\n'
        f'transport = "{way.rstrip("6")}"\nprobe_seconds = 0\n'
        f'sources = ["{CALLER_HOST}/32", "{CALLED_HOST}/32", "{SIX}/128"]\n{tls}'
    )


def open_sessions(service: Service) -> dict[str, str]:
    """A session of the same two people for each way out: its proxy number."""
    chime = service.client()
    ids = {"VoiceConnectorId": open_connector(chime)}
    numbers = {}
    for place, way in enumerate(OUT):
        service.import_numbers(way, f"+1913555010{place}")
        session = chime.create_proxy_session(
            **ids,
            ParticipantPhoneNumbers=[leak_scenarios.CALLER_NUMBER, leak_scenarios.CALLED_NUMBER],
            Capabilities=["Voice"],
        )["ProxySession"]
        numbers[way] = session["Participants"][0]["ProxyPhoneNumber"]
    return numbers


def on_a_line(text: str) -> str:
    """A scenario whose phone says that it is where its line is."""
    text = text.replace("SIP/2.0/UDP [local_ip]:[local_port]", "SIP/2.0/[via]")
    text = re.sub(r"(Record-Route: <sip:)\[local_ip\]:\[local_port\]", r"\1[contact]", text)
    return re.sub(r"(Contact: .*@)\[local_ip\]:\[local_port\]", r"\1[contact]", text)


CASES = [(*way, "whole-call") for way in WAYS] + [
    (*way, name)
    for way in (("tls", "tls6"), ("tcp6", "udp6"), ("wss", "udp"))
    for name in ("ended-by-caller", "cancelled", "refused")
]


@pytest.mark.parametrize(("comes", "goes", "scenario"), CASES)
def test_a_call_is_masked(
    trunks: Trunks, tmp_path: Path, comes: str, goes: str, scenario: str
) -> None:
    ports = free_port(), free_port()
    files = [tmp_path / "caller.xml", tmp_path / "called.xml"]
    for file, text in zip(files, SCENARIOS[scenario], strict=True):
        file.write_text(on_a_line(text))
    with ExitStack() as stack:
        caller = stack.enter_context(closing(trunks.line(comes, True, ports[0])))
        called = stack.enter_context(closing(trunks.line(goes, False, ports[1])))
        calls, home = Calls(), "127.0.0.1"
        answering = phone(
            tmp_path, files[1], "called", home, ports[1], calls,
            "-key", "contact", called.contact, "-key", "via", called.via,
        )  # fmt: skip
        calling = phone(
            tmp_path, files[0], "caller", home, ports[0], calls, caller.own,
            "-key", "contact", caller.contact, "-key", "via", caller.via,
            "-s", trunks.numbers[goes], "-cid_str", "SECA_CID%u-%p",
        )  # fmt: skip
        ended = tuple(phone.wait(calls.seconds + 10) for phone in (calling, answering))
    errors = "".join(file.read_text() for file in tmp_path.glob("*.errors"))
    assert ended == (0, 0), errors
    places = 0
    for line, other in ((caller, called), (called, caller)):
        secrets = list(marks("SECB" if line is caller else "SECA"))
        secrets.append(
            (leak_scenarios.CALLED_NUMBER if line is caller else leak_scenarios.CALLER_NUMBER)[
                1:
            ].encode()
        )
        if other.host != SIX:  # which is the service's own, too
            secrets.append(other.host.encode())
        else:
            secrets.append(f":{other.port}".encode())  # fewer letters are found by chance
        assert len(line.carried) >= 2
        search = Search(secrets)
        for message in line.carried:
            assert not search.finds(message), message
        places += sum(message.count(b"\r\n") for message in line.carried)
    print(f"{places} places hold nothing of the other side")
