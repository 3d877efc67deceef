"""Where a phone number is from, by the world's numbering plans."""

import re
from collections.abc import Iterable
from functools import lru_cache

import phonenumbers

from maskline.domain import e164
from maskline.domain.refusals import InvalidPhoneNumber
from maskline.domain.selection import Place
from maskline.domain.trunk import NumberFormat, WayOut

NORTH_AMERICA = 1
AREA_CODE_DIGITS = 3
COUNTRY_CODES = frozenset(map(str, phonenumbers.COUNTRY_CODE_TO_REGION_CODE))
NOTHING = "(?!)"  # the pattern of no text
LONGEST_SHORT = 9  # digits; the few that are longer look like all others
NO_COUNTRY = "001"  # where the world's own codes are, those of universal freephone (+800), say


@lru_cache(maxsize=65_536)
def place_of(number: str) -> Place:
    """Country and area code of a number in E.164 form; the area code is '' where there is none.

    A number outside its plan's assigned ranges (+1 206 555 0100, say) counts for the country
    whose code it bears. Raises InvalidPhoneNumber when no country has the code.
    """
    parsed = parse(number)
    country = phonenumbers.region_code_for_number(parsed)
    if country is None:
        assert parsed.country_code is not None, "parsed from E.164"
        country = phonenumbers.region_code_for_country_code(parsed.country_code)
    return Place(country, area_code(parsed))


def is_toll_free(number: str) -> bool:
    """Whether a number in E.164 form costs its callers nothing."""
    return phonenumbers.number_type(parse(number)) == phonenumbers.PhoneNumberType.TOLL_FREE


@lru_cache(maxsize=65_536)
def is_premium(number: str) -> bool:
    """Whether a number in E.164 form charges its caller beyond the price of a call."""
    if e164.is_premium(number):
        return True
    if not may_be_premium(number):
        return False
    try:
        kind = phonenumbers.number_type(phonenumbers.parse(number))
    except phonenumbers.NumberParseException:
        return False
    return bool(kind == phonenumbers.PhoneNumberType.PREMIUM_RATE)


def may_be_premium(number: str) -> bool:
    """What is False for almost all numbers that are not, in a tenth of the time: a look at the
    premium-rate numbers of all countries with the code, where nothing stands before the national
    number that phonenumbers would take off."""
    code, national = split(number)
    if not code:
        return False
    prefix, premium = premium_of(code)
    return bool(prefix.match(national) or premium.fullmatch(national))


@lru_cache(maxsize=65_536)
def is_misdialled(number: str) -> bool:
    """Whether the digits behind the country code would lead elsewhere, dialled in that country:
    those of +1 011 882… to a satellite telephone, those of +49 112 00 to an emergency service. Or
    whether a prefix for calls within the country stands before them (+1 1 876…): the same number,
    spelt so that no list of numbers knows it."""
    code, national = split(number)
    if not code or not may_be_misdialled(code, national):
        return False
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return False
    if phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164) != number:
        return True
    return leads_elsewhere(code, nationally(parsed)) and not phonenumbers.is_valid_number(parsed)


def may_be_misdialled(code: int, national: str) -> bool:
    """What is False for almost all numbers that are not, as `may_be_premium` is."""
    return bool(premium_of(code)[0].match(national)) or leads_elsewhere(code, national)


def leads_elsewhere(code: int, dialled: str) -> bool:
    """Whether digits that are dialled in the countries of a code lead to no telephone there."""
    begins, whole = elsewhere_of(code)
    is_short = len(dialled) <= LONGEST_SHORT and whole.fullmatch(dialled)
    return bool(begins.match(dialled) or is_short)


def is_refused(number: str) -> bool:
    """Whether a number in E.164 form is never dialled, whatever the operator allows."""
    return is_premium(number) or is_misdialled(number)


def split(number: str) -> tuple[int, str]:
    """Country code and national digits of a number in E.164 form; 0 where no country has it."""
    for length in (1, 2, 3):  # no country code is the beginning of another
        if (code := number[1 : 1 + length]) in COUNTRY_CODES:
            return int(code), number[1 + length :]
    return 0, ""


