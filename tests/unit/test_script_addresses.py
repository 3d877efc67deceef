"""IP addresses, as the script reads them: to which of them a stranger has nothing sent."""

import socket

import pytest

from maskline_sip import addresses


@pytest.mark.parametrize(
    ("host", "written"),
    [("192.0.2.1", "192.0.2.1"), ("2001:db8::1", "[2001:db8::1]"),
     ("[2001:db8::1]", "[2001:db8::1]"), ("host.example", "host.example")],
)  # fmt: skip
def test_how_an_address_stands_in_a_uri(host: str, written: str) -> None:
    assert addresses.bracketed(host) == written


@pytest.mark.parametrize(
    ("host", "address"),
    [("192.0.2.1", "192.0.2.1"), ("[2001:DB8:0::1]", "2001:db8::1"), ("2001:db8::1", "2001:db8::1"),
     ("::ffff:192.0.2.1", "192.0.2.1"), ("host.example", "None"), ("127.1", "None"), ("", "None")],
)  # fmt: skip
def test_an_address_is_read_however_it_is_written(host: str, address: str) -> None:
    assert str(addresses.address_of(host)) == address


@pytest.mark.parametrize(
    ("host", "nearby", "here"),
    [
        ("127.0.0.1", True, True), ("127.9.9.9", True, True), ("::1", True, True),
        ("::ffff:127.0.0.1", True, True), ("[::1]", True, True),
        ("0.0.0.0", True, False), ("169.254.1.1", True, False), ("224.0.0.1", True, False),
        ("255.255.255.255", True, False), ("ff02::1", True, False), ("fe80::1", True, False),
        ("host.example", True, False), ("127.1", True, False),
        ("192.0.2.1", False, False), ("10.0.0.1", False, False), ("2001:db8::1", False, False),
    ],
)  # fmt: skip
def test_which_addresses_are_of_this_machine_or_its_neighbours(
    host: str, nearby: bool, here: bool
) -> None:
    assert addresses.is_nearby(host) is nearby
    assert addresses.is_here(host) is here


@pytest.mark.parametrize(
    ("host", "family"), [("192.0.2.5", "AF_INET"), ("2001:db8::5", "AF_INET6")]
)
@pytest.mark.parametrize("own", [True, False])
def test_this_machine_speaks_to_itself_from_the_same_address(
    monkeypatch: pytest.MonkeyPatch, host: str, family: str, own: bool
) -> None:
    class Line:
        """A socket of a machine whose own address it is, or is not."""

        def __init__(self, given: int, kind: int) -> None:
            assert (given, kind) == (getattr(socket, family), socket.SOCK_DGRAM)

        def __enter__(self) -> "Line":
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def connect(self, where: tuple[str, int]) -> None:
            assert where[0] == host

        def getsockname(self) -> tuple[str, int]:
            return (host if own else "198.51.100.1", 5)

    monkeypatch.setattr(socket, "socket", Line)
    assert addresses.is_here.__wrapped__(host) is own
