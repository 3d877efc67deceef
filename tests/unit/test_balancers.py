"""Who is believed to have sent what a balancer passed on."""

import pytest

from maskline_sip import sip
from maskline_sip.balancers import Source, asks_for_us, ends_transaction, source_behind

BALANCER = "Via: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKb"
CARRIER, STRANGER = "192.0.2.20", "198.51.100.66"


def request(*vias: str, method: str = "INVITE") -> sip.Message:
    lines = [
        f"{method} sip:+19135550199@203.0.113.5 SIP/2.0",
        *vias,
        "From: <sip:a@b>;tag=1",
        "To: <sip:c@d>",
        "Call-ID: x",
        f"CSeq: 1 {method}",
    ]
    return sip.parse("\r\n".join([*lines, "", ""]).encode())


def test_the_address_that_the_balancer_wrote_is_the_sender() -> None:
    came = request(
        BALANCER, f"Via: SIP/2.0/UDP nat.example:5062;received={CARRIER};rport=6000;branch=z9hG4bK1"
    )
    assert source_behind(came) == Source(CARRIER, 6000, "udp")
    told = request(BALANCER, f"Via: SIP/2.0/UDP {CARRIER}:5062;rport=6000;branch=z9hG4bK1")
    assert source_behind(told) == Source(CARRIER, 6000, "udp")
    six = request(BALANCER, "v: SIP / 2.0 / TLS x ; Received = [2001:db8::1] ;branch=z9hG4bK1")
    assert source_behind(six) == Source("2001:db8::1", 5060, "tls")


@pytest.mark.parametrize(
    "via",
    [
        # The balancer wrote nothing, though it is a name.
        "SIP/2.0/UDP sip.acme.example;branch=z9hG4bK1",
        # It wrote its own beside the sender's, before it or after it.
        f"SIP/2.0/UDP {STRANGER};received={STRANGER};branch=z9hG4bK1;received={CARRIER}",
        f"SIP/2.0/UDP x;received={CARRIER};received={STRANGER}",
        f"SIP/2.0/UDP x;received={STRANGER};RECEIVED = {CARRIER}",
        # The sender hides one of them from who parts values at commas or parameters at quotes.
        f'SIP/2.0/UDP x;received={STRANGER};y="a,SIP/2.0/UDP z;received={CARRIER};q=b"',
        f"SIP/2.0/UDP x;received={STRANGER};y=<,SIP/2.0/UDP z;received={CARRIER}>",
        # The same where the sender's true address stands in front, so that nothing is written.
        f'SIP/2.0/UDP {STRANGER};branch=z9hG4bK1;y="x;received={CARRIER};z="',
        f"SIP/2.0/UDP {STRANGER};y=<,SIP/2.0/UDP z;received={CARRIER};q=>",
        f"SIP/2.0/UDP {STRANGER};\xa0received={CARRIER}",
        f"SIP/2.0/UDP {STRANGER};\x0creceived={CARRIER}",
        f"SIP/2.0/UDP {STRANGER};y=\\;received={CARRIER}",
        f"SIP/2.0/UDP x;received={CARRIER}%20",
        "SIP/2.0/UDP x;received=sip.acme.example",
        "SIP/2.0/UDP x;received",
        f"HTTP/1.1 x;received={CARRIER}",
    ],
)
def test_nobody_is_believed_where_the_sender_may_have_written_it(via: str) -> None:
    assert source_behind(request(BALANCER, f"Via: {via}")) is None


def test_what_stands_further_down_is_the_senders_own() -> None:
    forged = f"SIP/2.0/UDP {CARRIER};received={CARRIER};branch=z9hG4bK2"
    came = request(BALANCER, f"Via: SIP/2.0/UDP x;received={STRANGER}, {forged}", f"Via: {forged}")
    found = source_behind(came)
    assert found is not None
    assert found.address == STRANGER


def test_a_balancer_cancels_and_acknowledges_by_its_own_via_alone() -> None:
    for method in ("CANCEL", "ACK"):
        assert ends_transaction(request(BALANCER, method=method))
        assert not ends_transaction(request(BALANCER, "Via: SIP/2.0/UDP x", method=method))
    assert not ends_transaction(request(BALANCER, method="BYE"))


def test_a_balancer_asks_for_itself_with_one_via() -> None:
    assert asks_for_us(request(BALANCER, method="OPTIONS"))
    assert not asks_for_us(request(BALANCER, f"Via: SIP/2.0/UDP {CARRIER}", method="OPTIONS"))
    assert not asks_for_us(request(BALANCER))
    assert source_behind(request(BALANCER)) is None