@lru_cache
def premium_of(code: int) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """What may be taken off national numbers of a country code, and which ones are premium-rate."""
    of_code = phonenumbers.PhoneMetadata.metadata_for_region_or_calling_code
    regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE[code]
    plans = [plan for region in regions if (plan := of_code(code, region))]
    patterns = [pattern_of(plan.premium_rate) for plan in plans]
    # Numbers of any country of the code are read by the plan of the first.
    return re.compile(plans[0].national_prefix_for_parsing or NOTHING), any_of(patterns)


@lru_cache
def elsewhere_of(code: int) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """What digits that are dialled in the countries of a code begin with where they lead to no
    telephone there: an emergency number, or the prefix of calls to other countries. And what short
    numbers are in whole."""
    of_code = phonenumbers.PhoneMetadata.metadata_for_region_or_calling_code
    short_of = phonenumbers.PhoneMetadata.short_metadata_for_region
    regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE[code]
    abroad = [plan.international_prefix for region in regions if (plan := of_code(code, region))]
    shorts = [plan for region in regions if (plan := short_of(region))]
    emergency = [pattern_of(plan.emergency) for plan in shorts]
    whole = [pattern_of(plan.short_code) for plan in shorts]
    return any_of(abroad + emergency), any_of(whole)


def pattern_of(kind: phonenumbers.PhoneNumberDesc | None) -> str | None:
    return kind.national_number_pattern if kind else None


def any_of(patterns: Iterable[str | None]) -> re.Pattern[str]:
    known = sorted({pattern for pattern in patterns if pattern})
    return re.compile("|".join(f"(?:{pattern})" for pattern in known) or NOTHING)


def require_dialable(text: str) -> str:
    """The number in E.164 form, if it may ever be dialled; else raises InvalidPhoneNumber."""
    number = e164.require_dialable(text)
    if is_misdialled(number):
        raise InvalidPhoneNumber(f"{e164.redact(number)} is no number of its country")
    if is_premium(number):
        raise InvalidPhoneNumber(f"{e164.redact(number)} is a premium-rate number")
    return number


def parse(number: str) -> phonenumbers.PhoneNumber:
    try:
        return phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        raise InvalidPhoneNumber(f"{e164.redact(number)} has no known country code") from None


def area_code(parsed: phonenumbers.PhoneNumber) -> str:
    significant: str = phonenumbers.national_significant_number(parsed)
    if parsed.country_code == NORTH_AMERICA:
        return significant[:AREA_CODE_DIGITS]
    return significant[: phonenumbers.length_of_geographical_area_code(parsed)]


def written_for(number: str, way: WayOut) -> str:
    """A number in E.164 form as a carrier writes it."""
    if way.number_format is NumberFormat.E164_WITHOUT_PLUS:
        return number.removeprefix("+")
    if way.number_format is NumberFormat.NATIONAL and way.country is not None:
        parsed = parse(number)
        if phonenumbers.country_code_for_region(way.country) == parsed.country_code:
            return nationally(parsed)
    return number


def nationally(parsed: phonenumbers.PhoneNumber) -> str:
    """The digits of a number as they are dialled in its country."""
    text = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.NATIONAL)
    return "".join(character for character in text if character.isdigit())


@lru_cache(maxsize=65_536)
def from_national(digits: str, country_code: str) -> str:
    """A number as it is written in the countries of a code, in E.164 form. What is dialled before
    it there goes, be it 0, 8 or 1; a 0 that belongs to it, as in Italy or Ivory Coast, stays."""
    region = phonenumbers.region_code_for_country_code(int(country_code))
    try:
        parsed = phonenumbers.parse(digits, region)
    except phonenumbers.NumberParseException:
        return f"+{country_code}{digits}"
    number: str = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    return number


def read_from(text: str, way: WayOut) -> str:
    """What a carrier wrote, in E.164 form if it is a number of its country; else as it is."""
    if way.number_format is not NumberFormat.NATIONAL or text.startswith("+"):
        return text
    try:
        parsed = phonenumbers.parse(text, way.country)
    except phonenumbers.NumberParseException:
        return text
    e164: str = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    return e164
