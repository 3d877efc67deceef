"""Texts over a carrier with two places, one of which takes none, that wants its password, its own
number format and its own headers."""

import os
from pathlib import Path

from acceptance.carriers import masked, section
from acceptance.peers import Peer, header, refuse, reply
from acceptance.plain_phone import ALICE, BOB, Phone
from acceptance.service import Service, until
from acceptance.test_challenged_dialogs import Suspicious, permits
from acceptance.test_leak import PROXY_NUMBER

WORDS = (
    'messages = true\nusername = "maskline"\npassword = "secret"\n'
    'number_format = "national"\ncountry = "US"\ndomain = "acme.example"\n'
    'identity = ["p-asserted-identity"]\n'
)


def busy(peer: Peer, request: str) -> list[str]:
    return [reply(request, 503)]


def text(phone: Phone, words: str) -> str:
    """A text of Alice's, numbers as her carrier writes them."""
    host = f"{phone.server[0]}:{phone.server[1]}"
    return (
        f"MESSAGE sip:{PROXY_NUMBER[2:]}@{host} SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP {phone.where};branch=z9hG4bK{os.urandom(6).hex()}\r\n"
        f"From: <sip:{ALICE[2:]}@{phone.where}>;tag=secrettag\r\n"
        f"To: <sip:{PROXY_NUMBER[2:]}@{host}>\r\nCall-ID: {os.urandom(6).hex()}\r\n"
        "CSeq: 1 MESSAGE\r\nMax-Forwards: 70\r\nContent-Type: text/plain\r\n"
        f"Content-Length: {len(words)}\r\n\r\n{words}"
    )


def states(service: Service) -> list[str]:
    return [one["State"] for one in service.messages()]


def test_a_text_goes_on_to_the_next_place_with_the_password(tmp_path: Path) -> None:
    first, second = Peer(busy), Peer(Suspicious())
    places = f'[[carriers.sip.targets]]\naddress = "{second.where}"\n'
    with masked(tmp_path, first, WORDS + places) as (service, phone):
        phone.send(text(phone, "Hello"))
        assert phone.final() == 202
        until(lambda: states(service) == ["Accepted"], 20)
    assert first.of("MESSAGE")
    asked, *_, taken = second.of("MESSAGE")
    assert permits(taken)
    assert not permits(asked)
    before, after = (int(header(one, "CSeq").split()[0]) for one in (asked, taken))
    assert after == before + 1
    assert header(asked, "Call-ID") == header(taken, "Call-ID")
    assert taken.startswith(f"MESSAGE sip:{BOB[2:]}@acme.example SIP/2.0")
    assert taken.endswith("\r\n\r\nHello")
    shown = f"<sip:{PROXY_NUMBER[2:]}@acme.example>"
    for one in (asked, taken):
        assert header(one, "From").startswith(shown)
        assert header(one, "P-Asserted-Identity") == shown
    assert ALICE[2:] not in "".join(first.received + second.received)
    first.close()
    second.close()


def test_a_text_goes_on_to_a_carrier_that_carries_texts(tmp_path: Path) -> None:
    """And to no other."""
    first, mute, other = Peer(busy), Peer(refuse(500)), Peer()
    more = 'messages = true\nfailover_carriers = ["voice", "globex"]\n'
    more += section("voice", mute.where) + section("globex", other.where, "messages = true")
    with masked(tmp_path, first, more) as (service, phone):
        phone.send(
            text(phone, "Hello").replace(PROXY_NUMBER[2:], PROXY_NUMBER).replace(ALICE[2:], ALICE)
        )
        assert phone.final() == 202
        until(lambda: states(service) == ["Accepted"], 20)
    assert first.of("MESSAGE")
    assert other.of("MESSAGE")
    assert not mute.received
    for peer in (first, mute, other):
        peer.close()
