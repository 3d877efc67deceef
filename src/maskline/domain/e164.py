"""Phone numbers in E.164 form: how they are written, shown and which are never dialled."""

import re

from maskline.domain.refusals import InvalidPhoneNumber

# ITU-T E.164: at most 15 digits, the country code never starts with 0.
WRITTEN = re.compile(r"\+?([1-9][0-9]{1,14})")

# Emergency numbers have three digits, so with any country code before them fewer than seven; the
# shortest numbers of people, country code included, have seven.
FEWEST_DIGITS = 7

# Services that a country code can be put before: North America's N11 codes (211 to 911), which no
# area code starts with, and Europe's harmonised 116xxx lines.
SERVICES = re.compile(r"1[2-9]11[0-9]*|(3[0-469]|3[578][0-9]|4[013-9]|42[0-9])116[0-9]{3}")

# Numbers that charge whoever dials them, by their leading digits, and those of satellite telephones
# and of networks that no country has, which cost as much. An attacker who could make us dial them
# would earn by every call. What numbering plans say beside, `operations.numbering` knows.
PREMIUM = (
    "1900", "1976",  # North America
    "3389",  # France
    "39144", "39166", "39178", "3989",  # Italy
    "34803", "34806", "34807", "34905", "34907",  # Spain
    "31900", "31906", "31909",  # Netherlands
    "43900", "43901", "43930", "43931",  # Austria
    "41900", "41901", "41906",  # Switzerland
    "4490", "4491", "4498",  # United Kingdom
    "48700", "48701", "48703", "48704", "48708",  # Poland
    "49137", "49900",  # Germany
    "61190",  # Australia
    "979",  # international premium rate service
    "870", "881", "882", "883",  # Inmarsat, Iridium and other satellites, international networks
)  # fmt: skip


def normalise(text: str) -> str:
    """The number with its leading `+`; raises InvalidPhoneNumber when it is not E.164."""
    match = WRITTEN.fullmatch(text)
    if match is None:
        raise InvalidPhoneNumber(f"{redact(text)} is not a phone number in E.164 form")
    return f"+{match[1]}"


def redact(text: str) -> str:
    """The number as it may be logged: `+12065550100` becomes `+1206•••0100`."""
    digits = text.removeprefix("+")
    if len(digits) < 10 or not digits.isascii() or not digits.isdigit():
        return "•••"
    return f"+{digits[:4]}•••{digits[-4:]}"


def is_emergency_or_short(number: str) -> bool:
    """Whether a number in E.164 form reaches an emergency or network service, not a person.

    Catches numbers that somebody made by putting `+` or a country code before a short code.
    """
    digits = number.removeprefix("+")
    return len(digits) < FEWEST_DIGITS or SERVICES.fullmatch(digits) is not None


def is_premium(number: str) -> bool:
    """Whether a number in E.164 form charges its caller beyond the price of a call."""
    return number.removeprefix("+").startswith(PREMIUM)


def require_dialable(number: str) -> str:
    """The number in E.164 form, if it may ever be dialled; else raises InvalidPhoneNumber."""
    number = normalise(number)
    if is_emergency_or_short(number):
        raise InvalidPhoneNumber(f"{redact(number)} is an emergency or short number, or not whole")
    if is_premium(number):
        raise InvalidPhoneNumber(f"{redact(number)} is a premium-rate number")
    return number
