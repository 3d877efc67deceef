"""Numbering plans: what we answer at once, against what phonenumbers says after long thought."""

import random

import phonenumbers
import pytest

from maskline.operations.numbering import is_premium, may_be_premium

PREMIUM = phonenumbers.PhoneNumberType.PREMIUM_RATE
DICE = random.Random(1)


def written(number: phonenumbers.PhoneNumber) -> str:
    text: str = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return text


def digits(many: int) -> str:
    return "".join(DICE.choices("0123456789", k=many))


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
