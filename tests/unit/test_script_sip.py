"""Parts of SIP messages, as the script reads them."""

import pytest

from maskline_sip import sip


@pytest.mark.parametrize(
    "uri",
    [
        "sip:+12065550100@a", "sips:+1-206-555-0100@a;user=phone", "tel:+12065550100;cpc=ordinary",
        "sip:+12065550100;cpc=ordinary@a;user=phone", "sip:+12065550100;npdi;rn=+1999@[::1]:5070",
        "sip:%2B12065550100:secret@a", "SIP:+1(206)5550100;phone-context=a@b",
    ],
)  # fmt: skip
def test_a_number_is_read_with_its_parameters(uri: str) -> None:
    assert sip.user(uri) == "+12065550100"


@pytest.mark.parametrize("uri", ["sip:a.example", "sip:+12065550100", "tel:", "sip:@a", ""])
def test_there_is_no_number_without_a_user(uri: str) -> None:
    assert sip.user(uri) == ""


def from_there(via: str, host: str = "192.0.2.9", port: int = 5070) -> list[str]:
    raw = (
        f"OPTIONS sip:a SIP/2.0\r\nVia: {via}\r\nVia: SIP/2.0/UDP c\r\nMax-Forwards: 7\r\n"
        "From: <sip:a>;tag=1\r\nTo: <sip:b>\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\n"
        "Content-Length: 0\r\n\r\n"
    )
    return sip.received(sip.parse(raw.encode()), host, port).all("via")


@pytest.mark.parametrize(
    ("via", "told"),
    [
        ("SIP/2.0/UDP 192.0.2.9:5070;branch=z", "SIP/2.0/UDP 192.0.2.9:5070;branch=z"),
        ("SIP/2.0/UDP 10.0.0.1;branch=z", "SIP/2.0/UDP 10.0.0.1;branch=z;received=192.0.2.9"),
        ("SIP/2.0/UDP b;rport;branch=z", "SIP/2.0/UDP b;branch=z;received=192.0.2.9;rport=5070"),
        ("SIP/2.0/UDP 192.0.2.9 ; RPORT", "SIP/2.0/UDP 192.0.2.9;received=192.0.2.9;rport=5070"),
        (
            "SIP/2.0/UDP b;rport, SIP/2.0/UDP d;rport",
            "SIP/2.0/UDP b;received=192.0.2.9;rport=5070, SIP/2.0/UDP d;rport",
        ),
    ],
)
def test_a_reply_tells_its_receiver_where_the_request_came_from(via: str, told: str) -> None:
    """RFC 3261 18.2.1, RFC 3581 4."""
    assert from_there(via) == [told, "SIP/2.0/UDP c"]


def test_an_address_of_version_6_is_itself_with_brackets_and_without() -> None:
    via = "SIP/2.0/UDP [2001:db8::1]:5060;branch=z"
    assert from_there(via, "2001:db8::1") == from_there(via, "[2001:DB8::1]")
    assert from_there(via, "2001:db8::1")[0] == via
