"""Carriers that are named, certified, particular or strangers: real peers on the loopback."""

import re
from pathlib import Path

import nameserver
import pytest
from acceptance.carriers import (
    Stranger,
    answered,
    hang_up,
    masked,
    open_named_session,
    section,
)
from acceptance.peers import Peer, header
from acceptance.plain_phone import ALICE, BOB, Phone, within
from acceptance.service import Service, free_port, running, until
from acceptance.test_leak import PROXY_NUMBER
from authority import Authority


def until_state(service: Service, wanted: str) -> None:
    until(lambda: state(service, "named") == wanted, 60)


def state(service: Service, name: str) -> str:
    for carrier in service.carriers():
        if carrier["Name"] == name and carrier["Nodes"]:
            return str(carrier["Nodes"][0]["State"])
    return "unknown"


def test_a_carrier_by_name_is_found_watched_and_given_up(tmp_path: Path) -> None:
    peer = Peer()
    zone = (
        f"_sip._udp.acme.example. 60 IN SRV 1 1 {peer.port} sip.acme.example.\n"
        "sip.acme.example. 60 IN A 127.0.0.1\n"
    )
    with nameserver.serving(zone) as (_, port):
        named = section("named", "acme.example", "probe_seconds = 1")
        servers = f'name_servers = ["127.0.0.1:{port}"]'
        for service in running(
            tmp_path, carrier_name="spare", carrier_settings=named, sip_settings=servers
        ):
            open_named_session(service)
            phone = Phone(service)
            hang_up(phone, *answered(phone))
            (invite,) = peer.of("INVITE")
            assert invite.startswith(f"INVITE sip:{BOB}@acme.example SIP/2.0")
            assert peer.of("OPTIONS")
            until_state(service, "up")
            peer.answer = lambda *_: []
            until_state(service, "down")
            began = len(peer.of("INVITE"))
            phone.send(phone.invite())
            assert phone.final() == 503
            assert len(peer.of("INVITE")) == began
            route = service.maskline(
                "admin", "evaluate-route", "--caller", ALICE, "--called", PROXY_NUMBER
            )
            assert route["Reason"] == "no-carrier"
            phone.socket.close()
    peer.close()


@pytest.mark.parametrize("name", ["127.0.0.1", "127.0.0.9"])
def test_calls_go_to_the_right_certificate_alone(tmp_path: Path, name: str) -> None:
    """One that the right authority signed for another name sees nothing but an OPTIONS."""
    authority = Authority(tmp_path)
    us, them = authority.issue("us", "127.0.0.1"), authority.issue("them", name)
    peer = Peer(tls=them.server())
    with masked(
        tmp_path, peer, f'[carriers.sip.tls]\nca = "{authority.ca}"', transport="tls",
        listen=(f"tls:127.0.0.1:{free_port()}",),
        sip_settings=us.for_sip,
    ) as (service, phone):  # fmt: skip
        if name == "127.0.0.1":
            hang_up(phone, *answered(phone))
            assert peer.of("INVITE")
        else:
            phone.send(phone.invite())
            assert phone.final() == 503
            assert not peer.of("INVITE")
            until(lambda: "is for another name" in service.log)
        assert peer.of("OPTIONS")
    peer.close()


def test_who_cannot_be_told_of_the_end_is_hung_up_later(tmp_path: Path) -> None:
    """The carrier's server has dropped its connections, and the new one is not verified yet."""
    authority = Authority(tmp_path)
    us, them = authority.issue("us", "127.0.0.1"), authority.issue("them", "127.0.0.1")
    peer = Peer(tls=them.server())
    with masked(
        tmp_path, peer, f'probe_seconds = 4\n[carriers.sip.tls]\nca = "{authority.ca}"',
        transport="tls", listen=(f"tls:127.0.0.1:{free_port()}",),
        sip_settings=us.for_sip,
    ) as (service, phone):  # fmt: skip
        sent, answer = answered(phone)
        until(lambda: peer.of("ACK"))
        peer.close()
        again = Peer(tls=them.server(), port=peer.port)
        phone.send(within("BYE", sent, answer, phone, 2))
        assert phone.final() == 500
        until(lambda: again.of("BYE"), 30)
        until(lambda: "EndedTimestamp" in service.newest_call())
    again.close()


def test_a_carrier_gets_calls_in_its_own_words(tmp_path: Path) -> None:
    """Numbers as its country writes them, its own host, the headers it reads, its codecs."""
    peer = Peer()
    words = (
        'number_format = "national"\ncountry = "US"\ndomain = "acme.example"\ncodecs = ["PCMU"]\n'
        'identity = ["p-asserted-identity", "remote-party-id"]\n'
    )
    with masked(tmp_path, peer, words) as (_, phone):
        body = (
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
            "m=audio 17000 RTP/AVP 8 0 101\r\na=rtpmap:101 telephone-event/8000\r\n"
        )
        phone.send(phone.invite(body=body, caller=ALICE[2:]))
        assert phone.final() == 200
    invite = peer.of("INVITE")[0]
    assert invite.startswith(f"INVITE sip:{BOB[2:]}@acme.example SIP/2.0")
    shown = f"<sip:{PROXY_NUMBER[2:]}@acme.example>"
    assert header(invite, "From").startswith(shown)
    assert header(invite, "P-Asserted-Identity") == shown
    assert header(invite, "Remote-Party-ID").startswith(f"{shown};party=calling")
    assert re.search(r"m=audio \d+ RTP/AVP 0 101\r", invite)
    assert ALICE[2:] not in invite
    peer.close()


SCANS = ["OPTIONS sip:100@{host} SIP/2.0", "REGISTER sip:{host} SIP/2.0",
         "INVITE sip:900441632960000@{host} SIP/2.0"]  # fmt: skip


def test_scanners_get_silence_and_a_flood_of_theirs_hurts_no_carrier(tmp_path: Path) -> None:
    peer = Peer()
    with masked(tmp_path, peer, "") as (service, phone):
        scanner = Stranger(service)
        for count in range(2000):
            start = SCANS[count % len(SCANS)].format(host=service.sip)
            method = start.partition(" ")[0]
            scanner.send(
                f"{start}\r\nVia: SIP/2.0/UDP {scanner.where};branch=z9hG4bK{count}\r\n"
                f'From: "sipvicious" <sip:100@1.1.1.1>;tag={count}\r\nTo: <sip:100@1.1.1.1>\r\n'
                f"Call-ID: {count}\r\nCSeq: 1 {method}\r\nUser-Agent: friendly-scanner\r\n"
                "Contact: <sip:100@1.1.1.1>\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
            )
        assert scanner.silent()
        hang_up(phone, *answered(phone))
        assert service.health()[0] == 200
        scanner.socket.close()
    peer.close()
