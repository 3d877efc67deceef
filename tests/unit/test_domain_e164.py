import pytest

from maskline.domain import e164
from maskline.domain.refusals import InvalidPhoneNumber, Refusal


@pytest.mark.parametrize("text", ["+12065550100", "12065550100"])
def test_a_number_is_normalised_to_begin_with_plus(text: str) -> None:
    assert e164.normalise(text) == "+12065550100"


@pytest.mark.parametrize(
    "text",
    ["", "+", "+0", "0206555", "++12065550100", "+1 206", "+1234567890123456", "anonymous", "+١٢٣"],
)
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(InvalidPhoneNumber) as refusal:
        e164.normalise(text)
    assert isinstance(refusal.value, Refusal)
    assert refusal.value.kind == refusal.value.code == "BadRequest"


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("+12065550100", "+1206•••0100"),
        ("12065550100", "+1206•••0100"),
        ("+911", "•••"),
        ("x", "•••"),
    ],
)
def test_redaction_hides_the_middle(number: str, shown: str) -> None:
    assert e164.redact(number) == shown


@pytest.mark.parametrize(
    "number",
    ["+112", "+911", "+999", "+1911", "+44999", "+49112", "+61000", "+19115550100", "+1411",
     "+49116117", "+44116123", "+358116111", "+420116111", "+123456"],
)  # fmt: skip
def test_emergency_and_short_numbers_are_known(number: str) -> None:
    assert e164.is_emergency_or_short(number)
    with pytest.raises(InvalidPhoneNumber):
        e164.require_dialable(number)


@pytest.mark.parametrize(
    "number",
    ["+12065550100", "+14015550101", "+442079460000", "+6834000", "+4930116117", "+12125550111"],
)
def test_numbers_of_people_are_dialable(number: str) -> None:
    assert e164.require_dialable(number) == number


@pytest.mark.parametrize(
    "number",
    [
        "+19005550100",
        "+449012345678",
        "+97912345678",
        "+61190123456",
        "+870773110000",
        "+881612345678",
        "+88213300655",
        "+883510012345",
    ],
)
def test_numbers_that_charge_the_caller_are_refused(number: str) -> None:
    with pytest.raises(InvalidPhoneNumber, match="premium"):
        e164.require_dialable(number)


def test_a_refusal_shows_no_number() -> None:
    with pytest.raises(InvalidPhoneNumber) as refusal:
        e164.require_dialable("+19005550100")
    assert "555" not in refusal.value.message
