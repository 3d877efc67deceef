"""A text: how it is written, and what a carrier can say about it."""

from enum import StrEnum


class Encoding(StrEnum):
    """How the characters of a text travel. Media and ports are no text: BINARY is refused."""

    GSM = "GSM"  # GSM 03.38 with its extension and national tables, 7 bits a character
    LATIN1 = "Latin1"
    UCS2 = "UCS2"  # UTF-16 where a character needs two units
    UTF8 = "UTF8"  # what HTTP and SIP carry
    OTHER = "Other"  # an alphabet of one country (Cyrillic, Hebrew, Japanese, Korean)
    BINARY = "Binary"


class Reported(StrEnum):
    """What a carrier says has become of a text that it took (SMPP 3.4 section 5.2.28)."""

    ENROUTE = "Enroute"
    DELIVERED = "Delivered"
    EXPIRED = "Expired"
    DELETED = "Deleted"
    UNDELIVERABLE = "Undeliverable"
    ACCEPTED = "Accepted"  # read by somebody on behalf of the subscriber
    UNKNOWN = "Unknown"
    REJECTED = "Rejected"

    @property
    def final(self) -> bool:
        return self not in (Reported.ENROUTE, Reported.ACCEPTED, Reported.UNKNOWN)
