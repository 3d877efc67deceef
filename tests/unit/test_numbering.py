"""Numbering plans: what we answer at once, against what phonenumbers says after long thought."""

import itertools
import random
from dataclasses import replace

import phonenumbers
import pytest

from maskline.domain.refusals import InvalidPhoneNumber
from maskline.domain.trunk import NumberFormat, WayOut
from maskline.operations.numbering import (
    is_misdialled,
    is_premium,
    is_refused,
    may_be_premium,
    require_dialable,
    written_for,
)

PREMIUM = phonenumbers.PhoneNumberType.PREMIUM_RATE
DICE = random.Random(1)


def written(number: phonenumbers.PhoneNumber) -> str:
    text: str = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return text


def digits(many: int) -> str:
    return "".join(DICE.choices("0123456789", k=many))


def valid(number: str) -> bool:
    return bool(phonenumbers.is_valid_number(phonenumbers.parse(number)))


def premium_by_phonenumbers(number: str) -> bool:
    try:
        return bool(phonenumbers.number_type(phonenumbers.parse(number)) == PREMIUM)
    except phonenumbers.NumberParseException:
        return False


@pytest.mark.parametrize("code", sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE))
def test_no_premium_rate_number_is_overlooked(code: int) -> None:
    numbers = [f"+{code}{digits(DICE.randrange(13))}" for _ in range(40)]
    for region in phonenumbers.COUNTRY_CODE_TO_REGION_CODE[code]:
        if example := phonenumbers.example_number_for_type(region, PREMIUM):
            number = written(example)
            national = number.removeprefix(f"+{code}")
            numbers += [number, *(f"{number[:-size]}{digits(size)}" for size in range(1, 8))]
            numbers += [f"+{code}{prefix}{national}" for prefix in "0189"]
    for number in numbers:
        assert may_be_premium(number) or not premium_by_phonenumbers(number), number
        if premium_by_phonenumbers(number):
            assert is_premium(number)


@pytest.mark.parametrize("number", ["+12065550100", "+4915112345678", "+33612345678"])
def test_an_ordinary_number_is_known_at_once(number: str) -> None:
    assert not may_be_premium(number)


@pytest.mark.parametrize("text", ["", "+", "anonymous", "+0", "+999123", "112"])
def test_what_is_no_number_is_not_premium(text: str) -> None:
    assert not is_premium(text)


# What digits behind a country code could be made to mean: calls abroad, to satellites, to emergency
# services and to those that cost (118 in Britain, France); or numbers that a list would not know.
MISDIALLED = [
    "+1011882161234", "+7810882161234", "+39008821612345", "+4400882161234",
    "+119111234567", "+1112345678", "+491120000", "+4911200", "+44999123456", "+3311212345",
    "+44118500", "+33118218", "+118765550123", "+4407700900123", "+81010882161",
]  # fmt: skip
DIALLED = [
    "+12065550100", "+442079460123", "+447700900123", "+4915112345678", "+33612345678",
    "+393123456789", "+390612345678", "+5491123456789", "+56961234567", "+61491570156",
    "+2250101234567", "+78123456789", "+358991234567", "+29022123", "+6834001", "+5511987654321",
]  # fmt: skip


@pytest.mark.parametrize("number", MISDIALLED)
def test_no_number_leads_elsewhere_than_it_says(number: str) -> None:
    assert is_refused(number)
    with pytest.raises(InvalidPhoneNumber):
        require_dialable(number)


@pytest.mark.parametrize("number", DIALLED)
def test_numbers_of_people_are_dialled(number: str) -> None:
    assert not is_refused(number)
    assert require_dialable(number) == number


def test_no_number_of_a_plan_is_taken_for_another() -> None:
    """Also where people's numbers begin as an emergency number does, or with what is dialled before
    calls elsewhere."""
    for region in phonenumbers.SUPPORTED_REGIONS:
        for kind in phonenumbers.PhoneNumberType.values():
            if example := phonenumbers.example_number_for_type(region, kind):
                assert not is_misdialled(written(example)), example


def test_nothing_written_for_a_carrier_leads_to_an_emergency_service() -> None:
    """As phonenumbers understands it, but for numbers that are people's: Fiji's +679 911 1492."""
    for region in phonenumbers.SUPPORTED_REGIONS:
        code, way = phonenumbers.country_code_for_region(region), WayOut()
        way = replace(way, number_format=NumberFormat.NATIONAL, country=region)
        for emergency, size in itertools.product(("112", "911", "999"), (0, 2, 5)):
            number = f"+{code}{emergency}{digits(size)}"
            if not (is_misdialled(number) or valid(number)):
                dialled = written_for(number, way)
                assert not phonenumbers.connects_to_emergency_number(dialled, region), number
