"""The user data header of a short message (3GPP TS 23.040 section 9.2.3.24)."""

from typing import NamedTuple

CONCATENATION_8, CONCATENATION_16 = 0x00, 0x08
PORTS_8, PORTS_16 = 0x04, 0x05
SINGLE_SHIFT, LOCKING_SHIFT = 0x24, 0x25


class HeaderError(ValueError):
    """The header does not fit into its octets."""


class Concatenation(NamedTuple):
    """Which part of which text this is: `number`, from 1, of `total`."""

    reference: int
    total: int
    number: int


class Header(NamedTuple):
    """What a header says that matters here; other elements are passed over."""

    concatenation: Concatenation | None = None
    locking: int = 0
    single: int = 0
    ports: bool = False  # meant for a program on the phone, not for its reader


def read_header(octets: bytes) -> tuple[Header, bytes]:
    """The header that user data begins with, and what follows it; raises HeaderError."""
    end = 1 + octets[0] if octets else 1
    if end > len(octets):
        raise HeaderError(f"a header of {end} octets in {len(octets)}")
    header, place = Header(), 1
    while place < end:
        if place + 2 > end or place + 2 + octets[place + 1] > end:
            raise HeaderError("an element reaches beyond its header")
        value = octets[place + 2 : place + 2 + octets[place + 1]]
        header = with_element(header, octets[place], value)
        place += 2 + len(value)
    return header, octets[end:]


def with_element(header: Header, identifier: int, value: bytes) -> Header:
    """The header with one more element; the last of its kind counts, as the standard has it."""
    if identifier == CONCATENATION_8 and len(value) == 3:
        return header._replace(concatenation=sound(value[0], *value[1:]))
    if identifier == CONCATENATION_16 and len(value) == 4:
        reference = int.from_bytes(value[:2], "big")
        return header._replace(concatenation=sound(reference, *value[2:]))
    if identifier == SINGLE_SHIFT and len(value) == 1:
        return header._replace(single=value[0])
    if identifier == LOCKING_SHIFT and len(value) == 1:
        return header._replace(locking=value[0])
    if identifier in (PORTS_8, PORTS_16):
        return header._replace(ports=True)
    return header


def sound(reference: int, total: int, number: int) -> Concatenation | None:
    """A part; None for one outside its text, to be read as if it were no part (9.2.3.24.1)."""
    return Concatenation(reference, total, number) if 1 <= number <= total else None


def shift_elements(locking: int, single: int) -> bytes:
    """The elements that name a language's tables, as far as they are not the default ones."""
    return (bytes((LOCKING_SHIFT, 1, locking)) if locking else b"") + (
        bytes((SINGLE_SHIFT, 1, single)) if single else b""
    )


def concatenation_element(part: Concatenation, *, wide: bool) -> bytes:
    """The element that makes a message a part; the reference is cut to its 8 or 16 (wide) bits."""
    if wide:
        reference = (part.reference & 0xFFFF).to_bytes(2, "big")
        return bytes((CONCATENATION_16, 4, *reference, part.total, part.number))
    return bytes((CONCATENATION_8, 3, part.reference & 0xFF, part.total, part.number))


def header_of(elements: bytes) -> bytes:
    """Elements with their length before them; nothing when there are none."""
    return bytes((len(elements),)) + elements if elements else b""
