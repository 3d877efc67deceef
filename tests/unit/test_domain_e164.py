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
        ("alice@example.com", "•••"),
        ("+٣٢٠٦٥٥٥٠١٠٠٠٠", "•••"),
        ("120655501", "•••"),
        ("1206555010", "+1206•••5010"),
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
    assert e164.require_dialable(number.removeprefix("+")) == number


@pytest.mark.parametrize(
    "number",
    ["+19005550100", "+19765550100", "+33891234567", "+391441234567", "+391661234567",
     "+391781234567", "+398912345678", "+34803123456", "+34806123456", "+34807123456",
     "+34905123456", "+34907123456", "+319001234567", "+319061234567", "+319091234567",
     "+43900123456", "+43901123456", "+43930123456", "+43931123456", "+41900123456",
     "+41901123456", "+41906123456", "+449012345678", "+449112345678", "+449812345678",
     "+48700123456", "+48701123456", "+48703123456", "+48704123456", "+48708123456",
     "+491371234567", "+499001234567", "+61190123456", "+97912345678", "+870773110000",
     "+881612345678", "+88213300655", "+883510012345"],
)  # fmt: skip
def test_numbers_that_charge_the_caller_are_refused(number: str) -> None:
    with pytest.raises(InvalidPhoneNumber, match="premium"):
        e164.require_dialable(number)


def test_a_refusal_shows_no_number() -> None:
    with pytest.raises(InvalidPhoneNumber) as refusal:
        e164.require_dialable("+19005550100")
    assert "555" not in refusal.value.message
